//! Where the data lies: a disk of its own, one with something else on it, the rest of the card; and disks that go.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::panel_client::{PanelClient, Screen};
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;

use super::inside::{at_shell, development_box};
use super::vm::{DataDisk, Parts, Vm};
use super::{
    DATA_DISK, LISTENING, PRIVATE_NETWORK, box_in_use, box_on_card, copy_to_card, image, new_box, pair, put_on_card,
    register, root_of, says, serves, switch_on,
};
use tempfile::TempDir;

/// Room for data behind the card's image.
const REST: u64 = 200 << 20;
/// Where the part for the keys is on a disk of its own.
pub(crate) const KEYS_AT: u64 = 1 << 20;
const KEYS_BYTES: u64 = 16 << 20;

/// Whether phones are told that the hub is locked. A hub that is just about to lock ends connections, so what came to no
/// answer is asked once more.
async fn is_locked(vm: &Vm) -> bool {
    for _ in 0..3 {
        let mut phone = Phone::new(&vm.url()).unwrap();
        if let Ok(heartbeat) = phone.client.heartbeat().await {
            return heartbeat.locked;
        }
    }
    panic!("no heartbeat is answered");
}

/// Waits for what the panel says when the disk is gone. A hub that could not lock in time ended and started anew: it
/// knows no more than that there is none.
async fn misses_its_disk(panel: &mut PanelClient) -> bool {
    let is_told = |screen: &Screen| ["error", "disk-away"].contains(&screen.name.as_str());
    let screen = panel.wait_until(is_told).await.unwrap();
    says(screen, "pulled out") || says(screen, "No data disk") || says(screen, "Plug in the disk")
}

/// Waits until the hub has started anew, which looks at its panel anew, and opens it.
async fn reopened(vm: &mut Vm, panel: PanelClient) -> PanelClient {
    vm.wait_for(LISTENING).await.unwrap();
    drop(panel);
    let mut panel = vm.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn without_a_disk_the_rest_of_the_card_holds_the_data_if_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    (parts.has_data, parts.write_card) = (DataDisk::None, true);
    let card = OpenOptions::new().write(true).open(&parts.card).unwrap();
    card.set_len(card.metadata().unwrap().len() + REST).unwrap();
    let (start, end) = root_of(&parts.card);
    let root = read(&parts.card, start, end);

    let (clinic, _, patient) = box_on_card(&parts, folder.path(), "On the card").await;

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    vm.pull_plug().await.unwrap();
    assert_eq!(read(&parts.card, start, end), root);
    assert!(is_spared_by_flash(&parts.card));
}

/// Whether `scripts/flash` says that there are records on it, and keeps off it where nobody can say that these may go.
fn is_spared_by_flash(disk: &Path) -> bool {
    let before = fs::read(disk).unwrap();
    let mut flash = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/flash"));
    let output = flash
        .arg("--image")
        .arg(image())
        .arg(disk)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let says_so = String::from_utf8_lossy(&output.stdout).contains("RECORDS");
    says_so && !output.status.success() && fs::read(disk).unwrap() == before
}

/// Writes the image to a card as an owner does.
fn write_by_flash(card: &Path) {
    let mut flash = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/flash"))
        .arg("--image")
        .arg(image())
        .arg(card)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let name = format!("{}\n", card.display());
    flash.stdin.take().unwrap().write_all(name.as_bytes()).unwrap();
    assert!(flash.wait().unwrap().success());
}

