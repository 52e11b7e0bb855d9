//! What is done with the board's key.
//!
//! Where the firmware computes with it, the firmware does; otherwise the rows are read, and wiped once they were used. The
//! same bytes come out of both ways, so that a newer firmware shuts nobody out.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::firmware::{self, Refusal};
use super::mailbox::Mailbox;
use super::property::PropertyError;
use super::{BoardKeyError, BoardKeyState, MAX_MESSAGE, Through};
use crate::secret::Secret;

/// What the service is asked for only to see whether it answers.
const PROBE: &[u8] = b"hub board key probe";

/// What the rows hold.
enum Rows {
    /// A key that the service takes too: a scalar of P-256, and none of its rows is zero, as it would be where the power went
    /// while it was written.
    Key(Secret<32>),
    Zero,
    Other,
    /// They are locked, or the firmware does not show them.
    Hidden,
}

impl From<PropertyError> for BoardKeyError {
    fn from(error: PropertyError) -> Self {
        tracing::warn!(%error, "the board's key");
        Self::Firmware
    }
}

fn rows(mailbox: &mut dyn Mailbox) -> Result<Rows, PropertyError> {
    let rows = match firmware::read_rows(mailbox) {
        Ok(rows) => rows,
        Err(PropertyError::Refused) => return Ok(Rows::Hidden),
        Err(error) => return Err(error),
    };
    Ok(if rows == Secret::new([0; 32]) {
        Rows::Zero
    } else if is_key(&rows) {
        Rows::Key(rows)
    } else {
        Rows::Other
    })
}

fn is_key(rows: &Secret<32>) -> bool {
    rows.expose().chunks_exact(4).all(|row| row != [0; 4]) && p256::SecretKey::from_slice(rows.expose()).is_ok()
}

/// What the firmware's service makes of `message`; `None` where it has none.
fn by_service(mailbox: &mut dyn Mailbox, message: &[u8]) -> Result<Option<Result<Secret<32>, Refusal>>, PropertyError> {
    if !firmware::has_service(mailbox)? {
        return Ok(None);
    }
    let made = firmware::hmac(mailbox, message)?;
    Ok((made != Err(Refusal::NotSupported)).then_some(made))
}

/// How it is with the key.
///
/// # Errors
/// [`BoardKeyError::Firmware`].
pub(super) fn state(mailbox: &mut dyn Mailbox) -> Result<BoardKeyState, BoardKeyError> {
    let made = by_service(mailbox, PROBE)?;
    let rows = rows(mailbox)?;
    Ok(match (made, rows) {
        // Before what the service says: it would compute with a part of a key too.
        (_, Rows::Other) => BoardKeyState::Unusable,
        (Some(Ok(_)), _) => BoardKeyState::Ready(Through::Firmware),
        // What is locked may only look blank.
        (Some(Err(Refusal::NoKey)), Rows::Zero) if !firmware::is_locked(mailbox)? => BoardKeyState::Blank,
        (Some(Err(Refusal::Failed(code))), _) => {
            tracing::warn!(code, "the firmware can't tell about the board's key");
            return Err(BoardKeyError::Firmware);
        }
        (Some(Err(_)), _) => BoardKeyState::Unusable,
        (None, Rows::Key(_)) => BoardKeyState::Ready(Through::Rows),
        (None, Rows::Zero) => BoardKeyState::Blank,
        (None, Rows::Hidden) => BoardKeyState::Unavailable,
    })
}

/// HMAC-SHA256 of `message` under the key.
///
/// # Errors
/// [`BoardKeyError::Length`], [`BoardKeyError::NoKey`], [`BoardKeyError::Firmware`].
pub(super) fn hmac(mailbox: &mut dyn Mailbox, message: &[u8]) -> Result<Secret<32>, BoardKeyError> {
    if message.is_empty() || message.len() > MAX_MESSAGE {
        return Err(BoardKeyError::Length);
    }
    match by_service(mailbox, message)? {
        Some(Ok(made)) => Ok(made),
        Some(Err(Refusal::Failed(code))) => {
            tracing::warn!(code, "the firmware can't compute with the board's key");
            Err(BoardKeyError::Firmware)
        }
        Some(Err(_)) => Err(BoardKeyError::NoKey),
        None => match rows(mailbox)? {
            Rows::Key(key) => Ok(hmac_under(&key, message)),
            Rows::Zero | Rows::Other | Rows::Hidden => Err(BoardKeyError::NoKey),
        },
    }
}

fn hmac_under(key: &Secret<32>, message: &[u8]) -> Secret<32> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
    mac.update(message);
    Secret::new(mac.finalize().into_bytes().into())
}

/// Gives the board a key, where it has none.
///
/// # Errors
/// [`BoardKeyError::NotBlank`], with nothing done; [`BoardKeyError::NotProgrammed`], [`BoardKeyError::Firmware`].
pub(super) fn program(mailbox: &mut dyn Mailbox) -> Result<(), BoardKeyError> {
    if state(mailbox)? != BoardKeyState::Blank {
        return Err(BoardKeyError::NotBlank);
    }
    let key = new_key()?;
    firmware::write_rows(mailbox, &key)?;
    match rows(mailbox)? {
        Rows::Key(read) if read == key => {}
        _ => return Err(BoardKeyError::NotProgrammed),
    }
    // What opens a slot has to come out of the firmware's service and of ours alike.
    match by_service(mailbox, PROBE)? {
        Some(made) if made != Ok(hmac_under(&key, PROBE)) => Err(BoardKeyError::NotProgrammed),
        _ => Ok(()),
    }
}

fn new_key() -> Result<Secret<32>, BoardKeyError> {
    loop {
        let key = Secret::random().map_err(|error| {
            tracing::error!(%error, "no random bytes for the board's key");
            BoardKeyError::Firmware
        })?;
        // One in some hundred millions is refused.
        if is_key(&key) {
            return Ok(key);
        }
    }
}
