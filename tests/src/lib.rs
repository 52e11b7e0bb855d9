//! What the hub's end-to-end tests and benches are made of: phones, a clinic, a hand on the panel, and the hub itself
//! as a child process.
//!
//! | module | what it does |
//! |---|---|
//! | [`schema`] | the tables and columns that travel, read from the contract's own table file |
//! | [`phone`] | the phone simulator: key agreement, envelope, HTTP, local database, sync, edits |
//! | [`clinic`] | a believable clinic, the same from the same seed, as a bundle for `hub-appliance import` |
//! | [`panel_client`] | presses the buttons and reads the picture of a hub with the board `serial` |
//! | [`patience`] | how long a wait may take on a machine with other work |
//! | [`hub`] | starts, stops and kills the real binary |
//! | [`sight`] | which of the hub's rows a user's phone may hold |
//! | [`effort`] | how much a test is to do, and what it has done |
//! | [`compare`] | compares whole databases and names the first difference |
//!
//! Nothing here uses the hub's own code: a mistake would have to be made twice to go unseen.

#![forbid(unsafe_code)]

pub mod clinic;
pub mod cloud;
pub mod compare;
pub mod effort;
pub mod hub;
pub mod panel_client;
pub mod patience;
pub mod phone;
pub mod schema;
pub mod sight;