fn read(card: &Path, start: u64, end: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
    File::open(card).unwrap().read_exact_at(&mut bytes, start).unwrap();
    bytes
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_disk_with_something_on_it_is_erased_only_when_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    parts.has_data = DataDisk::Usb;
    let made = Command::new("/sbin/mkfs.vfat").arg(&parts.data).output().unwrap();
    assert!(made.status.success());
    let before = fs::read(&parts.data).unwrap();

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    let asked = panel.wait_for("erase-disk").await.unwrap();
    assert!(says(asked, "268 MB") && says(asked, "QEMU"), "{asked:?}");
    panel.answer("erase-disk", false).await.unwrap();
    assert!(says(panel.wait_for("error").await.unwrap(), "kept"));
    vm.pull_plug().await.unwrap();
    assert!(fs::read(&parts.data).unwrap() == before);

    let (_vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.answer("erase-disk", true).await.unwrap();
    panel.set_up(PIN).await.unwrap();
}

/// Runs a program of the disk tools.
fn run(program: &str, arguments: &[&str], input: &str) {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{program} {arguments:?}");
}

fn write(disk: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(disk).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Switches the box on, waits for what its panel says to be wrong, and sees that nothing on the disk was changed for it.
async fn only_says(parts: &Parts, folder: &Path, text: &str) {
    let before = fs::read(&parts.data).unwrap();
    let (vm, mut panel) = switch_on(parts, folder).await;
    let screen = panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    assert!(screen.name == "error" && says(screen, text), "{text}: {screen:?}");
    vm.pull_plug().await.unwrap();
    assert!(fs::read(&parts.data).unwrap() == before, "{text}");
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_data_disk_that_lost_a_part_is_told_of_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Left").await;
    let whole = fs::read(&parts.data).unwrap();
    const DAMAGED: &str = "Data disk is damaged";

    // The first sector: no kernel finds the table without it.
    write(&parts.data, 0, &[0; 512]);
    only_says(&parts, folder.path(), DAMAGED).await;

    // The superblock of the part for the keys.
    fs::write(&parts.data, &whole).unwrap();
    write(&parts.data, KEYS_AT + 1024, &[0; 1024]);
    only_says(&parts, folder.path(), DAMAGED).await;

    // Its key slots.
    fs::write(&parts.data, &whole).unwrap();
    let keys = folder.path().join("keys.img");
    fs::write(&keys, read(&parts.data, KEYS_AT, KEYS_AT + KEYS_BYTES)).unwrap();
    let keys_file = keys.to_str().unwrap();
    // As at the next start: what was written last is in the journal.
    let _ = Command::new("/sbin/e2fsck").args(["-p", keys_file]).output().unwrap();
    run(
        "/sbin/debugfs",
        &["-w", "-f", "-", keys_file],
        "rm keyslots.json\nrm keyslots.previous.json\n",
    );
    write(&parts.data, KEYS_AT, &fs::read(&keys).unwrap());
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    let screen = panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    assert!(
        screen.name == "error" && says(screen, "The keys on the data"),
        "{screen:?}"
    );
    vm.pull_plug().await.unwrap();

    // Nothing was lost for good.
    fs::write(&parts.data, &whole).unwrap();
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn what_is_on_a_disk_without_a_table_is_asked_about_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    // As a disk that is encrypted as a whole looks.
    let mut bytes = vec![0; usize::try_from(DATA_DISK).unwrap()];
    getrandom::fill(&mut bytes).unwrap();
    fs::write(&parts.data, &bytes).unwrap();
    keeps_what_is_there(&parts, folder.path()).await;

    // Two members of a RAID, at the numbers of a card's rest.
    File::create(&parts.data).unwrap().set_len(DATA_DISK).unwrap();
    let table = "label: dos\n,32MiB,c\n,32MiB,da\n,64MiB,da\n,,da\n";
    run("/sbin/sfdisk", &["--quiet", parts.data.to_str().unwrap()], table);
    let member = folder.path().join("member.img");
    File::create(&member).unwrap().set_len(64 << 20).unwrap();
    run(
        "/sbin/mke2fs",
        &["-q", "-F", "-t", "ext4", member.to_str().unwrap()],
        "",
    );
    write(&parts.data, 65 << 20, &fs::read(&member).unwrap());
    keeps_what_is_there(&parts, folder.path()).await;
}

/// Whether the box asks, with name and size, before it erases its disk, and else does not change a bit of it.
async fn keeps_what_is_there(parts: &Parts, folder: &Path) {
    let before = fs::read(&parts.data).unwrap();
    let (vm, mut panel) = switch_on(parts, folder).await;
    let asked = panel.wait_for("erase-disk").await.unwrap();
    assert!(says(asked, "268 MB"), "{asked:?}");
    panel.answer("erase-disk", false).await.unwrap();
    assert!(says(panel.wait_for("error").await.unwrap(), "kept"));
    vm.pull_plug().await.unwrap();
    assert!(fs::read(&parts.data).unwrap() == before);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn of_two_data_disks_none_is_opened_but_the_one_that_a_person_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Twice").await;
    // Its first day ended by a power cut, and nobody opened it since.
    let copy = parts.data.with_extension("copy");
    fs::copy(&parts.data, &copy).unwrap();
    let before = fs::read(&parts.data).unwrap();

    assert!(is_spared_by_flash(&parts.data));
    parts.has_data = DataDisk::Both;
    let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
    let asked = panel.wait_for("which-disk").await.unwrap();
    // Its hub, and how many phones that knows.
    assert!(
        says(asked, "1/2") && says(asked, "Clinic Hub") && says(asked, "1 "),
        "{asked:?}"
    );
    assert!(fs::read(&parts.data).unwrap() == before && fs::read(&copy).unwrap() == before);

    // It goes on by itself with one.
    vm.pull_stick().await.unwrap();
    let mut panel = reopened(&mut vm, panel).await;
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    drop(panel);
    vm.pull_plug().await.unwrap();

    // A person chooses; on the other one not a bit is changed.
    let [inside, on_usb] = [&parts.data, &copy].map(|disk| fs::read(disk).unwrap());
    let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.answer("which-disk", true).await.unwrap();
    let mut panel = reopened(&mut vm, panel).await;
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
    vm.pull_plug().await.unwrap();
    let is_as_it_was = [(&parts.data, inside), (&copy, on_usb)].map(|(disk, before)| fs::read(disk).unwrap() == before);
    assert_eq!(is_as_it_was.iter().filter(|same| **same).count(), 1, "{is_as_it_was:?}");
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_disk_that_is_pulled_out_locks_the_hub_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    parts.has_data = DataDisk::Usb;
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Pulled").await;

    let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(!is_locked(&vm).await);
    vm.pull_stick().await.unwrap();
    assert!(misses_its_disk(&mut panel).await);
    assert!(is_locked(&vm).await);
    vm.put_stick().await.unwrap();
    let mut panel = reopened(&mut vm, panel).await;
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);

    // The same while it is locked.
    panel.lock().await.unwrap();
    vm.pull_stick().await.unwrap();
    assert!(misses_its_disk(&mut panel).await);
    vm.put_stick().await.unwrap();
    let mut panel = reopened(&mut vm, panel).await;
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_card_that_is_pulled_out_locks_the_hub_which_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let parts = development_box(&folder, PRIVATE_NETWORK);
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Card pulled").await;
    // By the shell itself, for no program can be read then.
    let volumes = r"for i in 0 1 2 3; do n=-; read -r n </sys/block/dm-$i/dm/name; echo volume: $n; done 2>/dev/null";

    for is_open in [true, false] {
        let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
        if is_open {
            panel.unlock(PIN).await.unwrap();
        }
        let before = at_shell(&mut vm, volumes).await;
        assert_eq!(before.contains("volume: hubdata"), is_open, "{before}");
        // The program that closes the disk for whoever looks by hand has to come from the card again.
        at_shell(&mut vm, "echo 3 >/proc/sys/vm/drop_caches").await;
        vm.pull_card().await.unwrap();
        assert!(says(panel.wait_for("error").await.unwrap(), "SD card"));
        assert!(is_locked(&vm).await);
        let after = at_shell(&mut vm, volumes).await;
        assert!(after.contains("volume: ") && !after.contains("hubdata"), "{after}");
        vm.pull_plug().await.unwrap();
    }

    // With the card back in its place nothing is missing.
    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn beside_another_card_the_owners_files_are_those_of_the_running_one() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let other = parts.card.with_extension("other");
    fs::copy(&parts.card, &other).unwrap();
    // Of the same version: they are told apart by the signature that each gets when it is written.
    write_by_flash(&parts.card);
    let clinics = [1, 2].map(|seed| Clinic::generate(seed, ClinicSize::about_rows(100)));
    for (card, clinic, settings) in [
        (&parts.card, &clinics[0], "[panel]\nprofile = 'four-buttons-128'\n"),
        (&other, &clinics[1], "[network]\naddress = '10.0.2.88/24'\n"),
    ] {
        put_on_card(clinic, card);
        let file = folder.path().join("hub-setup.toml");
        fs::write(&file, settings).unwrap();
        copy_to_card(&file, card);
    }
    // Not on USB, where it may show too late to be mistaken for anything; in a slot like the card's, so that it is found
    // right after that.
    let drive = format!("if=none,id=other,format=raw,file={}", other.display());
    let slot = "pcie-root-port,id=other-slot,slot=1";
    let disk = "virtio-blk-pci,drive=other,bus=other-slot";
    let more = ["-drive", &drive, "-device", slot, "-device", disk];
    let mut vm = Vm::start_with(&parts, folder.path(), &more).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    assert!(code.url == "http://10.0.2.15:4001" && code.id.is_some(), "{code:?}");
    let user = &clinics[0].users()[0];
    let mut phone = Phone::new(&vm.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    phone.log_in(&user.email, &user.password).await.unwrap();
    phone.sync().await.unwrap();
    let has = |clinic: &Clinic| {
        let is_there =
            |row: Vec<Cell>| matches!(&row[0], Cell::Text(id) if phone.database.row("patients", id).is_some());
        clinic.expected("patients").any(is_there)
    };
    assert!(has(&clinics[0]) && !has(&clinics[1]));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_card_for_another_board_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = new_box(&folder, PRIVATE_NETWORK);
    let dtb = folder.path().join("another-board.dtb");
    dump_dtb(&dtb);
    let mut bytes = fs::read(&dtb).unwrap();
    let name = b"linux,dummy-virt";
    let places: Vec<_> = (0..bytes.len() - name.len())
        .filter(|at| bytes[*at..].starts_with(name))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + name.len()].copy_from_slice(b"other,board-of-4");
    }
    fs::write(&dtb, bytes).unwrap();
    parts.dtb = Some(dtb);
    // A box that is started anew ends here: it says so for longer than the watchdog has patience.
    let mut vm = Vm::start_with(&parts, folder.path(), &["-no-reboot"]).unwrap();
    for _ in 0..4 {
        vm.wait_for("this card is not for this board (other,board-of-4)")
            .await
            .unwrap();
    }
    vm.wait_for("this card is for: linux,dummy-virt").await.unwrap();
    assert!(!vm.said().contains(LISTENING));
    // Nurses see no console.
    let mut panel = vm.panel().await.unwrap();
    for language in ["another kind of box", "un autre bo"] {
        let is_told = |screen: &Screen| screen.name == "error" && says(screen, language);
        assert!(panel.wait_until(is_told).await.is_ok(), "{language}");
    }
}

