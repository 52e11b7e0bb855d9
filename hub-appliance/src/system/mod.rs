//! What the operating system says of the box, its network and its disks; the data disk, USB sticks, the board's own key,
//! the power and how good it is, the way out to the cloud, the time of day, the hub's name on the network, which image it is, the files of its
//! owner, memory that is wiped, and which calls a process gives up.

pub mod announce;
pub mod board_key;
pub mod calls;
pub mod cloud_way;
pub mod data_disk;
pub mod memory;
pub mod network;
pub mod ntp;
pub mod owner_file;
mod pipe;
pub mod power;
pub mod release;
pub mod sticks;
pub mod supply;
