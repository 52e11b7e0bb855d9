//! The state machine of the box: one task that takes events in turn.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::MissedTickBehavior;

use super::facts::Facts;
use super::open::{Opened, open_hub};
use super::panel_loop::Display;
use super::status::Sources;
use super::{ApplianceError, Config, VERSION, firmware_clock};
use crate::clock::HubClock;
use crate::keys::{KdfCost, KeyStore, KeysError, MasterKey, Pin, Prepared, RecoveryCode, UnlockError};
use crate::panel::{self, About, Action, Fault, Identity, OpenStatus, PairedPhone, Phase, Status};
use crate::secret::SecretText;
use crate::server::{Draining, Gate, Hooks, OpenHub, PairedPhone as Paired};
use crate::store::audit::Entry;
use crate::store::devices::{DeviceNumber, PairError};
use crate::system::data_disk::{DataDisk, DataDiskError};
use crate::wire::session::{SessionLimits, SessionTable};

/// Wrong PINs without a wait; the next one brings the first.
const FREE_TRIES: u32 = 4;
/// How often the wait after wrong PINs is counted down, and pairing is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the figures on the home screen are looked up, in ticks.
const REFRESH: u32 = 10;
/// How often the clock and the devices' last calls are written down, in ticks.
const SAVE: u32 = 600;
/// How long pairing that a person keeps open goes on at most.
const PAIRING_KEPT: Duration = Duration::from_secs(15 * 60);
/// How long requests may go on after the gate is closed, before the store interrupts them.
const DRAIN: Duration = Duration::from_millis(700);
/// How long all of locking may take.
const LOCK: Duration = Duration::from_secs(2);
/// So many panics within [`PANIC_WINDOW`] keep the hub locked until it is switched off and on.
const PANICS: usize = 3;
const PANIC_WINDOW: Duration = Duration::from_secs(10 * 60);

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A person decided something at the panel.
    Decided(Action),
    /// A phone has paired.
    Paired(Paired),
    /// There was a panic somewhere.
    Panicked,
    /// The hub is to end.
    Quit,
}

/// What the server reports, as events.
pub(super) struct ServerHooks(UnboundedSender<Event>);

impl ServerHooks {
    pub(super) const fn new(events: UnboundedSender<Event>) -> Self {
        Self(events)
    }
}

impl Hooks for ServerHooks {
    fn paired(&self, phone: &Paired) {
        // Here and below: the receiver is gone only when the hub ends anyway.
        let _ = self.0.send(Event::Paired(phone.clone()));
    }

    fn not_paired(&self, reason: &PairError) {
        tracing::warn!(%reason, "a phone could not be paired");
    }

    fn panicked(&self, correlation: u64) {
        tracing::error!(correlation, "a request ended with a panic");
    }
}

/// Turns every panic of the process into an event. What a panic says may hold anything, so only its place is logged.
pub(super) fn report_panics(events: UnboundedSender<Event>) {
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic
            .location()
            .map_or((String::new(), 0), |place| (place.file().to_owned(), place.line()));
        tracing::error!(file = place.0, line = place.1, "panic");
        let _ = events.send(Event::Panicked);
    }));
}

/// Turns SIGTERM and SIGINT into events.
pub(super) fn report_signals(events: &UnboundedSender<Event>) -> Result<(), ApplianceError> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).map_err(ApplianceError::System)?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                let _ = events.send(Event::Quit);
            }
        });
    }
    Ok(())
}

/// Where the hub is in its life, with what belongs to it there.
enum State {
    SetUp,
    /// The keys are made, and are written once the person has the recovery code.
    Confirming(Box<Prepared>),
    Locked,
    /// Unlocked by the recovery code, which is to be replaced before the hub opens.
    Renewing(Box<MasterKey>, RecoveryCode),
    Open(Box<Serving>),
    Fault,
}

/// What the appliance keeps of an open hub, beside what the gate holds.
struct Serving {
    sources: Sources,
    identity: Identity,
    paired: Option<PairedPhone>,
    pairing_since: Instant,
}

/// The life of one box.
pub(super) struct Life {
    config: Arc<Config>,
    listen: SocketAddr,
    gate: Arc<Gate>,
    display: Display,
    keys: Arc<KeyStore>,
    clock: Arc<HubClock>,
    facts: Facts,
    /// One for the whole life: it remembers messages across a lock, so that none can be replayed.
    sessions: Arc<SessionTable>,
    state: State,
    panics: Vec<Instant>,
    ticks: u32,
    waited_at: Instant,
}

