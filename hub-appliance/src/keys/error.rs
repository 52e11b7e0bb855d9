//! What goes wrong with keys. No message holds anything of a secret.

use std::io;
use std::time::Duration;

use super::kdf::KdfError;

/// Why the key slots could not be read, made or written.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There are no key slots: the hub was not set up, or this is not its disk.
    #[error("the hub is not set up")]
    NotSetUp,
    /// There are key slots already; they are never overwritten by a set-up.
    #[error("the hub is already set up")]
    AlreadySetUp,
    /// Both copies of the key slots are damaged.
    #[error("the key slots are damaged")]
    Damaged,
    /// The key slots were written by newer firmware.
    #[error(
        "the key slots have version {found}, this firmware knows {}",
        super::slots_file::VERSION
    )]
    NewerVersion {
        /// The version of the file.
        found: u32,
    },
    /// No slot can be opened in the way that was asked for.
    #[error("there is no key slot of this kind")]
    NoSlot,
    /// The PIN opens the hub only together with the key on a USB stick; nothing was checked and nothing counted.
    #[error("the stick with the key is not in")]
    NeedsStick,
    /// The PIN, or nobody, opens the hub only by the key of a board, which does not answer; nothing was counted if it was asked
    /// before.
    #[error("the board's own key does not answer")]
    NeedsBoard,
    /// The slot is for the key of another board; nothing was checked and nothing counted.
    #[error("the slot is for the key of another board")]
    OtherBoard,
    /// A PIN that is all that is asked for has more digits than this one.
    #[error("a PIN alone has at least {} digits", super::pin::Pin::MIN_DIGITS_ALONE)]
    PinTooShort,
    /// It is the only way to unlock beside the recovery code.
    #[error("this is the only way to unlock")]
    LastWay,
    /// A slot is of firmware that could not exchange the master key: the recovery code or the stick has to open it once, or
    /// be made anew.
    #[error("a key slot is of an older form")]
    OldSlots,
    /// The key slots on this disk hold another master key than the one in use: the disk was exchanged.
    #[error("the key slots belong to another master key")]
    OtherMaster,
    /// Somebody is about to change something with the master key, which stays as it is until then: see
    /// [`InHand`](super::InHand).
    #[error("somebody is using the master key")]
    InHand,
    /// What was named is no key of an organisation's, or none that anything can be sealed to.
    #[error("that is no key as age makes them")]
    NoOrganisation,
    /// Argon2id could not run.
    #[error(transparent)]
    Kdf(#[from] KdfError),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// The disk failed, or refused.
    #[error("the key disk failed: {0}")]
    Io(#[from] io::Error),
}

/// Why the hub stays locked.
#[derive(Debug, thiserror::Error)]
pub enum UnlockError {
    /// The PIN or the recovery code opens no slot.
    #[error("wrong PIN or recovery code; wrong PINs in a row: {failures}")]
    Wrong {
        /// How long until the next PIN may be tried.
        wait: Duration,
        /// Wrong PINs in a row, with this one if it was one.
        failures: u32,
    },
    /// It is too early for another attempt; nothing was checked and nothing counted.
    #[error("the next attempt is allowed in {} s", remaining.as_secs())]
    Wait {
        /// How long until it is.
        remaining: Duration,
    },
    /// No attempt could be made.
    #[error(transparent)]
    Keys(#[from] KeysError),
}
