//! The signed end of the audit log: kept with the key slots, away from the log, so that an end that is cut off shows.
//!
//! It is signed with the hub's identity key (ECDSA on P-256) when the hub opens, each day, at each backup and at each
//! lock. The file `audit-end.json`, replaced atomically:
//!
//! ```text
//! {"version":1,"entry":1234,"at":1790000000000,"hash":"<base64url>","reason":"lock","signature":"<base64url>"}
//! signed = "hub audit end v1" ‖ hub id (16 bytes) ‖ entry ‖ at (i64, little-endian) ‖ hash (32) ‖ reason (UTF-8)
//! ```
//!
//! A log that goes on behind what was signed last is as it should be: a power cut comes between.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ApplianceError;
use super::open::master_of;
use super::vault_file::VaultFile;
use crate::atomic_file;
use crate::clock::HubTime;
use crate::keys::{MasterKey, SigningKey, Vault, VaultError};
use crate::secret::Secret;
use crate::store::audit::{Break, Checked, Dropped, Head};
use crate::store::{Store, StoreError};

/// The file's name in the folder of the keys.
pub const FILE: &str = "audit-end.json";
const VERSION: u32 = 1;
/// A file longer than this is not ours.
const MAX_FILE: usize = 4096;
const LABEL: &[u8] = b"hub audit end v1";
/// How far back the log is checked at each opening, ms.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why the end is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The hub has opened, and its log was checked.
    Open,
    /// A day of use is over.
    Day,
    /// A backup is made, which holds the log up to here.
    Backup,
    /// The hub locks.
    Lock,
    /// The records were put back as they were before an update, and with them the log.
    PutBack,
    /// The records came out of a backup, and with them the log.
    Restore,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Day => "day",
            Self::Backup => "backup",
            Self::Lock => "lock",
            Self::PutBack => "put back",
            Self::Restore => "restore",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    entry: i64,
    at: i64,
    hash: String,
    reason: String,
    signature: String,
}

/// Signs the log's end, and knows what was signed.
#[derive(Debug)]
pub struct AuditSeal {
    path: PathBuf,
    hub: Uuid,
    key: SigningKey,
}

impl AuditSeal {
    /// The seal of the hub with this vault, whose keys are in `keys_folder`.
    ///
    /// # Errors
    /// [`ApplianceError::Vault`] where the identity key is none.
    pub fn new(keys_folder: &Path, vault: &Vault) -> Result<Self, ApplianceError> {
        Self::of(keys_folder, vault.hub_id, &vault.p256)
    }

    fn of(keys_folder: &Path, hub: Uuid, p256: &Secret<32>) -> Result<Self, ApplianceError> {
        Ok(Self {
            path: keys_folder.join(FILE),
            hub,
            key: SigningKey::new(p256)?,
        })
    }

    /// Signs the end of the log as it is on the disk now.
    ///
    /// # Errors
    /// What the store or the disk of the keys reports; then what was signed before still stands.
    pub fn sign(&self, store: &Store, reason: Reason) -> Result<(), ApplianceError> {
        match store.audit_head()? {
            Some(head) => self.write(&head, reason),
            None => Ok(()),
        }
    }

    fn write(&self, head: &Head, reason: Reason) -> Result<(), ApplianceError> {
        let file = File {
            version: VERSION,
            entry: head.number,
            at: head.at.millis(),
            hash: BASE64.encode(head.hash),
            reason: reason.name().into(),
            signature: BASE64.encode(self.key.sign(&self.message(head, reason.name()))),
        };
        let bytes = serde_json::to_vec(&file).map_err(|error| ApplianceError::System(error.into()))?;
        atomic_file::write(&self.path, &bytes).map_err(ApplianceError::System)
    }

    /// The hub's identity key.
    pub(super) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The hub's id.
    pub(super) const fn hub(&self) -> &Uuid {
        &self.hub
    }

