//! A box that opens the hub by its own key, with the real process for the key and a played firmware: alone at the start, and
//! beside the PIN; and what becomes of the disk in another box.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::played_mailbox::{Bench, Board, Manner};
use hub_tests::hub::{Hub, PIN, desk};
use hub_tests::panel_client::{Button, PanelClient, PanelError, RecoveryCode, Screen};
use tempfile::TempDir;

const NEW_PIN: &str = "27182818";

/// A disk with the records, and the box that it is in.
struct Desk {
    disk: TempDir,
    hub: Hub,
    code: RecoveryCode,
}

async fn start(disk: &Path, board: &Bench) -> Hub {
    let socket = board.socket();
    let more = [OsStr::new("--board-key"), socket.as_os_str()];
    Hub::start_in(disk, &more).await.unwrap()
}

/// A hub that was never set up, on its disk, in this box.
async fn blank(board: &Bench) -> (TempDir, Hub) {
    let disk = tempfile::tempdir().unwrap();
    let hub = start(disk.path(), board).await;
    (disk, hub)
}

impl Desk {
    async fn new(board: &Bench) -> Self {
        let (disk, hub) = blank(board).await;
        let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
        Self { disk, hub, code }
    }

    /// The power goes, and comes back with the disk in this box.
    async fn moves_to(&mut self, board: &Bench) -> PanelClient {
        self.hub.kill9().await.unwrap();
        self.hub = start(self.disk.path(), board).await;
        let mut panel = self.hub.panel().await.unwrap();
        panel.pass_splash().await.unwrap();
        panel
    }

    /// Takes a way to unlock by one of its buttons, up to the PIN and with it.
    async fn begins(&self, way: &str, button: &str, pin: &str) -> PanelClient {
        let mut panel = self.hub.panel().await.unwrap();
        panel.take_way(way, button).await.unwrap();
        types_in(&mut panel, pin).await;
        panel
    }

    /// What the log says was done, in turn.
    async fn log(&mut self) -> Vec<String> {
        self.hub.terminate().await.unwrap();
        let data = self.disk.path().join("data");
        let exported = desk(&data, &["audit", "export", "--format", "jsonl"], PIN).await;
        let exported = exported.unwrap();
        let lines = String::from_utf8(exported.stdout).unwrap();
        let entries = lines
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        entries
            .map(|entry| entry["action"].as_str().unwrap().to_owned())
            .collect()
    }
}

async fn types_in(panel: &mut PanelClient, pin: &str) {
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(pin).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
}

/// How an errand ended; then home.
async fn ends(panel: &mut PanelClient) -> String {
    let said = panel.wait_for("errand").await.unwrap().lines.join(" ");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    said
}

