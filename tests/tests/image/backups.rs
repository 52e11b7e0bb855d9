//! The sticks that a box has for its backups and its key: chosen, pulled out, and what comes back from them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{self, PIN};
use hub_tests::panel_client::{Button, PanelClient, RecoveryCode, Screen};
use hub_tests::patience::patience;

use super::sticks::Stick;
use super::vm::{Parts, Vm};
use super::{DATA_DISK, LISTENING, PRIVATE_NETWORK, figure, new_box, pair, put_on_card, register, says};

const NEW_PIN: &str = "27182818";
/// Where backups are on a stick.
const FOLDER: &str = "hub-backup";
const DATABASE: &str = "hub.db";
/// What a slow stick takes, bytes a second: a copy of the smallest store takes it a minute.
const SLOWLY: u32 = 32 << 10;

/// Switches a box on that has a slot for sticks, and knows this one.
async fn switch_on(parts: &Parts, folder: &Path, stick: &Stick, is_in: bool) -> (Vm, PanelClient) {
    let mut more = vec!["-device".to_owned(), "qemu-xhci".to_owned()];
    more.extend(stick.arguments());
    if is_in {
        more.extend(stick.is_in());
    }
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    let mut vm = Vm::start_with(parts, folder, &more).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    (vm, panel)
}

/// Sets a box up that has a clinic, and has a person make the stick its backup stick.
async fn set_up(parts: &Parts, folder: &Path, stick: &Stick, clinic: &Clinic) -> (Vm, PanelClient, RecoveryCode) {
    put_on_card(clinic, &parts.card);
    let (vm, mut panel) = switch_on(parts, folder, stick, false).await;
    let code = panel.set_up(PIN).await.unwrap();
    panel.choose("Backup").await.unwrap();
    panel.wait_for_backup("No backup yet").await.unwrap();
    vm.put_in(stick.name).await.unwrap();
    let began = Instant::now();
    panel.make_backup_stick(PIN).await.unwrap();
    figure("stick put in, to the end of its first backup", began.elapsed());
    (vm, panel, code)
}

/// The names of the backups on a stick that are whole.
fn generations(stick: &Stick) -> Vec<String> {
    let paths = stick.paths(FOLDER);
    let mut whole: Vec<_> = paths
        .iter()
        .filter_map(|path| path.strip_suffix("/manifest.json")?.rsplit('/').next())
        .filter(|name| !name.ends_with(".new"))
        .map(str::to_owned)
        .collect();
    whole.sort();
    whole
}

/// Whether there is what a copy that was cut off left.
fn has_unfinished(stick: &Stick) -> bool {
    stick.paths(FOLDER).iter().any(|path| path.contains(".new/"))
}

/// Whether what is on a stick comes back on a desk by the code of its day.
fn comes_back(stick: &Stick, code: &RecoveryCode) -> bool {
    let desk = tempfile::tempdir().unwrap();
    stick.copied(FOLDER, desk.path());
    hub::restore(
        desk.path(),
        &desk.path().join("data"),
        &code.groups().join("-"),
        NEW_PIN,
    )
    .unwrap()
}

/// One with the same on it, but for a bit in the middle of the newest backup's database.
fn with_flipped_bit(stick: &Stick) -> Stick {
    let desk = tempfile::tempdir().unwrap();
    let top = stick.copied(FOLDER, desk.path());
    let database: PathBuf = top.join(generations(stick).pop().unwrap()).join(DATABASE);
    let mut bytes = fs::read(&database).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&database, bytes).unwrap();
    let spoiled = stick.copy("spoiled");
    spoiled.take(&top);
    spoiled
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: scripts/test --image"]
async fn a_stick_that_is_pulled_out_in_mid_copy_keeps_the_last_backup_whole_and_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let stick = Stick::with_partition(folder.path(), "backups");
    let clinic = Clinic::generate(7, ClinicSize::about_rows(500));
    let (vm, mut panel, code) = set_up(&parts, folder.path(), &stick, &clinic).await;
    let first = generations(&stick);
    assert_eq!(first.len(), 1);

    vm.slow_writes_to_stick(stick.name, SLOWLY).await.unwrap();
    // *Now* is lit.
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for_backup("Copying the records").await.unwrap();
    while !has_unfinished(&stick) {
        assert!(!says(panel.look().unwrap(), "up to date"), "it came through at once");
        tokio::task::yield_now().await;
    }
    vm.pull_stick().await.unwrap();
    panel.wait_for_backup("stick is out").await.unwrap();
    assert!(has_unfinished(&stick));
    assert_eq!(generations(&stick), first, "what was cut off is no backup");
    assert!(comes_back(&stick, &code));

    vm.slow_writes_to_stick(stick.name, 0).await.unwrap();
    vm.put_in(stick.name).await.unwrap();
    panel.wait_for_backup("up to date").await.unwrap();
    assert!(!has_unfinished(&stick), "its room is free again");
    panel.press(Button::Ok).await.unwrap();
    let another = async {
        while generations(&stick).len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    let made = tokio::time::timeout(patience(Duration::from_secs(60)), another);
    made.await.expect("another backup at a person's wish");
    assert!(generations(&stick).starts_with(&first));
    panel.lock().await.unwrap();
    vm.pull_plug().await.unwrap();
    assert!(comes_back(&stick, &code));
}

