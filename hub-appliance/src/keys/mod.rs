//! See the crate's table of rooms.
