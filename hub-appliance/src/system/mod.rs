//! What the operating system says of the box, its network and its disks, the data disk, and memory that is wiped.

pub mod data_disk;
pub mod disk;
pub mod memory;
pub mod network;
pub mod power;
