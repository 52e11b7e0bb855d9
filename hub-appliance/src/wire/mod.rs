//! The wire contract between phone and hub: key agreement, envelope, session keys, replay window.
//!
//! Pure functions and plain structs, no I/O: what goes in is bytes, what comes out is bytes or an error.

pub mod envelope;
pub mod handshake;
pub mod message;
pub mod session;
