//! The phone's half of the wire contract: key agreement on either curve, and the sealed envelope.
//!
//! Promise: written from `wire.md` alone, with nothing of the hub's code, and checked against every entry of
//! `vectors.json`.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::Sha256;

/// HKDF salt (`wire.md`, Key agreement).
const SALT: &[u8] = b"hikma-health-pairing-v1";
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Why a key or an envelope was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A key or payload is not base64url without padding (RFC 4648, section 5).
    #[error("not base64url without padding")]
    Encoding,
    /// A public key is not a point of the curve that this phone uses, or of low order.
    #[error("not a usable public key of this curve")]
    PublicKey,
    /// A private key is not a scalar of its curve.
    #[error("not a private key of this curve")]
    PrivateKey,
    /// The envelope is shorter than nonce and tag, or its tag does not verify.
    #[error("the envelope does not open")]
    Sealed,
    /// The operating system gave no random bytes.
    #[error("no random bytes")]
    Random,
}

/// Which curve a phone's keys are on, and how it writes its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// X25519 (RFC 7748), what the shipping app uses.
    X25519,
    /// NIST P-256, SEC1 uncompressed (65 bytes).
    P256,
    /// NIST P-256, SEC1 compressed (33 bytes).
    P256Compressed,
}

/// A phone's key pair, made anew for every handshake.
pub enum KeyPair {
    /// On X25519.
    X25519(x25519_dalek::StaticSecret),
    /// On P-256.
    P256 {
        /// The private key.
        secret: p256::SecretKey,
        /// Whether the public key is sent in its compressed form.
        compressed: bool,
    },
}

impl KeyPair {
    /// A new key pair.
    ///
    /// # Errors
    /// [`WireError::Random`] when the operating system has no random bytes.
    pub fn generate(curve: Curve) -> Result<Self, WireError> {
        loop {
            let mut private = [0u8; 32];
            getrandom::fill(&mut private).map_err(|_| WireError::Random)?;
            match Self::from_private(curve, &private) {
                // About one in 2^32 random strings is no P-256 scalar.
                Err(WireError::PrivateKey) => {}
                other => return other,
            }
        }
    }

    /// The key pair of a given private key.
    ///
    /// # Errors
    /// [`WireError::PrivateKey`] when a P-256 scalar is zero or not below the group's order.
    pub fn from_private(curve: Curve, private: &[u8; 32]) -> Result<Self, WireError> {
        match curve {
            Curve::X25519 => Ok(Self::X25519((*private).into())),
            Curve::P256 | Curve::P256Compressed => {
                let secret = p256::SecretKey::from_slice(private).map_err(|_| WireError::PrivateKey)?;
                Ok(Self::P256 {
                    secret,
                    compressed: curve == Curve::P256Compressed,
                })
            }
        }
    }

    /// The public key as it stands in a handshake: base64url without padding.
    #[must_use]
    pub fn public_key(&self) -> String {
        match self {
            Self::X25519(secret) => encode(x25519_dalek::PublicKey::from(secret).as_bytes()),
            Self::P256 { secret, compressed } => encode(secret.public_key().to_sec1_point(*compressed).as_bytes()),
        }
    }

    /// The session key shared with the hub's public key (base64url, on the same curve).
    ///
    /// # Errors
    /// [`WireError::Encoding`] or [`WireError::PublicKey`] for a hub key that can't be used.
    pub fn agree(&self, hub_public_key: &str) -> Result<Session, WireError> {
        Ok(Session::from_key(&self.agree_key(hub_public_key)?))
    }

    /// The key of that session, for tests that look for it where it must not be.
    ///
    /// # Errors
    /// As [`KeyPair::agree`].
    pub fn agree_key(&self, hub_public_key: &str) -> Result<[u8; 32], WireError> {
        let hub = decode(hub_public_key)?;
        match self {
            Self::X25519(secret) => {
                let hub: [u8; 32] = hub.try_into().map_err(|_| WireError::PublicKey)?;
                let shared = secret.diffie_hellman(&hub.into());
                if !shared.was_contributory() {
                    return Err(WireError::PublicKey);
                }
                let client = x25519_dalek::PublicKey::from(secret);
                Ok(session_key(shared.as_bytes(), &[&hub, client.as_bytes()]))
            }
            Self::P256 { secret, .. } => {
                let hub = p256::PublicKey::from_sec1_bytes(&hub).map_err(|_| WireError::PublicKey)?;
                let shared = secret.diffie_hellman(&hub);
                let (hub, client) = (hub.to_sec1_point(false), secret.public_key().to_sec1_point(false));
                Ok(session_key(
                    shared.raw_secret_bytes(),
                    &[hub.as_bytes(), client.as_bytes()],
                ))
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair([secret])")
    }
}

/// Which message an envelope carries; its tag is the additional authenticated data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// A command, phone to hub.
    Command,
    /// A command's answer.
    CommandResponse,
    /// A query, phone to hub.
    Query,
    /// A query's answer.
    QueryResponse,
}

impl Message {
    /// The ASCII tag of the direction (`wire.md`, Envelope).
    #[must_use]
    pub fn aad(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::CommandResponse => "command_response",
            Self::Query => "query",
            Self::QueryResponse => "query_response",
        }
    }
}

/// A session: what a handshake leaves behind.
#[derive(Clone)]
pub struct Session {
    cipher: Aes256Gcm,
}

impl Session {
    /// The session of a known key.
    #[must_use]
    pub fn from_key(key: &[u8; 32]) -> Self {
        Self {
            cipher: Aes256Gcm::new(key.into()),
        }
    }

