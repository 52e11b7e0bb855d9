//! The JSON of answers (wire contract, "Key agreement" and "Envelope").
//!
//! A success can be long, so it is not built but given out in pieces: [`SealedBody`] keeps the sealed bytes and makes
//! 64 KiB of base64url at a time.

use bytes::Bytes;
use serde_json::Value;

use super::base64url;
use super::envelope::Sealed;

/// Sealed bytes a piece: a multiple of 3, so that the pieces of base64url join without a seam.
const PIECE: usize = 48 * 1024;
const BEFORE: &[u8] = br#"{"payload":""#;
const AFTER: &[u8] = br#"","success":true}"#;

/// The answer to a handshake: the hub's public key (base64url) on the phone's curve, and who the hub is.
#[must_use]
pub fn handshake_response(hub_public_key: &str, hub_id: &str, hub_name: &str) -> Vec<u8> {
    let [key, id, name] = [hub_public_key, hub_id, hub_name].map(Value::from);
    format!(r#"{{"hub_public_key":{key},"hub_id":{id},"hub_name":{name},"success":true}}"#).into_bytes()
}

/// The answer to whatever failed, with its fixed text, for a status other than 2xx.
#[must_use]
pub fn failure_body(text: &str) -> Vec<u8> {
    let text = Value::from(text);
    format!(r#"{{"payload":"","success":false,"error":{text}}}"#).into_bytes()
}

/// The answer to a command or query that succeeded, `{"payload":"<base64url>","success":true}`, as an iterator over
/// pieces of at most about 64 KiB. Its length is known before the first.
#[derive(Debug)]
pub struct SealedBody {
    sealed: Vec<u8>,
    given: usize,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Done,
}

impl SealedBody {
    /// The body around `sealed`.
    #[must_use]
    pub fn new(sealed: Sealed) -> Self {
        Self {
            sealed: sealed.into_bytes(),
            given: 0,
            state: State::Before,
        }
    }

    /// Exactly how many bytes are still to come; before the first piece, the length of the whole body.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        let around = match self.state {
            State::Before => BEFORE.len() + AFTER.len(),
            State::Within => AFTER.len(),
            State::Done => return 0,
        };
        around as u64 + base64url::encoded_len(self.sealed.len() - self.given)
    }
}

impl Iterator for SealedBody {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.state == State::Done {
            return None;
        }
        let rest = &self.sealed[self.given..];
        let piece = &rest[..rest.len().min(PIECE)];
        let mut out = Vec::with_capacity(BEFORE.len() + piece.len().div_ceil(3) * 4 + AFTER.len());
        if self.state == State::Before {
            out.extend_from_slice(BEFORE);
            self.state = State::Within;
        }
        base64url::encode_into(piece, &mut out);
        self.given += piece.len();
        if self.given == self.sealed.len() {
            out.extend_from_slice(AFTER);
            self.state = State::Done;
            self.sealed = Vec::new();
            self.given = 0;
        }
        Some(out.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::super::envelope::{Direction, EnvelopeKey, NONCE_LEN, Outgoing, TAG_LEN};
    use super::*;
    use crate::secret::Secret;

    fn sealed(len: usize) -> Sealed {
        let mut answer = Outgoing::new();
        answer.write_all(&vec![b' '; len - NONCE_LEN - TAG_LEN]).unwrap();
        EnvelopeKey::new(&Secret::new([1; 32]))
            .seal(Direction::QueryResponse, answer)
            .unwrap()
    }

    fn check(len: usize) {
        let sealed = sealed(len);
        let expected = format!(
            r#"{{"payload":"{}","success":true}}"#,
            base64url::encode(sealed.as_bytes())
        );
        let mut body = SealedBody::new(sealed);
        assert_eq!(body.remaining(), expected.len() as u64);
        let mut whole = Vec::new();
        while let Some(piece) = body.next() {
            assert!(!piece.is_empty() && piece.len() <= BEFORE.len() + PIECE / 3 * 4 + AFTER.len());
            whole.extend_from_slice(&piece);
            assert_eq!(body.remaining(), (expected.len() - whole.len()) as u64);
        }
        assert!(whole == expected.as_bytes(), "{len} bytes");
        assert!(body.next().is_none());
    }

    #[test]
    fn is_the_reference_encoding_around_every_seam() {
        for len in (28..100)
            .chain(PIECE - 4..PIECE + 5)
            .chain(3 * PIECE - 4..3 * PIECE + 5)
        {
            check(len);
        }
    }

    #[test]
    fn a_short_answer_is_one_piece() {
        assert_eq!(SealedBody::new(sealed(PIECE)).count(), 1);
    }

    #[test]
    fn texts_are_escaped() {
        let body = failure_body("a \"quoted\" \\ text\n");
        let value: Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({"payload": "", "success": false, "error": "a \"quoted\" \\ text\n"});
        assert_eq!(value, expected);

        let body = handshake_response("key", "id", "Clinic \"عيادة\" \u{1}");
        let value: Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "hub_public_key": "key", "hub_id": "id", "hub_name": "Clinic \"عيادة\" \u{1}", "success": true,
        });
        assert_eq!(value, expected);
    }

    proptest! {
        #[test]
        fn is_the_reference_encoding(len in 28_usize..4 * PIECE) {
            check(len);
        }
    }
}