/// A box without a data disk but one that QEMU is told of by `more`.
fn box_with_disk(folder: &TempDir) -> Parts {
    Parts {
        has_data: DataDisk::None,
        ..new_box(folder, PRIVATE_NETWORK)
    }
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_disk_that_loses_what_is_written_is_told_of_and_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let parts = box_with_disk(&folder);
    // It takes everything, and gives back zeros.
    let fake = [
        "-blockdev",
        "driver=null-co,node-name=fake,size=8589934592,read-zeroes=on",
        "-device",
        "virtio-blk-pci,drive=fake",
    ];
    let mut vm = Vm::start_with(&parts, folder.path(), &fake).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    assert!(panel.set_up(PIN).await.is_err());
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "is a fake"), "{:?}", screen.lines);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_disk_with_sectors_of_4_kib_keeps_records_over_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let parts = box_with_disk(&folder);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(100));
    put_on_card(&clinic, &parts.card);
    let file = format!(
        "driver=raw,node-name=large,file.driver=file,file.filename={}",
        parts.data.display()
    );
    let disk = [
        "-blockdev",
        &file,
        "-device",
        "virtio-blk-pci,drive=large,logical_block_size=4096,physical_block_size=4096",
    ];
    let mut vm = Vm::start_with(&parts, folder.path(), &disk).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let patient = register(&mut phone, "Large").await;
    vm.pull_plug().await.unwrap();

    let mut vm = Vm::start_with(&parts, folder.path(), &disk).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);
}

