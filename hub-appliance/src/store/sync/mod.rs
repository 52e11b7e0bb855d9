//! Syncing: what a phone or the cloud has seen, what it gets, and how what it sends meets what is stored.
//!
//! It promises: nothing is missed and nothing is doubled, whatever runs at the same time; one bad row stops nobody; no
//! value is lost. Everybody who writes records goes through [`apply`].

mod ahead;
pub mod apply;
mod attributes;
mod by_key;
pub mod cursors;
mod expected;
pub(super) mod feed;
pub mod gatekeeper;
pub mod generation;
pub mod held;
pub mod history;
pub(in crate::store) mod judge;
mod limits;
pub(super) mod merge;
pub(in crate::store) mod newer;
pub(super) mod past;
pub mod phone;
pub mod pull;
pub mod push;
mod quota;
pub(in crate::store) mod release;
pub(in crate::store) mod resend;
pub mod retry;
pub mod rights;
pub mod sent;
mod sight;
pub(super) mod stock;
