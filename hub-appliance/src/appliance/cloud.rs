//! The cloud in the life of the box: what the owner's file says of it, the vault that keeps the key, and the relay.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::status::Sources;
use super::vault_file::VaultFile;
use super::{ApplianceError, Config};
use crate::clock::HubTime;
use crate::keys::{CloudAccess, Vault};
use crate::panel::{CloudStanding, CloudStatus, Notice, WithdrawnClinic};
use crate::relay::{Access, Relay, RelayState, Surroundings};
use crate::setup_file::{CloudSetup, SetupFile, SetupFileError};
use crate::store::audit::Entry;
use crate::store::relay::{CloudState, Withdrawn};
use crate::store::{Store, StoreError};
use crate::system::network;

const MINUTE_MS: i64 = 60 * 1000;

/// Another cloud, or another key, than the hub works with: nothing of it counts before a person allowed it.
pub(super) struct Offer {
    setup: CloudSetup,
    vault: Arc<VaultFile>,
}

impl Offer {
    /// Whether the owner's file says what the hub is called.
    pub(super) fn is_named(&self) -> bool {
        self.setup.name.is_some()
    }

    /// Where the records would go.
    pub(super) fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.setup.url).ok();
        url.and_then(|url| url.host_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// What came of the owner's file.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) access: Option<Access>,
    /// The owner's file says what the hub is called.
    pub(super) is_named: bool,
    pub(super) offer: Option<Offer>,
    pub(super) notice: Option<Notice>,
}

/// Takes `[cloud]` of the owner's file in, and the key out of it. A mistake keeps nobody out of the hub.
///
/// # Errors
/// What vault and store report.
pub(super) fn take_in(
    config: &Config,
    vault_file: &Arc<VaultFile>,
    vault: &mut Vault,
    store: &Store,
) -> Result<Taken, ApplianceError> {
    let mut taken = Taken::default();
    let file = config.setup_file.as_deref();
    let settled = file.map(|file| read(file, config, &mut taken));
    let setup = settled.as_ref().and_then(|settled| settled.cloud.as_ref());
    taken.is_named = setup.is_some_and(|setup| setup.name.is_some());
    if let (Some(file), Some(setup)) = (file, settled.and_then(|settled| settled.cloud)) {
        let is_known = vault.cloud.as_ref().is_some_and(|known| is_same(known, &setup));
        let is_first = vault.cloud.is_none() && setup.api_key.is_some();
        if is_known || is_first {
            *vault = settle(&setup, vault_file, store)?;
            taken.notice = forget_key(config, file, &setup).or(taken.notice);
        } else if setup.api_key.is_some() {
            taken.offer = Some(Offer {
                setup,
                vault: Arc::clone(vault_file),
            });
        }
    }
    taken.access = access(vault.cloud.as_ref(), store)?;
    Ok(taken)
}

/// How the hub works with its cloud where a person did not get what they allowed: with the one that the vault names.
///
/// # Errors
/// What vault and store report.
pub(super) fn as_it_is(vault_file: &VaultFile, store: &Store) -> Result<Option<Access>, ApplianceError> {
    let vault = vault_file.change(|_| Ok(false))?;
    access(vault.cloud.as_ref(), store)
}

/// Reads the owner's file. A mistake that it had when the program started was told then.
fn read(file: &Path, config: &Config, taken: &mut Taken) -> SetupFile {
    let (settled, line) = match SetupFile::read(file) {
        Ok(settled) => {
            for mistake in &settled.mistakes {
                tracing::warn!("{mistake}");
            }
            let line = settled.mistakes.first().map(SetupFileError::line);
            (settled, line)
        }
        Err(error) => {
            tracing::warn!("{error}");
            (SetupFile::default(), Some(error.line()))
        }
    };
    let is_told = |line| match config.notice {
        Some(Notice::SetupFile { line: told }) => told == line,
        Some(Notice::SeveralSetupFiles) => line.is_none(),
        _ => false,
    };
    let news = line.filter(|line| !is_told(*line));
    taken.notice = news.map(|line| Notice::SetupFileSince { line });
    settled
}

/// Takes what a person allowed over.
///
/// # Errors
/// What vault and store report.
pub(super) fn accept(
    config: &Config,
    offer: &Offer,
    store: &Store,
) -> Result<(Option<Access>, Option<Notice>), ApplianceError> {
    let file = config.setup_file.clone().unwrap_or_default();
    let vault = settle(&offer.setup, &offer.vault, store)?;
    Ok((
        access(vault.cloud.as_ref(), store)?,
        forget_key(config, &file, &offer.setup),
    ))
}