    fn message(&self, head: &Head, reason: &str) -> Vec<u8> {
        [
            LABEL,
            self.hub.as_bytes(),
            &head.number.to_le_bytes(),
            &head.at.millis().to_le_bytes(),
            &head.hash,
            reason.as_bytes(),
        ]
        .concat()
    }

    /// What was signed last; an error where that is missing or not of this hub.
    fn signed(&self) -> Result<Option<Head>, Unusable> {
        let bytes = atomic_file::read(&self.path, MAX_FILE).map_err(|_| Unusable)?;
        let Some(bytes) = bytes else { return Ok(None) };
        let file: File = serde_json::from_slice(&bytes).map_err(|_| Unusable)?;
        let head = Head {
            number: file.entry,
            at: HubTime::from_millis(file.at),
            hash: BASE64
                .decode(&file.hash)
                .ok()
                .and_then(|hash| hash.try_into().ok())
                .ok_or(Unusable)?,
        };
        let signature = BASE64.decode(&file.signature).map_err(|_| Unusable)?;
        let is_ours = self.key.has_signed(&self.message(&head, &file.reason), &signature);
        is_ours.then_some(Some(head)).ok_or(Unusable)
    }

    /// Checks the log over the last day, and that its end is there. To be called before anything is added to it.
    ///
    /// # Errors
    /// What the store reports; a log that is not whole is no error.
    pub fn check_last_day(&self, store: &Store) -> Result<Checked, StoreError> {
        let since = store.clock().peek().plus_millis(-DAY_MS);
        self.with_its_end(store, store.check_audit_since(since)?)
    }

    /// Checks all of the log, in short reads, and that its end is there.
    ///
    /// # Errors
    /// What the store reports; a log that is not whole is no error.
    pub fn check_whole(&self, store: &Store) -> Result<Checked, StoreError> {
        self.with_its_end(store, store.check_audit()?)
    }

    fn with_its_end(&self, store: &Store, checked: Checked) -> Result<Checked, StoreError> {
        Ok(Checked {
            broken: match checked.broken {
                None => self.look_at_the_ends(store)?,
                found => found,
            },
            ..checked
        })
    }

    fn look_at_the_ends(&self, store: &Store) -> Result<Option<Break>, StoreError> {
        let entry = store.audit_head()?.map_or(0, |head| head.number);
        if let Some(dropped) = store.audit_dropped()?
            && !self
                .key
                .has_signed(&Dropped::signed(dropped.through, &dropped.hash), &dropped.signature)
        {
            return Ok(Some(Break::Changed { entry: dropped.through }));
        }
        match self.signed() {
            Err(Unusable) => Ok(Some(Break::Unsigned { entry })),
            // There is none before the first day is begun.
            Ok(None) => Ok(store.has_audit_day()?.then_some(Break::Unsigned { entry })),
            Ok(Some(head)) if !store.has_audit_entry(&head)? => Ok(Some(Break::CutOff { entry: head.number })),
            Ok(Some(_)) => Ok(None),
        }
    }

    /// Drops entries older than six years; returns how many went.
    ///
    /// # Errors
    /// What the store reports.
    pub(super) fn drop_old(self: &Arc<Self>, store: &Store) -> Result<usize, StoreError> {
        let mut dropped = 0;
        loop {
            let seal = Arc::clone(self);
            let now = store.write(move |tx| tx.drop_old_audit(|message| seal.key.sign(message)))?;
            dropped += now;
            if now == 0 {
                return Ok(dropped);
            }
        }
    }
}

/// What is kept is damaged, or not signed by this hub.
struct Unusable;

