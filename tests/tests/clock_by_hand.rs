//! The clock of a box that has neither network nor clock chip: set by a person with the PIN, forward only, and written down.

use std::ffi::OsStr;
use std::path::Path;

use hub_tests::hub::{Hub, Log, PIN, desk};
use hub_tests::panel_client::{Button, PanelClient};
use serde_json::Value;

/// So far behind is the system's clock, ms: before any firmware of this hub was made.
const BEHIND: &str = "100000000000";

async fn start(folder: &Path) -> (Hub, PanelClient) {
    let more = ["--clock-behind", BEHIND].map(OsStr::new);
    let hub = Hub::start_in(folder, &more).await.unwrap();
    let panel = hub.panel().await.unwrap();
    (hub, panel)
}

/// From the home screen to the fields, with the PIN; the year is the first.
async fn begin(panel: &mut PanelClient) {
    panel.choose("Set the clock").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("set-clock").await.unwrap();
}

/// Turns the year, leaves the other fields as they are, and gives what the panel says of it.
async fn set_year(panel: &mut PanelClient, button: Button) -> String {
    begin(panel).await;
    for button in [button, Button::Ok, Button::Ok, Button::Ok, Button::Ok, Button::Ok] {
        let before = panel.screen().lines.clone();
        panel.press(button).await.unwrap();
        panel.wait_until(|screen| screen.lines != before).await.unwrap();
    }
    let said = panel.wait_for("errand").await.unwrap().lines.join(" ");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_set_forward_only_which_the_log_says_and_a_restart_does_not_go_back_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mut hub, mut panel) = start(folder.path()).await;
    panel.set_up(PIN).await.unwrap();
    assert!(set_year(&mut panel, Button::Up).await.contains("The clock is set"));
    panel.choose("Status").await.unwrap();
    panel
        .wait_until(|screen| screen.lines.iter().any(|line| line.contains("by hand")))
        .await
        .unwrap();
    // It has been that year; the one before is over for good.
    let said = set_year(&mut panel, Button::Down).await;
    assert!(said.contains("only set forward"), "{said}");
    hub.terminate().await.unwrap();

    let (mut hub, mut panel) = start(folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    // What it knows it keeps; that the box was off nobody has told it.
    let said = set_year(&mut panel, Button::Down).await;
    assert!(said.contains("only set forward"), "{said}");
    hub.terminate().await.unwrap();

    let log = desk(
        &folder.path().join("data"),
        &["audit", "export", "--format", "jsonl"],
        PIN,
    )
    .await
    .unwrap();
    let text = String::from_utf8(log.stdout).unwrap();
    let entries: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let set: Vec<&Value> = entries.iter().filter(|entry| entry["action"] == "clock.set").collect();
    assert_eq!(set.len(), 1, "{text}");
    assert!(set[0].to_string().contains("from"), "{}", set[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_time_is_known_nobody_sets_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let hub = Hub::start(&data, &socket, "127.0.0.1:0", Log::Warnings).await.unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    panel.choose("Set the clock").await.unwrap();
    let screen = panel.wait_for("errand").await.unwrap();
    assert!(
        screen.lines.iter().any(|line| line == "The hub knows the"),
        "{:?}",
        screen.lines
    );
}
