//! The vault of an open hub, on its disk: whoever changes something in it does so here, one at a time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ApplianceError;
use crate::keys::{MasterKey, Vault, VaultError, VaultKey};

/// The vault's file, and the key that it is under.
#[derive(Debug)]
pub struct VaultFile {
    path: PathBuf,
    key: Mutex<VaultKey>,
}

impl VaultFile {
    /// The vault in the store's folder `folder`, under the master key that it opens with while another takes its place; and
    /// what is in it, if there is one.
    ///
    /// # Errors
    /// What reading it reports.
    pub(super) fn open(folder: &Path, master: &MasterKey) -> Result<(Self, Option<Vault>), ApplianceError> {
        let path = vault_path(folder);
        let mut keys = master.each().map(|master| master.vault_key());
        let mut key = keys.next().ok_or(VaultError::Damaged)?;
        let mut vault = Vault::load(&path, &key);
        if matches!(vault, Err(VaultError::Damaged))
            && let Some(next) = keys.next()
        {
            vault = Vault::load(&path, &next);
            key = next;
        }
        let vault = match vault {
            Err(VaultError::Missing) => None,
            vault => Some(vault?),
        };
        let key = Mutex::new(key);
        Ok((Self { path, key }, vault))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the first one.
    ///
    /// # Errors
    /// What writing it reports.
    pub(super) fn create(&self, vault: &Vault) -> Result<(), ApplianceError> {
        Ok(vault.save(&self.path, &self.key())?)
    }

    /// Changes what is in it; nothing is written where `change` fails, or says that there is nothing to write.
    ///
    /// # Errors
    /// What reading and writing report, and `change`.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut Vault) -> Result<bool, ApplianceError>,
    ) -> Result<Vault, ApplianceError> {
        let key = self.key();
        let mut vault = Vault::load(&self.path, &key)?;
        if change(&mut vault)? {
            vault.save(&self.path, &key)?;
        }
        Ok(vault)
    }

    /// Brings it under the key that takes the place of the one of `master`. The key of the audit log stays the one that it is.
    ///
    /// # Errors
    /// What reading and writing report; then it is as it was.
    pub(super) fn exchange(&self, master: &MasterKey, next: &MasterKey) -> Result<(), ApplianceError> {
        let mut key = self.key();
        match Vault::load(&self.path, &next.vault_key()) {
            Ok(_) => {}
            Err(VaultError::Damaged) => {
                let mut vault = Vault::load(&self.path, &key)?;
                vault.audit.get_or_insert_with(|| master.audit_key());
                vault.save(&self.path, &next.vault_key())?;
            }
            Err(error) => return Err(error.into()),
        }
        *key = next.vault_key();
        Ok(())
    }

    fn key(&self) -> MutexGuard<'_, VaultKey> {
        self.key.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The vault's file in the store's folder.
pub(super) fn vault_path(folder: &Path) -> PathBuf {
    folder.join("vault")
}
