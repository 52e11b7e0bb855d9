//! The key stick is taken out while the hub is at work for a person: it locks as soon as at any other time.
//!
//! The work has to last until the test says so, so the hub runs in this process, with a board that takes its time to say how it
//! is with its key.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hub_appliance::appliance::{self, ApplianceError, Config, Ending};
use hub_appliance::board::{self, BoardKind};
use hub_appliance::secret::Secret;
use hub_appliance::system::board_key::{BoardKey, BoardKeyError, BoardKeyState};
use hub_appliance::system::sticks;
use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(60);

/// A board without a key yet. From when it is told on, it says so only when it is let.
#[derive(Debug, Default)]
struct Slow(Mutex<Option<(Sender<()>, Receiver<()>)>>);

impl BoardKey for Slow {
    fn state(&self) -> Result<BoardKeyState, BoardKeyError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((asked, let_go)) = held {
            // A test that has failed by now lets it go.
            let _ = asked.send(());
            let _ = let_go.recv();
        }
        Ok(BoardKeyState::Blank)
    }

    fn hmac(&self, _: &[u8]) -> Result<Secret<32>, BoardKeyError> {
        Err(BoardKeyError::NoKey)
    }

    fn program(&self) -> Result<(), BoardKeyError> {
        Err(BoardKeyError::NotBlank)
    }
}

/// A hub that a stick opens, in the midst of an errand.
struct Desk {
    folder: TempDir,
    panel: PanelClient,
    hub: JoinHandle<Result<Ending, ApplianceError>>,
    /// Lets the errand go on.
    go_on: Sender<()>,
}

fn stick(folder: &Path) -> PathBuf {
    folder.join("stick")
}

impl Desk {
    async fn at_work() -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(stick(folder.path()))?;
        let socket = folder.path().join("panel.sock");
        let slow = Arc::<Slow>::default();
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            sticks: Arc::new(sticks::Folder::at(stick(folder.path()))),
            board_key: Arc::clone(&slow) as _,
            unlock_time: Duration::from_millis(10),
            ..Config::new(folder.path().join("data"))
        };
        let board = board::open(BoardKind::Serial, Some(&socket), None)?;
        let hub = tokio::spawn(appliance::run(config, board));
        let mut panel = PanelClient::connect(&socket).await?;
        panel.set_up(PIN).await?;
        takes(&mut panel, "Stick alone").await?;
        panel.wait_for("errand").await?;
        panel.press(Button::Ok).await?;
        panel.wait_for("home").await?;

        let ((asked, is_asked), (go_on, let_go)) = (channel(), channel());
        *slow.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, let_go));
        takes(&mut panel, "This box alone").await?;
        tokio::task::spawn_blocking(move || is_asked.recv_timeout(PATIENCE)).await??;
        Ok(Self {
            folder,
            panel,
            hub,
            go_on,
        })
    }

    fn take_out(&self) -> Result<(), std::io::Error> {
        fs::rename(stick(self.folder.path()), self.folder.path().join("away"))
    }

    fn put_in(&self) -> Result<(), std::io::Error> {
        fs::rename(self.folder.path().join("away"), stick(self.folder.path()))
    }
}

/// Has the hub unlocked in this way, up to the PIN and with it.
async fn takes(panel: &mut PanelClient, way: &str) -> Result<(), Box<dyn Error>> {
    panel.take_way(way, "Use it").await?;
    panel.wait_for("ask-pin").await?;
    panel.type_digits(PIN).await?;
    panel.press(Button::Ok).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_locks_and_the_errand_is_over() -> Result<(), Box<dyn Error>> {
    let mut desk = Desk::at_work().await?;
    desk.take_out()?;
    desk.panel.wait_for("locking").await?;
    desk.go_on.send(())?;
    desk.panel.wait_for("locked").await?;
    assert!(!desk.hub.is_finished(), "a hub that goes on");
    // What a person was asked for went with the lock.
    desk.put_in()?;
    desk.panel.wait_for("home").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_whose_errand_does_not_end_ends_itself_so_that_no_key_stays_in_memory() -> Result<(), Box<dyn Error>> {
    let desk = Desk::at_work().await?;
    desk.take_out()?;
    let ended = tokio::time::timeout(PATIENCE, desk.hub).await??;
    assert!(matches!(ended, Err(ApplianceError::LockTimeout)), "{ended:?}");
    desk.go_on.send(())?;
    Ok(())
}
