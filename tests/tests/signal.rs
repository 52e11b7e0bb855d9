//! A light or a buzzer that the owner's file names: what it tells across the room, as the panel's socket shows it.

use std::fs;
use std::path::Path;

use hub_tests::hub::{Hub, Log, PIN};
use hub_tests::panel_client::PanelClient;

/// Says whether the board gets too little power.
fn supply(sys: &Path, is_weak: bool) {
    let monitor = sys.join("class/hwmon/hwmon0");
    fs::create_dir_all(&monitor).unwrap();
    fs::write(monitor.join("name"), "rpi_volt\n").unwrap();
    fs::write(monitor.join("in0_lcrit_alarm"), if is_weak { "1\n" } else { "0\n" }).unwrap();
}

async fn tells(panel: &mut PanelClient, signal: &str) {
    let seen = panel
        .wait_until(|screen| screen.signal.as_deref() == Some(signal))
        .await;
    seen.unwrap_or_else(|error| panic!("{signal}: {error}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_tells_whether_the_hub_is_locked_open_or_needs_help() {
    let folder = tempfile::tempdir().unwrap();
    let [data, socket, setup, sys] =
        ["data", "panel.sock", "hub-setup.toml", "sys"].map(|name| folder.path().join(name));
    fs::write(&setup, "[signal]\npin = 12\nkind = 'buzzer'\n").unwrap();
    supply(&sys, false);
    let more = [
        "--setup-file".as_ref(),
        setup.as_os_str(),
        "--sys".as_ref(),
        sys.as_os_str(),
    ];
    let hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut panel = hub.panel().await.unwrap();
    tells(&mut panel, "locked").await;
    panel.set_up(PIN).await.unwrap();
    tells(&mut panel, "open").await;
    supply(&sys, true);
    tells(&mut panel, "needs-help").await;
    supply(&sys, false);
    tells(&mut panel, "open").await;
    panel.lock().await.unwrap();
    tells(&mut panel, "locked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_nothing_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let hub = Hub::start(&data, &socket, "127.0.0.1:0", Log::Warnings).await.unwrap();
    assert_eq!(hub.panel().await.unwrap().screen().signal, None);
}
