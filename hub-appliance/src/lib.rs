//! The clinic hub: one service that lets the phones of a clinic share patients' records on a local network.
//!
//! The rooms, from the street inwards; each may use only what stands below it:
//!
//! | room | what it does |
//! |---|---|
//! | [`appliance`] | the life of the box: Setup → Locked → Unlocking → Open → Locking |
//! | [`server`] | the four HTTP routes, their limits and status codes |
//! | [`procedures`] | what a phone can ask for, and who may |
//! | [`backup`] | what is on a backup stick: generations, checked and restored |
//! | [`store`] | the encrypted database: the only place with SQL |
//! | [`wire`] | key agreement and envelope: pure functions |
//! | [`keys`] | PIN, key slots, derived keys, the vault |
//! | [`panel`] | screens and menus: pure functions |
//! | [`board`] | display and buttons |
//! | [`setup_file`] | what the owner settles by a file on the card |
//! | [`staff_file`] | a file of staff, made on a desk from a table |
//! | [`system`] | network and disks, as the operating system shows them; memory that is wiped |
//! | [`clock`], [`ids`], [`lossy`], [`secret`] | the hub's time, identifiers, text with half an emoji, and types that wipe themselves |
#![deny(unsafe_code)]

pub mod appliance;
mod atomic_file;
pub mod backup;
pub mod board;
mod bounded;
pub mod clock;
pub mod ids;
pub mod keys;
pub mod lossy;
pub mod panel;
pub mod procedures;
pub mod relay;
pub mod secret;
pub mod server;
pub mod setup_file;
pub mod staff_file;
pub mod store;
pub mod system;
pub mod wire;
