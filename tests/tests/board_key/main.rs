//! The board's own key, with the real process that works on it and a played firmware: the process by itself, and the hub that
//! is opened by the key.

mod hub;
mod played_mailbox;
mod process;
