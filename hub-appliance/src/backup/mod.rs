//! Backups: what is on a stick or in a folder, how it gets there, and how a hub comes out of it again.
//!
//! ```text
//! hub-backup/stick.json                 whose backups these are
//! hub-backup/20261127-081502-000/       one generation, by the hub clock; three are kept
//!     hub.db, vault                     as they lie on the hub's disk, under its master key
//!     keyslots.json                     one slot: the recovery code of that day
//!     recipient.age                     the master key, sealed to the organisation's key, where it named one
//!     manifest.json                     each file's size and SHA-256, under a key of the hub
//!     log/00000001 …                    what was committed since, in the order of commits
//! ```
//!
//! It promises: a generation that has its name is whole and was read back; an older one goes only after that; nothing is
//! taken from one of which a single bit is not what the hub wrote; and nothing but ciphertext is written.
//!
//! | file | what it does |
//! |---|---|
//! | `manifest` | the list of files, and what vouches for it |
//! | `folder` | the generations in a folder |
//! | `making` | writes a generation |
//! | `following` | writes what is committed after it |
//! | `resuming` | goes on with one after an unlock |
//! | `reading` | checks a generation, and lays the records out of it |
#![forbid(unsafe_code)]

mod error;
mod folder;
mod following;
mod making;
mod manifest;
mod reading;
mod resuming;
#[cfg(test)]
mod tests;

pub use error::BackupError;
pub use folder::{Folder, Mark};
pub use following::Follower;
pub use making::{Source, make};
pub use manifest::Manifest;
pub use reading::{Found, Restored};
pub use resuming::{is_old, resume};

use std::sync::{PoisonError, RwLock, TryLockError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::clock::HubTime;
use crate::keys::{KeysError, MasterId, MasterKey, Organisation};
use crate::secret::Secret;
use crate::store::StoreKey;

/// So many generations are kept.
pub const GENERATIONS: usize = 3;

const DATABASE: &str = "hub.db";
const VAULT: &str = "vault";
const KEY_SLOTS: &str = "keyslots.json";
const RECIPIENT: &str = "recipient.age";
const MANIFEST: &str = "manifest.json";
const LOG: &str = "log";

/// What an open hub needs of its master key to write backups, and whoever restores to check them. They can be wiped under
/// who works with them, for that may wait for a stick when the hub locks.
#[derive(Debug)]
pub struct BackupKeys {
    master: MasterId,
    kept: RwLock<Option<Kept>>,
    /// The master key, sealed to organisations.
    sealed: Vec<(Organisation, Vec<u8>)>,
}

/// An organisation that can open backups beside the recovery code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose key does.
    pub organisation: Organisation,
    /// Since when, by the hub clock: backups made before are not for it.
    pub since: HubTime,
}

#[derive(Debug)]
struct Kept {
    mac: Secret<32>,
    store: StoreKey,
}

impl BackupKeys {
    /// Those of this master key.
    #[must_use]
    pub fn of(master: &MasterKey) -> Self {
        let kept = Kept {
            mac: master.backup_key(),
            store: master.store_key(),
        };
        Self {
            master: master.name(),
            kept: RwLock::new(Some(kept)),
            sealed: Vec::new(),
        }
    }

    /// Those of this master key, which can be sealed to these organisations.
    ///
    /// # Errors
    /// [`KeysError::NoOrganisation`] where nothing can be sealed to one of them.
    pub fn with(master: &MasterKey, organisations: &[Organisation]) -> Result<Self, KeysError> {
        let sealed = organisations
            .iter()
            .map(|organisation| Ok((organisation.clone(), organisation.seal(master)?)));
        Ok(Self {
            sealed: sealed.collect::<Result<_, KeysError>>()?,
            ..Self::of(master)
        })
    }

    /// The master key as only this one opens it; none where it is none of those.
    fn sealed_to(&self, recipient: &Recipient) -> Option<&[u8]> {
        let mut sealed = self.sealed.iter();
        let found = sealed.find(|(organisation, _)| *organisation == recipient.organisation);
        found.map(|(_, bytes)| &bytes[..])
    }

    /// Wipes them. False where they are being used at this moment: then they are still there.
    #[must_use]
    pub fn forget(&self) -> bool {
        let mut kept = match self.kept.try_write() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(kept)) => kept.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        *kept = None;
        true
    }

    fn kept<T>(&self, work: impl FnOnce(&Kept) -> T) -> Result<T, BackupError> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(work).ok_or(BackupError::Stopped)
    }

    /// Does something with the key of the database.
    fn with_store_key<T>(&self, work: impl FnOnce(&StoreKey) -> T) -> Result<T, BackupError> {
        self.kept(|kept| work(&kept.store))
    }

    /// HMAC-SHA256 over `label` and what is put in behind it.
    fn mac(&self, label: &[u8]) -> Result<Hmac<Sha256>, BackupError> {
        // A key shorter than SHA-256's block is padded with zeros (RFC 2104, section 2).
        let mut block = Zeroizing::new([0; 64]);
        self.kept(|kept| block[..32].copy_from_slice(kept.mac.expose()))?;
        let mut mac = Hmac::<Sha256>::new((&*block).into());
        mac.update(label);
        Ok(mac)
    }
}
