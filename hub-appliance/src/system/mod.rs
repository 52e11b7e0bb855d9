//! What the operating system says of the box, its network and its disks, and the data disk.

pub mod data_disk;
pub mod disk;
pub mod network;
pub mod power;
