//! Key agreement.
use crate::secret::Secret;

/// A phone's public key, checked.
#[derive(Clone, Debug)]
pub struct ClientPublicKey;

/// Why a handshake is refused.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Not a key.
    #[error("the public key is malformed")]
    MalformedKey,
}

/// Both static key pairs of the hub.
#[derive(Debug)]
pub struct IdentityKeys;

/// What a handshake yields.
#[derive(Debug)]
pub struct Agreement {
    /// The session key.
    pub session_key: Secret<32>,
    /// The hub's public key on the same curve, base64url.
    pub hub_public_key: String,
}

impl IdentityKeys {
    /// From stored private keys.
    ///
    /// # Errors
    /// malformed.
    pub fn new(_x25519: &Secret<32>, _p256: &Secret<32>) -> Result<Self, HandshakeError> {
        todo!()
    }
    /// base64url of the X25519 public key (`pk` of the QR code).
    pub fn x25519_public(&self) -> String {
        todo!()
    }
    /// Four groups of four hex digits that people compare (SHA-256 of the X25519 public key).
    pub fn fingerprint(&self) -> String {
        todo!()
    }
    /// Agrees on a session key.
    ///
    /// # Errors
    /// bad point.
    pub fn agree(&self, _client: &ClientPublicKey) -> Result<Agreement, HandshakeError> {
        todo!()
    }
}
