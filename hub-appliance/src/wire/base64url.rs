//! base64url without padding (RFC 4648, section 5), strictly: no padding, no other alphabet, no stray bits in the
//! last character, so that one sequence of bytes has one spelling.

use std::ops::Range;

use base64::engine::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

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

/// Decodes the text that stands at `text` in `buffer` to the buffer's front, and says how long it became; `None` where it
/// is not base64url without padding.
pub(super) fn decode_to_front(buffer: &mut [u8], text: Range<usize>) -> Option<usize> {
    /// Characters a step: whole groups of four, so that what is decoded never overtakes what is still to be read.
    const STEP: usize = 4096;
    let mut decoded = Zeroizing::new([0; STEP / 4 * 3]);
    let mut length = 0;
    for from in text.clone().step_by(STEP) {
        let to = (from + STEP).min(text.end);
        let written = URL_SAFE_NO_PAD
            .decode_slice(buffer.get(from..to)?, &mut *decoded)
            .ok()?;
        buffer
            .get_mut(length..length + written)?
            .copy_from_slice(decoded.get(..written)?);
        length += written;
    }
    Some(length)
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

        #[test]
        fn decodes_in_place_what_it_decodes_elsewhere(
            front in 0_usize..40,
            text in prop_oneof!["[A-Za-z0-9_-]{0,40}", "[A-Za-z0-9_-]{4090,4110}", "[ -~]{0,12}", "[A-Za-z0-9_=-]{8180,8200}"],
        ) {
            let mut buffer = [&b"x".repeat(front)[..], text.as_bytes(), b"behind"].concat();
            let decoded = decode_to_front(&mut buffer, front..front + text.len());
            prop_assert_eq!(decoded.map(|length| buffer[..length].to_vec()), decode(&text));
        }
    }
}
