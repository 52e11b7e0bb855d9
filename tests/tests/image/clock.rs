//! A box whose clock chip knows no time, in a network without time servers: a person sets the clock at the panel.

use hub_tests::hub::PIN;
use hub_tests::panel_client::Button;

use super::vm::Vm;
use super::{LISTENING, PRIVATE_NETWORK, new_box, says};

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn where_neither_network_nor_chip_tells_the_time_a_person_sets_it() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    // Before the firmware was made: that is no time to go by.
    let mut vm = Vm::start_with(&parts, folder.path(), &["-rtc", "base=2020-01-01"]).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    panel.choose("Set the clock").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("set-clock").await.unwrap();
    // A year on, and the rest as it is.
    for button in [Button::Up, Button::Ok, Button::Ok, Button::Ok, Button::Ok, Button::Ok] {
        let before = panel.screen().lines.clone();
        panel.press(button).await.unwrap();
        panel.wait_until(|screen| screen.lines != before).await.unwrap();
    }
    panel
        .wait_until(|screen| screen.name == "errand" && says(screen, "The clock is set"))
        .await
        .unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.choose("Status").await.unwrap();
    panel.wait_until(|screen| says(screen, "by hand")).await.unwrap();
}
