//! The life of the box: Setup → Locked → Unlocking → Open → Locking.
//!
//! The only owner of the keys, the open store and the server's gate. Events (a person's decision at the panel, a phone
//! that paired, a signal, the passing of time) go in; the gate is switched and the panel is told.
#![forbid(unsafe_code)]

mod error;
mod facts;
pub mod import;
mod life;
mod open;
mod panel_loop;
mod progress;
mod status;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub use error::ApplianceError;
use life::Life;
pub use open::OpenStore;
use progress::OpenedStore;

use crate::board::Board;
use crate::clock::{HubClock, HubTime, SystemClock};
use crate::panel::{Language, Notice};
use crate::server::{Gate, Limits, Server};
use crate::store::StoreLock;
use crate::system::data_disk::{DataDisk, Folder};

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
    /// Where the phones' port is opened.
    pub listen: SocketAddr,
    /// A bundle to import once, when the store is opened and still empty.
    pub first_import: Option<PathBuf>,
    /// How long a PIN is to take to check: the key derivation's cost is set by it when a slot is made.
    pub unlock_time: Duration,
    /// What the server allows.
    pub limits: Limits,
    /// The panel's language until a person chooses one.
    pub language: Language,
    /// What the panel tells a person once, at the start.
    pub notice: Option<Notice>,
    /// Phones may run on this very machine: without a network, its loopback is the hub's address.
    pub desk: bool,
    /// A file that gets a new number for as long as all parts of the hub move on: what a watchdog is fed by.
    pub progress: Option<PathBuf>,
}

impl Config {
    /// A hub with its data in the folder `data`, with no disk of its own, otherwise as the appliance runs.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        Self {
            data,
            disk: Arc::new(Folder),
            listen: SocketAddr::from(([0, 0, 0, 0], 4001)),
            first_import: None,
            unlock_time: Duration::from_secs(1),
            limits: Limits::default(),
            language: Language::English,
            notice: None,
            desk: false,
            progress: None,
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

/// Why a hub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It was told to: SIGTERM, SIGINT, or the board's own way.
    Told,
    /// A person at the panel wants the power off.
    PowerOff,
}

/// Runs a hub until it is told to end or to switch off, and locks it then.
///
/// The line `listening on http://ADDRESS:PORT` goes to standard output once the port is bound.
///
/// # Errors
/// [`ApplianceError`] if the hub cannot start, or could not be locked in time.
pub async fn run(config: Config, board: Box<dyn Board>) -> Result<Ending, ApplianceError> {
    // The keys may be on another disk than for the hub before this one. What is wrong with it is seen when stock is taken.
    let disk = Arc::clone(&config.disk);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || disk.attach()).await {
        tracing::warn!(%error, "the data disk does not answer");
    }
    let _lock = StoreLock::take(&config.keys_folder())?;
    let listener = TcpListener::bind(config.listen).await.map_err(ApplianceError::Port)?;
    let listen = listener.local_addr().map_err(ApplianceError::Port)?;
    announce(listen)?;

    let (events, inbox) = mpsc::unbounded_channel();
    let gate = Arc::new(Gate::new());
    let hooks = Arc::new(life::ServerHooks::new(events.clone()));
    let server =
        Server::start(listener, Arc::clone(&gate), config.limits.clone(), hooks).map_err(ApplianceError::Port)?;
    life::report_panics(events.clone());
    life::report_signals(&events)?;
    let panel = panel_loop::start(board, config.language, events)?;
    let store = OpenedStore::default();
    let progress = config.progress.clone().map(|file| {
        let display = panel.display();
        let parts = progress::Parts {
            server: Box::new(server.beats()),
            panel: panel.turns(),
            wake_panel: Box::new(move || display.wake()),
            store: store.clone(),
        };
        tokio::spawn(progress::report(file, parts))
    });
    let outcome = Life::new(config, listen, gate, panel.display(), store)?
        .live(inbox)
        .await;
    if let Some(progress) = progress {
        progress.abort();
    }
    server.stop().await;
    panel.stop();
    outcome
}

#[allow(clippy::print_stdout, reason = "whoever started the hub reads its port there")]
fn announce(listen: SocketAddr) -> Result<(), ApplianceError> {
    println!("listening on http://{listen}");
    std::io::stdout().flush().map_err(ApplianceError::Console)?;
    // With its time, unlike the line above.
    tracing::info!("the port is open");
    Ok(())
}
