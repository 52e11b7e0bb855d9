//! The data moves from an old card in a reader to the rest of the new one, or to a disk, cut short at random points. The
//! disk also loses what was not flushed by then. And it is cut between the marks that make the copy the data disk, which
//! chance would not find. And it moves from a disk on USB to a larger one, from the panel of the open hub; also where somebody
//! who had both disks in hand put names on them that lead elsewhere.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient, Screen};

use super::disks::KEYS_AT;
use super::vm::{DataDisk, Parts, Vm};
use super::{
    DATA_DISK, PRIVATE_NETWORK, box_in_use, box_on_card, new_box, next_image, pair, register, says, serves, switch_on,
    write_log,
};

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

/// Goes through with moving, from its question to the screen of a locked hub that has moved.
async fn move_all(panel: &mut PanelClient) {
    begin(panel).await;
    panel.wait_until(|screen| screen.name != "moving").await.unwrap();
    passes_notice(panel).await;
}

/// Says OK to what the hub says of the old card or disk, which is still plugged in, and then waits for a PIN.
async fn passes_notice(panel: &mut PanelClient) {
    let is_next = |screen: &Screen| ["notice", "locked"].contains(&screen.name.as_str());
    let told = panel.wait_until(is_next).await.unwrap();
    assert!(
        says(told, "Records have moved") && says(told, "Take out the"),
        "{told:?}"
    );
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("locked").await.unwrap();
}

/// Gives the partitions of a disk these names or types, whichever its table has.
fn mark(disk: &Path, option: &str, values: [(&str, &str); 2]) {
    for (number, value) in values {
        let mut sfdisk = Command::new("/sbin/sfdisk");
        sfdisk.args(["--quiet", option]).arg(disk).args([number, value]);
        assert!(sfdisk.status().unwrap().success());
    }
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
        move_all(&mut panel).await;
    }
    vm.pull_plug().await.unwrap();

    // With the old card out, and with it in, whose data nobody takes for anything any more.
    for has_data in [after, during] {
        parts.has_data = has_data;
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        if has_data == during {
            passes_notice(&mut panel).await;
        }
        panel.unlock(PIN).await.unwrap();
        assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    }
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn cut_between_its_marks_a_move_leaves_one_data_disk_and_it_is_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    (parts.has_data, parts.write_card) = (DataDisk::None, true);
    enlarge(&parts.card);
    let (clinic, _, patient) = box_on_card(&parts, folder.path(), "Moved").await;
    let old_card = parts.card.with_extension("old");
    fs::rename(&parts.card, &old_card).unwrap();
    fs::copy(next_image(), &parts.card).unwrap();
    parts.has_data = DataDisk::OldCardAndFixed;
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    move_all(&mut panel).await;
    vm.pull_plug().await.unwrap();

    // The original is marked, by half and as a whole, and the copy not yet as finished.
    let copy_as_it_was = folder.path().join("copy-as-it-was.img");
    mark(&parts.data, "--part-label", [("1", "HUBKEYS"), ("2", "HUBDATA-NEW")]);
    fs::copy(&parts.data, &copy_as_it_was).unwrap();
    for marks in [[("3", "7f"), ("4", "e8")], [("3", "7f"), ("4", "7f")]] {
        fs::copy(&copy_as_it_was, &parts.data).unwrap();
        mark(&old_card, "--part-type", marks);
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        passes_notice(&mut panel).await;
        panel.unlock(PIN).await.unwrap();
        assert!(serves(&vm, &mut panel, &clinic, &patient).await, "{marks:?}");
        vm.pull_plug().await.unwrap();
    }

    // The original is not marked. A person goes on with it all the same, and then the copy is older.
    fs::copy(&copy_as_it_was, &parts.data).unwrap();
    mark(&old_card, "--part-type", [("3", "83"), ("4", "e8")]);
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.answer("move-data", false).await.unwrap();
    panel.unlock(PIN).await.unwrap();
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let later = register(&mut phone, "Later").await;
    vm.pull_plug().await.unwrap();

    parts.has_data = DataDisk::Fixed;
    let (vm, panel) = switch_on(&parts, folder.path()).await;
    // The card knows that there are newer ones.
    assert_eq!(panel.screen().name, "disk-away", "older records would be opened");
    vm.pull_plug().await.unwrap();

    parts.has_data = DataDisk::OldCardAndFixed;
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    move_all(&mut panel).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &later).await);
}

/// Whether the records of a disk of its own were moved away from it.
fn was_left(disk: &Path) -> bool {
    let mut sfdisk = Command::new("/sbin/sfdisk");
    let label = sfdisk.arg("--part-label").arg(disk).arg("2").output().unwrap();
    String::from_utf8_lossy(&label.stdout).trim() == "HUBDATA-MOVED"
}

