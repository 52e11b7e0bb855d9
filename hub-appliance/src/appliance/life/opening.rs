//! From unlocked to open; and what becomes of a disk that has faults, and of an update after which the store does not open.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::auto_lock::AutoLock;
use super::log::Log;
use super::{Life, Serving, State, blocking};
use crate::appliance::backup_stick::{BackupStick, Parts};
use crate::appliance::courier::OfHub;
use crate::appliance::courier_stick::{self, CourierStick};
use crate::appliance::facts::Writer;
use crate::appliance::open::{Failure, Opened, Opening, by_passphrase, open_hub, put_back};
use crate::appliance::status::Sources;
use crate::appliance::{ApplianceError, cloud};
use crate::clock::HubTime;
use crate::keys::{MasterKey, Rotation};
use crate::panel::{Fault, Identity, News, Phase};
use crate::store::SCHEMA_VERSION;
use crate::system::cloud_way::CloudWay;
use crate::system::data_disk::DataDiskError;

/// What the audit log says of the first opening after a repair.
const REPAIRED: &str = "unlock.repaired";
/// How far the hub clock is put forward after a repair, ms: more than it goes on without being written down.
const AHEAD_AFTER_REPAIR: i64 = 20 * 60 * 1000;

impl Life {
    /// Opens vault and store and lets the phones in.
    pub(super) async fn open(&mut self, master: MasterKey, reason: &'static str) {
        if let Some(to) = self.moves {
            return self.move_data(master, to).await;
        }
        let believed = master.each().find_map(|master| self.facts.clock(&master.facts_key()));
        match believed {
            Some(clock) => self.clock.observe(clock),
            None => tracing::info!("the clock of the public facts is not believed: the records tell the last time"),
        }
        let before = self.facts.writer_before();
        // Before the store can become one that older firmware does not know.
        self.facts.announce();
        self.save_facts();
        let (config, clock) = (Arc::clone(&self.config), Arc::clone(&self.clock));
        let sessions = Arc::clone(&self.sessions);
        let being_opened = self.opened_store.opening();
        let opening = Opening {
            reason,
            copy_of: before.as_ref().map(|before| before.schema),
            has_records: self.facts.has_records(),
            wrong_pins: std::mem::take(&mut self.wrong_pins),
            pulse: being_opened.pulse().clone(),
        };
        // Where the slots don't tell, it is asked for again at the next unlock.
        let is_due = !matches!(self.keys.rotation(), Ok(Rotation::Settled) | Err(_));
        let rotates = is_due.then(|| master.clone());
        let opened = blocking(move || {
            let opened = open_hub(&config, &master, clock, sessions, &opening);
            Ok(opened.map_err(|failure| (failure, master)))
        });
        let opened = opened.await;
        drop(being_opened);
        match (opened, before) {
            (Ok(Ok(opened)), before) => {
                self.serve(opened, before.is_none()).await;
                if let Some(master) = rotates {
                    self.rotate(master);
                }
            }
            (Ok(Err((failure, _))), _) if is_damaged(&failure.error) && reason == REPAIRED => {
                self.past_repair(&failure.error);
            }
            (Ok(Err((failure, master))), _) if is_damaged(&failure.error) => {
                tracing::error!(error = %failure.error, "a person has to decide about a repair");
                self.gate.lock();
                self.state = State::Repairing(Box::new(master));
            }
            (Ok(Err((failure, master))), before) => self.not_opened(&failure, master, before),
            (Err(error), _) => self.fail(&error),
        }
    }

    /// Repairs the disk and opens the hub, or leaves everything as it is.
    pub(super) async fn repair(&mut self, yes: bool) {
        let State::Repairing(master) = std::mem::replace(&mut self.state, State::Fault) else {
            return;
        };
        if !yes {
            self.stop(Fault::Damaged);
            return;
        }
        if self.is_unfit_for_writing() {
            self.stop(Fault::WeakPower);
            return;
        }
        let progress = self.progress(|permille| Phase::Repairing { permille });
        progress(0);
        let disk = Arc::clone(&self.config.disk);
        let repaired = blocking(move || {
            by_passphrase(&master, |passphrase| disk.repair(passphrase, &progress))?;
            Ok(master)
        });
        match repaired.await {
            Ok(master) => {
                // A commit that is lost may have had a time that is not in the store any more, and phones have pulled up to it.
                self.clock.observe(self.clock.peek().plus_millis(AHEAD_AFTER_REPAIR));
                self.open(*master, REPAIRED).await;
                self.tell(News::Repaired);
            }
            Err(error) if is_damaged(&error) => self.past_repair(&error),
            Err(error) => self.fail(&error),
        }
    }

    /// Nobody is told that nothing was changed when a repair was tried.
    fn past_repair(&mut self, error: &ApplianceError) {
        tracing::error!(%error, "the repair was no use");
        self.stop(Fault::Store);
    }