impl Life {
    /// A hub before its first event: not set up, or locked.
    pub(super) fn new(
        config: Config,
        listen: SocketAddr,
        gate: Arc<Gate>,
        display: Display,
    ) -> Result<Self, ApplianceError> {
        let keys = KeyStore::at(config.keys_folder());
        let facts = Facts::load(&config.keys_folder());
        let clock = firmware_clock();
        clock.observe(facts.clock());
        let state = if keys.is_set_up()? {
            gate.lock();
            State::Locked
        } else {
            State::SetUp
        };
        Ok(Self {
            config: Arc::new(config),
            listen,
            gate,
            display,
            keys: Arc::new(keys),
            clock: Arc::new(clock),
            facts,
            sessions: Arc::new(SessionTable::new(SessionLimits::default())),
            state,
            panics: Vec::new(),
            ticks: 0,
            waited_at: Instant::now(),
        })
    }

    /// Lives until the hub is to end, and locks it then.
    pub(super) async fn live(mut self, mut events: UnboundedReceiver<Event>) -> Result<(), ApplianceError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.look_for_disk().await;
        self.show();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(Event::Decided(action)) => self.decide(action).await?,
                    Some(Event::Paired(phone)) => self.paired(&phone),
                    Some(Event::Panicked) => self.panicked().await?,
                    Some(Event::Quit) | None => break,
                },
                _ = ticks.tick() => self.tick().await,
            }
        }
        self.lock().await
    }

    /// Without a disk to set up or to unlock there is nothing to ask a person for.
    async fn look_for_disk(&mut self) {
        let disk = Arc::clone(&self.config.disk);
        match blocking(move || Ok(disk.state()?)).await {
            Ok(state) if state.is_usable() => {}
            Ok(state) => self.fail(&DataDiskError::State(state).into()),
            Err(error) => self.fail(&error),
        }
    }

    async fn decide(&mut self, action: Action) -> Result<(), ApplianceError> {
        match action {
            Action::SetUp { pin } => self.set_up(pin).await,
            Action::RecoveryConfirmed => self.recovery_confirmed().await,
            Action::Unlock { pin } => self.unlock(pin).await,
            Action::UnlockWithRecovery { code } => self.unlock_with_recovery(&code).await,
            Action::Lock => self.lock().await?,
            Action::OpenPairing | Action::ClosePairing | Action::KeepPairingOpen(_) => self.change_pairing(&action),
            Action::KeepPhone(number) => self.settle_phone(number),
            Action::UndoPhone(number) => self.undo_phone(number).await,
        }
        self.show();
        Ok(())
    }

    async fn set_up(&mut self, pin: SecretText) {
        if !matches!(self.state, State::SetUp) {
            return;
        }
        self.show_phase(Phase::SettingUp);
        let (target, clock) = (self.config.unlock_time, Arc::clone(&self.clock));
        let prepared = blocking(move || {
            let pin = Pin::parse(pin.expose()).map_err(|_| ApplianceError::Panicked)?;
            let cost = KdfCost::calibrate(target).map_err(KeysError::from)?;
            Ok(Prepared::new(&pin, cost, clock.now())?)
        });
        match prepared.await {
            Ok(prepared) => self.state = State::Confirming(Box::new(prepared)),
            Err(error) => self.fail(&error),
        }
    }

    async fn recovery_confirmed(&mut self) {
        match std::mem::replace(&mut self.state, State::Fault) {
            State::Confirming(prepared) => {
                self.show_phase(Phase::SettingUp);
                let (keys, disk) = (Arc::clone(&self.keys), Arc::clone(&self.config.disk));
                let committed = blocking(move || {
                    disk.format(&prepared.luks_passphrase())?;
                    Ok(prepared.commit(&keys)?)
                });
                match committed.await {
                    Ok(master) => self.open(master, "set-up").await,
                    Err(error) => self.fail(&error),
                }
            }
            State::Renewing(master, code) => {
                self.show_phase(Phase::Unlocking);
                let (keys, clock, target) = (Arc::clone(&self.keys), Arc::clone(&self.clock), self.config.unlock_time);
                let renewed = blocking(move || {
                    let cost = KdfCost::calibrate(target).map_err(KeysError::from)?;
                    keys.change_recovery(&master, &code, cost, clock.now())?;
                    Ok(master)
                });
                match renewed.await {
                    Ok(master) => self.open(*master, "unlock.recovery").await,
                    Err(error) => self.fail(&error),
                }
            }
            other => self.state = other,
        }
    }

    async fn unlock(&mut self, pin: SecretText) {
        if !matches!(self.state, State::Locked) {
            return;
        }
        self.show_phase(Phase::Unlocking);
        let keys = Arc::clone(&self.keys);
        // A PIN that no PIN can be is refused like a wrong one, but needs no try: it says nothing of the right one.
        let unlocked = blocking_unlock(move || match Pin::parse(pin.expose()) {
            Ok(pin) => keys.unlock_with_pin(&pin).map(Some),
            Err(_) => Ok(None),
        });
        match unlocked.await {
            Ok(Some(master)) => self.open(master, "unlock").await,
            Ok(None) | Err(Refused::Again) => {}
            Err(Refused::Failed(error)) => self.fail(&error),
        }
    }

    async fn unlock_with_recovery(&mut self, code: &panel::RecoveryCode) {
        if !matches!(self.state, State::Locked) {
            return;
        }
        self.show_phase(Phase::Unlocking);
        let groups: Vec<_> = (0..panel::RecoveryCode::GROUPS)
            .map(|index| SecretText::new(code.group(index)))
            .collect();
        let keys = Arc::clone(&self.keys);
        let unlocked = blocking_unlock(
            move || match RecoveryCode::parse(groups.iter().map(SecretText::expose)) {
                Ok(code) => keys.unlock_with_recovery(&code).map(Some),
                Err(_) => Ok(None),
            },
        );
        match unlocked.await {
            Ok(Some(master)) => match RecoveryCode::generate() {
                Ok(code) => self.state = State::Renewing(Box::new(master), code),
                Err(error) => self.fail(&error.into()),
            },
            Ok(None) | Err(Refused::Again) => {}
            Err(Refused::Failed(error)) => self.fail(&error),
        }
    }

    /// Opens vault and store and lets the phones in.
    async fn open(&mut self, master: MasterKey, reason: &'static str) {
        let (config, clock) = (Arc::clone(&self.config), Arc::clone(&self.clock));
        let sessions = Arc::clone(&self.sessions);
        match blocking(move || open_hub(&config, &master, clock, sessions, reason)).await {
            Ok(opened) => self.serve(opened),
            Err(error) => self.fail(&error),
        }
    }

    fn serve(&mut self, opened: Opened) {
        let Opened {
            hub,
            store,
            devices,
            pairing,
        } = opened;
        let identity = Identity {
            hub_id: hub.hub_id.clone(),
            fingerprint: hub.identity.fingerprint(),
        };
        let sources = Sources {
            store,
            devices,
            pairing,
            listen: self.listen,
            desk: self.config.desk,
            data: self.config.store_folder(),
        };
        self.facts.firmware = Some(VERSION.into());
        self.save_facts();
        self.gate.open(hub);
        self.state = State::Open(Box::new(Serving {
            sources,
            identity,
            paired: None,
            pairing_since: Instant::now(),
        }));
    }

    /// Closes the gate and the store and wipes the keys, in that order.
    async fn lock(&mut self) -> Result<(), ApplianceError> {
        if !matches!(self.state, State::Open(_)) {
            self.state = match std::mem::replace(&mut self.state, State::Locked) {
                State::Renewing(..) => State::Locked,
                other => other,
            };
            return Ok(());
        }
        self.show_phase(Phase::Locking);
        let draining = self.gate.lock();
        let State::Open(serving) = std::mem::replace(&mut self.state, State::Locked) else {
            return Ok(());
        };
        self.facts.clock = self.clock.peek().millis();
        self.save_facts();
        let locked = tokio::time::timeout(LOCK, close(*serving, draining, Arc::clone(&self.config.disk))).await;
        match locked {
            Ok(Some(hub)) => {
                hub.sessions.clear();
                Ok(())
            }
            // Somebody still holds keys: only the end of the process is sure to wipe them.
            Ok(None) | Err(_) => Err(ApplianceError::LockTimeout),
        }
    }

    async fn panicked(&mut self) -> Result<(), ApplianceError> {
        let now = Instant::now();
        self.panics.retain(|panic| now.duration_since(*panic) < PANIC_WINDOW);
        self.panics.push(now);
        self.lock().await?;
        if self.panics.len() >= PANICS {
            self.state = State::Fault;
            self.show_phase(Phase::Fault(Fault::Restarts));
        } else {
            self.show();
        }
        Ok(())
    }

    fn change_pairing(&mut self, action: &Action) {
        let State::Open(serving) = &mut self.state else { return };
        let pairing = &serving.sources.pairing;
        match action {
            Action::OpenPairing => {
                pairing.open(Instant::now());
                serving.pairing_since = Instant::now();
            }
            Action::KeepPairingOpen(keep) => pairing.set_keep_open(*keep),
            _ => pairing.close(),
        }
    }

    fn paired(&mut self, phone: &Paired) {
        let State::Open(serving) = &mut self.state else { return };
        let number = panel_number(phone.device);
        serving.paired = Some(PairedPhone {
            number,
            name: phone.name.clone(),
        });
        let address = serving.sources.look().address.map(|address| *address.ip());
        if self.facts.address != address {
            self.facts.address = address;
            self.save_facts();
        }
        self.show();
    }

    fn settle_phone(&mut self, number: u32) {
        if let State::Open(serving) = &mut self.state {
            serving.paired.take_if(|phone| phone.number == number);
        }
    }

    async fn undo_phone(&mut self, number: u32) {
        let State::Open(serving) = &self.state else { return };
        let devices = Arc::clone(&serving.sources.devices);
        let undone = blocking(move || Ok(devices.unpair(DeviceNumber(i64::from(number)))?)).await;
        if let Err(error) = undone {
            tracing::error!(%error, "a pairing could not be taken back");
            return;
        }
        self.settle_phone(number);
    }

    async fn tick(&mut self) {
        self.ticks = self.ticks.wrapping_add(1);
        let elapsed = self.waited_at.elapsed();
        self.waited_at = Instant::now();
        match &self.state {
            State::Locked => {
                let before = self.keys.wait_remaining();
                if !before.is_zero() {
                    self.serve_wait(elapsed);
                }
            }
            State::Open(_) => self.tick_open().await,
            _ => {}
        }
        if self.ticks.is_multiple_of(SAVE) {
            self.facts.clock = self.clock.peek().millis();
            self.save_facts();
        }
    }

    fn serve_wait(&mut self, elapsed: Duration) {
        match self.keys.serve_wait(elapsed) {
            Ok(left) if left.is_zero() => self.show(),
            Ok(_) => {}
            Err(error) => self.fail(&error.into()),
        }
    }

    async fn tick_open(&mut self) {
        let State::Open(serving) = &self.state else { return };
        let pairing = serving.sources.pairing();
        if let Some(status) = pairing
            && status.keep_open
            && status.seconds_left <= 2
            && serving.pairing_since.elapsed() < PAIRING_KEPT
        {
            serving.sources.pairing.open(Instant::now());
            serving.sources.pairing.set_keep_open(true);
        }
        if pairing.is_some() || self.ticks.is_multiple_of(REFRESH) {
            self.show();
        }
        if self.ticks.is_multiple_of(SAVE) {
            let State::Open(serving) = &self.state else { return };
            let devices = Arc::clone(&serving.sources.devices);
            if let Err(error) = blocking(move || Ok(devices.save_last_seen()?)).await {
                tracing::error!(%error, "the devices' last calls could not be written down");
            }
        }
    }

    fn save_facts(&self) {
        if let Err(error) = self.facts.save(&self.config.keys_folder()) {
            tracing::error!(%error, "the public facts could not be written");
        }
    }

    fn fail(&mut self, error: &ApplianceError) {
        tracing::error!(%error, "the hub cannot go on");
        let fault = error.fault(self.facts.firmware.as_deref());
        self.gate.lock();
        self.state = State::Fault;
        self.show_phase(Phase::Fault(fault));
    }

    /// Shows where the hub is. A fault stays on the panel as it was shown when it happened.
    fn show(&self) {
        let phase = match &self.state {
            State::SetUp => Phase::SetUp,
            State::Confirming(prepared) => confirming(prepared.recovery()),
            State::Renewing(_, code) => confirming(code),
            State::Locked => {
                let failures = self.keys.failures();
                Phase::Locked {
                    wait: self.keys.wait_remaining(),
                    failures,
                    tries_left: FREE_TRIES.saturating_sub(failures).max(1),
                }
            }
            State::Open(serving) => Phase::Open(self.open_status(serving)),
            State::Fault => return,
        };
        self.show_phase(phase);
    }

    fn open_status(&self, serving: &Serving) -> OpenStatus {
        let status = serving.sources.look();
        let moved = status
            .address
            .is_some_and(|address| self.facts.address.is_some_and(|known| known != *address.ip()));
        OpenStatus {
            previous_address: self.facts.address.filter(|_| moved),
            paired: serving.paired.clone(),
            ..status
        }
    }

    fn show_phase(&self, phase: Phase) {
        let identity = match &self.state {
            State::Open(serving) => Some(serving.identity.clone()),
            _ => None,
        };
        self.display.set(Status {
            phase,
            about: About {
                version: VERSION.into(),
                identity,
            },
        });
    }
}