fn settle(setup: &CloudSetup, vault_file: &VaultFile, store: &Store) -> Result<Vault, ApplianceError> {
    // A courier may have carried records to this very cloud before there was a network.
    let (carried_to, known) =
        store.read::<_, StoreError>(|snapshot| Ok((snapshot.courier()?.cloud, snapshot.cloud_state()?)))?;
    let (mut is_another, mut is_news) = (false, false);
    let vault = vault_file.change(|vault| {
        let before = vault.cloud.take();
        is_another = if carried_to.is_empty() {
            before.as_ref().is_some_and(|before| before.url != setup.url)
        } else {
            carried_to != setup.url
        };
        let api_key = setup
            .api_key
            .clone()
            .or_else(|| before.as_ref().map(|before| before.api_key.clone()));
        let cloud = CloudAccess {
            url: setup.url.clone(),
            api_key: api_key.unwrap_or_default(),
            device_id: match &before {
                Some(before) if is_same(before, setup) => before.device_id.clone(),
                _ => String::new(),
            },
        };
        let name = setup.name.clone().unwrap_or_else(|| vault.hub_name.clone());
        is_news = before.as_ref() != Some(&cloud) || name != vault.hub_name;
        vault.cloud = Some(cloud);
        vault.hub_name = name;
        Ok(is_news)
    })?;
    if is_news {
        let host = reqwest::Url::parse(&setup.url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        let entry = Entry {
            action: "cloud.settled",
            detail: json!({"host": host}).to_string(),
            outcome: "ok",
            ..Entry::default()
        };
        store.write::<_, StoreError>(move |tx| tx.audit(&entry))?;
    }
    // What was right before a mistake came into the file is right still, but of another cloud it says nothing.
    let known = if is_another { CloudState::default() } else { known };
    let (ca, zone) = (setup.ca.clone(), setup.time_zone.clone());
    store.settle_cloud(ca.or_known(known.ca), zone.or_known(known.time_zone), is_another)?;
    store.note_cloud(setup.url.clone())?;
    Ok(vault)
}

fn forget_key(config: &Config, file: &Path, setup: &CloudSetup) -> Option<Notice> {
    setup.api_key.as_ref()?;
    let forgotten = config.disk.forget_cloud_key(file);
    forgotten.err().map(|error| {
        tracing::error!(%error, "the key to the cloud is still on the card");
        Notice::CloudKeyLeft
    })
}

/// Whether the file names what the hub works with already; the key may have been taken out of it.
fn is_same(known: &CloudAccess, setup: &CloudSetup) -> bool {
    known.url == setup.url && setup.api_key.as_ref().is_none_or(|key| *key == known.api_key)
}

fn access(cloud: Option<&CloudAccess>, store: &Store) -> Result<Option<Access>, ApplianceError> {
    let Some(cloud) = cloud else { return Ok(None) };
    let (ledger_of, mut ca) =
        store.read::<_, StoreError>(|snapshot| Ok((snapshot.courier()?.cloud, snapshot.cloud_state()?.ca)))?;
    if !ledger_of.is_empty() && ledger_of != cloud.url {
        // Another cloud was being taken over when the power went: what the one before had says nothing of it.
        ca = String::new();
        store.settle_cloud(ca.clone(), String::new(), true)?;
        store.note_cloud(cloud.url.clone())?;
    }
    Ok(Some(Access {
        url: cloud.url.clone(),
        key: cloud.api_key.clone(),
        ca,
    }))
}

/// Starts the relay; without threads for it the phones are served all the same.
///
/// `is_named` says that the owner's file names the hub.
pub(super) fn start(access: Access, sources: &Sources, vault: &Arc<VaultFile>, is_named: bool) -> Option<Relay> {
    let around = Around {
        store: Arc::clone(&sources.store),
        vault: Arc::clone(vault),
        is_named,
        is_here: access.url.starts_with("http:"),
    };
    let started = Relay::start(access, Arc::clone(&sources.store), around);
    started
        .inspect_err(|error| tracing::error!(%error, "the relay did not start"))
        .ok()
}

/// How it is with the cloud, for the panel.
pub(super) fn status(relay: Option<&Relay>, now: HubTime) -> CloudStatus {
    let Some(relay) = relay else {
        return CloudStatus::default();
    };
    let status = relay.status();
    let standing = match status.state {
        RelayState::NoNetwork => CloudStanding::NoNetwork,
        RelayState::Waiting if status.done_at == HubTime::ZERO => CloudStanding::Waiting,
        RelayState::Waiting => {
            let minutes = (now.millis() - status.done_at.millis()).max(0) / MINUTE_MS;
            CloudStanding::Done(u32::try_from(minutes).unwrap_or(u32::MAX))
        }
        RelayState::Receiving => CloudStanding::Receiving,
        RelayState::Sending { sent, total } => CloudStanding::Sending(sent, total),
        RelayState::Refused => CloudStanding::Refused,
        RelayState::Inactive => CloudStanding::Inactive,
        RelayState::NoClinic => CloudStanding::NoClinic,
        RelayState::NoClock => CloudStanding::NoClock,
        RelayState::Failed => CloudStanding::Failed,
        RelayState::Settings => CloudStanding::Settings,
    };
    CloudStatus {
        standing,
        waiting: status.waiting,
        held: status.held,
    }
}

/// A clinic whose records a person has to decide about, for the panel.
pub(super) fn withdrawn(offered: &Withdrawn) -> WithdrawnClinic {
    WithdrawnClinic {
        name: name_of(offered),
        patients: offered.patients,
    }
}

/// What a person knows a clinic by; where the hub has no name of it, how its id begins.
pub(super) fn name_of(clinic: &Withdrawn) -> String {
    let name = clinic.name.clone().filter(|name| !name.trim().is_empty());
    name.unwrap_or_else(|| clinic.clinic.chars().take(8).collect())
}

struct Around {
    store: Arc<Store>,
    vault: Arc<VaultFile>,
    is_named: bool,
    /// The cloud is on this very machine.
    is_here: bool,
}

impl Surroundings for Around {
    fn has_link(&self) -> bool {
        self.is_here || network::has_address()
    }

    fn knows_time(&self) -> bool {
        self.store.clock().follows_its_source()
    }

    fn is_known_as(&self, device: &str, name: Option<&str>) {
        let mut is_news = false;
        let kept = self.vault.change(|vault| {
            let Some(cloud) = &mut vault.cloud else {
                return Ok(false);
            };
            is_news = cloud.device_id != device;
            device.clone_into(&mut cloud.device_id);
            let name = name.filter(|name| !self.is_named && *name != vault.hub_name);
            let is_renamed = name.is_some();
            // Phones are told of it when the hub is next unlocked.
            vault.hub_name = name.map_or_else(|| std::mem::take(&mut vault.hub_name), str::to_owned);
            Ok(is_news || is_renamed)
        });
        let entry = Entry {
            action: "cloud.device",
            detail: json!({"device": device}).to_string(),
            outcome: "ok",
            ..Entry::default()
        };
        let noted = kept.and_then(|_| {
            if is_news {
                self.store.write::<_, StoreError>(move |tx| tx.audit(&entry))?;
            }
            Ok(())
        });
        if let Err(error) = noted {
            tracing::error!(%error, "what the cloud calls this hub is not written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HubClock, SystemClock};
    use crate::secret::SecretText;
    use crate::store::StoreKey;
    use crate::store::audit::AuditKey;
    use crate::store::relay::Pulled;

    #[test]
    fn a_power_cut_in_a_take_over_leaves_nothing_of_the_cloud_before_to_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
        let store = Store::open(folder.path(), &StoreKey::new([1; 32]), AuditKey::new([9; 32]), clock).unwrap();
        let cloud = |url: &str| CloudAccess {
            url: url.into(),
            api_key: SecretText::default(),
            device_id: String::new(),
        };
        let cursor = || store.read(|snapshot| snapshot.cloud_state()).unwrap().pull_cursor;
        store.note_cloud("https://a.example".into()).unwrap();
        let pulled = Pulled {
            timestamp: 20,
            ..Pulled::default()
        };
        store.apply_answer(&store.spool(), pulled).unwrap();
        let same = access(Some(&cloud("https://a.example")), &store).unwrap().unwrap();
        assert_eq!((same.url.as_str(), cursor()), ("https://a.example", 20));
        // The vault names the new one already.
        for _ in 0..2 {
            let other = access(Some(&cloud("https://b.example")), &store).unwrap().unwrap();
            assert_eq!((other.url.as_str(), cursor()), ("https://b.example", 0));
        }
    }
}
