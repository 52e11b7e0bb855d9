//! The lines themselves: one JSON object each.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::board::Picture;
use crate::panel::{Button, Digits, HeldButton, Input};

/// The longest line that is read, in bytes.
pub(super) const MAX_INPUT: usize = 1024;

/// A line to send, with its line feed. Cheap to clone: all clients share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(Arc<[u8]>);

#[derive(Serialize)]
struct Shown<'a> {
    screen: &'a str,
    frame: String,
    lines: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<&'static str>,
}

#[derive(Serialize)]
struct Refused {
    error: &'static str,
}

impl Line {
    pub(super) fn of_picture(picture: &Picture<'_>, is_wired: bool) -> Self {
        let frame = BASE64_STANDARD.encode(picture.visible().bytes());
        Self::of(&Shown {
            screen: picture.text.name,
            frame,
            lines: &picture.text.lines,
            signal: is_wired.then(|| picture.beacon.name()),
        })
    }

    pub(super) fn of_refusal(refusal: Refusal) -> Self {
        Self::of(&Refused {
            error: refusal.message(),
        })
    }

    fn of(object: &impl Serialize) -> Self {
        // Strings and lists of strings always serialize; an empty line would say nothing wrong.
        let mut line = serde_json::to_vec(object).unwrap_or_default();
        line.push(b'\n');
        Self(line.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why a line was not taken. Its text repeats nothing of the line, which may hold a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub enum Refusal {
    /// Not one of the objects that can come in.
    Malformed,
    /// Longer than a line may be.
    TooLong,
    /// The hub is not keeping up with what is pressed.
    Busy,
}

impl Refusal {
    const fn message(self) -> &'static str {
        match self {
            Self::Malformed => "expected {\"press\":…}, {\"hold\":…} or {\"type\":\"<1 to 64 digits>\"}",
            Self::TooLong => "line too long",
            Self::Busy => "too many inputs at once",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Command {
    Press(Pressed),
    Hold(Held),
    Type(Typed),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Pressed {
    Up,
    Down,
    Left,
    Right,
    Ok,
    Back,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Held {
    Ok,
    Back,
}

struct Typed(Digits);

impl<'de> Deserialize<'de> for Typed {
    /// Goes from the line straight into the type that wipes itself.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Typed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("1 to 64 digits")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Typed, E> {
                Digits::new(text)
                    .map(Typed)
                    .ok_or_else(|| E::custom("not 1 to 64 digits"))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

/// Reads one line, without its line feed.
///
/// # Errors
/// [`Refusal::Malformed`] or [`Refusal::TooLong`].
pub fn parse(line: &[u8]) -> Result<Input, Refusal> {
    if line.len() > MAX_INPUT {
        return Err(Refusal::TooLong);
    }
    Ok(match serde_json::from_slice(line).map_err(|_| Refusal::Malformed)? {
        Command::Press(button) => Input::Press(match button {
            Pressed::Up => Button::Up,
            Pressed::Down => Button::Down,
            Pressed::Left => Button::Left,
            Pressed::Right => Button::Right,
            Pressed::Ok => Button::Ok,
            Pressed::Back => Button::Back,
        }),
        Command::Hold(Held::Ok) => Input::Hold(HeldButton::Ok),
        Command::Hold(Held::Back) => Input::Hold(HeldButton::Back),
        Command::Type(Typed(digits)) => Input::Type(digits),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_the_interface_names() {
        for button in ["up", "down", "left", "right", "ok", "back"] {
            let input = parse(format!(r#"{{"press":"{button}"}}"#).as_bytes()).unwrap();
            assert_eq!(format!("{input:?}").to_lowercase(), format!("press({button})"));
        }
        assert!(matches!(parse(br#"{"hold":"ok"}"#), Ok(Input::Hold(HeldButton::Ok))));
        assert!(matches!(
            parse(br#" {"hold": "back"} "#),
            Ok(Input::Hold(HeldButton::Back))
        ));
        assert!(matches!(parse(br#"{"type":"0123"}"#), Ok(Input::Type(digits)) if digits.expose() == b"0123"));
    }

    #[test]
    fn refuses_everything_else() {
        let long = format!(r#"{{"type":"{}"}}"#, "1".repeat(65));
        for bad in [
            "{}",
            "[]",
            "null",
            "1",
            "\"press\"",
            r#"{"press":"OK"}"#,
            r#"{"press":"start"}"#,
            r#"{"press":null}"#,
            r#"{"hold":"up"}"#,
            r#"{"type":""}"#,
            r#"{"type":"12a"}"#,
            r#"{"type":12345678}"#,
            r#"{"press":"ok"} x"#,
            r#"{"press":"ok","hold":"ok"}"#,
            r#"{"screen":"home"}"#,
            "{\"press\":\"ok\"",
            "\u{0}",
            long.as_str(),
        ] {
            assert_eq!(parse(bad.as_bytes()).err(), Some(Refusal::Malformed), "{bad}");
        }
        assert_eq!(parse(&[b' '; MAX_INPUT + 1]).err(), Some(Refusal::TooLong));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn digits_are_taken_as_they_are(digits in "[0-9]{1,64}") {
            let input = parse(format!(r#"{{"type":"{digits}"}}"#).as_bytes());
            prop_assert!(matches!(input, Ok(Input::Type(typed)) if typed.expose() == digits.as_bytes()));
        }
    }
}