/// Signs the log of a store that was put back and that nobody has open: its end is another one now.
pub(super) fn sign_put_back(keys_folder: &Path, store_folder: &Path, master: &MasterKey) -> Result<(), ApplianceError> {
    let (_, vault) = VaultFile::open(store_folder, master)?;
    let seal = AuditSeal::new(keys_folder, &vault.ok_or(VaultError::Missing)?)?;
    match Store::audit_head_of(store_folder, &master_of(store_folder, master).store_key())? {
        Some(head) => seal.write(&head, Reason::PutBack),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::clock::{HubClock, SystemClock};
    use crate::store::StoreKey;
    use crate::store::audit::{AuditKey, Entry};

    struct Hub {
        store: Store,
        seal: AuditSeal,
        folder: tempfile::TempDir,
    }

    fn seal(folder: &Path, p256: [u8; 32]) -> AuditSeal {
        AuditSeal::of(folder, Uuid::from_u128(7), &Secret::new(p256)).unwrap()
    }

    fn open(folder: &Path, name: &str) -> Store {
        let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        Store::open(&folder, &StoreKey::new([1; 32]), AuditKey::new([9; 32]), clock).unwrap()
    }

    /// A hub with a signed day of three entries.
    fn hub() -> Hub {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub {
            store: open(folder.path(), "store"),
            seal: seal(folder.path(), [3; 32]),
            folder,
        };
        hub.store.begin_audit_day().unwrap();
        hub.add(2);
        hub
    }

    impl Hub {
        fn add(&self, entries: usize) {
            for _ in 0..entries {
                let entry = Entry {
                    action: "test",
                    outcome: "ok",
                    ..Entry::default()
                };
                self.store.write(move |tx| tx.audit(&entry)).unwrap();
            }
        }

        fn found(&self) -> Option<Break> {
            let whole = self.seal.check_whole(&self.store).unwrap().broken;
            assert_eq!(self.seal.check_last_day(&self.store).unwrap().broken, whole);
            whole
        }
    }

    #[test]
    fn an_end_that_is_cut_off_shows_also_when_the_log_has_grown_again() {
        let mut hub = hub();
        hub.seal.sign(&hub.store, Reason::Lock).unwrap();
        hub.store.close(std::time::Duration::from_secs(5));
        // The log as it was before its last entries, which whoever has a copy of the disk can put back.
        fs::rename(hub.folder.path().join("store"), hub.folder.path().join("signed")).unwrap();
        hub.store = open(hub.folder.path(), "store");
        hub.store.begin_audit_day().unwrap();
        assert_eq!(hub.found(), Some(Break::CutOff { entry: 3 }));
        hub.add(5);
        assert_eq!(
            hub.found(),
            Some(Break::CutOff { entry: 3 }),
            "other entries have their numbers"
        );
        hub.store = open(hub.folder.path(), "signed");
        assert_eq!(hub.found(), None);
        hub.add(1);
        assert_eq!(hub.found(), None, "a power cut leaves entries that were not signed");
    }

    #[test]
    fn a_signature_that_is_missing_altered_or_anothers_shows() {
        let hub = hub();
        let unsigned = Some(Break::Unsigned { entry: 3 });
        assert_eq!(hub.found(), unsigned, "a day was begun and nothing is signed");
        hub.seal.sign(&hub.store, Reason::Day).unwrap();
        assert_eq!(hub.found(), None);
        let path = hub.folder.path().join(FILE);
        let good = fs::read_to_string(&path).unwrap();
        for (part, other) in [
            (r#""entry":3"#, r#""entry":2"#),
            (r#""reason":"day""#, r#""reason":"put back""#),
            (r#""hash":"#, r#""hush":"#),
            ("{", "["),
        ] {
            assert!(good.contains(part), "{good}");
            fs::write(&path, good.replacen(part, other, 1)).unwrap();
            assert_eq!(hub.found(), unsigned, "{part}");
        }
        seal(hub.folder.path(), [4; 32]).sign(&hub.store, Reason::Day).unwrap();
        assert_eq!(hub.found(), unsigned, "signed by another hub");
        fs::write(&path, &good).unwrap();
        assert_eq!(hub.found(), None);
    }

    #[test]
    fn before_the_first_day_there_is_nothing_to_miss() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), "store");
        let seal = seal(folder.path(), [3; 32]);
        seal.sign(&store, Reason::Lock).unwrap();
        assert_eq!(
            seal.check_whole(&store).unwrap(),
            Checked {
                entries: 0,
                broken: None
            }
        );
    }
}
