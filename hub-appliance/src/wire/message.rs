//! The JSON around handshake and envelope.
use serde_json::value::RawValue;

use super::handshake::ClientPublicKey;
use crate::ids::ClientId;

/// Body or plaintext that is not the JSON of the contract (400).
#[derive(Debug, thiserror::Error)]
#[error("the message is malformed")]
pub struct Malformed;

/// A handshake request.
#[derive(Debug)]
pub struct HandshakeRequest {
    /// who
    pub client_id: ClientId,
    /// their key
    pub client_public_key: ClientPublicKey,
    /// shown on the panel: trimmed, control characters removed, at most 64 characters; None if nothing is left
    pub device_name: Option<String>,
}

impl HandshakeRequest {
    /// Parses a body.
    ///
    /// # Errors
    /// malformed
    pub fn parse(_body: &[u8]) -> Result<Self, Malformed> {
        todo!()
    }
}

/// An envelope as received.
#[derive(Debug)]
pub struct EnvelopeRequest {
    /// who
    pub client_id: ClientId,
    /// nonce ‖ ciphertext ‖ tag, decoded
    pub payload: Vec<u8>,
}

impl EnvelopeRequest {
    /// Parses a body, decoding the payload without an intermediate copy of it.
    ///
    /// # Errors
    /// malformed
    pub fn parse(_body: &[u8]) -> Result<Self, Malformed> {
        todo!()
    }
}

/// Command or query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/rpc/command`
    Command,
    /// `/rpc/query`
    Query,
}

/// The plaintext of a command or query, borrowed from the opened bytes.
#[derive(Debug)]
pub struct Call<'a> {
    /// `command` or `query`
    pub name: std::borrow::Cow<'a, str>,
    /// `data` or `params`, unparsed; `{}` where missing or null
    pub params: &'a RawValue,
    /// the token
    pub token: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> Call<'a> {
    /// Parses a plaintext.
    ///
    /// # Errors
    /// malformed
    pub fn parse(_kind: Kind, _plaintext: &'a [u8]) -> Result<Self, Malformed> {
        todo!()
    }
}
