//! JSON files that tell when they are damaged: a version, a checksum and a body.
//!
//! ```text
//! {"version":1,"sha256":"<base64url, no padding>","body":{…}}
//! sha256 = SHA-256( version in decimal ‖ line feed ‖ text of the body as it stands in the file )
//! ```
//!
//! This frame is the same in every version, so firmware can tell a newer file from a damaged one. The checksum finds bit
//! rot and torn writes; it has no key, and guards against nobody.

use std::io;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

#[derive(Serialize, Deserialize)]
struct Frame<'a> {
    version: u32,
    sha256: String,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The bytes of a file with this `version` and `body`.
pub(super) fn encode(version: u32, body: &impl Serialize) -> io::Result<Vec<u8>> {
    let body = to_raw_value(body)?;
    let frame = Frame {
        version,
        sha256: checksum(version, &body),
        body: &body,
    };
    Ok(serde_json::to_vec(&frame)?)
}

/// Version and body of a file, `None` if it is damaged.
pub(super) fn decode(bytes: &[u8]) -> Option<(u32, &RawValue)> {
    let frame: Frame<'_> = serde_json::from_slice(bytes).ok()?;
    (frame.sha256 == checksum(frame.version, frame.body)).then_some((frame.version, frame.body))
}

fn checksum(version: u32, body: &RawValue) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{version}\n"));
    hash.update(body.get());
    BASE64_URL_SAFE_NO_PAD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_and_every_cut_of_the_content_is_found() {
        let good = encode(1, &serde_json::json!({"failures": 3, "text": "é"})).unwrap();
        let (version, body) = decode(&good).unwrap();
        let body = body.get();
        assert_eq!((version, body), (1, r#"{"failures":3,"text":"é"}"#));
        for at in 0..good.len() {
            assert!(decode(&good[..at]).is_none());
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(decode(&bad).is_none(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_newer_version_can_be_told() {
        let newer = encode(7, &serde_json::json!(["quite", "different"])).unwrap();
        assert_eq!(decode(&newer).unwrap().0, 7);
    }
}
