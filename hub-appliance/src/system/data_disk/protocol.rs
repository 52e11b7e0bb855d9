//! What the hub and the data disk's service say to each other: a line each way, in turn.
//!
//! ```text
//! → state | offers | roomier | rivals | choose <token of a rival> | close | open <passphrase> | repair <passphrase> | format <passphrase> [<token of an offer>]
//!   | add-key <present passphrase> <another> | keep-key <passphrase>
//!   | movable | copy <passphrase> <token of an offer> | open-copy <passphrase> | finish-move | forget-import
//!   | forget-key | left-behind
//! → break-off                          while an answer to `add-key` or `keep-key` is waited for; has none of its own
//! ← {"state":"closed"} | "done" | {"failed":"passphrase"} | {"failed":{"state":"several"}} | {"offers":[…]} | …
//! ```
//!
//! Before the answers to `format`, `copy` and `repair` there are lines that say how far it has come: `{"progress":450}`.

use std::io::{self, BufRead, Read};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{DataDiskError, DiskState, Move, Offer, Rival};
use crate::secret::SecretText;

/// The longest line, either way: an answer with all offers.
const MAX_LINE: usize = 2048;

/// What the hub asks for.
#[derive(Debug)]
pub(super) enum Request {
    State,
    Offers,
    Roomier,
    Rivals,
    Choose(u64),
    Close,
    Format(SecretText, Option<u64>),
    Open(SecretText),
    Repair(SecretText),
    AddKey(SecretText, SecretText),
    KeepKey(SecretText),
    Movable,
    LeftBehind,
    Copy(SecretText, u64),
    OpenCopy(SecretText),
    FinishMove,
    ForgetImport,
    ForgetKey,
    BreakOff,
}

/// What it gets.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    State(DiskState),
    Offers(Vec<Offer>),
    Rivals(Vec<Rival>),
    Movable(Option<Move>),
    LeftBehind(Option<u64>),
    /// What was asked for is done.
    Done,
    /// Of 1,000; the answer is still to come.
    Progress(u16),
    Failed(DataDiskError),
}

impl Request {
    /// The line for it, with its line feed. Wiped when dropped.
    pub(super) fn to_line(&self) -> Zeroizing<String> {
        let mut another = None;
        let (verb, passphrase, token) = match self {
            Self::State => ("state", None, None),
            Self::Offers => ("offers", None, None),
            Self::Roomier => ("roomier", None, None),
            Self::Rivals => ("rivals", None, None),
            Self::Choose(token) => ("choose", None, Some(*token)),
            Self::Close => ("close", None, None),
            Self::Format(passphrase, token) => ("format", Some(passphrase), *token),
            Self::Open(passphrase) => ("open", Some(passphrase), None),
            Self::Repair(passphrase) => ("repair", Some(passphrase), None),
            Self::AddKey(present, new) => {
                another = Some(new);
                ("add-key", Some(present), None)
            }
            Self::KeepKey(passphrase) => ("keep-key", Some(passphrase), None),
            Self::Movable => ("movable", None, None),
            Self::LeftBehind => ("left-behind", None, None),
            Self::Copy(passphrase, token) => ("copy", Some(passphrase), Some(*token)),
            Self::OpenCopy(passphrase) => ("open-copy", Some(passphrase), None),
            Self::FinishMove => ("finish-move", None, None),
            Self::ForgetImport => ("forget-import", None, None),
            Self::ForgetKey => ("forget-key", None, None),
            Self::BreakOff => ("break-off", None, None),
        };
        // Never grows: a buffer that does leaves copies of itself behind.
        let mut line = Zeroizing::new(String::with_capacity(MAX_LINE));
        line.push_str(verb);
        for passphrase in passphrase.into_iter().chain(another) {
            line.push(' ');
            line.push_str(passphrase.expose());
        }
        if let Some(token) = token {
            line.push_str(&format!(" {token}"));
        }
        line.push('\n');
        line
    }

    /// Reads a line without its line feed.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let request = match (words.next()?, words.next()) {
            ("state", None) => Self::State,
            ("offers", None) => Self::Offers,
            ("close", None) => Self::Close,
            ("roomier", None) => Self::Roomier,
            ("rivals", None) => Self::Rivals,
            ("choose", Some(token)) => Self::Choose(token.parse().ok()?),
            ("movable", None) => Self::Movable,
            ("left-behind", None) => Self::LeftBehind,
            ("finish-move", None) => Self::FinishMove,
            ("forget-import", None) => Self::ForgetImport,
            ("forget-key", None) => Self::ForgetKey,
            ("break-off", None) => Self::BreakOff,
            ("copy", Some(passphrase)) => Self::Copy(read_passphrase(passphrase)?, words.next()?.parse().ok()?),
            ("open-copy", Some(passphrase)) => Self::OpenCopy(read_passphrase(passphrase)?),
            ("open", Some(passphrase)) => Self::Open(read_passphrase(passphrase)?),
            ("repair", Some(passphrase)) => Self::Repair(read_passphrase(passphrase)?),
            ("add-key", Some(present)) => Self::AddKey(read_passphrase(present)?, read_passphrase(words.next()?)?),
            ("keep-key", Some(passphrase)) => Self::KeepKey(read_passphrase(passphrase)?),
            ("format", Some(passphrase)) => {
                let token = words.next().map(|token| token.parse().ok());
                Self::Format(
                    read_passphrase(passphrase)?,
                    token.map_or(Some(None), |token| token.map(Some))?,
                )
            }
            _ => return None,
        };
        words.next().is_none().then_some(request)
    }
}

