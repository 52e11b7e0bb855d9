//! The JSON around handshake and envelope, and of the plaintext inside: requests from their bytes.
//!
//! Parsing is strict about what the wire contract names (an object, each member once, of its type) and blind to other
//! members. Texts are borrowed from the bytes; a payload of 64 MiB is decoded straight from the body.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::base64url;
use super::envelope::Direction;
use super::handshake::ClientPublicKey;
use crate::ids::ClientId;
use crate::lossy::Lossy;

/// Bytes of the longest handshake body that is parsed: far above what an app has to say.
pub const MAX_HANDSHAKE_BODY: usize = 16 * 1024;
/// Bytes of the longest envelope body (wire contract, status 413).
pub const MAX_ENVELOPE_BODY: usize = 64 * 1024 * 1024;
/// Characters of the longest device name.
pub const MAX_DEVICE_NAME: usize = 64;

/// Body or plaintext that is not the JSON of the contract, or is over its bound (400).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message is malformed")]
pub struct Malformed;

/// Parses one JSON object. Derived structs would take an array of their members just as well.
fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8], limit: usize) -> Result<T, Malformed> {
    let opens = bytes.iter().find(|byte| !b" \t\r\n".contains(byte));
    if bytes.len() > limit || opens != Some(&b'{') {
        return Err(Malformed);
    }
    serde_json::from_slice(bytes).map_err(|_| Malformed)
}

/// A handshake request (wire contract, "Key agreement").
#[derive(Debug)]
pub struct HandshakeRequest {
    /// Which phone.
    pub client_id: ClientId,
    /// Its public key of this handshake.
    pub client_public_key: ClientPublicKey,
    /// What the phone calls itself, fit for the panel: without control and format characters (those that turn the
    /// direction of writing among them), trimmed, at most [`MAX_DEVICE_NAME`] characters. `None` if nothing is left.
    pub device_name: Option<String>,
}

#[derive(Deserialize)]
struct HandshakeBody<'a> {
    #[serde(borrow)]
    client_id: Lossy<'a>,
    #[serde(borrow)]
    client_public_key: Lossy<'a>,
    #[serde(borrow)]
    device_name: Option<Lossy<'a>>,
}

impl HandshakeRequest {
    /// Parses a body of at most [`MAX_HANDSHAKE_BODY`] bytes.
    ///
    /// # Errors
    /// [`Malformed`], also for a key that [`ClientPublicKey::parse`] refuses.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let body: HandshakeBody<'_> = object(body, MAX_HANDSHAKE_BODY)?;
        Ok(Self {
            client_id: ClientId::parse(&body.client_id.0).ok_or(Malformed)?,
            client_public_key: ClientPublicKey::parse(&body.client_public_key.0).map_err(|_| Malformed)?,
            device_name: body.device_name.and_then(|name| device_name(&name.0)),
        })
    }
}

fn device_name(text: &str) -> Option<String> {
    let visible: String = text.chars().filter(|c| !c.is_control() && !is_format(*c)).collect();
    let start: String = visible.trim().chars().take(MAX_DEVICE_NAME).collect();
    let name = start.trim_end();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Whether Unicode 16 puts `c` into the categories Cf (format), Zl or Zp (line and paragraph separator).
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}'
        | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{110BD}' | '\u{110CD}'
        | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}'
        | '\u{E0020}'..='\u{E007F}')
}

/// An envelope as received (wire contract, "Envelope").
#[derive(Debug)]
pub struct EnvelopeRequest {
    /// Which phone.
    pub client_id: ClientId,
    /// nonce ‖ ciphertext ‖ tag, decoded. Its length is not checked here: what is too short opens with no key.
    pub payload: Vec<u8>,
}

#[derive(Deserialize)]
struct EnvelopeBody<'a> {
    #[serde(borrow)]
    client_id: Lossy<'a>,
    /// Borrowed, which refuses escapes: base64url has no need of any.
    payload: &'a str,
}

impl EnvelopeRequest {
    /// Parses a body of at most [`MAX_ENVELOPE_BODY`] bytes, decoding the payload where it stands, so that one of 64 MiB
    /// is in memory once.
    ///
    /// # Errors
    /// [`Malformed`], also for a payload that is not base64url without padding.
    pub fn parse(body: impl Into<Vec<u8>>) -> Result<Self, Malformed> {
        let mut body = body.into();
        let parsed: EnvelopeBody<'_> = object(&body, MAX_ENVELOPE_BODY)?;
        let client_id = ClientId::parse(&parsed.client_id.0).ok_or(Malformed)?;
        let start = (parsed.payload.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
        let start = start.ok_or(Malformed)?;
        let text = start..start + parsed.payload.len();
        let length = base64url::decode_to_front(&mut body, text).ok_or(Malformed)?;
        body.truncate(length);
        Ok(Self {
            client_id,
            payload: body,
        })
    }
}

/// Whose envelope begins with `head`, as far as that stands there: before the payload, where the app writes it.
#[must_use]
pub fn client_in(head: &[u8]) -> Option<ClientId> {
    const NAME: &[u8] = b"\"client_id\"";
    let name = head.windows(NAME.len()).position(|window| window == NAME)?;
    let space = |byte: &u8| b" \t\r\n".contains(byte);
    let rest = head.get(name + NAME.len()..)?;
    let rest = rest
        .get(rest.iter().position(|byte| !space(byte))?..)?
        .strip_prefix(b":")?;
    let rest = rest
        .get(rest.iter().position(|byte| !space(byte))?..)?
        .strip_prefix(b"\"")?;
    let id = rest.get(..rest.iter().position(|byte| *byte == b'"')?)?;
    ClientId::parse(std::str::from_utf8(id).ok()?)
}

/// Command or query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/rpc/command`: writes.
    Command,
    /// `/rpc/query`: reads.
    Query,
}

impl Kind {
    /// The direction that its requests are sealed for.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Command => Direction::Command,
            Self::Query => Direction::Query,
        }
    }
}

/// The plaintext of a command or query, borrowed from the opened bytes. Prints neither parameters nor token.
pub struct Call<'a> {
    /// What is asked for: `command` or `query`.
    pub name: Cow<'a, str>,
    /// `data` or `params`: a JSON object, not parsed further; `{}` where missing or null.
    pub params: &'a RawValue,
    /// The token, where there is one.
    pub token: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct CommandPlaintext<'a> {
    #[serde(borrow)]
    command: Lossy<'a>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<Lossy<'a>>,
}

#[derive(Deserialize)]
struct QueryPlaintext<'a> {
    #[serde(borrow)]
    query: Lossy<'a>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    token: Option<Lossy<'a>>,
}

impl<'a> Call<'a> {
    /// Parses a plaintext.
    ///
    /// # Errors
    /// [`Malformed`]
    pub fn parse(kind: Kind, plaintext: &'a [u8]) -> Result<Self, Malformed> {
        let (name, params, token) = match kind {
            Kind::Command => {
                let CommandPlaintext { command, data, token } = object(plaintext, MAX_ENVELOPE_BODY)?;
                (command, data, token)
            }
            Kind::Query => {
                let QueryPlaintext { query, params, token } = object(plaintext, MAX_ENVELOPE_BODY)?;
                (query, params, token)
            }
        };
        let params = match params {
            Some(params) if params.get().starts_with('{') => params,
            Some(_) => return Err(Malformed),
            None => serde_json::from_str("{}").map_err(|_| Malformed)?,
        };
        Ok(Self {
            name: name.0,
            params,
            token: token.map(|token| token.0),
        })
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
