//! Opening what the master key opens: the vault and the store.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::audit::{AuditSeal, Reason, sign_put_back};
use super::rotation::BackupAccess;
use super::token_keys::{self, TokenTurn};
use super::vault_file::{VaultFile, vault_path};
use super::{ApplianceError, Config, VERSION, cloud, courier, import, organisation};
use crate::atomic_file;
use crate::clock::HubClock;
use crate::keys::{MasterKey, Organisation, Vault};
use crate::panel::Notice;
use crate::procedures::{Emergency, Procedures, TokenKeys, TokenPolicy};
use crate::secret::{Secret, SecretText};
use crate::server::{OpenHub, Pairing};
use crate::store::audit::Entry;
use crate::store::devices::Devices;
use crate::store::{Pulse, Store, new_id};
use crate::system::data_disk::DataDiskError;
use crate::system::release::Release;
use crate::wire::handshake::IdentityKeys;
use crate::wire::session::SessionTable;

/// How long the data disk may take to open: all of a large one is checked after a power cut.
const DISK: Duration = Duration::from_secs(30 * 60);
/// What the app shows until the hub is given another name.
const HUB_NAME: &str = "Clinic Hub";

/// The vault and the store of an unlocked hub.
#[derive(Debug)]
pub struct OpenStore {
    /// Identity and keys.
    pub vault: Vault,
    /// The records.
    pub store: Arc<Store>,
    /// The master key that the records are under: while another takes its place, either of the two.
    pub master: MasterKey,
    /// Where the vault is.
    pub vault_file: VaultFile,
}

impl OpenStore {
    /// Opens vault and store in `folder`; makes both on a hub that has just been set up. `has_records` says that the hub has
    /// had them before.
    ///
    /// # Errors
    /// [`ApplianceError::PartMissing`] if there are records without a vault, or a vault without records, or neither where
    /// there were both: that is never mended by making an empty one. Otherwise what vault and store report.
    pub fn open(
        folder: &Path,
        master: &MasterKey,
        clock: Arc<HubClock>,
        has_records: bool,
    ) -> Result<Self, ApplianceError> {
        Self::open_watched(folder, master, clock, has_records, Pulse::default())
    }

    /// The same; `pulse` shows that it moves on, and is the store's afterwards.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_watched(
        folder: &Path,
        master: &MasterKey,
        clock: Arc<HubClock>,
        has_records: bool,
        pulse: Pulse,
    ) -> Result<Self, ApplianceError> {
        atomic_file::private_folder(folder).map_err(ApplianceError::System)?;
        // An empty file is no database: SQLite would make a new one of it.
        let database = fs::metadata(folder.join("hub.db"));
        let has_store = database.is_ok_and(|file| file.len() > 0);
        let has_vault = vault_path(folder).exists();
        let is_missing = if has_records {
            !has_vault || !has_store
        } else {
            has_vault && !has_store
        };
        if is_missing {
            return Err(ApplianceError::PartMissing);
        }
        let of_records = master_of(folder, master);
        let (mut vault_file, mut vault) = VaultFile::open(folder, master)?;
        // Cut short between the records and the vault: a backup made now would hold the key of one of the two alone.
        if vault.is_some() && master.next().is_some_and(|next| next.name() == of_records.name()) {
            vault_file.exchange(master, &of_records)?;
            (vault_file, vault) = VaultFile::open(folder, &of_records)?;
        }
        let audit_key = vault.as_ref().and_then(|vault| vault.audit.clone());
        let audit_key = audit_key.unwrap_or_else(|| master.audit_key());
        let store = Store::open_watched(folder, &of_records.store_key(), audit_key, clock, pulse)?;
        // The vault is made last, so where it is missing beside an empty store, set-up was cut short.
        let vault = match vault {
            Some(vault) => vault,
            None if store.is_blank()? => {
                let now = store.clock().now();
                let vault = Vault::create(new_id(now), HUB_NAME.into(), now)?;
                vault_file.create(&vault)?;
                vault
            }
            None => return Err(ApplianceError::PartMissing),
        };
        Ok(Self {
            vault,
            store: Arc::new(store),
            master: of_records,
            vault_file,
        })
    }
}

/// The master key that the records in `folder`, which nobody has open, are under.
pub(super) fn master_of(folder: &Path, master: &MasterKey) -> MasterKey {
    let opens = |master: &MasterKey| Store::opens_with(folder, &master.store_key());
    let next = master.next().filter(opens);
    next.or_else(|| master.each().next()).unwrap_or_else(|| master.clone())
}

