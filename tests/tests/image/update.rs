//! Firmware is updated by another card: the newer one migrates the store, the older one then keeps off it.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient, Screen};

use super::vm::Parts;
use super::{PRIVATE_NETWORK, box_in_use, image, new_box, next_image, register, says, serves, switch_on};

/// Where the two partitions of a data disk begin, bytes.
const KEYS_AT: usize = 1 << 20;
const RECORDS_AT: usize = 17 << 20;

fn put_card(parts: &Parts, image: &Path) {
    fs::copy(image, &parts.card).unwrap();
}

/// All that is in the part for the records.
fn records(parts: &Parts) -> Vec<u8> {
    fs::read(&parts.data).unwrap().split_off(RECORDS_AT)
}

/// Has debugfs do something with the part for the keys, as it is after its journal, and gives what it says.
fn keys(parts: &Parts, request: &str) -> String {
    let disk = OpenOptions::new().read(true).write(true).open(&parts.data).unwrap();
    let mut bytes = vec![0; RECORDS_AT - KEYS_AT];
    disk.read_exact_at(&mut bytes, KEYS_AT as u64).unwrap();
    let part = parts.data.with_extension("keys");
    fs::write(&part, bytes).unwrap();
    let checked = Command::new("/sbin/e2fsck").arg("-p").arg(&part).output().unwrap();
    assert!(matches!(checked.status.code(), Some(0 | 1)));
    let output = Command::new("/sbin/debugfs")
        .args(["-w", "-R", request])
        .arg(&part)
        .output()
        .unwrap();
    disk.write_all_at(&fs::read(&part).unwrap(), KEYS_AT as u64).unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Types the PIN and gives the screen that this leads to.
pub(crate) async fn type_pin(panel: &mut PanelClient) -> Screen {
    panel.wait_for("locked").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let after = |screen: &Screen| !matches!(screen.name.as_str(), "locked" | "unlocking");
    panel.wait_until(after).await.unwrap().clone()
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn a_new_card_keeps_the_data_and_the_old_one_then_keeps_off_it() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let (clinic, mut phone, patient) = box_in_use(&parts, folder.path(), "Before").await;

    put_card(&parts, &next_image());
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    // The same phone, still paired, at the same address.
    phone.client.handshake().await.unwrap();
    let later = register(&mut phone, "After").await;
    panel.lock().await.unwrap();
    vm.pull_plug().await.unwrap();

    put_card(&parts, &image());
    let (before, facts) = (records(&parts), keys(&parts, "cat facts.json"));
    assert!(facts.contains("0.1.0+next"));
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "version 0.1.0+next"), "{screen:?}");
    vm.pull_plug().await.unwrap();
    assert_eq!(keys(&parts, "cat facts.json"), facts);
    assert!(records(&parts) == before);

    // Without the public facts it asks for the PIN, and finds out by the store itself.
    keys(&parts, "rm facts.json");
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    let screen = type_pin(&mut panel).await;
    assert!(screen.name == "error" && says(&screen, "a newer version"), "{screen:?}");
    vm.pull_plug().await.unwrap();

    put_card(&parts, &next_image());
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    for patient in [&patient, &later] {
        assert!(serves(&vm, &mut panel, &clinic, patient).await);
    }
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn an_update_after_which_the_store_does_not_open_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Breaks Next").await;

    put_card(&parts, &next_image());
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    assert_eq!(type_pin(&mut panel).await.name, "put-back");
    vm.pull_plug().await.unwrap();

    // A power cut before the answer changes nothing, and neither does a no.
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    assert_eq!(type_pin(&mut panel).await.name, "put-back");
    panel.answer("put-back", false).await.unwrap();
    panel.wait_for("error").await.unwrap();
    vm.pull_plug().await.unwrap();

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    assert!(says(&type_pin(&mut panel).await, "of version 0.1.0?"));
    panel.answer("put-back", true).await.unwrap();
    assert!(says(panel.wait_for("error").await.unwrap(), "version 0.1.0"));
    vm.pull_plug().await.unwrap();

    put_card(&parts, &image());
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}
