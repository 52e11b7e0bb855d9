//! The encrypted database.
pub mod devices;