fn says(part: &str) -> impl Fn(&Screen) -> bool {
    move |screen| screen.lines.join(" ").contains(part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_gets_a_key_when_a_person_says_so_twice_and_opens_the_hub_by_itself() {
    let own = Bench::start(Board::new(Board::BLANK, false));
    let mut desk = Desk::new(&own).await;
    // Who says no the second time has changed nothing.
    let mut panel = desk.begins("This box alone", "Use it", PIN).await;
    panel.answer("box-key", true).await.unwrap();
    panel.answer("box-key-again", false).await.unwrap();
    panel
        .wait_until(|screen| screen.name == "keys" || screen.name == "home")
        .await
        .unwrap();
    assert_eq!(own.firmware.board().rows, Board::BLANK);
    let mut panel = desk.begins("This box alone", "Use it", PIN).await;
    panel.answer("box-key", true).await.unwrap();
    panel.answer("box-key-again", true).await.unwrap();
    let said = ends(&mut panel).await;
    assert!(said.contains("opens by itself"), "{said}");
    let key = own.firmware.board().rows;
    assert!(!key.contains(&0));

    desk.moves_to(&own).await.wait_for("home").await.unwrap();
    // Newer firmware computes by itself: the same comes out of it.
    own.firmware.set(|board| board.has_service = true);
    let mut panel = desk.moves_to(&own).await;
    panel.wait_for("home").await.unwrap();
    // Who locks the hub wants it to be locked, until the box is switched on again.
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.lock().await.unwrap();

    // In another box it does not open by itself, and says why.
    let other = Bench::start(Board::new([0x1234_5678; 8], true));
    let mut panel = desk.moves_to(&other).await;
    panel.wait_until(says("Disk of another box")).await.unwrap();
    panel.unlock(PIN).await.unwrap();
    desk.moves_to(&own).await.wait_for("home").await.unwrap();

    let mut panel = desk.begins("This box alone *", "Remove", PIN).await;
    let said = ends(&mut panel).await;
    assert!(said.contains("The box alone does not open"), "{said}");
    desk.moves_to(&own).await.unlock(PIN).await.unwrap();
    assert_eq!(own.firmware.board().rows, key, "it stays as it is");

    let log = desk.log().await;
    let count = |action: &str| log.iter().filter(|done| *done == action).count();
    assert_eq!(
        (count("board-key.program"), count("unlocking.change")),
        (1, 2),
        "{log:?}"
    );
    assert_eq!(count("unlock.board"), 3, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_opens_by_the_pin_in_its_box_opens_in_another_by_the_recovery_code_which_then_is_offered() {
    let own = Bench::start(Board::new([0x7a31_90c4; 8], true));
    let mut desk = Desk::new(&own).await;
    let mut panel = desk.begins("PIN and this box", "Use it", PIN).await;
    let said = ends(&mut panel).await;
    assert!(said.contains("PIN and this box open"), "{said}");
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();

    // In another box the PIN is not even tried: nothing is counted.
    let other = Bench::start(Board::new([0x1234_5678; 8], false));
    let attempts = || fs::read(desk.disk.path().join("data/keys/attempts.json")).unwrap();
    let before = attempts();
    let mut panel = desk.moves_to(&other).await;
    let elsewhere = says("Disk of another box: hold OK for the code");
    panel.wait_until(&elsewhere).await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.wait_until(|screen| !elsewhere(screen)).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(&elsewhere).await.unwrap();
    let attempts = || fs::read(desk.disk.path().join("data/keys/attempts.json")).unwrap();
    assert_eq!(attempts(), before);

    // The recovery code opens it, and the box that the disk is in now is offered.
    desk.code = panel.recover(&desk.code, NEW_PIN).await.unwrap();
    panel.answer("new-box", true).await.unwrap();
    types_in(&mut panel, NEW_PIN).await;
    let said = ends(&mut panel).await;
    assert!(said.contains("PIN and this box open"), "{said}");
    panel.lock().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    let mut panel = desk.moves_to(&own).await;
    panel.wait_until(&elsewhere).await.unwrap();

    // A box whose key does not answer says so.
    own.firmware.set(|board| board.manner = Manner::Garbage);
    let mut panel = desk.moves_to(&own).await;
    panel.wait_until(says("No key in this box")).await.unwrap();
    desk.moves_to(&other).await.unlock(NEW_PIN).await.unwrap();
    let mut panel = desk.begins("PIN alone", "Use it", NEW_PIN).await;
    let said = ends(&mut panel).await;
    assert!(said.contains("The PIN alone opens"), "{said}");
    desk.moves_to(&own).await.unlock(NEW_PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_has_no_key_is_not_offered_to_open_the_hub() {
    let none = Bench::start(Board::new([u32::MAX; 8], false));
    let desk = Desk::new(&none).await;
    let mut panel = desk.hub.panel().await.unwrap();
    panel.choose("Keys").await.unwrap();
    panel.wait_for("keys").await.unwrap();
    panel.take("This box alone").await.unwrap();
    let said = panel.wait_for("key").await.unwrap().lines.join(" ");
    assert!(
        said.contains("This box has no key") && !said.contains("Use it"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hub_opens_by_pin_and_its_box_from_its_first_start_if_that_is_chosen_with_a_key_that_is_asked_for_twice()
{
    const SHORT: &str = "271828";
    let own = Bench::start(Board::new(Board::BLANK, false));
    let (disk, hub) = blank(&own).await;
    let mut panel = hub.panel().await.unwrap();
    // Who says no the second time has changed nothing, and chooses again.
    panel.take_first_way("PIN and this box").await.unwrap();
    panel.answer("box-key", true).await.unwrap();
    panel.answer("box-key-again", false).await.unwrap();
    assert_eq!(own.firmware.board().rows, Board::BLANK);
    panel.take_first_way("PIN and this box").await.unwrap();
    panel.answer("box-key", true).await.unwrap();
    panel.answer("box-key-again", true).await.unwrap();
    panel.wait_until(says("Choose 6 to 12 digits")).await.unwrap();
    assert!(!own.firmware.board().rows.contains(&0));
    let code = panel.set_up(SHORT).await.unwrap();
    let mut desk = Desk { disk, hub, code };
    desk.moves_to(&own).await.unlock(SHORT).await.unwrap();

    let other = Bench::start(Board::new([0x1234_5678; 8], false));
    let mut panel = desk.moves_to(&other).await;
    panel.wait_until(says("Disk of another box")).await.unwrap();
    let mut panel = desk.moves_to(&own).await;
    panel.unlock(SHORT).await.unwrap();
    // The commands on a desk take a PIN alone.
    panel.change_pin(SHORT, PIN).await.unwrap();
    let mut panel = desk.begins("PIN alone", "Use it", PIN).await;
    ends(&mut panel).await;
    let log = desk.log().await;
    let programmed = log.iter().filter(|done| *done == "board-key.program").count();
    assert_eq!(programmed, 1, "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hub_opens_by_its_box_alone_from_its_first_start_if_that_is_chosen_and_by_its_pin() {
    let own = Bench::start(Board::new([0x7a31_90c4; 8], true));
    let (disk, hub) = blank(&own).await;
    let mut panel = hub.panel().await.unwrap();
    panel.take_first_way("This box alone").await.unwrap();
    panel.wait_until(says("Choose 8 to 12 digits")).await.unwrap();
    let code = panel.set_up(PIN).await.unwrap();
    let mut desk = Desk { disk, hub, code };
    desk.moves_to(&own).await.wait_for("home").await.unwrap();
    let other = Bench::start(Board::new([0x1234_5678; 8], false));
    desk.moves_to(&other).await.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_that_can_have_no_key_is_not_offered_at_the_first_start() {
    let none = Bench::start(Board::new([u32::MAX; 8], false));
    let (_disk, hub) = blank(&none).await;
    let mut panel = hub.panel().await.unwrap();
    let refused = panel.take_first_way("This box alone").await;
    assert!(matches!(refused, Err(PanelError::Refused { .. })), "{refused:?}");
    let mut panel = hub.panel().await.unwrap();
    panel.take_first_way("PIN alone").await.unwrap();
    panel.set_up(PIN).await.unwrap();
}
