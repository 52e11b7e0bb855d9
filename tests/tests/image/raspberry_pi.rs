//! The device tree, the card's controller, the USB and the pins of a Raspberry Pi 3, as far as QEMU has them.
//!
//! `scripts/test-image --full` builds a card for it of Debian's packages and runs these with its path in the variable
//! `HUB_IMAGE_RASPI3B`; `scripts/test-image --pi3 FILE` runs them with a card of `raspberrypi3_64`, and with a copy of it that
//! has its panel on a serial line (`tests/serial-panel`) in `HUB_IMAGE_RASPI3B_PANEL`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::phone::Phone;
use tempfile::TempDir;

use super::vm::{Parts, Vm};
use super::{LISTENING, PRIVATE_NETWORK, copy_to_card, figure, new_box_of, pair, put_on_card, register, serves};

const HEADLESS: &str = "the display does not answer; the hub runs without it";

/// A Raspberry Pi 3 with an empty data disk on USB.
fn raspberry_pi(folder: &TempDir) -> Parts {
    let card = std::env::var_os("HUB_IMAGE_RASPI3B").expect("HUB_IMAGE_RASPI3B names the card's image");
    let card: PathBuf = fs::canonicalize(card).expect("the image is there");
    new_box_of(&card, folder, PRIVATE_NETWORK)
}

/// The same with a card whose panel has a line in QEMU.
fn raspberry_pi_with_panel(folder: &TempDir) -> Parts {
    match std::env::var_os("HUB_IMAGE_RASPI3B_PANEL") {
        Some(card) => new_box_of(
            &fs::canonicalize(card).expect("the image is there"),
            folder,
            PRIVATE_NETWORK,
        ),
        None => raspberry_pi(folder),
    }
}

/// Whether the card's kernel is Raspberry Pi's own, whose device trees have names of their own.
fn has_vendors_kernel(card: &Path) -> bool {
    let partition = format!("{}@@1M", card.display());
    let list = Command::new("mdir")
        .args(["-b", "-i", &partition, "::"])
        .output()
        .unwrap();
    assert!(list.status.success());
    String::from_utf8_lossy(&list.stdout).contains("bcm2710-rpi-3-b.dtb")
}

/// Has the kernel say on its console all that it logs.
fn make_talkative(card: &Path) {
    let partition = format!("{}@@1M", card.display());
    let line = Command::new("mtype")
        .args(["-i", &partition, "::cmdline.txt"])
        .output()
        .unwrap();
    let line = String::from_utf8(line.stdout).unwrap();
    assert!(line.contains("loglevel=4"));
    let file = card.with_file_name("cmdline.txt");
    fs::write(&file, line.replace("loglevel=4", "loglevel=7")).unwrap();
    copy_to_card(&file, card);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image-full"]
async fn a_raspberry_pi_3_without_a_panel_goes_on_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start(&raspberry_pi(&folder), folder.path()).unwrap();
    let took = vm.wait_for(LISTENING).await.unwrap();
    figure("Raspberry Pi 3: cold boot to the open port", took);
    for wanted in [HEADLESS, "hub: address 10.0.2.15"] {
        if !vm.said().contains(wanted) {
            vm.wait_for(wanted).await.unwrap();
        }
    }
    let mut phone = Phone::new(&vm.url()).unwrap();
    assert!(phone.client.heartbeat().await.unwrap().locked);
    assert!(vm.said().contains("hub: data disk: blank"), "{}", vm.said());
    // No display, but pins: rppal knows the board, and where it may not have them the kernel gives them.
    assert!(!vm.said().contains("the buttons do not work"), "{}", vm.said());
}

/// Two drivers go by the name of the card's controller, and only Raspberry Pi's own keeps the card from losing what it was
/// writing when the power goes. Each says in words of its own that it took it.
#[tokio::test]
#[ignore = "boots an image: scripts/test --image-full"]
async fn the_card_of_a_raspberry_pi_3_is_driven_by_its_kernels_own_driver() {
    const OWN: &str = ": sdhost-bcm2835 loaded - DMA";
    const MAINLINES: &str = "sdhost-bcm2835 3f202000.mmc: loaded - DMA";
    let folder = tempfile::tempdir().unwrap();
    let parts = raspberry_pi(&folder);
    make_talkative(&parts.card);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for("hub: system up").await.unwrap();
    let bound = [OWN, MAINLINES].map(|driver| vm.said().matches(driver).count());
    let wanted = if has_vendors_kernel(&parts.card) {
        [1, 0]
    } else {
        [0, 1]
    };
    assert_eq!(bound, wanted, "{}", vm.said());
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image-full"]
async fn a_raspberry_pi_3_is_set_up_and_keeps_what_a_phone_gave() {
    let folder = tempfile::tempdir().unwrap();
    let parts = raspberry_pi_with_panel(&folder);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(100));
    put_on_card(&clinic, &parts.card);
    let vm = switched_on(&parts, &folder).await;
    let mut panel = vm.panel().await.unwrap();
    let began = Instant::now();
    panel.set_up(PIN).await.unwrap();
    figure("Raspberry Pi 3: set-up", began.elapsed());
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let patient = register(&mut phone, "Three").await;
    vm.pull_plug().await.unwrap();

    let vm = switched_on(&parts, &folder).await;
    let mut panel = vm.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}

/// The same box with a panel. What the panel says is lost while nobody is at its other end, so it is left as it is about
/// to say its first.
async fn switched_on(parts: &Parts, folder: &TempDir) -> Vm {
    let on_usb = ["-device", "usb-serial,chardev=panel,always-plugged=on"];
    let panel: &[&str] = if has_vendors_kernel(&parts.card) { &[] } else { &on_usb };
    let mut vm = Vm::start_with(parts, folder.path(), panel).unwrap();
    vm.wait_for("hub: hub starts").await.unwrap();
    vm
}
