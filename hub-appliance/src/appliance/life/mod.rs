//! The state machine of the box: one task that takes events in turn.

mod address;
mod auto_lock;
mod backup;
mod board_key;
mod cloud;
mod courier;
mod decisions;
mod disk;
mod emergency;
mod errand;
mod events;
mod first_way;
mod help;
mod key_stick;
mod locking;
mod log;
mod moving;
mod opening;
mod phones;
mod pin_change;
mod pin_way;
mod restoring;
mod rotation;
mod showing;
mod supply;
mod ticks;
mod unlocking;
mod work;

use std::collections::VecDeque;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::MissedTickBehavior;

use self::auto_lock::AutoLock;
use self::board_key::BoardWatch;
use self::disk::{Look, taken};
use self::errand::OnErrand;
pub(super) use self::events::{Event, ServerHooks, report_panics, report_signals};
use self::first_way::FirstWay;
use self::key_stick::{Guard, StickWatch};
use self::log::Log;
use self::moving::OfferedMove;
use self::pin_change::Change;
use self::restoring::Restorable;
use self::supply::Troubles;
use self::work::Work;
use super::backup_stick::BackupStick;
use super::cloud::Offer as OtherCloud;
use super::courier::Offer as OtherOffice;
use super::courier_stick::CourierStick;
use super::facts::{Facts, Writer};
use super::panel_loop::Display;
use super::panics::Panics;
use super::progress::OpenedStore;
use super::rotation::{BackupAccess, Rotating, Trouble};
use super::status::Sources;
use super::token_keys::TokenTurn;
use super::vault_file::VaultFile;
use super::{ApplianceError, Config, Ending, built_at};
use crate::clock::{HubClock, LateClock};
use crate::keys::{KeyStore, MasterKey, Organisation, Prepared, RecoveryCode};
use crate::panel::{Action, EmergencyReader, Fault, Identity, Lacks, Language, News, Notice, PairedPhone, Phase};
use crate::procedures::Emergency;
use crate::relay::Relay;
use crate::secret::{Secret, wiping_stack};
use crate::server::Gate;
use crate::store::devices::DeviceNumber;
use crate::system::cloud_way::CloudWay;
use crate::system::data_disk::{DataDiskError, DiskState, Offer, Rival};
use crate::system::sticks::Stick;
use crate::wire::session::{SessionLimits, SessionTable};

/// Wrong PINs without a wait; the next one brings the first.
const FREE_TRIES: u32 = 4;
/// How often the wait after wrong PINs is counted down, and pairing is looked at.
const TICK: Duration = Duration::from_secs(1);
/// How often the disk is looked for, in ticks.
const WATCH: u32 = 2;

/// Where the hub is in its life, with what belongs to it there.
enum State {
    SetUp,
    /// A person has to allow one of these, or its like, to be made the data disk; the first is asked for.
    Choosing(Vec<Offer>),
    /// The disk with the records is not plugged in. A person may begin a new, empty hub, after being asked twice.
    DiskAway {
        begins_anew: bool,
    },
    /// There are several data disks; a person chooses one, and is asked about the one at this place.
    WhichDisk {
        rivals: Vec<Rival>,
        at: usize,
    },
    /// A person decides whether the records are moved here from an old card.
    OfferingMove(OfferedMove),
    /// The keys are made, and are written once the person has the recovery code.
    Confirming(Box<Prepared>),
    Locked,
    /// Unlocked by the recovery code; the lost PIN is to be replaced.
    ChoosingPin(Box<MasterKey>),
    /// The PIN was replaced, and the recovery code is to be before the hub opens.
    Renewing(Box<MasterKey>, RecoveryCode),
    /// A person decides whether a backup is restored.
    OfferingRestore(Box<Restorable>),
    /// The recovery code of its day is asked for.
    RestoreCode(Box<Restorable>),
    /// It is opened; the hub gets a new PIN.
    RestorePin(Box<Restorable>, Box<MasterKey>),
    /// The new keys are made, and are written after the records, once the person has the new recovery code.
    RestoreConfirming(Box<Restorable>, Box<Prepared>),
    Open(Box<Serving>),
    /// The disk is to be repaired before the records can be opened; a person decides whether it is.
    Repairing(Box<MasterKey>),
    /// The store does not open since this firmware migrated it; a person decides whether its copy is put back.
    PuttingBack(Box<MasterKey>, Writer),
    Off,
    /// The box is to start anew.
    Restarting,
    Fault,
}

/// What the keys room says of wrong PINs.
struct Tries {
    wait: Duration,
    failures: u32,
    left: u32,
}

