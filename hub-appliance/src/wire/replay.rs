//! The replay window: which nonces have been seen under which key, over all sessions.
//!
//! The window outlives the sessions. The hub's keys are static, so somebody who recorded a phone's handshake can send
//! it again at any time and bring the same session key back to life; if the window ended with the session, a recorded
//! payload would open a second time. Memory is bounded: above the bound the oldest messages are forgotten, and the
//! sessions that they came in have to end (see [`ReplayWindow::oldest`]).

use std::collections::{HashSet, VecDeque};
use std::fmt;

use sha2::{Digest as _, Sha256};

use super::envelope::{NONCE_LEN, Nonce};
use crate::secret::Secret;

const KEY_ID_LEN: usize = 8;

/// Names a session key without being one: the first 8 bytes of its SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyId([u8; KEY_ID_LEN]);

impl KeyId {
    pub(super) fn of(key: &Secret<32>) -> Self {
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&Sha256::digest(key.expose())[..KEY_ID_LEN]);
        Self(id)
    }
}

/// How many messages were taken before this one, since the start.
pub(super) type Position = u64;

/// Names one message for good: under which key it came, and its nonce.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(test, derive(Default))]
pub struct MessageId([u8; KEY_ID_LEN + NONCE_LEN]);

impl MessageId {
    pub(super) fn new(key: KeyId, nonce: &Nonce) -> Self {
        let mut id = [0; KEY_ID_LEN + NONCE_LEN];
        id[..KEY_ID_LEN].copy_from_slice(&key.0);
        id[KEY_ID_LEN..].copy_from_slice(nonce);
        Self(id)
    }

    /// Under which key it came.
    pub(super) fn key(self) -> KeyId {
        let mut id = [0; KEY_ID_LEN];
        id.copy_from_slice(&self.0[..KEY_ID_LEN]);
        KeyId(id)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether both came under one key.
    #[must_use]
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.0[..KEY_ID_LEN] == other.0[..KEY_ID_LEN]
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(..)")
    }
}

pub(super) struct ReplayWindow {
    seen: HashSet<MessageId>,
    in_order: VecDeque<MessageId>,
    forgotten: Position,
    limit: usize,
}

impl ReplayWindow {
    /// An empty window that remembers up to `limit` messages, and at least one.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            seen: HashSet::new(),
            in_order: VecDeque::new(),
            forgotten: 0,
            limit: limit.max(1),
        }
    }

    /// Remembers a message, and says at which position; `None` if it was seen before.
    pub(super) fn admit(&mut self, key: KeyId, nonce: &Nonce) -> Option<Position> {
        let entry = MessageId::new(key, nonce);
        if !self.seen.insert(entry) {
            return None;
        }
        let position = self.forgotten + self.in_order.len() as Position;
        self.in_order.push_back(entry);
        if self.in_order.len() > self.limit
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.seen.remove(&oldest);
            self.forgotten += 1;
        }
        Some(position)
    }

    /// The position of the oldest message that is still remembered.
    pub(super) fn oldest(&self) -> Position {
        self.forgotten
    }

    /// How many messages are remembered.
    pub(super) fn len(&self) -> usize {
        self.in_order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(byte: u8) -> Nonce {
        [byte; NONCE_LEN]
    }

    #[test]
    fn a_nonce_is_new_once_under_each_key() {
        let mut window = ReplayWindow::new(10);
        let [first, second] = [1, 2].map(|byte| KeyId::of(&Secret::new([byte; 32])));
        assert_eq!(window.admit(first, &nonce(1)), Some(0));
        assert_eq!(window.admit(first, &nonce(1)), None);
        assert_eq!(window.admit(second, &nonce(1)), Some(1));
        assert_eq!(window.admit(second, &nonce(1)), None);
        assert_eq!(window.len(), 2);
    }

    #[test]
    fn forgets_the_oldest_above_its_bound() {
        let mut window = ReplayWindow::new(3);
        let key = KeyId::of(&Secret::new([1; 32]));
        for byte in 0..5 {
            assert_eq!(window.admit(key, &nonce(byte)), Some(u64::from(byte)));
        }
        assert_eq!((window.len(), window.seen.len(), window.oldest()), (3, 3, 2));
        assert_eq!(window.admit(key, &nonce(2)), None);
        assert_eq!(window.admit(key, &nonce(1)), Some(5));
    }
}
