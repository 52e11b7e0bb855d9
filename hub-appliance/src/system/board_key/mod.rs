//! The board's own key: 256 bits in memory of the processor that is programmed once, for ever.
//!
//! The way there is the firmware's mailbox ([`Mailbox`]), and whoever has that may also write this memory, overclock the board
//! and more. So a small process of its own works on it ([`serve`], as `hub-appliance board-key`), the only one that may open
//! the device, and the hub asks that ([`Service`]): how it is with the key, for the HMAC of a short message, and to program
//! a key where there is none. The key itself never comes out.
//!
//! | file | what it holds |
//! |---|---|
//! | `mailbox` | the device, and what stands for it on a desk |
//! | `property`, `firmware` | one message to the firmware; the messages about the key |
//! | `device_key` | what is done with the key, whether or not the firmware computes with it |
//! | `protocol`, `service`, `client` | the process, and the hub's end |

mod client;
mod device_key;
mod firmware;
mod mailbox;
mod property;
mod protocol;
mod service;

use std::fmt;

pub use client::Service;
pub use mailbox::{Mailbox, MailboxAt};
pub use service::serve;

use crate::secret::Secret;

/// Bytes of the longest message that there is an HMAC of.
pub const MAX_MESSAGE: usize = 64;

/// How it is with the board's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKeyState {
    /// This board, its firmware or its kernel gives no way to it.
    Unavailable,
    /// There is none yet: all bits are zero, and one can be programmed.
    Blank,
    /// There is something that is no key, or a key that nobody can use; it can't be changed any more.
    Unusable,
    /// There is one.
    Ready(Through),
}

/// Who computes with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// The firmware; no program gets to see the key.
    Firmware,
    /// The process that asks for it, which reads the key, computes and wipes it: the firmware has no service for that.
    Rows,
}

/// Why nothing came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoardKeyError {
    /// There is no key that can be used.
    #[error("the board has no key that can be used")]
    NoKey,
    /// There is a key, or something else: nothing was programmed.
    #[error("the board's key is not blank")]
    NotBlank,
    /// What was programmed does not read back.
    #[error("the board's key was not programmed as it should be")]
    NotProgrammed,
    /// The firmware failed, or answered what is no answer.
    #[error("the board's firmware does not answer as it should")]
    Firmware,
    /// The message is empty or longer than [`MAX_MESSAGE`].
    #[error("the message has no length that there is an HMAC for")]
    Length,
    /// The process that works on the key does not answer, or not in our words.
    #[error("the service of the board's key does not answer")]
    Service,
}

/// The board's key, as the life of the box sees it. All calls block, for milliseconds.
pub trait BoardKey: fmt::Debug + Send + Sync {
    /// How it is with the key.
    ///
    /// # Errors
    /// [`BoardKeyError::Firmware`], [`BoardKeyError::Service`].
    fn state(&self) -> Result<BoardKeyState, BoardKeyError>;

    /// HMAC-SHA256 of `message`, of 1 to [`MAX_MESSAGE`] bytes, under the key.
    ///
    /// # Errors
    /// [`BoardKeyError`].
    fn hmac(&self, message: &[u8]) -> Result<Secret<32>, BoardKeyError>;

    /// Gives the board a key, at random, for ever.
    ///
    /// # Errors
    /// [`BoardKeyError::NotBlank`], with nothing done, where there is a key or something else; or another.
    fn program(&self) -> Result<(), BoardKeyError>;
}

/// A hub that has no way to any.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBoardKey;

impl BoardKey for NoBoardKey {
    fn state(&self) -> Result<BoardKeyState, BoardKeyError> {
        Ok(BoardKeyState::Unavailable)
    }

    fn hmac(&self, _: &[u8]) -> Result<Secret<32>, BoardKeyError> {
        Err(BoardKeyError::NoKey)
    }

    fn program(&self) -> Result<(), BoardKeyError> {
        Err(BoardKeyError::NotBlank)
    }
}