/// Does something that takes the disk's passphrase: by that of the key that takes the place of `master`, where the disk does
/// not open by this one any more.
pub(super) fn by_passphrase<T>(
    master: &MasterKey,
    work: impl Fn(&SecretText) -> Result<T, DataDiskError>,
) -> Result<T, DataDiskError> {
    match (work(&master.luks_passphrase()), master.next()) {
        (Err(DataDiskError::Passphrase), Some(next)) => work(&next.luks_passphrase()),
        (done, _) => done,
    }
}

/// An open hub: what the gate lets requests use, and what the appliance keeps beside it.
pub(super) struct Opened {
    pub(super) hub: OpenHub,
    pub(super) store: Arc<Store>,
    pub(super) devices: Arc<Devices>,
    pub(super) pairing: Arc<Pairing>,
    pub(super) emergency: Arc<Emergency>,
    /// Whether there is a cloud to call.
    pub(super) has_cloud: bool,
    /// What a person has to be told now.
    pub(super) notice: Option<Notice>,
    /// The cloud that it is relayed to, and another that the owner's file names.
    pub(super) cloud: cloud::Taken,
    /// Another office to carry records to that the owner's file names.
    pub(super) other_office: Option<courier::Offer>,
    /// Another organisation to open the backups that the owner's file names.
    pub(super) other_organisation: Option<Organisation>,
    pub(super) log: CheckedLog,
    /// Seals what the public facts say.
    pub(super) facts_key: Secret<32>,
    pub(super) backup: Arc<BackupAccess>,
    pub(super) vault: Arc<VaultFile>,
    pub(super) tokens: TokenTurn,
}

/// The audit log as it was found.
pub(super) struct CheckedLog {
    pub(super) seal: Arc<AuditSeal>,
    /// The entry of a break that was known before.
    pub(super) known_break: Option<i64>,
}

/// Why the hub did not open.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: ApplianceError,
    /// Whether the store is at fault, or the room it needs, and there is the copy that was asked for.
    pub(super) has_copy: bool,
    /// The schema that the store has now, if it tells.
    pub(super) schema: Option<i64>,
}

/// How the hub is opened.
#[derive(Debug)]
pub(super) struct Opening {
    /// What the audit log says of it.
    pub(super) reason: &'static str,
    /// The schema whose copy from before the migration is looked for where the store is at fault.
    pub(super) copy_of: Option<i64>,
    /// Whether the hub has had records before.
    pub(super) has_records: bool,
    /// Wrong PINs since the hub was open last.
    pub(super) wrong_pins: u32,
    /// Shows that it moves on.
    pub(super) pulse: Pulse,
}

/// Opens the hub: data disk, vault, store, devices, procedures. Blocking. If that fails, the disk is closed again.
pub(super) fn open_hub(
    config: &Config,
    master: &MasterKey,
    clock: Arc<HubClock>,
    sessions: Arc<SessionTable>,
    opening: &Opening,
) -> Result<Opened, Failure> {
    let opened = opening.pulse.unseen_for(DISK, || {
        by_passphrase(master, |passphrase| config.disk.open(passphrase))
    });
    opened.map_err(|error| Failure {
        error: error.into(),
        has_copy: false,
        schema: None,
    })?;
    open_mounted(config, master, clock, sessions, opening).map_err(|error| {
        let folder = config.store_folder();
        let schema = Store::schema_version(&folder, &master_of(&folder, master).store_key());
        let has_copy = error.is_of_the_store()
            && opening
                .copy_of
                .is_some_and(|version| schema != Some(version) && Store::has_migration_copy(&folder, version));
        close_disk(config);
        Failure {
            error,
            has_copy,
            schema,
        }
    })
}

/// Puts the copy back from before the migration from schema `version`. Blocking. The disk is closed afterwards.
pub(super) fn put_back(config: &Config, master: &MasterKey, version: i64) -> Result<(), ApplianceError> {
    by_passphrase(master, |passphrase| config.disk.open(passphrase))?;
    let put = Store::put_migration_copy_back(&config.store_folder(), version);
    if put.is_ok()
        && let Err(error) = sign_put_back(&config.keys_folder(), &config.store_folder(), master)
    {
        tracing::error!(%error, "the end of the audit log could not be signed");
    }
    close_disk(config);
    Ok(put?)
}

fn close_disk(config: &Config) {
    if let Err(error) = config.disk.close() {
        tracing::error!(%error, "the data disk could not be closed");
    }
}

