//! What the operating system says of the box, its network and its disks; the data disk, the power, the time of day, the
//! hub's name on the network, and memory that is wiped.

pub mod announce;
pub mod data_disk;
pub mod disk;
pub mod memory;
pub mod network;
pub mod ntp;
pub mod power;
