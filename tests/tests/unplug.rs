//! The last that a box does before it loses power: it says on the panel that the plug may be pulled, and goes dark.

use std::fs;

use hub_tests::hub::binary;
use hub_tests::panel_client::PanelClient;

#[tokio::test(flavor = "multi_thread")]
async fn the_plug_may_be_pulled_is_said_in_the_chosen_language_and_then_the_panel_is_dark() {
    for (language, title) in [("en", "Unplug now"), ("es", "Desenchúfelo")] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("facts.json"),
            format!(r#"{{"language":"{language}"}}"#),
        )
        .unwrap();
        let socket = folder.path().join("panel.sock");
        let mut unplug = tokio::process::Command::new(binary().unwrap())
            .args(["unplug", "--board", "serial", "--seconds", "3", "--panel"])
            .arg(&socket)
            .arg("--facts")
            .arg(folder.path())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut panel = PanelClient::connect_at_power_on(&socket).await.unwrap();
        let screen = panel.wait_for("unplug").await.unwrap();
        assert!(
            !screen.frame.is_dark() && screen.lines[0] == title,
            "{:?}",
            screen.lines
        );
        panel.wait_until(|screen| screen.frame.is_dark()).await.unwrap();
        assert!(unplug.wait().await.unwrap().success());
    }
}
