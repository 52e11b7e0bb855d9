//! Devices.
use crate::ids::ClientId;

/// Number of a device's row, which also stands in synced rows as their origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceNumber(pub i64);

/// What the hub knows of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// never paired
    Unknown,
    /// paired
    Active(DeviceNumber),
    /// revoked: never served
    Revoked,
}

/// Why a phone could not be paired.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// 256 devices
    #[error("the device table is full")]
    Full,
    /// storage
    #[error("storage unavailable")]
    Unavailable,
}

/// The paired devices: rows in the store, mirrored in memory so that a known phone's handshake touches no disk.
#[derive(Debug)]
pub struct Devices;

impl Devices {
    /// Looks a client up in memory.
    pub fn standing(&self, _client: ClientId) -> Standing {
        todo!()
    }
    /// Stores a new device (blocking, durable when it returns).
    ///
    /// # Errors
    /// full or unavailable
    pub fn pair(&self, _client: ClientId, _name: Option<String>) -> Result<DeviceNumber, PairError> {
        todo!()
    }
    /// Notes in memory that the device was just heard of.
    pub fn seen(&self, _device: DeviceNumber) {
        todo!()
    }
}