/// The recovery code as the panel shows it, and two groups by chance to be typed back.
fn confirming(code: &RecoveryCode) -> Phase {
    let groups = code.groups();
    let numbers = std::array::from_fn(|index| RecoveryCode::parse_group(groups[index].expose()).unwrap_or(0));
    let code = panel::RecoveryCode::new(numbers);
    Phase::Confirming {
        ask: two_groups(),
        code,
    }
}

/// Two different groups, by chance. Without a random source they are always the same two, which asks no less.
fn two_groups() -> [usize; 2] {
    let chance = usize::try_from(getrandom::u32().unwrap_or(0)).unwrap_or(0);
    let first = chance % panel::RecoveryCode::GROUPS;
    let step = 1 + (chance / panel::RecoveryCode::GROUPS) % (panel::RecoveryCode::GROUPS - 1);
    [first, (first + step) % panel::RecoveryCode::GROUPS]
}

/// Closes the store: at once when the last request has left, or else when their time is over, which interrupts them.
/// Gives back what the gate held, if nobody holds it any more.
async fn close(serving: Serving, draining: Option<Draining>, disk: Arc<dyn DataDisk>) -> Option<OpenHub> {
    let draining = draining?;
    let mut left = pin!(draining.drained(LOCK));
    let hub = tokio::time::timeout(DRAIN, &mut left).await;
    let closed = tokio::task::spawn_blocking(move || close_store(serving.sources, &*disk)).await;
    let hub = match hub {
        Ok(hub) => hub,
        Err(_) => left.await,
    };
    hub.ok().filter(|_| closed.unwrap_or(false))
}

