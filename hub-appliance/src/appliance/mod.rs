//! The life of the box: Setup → Locked → Unlocking → Open → Locking.
//!
//! The only owner of the keys, the open store and the server's gate. Events (a person's decision at the panel, a phone
//! that paired, a signal, the passing of time) go in; the gate is switched and the panel is told.
#![forbid(unsafe_code)]

pub mod audit;
pub mod backup;
mod backup_stick;
mod cloud;
pub mod courier;
mod courier_stick;
pub mod desk;
mod error;
pub mod export;
mod facts;
pub mod held;
pub mod import;
mod life;
mod open;
mod organisation;
mod panel_loop;
mod panics;
mod progress;
pub mod restore;
mod rotation;
mod staff;
mod status;
mod stick_thread;
mod stick_use;
mod token_keys;
mod vault_file;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

pub use error::ApplianceError;
use facts::Facts;
use life::{Event, Life};
pub use open::OpenStore;
use panel_loop::Display;
use panics::Panics;
use progress::{Beats, OpenedStore};

use crate::board::Board;
use crate::clock::{HubClock, HubTime, SystemClock};
use crate::panel::{About, Fault, Language, Notice, Numerals, Phase, Status};
use crate::server::{Gate, Limits, Server, ServerHandle};
use crate::setup_file::LockSetup;
use crate::store::StoreLock;
use crate::system::board_key::{BoardKey, NoBoardKey};
use crate::system::data_disk::{DataDisk, Folder};
use crate::system::release::Release;
use crate::system::sticks::{NoSticks, Sticks};
use crate::system::supply::Sensors;

/// The firmware's version. That of a test's next firmware says so.
pub const VERSION: &str = if cfg!(feature = "next-schema") {
    concat!(env!("CARGO_PKG_VERSION"), "+next")
} else {
    env!("CARGO_PKG_VERSION")
};

/// The time that no hub clock is ever below, epoch seconds: when the firmware was built, as far as its builder says
/// (`SOURCE_DATE_EPOCH`), else when this version was begun.
const BUILT_AT: Option<&str> = option_env!("SOURCE_DATE_EPOCH");
const BEGUN_AT: i64 = 1_795_219_200;

/// How the hub is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of its data: `keys/` (the mounted `HUBKEYS`) and `store/` (the mounted `HUBDATA`).
    pub data: PathBuf,
    /// The disk that is mounted there.
    pub disk: Arc<dyn DataDisk>,
    /// The USB sticks that it can reach.
    pub sticks: Arc<dyn Sticks>,
    /// The board's own key.
    pub board_key: Arc<dyn BoardKey>,
    /// How often what was committed goes to the backup stick while that is in.
    pub backup_interval: Duration,
    /// Where the phones' port is opened.
    pub listen: SocketAddr,
    /// A bundle to import once, when the store is opened and still empty.
    pub first_import: Option<PathBuf>,
    /// The owner's `hub-setup.toml`, for what of it is read at an unlock; it need not be there.
    pub setup_file: Option<PathBuf>,
    /// How long a PIN is to take to check: the key derivation's cost is set by it when a slot is made.
    pub unlock_time: Duration,
    /// How far the system's clock is behind: a box without network and clock chip begins in 1970.
    pub clock_behind: Duration,
    /// What the server allows.
    pub limits: Limits,
    /// The panel's language until a person chooses one.
    pub language: Language,
    /// The telephone number that the panel shows where somebody has to be called.
    pub help: Option<String>,
    /// With which digits the panel writes figures.
    pub numerals: Numerals,
    /// What the panel tells a person once, at the start.
    pub notice: Option<Notice>,
    /// When the hub locks by itself.
    pub lock: LockSetup,
    /// Phones may run on this very machine: without a network, its loopback is the hub's address.
    pub desk: bool,
    /// A file that gets a new number for as long as all parts of the hub move on: what a watchdog is fed by.
    pub progress: Option<PathBuf>,
    /// The named pipe of the service that lets the hub out to the cloud; where there is none nothing keeps it in.
    pub cloud_way: Option<PathBuf>,
    /// Where the kernel tells of the board's supply and heat.
    pub sensors: Sensors,
    /// The image that the system runs from.
    pub release: Release,
}

impl Config {
    /// A hub with its data in the folder `data`, with no disk of its own, otherwise as the appliance runs.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            disk: Arc::new(Folder),
            sticks: Arc::new(NoSticks),
            board_key: Arc::new(NoBoardKey),
            backup_interval: Duration::from_secs(30),
            listen: SocketAddr::from(([0, 0, 0, 0], 4001)),
            first_import: None,
            setup_file: None,
            unlock_time: Duration::from_secs(1),
            clock_behind: Duration::ZERO,
            limits: Limits::default(),
            language: Language::English,
            help: None,
            numerals: Numerals::default(),
            notice: None,
            lock: LockSetup::default(),
            desk: false,
            progress: None,
            cloud_way: None,
            sensors: Sensors::below(Path::new("/sys")),
            release: Release::default(),
        }
    }

    /// What the panel says of this hub before it is unlocked.
    fn about(&self) -> About {
        About {
            version: VERSION.into(),
            revision: self.release.revision(),
            is_development: self.release.is_development,
            help: self.help.clone(),
            identity: None,
        }
    }

    fn keys_folder(&self) -> PathBuf {
        keys_folder(&self.data)
    }

    fn store_folder(&self) -> PathBuf {
        store_folder(&self.data)
    }
}

fn keys_folder(data: &Path) -> PathBuf {
    data.join("keys")
}

fn store_folder(data: &Path) -> PathBuf {
    data.join("store")
}

