//! The device tree, the card's controller, the USB and the pins of a Raspberry Pi 3, as far as QEMU has them.
//!
//! `scripts/test-image --full` builds a card for it and runs these with its path in the variable `HUB_IMAGE_RASPI3B`. The one
//! without a panel also takes the card of `raspberrypi3_64`, where that was built with mainline Linux.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::phone::Phone;
use tempfile::TempDir;

use super::vm::{Parts, Vm};
use super::{LISTENING, PRIVATE_NETWORK, figure, new_box_of, pair, put_on_card, register, serves};

const HEADLESS: &str = "the display does not answer; the hub runs without it";

/// A Raspberry Pi 3 with an empty data disk on USB.
fn raspberry_pi(folder: &TempDir) -> Parts {
    let card = std::env::var_os("HUB_IMAGE_RASPI3B").expect("HUB_IMAGE_RASPI3B names the card's image");
    let card: PathBuf = fs::canonicalize(card).expect("the image is there");
    new_box_of(&card, folder, PRIVATE_NETWORK)
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

#[tokio::test]
#[ignore = "boots an image: scripts/test --image-full"]
async fn a_raspberry_pi_3_is_set_up_and_keeps_what_a_phone_gave() {
    let folder = tempfile::tempdir().unwrap();
    let parts = raspberry_pi(&folder);
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
    let panel = ["-device", "usb-serial,chardev=panel,always-plugged=on"];
    let mut vm = Vm::start_with(parts, folder.path(), &panel).unwrap();
    vm.wait_for("hub: hub starts").await.unwrap();
    vm
}
