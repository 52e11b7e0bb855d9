//! A hub that can't start, or failed too often: its panel stays alive, says so, and goes on by itself.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hub_tests::hub::{Log, PIN, TestHub, binary};
use hub_tests::panel_client::{PanelClient, Screen};
use hub_tests::phone::HubClient;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};

const PATIENCE: Duration = Duration::from_secs(60);

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

async fn is_locked(url: &str) -> bool {
    let mut client = HubClient::new(url, "074d3e90-0123-42a6-8b91-4226c805a24a").unwrap();
    client.heartbeat().await.unwrap().locked
}

/// A hub as it runs on a box of its own, whose disk's service is not there.
struct Appliance {
    folder: TempDir,
    child: Child,
    console: Lines<BufReader<Box<dyn AsyncRead + Unpin + Send>>>,
}

impl Appliance {
    fn start(folder: TempDir, listen: &str) -> Self {
        let path = |name: &str| folder.path().join(name);
        let mut child = Command::new(binary().unwrap())
            .args(["serve", "--listen", listen, "--board", "serial", "--data"])
            .arg(path("data"))
            .arg("--panel")
            .arg(path("panel.sock"))
            .arg("--data-disk")
            .arg(path("no-service"))
            .arg("--progress")
            .arg(path("progress"))
            .env("RUST_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stderr: Box<dyn AsyncRead + Unpin + Send> = Box::new(child.stderr.take().unwrap());
        Self {
            folder,
            child,
            console: BufReader::new(stderr).lines(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Reads until the console says this.
    async fn hears(&mut self, wanted: &str) {
        let heard = async {
            while let Some(line) = self.console.next_line().await.unwrap() {
                if line.contains(wanted) {
                    return true;
                }
            }
            false
        };
        assert!(
            tokio::time::timeout(PATIENCE, heard).await.unwrap(),
            "nothing says {wanted:?}"
        );
    }

    async fn panel(&self) -> PanelClient {
        PanelClient::connect(&self.path("panel.sock")).await.unwrap()
    }

    fn progress(&self) -> u64 {
        let number = fs::read_to_string(self.path("progress")).unwrap_or_default();
        number.trim().parse().unwrap_or(0)
    }
}

#[tokio::test]
async fn a_taken_port_is_told_and_waited_for() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let mut appliance = Appliance::start(tempfile::tempdir().unwrap(), &listen);
    appliance.hears("the hub cannot start; it tries again").await;
    let mut panel = appliance.panel().await;
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "the hub at all"), "{screen:?}");
    // It moves on, so no watchdog starts the box anew for it.
    let moved = appliance.progress();
    appliance.hears("the hub cannot start; it tries again").await;
    appliance.hears("the hub cannot start; it tries again").await;
    assert!(appliance.progress() > moved);

    drop(taken);
    appliance.hears("the port is open").await;
    assert!(is_locked(&format!("http://{listen}")).await);
    assert!(appliance.child.try_wait().unwrap().is_none());
}

#[tokio::test]
async fn a_folder_of_keys_that_cannot_be_used_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // Whoever tests may be root, whom no rights keep from writing.
    fs::create_dir_all(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/keys"), "no folder").unwrap();
    let mut appliance = Appliance::start(folder, "127.0.0.1:0");
    appliance.hears("the hub cannot start; it tries again").await;
    let mut panel = appliance.panel().await;
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "The data disk fails."), "{screen:?}");

    fs::remove_file(appliance.path("data/keys")).unwrap();
    appliance.hears("the port is open").await;
}

fn remember_panics(data: &Path, seconds_ago: &str) {
    fs::write(data.join("keys/panics.json"), seconds_ago).unwrap();
}

#[tokio::test]
async fn three_panics_in_ten_minutes_keep_it_shut_over_restarts() {
    let mut hub = TestHub::empty(Log::Everything).await.unwrap();
    hub.hub.terminate().await.unwrap();
    for shut in ["[500,300,0]", "[2,1,0]"] {
        remember_panics(&hub.data(), shut);
        hub.start_locked().await.unwrap();
        let mut panel = hub.hub.panel().await.unwrap();
        let screen = panel.wait_for("error").await.unwrap();
        assert!(says(screen, "often and stays shut."), "{screen:?}");
        assert!(is_locked(hub.hub.url()).await);
        hub.hub.terminate().await.unwrap();
    }
    for open in ["[600,300,0]", "[1,0]"] {
        remember_panics(&hub.data(), open);
        hub.start_again().await.unwrap();
        hub.hub.terminate().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_shut_opens_again_without_being_switched_off() {
    let mut hub = TestHub::empty(Log::Everything).await.unwrap();
    hub.hub.terminate().await.unwrap();
    remember_panics(&hub.data(), "[590,300,0]");
    hub.start_locked().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    panel.wait_for("error").await.unwrap();
    panel.wait_for("locked").await.unwrap();
    panel.unlock(PIN).await.unwrap();
}
