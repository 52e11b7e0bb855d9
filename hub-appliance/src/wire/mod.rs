//! The wire contract between phone and hub: key agreement, envelope, session keys, replay window.
//!
//! Pure functions and plain structs, no I/O: what goes in is bytes, what comes out is bytes or an error. A request
//! passes the files in this order:
//!
//! | file | what it does |
//! |---|---|
//! | [`message`] | parses the JSON of requests and of opened plaintexts |
//! | [`handshake`] | agrees on a session key (X25519 or P-256, HKDF-SHA256) |
//! | [`session`] | keeps the session keys and finds the one that opens a payload |
//! | `replay` | remembers what was taken, so that nothing is taken twice |
//! | [`envelope`] | opens and seals with one key (AES-256-GCM) |
//! | [`reply`] | writes the JSON of answers |
//! | `base64url` | the one spelling of bytes in that JSON |
#![forbid(unsafe_code)]

mod base64url;
pub mod envelope;
pub mod handshake;
pub mod message;
mod replay;
pub mod reply;
pub mod session;

#[cfg(test)]
mod vectors;
