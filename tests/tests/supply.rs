//! A board with a weak power supply, or one that is too hot: the panel of the open hub says so, and goes back when it is over.

use std::fs;
use std::path::Path;

use hub_tests::hub::{Hub, Log, PIN};
use hub_tests::panel_client::{PanelClient, Screen};

/// What Linux shows of a Raspberry Pi's supply and heat.
fn put(sys: &Path, alarm: &str, heat: &str) {
    for (file, text) in [
        ("class/hwmon/hwmon0/name", "rpi_volt"),
        ("class/hwmon/hwmon0/in0_lcrit_alarm", alarm),
        ("class/thermal/thermal_zone0/type", "cpu-thermal"),
        ("class/thermal/thermal_zone0/temp", heat),
    ] {
        let file = sys.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{text}\n")).unwrap();
    }
}

const TROUBLES: [&str; 2] = ["Weak power supply", "Hub is too hot"];

/// Waits until the home screen tells of these troubles and of no others.
async fn tells_of(panel: &mut PanelClient, troubles: &[&str]) {
    let says = |screen: &Screen, text: &str| screen.lines.iter().any(|line| line.contains(text));
    let is_so = |screen: &Screen| {
        TROUBLES
            .iter()
            .all(|text| says(screen, text) == troubles.contains(text))
    };
    panel
        .wait_until(|screen| screen.name == "home" && is_so(screen))
        .await
        .unwrap();
}

#[tokio::test]
async fn weak_power_and_heat_are_told_on_the_home_screen_until_they_are_over() {
    let folder = tempfile::tempdir().unwrap();
    let (data, sys) = (folder.path().join("data"), folder.path().join("sys"));
    put(&sys, "0", "45000");
    let more = ["--sys".as_ref(), sys.as_os_str()];
    let socket = folder.path().join("panel.sock");
    let hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    tells_of(&mut panel, &[]).await;
    put(&sys, "1", "45000");
    tells_of(&mut panel, &TROUBLES[..1]).await;
    put(&sys, "0", "81000");
    tells_of(&mut panel, &TROUBLES[1..]).await;
    put(&sys, "0", "60000");
    tells_of(&mut panel, &[]).await;
    assert!(hub.printed().contains("the board's supply"));
}
