//! What the firmware can be asked about the board's key.
//!
//! | tag | question | answer |
//! |---|---|---|
//! | `0x00030081` | first row, count | the same, rows |
//! | `0x00038081` | first row, count, rows | – |
//! | `0x0003008f` | – | how many keys its crypto service has |
//! | `0x00030090` | key | its status; bit 31: there is none |
//! | `0x00030092` | flags, key, length, message | status (bit 31: failed), length, HMAC-SHA256 |
//! | `0x0003008e` | – | why the last of these failed |
//!
//! The rows of the device key are counted from its first; they are the key in big-endian words, as Raspberry Pi's own tool
//! writes and shows them.

use super::mailbox::Mailbox;
use super::property::{PropertyError, ask, words};
use crate::secret::Secret;

const READ_ROWS: u32 = 0x0003_0081;
const WRITE_ROWS: u32 = 0x0003_8081;
const LAST_ERROR: u32 = 0x0003_008e;
const COUNT_KEYS: u32 = 0x0003_008f;
const KEY_STATUS: u32 = 0x0003_0090;
const HMAC: u32 = 0x0003_0092;

const ROWS: usize = 8;
const FIRST_ROW: u32 = 0;
/// The crypto service's name for the device key.
const DEVICE_KEY: u32 = 1;
const FAILED: u32 = 1 << 31;
const LOCKED: u32 = 1 << 8;
/// Room for the longest message, which the firmware may insist on however short the message is.
const HMAC_ROOM: usize = 12 + 2048;
const HMAC_LEN: usize = 32;

/// Why the crypto service did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There is no key: none of this name, or all bits are zero.
    NoKey,
    /// What is there can't be used: it is locked, or no scalar of the curve.
    Unusable,
    /// It has no such service.
    NotSupported,
    /// It could not be read, or not be computed.
    Failed(u32),
}

impl Refusal {
    const fn from_code(code: u32) -> Self {
        match code {
            3 | 6 => Self::NoKey,
            4 | 7 => Self::Unusable,
            8 => Self::NotSupported,
            code => Self::Failed(code),
        }
    }
}

/// The rows of the device key: eight words, the key's first four bytes first.
pub(super) fn read_rows(mailbox: &mut dyn Mailbox) -> Result<Secret<32>, PropertyError> {
    let asked = [FIRST_ROW, ROWS as u32];
    let least = 8 + 4 * ROWS;
    let values = ask(mailbox, READ_ROWS, &asked.map(u32::to_le_bytes).concat(), least, least)?;
    if words(&values) != Some(asked) {
        return Err(PropertyError::Garbled);
    }
    let mut key = Secret::new([0; 4 * ROWS]);
    for (to, from) in key.expose_mut().chunks_exact_mut(4).zip(values[8..].chunks_exact(4)) {
        to.copy_from_slice(from);
        to.reverse();
    }
    Ok(key)
}

/// Writes the rows of the device key. Bits that are set stay set, for ever.
pub(super) fn write_rows(mailbox: &mut dyn Mailbox, key: &Secret<32>) -> Result<(), PropertyError> {
    let mut values = zeroize::Zeroizing::new(Vec::with_capacity(8 + 4 * ROWS));
    values.extend([FIRST_ROW, ROWS as u32].map(u32::to_le_bytes).concat());
    for row in key.expose().chunks_exact(4) {
        values.extend(row.iter().rev());
    }
    ask(mailbox, WRITE_ROWS, &values, 0, 0).map(drop)
}

/// Whether the firmware has a crypto service with a key.
pub(super) fn has_service(mailbox: &mut dyn Mailbox) -> Result<bool, PropertyError> {
    match ask(mailbox, COUNT_KEYS, &[], 4, 4) {
        Ok(values) => Ok(words(&values).is_some_and(|[count]| count >= DEVICE_KEY)),
        Err(PropertyError::Refused) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the service refuses to show the rows until the next start.
pub(super) fn is_locked(mailbox: &mut dyn Mailbox) -> Result<bool, PropertyError> {
    let values = ask(mailbox, KEY_STATUS, &DEVICE_KEY.to_le_bytes(), 4, 4)?;
    Ok(words(&values).is_some_and(|[status]| status & FAILED == 0 && status & LOCKED != 0))
}

/// HMAC-SHA256 of `message` under the device key, by the service.
pub(super) fn hmac(
    mailbox: &mut dyn Mailbox,
    message: &[u8],
) -> Result<Result<Secret<HMAC_LEN>, Refusal>, PropertyError> {
    let length = u32::try_from(message.len()).map_err(|_| PropertyError::Refused)?;
    let mut values = zeroize::Zeroizing::new(Vec::with_capacity(12 + message.len()));
    values.extend([0, DEVICE_KEY, length].map(u32::to_le_bytes).concat());
    values.extend(message);
    let answer = match ask(mailbox, HMAC, &values, 4, HMAC_ROOM) {
        Err(PropertyError::Refused) => return Ok(Err(Refusal::NotSupported)),
        answer => answer?,
    };
    match words(&answer) {
        Some([status]) if status & FAILED != 0 => Ok(Err(Refusal::from_code(last_error(mailbox)?))),
        _ => match words(&answer) {
            Some([_, length]) if length as usize == HMAC_LEN && answer.len() >= 8 + HMAC_LEN => {
                let mut result = Secret::new([0; HMAC_LEN]);
                result.expose_mut().copy_from_slice(&answer[8..8 + HMAC_LEN]);
                Ok(Ok(result))
            }
            _ => Err(PropertyError::Garbled),
        },
    }
}

fn last_error(mailbox: &mut dyn Mailbox) -> Result<u32, PropertyError> {
    let values = ask(mailbox, LAST_ERROR, &[], 4, 4)?;
    words(&values).map(|[code]| code).ok_or(PropertyError::Garbled)
}
