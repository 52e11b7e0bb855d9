//! A phone with the shipping app on it, as far as a hub can tell.
//!
//! | module | what it does |
//! |---|---|
//! | [`wire`] | key agreement and sealed envelope |
//! | [`http`] | one kept-alive HTTP/1.1 connection, with statuses counted |
//! | [`client`] | handshake, login, commands and queries over it |
//! | [`generation`] | the two generations of the app, and in what they differ |
//! | [`cell`] | the values of a row as the app's database keeps them |
//! | [`database`] | the phone's tables with `_status` and `_changed` |
//! | [`pull`] | reading and applying an answer of `sync_pull`, as strict as the app and the contract |
//! | [`push`] | local changes in the app's shape |
//! | [`sync`] | the app's sync, forced upload and forced download |
//! | [`edit`] | what staff do: register, visit, measure, correct, delete |
//! | [`online`] | the app's online mode: single calls, and a day of them |
//! | [`state`] | keeping a phone in a file between runs |
//! | [`clock`] | the phone's own clock and ids |

pub mod cell;
pub mod client;
pub mod clock;
pub mod database;
pub mod edit;
pub mod generation;
pub mod http;
pub mod online;
pub mod pull;
pub mod push;
pub mod state;
pub mod sync;
pub mod wire;

#[cfg(test)]
mod stand_in;

pub use client::{ClientError, HubClient};
pub use database::Database;
pub use generation::Generation;
pub use sync::{Phone, SyncError, SyncReport};
