//! A hub out of a backup: the same id, name, keys and phones, another PIN and another recovery code.
//!
//! The key slots come last: a restore that was cut short leaves no hub, and is begun again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::audit::{AuditSeal, Reason};
use super::facts::Facts;
use super::{ApplianceError, OpenStore, firmware_clock, keys_folder, store_folder};
use crate::backup::{BackupKeys, Found};
use crate::clock::HubClock;
use crate::keys::{KdfCost, KeyStore, KeysError, MasterKey, Pin, Prepared};
use crate::store::{StoreError, StoreLock};

/// How far the hub clock is put forward, ms: more than it goes on without being written down.
const AHEAD: i64 = 20 * 60 * 1000;
/// How long a store that came back may take to close.
const CLOSING: Duration = Duration::from_secs(60);

/// Makes the store of a hub out of a backup that `master` opens, in the hub's folder `data`. `clock` begins later than any time
/// that the hub before can have given out: by the backup's time, the box's own, and some more.
///
/// # Errors
/// [`ApplianceError`]; nothing of it opens as a hub then.
pub(super) fn lay_out(
    found: &Found,
    master: &MasterKey,
    data: &Path,
    clock: &Arc<HubClock>,
    progress: &dyn Fn(u16),
) -> Result<(), ApplianceError> {
    let store = &store_folder(data);
    let restored = found.lay_out(store, &BackupKeys::of(master), progress)?;
    clock.observe(restored.clock.max(clock.peek()).plus_millis(AHEAD));
    let opened = OpenStore::open(store, master, Arc::clone(clock), true)?;
    let detail = json!({"backup": restored.last_change.millis()}).to_string();
    opened.store.begin_after_restore(detail)?;
    AuditSeal::new(&keys_folder(data), &opened.vault)?.sign(&opened.store, Reason::Restore)?;
    if opened.store.close(CLOSING) {
        Ok(())
    } else {
        Err(StoreError::Closed.into())
    }
}

/// A restore on a desk, as far as it got before the new recovery code was written down.
#[derive(Debug)]
pub struct Restoring {
    prepared: Prepared,
    keys: KeyStore,
    facts: Facts,
    data: std::path::PathBuf,
    _lock: StoreLock,
}

impl Restoring {
    /// Makes the records and the new keys of a hub in `data`, where there is none. [`Self::finish`] makes it one.
    ///
    /// # Errors
    /// [`ApplianceError`]; there is no hub then.
    pub fn begin(
        data: &Path,
        found: &Found,
        master: MasterKey,
        pin: &Pin,
        unlock_time: Duration,
    ) -> Result<Self, ApplianceError> {
        let keys = KeyStore::at(keys_folder(data));
        let folder = store_folder(data);
        let has_records = Facts::load(&keys_folder(data)).has_records();
        if keys.is_set_up()? || (has_records && folder.join("hub.db").exists()) {
            return Err(KeysError::AlreadySetUp.into());
        }
        let lock = StoreLock::take(&keys_folder(data))?;
        let clock = Arc::new(firmware_clock());
        lay_out(found, &master, data, &clock, &|_| {})?;
        let facts_key = master.facts_key();
        let cost = KdfCost::calibrate(unlock_time).map_err(KeysError::from)?;
        let prepared = Prepared::again(master, pin, cost, clock.now())?;
        let mut facts = Facts::of_hub(found.hub_id());
        facts.set_clock(clock.peek(), &facts_key);
        Ok(Self {
            prepared,
            keys,
            facts,
            data: data.to_owned(),
            _lock: lock,
        })
    }

    /// The new recovery code, in groups.
    #[must_use]
    pub fn recovery(&self) -> [crate::secret::SecretText; crate::keys::RecoveryCode::GROUPS] {
        self.prepared.recovery().groups()
    }

    /// Writes the key slots: now it is a hub, locked.
    ///
    /// # Errors
    /// [`ApplianceError`].
    pub fn finish(self) -> Result<(), ApplianceError> {
        self.facts.save(&keys_folder(&self.data))?;
        self.prepared.commit(&self.keys)?;
        Ok(())
    }
}
