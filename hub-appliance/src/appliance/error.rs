//! What can go wrong in the life of the box, and what the panel says of it.

use std::io;

use nix::errno::Errno;

use crate::backup::BackupError;
use crate::board::BoardError;
use crate::keys::{KeysError, VaultError};
use crate::panel::Fault;
use crate::relay::courier::CourierError;
use crate::setup_file::SetupFileError;
use crate::store::cloud::{BundleError, MalformedBundle};
use crate::store::{StoreError, Trouble};
use crate::system::data_disk::DataDiskError;
use crate::wire::handshake::HandshakeError;

/// An error in the life of the box.
#[derive(Debug, thiserror::Error)]
pub enum ApplianceError {
    /// The phones' port could not be opened.
    #[error("the port cannot be opened: {0}")]
    Port(#[source] io::Error),
    /// Standard output could not be written.
    #[error("standard output cannot be written: {0}")]
    Console(#[source] io::Error),
    /// The operating system did not give a thread or a signal handler.
    #[error("the operating system refused: {0}")]
    System(#[source] io::Error),
    /// The board could not be opened.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// The key slots could not be read or written.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The vault could not be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The vault holds no usable identity.
    #[error("the hub's identity is damaged")]
    Identity(#[from] HandshakeError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There are records without a vault, or a vault without records: a part of the data is missing.
    #[error("a part of the hub's data is missing")]
    PartMissing,
    /// The data disk is not there, or does not open.
    #[error(transparent)]
    DataDisk(#[from] DataDiskError),
    /// The copy of the records is not the same as the original.
    #[error("the copy differs from the original")]
    CopyDiffers,
    /// What was typed is no PIN.
    #[error("that is no PIN: a PIN has 8 to 12 digits, or 6 beside a stick")]
    Pin,
    /// The bundle to import could not be read.
    #[error("the bundle cannot be read: {0}")]
    BundleFile(#[source] io::Error),
    /// The bundle to import has a mistake; nothing of it was applied.
    #[error(transparent)]
    Bundle(#[from] MalformedBundle),
    /// A backup could not be made, or is not taken.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The owner's file can't be read.
    #[error(transparent)]
    SetupFile(#[from] SetupFileError),
    /// A bundle that is carried by hand was not made, or not taken.
    #[error(transparent)]
    Courier(#[from] CourierError),
    /// The random source failed.
    #[error("the random source failed")]
    Random(#[from] getrandom::Error),
    /// A piece of work ended with a panic.
    #[error("a part of the hub failed")]
    Panicked,
    /// Locking did not end in time, so the process has to.
    #[error("the hub could not be locked in time")]
    LockTimeout,
}

impl From<BundleError> for ApplianceError {
    fn from(error: BundleError) -> Self {
        match error {
            BundleError::Malformed(mistake) => Self::Bundle(mistake),
            BundleError::Store(error) => Self::Store(error),
        }
    }
}

impl ApplianceError {
    /// Whether the store itself is at fault, or the disk that it grew on, and no key or other process.
    pub(super) const fn is_of_the_store(&self) -> bool {
        matches!(
            self,
            Self::Store(
                StoreError::Database(_)
                    | StoreError::Defect
                    | StoreError::WrongKey
                    | StoreError::Full
                    | StoreError::Disk(_)
            ) | Self::PartMissing
                | Self::Vault(_)
                | Self::Identity(_)
        )
    }

    /// What the panel says of it. `needed` is the version of the firmware that wrote the store, if it is a newer one.
    pub(super) fn fault(&self, needed: Option<&str>) -> Fault {
        match self {
            Self::Store(StoreError::TooNew { .. }) => Fault::NewerStore {
                needs: needed.map(str::to_owned),
            },
            Self::DataDisk(DataDiskError::Damaged) => Fault::Damaged,
            Self::DataDisk(DataDiskError::Fake) => Fault::FakeDisk,
            Self::DataDisk(DataDiskError::System(errno)) if *errno == Errno::EIO as i32 => Fault::DiskFailed,
            Self::Store(StoreError::Full) => Fault::DiskFull,
            Self::Store(StoreError::NoRoom { .. }) => Fault::NoRoomToUpdate,
            Self::Store(error) if error.trouble() == Some(Trouble::Failed) => Fault::DiskFailed,
            Self::DataDisk(_) => Fault::Disk,
            Self::Store(_) | Self::PartMissing | Self::Vault(_) | Self::Identity(_) => Fault::Store,
            Self::Keys(KeysError::Io(_)) => Fault::Disk,
            Self::Keys(_) => Fault::Keys,
            Self::Port(_) => Fault::Port,
            Self::Backup(BackupError::Newer { needs }) => Fault::NewerStore { needs: needs.clone() },
            Self::Backup(BackupError::Damaged { file }) => Fault::Backup {
                file: Some(file.clone()),
            },
            Self::Backup(BackupError::Disk(_) | BackupError::None) => Fault::Backup { file: None },
            Self::Backup(BackupError::Hub(_)) => Fault::Disk,
            _ => Fault::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_told_by_what_is_the_matter_with_it() {
        let store = |error| ApplianceError::Store(error);
        let no_room = || StoreError::NoRoom { needed: 2, free: 1 };
        let damaged = || StoreError::Database(rusqlite::ErrorCode::DatabaseCorrupt);
        assert_eq!(store(damaged()).fault(None), Fault::Store);
        let broken = || StoreError::Disk(io::ErrorKind::ReadOnlyFilesystem.into());
        assert_eq!(store(StoreError::Full).fault(None), Fault::DiskFull);
        assert_eq!(store(no_room()).fault(None), Fault::NoRoomToUpdate);
        assert_eq!(store(broken()).fault(None), Fault::DiskFailed);
        // After a migration the copy from before may still open on such a disk. Before one there is nothing to put back.
        assert!(store(StoreError::Full).is_of_the_store() && store(broken()).is_of_the_store());
        assert!(!store(no_room()).is_of_the_store());
    }
}
