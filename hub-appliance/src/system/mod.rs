//! What the operating system says of the box: its network and its disks.

pub mod disk;
pub mod network;
pub mod power;
