//! What the operating system says of the box, its network and its disks; the data disk, the power, the time of day, the
//! hub's name on the network, which image it is, and memory that is wiped.

pub mod announce;
pub mod data_disk;
pub mod memory;
pub mod network;
pub mod ntp;
pub mod power;
pub mod release;
