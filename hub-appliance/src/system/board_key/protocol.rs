//! What the hub and the service of the board's key say to each other: one question and one answer a connection, in bytes, so
//! that no secret passes through text.
//!
//! ```text
//! → 1 | 2 ‖ length ‖ message | 3                state; HMAC; program
//! ← 16 … 20 | 32 ‖ 32 bytes | 48 | 64 …         state; HMAC; programmed; an error
//! ```

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use super::{BoardKeyError, BoardKeyState, MAX_MESSAGE, Through};
use crate::secret::Secret;

/// What the hub asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    State,
    Hmac(Message),
    Program,
}

/// A message that there is an HMAC for. It may tell of a PIN, and is not printed.
#[derive(PartialEq, Eq)]
pub(super) struct Message(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Message {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, BoardKeyError> {
        if bytes.is_empty() || bytes.len() > MAX_MESSAGE {
            return Err(BoardKeyError::Length);
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What it gets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    State(BoardKeyState),
    Hmac(Secret<32>),
    Programmed,
    Failed(BoardKeyError),
}

const STATE: u8 = 1;
const HMAC: u8 = 2;
const PROGRAM: u8 = 3;
const MADE: u8 = 32;
const PROGRAMMED: u8 = 48;

const STATES: [(u8, BoardKeyState); 5] = [
    (16, BoardKeyState::Unavailable),
    (17, BoardKeyState::Blank),
    (18, BoardKeyState::Unusable),
    (19, BoardKeyState::Ready(Through::Firmware)),
    (20, BoardKeyState::Ready(Through::Rows)),
];

const ERRORS: [(u8, BoardKeyError); 6] = [
    (64, BoardKeyError::NoKey),
    (65, BoardKeyError::NotBlank),
    (66, BoardKeyError::NotProgrammed),
    (67, BoardKeyError::Firmware),
    (68, BoardKeyError::Length),
    (69, BoardKeyError::Service),
];

fn byte(from: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    from.read_exact(&mut byte)?;
    Ok(byte[0])
}

impl Request {
    pub(super) fn receive(from: &mut impl Read) -> io::Result<Self> {
        match byte(from)? {
            STATE => Ok(Self::State),
            PROGRAM => Ok(Self::Program),
            HMAC => {
                let length = usize::from(byte(from)?);
                if !(1..=MAX_MESSAGE).contains(&length) {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                let mut message = Zeroizing::new(vec![0; length]);
                from.read_exact(&mut message)?;
                Ok(Self::Hmac(Message(message)))
            }
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    pub(super) fn send(&self, mut to: impl Write) -> io::Result<()> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + MAX_MESSAGE));
        match self {
            Self::State => bytes.push(STATE),
            Self::Program => bytes.push(PROGRAM),
            Self::Hmac(message) => {
                bytes.push(HMAC);
                // A message has at most 64 bytes.
                bytes.push(u8::try_from(message.bytes().len()).map_err(|_| io::ErrorKind::InvalidInput)?);
                bytes.extend(message.bytes());
            }
        }
        to.write_all(&bytes)
    }
}

impl Answer {
    pub(super) fn receive(from: &mut impl Read) -> io::Result<Self> {
        let code = byte(from)?;
        if code == MADE {
            let mut made = Secret::new([0; 32]);
            from.read_exact(made.expose_mut())?;
            return Ok(Self::Hmac(made));
        }
        let state = STATES.into_iter().find(|(known, _)| *known == code);
        let error = ERRORS.into_iter().find(|(known, _)| *known == code);
        match (state, error) {
            (Some((_, state)), _) => Ok(Self::State(state)),
            (_, Some((_, error))) => Ok(Self::Failed(error)),
            _ if code == PROGRAMMED => Ok(Self::Programmed),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    pub(super) fn send(&self, mut to: impl Write) -> io::Result<()> {
        let code = match self {
            Self::Hmac(made) => {
                to.write_all(&[MADE])?;
                return to.write_all(made.expose());
            }
            Self::Programmed => Some(PROGRAMMED),
            Self::State(state) => STATES
                .into_iter()
                .find(|(_, known)| known == state)
                .map(|(code, _)| code),
            Self::Failed(error) => ERRORS
                .into_iter()
                .find(|(_, known)| known == error)
                .map(|(code, _)| code),
        };
        to.write_all(&[code.ok_or(io::ErrorKind::InvalidInput)?])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_that_can_be_said_is_understood() {
        let states = STATES.map(|(_, state)| Answer::State(state));
        let errors = ERRORS.map(|(_, error)| Answer::Failed(error));
        let others = [Answer::Hmac(Secret::new([7; 32])), Answer::Programmed];
        for answer in states.into_iter().chain(errors).chain(others) {
            let mut bytes = Vec::new();
            answer.send(&mut bytes).unwrap();
            assert_eq!(Answer::receive(&mut bytes.as_slice()).unwrap(), answer);
        }
        let longest = Message::new(&[9; MAX_MESSAGE]).unwrap();
        for request in [Request::State, Request::Program, Request::Hmac(longest)] {
            let mut bytes = Vec::new();
            request.send(&mut bytes).unwrap();
            assert_eq!(Request::receive(&mut bytes.as_slice()).unwrap(), request);
        }
    }

    #[test]
    fn a_message_has_its_bounds_and_is_not_printed() {
        assert_eq!(Message::new(&[]).unwrap_err(), BoardKeyError::Length);
        assert_eq!(Message::new(&[1; MAX_MESSAGE + 1]).unwrap_err(), BoardKeyError::Length);
        for bytes in [&[HMAC, 0][..], &[HMAC, 65], &[HMAC, 2, 1], &[0], &[4], &[]] {
            assert!(Request::receive(&mut &*bytes).is_err(), "{bytes:?}");
        }
        let message = Request::Hmac(Message::new(b"1234").unwrap());
        assert_eq!(format!("{message:?}"), "Hmac([secret])");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Request::receive(&mut bytes.as_slice());
            let _ = Answer::receive(&mut bytes.as_slice());
        }
    }
}