    /// Writes down what the store was found to be, and asks whether it is to be put back where that can be.
    fn not_opened(&mut self, failure: &Failure, master: MasterKey, before: Option<Writer>) {
        if let Some(schema) = failure.schema {
            self.facts.found(schema);
            self.save_facts();
        }
        match before {
            Some(before) if failure.has_copy => {
                tracing::error!(error = %failure.error, "the store does not open after its migration");
                self.gate.lock();
                self.state = State::PuttingBack(Box::new(master), before);
            }
            _ => self.fail(&failure.error),
        }
    }

    /// `settled` says that this is not the first start of a firmware.
    async fn serve(&mut self, opened: Opened, settled: bool) {
        let Opened {
            hub,
            store,
            devices,
            pairing,
            emergency,
            has_cloud,
            notice,
            cloud: taken,
            other_office,
            other_organisation,
            log,
            facts_key,
            backup: access,
            vault,
            tokens,
        } = opened;
        let identity = Identity {
            hub_id: hub.hub_id.clone(),
            key: hub.identity.x25519_public(),
            fingerprint: hub.identity.fingerprint(),
        };
        if settled {
            let store = Arc::clone(&store);
            if let Err(error) = blocking(move || Ok(store.drop_migration_copies()?)).await {
                tracing::warn!(%error, "the copy from before an update could not be removed");
            }
        }
        self.facts.found(SCHEMA_VERSION);
        self.facts.before = None;
        self.facts.hub_id = Some(hub.hub_id.clone());
        self.facts.set_clock(self.clock.peek(), &facts_key);
        self.facts.set_use(&hub.hub_name, devices.in_use());
        self.save_facts();
        let has_staff = store.has_staff().unwrap_or(true);
        let sources = Sources {
            store,
            devices,
            pairing,
            listen: self.listen,
            desk: self.config.desk,
            sensors: self.config.sensors.clone(),
        };
        let readers = super::emergency::readers(&sources.store);
        let auto_lock = AutoLock::new(self.config.lock.clone(), &self.clock, sources.devices.last_call());
        self.let_out(if has_cloud { CloudWay::Open } else { CloudWay::Shut });
        self.opened_store.set(&sources.store);
        let relay = taken
            .access
            .and_then(|access| cloud::start(access, &sources, &vault, taken.is_named));
        let parts = Parts {
            sticks: Arc::clone(&self.config.sticks),
            sensors: self.config.sensors.clone(),
            store: Arc::downgrade(&sources.store),
            clock: Arc::clone(&self.clock),
            vault: vault.path().to_owned(),
            keys: Arc::clone(&self.keys),
            backup: Arc::clone(&access),
            seal: Arc::downgrade(&log.seal),
            hub_id: hub.hub_id.clone(),
            interval: self.config.backup_interval,
            turn: Arc::clone(&self.backup_turn),
        };
        let mut courier = CourierStick::new(courier_stick::Parts {
            sticks: Arc::clone(&self.config.sticks),
            store: Arc::clone(&sources.store),
            seal: Arc::clone(&log.seal),
            hub: OfHub {
                id: hub.hub_id.clone(),
                name: hub.hub_name.clone(),
            },
        });
        if relay.is_none() {
            courier.look();
        }
        let backup = BackupStick::start(parts, self.facts.backed_up_at.map(HubTime::from_millis));
        self.notice = notice;
        let guard = self.guard();
        let hub_name = hub.hub_name.clone();
        self.gate.open(hub);
        self.state = State::Open(Box::new(Serving {
            sources,
            facts_key,
            hub_name,
            vault,
            tokens,
            backup_access: access,
            rotating: None,
            needs_code: false,
            told_of_rotation: None,
            identity,
            paired: VecDeque::new(),
            news: VecDeque::new(),
            told_of_damage: false,
            refused: Vec::new(),
            pairing_since: Instant::now(),
            address: None,
            pin_change: None,
            errand: None,
            work: None,
            guard,
            has_staff,
            relay,
            backup,
            other_cloud: taken.offer,
            allowed_cloud: None,
            courier,
            other_office,
            other_organisation,
            troubles: super::supply::Troubles::default(),
            log: Log::new(log.seal, log.known_break),
            auto_lock,
            emergency,
            readers,
        }));
        self.tell_of_log();
        self.tend_log();
    }

    /// Puts the copy back from before the migration, or leaves everything as it is.
    pub(super) async fn put_back(&mut self, yes: bool) {
        let State::PuttingBack(master, before) = std::mem::replace(&mut self.state, State::Fault) else {
            return;
        };
        if !yes {
            self.stop(Fault::Store);
            return;
        }
        self.show_phase(Phase::Unlocking);
        // First, so that the older firmware finds a store that it may open; it looks for itself all the same.
        self.facts.take_back();
        self.save_facts();
        let (config, schema) = (Arc::clone(&self.config), before.schema);
        match blocking(move || put_back(&config, &master, schema)).await {
            Ok(()) => self.stop(Fault::WasPutBack { needs: before.firmware }),
            Err(error) => self.fail(&error),
        }
    }
}

fn is_damaged(error: &ApplianceError) -> bool {
    matches!(error, ApplianceError::DataDisk(DataDiskError::Damaged))
}
