//! Session keys and the replay window.
use std::time::{Duration, Instant};

use super::envelope::{Direction, Opened, Outgoing, Sealed};
use crate::ids::ClientId;
use crate::secret::Secret;

/// Bounds of the table; the defaults are those of the wire contract.
#[derive(Clone, Debug)]
pub struct SessionLimits {
    /// newest keys kept that have opened a payload (8)
    pub proven: usize,
    /// newest keys kept that have not (8)
    pub unproven: usize,
    /// 24 h
    pub lifetime: Duration,
    /// 65,536
    pub messages: usize,
    /// remembered nonces over all sessions; the oldest sessions end above it
    pub nonces: usize,
}

/// Why no session opened the payload; all are answered 428.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// none
    #[error("no session key opens the payload")]
    NoSession,
    /// seen
    #[error("the message was seen before")]
    Replayed,
}

/// All session keys, in memory only.
#[derive(Debug)]
pub struct SessionTable;

impl SessionTable {
    /// Empty.
    pub fn new(_limits: SessionLimits) -> Self {
        todo!()
    }
    /// A new session after a handshake.
    pub fn insert(&self, _client: ClientId, _key: &Secret<32>, _now: Instant) {
        todo!()
    }
    /// Opens `payload` (nonce ‖ ciphertext ‖ tag) in place with whichever of the client's keys fits.
    ///
    /// # Errors
    /// no session or replay
    pub fn open(
        &self,
        _client: ClientId,
        _direction: Direction,
        _payload: Vec<u8>,
        _now: Instant,
    ) -> Result<Exchange, SessionError> {
        todo!()
    }
    /// Ends all sessions of one client.
    pub fn forget(&self, _client: ClientId) {
        todo!()
    }
    /// Ends all sessions.
    pub fn clear(&self) {
        todo!()
    }
}

/// An opened request, and the key that its answer is sealed with.
#[derive(Debug)]
pub struct Exchange {
    /// The request in the clear.
    pub plaintext: Opened,
}

impl Exchange {
    /// Splits off the plaintext, leaving what seals the answer.
    pub fn split(self) -> (Opened, Replier) {
        todo!()
    }
}

/// Seals the answer of one exchange, under the response's direction and a fresh random nonce.
#[derive(Debug)]
pub struct Replier;

impl Replier {
    /// Seals in place.
    ///
    /// # Errors
    /// the random source failed
    pub fn seal(&self, _answer: Outgoing) -> Result<Sealed, getrandom::Error> {
        todo!()
    }
}
