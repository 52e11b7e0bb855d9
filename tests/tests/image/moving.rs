//! The data moves from an old card in a reader to the rest of the new one, or to a disk, cut short at random points. The
//! disk also loses what was not flushed by then.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::time::Duration;

use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient};

use super::vm::{DataDisk, Parts, Vm};
use super::{PRIVATE_NETWORK, box_on_card, new_box, next_image, serves, switch_on, write_log};

/// Room for data behind a card's image.
const REST: u64 = 200 << 20;
/// How often moving is cut short.
const CUTS: usize = 3;

fn enlarge(card: &Path) {
    let card = OpenOptions::new().write(true).open(card).unwrap();
    card.set_len(card.metadata().unwrap().len() + REST).unwrap();
}

/// Says yes to moving, and to the disk if there is one for it, and types the PIN.
async fn begin(panel: &mut PanelClient) {
    panel.answer("move-data", true).await.unwrap();
    if panel.screen().name == "new-disk" {
        panel.answer("new-disk", true).await.unwrap();
    }
    panel.wait_for("locked").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("moving").await.unwrap();
}

/// Pulls the plug, and takes from the disk what was not flushed. `before` is the disk as it was when the log began.
async fn cut(vm: Vm, parts: &Parts, before: &Path) {
    vm.pull_plug().await.unwrap();
    let Some(log) = &parts.log else { return };
    fs::copy(before, &parts.data).unwrap();
    let chance = || getrandom::u32().unwrap().is_multiple_of(2);
    write_log::cut(&parts.data, log, u64::MAX, chance).unwrap();
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn data_moves_from_an_old_card_to_the_new_one() {
    moves(DataDisk::OldCard, DataDisk::None).await;
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn data_moves_from_an_old_card_to_a_disk() {
    moves(DataDisk::OldCardAndFixed, DataDisk::Fixed).await;
}

/// Moves data with the disks `during` it, going on where it was cut. `after` it there are fewer.
async fn moves(during: DataDisk, after: DataDisk) {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    (parts.has_data, parts.write_card) = (DataDisk::None, true);
    enlarge(&parts.card);
    let (clinic, _, patient) = box_on_card(&parts, folder.path(), "Moved").await;

    fs::rename(&parts.card, parts.card.with_extension("old")).unwrap();
    fs::copy(next_image(), &parts.card).unwrap();
    if after == DataDisk::None {
        enlarge(&parts.card);
    }
    parts.has_data = during;
    let before = folder.path().join("before.img");
    parts.log = (during == DataDisk::OldCardAndFixed).then(|| folder.path().join("writes.log"));
    for _ in 0..CUTS {
        fs::copy(&parts.data, &before).unwrap();
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        if panel.screen().name != "move-data" {
            // It was done before the cut.
            break;
        }
        begin(&mut panel).await;
        // The moment is chance.
        tokio::time::sleep(Duration::from_millis(u64::from(getrandom::u32().unwrap() % 8000))).await;
        cut(vm, &parts, &before).await;
    }
    parts.log = None;
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    if panel.screen().name == "move-data" {
        begin(&mut panel).await;
        panel.wait_until(|screen| screen.name != "moving").await.unwrap();
        panel.wait_until(|screen| screen.name == "locked").await.unwrap();
    }
    vm.pull_plug().await.unwrap();

    // With the old card out, and with it in, whose data nobody takes for anything any more.
    for has_data in [after, during] {
        parts.has_data = has_data;
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        panel.unlock(PIN).await.unwrap();
        assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    }
}
