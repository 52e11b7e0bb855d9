//! The board's own key through the kernel's device and the box's own service of it: programmed at the panel, asked for beside
//! the PIN, the same by the firmware's service and by the rows, and another board's.
//!
//! `tests/hardware/build --board-key` adds a way to the firmware to a copy of a development image; `scripts/test-image` runs
//! this with the copy's path in the variable `HUB_BOARD_KEY_IMAGE`. What the kernel is started with says what the rows hold:
//! on a board they stay, here they go with the power. `--full` runs it with a copy for QEMU's Raspberry Pi 3 too
//! (`HUB_BOARD_KEY_IMAGE_RASPI3B`), where the rows are the board's, behind the firmware's own mailbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient};
use tempfile::TempDir;

use super::inside::at_shell;
use super::vm::{Parts, Vm};
use super::{PRIVATE_NETWORK, copy_to_card, new_box_of, says, switch_on};

const NEW_PIN: &str = "27182818";
const ROWS: &str = "/sys/module/hub_test_vcio/parameters/rows";
const SERVICE: &str = "/sys/module/hub_test_vcio/parameters/service";
/// What the console says once nothing of before opens the disk any more.
const EXCHANGED: &str = "the master key is another one";
const OTHER_ROWS: &str = "11,22,33,44,55,66,77,88";

/// What the kernel is started with from now on says that the board's rows hold this, and whether the firmware computes.
fn fit(parts: &Parts, rows: &str, service: bool) {
    let partition = format!("{}@@1M", parts.card.display());
    let line = Command::new("mtype")
        .args(["-i", &partition, "::cmdline.txt"])
        .output()
        .unwrap();
    let line = String::from_utf8(line.stdout).unwrap();
    let words = line
        .split_whitespace()
        .filter(|word| !word.starts_with("hub_test_vcio."));
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    words.push(format!("hub_test_vcio.rows={rows}"));
    words.push(format!("hub_test_vcio.service={}", u8::from(service)));
    let file = parts.card.with_file_name("cmdline.txt");
    fs::write(&file, words.join(" ")).unwrap();
    copy_to_card(&file, &parts.card);
}

async fn types_in(panel: &mut PanelClient, pin: &str) {
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(pin).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
}

/// How the errand ended; then home.
async fn opens_by_box(panel: &mut PanelClient) {
    let said = panel.wait_for("errand").await.unwrap();
    assert!(says(said, "PIN and this box open"), "{:?}", said.lines);
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
}

/// The rows, as root sees them; nobody else does, and nobody but the service of the key has a way to the firmware.
async fn rows(vm: &mut Vm) -> String {
    let said = at_shell(vm, "setpriv --reuid=hub --regid=hub --clear-groups cat /dev/vcio").await;
    assert!(said.contains("Permission denied"), "{said}");
    let said = at_shell(
        vm,
        &format!("setpriv --reuid=hub --regid=hub --clear-groups cat {ROWS}"),
    )
    .await;
    assert!(said.contains("Permission denied"), "{said}");
    let said = at_shell(vm, &format!("cat {ROWS}")).await;
    let rows = said.lines().map(str::trim).find(|line| line.contains(','));
    rows.expect("the module tells its rows").to_owned()
}

/// A person has the board get a key, and the PIN asked for beside it.
async fn has_key_made(panel: &mut PanelClient) {
    panel.take_way("PIN and this box", "Use it").await.unwrap();
    types_in(panel, PIN).await;
    panel.answer("box-key", true).await.unwrap();
    panel.answer("box-key-again", true).await.unwrap();
    opens_by_box(panel).await;
}

async fn restart(vm: Vm, parts: &Parts, folder: &Path) -> (Vm, PanelClient) {
    vm.pull_plug().await.unwrap();
    switch_on(parts, folder).await
}

#[tokio::test]
#[ignore = "boots an image with a way to the firmware: scripts/test-image"]
async fn a_board_gets_its_key_at_the_panel_and_opens_the_disk_with_the_pin_and_another_board_does_not() {
    let card = std::env::var_os("HUB_BOARD_KEY_IMAGE").map(PathBuf::from);
    let folder: TempDir = tempfile::tempdir().unwrap();
    let parts = new_box_of(
        &card.expect("HUB_BOARD_KEY_IMAGE names the card"),
        &folder,
        PRIVATE_NETWORK,
    );
    let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
    let code = panel.set_up(PIN).await.unwrap();
    assert!(!rows(&mut vm).await.split(',').any(|row| row != "0"), "blank at first");
    has_key_made(&mut panel).await;
    vm.wait_for(EXCHANGED).await.unwrap();
    let own = rows(&mut vm).await;
    assert!(own.split(',').all(|row| row != "0"), "programmed");

    // By the firmware's service, and by the rows where there is none.
    for service in [true, false] {
        fit(&parts, &own, service);
        (vm, panel) = restart(vm, &parts, folder.path()).await;
        panel.unlock(PIN).await.unwrap();
    }

    fit(&parts, OTHER_ROWS, true);
    (vm, panel) = restart(vm, &parts, folder.path()).await;
    panel
        .wait_until(|screen| says(screen, "Disk of another box"))
        .await
        .unwrap();
    panel.recover(&code, NEW_PIN).await.unwrap();
    vm.wait_for(EXCHANGED).await.unwrap();
    panel.answer("new-box", true).await.unwrap();
    types_in(&mut panel, NEW_PIN).await;
    opens_by_box(&mut panel).await;
    (vm, panel) = restart(vm, &parts, folder.path()).await;
    panel.unlock(NEW_PIN).await.unwrap();
    vm.pull_plug().await.unwrap();
}

#[tokio::test]
#[ignore = "boots a Raspberry Pi 3 with a way to the firmware: scripts/test-image --full"]
async fn a_raspberry_pi_3_has_the_key_in_its_own_rows_and_both_ways_to_it_open_the_disk() {
    let card = std::env::var_os("HUB_BOARD_KEY_IMAGE_RASPI3B").map(PathBuf::from);
    let folder: TempDir = tempfile::tempdir().unwrap();
    let parts = new_box_of(
        &card.expect("HUB_BOARD_KEY_IMAGE_RASPI3B names the card"),
        &folder,
        PRIVATE_NETWORK,
    );
    let on_usb = ["-device", "usb-serial,chardev=panel,always-plugged=on"];
    let mut vm = Vm::start_with(&parts, folder.path(), &on_usb).unwrap();
    vm.wait_for("hub: hub starts").await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    has_key_made(&mut panel).await;
    vm.wait_for(EXCHANGED).await.unwrap();
    let modules_own = rows(&mut vm).await;
    assert!(
        modules_own.split(',').all(|row| row == "0"),
        "the key is in the board's"
    );

    // Their bits stay over a reset, as on a board they stay for ever.
    drop(panel);
    vm.reset().await.unwrap();
    vm.wait_for("hub: hub starts").await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    for service in ["N", "Y"] {
        at_shell(&mut vm, &format!("echo {service} >{SERVICE}")).await;
        panel.unlock(PIN).await.unwrap();
        panel.lock().await.unwrap();
    }
    vm.pull_plug().await.unwrap();
}