/// The time that it can't be before: that of this firmware.
#[must_use]
pub fn built_at() -> HubTime {
    let seconds: i64 = BUILT_AT.and_then(|seconds| seconds.parse().ok()).unwrap_or(BEGUN_AT);
    HubTime::from_millis(seconds * 1000)
}

/// The hub clock of this firmware.
fn firmware_clock() -> HubClock {
    HubClock::new(Box::new(SystemClock), built_at())
}

/// The language that a person chose for the panel of the hub whose keys are in this folder, as its public facts tell it.
#[must_use]
pub fn chosen_language(keys_folder: &Path) -> Option<Language> {
    Facts::load(keys_folder).language()
}

/// Why a hub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to: SIGTERM, SIGINT, or the board's own way.
    Told,
    /// A person at the panel wants the power off.
    PowerOff,
    /// A person at the panel wants the box to start anew; or there was a panic. The hub is locked, and the box is to start anew: what else the panic left behind nobody knows.
    Restart,
}

/// How long a hub that could not start waits before it tries again.
const AGAIN: Duration = Duration::from_secs(5);

/// Runs a hub until it is told to end or to switch off, and locks it then.
///
/// The line `listening on http://ADDRESS:PORT` goes to standard output once the port is bound. An appliance that can't
/// start says so on its panel and tries again; on a desk that ends the program.
///
/// # Errors
/// [`ApplianceError`] if the hub could not be locked in time, has no panel, or, on a desk, cannot start.
pub async fn run(config: Config, board: Box<dyn Board>) -> Result<Ending, ApplianceError> {
    let (events, inbox) = mpsc::unbounded_channel();
    let panics = Arc::new(Panics::beside(&config.keys_folder()));
    life::report_panics(events.clone(), Arc::clone(&panics));
    life::report_signals(&events)?;
    let panel = panel_loop::start(
        board,
        config.about(),
        (config.language, config.numerals),
        events.clone(),
    )?;
    let (store, server) = (OpenedStore::default(), Beats::default());
    let progress = config.progress.clone().map(|file| {
        let display = panel.display();
        let parts = progress::Parts {
            server: server.counted(),
            panel: panel.turns(),
            wake_panel: Box::new(move || display.wake()),
            store: store.clone(),
        };
        tokio::spawn(progress::report(file, parts))
    });
    let hub = Hub {
        config,
        display: panel.display(),
        events,
        store,
        beats: server,
        panics,
    };
    let outcome = hub.run(inbox).await;
    if let Some(progress) = progress {
        progress.abort();
    }
    panel.stop();
    outcome
}

/// A hub that has a panel, and nothing else yet.
struct Hub {
    config: Config,
    display: Display,
    events: UnboundedSender<Event>,
    store: OpenedStore,
    beats: Beats,
    panics: Arc<Panics>,
}

/// What a hub has from its start to its end.
struct Started {
    _lock: StoreLock,
    listen: SocketAddr,
    gate: Arc<Gate>,
    server: ServerHandle,
}

impl Hub {
    async fn run(self, mut inbox: UnboundedReceiver<Event>) -> Result<Ending, ApplianceError> {
        let started = loop {
            match self.start().await {
                Ok(started) => break started,
                Err(error) if self.config.desk => return Err(error),
                Err(error) => {
                    tracing::error!(%error, "the hub cannot start; it tries again");
                    self.show(error.fault(None));
                }
            }
            if is_told_to_end(&mut inbox).await {
                return Ok(Ending::Told);
            }
        };
        self.panics.recall();
        self.beats.are_those_of(&started.server);
        let life = Life::new(
            self.config,
            started.listen,
            started.gate,
            self.display,
            self.store,
            self.panics,
            self.events,
        );
        let outcome = life.live(inbox).await;
        started.server.stop().await;
        outcome
    }

    async fn start(&self) -> Result<Started, ApplianceError> {
        // The keys may be on another disk than for the hub before this one. What is wrong with it is seen when stock is taken.
        let disk = Arc::clone(&self.config.disk);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || disk.attach()).await {
            tracing::warn!(%error, "the data disk does not answer");
        }
        let lock = StoreLock::take(&self.config.keys_folder())?;
        let listener = TcpListener::bind(self.config.listen)
            .await
            .map_err(ApplianceError::Port)?;
        let listen = listener.local_addr().map_err(ApplianceError::Port)?;
        announce(listen)?;
        let gate = Arc::new(Gate::new());
        let hooks = Arc::new(life::ServerHooks::new(self.events.clone()));
        let limits = self.config.limits.clone();
        let server = Server::start(listener, Arc::clone(&gate), limits, hooks).map_err(ApplianceError::Port)?;
        Ok(Started {
            _lock: lock,
            listen,
            gate,
            server,
        })
    }

    fn show(&self, fault: Fault) {
        self.display.set(Status {
            phase: Phase::Fault(fault),
            about: self.config.about(),
            language: Facts::load(&self.config.keys_folder())
                .language()
                .unwrap_or(self.config.language),
            numerals: self.config.numerals,
            notice: None,
            answered: 0,
        });
    }
}

/// Waits a while, and says whether the hub was told to end meanwhile. Nothing else can be asked of it.
async fn is_told_to_end(inbox: &mut UnboundedReceiver<Event>) -> bool {
    let told = async { while !matches!(inbox.recv().await, Some(Event::Quit) | None) {} };
    tokio::time::timeout(AGAIN, told).await.is_ok()
}

#[allow(clippy::print_stdout, reason = "whoever started the hub reads its port there")]
fn announce(listen: SocketAddr) -> Result<(), ApplianceError> {
    println!("listening on http://{listen}");
    std::io::stdout().flush().map_err(ApplianceError::Console)?;
    // With its time, unlike the line above.
    tracing::info!("the port is open");
    Ok(())
}