/// 64 lower-case hexadecimal digits, as the master key gives them.
fn read_passphrase(text: &str) -> Option<SecretText> {
    let is_one = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_one.then(|| SecretText::new(text.to_owned()))
}

/// The next line without its line feed, `None` at the end. One that is too long or not text is an error.
pub(in crate::system) fn read_line(from: &mut impl BufRead) -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(String::with_capacity(MAX_LINE));
    from.take(MAX_LINE as u64).read_line(&mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some('\n') {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSPHRASE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn requests_read_back() {
        let secret = || SecretText::new(PASSPHRASE.to_owned());
        for request in [
            Request::State,
            Request::Close,
            Request::Offers,
            Request::Roomier,
            Request::Rivals,
            Request::Choose(u64::MAX),
            Request::Format(secret(), None),
            Request::Format(secret(), Some(u64::MAX)),
            Request::Open(secret()),
            Request::Repair(secret()),
            Request::AddKey(secret(), secret()),
            Request::KeepKey(secret()),
            Request::Movable,
            Request::Copy(secret(), 7),
            Request::OpenCopy(secret()),
            Request::FinishMove,
            Request::ForgetImport,
            Request::ForgetKey,
            Request::BreakOff,
        ] {
            let line = request.to_line();
            let again = Request::parse(line.strip_suffix('\n').unwrap()).unwrap();
            assert_eq!(again.to_line(), line);
            assert!(!format!("{again:?}").contains("0011"));
        }
    }

    #[test]
    fn answers_read_back() {
        for answer in [
            Answer::State(DiskState::Blank),
            Answer::Done,
            Answer::Movable(None),
            Answer::Movable(Some(Move {
                bytes: u64::MAX,
                to: Offer {
                    place: super::super::Place::New,
                    name: String::new(),
                    bytes: u64::MAX,
                    token: u64::MAX,
                },
                goes_on: true,
            })),
            Answer::Progress(450),
            Answer::Offers(vec![
                Offer {
                    place: super::super::Place::Disk,
                    name: "\u{1}".repeat(32),
                    bytes: u64::MAX,
                    token: u64::MAX,
                };
                4
            ]),
            Answer::Rivals(vec![
                Rival {
                    is_card: false,
                    bytes: u64::MAX,
                    hub: Some("\u{1f5a5}".repeat(32)),
                    phones: Some(u32::MAX),
                    used_at: Some(i64::MAX),
                    token: u64::MAX,
                };
                4
            ]),
            Answer::Failed(DataDiskError::State(DiskState::Several)),
            Answer::Failed(DataDiskError::Passphrase),
            Answer::Failed(DataDiskError::Fake),
            Answer::Failed(DataDiskError::Tool(super::super::Tool::E2fsck)),
            Answer::Failed(DataDiskError::System(5)),
        ] {
            let json = serde_json::to_string(&answer).unwrap();
            assert!(json.len() < MAX_LINE);
            assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
        }
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "open",
            "open ",
            "state now",
            "forget-import /etc/passwd",
            "rivals 1",
            "choose",
            "choose /dev/sda",
            "choose 1 2",
            "open 00",
            "repair",
            "wipe",
            &format!("shut {PASSPHRASE}"),
            &format!("open {PASSPHRASE} 1"),
            &format!("copy {PASSPHRASE}"),
            &format!("add-key {PASSPHRASE}"),
            &format!("add-key {PASSPHRASE} {PASSPHRASE} {PASSPHRASE}"),
            &format!("keep-key {PASSPHRASE} {PASSPHRASE}"),
            "keep-key 1",
            &format!("format {PASSPHRASE} "),
            &format!("format {PASSPHRASE} -1"),
            &format!("format {PASSPHRASE} 1 2"),
        ] {
            assert!(Request::parse(line).is_none(), "{line}");
        }
        let upper = format!("open {}", PASSPHRASE.to_uppercase());
        assert!(Request::parse(&upper).is_none());
    }

    #[test]
    fn lines_end_in_time() {
        let long = [b'x'; 2 * MAX_LINE];
        assert!(read_line(&mut &long[..]).is_err());
        assert!(read_line(&mut &b"state"[..]).is_err());
        assert_eq!(read_line(&mut &b""[..]).unwrap(), None);
        assert_eq!(
            read_line(&mut &b"state\nclose\n"[..]).unwrap().unwrap().as_str(),
            "state"
        );
    }

    proptest! {
        #[test]
        fn no_line_panics(line: String) {
            let _ = Request::parse(&line);
        }
    }
}