/// Whether the store was closed in time, and the disk after it.
fn close_store(sources: Sources, disk: &dyn DataDisk) -> bool {
    let Sources { store, devices, .. } = sources;
    if let Err(error) = devices.save_last_seen() {
        tracing::error!(%error, "the devices' last calls could not be written down");
    }
    let entry = Entry {
        action: "lock",
        outcome: "ok",
        ..Entry::default()
    };
    if let Err(error) = store.write(move |tx| tx.audit(&entry)) {
        tracing::error!(%error, "locking could not be written down");
    }
    if !store.close(DRAIN) {
        return false;
    }
    let closed = disk.close();
    if let Err(error) = &closed {
        tracing::error!(%error, "the data disk could not be closed");
    }
    closed.is_ok()
}

fn panel_number(device: DeviceNumber) -> u32 {
    u32::try_from(device.0).unwrap_or(0)
}

/// Why an unlocking came to nothing.
enum Refused {
    /// It was wrong, or has to wait: the panel shows what the keys say.
    Again,
    /// It could not be tried.
    Failed(ApplianceError),
}

async fn blocking_unlock<T: Send + 'static>(
    unlock: impl FnOnce() -> Result<T, UnlockError> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(unlock).await {
        Ok(Ok(unlocked)) => Ok(unlocked),
        Ok(Err(UnlockError::Wrong { .. } | UnlockError::Wait { .. })) => Err(Refused::Again),
        Ok(Err(UnlockError::Keys(error))) => Err(Refused::Failed(error.into())),
        Err(_) => Err(Refused::Failed(ApplianceError::Panicked)),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApplianceError> + Send + 'static,
) -> Result<T, ApplianceError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(ApplianceError::Panicked))
}
