//! An unlocked hub on a desk: its records are open to one command, and nothing is served.
//!
//! It promises: nobody else has the records open, the PIN counts as one at the panel does, and what is done is in the
//! audit log, whose end is signed again when it is closed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::audit::{AuditSeal, Reason};
use super::courier::OfHub;
use super::facts::Facts;
use super::held::HeldError;
use super::vault_file::VaultFile;
use super::{ApplianceError, OpenStore, firmware_clock, keys_folder, organisation, store_folder};
use crate::backup::{BackupKeys, Recipient};
use crate::keys::{KeyStore, KeysError, Organisation, Pin, UnlockError};
use crate::store::audit::{Break, Checked, Entry};
use crate::store::{Store, StoreError, StoreLock};

/// How long the work that was begun may take to end.
const CLOSING: Duration = Duration::from_secs(30);

/// Why a command could not be done on a hub's data.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The PIN does not open the hub, or has to wait.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The held row is not there, or can't be stored.
    #[error(transparent)]
    Held(#[from] HeldError),
    /// Something else.
    #[error(transparent)]
    Appliance(#[from] ApplianceError),
}

impl From<KeysError> for DeskError {
    fn from(error: KeysError) -> Self {
        Self::Appliance(error.into())
    }
}

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        Self::Appliance(error.into())
    }
}

/// The records of a hub that does not run.
#[derive(Debug)]
pub struct Desk {
    /// The records.
    pub store: Arc<Store>,
    pub(super) seal: Arc<AuditSeal>,
    pub(super) keys: KeyStore,
    pub(super) backup: Arc<BackupKeys>,
    /// Who can open backups beside the recovery code.
    pub(super) recipient: Option<Recipient>,
    pub(super) hub_id: String,
    pub(super) hub: OfHub,
    /// It calls a cloud itself.
    pub(super) is_relayed: bool,
    pub(super) vault: VaultFile,
    /// What was found to be wrong with the audit log over the last day, and at its end.
    found: Option<Break>,
    _lock: StoreLock,
}

impl Desk {
    /// Opens the hub whose data is in `data`. `ask_pin` is called once it is sure that there is a hub to unlock and that
    /// nobody else holds it.
    ///
    /// # Errors
    /// [`DeskError`]; then nothing but a wrong PIN is written down.
    pub fn open(data: &Path, ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>) -> Result<Self, DeskError> {
        Self::open_for(data, None, ask_pin)
    }

    /// The same; where an organisation is named, the backups are for it from now on: whoever types the PIN allows it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(super) fn open_for(
        data: &Path,
        named: Option<Organisation>,
        ask_pin: impl FnOnce() -> Result<Pin, ApplianceError>,
    ) -> Result<Self, DeskError> {
        let folder = keys_folder(data);
        let keys = KeyStore::at(folder.clone());
        if !keys.is_set_up()? {
            return Err(KeysError::NotSetUp.into());
        }
        let lock = StoreLock::take(&folder).map_err(ApplianceError::from)?;
        let master = keys.unlock_with_pin(&ask_pin()?)?;
        let has_records = Facts::load(&folder).has_records();
        let OpenStore {
            store,
            vault,
            master,
            vault_file,
        } = OpenStore::open(&store_folder(data), &master, Arc::new(firmware_clock()), has_records)?;
        let seal = Arc::new(AuditSeal::new(&folder, &vault)?);
        let found = seal.check_last_day(&store)?.broken;
        if let Some(broken) = found {
            store.write(move |tx| tx.note_audit_break(broken))?;
        }
        let known = organisation::that_counts(&store_folder(data), &seal)?;
        let is_known = |named: &Organisation| known.as_ref().is_some_and(|known| known.organisation == *named);
        let recipient = match named.filter(|named| !is_known(named)) {
            Some(named) => Some(organisation::accept(&store_folder(data), &seal, &store, named)?),
            None => known,
        };
        let organisation = recipient.as_ref().map(|recipient| recipient.organisation.clone());
        Ok(Self {
            backup: Arc::new(BackupKeys::with(&master, organisation.as_slice())?),
            recipient,
            hub_id: vault.hub_id.to_string(),
            hub: OfHub {
                id: vault.hub_id.to_string(),
                name: vault.hub_name.clone(),
            },
            is_relayed: vault.cloud.is_some(),
            vault: vault_file,
            keys,
            store,
            seal,
            found,
            _lock: lock,
        })
    }

    /// What was found to be wrong with the audit log when it was opened.
    #[must_use]
    pub const fn found(&self) -> Option<Break> {
        self.found
    }

    /// Checks the whole audit log, and writes down that it did.
    ///
    /// # Errors
    /// What the store reports; a log that is not whole is no error.
    pub fn verify_log(&self) -> Result<Checked, DeskError> {
        let mut checked = self.seal.check_whole(&self.store)?;
        checked.broken = checked.broken.or(self.found);
        self.store.write::<_, StoreError>(move |tx| {
            if let Some(broken) = checked.broken {
                tx.note_audit_break(broken)?;
            }
            tx.audit(&Entry {
                action: "audit.verify",
                detail: serde_json::json!({"entries": checked.entries}).to_string(),
                outcome: if checked.broken.is_some() { "broken" } else { "ok" },
                ..Entry::default()
            })?;
            tx.audit_was_checked()
        })?;
        Ok(checked)
    }

    /// Signs the end of the audit log, and closes the records.
    ///
    /// # Errors
    /// What could not be signed; the records are closed all the same.
    pub fn close(self) -> Result<(), DeskError> {
        let signed = self.seal.sign(&self.store, Reason::Lock);
        self.store.close(CLOSING);
        Ok(signed?)
    }
}