/// What the appliance keeps of an open hub, beside what the gate holds.
struct Serving {
    sources: Sources,
    /// Seals what the public facts say.
    facts_key: Secret<32>,
    /// What the hub is called.
    hub_name: String,
    vault: Arc<VaultFile>,
    tokens: TokenTurn,
    backup_access: Arc<BackupAccess>,
    /// Set while another master key takes the place of the present one.
    rotating: Option<Rotating>,
    /// Whether that waits until the recovery code is another.
    needs_code: bool,
    /// What a person was told is in its way.
    told_of_rotation: Option<Trouble>,
    identity: Identity,
    /// Phones that a person has not answered for, first come, first asked about.
    paired: VecDeque<PairedPhone>,
    /// What a person has not seen yet.
    news: VecDeque<News>,
    /// Whether a person was told of records that can't be read.
    told_of_damage: bool,
    /// Phones that are refused in memory alone, because that could not be written yet.
    refused: Vec<DeviceNumber>,
    pairing_since: Instant,
    /// Where the hub was when that was last looked up.
    address: Option<SocketAddrV4>,
    pin_change: Option<Change>,
    errand: Option<OnErrand>,
    /// What is being done for a person just now.
    work: Option<Work>,
    /// Set while the hub rests on a stick with a key.
    guard: Option<Guard>,
    /// Whether there is anybody who could log in; once there is, only a file of staff can change that.
    has_staff: bool,
    /// None where nobody has named a cloud.
    relay: Option<Relay>,
    /// None where there is no thread for it.
    backup: Option<BackupStick>,
    /// Another cloud that the owner's file names.
    other_cloud: Option<OtherCloud>,
    /// The same, where a person allowed it and it could not be taken over yet.
    allowed_cloud: Option<OtherCloud>,
    courier: CourierStick,
    /// Another office to carry records to that the owner's file names.
    other_office: Option<OtherOffice>,
    /// Another organisation to open the backups that the owner's file names.
    other_organisation: Option<Organisation>,
    /// What was written down of the board's supply.
    troubles: Troubles,
    log: Log,
    auto_lock: AutoLock,
    /// Whether staff may read any record.
    emergency: Arc<Emergency>,
    /// Who read by the last emergency access, until a person has seen it.
    readers: Option<Arc<[EmergencyReader]>>,
}

impl Serving {
    /// Has the public facts say what the clock shows, and who uses the disk.
    fn note_in(&self, facts: &mut Facts, clock: &HubClock) {
        facts.set_clock(clock.peek(), &self.facts_key);
        facts.set_use(&self.hub_name, self.sources.devices.in_use());
    }
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
    /// How a new hub is to be unlocked.
    first_way: FirstWay,
    /// What a person allowed to be made the data disk.
    allowed: Option<u64>,
    /// Where a person allowed the records to be moved to, as soon as there is a key to them.
    moves: Option<u64>,
    /// Whether the process is to end, so that the hub starts anew with another disk.
    starts_anew: bool,
    /// What a person has to be told once: at the start, then of what came up while the hub opened.
    notice: Option<Notice>,
    /// How it is with the disk, where the hub can't go on before that changes.
    waits_for_disk: Option<DiskState>,
    panics: Arc<Panics>,
    /// Whether it is for them that the hub is shut.
    kept_shut: bool,
    ticks: u32,
    waited_at: Instant,
    /// How many of the panel's actions are dealt with.
    answered: u64,
    /// Whether the one that the hub is at work for is the next of them.
    owes_answer: bool,
    /// Those after it.
    decisions: VecDeque<Action>,
    /// Wrong PINs before the right one, for the audit log.
    wrong_pins: u32,
    /// For the watch over its writer.
    opened_store: OpenedStore,
    events: UnboundedSender<Event>,
    stick_watch: StickWatch,
    /// The stick whose key opens the hub just now.
    key_stick: Option<Stick>,
    board_watch: BoardWatch,
    /// What the panel said last that is missing.
    told_of: Lacks,
    /// The sticks that were looked at for a backup to restore, by their tokens.
    looked_at: Vec<u64>,
    /// Held by whoever makes backups.
    backup_turn: Arc<Mutex<()>>,
}

impl Life {
    /// A hub before its first event.
    pub(super) fn new(
        config: Config,
        listen: SocketAddr,
        gate: Arc<Gate>,
        display: Display,
        opened_store: OpenedStore,
        panics: Arc<Panics>,
        events: UnboundedSender<Event>,
    ) -> Self {
        let keys = KeyStore::at(config.keys_folder());
        let facts = Facts::load(&config.keys_folder());
        let clock = HubClock::new(Box::new(LateClock(config.clock_behind)), built_at());
        Self {
            notice: config.notice.clone(),
            config: Arc::new(config),
            listen,
            gate,
            display,
            keys: Arc::new(keys),
            clock: Arc::new(clock),
            facts,
            sessions: Arc::new(SessionTable::new(SessionLimits::default())),
            state: State::SetUp,
            first_way: FirstWay::default(),
            allowed: None,
            moves: None,
            starts_anew: false,
            waits_for_disk: None,
            panics,
            kept_shut: false,
            ticks: 0,
            waited_at: Instant::now(),
            answered: 0,
            owes_answer: false,
            decisions: VecDeque::new(),
            wrong_pins: 0,
            opened_store,
            events,
            stick_watch: StickWatch::default(),
            key_stick: None,
            board_watch: BoardWatch::default(),
            told_of: Lacks::Nothing,
            looked_at: Vec::new(),
            backup_turn: Arc::default(),
        }
    }

