//! Text as JSON brings it, where half a surrogate pair counts as U+FFFD.
//!
//! Phones cut emoji in two (a field that takes so many UTF-16 units, a keyboard that fails half-way), and JSON can write
//! that down: `"\ud83d"`. No Rust text can hold it, and no row, name or request is refused for it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// A text of JSON, borrowed where it has no escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lossy<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Lossy<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Lossy<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Lossy(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Lossy(Cow::Borrowed(text)))
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let text = mended(bytes).ok_or_else(|| E::custom("not UTF-8"))?;
                Ok(Lossy(Cow::Owned(text)))
            }

            fn visit_borrowed_bytes<E: serde::de::Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                let text = std::str::from_utf8(bytes).map_err(|_| E::custom("not UTF-8"))?;
                Ok(Lossy(Cow::Borrowed(text)))
            }
        }
        // As bytes, serde_json gives halves of pairs as WTF-8 instead of failing.
        deserializer.deserialize_bytes(Text)
    }
}

/// Text from WTF-8: UTF-8 in which a half of a pair may stand as three bytes, as many as U+FFFD has.
fn mended(bytes: &[u8]) -> Option<String> {
    let mut bytes = bytes.to_vec();
    for start in 0..bytes.len() {
        if let Some(half @ [0xed, 0xa0..=0xbf, _]) = bytes.get_mut(start..start + 3) {
            half.copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    String::from_utf8(bytes).ok()
}

/// JSON whose texts hold no half of a pair: each `\ud83d` that stands alone becomes `\ufffd`. Anything else is kept to
/// the byte.
#[must_use]
pub fn mend_json(json: &str) -> Cow<'_, str> {
    let mut mended: Option<Vec<u8>> = None;
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes
        .get(at..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\\'))
    {
        at += found;
        at += match (unit(bytes, at), unit(bytes, at + ESCAPE)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 2 * ESCAPE,
            (Some(0xd800..=0xdfff), _) => {
                mended.get_or_insert_with(|| bytes.to_vec())[at + 2..at + ESCAPE].copy_from_slice(b"fffd");
                ESCAPE
            }
            (Some(_), _) => ESCAPE,
            (None, _) => 2,
        };
    }
    // Only ASCII was put in the place of ASCII.
    match mended.map(String::from_utf8) {
        Some(Ok(mended)) => Cow::Owned(mended),
        _ => Cow::Borrowed(json),
    }
}

/// Bytes of `\uXXXX`.
const ESCAPE: usize = 6;

/// The UTF-16 unit that is escaped at this place.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok()?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    fn lossy(json: &str) -> Option<String> {
        let read: Option<Lossy<'_>> = serde_json::from_str(json).ok();
        read.map(|text| text.0.into_owned())
    }

    #[test]
    fn half_a_pair_is_one_replacement_wherever_it_stands() {
        for (json, text) in [
            (r#""Camp B \ud83d""#, "Camp B \u{fffd}"),
            (r#""\ude00 B""#, "\u{fffd} B"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ud83d\ude00""#, "\u{1f600}"),
            ("\"\u{d7ff}\u{e000}\\u00e9\"", "\u{d7ff}\u{e000}é"),
            (r#""""#, ""),
        ] {
            assert_eq!(lossy(json).as_deref(), Some(text), "{json}");
        }
        for json in ["5", "null", "[1,2]", "{}", "true", r#""\ud83""#] {
            assert_eq!(lossy(json), None, "{json}");
        }
        let keys: BTreeMap<Lossy<'_>, u8> = serde_json::from_str(r#"{"a\ud83d":1,"b":2}"#).unwrap();
        assert_eq!(keys.keys().map(|key| &*key.0).collect::<Vec<_>>(), ["a\u{fffd}", "b"]);
        assert_eq!(serde_json::from_slice::<Lossy<'_>>(b"\"\xff\"").ok(), None);
    }

    #[test]
    fn json_keeps_every_byte_but_the_halves() {
        for (json, mended) in [
            (r#"{"a":"x \ud83d"}"#, r#"{"a":"x \ufffd"}"#),
            (r#"{"\udE00":["\ud83d\uDE00"]}"#, r#"{"\ufffd":["\ud83d\uDE00"]}"#),
            (r#"["\\ud83d"]"#, r#"["\\ud83d"]"#),
            (r#"["\\\ud83d\\"]"#, r#"["\\\ufffd\\"]"#),
            (r#"[ "é", 1.50 ]"#, r#"[ "é", 1.50 ]"#),
        ] {
            assert_eq!(mend_json(json), mended, "{json}");
        }
    }

    proptest! {
        #[test]
        fn whatever_parses_as_raw_json_can_be_read_once_mended(json in "[\\[\\]{}\",:0-9u\\\\dDcCeE8+. falsn-]{0,24}") {
            let mended = mend_json(&json).into_owned();
            if RawValue::from_string(json).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&mended).is_ok(), "{}", mended);
            }
        }

        #[test]
        fn any_units_become_text(units in proptest::collection::vec(any::<u16>(), 0..12)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(lossy(&format!("\"{escaped}\"")), Some(String::from_utf16_lossy(&units)));
            let json = mend_json(&format!("\"{escaped}\"")).into_owned();
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), String::from_utf16_lossy(&units));
        }
    }
}
