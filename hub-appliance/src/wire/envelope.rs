//! The envelope: one message sealed with AES-256-GCM (NIST SP 800-38D) under a session key.
//!
//! ```text
//! payload = nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)
//! ```
//!
//! The nonce is random and fresh for each message; the additional data is the ASCII name of the message's direction,
//! so that no message passes for another kind. Opening and sealing happen in the buffer that the bytes already stand
//! in: an answer of 100 MB is in memory once. Plaintexts print nothing of themselves and are wiped when dropped.

use std::fmt;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::secret::{Secret, mark_stack};

/// Bytes of the nonce, in front of the ciphertext.
pub const NONCE_LEN: usize = 12;
/// Bytes of the authentication tag, behind the ciphertext.
pub const TAG_LEN: usize = 16;

/// A nonce as it travels.
pub type Nonce = [u8; NONCE_LEN];

/// Which message of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Phone to hub, `/rpc/command`.
    Command,
    /// Hub to phone, the answer to a command.
    CommandResponse,
    /// Phone to hub, `/rpc/query`.
    Query,
    /// Hub to phone, the answer to a query.
    QueryResponse,
}

impl Direction {
    /// The additional authenticated data of this direction (wire contract, "Envelope").
    #[must_use]
    pub const fn aad(self) -> &'static [u8] {
        match self {
            Self::Command => b"command",
            Self::CommandResponse => b"command_response",
            Self::Query => b"query",
            Self::QueryResponse => b"query_response",
        }
    }

    /// The direction of the answer to a message of this one; an answer's is its own.
    #[must_use]
    pub const fn response(self) -> Self {
        match self {
            Self::Command | Self::CommandResponse => Self::CommandResponse,
            Self::Query | Self::QueryResponse => Self::QueryResponse,
        }
    }
}

/// A session key with its key schedule, which is reckoned once. Wipes itself when dropped.
pub struct EnvelopeKey(Box<Aes256Gcm>);

/// A payload that is too short, was sealed with another key or for another direction, or was altered: the buffer
/// given to [`EnvelopeKey::open`], byte for byte as it was.
pub struct NotOpened(pub Vec<u8>);

impl EnvelopeKey {
    /// Expands `key`.
    #[must_use]
    pub fn new(key: &Secret<32>) -> Self {
        mark_stack();
        Self(Box::new(Aes256Gcm::new(key.expose().into())))
    }

    /// Opens `payload` in place.
    ///
    /// # Errors
    /// [`NotOpened`] with the payload untouched, to be tried with another key: the tag is verified before the first
    /// byte is decrypted.
    pub fn open(&self, direction: Direction, mut payload: Vec<u8>) -> Result<Opened, NotOpened> {
        mark_stack();
        if self.decrypt(direction, &mut payload).is_none() {
            return Err(NotOpened(payload));
        }
        payload.truncate(payload.len() - TAG_LEN);
        Ok(Opened {
            buffer: payload,
            start: NONCE_LEN,
        })
    }

    fn decrypt(&self, direction: Direction, payload: &mut [u8]) -> Option<()> {
        let (nonce, rest) = payload.split_first_chunk_mut::<NONCE_LEN>()?;
        let (text, tag) = rest.split_last_chunk_mut::<TAG_LEN>()?;
        self.0
            .decrypt_inout_detached((&*nonce).into(), direction.aad(), text.into(), (&*tag).into())
            .ok()
    }

    /// Seals `answer` in place under a fresh random nonce.
    ///
    /// # Errors
    /// [`SealError::Random`] if the operating system gives no random bytes, [`SealError::Length`] for a plaintext
    /// that AES-GCM cannot take. The plaintext is wiped in both cases.
    pub fn seal(&self, direction: Direction, answer: Outgoing) -> Result<Sealed, SealError> {
        let mut nonce = Nonce::default();
        getrandom::fill(&mut nonce)?;
        self.seal_with_nonce(direction, answer, nonce)
    }

    fn seal_with_nonce(&self, direction: Direction, mut answer: Outgoing, nonce: Nonce) -> Result<Sealed, SealError> {
        let (front, text) = answer
            .buffer
            .split_first_chunk_mut::<NONCE_LEN>()
            .ok_or(SealError::Length)?;
        *front = nonce;
        mark_stack();
        let tag = self
            .0
            .encrypt_inout_detached((&nonce).into(), direction.aad(), text.into())
            .map_err(|_| SealError::Length)?;
        let mut sealed = std::mem::take(&mut answer.buffer);
        // Exactly, because an amortised growth could double the memory of a long answer.
        sealed.reserve_exact(TAG_LEN);
        sealed.extend_from_slice(&tag);
        Ok(Sealed(sealed))
    }
}

impl fmt::Debug for EnvelopeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Debug for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NotOpened({} bytes)", self.0.len())
    }
}

/// Why an answer was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The operating system's random source failed, so there is no nonce.
    #[error("no random bytes for a nonce")]
    Random(#[from] getrandom::Error),
    /// The plaintext is longer than AES-GCM takes under one nonce (2³⁶ − 32 bytes), or the room for the nonce was cut
    /// off the front of [`Outgoing::buffer`].
    #[error("an answer of this length cannot be sealed")]
    Length,
}

/// An opened plaintext; prints as `[secret]` and is wiped when dropped.
pub struct Opened {
    buffer: Vec<u8>,
    start: usize,
}

impl std::ops::Deref for Opened {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

impl From<Vec<u8>> for Opened {
    /// A plaintext that came by another way than an envelope.
    fn from(buffer: Vec<u8>) -> Self {
        Self { buffer, start: 0 }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl ZeroizeOnDrop for Opened {}

/// A plaintext under construction with room for the nonce in front, so that it is sealed where it stands. Prints as
/// `[secret]` and is wiped when dropped unsealed.
pub struct Outgoing {
    buffer: Vec<u8>,
    at_most: usize,
}

impl Outgoing {
    /// An empty plaintext.
    #[must_use]
    pub fn new() -> Self {
        Self::within(usize::MAX)
    }

    /// The same, to which no more than `at_most` bytes should be written.
    #[must_use]
    pub fn within(at_most: usize) -> Self {
        Self {
            buffer: vec![0; NONCE_LEN],
            at_most,
        }
    }

    /// How many bytes of plaintext there is room for, and of the nonce.
    #[must_use]
    pub const fn at_most(&self) -> usize {
        self.at_most
    }

    /// The buffer to append the plaintext to. Only to append: its first [`NONCE_LEN`] bytes are the nonce's place.
    ///
    /// A buffer that outgrows its capacity may leave a copy behind in freed memory, which nobody wipes; so reserve
    /// where the size is known.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// The plaintext so far.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        self.buffer.get(NONCE_LEN..).unwrap_or_default()
    }

    /// Wipes and throws away what was written.
    pub fn clear(&mut self) {
        self.buffer.zeroize();
        self.buffer.resize(NONCE_LEN, 0);
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::new()
    }
}

impl std::io::Write for Outgoing {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.buffer.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

impl ZeroizeOnDrop for Outgoing {}

/// A sealed message: nonce ‖ ciphertext ‖ tag.
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// The sealed bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes them out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
pub(super) mod tests;