/// Which image the hub runs from, for the audit log; nothing on a desk.
fn firmware(release: &Release) -> String {
    let build = release.build.as_ref();
    build.map_or_else(String::new, |build| {
        json!({"version": VERSION, "build": build, "root": release.root_hash}).to_string()
    })
}

fn open_mounted(
    config: &Config,
    master: &MasterKey,
    clock: Arc<HubClock>,
    sessions: Arc<SessionTable>,
    opening: &Opening,
) -> Result<Opened, ApplianceError> {
    let (folder, pulse) = (config.store_folder(), opening.pulse.clone());
    let OpenStore {
        mut vault,
        store,
        master,
        vault_file,
    } = OpenStore::open_watched(&folder, master, clock, opening.has_records, pulse)?;
    let vault_file = Arc::new(vault_file);
    // Before anything is added to it. A log that is not whole keeps nobody from the records: the panel tells it.
    let log = store.pulse().unseen(|| check_log(config, &vault, &store))?;
    let notice = import::take_in(config, &store)?;
    let mut cloud = cloud::take_in(config, &vault_file, &mut vault, &store)?;
    let other_office = courier::take_in(config, &store)?;
    let organisations = organisation::take_in(config, &log.seal, &store)?;
    let notice = notice.or(cloud.notice.take());
    let devices = Arc::new(Devices::load(Arc::clone(&store))?);
    let hub_id = vault.hub_id.to_string();
    match token_keys::turn(&vault_file, &store) {
        Ok(Some(turned)) => vault = turned,
        Ok(None) => {}
        // The one that there is signs on, and a later look brings the next try.
        Err(error) => tracing::error!(%error, "no other key signs tokens"),
    }
    let keys = TokenKeys::new(&hub_id, &vault.jwt_current, vault.jwt_previous.as_ref());
    let procedures = Procedures::new(Arc::clone(&store), Arc::clone(&devices), keys, TokenPolicy::default())?;
    let pairing = Arc::new(Pairing::new());
    let emergency = procedures.emergency();
    let tokens = TokenTurn::new(procedures.token_keys(), &vault);
    let entry = Entry {
        action: opening.reason,
        detail: firmware(&config.release),
        outcome: "ok",
        ..Entry::default()
    };
    let wrong_pins = (opening.wrong_pins > 0).then(|| Entry {
        action: "refused.pin",
        detail: json!({"count": opening.wrong_pins}).to_string(),
        outcome: "refused",
        ..Entry::default()
    });
    store.write(move |tx| {
        wrong_pins.iter().try_for_each(|entry| tx.audit(entry))?;
        tx.audit(&entry)
    })?;
    if let Err(error) = log.seal.sign(&store, Reason::Open) {
        tracing::error!(%error, "the end of the audit log could not be signed");
    }
    let hub = OpenHub {
        identity: IdentityKeys::new(&vault.x25519, &vault.p256)?,
        hub_id,
        hub_name: vault.hub_name.clone(),
        sessions,
        procedures: Arc::new(procedures),
        devices: Arc::clone(&devices) as _,
        pairing: Arc::clone(&pairing),
    };
    Ok(Opened {
        hub,
        store,
        devices,
        pairing,
        emergency,
        has_cloud: vault.cloud.is_some(),
        notice,
        cloud,
        other_office,
        log,
        facts_key: master.facts_key(),
        backup: Arc::new(BackupAccess::new(&master, &organisations)?),
        other_organisation: organisations.offered,
        vault: vault_file,
        tokens,
    })
}

fn check_log(config: &Config, vault: &Vault, store: &Store) -> Result<CheckedLog, ApplianceError> {
    let seal = Arc::new(AuditSeal::new(&config.keys_folder(), vault)?);
    let known_break = store.audit_broken()?;
    if let Some(broken) = seal.check_last_day(store)?.broken {
        tracing::error!(%broken, "the audit log");
        store.write(move |tx| tx.note_audit_break(broken))?;
    }
    Ok(CheckedLog { seal, known_break })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_log_says_which_image_was_opened_and_nothing_on_a_desk() {
        assert_eq!(firmware(&Release::default()), "");
        let release = Release {
            build: Some("hub 0.1.0 4d43c9c12ab3 qemu".into()),
            root_hash: Some("0a1b".into()),
            is_development: false,
        };
        let detail: serde_json::Value = serde_json::from_str(&firmware(&release)).unwrap();
        let expected = json!({"version": VERSION, "build": "hub 0.1.0 4d43c9c12ab3 qemu", "root": "0a1b"});
        assert_eq!(detail, expected);
    }
}