/// The description that QEMU gives the board of `scripts/boot-image`, without the room behind it: with that, it does not
/// boot.
fn dump_dtb(to: &Path) {
    let machine = format!("virt,dumpdtb={}", to.display());
    let dumped = Command::new("qemu-system-aarch64")
        .args(["-M", &machine, "-cpu", "cortex-a72", "-smp", "2", "-m", "512"])
        .args(["-display", "none", "-nic", "none"])
        .output();
    assert!(dumped.unwrap().status.success());
    let mut bytes = fs::read(to).unwrap();
    // Header (Devicetree Specification, section 5.2): total size, and where the strings are, which come last.
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let end = word(12) + word(32);
    bytes.truncate(end as usize);
    bytes[4..8].copy_from_slice(&end.to_be_bytes());
    fs::write(to, bytes).unwrap();
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_card_with_another_root_hash_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let card = fs::read(&parts.card).unwrap();
    let option = b" sha256 ";
    let at = card.windows(option.len()).position(|window| window == option).unwrap();
    // A hexadecimal digit of the hash, which stays one.
    let digit = at + option.len();
    let other = if card[digit] == b'0' { b"1" } else { b"0" };
    let file = OpenOptions::new().write(true).open(&parts.card).unwrap();
    file.write_all_at(other, digit as u64).unwrap();
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for("Kernel panic").await.unwrap();
    assert!(!vm.said().contains("hub: system up"));
}
