//! A panic in the hub: the box locks and starts anew, until that happened too often.
//!
//! It has to be made from inside, so the hub runs in this process, with a data disk that panics when it is told to.
//! Its hook for panics says nothing of what they are about, so the test says by itself what it misses.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hub_appliance::appliance::{self, ApplianceError, Config, Ending};
use hub_appliance::board::{self, BoardKind};
use hub_appliance::secret::SecretText;
use hub_appliance::system::data_disk::{DataDisk, DataDiskError, DiskState, Folder};
use hub_tests::hub::PIN;
use hub_tests::panel_client::PanelClient;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder, until it is told to panic once.
#[derive(Debug, Default)]
struct Panicking(AtomicBool);

impl DataDisk for Panicking {
    fn state(&self) -> Result<DiskState, DataDiskError> {
        assert!(!self.0.swap(false, Ordering::Relaxed), "told to");
        Folder.state()
    }

    fn format(&self, passphrase: &SecretText, allowed: Option<u64>, told: &dyn Fn(u16)) -> Result<(), DataDiskError> {
        Folder.format(passphrase, allowed, told)
    }

    fn open(&self, passphrase: &SecretText) -> Result<(), DataDiskError> {
        Folder.open(passphrase)
    }

    fn close(&self) -> Result<(), DataDiskError> {
        Folder.close()
    }
}

/// A hub that runs in this process as it does in a box.
struct Appliance {
    disk: Arc<Panicking>,
    socket: PathBuf,
    hub: JoinHandle<Result<Ending, ApplianceError>>,
}

impl Appliance {
    fn start(folder: &Path, desk: bool) -> Result<Self, Box<dyn Error>> {
        let disk = Arc::<Panicking>::default();
        let socket = folder.join("panel.sock");
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            disk: Arc::clone(&disk) as _,
            unlock_time: Duration::from_millis(10),
            desk,
            ..Config::new(folder.join("data"))
        };
        let panel = board::open(BoardKind::Serial, Some(&socket), None)?;
        let hub = tokio::spawn(appliance::run(config, panel));
        Ok(Self { disk, socket, hub })
    }

    fn panic(&self) {
        self.disk.0.store(true, Ordering::Relaxed);
    }

    async fn panel(&self) -> Result<PanelClient, Box<dyn Error>> {
        Ok(PanelClient::connect(&self.socket).await?)
    }

    /// Why it ended.
    async fn ending(self) -> Result<Ending, Box<dyn Error>> {
        Ok(tokio::time::timeout(PATIENCE, self.hub).await???)
    }
}

fn wanted(holds: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(what.into()) }
}

#[tokio::test]
async fn a_panic_locks_the_box_and_starts_it_anew_and_three_keep_it_shut() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let first = Appliance::start(folder.path(), false)?;
    first.panel().await?.set_up(PIN).await?;
    first.panic();
    wanted(first.ending().await? == Ending::Restart, "a start anew after the first")?;

    let second = Appliance::start(folder.path(), false)?;
    second.panel().await?.unlock(PIN).await?;
    second.panic();
    wanted(
        second.ending().await? == Ending::Restart,
        "a start anew after the second",
    )?;

    let third = Appliance::start(folder.path(), false)?;
    let mut panel = third.panel().await?;
    panel.unlock(PIN).await?;
    third.panic();
    let screen = panel.wait_for("error").await?;
    wanted(
        screen.lines.iter().any(|line| line.contains("often and stays shut.")),
        "a word on what is the matter",
    )?;
    wanted(!third.hub.is_finished(), "a panel that stays alive")?;
    third.hub.abort();

    // On a desk it is locked, and the machine goes on.
    let folder = tempfile::tempdir()?;
    let desk = Appliance::start(folder.path(), true)?;
    let mut panel = desk.panel().await?;
    panel.set_up(PIN).await?;
    desk.panic();
    panel.wait_for("locked").await?;
    panel.unlock(PIN).await?;
    wanted(!desk.hub.is_finished(), "a hub that goes on")
}
