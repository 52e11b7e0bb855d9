//! What can go wrong with backups.

use std::io;

use crate::keys::{KeysError, UnlockError, VaultError};
use crate::store::StoreError;

/// Why a backup was not made, or is not taken.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no room for another generation; those that are there are whole.
    #[error("there is no room: a backup needs {needed} bytes, {free} are free")]
    Full {
        /// What another one needs.
        needed: u64,
        /// What is free.
        free: u64,
    },
    /// What backups are written to, or read from, can't be: pulled out, locked against writing, worn out.
    #[error("the backup's disk: {0}")]
    Disk(#[source] io::Error),
    /// The hub's own disk can't be read or written.
    #[error("the hub's disk: {0}")]
    Hub(#[from] io::Error),
    /// What was read back is not what was written.
    #[error("{file} was not written as it should be")]
    Spoilt {
        /// The file.
        file: String,
    },
    /// The backups there are another hub's.
    #[error("the backups there are another hub's")]
    OtherHub,
    /// Whoever asked for it wants it no more.
    #[error("the backup was broken off")]
    Stopped,
    /// There is no backup.
    #[error("there is no backup")]
    None,
    /// A file is not what the hub wrote; nothing is taken from this backup.
    #[error("{file} is damaged")]
    Damaged {
        /// The file.
        file: String,
    },
    /// A newer firmware made it.
    #[error("the backup needs {}", needs.as_ref().map_or_else(|| "a newer firmware".into(), |needs| format!("firmware {needs} or newer")))]
    Newer {
        /// The firmware, as far as that is known.
        needs: Option<String>,
    },
    /// The recovery code, or the organisation's key, is not that of this backup.
    #[error("that does not open this backup")]
    WrongKey,
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key slots could not be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The vault could not be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl BackupError {
    /// Of what is written to.
    pub(super) fn target(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            Self::Full { needed: 0, free: 0 }
        } else {
            Self::Disk(error)
        }
    }

    /// Of a file that is read from a backup.
    pub(super) fn reading(file: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                Self::Damaged { file: file.to_owned() }
            }
            kind => Self::Disk(kind.into()),
        }
    }
}

impl From<UnlockError> for BackupError {
    fn from(error: UnlockError) -> Self {
        match error {
            UnlockError::Keys(error) => Self::Keys(error),
            UnlockError::Wrong { .. } | UnlockError::Wait { .. } => Self::WrongKey,
        }
    }
}