/// Begins to move to a larger disk, or goes on with it, as the panel asks for it.
async fn move_to_larger(panel: &mut PanelClient) {
    if panel.screen().name == "go-on-moving" {
        panel.answer("go-on-moving", true).await.unwrap();
        panel.wait_for("locked").await.unwrap();
        panel.type_digits(PIN).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
    } else {
        panel.unlock(PIN).await.unwrap();
        panel.choose("Larger disk").await.unwrap();
        panel.wait_for("ask-pin").await.unwrap();
        panel.type_digits(PIN).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        panel.answer("larger-disk", true).await.unwrap();
        // What a cut left there of a disk that was being made is no empty one.
        let is_next = |screen: &Screen| ["new-disk", "erase-disk"].contains(&screen.name.as_str());
        let asked = panel.wait_until(is_next).await.unwrap().name.clone();
        panel.answer(&asked, true).await.unwrap();
    }
    panel.wait_for("moving").await.unwrap();
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn data_moves_from_a_usb_disk_to_a_larger_one_from_the_panel_over_power_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    parts.has_data = DataDisk::Usb;
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Larger").await;
    let larger = File::create(parts.data.with_extension("larger")).unwrap();
    larger.set_len(2 * DATA_DISK).unwrap();

    parts.has_data = DataDisk::UsbAndLarger;
    for _ in 0..CUTS {
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        if was_left(&parts.data) {
            // It was done before the cut.
            break;
        }
        move_to_larger(&mut panel).await;
        // The moment is chance.
        tokio::time::sleep(Duration::from_millis(u64::from(getrandom::u32().unwrap() % 8000))).await;
        vm.pull_plug().await.unwrap();
    }
    if !was_left(&parts.data) {
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        move_to_larger(&mut panel).await;
        panel.wait_until(|screen| screen.name != "moving").await.unwrap();
        passes_notice(&mut panel).await;
        vm.pull_plug().await.unwrap();
    }
    assert!(was_left(&parts.data));

    // With the old disk out, and with it in, whose records nobody takes for anything any more.
    for has_data in [DataDisk::Larger, DataDisk::UsbAndLarger] {
        parts.has_data = has_data;
        let (vm, mut panel) = switch_on(&parts, folder.path()).await;
        if has_data == DataDisk::UsbAndLarger {
            passes_notice(&mut panel).await;
        }
        panel.unlock(PIN).await.unwrap();
        assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    }
}

/// Does this to the part for the keys of a disk of its own, which is not encrypted, as somebody with the disk in hand can
/// (`debugfs(8)`), and gives what it says.
fn in_keys_of(disk: &Path, commands: &[&str]) -> String {
    let part = format!("{}?offset={KEYS_AT}", disk.display());
    let mut said = String::new();
    for command in commands {
        let mut debugfs = Command::new("/sbin/debugfs");
        let output = debugfs.args(["-w", "-R", command, &part]).output().unwrap();
        assert!(output.status.success(), "{command}");
        said += &String::from_utf8_lossy(&output.stdout);
    }
    said
}

#[tokio::test]
#[ignore = "boots images: scripts/test --image"]
async fn what_somebody_put_on_both_disks_leads_a_move_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    parts.has_data = DataDisk::Usb;
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Crafted").await;
    let larger = parts.data.with_extension("larger");
    File::create(&larger).unwrap().set_len(2 * DATA_DISK).unwrap();
    parts.has_data = DataDisk::UsbAndLarger;
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    move_to_larger(&mut panel).await;
    panel.wait_until(|screen| screen.name != "moving").await.unwrap();
    passes_notice(&mut panel).await;
    vm.pull_plug().await.unwrap();

    // As if it had been cut before the keys were copied; and then the disks were in somebody's hands.
    mark(&parts.data, "--part-label", [("1", "HUBKEYS"), ("2", "HUBDATA")]);
    mark(&larger, "--part-label", [("1", "HUBKEYS-NEW"), ("2", "HUBDATA-NEW")]);
    let decoy = folder.path().join("decoy");
    fs::write(&decoy, "what lies there").unwrap();
    let of_original = [
        "rm keyslots.previous.json",
        "symlink keyslots.previous.json keyslots.json",
        "symlink system /etc/passwd",
        "mknod pipe p",
    ];
    in_keys_of(&parts.data, &of_original);
    let write = format!("write {} decoy", decoy.display());
    let of_copy = [
        &write,
        "rm keyslots.json",
        "rm keyslots.previous.json",
        "symlink keyslots.json decoy",
    ];
    in_keys_of(&larger, &of_copy);

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    move_to_larger(&mut panel).await;
    panel.wait_until(|screen| screen.name != "moving").await.unwrap();
    passes_notice(&mut panel).await;
    vm.pull_plug().await.unwrap();
    assert!(was_left(&parts.data));
    // The hub makes its second copy of the slots anew where it can't be read.
    for name in ["keyslots.json", "keyslots.previous.json"] {
        let copied = in_keys_of(&larger, &[&format!("stat {name}")]);
        assert!(copied.contains("Type: regular"), "{copied}");
    }
    assert_eq!(in_keys_of(&larger, &["cat decoy"]), "what lies there");
    let names = in_keys_of(&larger, &["ls -p /"]);
    for name in ["system", "pipe"] {
        assert!(!names.contains(name), "{names}");
    }

    parts.has_data = DataDisk::Larger;
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}