    /// Finds out whether the hub is set up or locked, or has to stay shut.
    async fn begin(&mut self) {
        // A hub before this one may have ended without a word.
        self.let_out(CloudWay::Shut);
        self.kept_shut = self.panics.are_too_many();
        match self.keys.is_set_up() {
            Ok(true) => {
                self.gate.lock();
                self.state = State::Locked;
            }
            Ok(false) => self.state = State::SetUp,
            Err(error) => return self.fail(&error.into()),
        }
        if self.kept_shut {
            self.stop(Fault::Restarts);
        } else {
            self.take_stock().await;
            if matches!(self.state, State::SetUp) {
                // What a person is offered first is all that there is.
                self.ask_board().await;
                self.board_is_told_of();
            }
            self.show();
        }
    }

    /// Lives until the hub is to end, and locks it then.
    pub(super) async fn live(mut self, mut events: UnboundedReceiver<Event>) -> Result<Ending, ApplianceError> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.begin().await;
        let mut look: Option<Look> = None;
        loop {
            self.follow_decisions().await?;
            match self.state {
                State::Off => return Ok(Ending::PowerOff),
                State::Restarting => return Ok(Ending::Restart),
                _ => {}
            }
            tokio::select! {
                next = work::ended(&mut self.state) => if let Some(next) = next {
                    next(&mut self);
                },
                event = events.recv() => match event {
                    Some(Event::Decided(action)) => self.decisions.push_back(action),
                    Some(Event::Paired(phone)) => self.paired(&phone),
                    Some(Event::NotPaired(obstacle)) => self.tell(News::NotPaired(obstacle)),
                    Some(Event::KeyStick(stick, key)) => self.stick_put_in(stick, key).await,
                    Some(Event::KeyTaken(token)) => self.stick_taken_out(token).await?,
                    Some(Event::Rotated(facts_key)) => self.rotated(facts_key),
                    Some(Event::Panicked) => if self.panicked().await? {
                        return Ok(Ending::Restart);
                    },
                    Some(Event::Quit) | None => break,
                },
                _ = ticks.tick() => {
                    self.tick().await?;
                    if self.starts_anew {
                        break;
                    }
                    if look.is_none() && self.ticks.is_multiple_of(WATCH) {
                        look = self.look_at_disk();
                    }
                }
                seen = taken(&mut look) => if self.saw_disk(seen).await? {
                    break;
                },
            }
        }
        self.lock().await?;
        Ok(Ending::Told)
    }

    /// Locks, and says whether the box is to start anew. It stays as it is after too many panics, for to start anew did
    /// not help; where they can't be counted over a restart, for that would go on for ever; and on somebody's desk.
    async fn panicked(&mut self) -> Result<bool, ApplianceError> {
        self.lock().await?;
        self.kept_shut = self.panics.are_too_many();
        if self.kept_shut {
            self.stop(Fault::Restarts);
        } else {
            self.show();
        }
        let are_counted = self.panics.are_written() && self.keys.is_set_up().unwrap_or(false);
        Ok(are_counted && !self.kept_shut && !self.config.desk)
    }

    fn set_language(&mut self, language: Language) {
        if matches!(self.state, State::SetUp) {
            self.forget_first_way();
        }
        self.facts.language = Some(language.code().into());
        self.save_facts();
    }

    /// Has the firewall let the hub out to the cloud, or no more. To be called with [`CloudWay::Open`] whenever the vault of
    /// an open hub gets a cloud, and with [`CloudWay::Shut`] when it has none any more; opening and locking see to
    /// themselves.
    fn let_out(&self, way: CloudWay) {
        let asked = self.config.cloud_way.as_ref().map_or(Ok(()), |pipe| way.ask(pipe));
        if let Err(error) = asked {
            tracing::error!(%error, ?way, "the way to the cloud stays as it is");
        }
    }

    /// Writes the public facts down so that another hub that only looks at the disk can read them, whatever happens next.
    fn save_facts(&self) {
        let keys = self.config.keys_folder();
        let saved = self.facts.save(&keys);
        if let Err(error) = saved.and_then(|()| Ok(self.config.disk.settle(&keys)?)) {
            tracing::error!(%error, "the public facts could not be written");
        }
    }

    fn fail(&mut self, error: &ApplianceError) {
        tracing::error!(%error, "the hub cannot go on");
        if let ApplianceError::DataDisk(DataDiskError::State(state)) = error {
            return self.wait_for_disk(*state);
        }
        let fault = error.fault(self.facts.needed());
        self.stop(fault);
    }

    /// Stays locked and says why.
    fn stop(&mut self, fault: Fault) {
        self.gate.lock();
        self.state = State::Fault;
        self.show_phase(Phase::Fault(fault));
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApplianceError> + Send + 'static,
) -> Result<T, ApplianceError> {
    tokio::task::spawn_blocking(|| wiping_stack(work))
        .await
        .unwrap_or(Err(ApplianceError::Panicked))
}