    /// Seals a message under a new random nonce: base64url( nonce ‖ ciphertext ‖ tag ).
    ///
    /// # Errors
    /// [`WireError::Random`] when the operating system has no random bytes.
    pub fn seal(&self, message: Message, plaintext: &[u8]) -> Result<String, WireError> {
        let mut nonce = [0u8; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| WireError::Random)?;
        self.seal_with(message, plaintext, nonce)
    }

    /// Seals a message under a given nonce, for vectors and for tests of replay.
    ///
    /// # Errors
    /// [`WireError::Sealed`] for a plaintext beyond AES-GCM's limit of 64 GiB.
    pub fn seal_with(&self, message: Message, plaintext: &[u8], nonce: [u8; NONCE_LEN]) -> Result<String, WireError> {
        let payload = Payload {
            msg: plaintext,
            aad: message.aad().as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), payload)
            .map_err(|_| WireError::Sealed)?;
        Ok(encode(&[&nonce[..], &sealed].concat()))
    }

    /// Opens an envelope's payload.
    ///
    /// # Errors
    /// [`WireError::Encoding`] or [`WireError::Sealed`].
    pub fn open(&self, message: Message, payload: &str) -> Result<Vec<u8>, WireError> {
        let bytes = decode(payload)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(WireError::Sealed)?;
        if sealed.len() < TAG_LEN {
            return Err(WireError::Sealed);
        }
        let payload = Payload {
            msg: sealed,
            aad: message.aad().as_bytes(),
        };
        self.cipher
            .decrypt(&Nonce::from(*nonce), payload)
            .map_err(|_| WireError::Sealed)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session([secret])")
    }
}

/// The session key of a shared secret: HKDF (`wire.md`, Key agreement).
pub(super) fn session_key(shared: &[u8], info: &[&[u8]]) -> [u8; 32] {
    let mut key = [0u8; 32];
    Hkdf::<Sha256>::new(Some(SALT), shared)
        .expand_multi_info(info, &mut key)
        .expect("32 bytes are within what HKDF-SHA256 can give");
    key
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, WireError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| WireError::Encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/vectors.json");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn hex<const N: usize>(value: &Value) -> [u8; N] {
        let text = value.as_str().unwrap();
        assert_eq!(text.len(), 2 * N);
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    /// Two sessions have the same key when one opens what the other sealed.
    fn same_key(a: &Session, b: &Session) -> bool {
        b.open(Message::Query, &a.seal(Message::Query, b"x").unwrap()).is_ok()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_and_what_is_changed_does_not(plaintext: Vec<u8>, place: usize, bit in 0..8_u8) {
            let session = Session::from_key(&[7; 32]);
            let payload = session.seal(Message::Command, &plaintext).unwrap();
            prop_assert_eq!(session.open(Message::Command, &payload), Ok(plaintext));
            prop_assert_eq!(session.open(Message::CommandResponse, &payload), Err(WireError::Sealed));
            let mut bytes = decode(&payload).unwrap();
            let place = place % bytes.len();
            bytes[place] ^= 1 << bit;
            prop_assert_eq!(session.open(Message::Command, &encode(&bytes)), Err(WireError::Sealed));
        }
    }

    #[test]
    fn agreements_of_the_contract() {
        let vectors = vectors();
        let agreements = vectors["agreements"].as_array().unwrap();
        assert!(!agreements.is_empty());
        for entry in agreements {
            let client_public = entry["client_public_key"].as_str().unwrap();
            let hub_public = entry["hub_public_key"].as_str().unwrap();
            let (client, hub) = match (entry["curve"].as_str().unwrap(), client_public.len()) {
                ("x25519", _) => (Curve::X25519, Curve::X25519),
                ("p256", 44) => (Curve::P256Compressed, Curve::P256),
                _ => (Curve::P256, Curve::P256),
            };
            let pair = KeyPair::from_private(client, &hex(&entry["client_private"])).unwrap();
            let hub = KeyPair::from_private(hub, &hex(&entry["hub_private"])).unwrap();
            assert_eq!(pair.public_key(), client_public);
            assert_eq!(hub.public_key(), hub_public);
            assert!(same_key(
                &pair.agree(hub_public).unwrap(),
                &Session::from_key(&hex(&entry["key"]))
            ));
        }
    }

    #[test]
    fn envelopes_of_the_contract() {
        for entry in vectors()["envelopes"].as_array().unwrap() {
            let session = Session::from_key(&hex(&entry["key"]));
            let message = [
                Message::Command,
                Message::CommandResponse,
                Message::Query,
                Message::QueryResponse,
            ]
            .into_iter()
            .find(|message| message.aad() == entry["aad"])
            .unwrap();
            let plaintext = entry["plaintext"].as_str().unwrap().as_bytes();
            let payload = entry["payload"].as_str().unwrap();
            assert_eq!(
                session.seal_with(message, plaintext, hex(&entry["nonce"])).unwrap(),
                payload
            );
            assert_eq!(session.open(message, payload).unwrap(), plaintext);
        }
    }

    #[test]
    fn rejects_of_the_contract() {
        let vectors = vectors();
        let session = Session::from_key(&hex(&vectors["envelopes"][0]["key"]));
        for (name, payload) in vectors["rejects"]["payload_under_command"].as_object().unwrap() {
            assert!(
                session.open(Message::Command, payload.as_str().unwrap()).is_err(),
                "{name}"
            );
        }
        for (name, key) in vectors["rejects"]["client_public_key"].as_object().unwrap() {
            for curve in [Curve::X25519, Curve::P256] {
                let pair = KeyPair::generate(curve).unwrap();
                assert!(pair.agree(key.as_str().unwrap()).is_err(), "{name} on {curve:?}");
            }
        }
    }
}
