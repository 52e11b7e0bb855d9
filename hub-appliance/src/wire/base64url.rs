//! base64url without padding (RFC 4648, section 5), strictly: no padding, no other alphabet, no stray bits in the
//! last character, so that one sequence of bytes has one spelling.

use base64::engine::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `bytes` in base64url.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends `bytes` in base64url to `out`.
pub(super) fn encode_into(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is enough for a padded encoding, so that the only error, too little room, cannot come up.
    let written = URL_SAFE_NO_PAD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

/// How many characters `len` bytes become: ⌈4·len / 3⌉.
pub(super) fn encoded_len(len: usize) -> u64 {
    (len as u64 * 4).div_ceil(3)
}

/// The bytes that `text` stands for, or `None` where it is not base64url without padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_what_has_another_spelling() {
        assert_eq!(decode("_-8"), Some(vec![0xff, 0xef]));
        for text in ["_-8=", "/+8", "_-9", "_", "_-8\n", " _-8", "_\u{2d}\u{301}8"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len() as u64, encoded_len(bytes.len()));
            prop_assert_eq!(decode(&text), Some(bytes));
        }
    }
}