/// Passes the questions of a box whose disk is gone, up to the question whether the empty one in its place may be taken.
async fn begins_anew(panel: &mut PanelClient) {
    panel.answer("disk-away", true).await.unwrap();
    panel.answer("begin-anew", true).await.unwrap();
    panel.answer("new-disk", true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: scripts/test --image"]
async fn a_box_whose_disk_is_gone_comes_back_from_its_stick_and_not_from_one_with_a_flipped_bit() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let stick = Stick::with_partition(folder.path(), "backups");
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let (vm, mut panel, code) = set_up(&parts, folder.path(), &stick, &clinic).await;
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let kept = register(&mut phone, "Kept").await;
    // What was acknowledged goes to the stick by the lock at the latest.
    panel.lock().await.unwrap();
    vm.pull_plug().await.unwrap();

    File::create(&parts.data).unwrap().set_len(DATA_DISK).unwrap();
    let spoiled = with_flipped_bit(&stick);
    let (vm, mut panel) = switch_on(&parts, folder.path(), &spoiled, true).await;
    begins_anew(&mut panel).await;
    panel.restore(&code, NEW_PIN).await.unwrap_err();
    let screen = panel.screen();
    assert!(screen.name == "error" && says(screen, DATABASE), "{screen:?}");
    vm.pull_plug().await.unwrap();

    let (vm, mut panel) = switch_on(&parts, folder.path(), &stick, true).await;
    begins_anew(&mut panel).await;
    let began = Instant::now();
    let new_code = panel.restore(&code, NEW_PIN).await.unwrap();
    figure("restore from the stick: keys, data disk, records", began.elapsed());
    assert_ne!(new_code, code);
    phone.sync().await.unwrap();
    register(&mut phone, "Later").await;
    let seen = hub_as_seen_by(&mut phone).await.unwrap();
    assert!(seen.row("patients", &kept).is_some());
    Comparison::of_one_user().compare(&seen, &phone.database).unwrap();
    panel.lock().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    drop(vm);
}

/// Has PIN and stick asked for.
async fn rest_on_stick(panel: &mut PanelClient) {
    panel.take_way("PIN and stick", "Use it").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let said = panel.wait_for("errand").await.unwrap().lines.join(" ");
    assert!(said.contains("PIN and stick open"), "{said}");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: scripts/test --image"]
async fn a_key_stick_locks_the_box_when_it_is_pulled_out_and_opens_it_with_the_pin() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let stick = Stick::with_partition(folder.path(), "key");
    put_on_card(&Clinic::generate(7, ClinicSize::about_rows(100)), &parts.card);
    let (vm, mut panel) = switch_on(&parts, folder.path(), &stick, false).await;
    panel.set_up(PIN).await.unwrap();
    vm.put_in(stick.name).await.unwrap();
    // Where it can be offered the kernel has found it.
    panel.choose("Backup").await.unwrap();
    panel.wait_for_backup("Use stick").await.unwrap();
    rest_on_stick(&mut panel).await;

    let misses_stick = |screen: &Screen| says(screen, "Put the key stick in");
    let began = Instant::now();
    vm.pull_stick().await.unwrap();
    panel.wait_until(|screen| screen.name != "home").await.unwrap();
    figure("key stick pulled out: the panel leaves home", began.elapsed());
    panel.wait_for("locked").await.unwrap();
    figure("key stick pulled out: locked", began.elapsed());
    // With digits in the field it says how to delete, so the request is back only when the PIN was refused.
    panel.wait_until(misses_stick).await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.wait_until(|screen| !misses_stick(screen)).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(misses_stick).await.unwrap();

    vm.put_in(stick.name).await.unwrap();
    panel
        .wait_until(|screen| screen.name == "locked" && !misses_stick(screen))
        .await
        .unwrap();
    panel.unlock(PIN).await.unwrap();

    panel.open_pin_change().await.unwrap();
    panel.wait_until(|screen| says(screen, "Current PIN")).await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("checking").await.unwrap();
    let began = Instant::now();
    vm.pull_stick().await.unwrap();
    panel.wait_for("locked").await.unwrap();
    figure("key stick pulled out while a PIN is checked: locked", began.elapsed());
    vm.pull_plug().await.unwrap();
    assert!(stick.paths("").iter().any(|path| path.ends_with("hub.key")));
}
