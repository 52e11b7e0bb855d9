//! The image, booted: what an owner does with a new box, what a changed card does, what the network gets to see.
//!
//! `scripts/test --image` builds the image and runs these with its path in the variable `HUB_IMAGE`. That of the next
//! firmware, whose store has another version, is in `HUB_IMAGE_NEXT`; that for QEMU's Raspberry Pi 3 in `HUB_IMAGE_RASPI3B`.

mod backups;
mod board_key;
mod boot;
mod clock;
mod courier;
mod disks;
mod display;
mod hang;
mod hardware;
mod inside;
mod lan;
mod moving;
mod outside;
mod power;
mod raspberry_pi;
mod reader;
mod repair;
mod rotation;
mod sticks;
mod update;
mod vm;
mod write_log;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::Comparison;
use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;
use tempfile::TempDir;
use vm::{DataDisk, Parts, Vm};

const PRIVATE_NETWORK: &str = "10.0.2.0/24";
/// An address block for documentation (RFC 5737): like any address out on the internet.
const PUBLIC_NETWORK: &str = "203.0.113.0/24";
const DATA_DISK: u64 = 256 << 20;
const LISTENING: &str = "listening on http";
const SECTOR: u64 = 512;

fn image() -> PathBuf {
    let path = std::env::var_os("HUB_IMAGE").expect("HUB_IMAGE names the card's image");
    fs::canonicalize(path).expect("the image is there")
}

/// The card of a later firmware, whose store this one's does not open.
fn next_image() -> PathBuf {
    let path = std::env::var_os("HUB_IMAGE_NEXT").expect("HUB_IMAGE_NEXT names the next firmware's image");
    fs::canonicalize(path).expect("the image is there")
}

/// A box with an empty data disk, and a card of its own that may be changed.
fn new_box(folder: &TempDir, network: &'static str) -> Parts {
    new_box_of(&image(), folder, network)
}

/// The same with a copy of this card.
fn new_box_of(card: &Path, folder: &TempDir, network: &'static str) -> Parts {
    let parts = Parts {
        card: folder.path().join("card.img"),
        data: folder.path().join("data.img"),
        write_card: true,
        has_data: DataDisk::Fixed,
        dtb: None,
        network,
        // The port is free now; nobody else takes one from this range in between but by chance.
        port: TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port(),
        log: None,
    };
    fs::copy(card, &parts.card).unwrap();
    File::create(&parts.data).unwrap().set_len(DATA_DISK).unwrap();
    parts
}

/// Puts a clinic on the card, as an owner without internet does.
fn put_on_card(clinic: &Clinic, card: &Path) {
    let bundle = card.with_file_name("clinic.json");
    clinic
        .write_bundle(BufWriter::new(File::create(&bundle).unwrap()))
        .unwrap();
    copy_to_card(&bundle, card);
}

/// Copies a file to the card's first partition.
fn copy_to_card(file: &Path, card: &Path) {
    let mut copy = Command::new("mcopy");
    copy.arg("-o").arg("-i").arg(format!("{}@@1M", card.display()));
    assert!(copy.arg(file).arg("::").status().unwrap().success());
}

/// The note of the data disk that a card belongs to.
const DISK_NOTE: &str = "hub-disk.txt";

/// What lies on the card's first partition: the names, sizes and times of all files but the note of its data disk, whether
/// that is there, and what the board starts from.
fn files_on_card(card: &Path) -> (Vec<String>, bool, [Vec<u8>; 2]) {
    let output = |program: &str, arguments: &[&str]| {
        let partition = format!("{}@@1M", card.display());
        let output = Command::new(program)
            .args(["-i", &partition])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success());
        output.stdout
    };
    let list = String::from_utf8(output("mdir", &["-a", "::"])).unwrap();
    // How many there are and how much room is left follows from them.
    let files = list.lines().filter(|line| !line.contains(" bytes"));
    let (notes, files): (Vec<_>, Vec<_>) = files.map(str::to_owned).partition(|line| line.contains(DISK_NOTE));
    let starts_from = ["::vmlinuz", "::cmdline.txt"].map(|path| output("mtype", &[path]));
    (files, !notes.is_empty(), starts_from)
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Where the second partition begins and ends, from the card's MBR.
fn root_of(card: &Path) -> (u64, u64) {
    let mut entry = [0; 16];
    File::open(card).unwrap().read_exact_at(&mut entry, 446 + 16).unwrap();
    let number = |at: usize| u64::from(u32::from_le_bytes(entry[at..at + 4].try_into().unwrap()));
    (number(8) * SECTOR, (number(8) + number(12)) * SECTOR)
}

fn flip_bit(card: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(card).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 0x10;
    file.write_all_at(&byte, at).unwrap();
}

#[allow(clippy::print_stdout, reason = "figures for people")]
fn figure(what: &str, took: Duration) {
    println!("{what:<44}{:>8.2} s", took.as_secs_f64());
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_new_box_is_set_up_serves_phones_and_keeps_what_they_gave_over_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(500));
    let files_before = files_on_card(&parts.card);
    put_on_card(&clinic, &parts.card);
    let user = &clinic.users()[0];

    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    figure("cold boot to the open port", vm.wait_for(LISTENING).await.unwrap());
    let mut phone = Phone::new(&vm.url()).unwrap();
    assert!(phone.client.heartbeat().await.unwrap().locked);

    let began = std::time::Instant::now();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    figure("set-up: keys, data disk, import", began.elapsed());

    panel.open_pairing().await.unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    phone.log_in(&user.email, &user.password).await.unwrap();
    let began = std::time::Instant::now();
    phone.sync().await.unwrap();
    figure("first sync of a phone", began.elapsed());
    let edit = hub_tests::phone::edit::NewPatient {
        given_name: "Kept".to_owned(),
        ..Default::default()
    };
    let patient = phone.register_patient(&edit).unwrap();
    phone.sync().await.unwrap();
    drop(panel);

    // It was in the clear: now it is in the hub alone.
    let (files, is_noted, starts_from) = files_on_card(&parts.card);
    assert!(is_noted && !files_before.1, "{files:?}");
    assert_eq!(files, files_before.0);
    assert!(starts_from == files_before.2);
    vm.reset().await.unwrap();
    figure("restart to the open port", vm.wait_for(LISTENING).await.unwrap());
    let began = std::time::Instant::now();
    let mut panel = vm.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    figure("unlock", began.elapsed());

    panel.open_pairing().await.unwrap();
    let mut other = Phone::new(&vm.url()).unwrap();
    other.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    other.log_in(&user.email, &user.password).await.unwrap();
    other.sync().await.unwrap();
    assert!(other.database.row("patients", &patient).is_some());
    Comparison::of_one_user()
        .compare(&phone.database, &other.database)
        .unwrap();

    // What is on the disk tells nothing.
    vm.pull_plug().await.unwrap();
    let disk = fs::read(&parts.data).unwrap();
    assert!(holds(&disk, b"HUBKEYS") && holds(&disk, b"LUKS"));
    assert!(!holds(&disk, user.email.as_bytes()) && !holds(&disk, b"SQLite format"));
    // Nor is it on the card, not even where no file is.
    let card = fs::read(&parts.card).unwrap();
    assert!(holds(&card, b"HUBBOOT") && !holds(&card, user.email.as_bytes()));
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

/// A phone that was kept.
async fn pair(vm: &Vm, panel: &mut PanelClient, clinic: &Clinic) -> Phone {
    let user = &clinic.users()[0];
    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(&vm.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    phone.log_in(&user.email, &user.password).await.unwrap();
    phone.sync().await.unwrap();
    phone
}

/// Registers a patient of this name and has the hub acknowledge it.
async fn register(phone: &mut Phone, name: &str) -> String {
    let patient = NewPatient {
        given_name: name.to_owned(),
        ..Default::default()
    };
    let id = phone.register_patient(&patient).unwrap();
    phone.sync().await.unwrap();
    id
}

/// A box that is set up, with a phone and a patient of this name, that had its plug pulled.
async fn box_in_use(parts: &Parts, folder: &Path, name: &str) -> (Clinic, Phone, String) {
    use_box(parts, folder, name, false).await
}

/// The same, with its data on the rest of its card.
async fn box_on_card(parts: &Parts, folder: &Path, name: &str) -> (Clinic, Phone, String) {
    use_box(parts, folder, name, true).await
}

async fn use_box(parts: &Parts, folder: &Path, name: &str, on_card: bool) -> (Clinic, Phone, String) {
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(100));
    put_on_card(&clinic, &parts.card);
    let (vm, mut panel) = switch_on(parts, folder).await;
    if on_card {
        panel.answer("use-card", true).await.unwrap();
    }
    panel.set_up(PIN).await.unwrap();
    let mut phone = pair(&vm, &mut panel, &clinic).await;
    let patient = register(&mut phone, name).await;
    vm.pull_plug().await.unwrap();
    (clinic, phone, patient)
}

/// Switches a box on and waits until its panel shows more than its version.
async fn switch_on(parts: &Parts, folder: &Path) -> (Vm, PanelClient) {
    let mut vm = Vm::start(parts, folder).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    (vm, panel)
}

/// Whether a phone that was never here gets the patient.
async fn serves(vm: &Vm, panel: &mut PanelClient, clinic: &Clinic, patient: &str) -> bool {
    let newcomer = pair(vm, panel, clinic).await;
    newcomer.database.row("patients", patient).is_some()
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn the_owners_file_gives_address_and_display_and_a_mistake_in_it_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let settle = |text: &str| {
        let file = folder.path().join("hub-setup.toml");
        fs::write(&file, text).unwrap();
        copy_to_card(&file, &parts.card);
    };
    settle("[panel]\nprofile = 'four-buttons-128'\n[network]\naddress = '10.0.2.77/24'\ngateway = '10.0.2.2'\n");
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for("hub: address 10.0.2.77").await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    assert_eq!(code.url, "http://10.0.2.77:4001");
    assert!(code.id.is_some() && code.key.is_some());
    drop(panel);
    vm.pull_plug().await.unwrap();

    settle("[network]\naddress = '10.0.2.77'\n");
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.wait_for("notice").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("locked").await.unwrap();
    const BY_DHCP: &str = "hub: address 10.0.2.15";
    if !vm.said().contains(BY_DHCP) {
        vm.wait_for(BY_DHCP).await.unwrap();
    }
    assert!(vm.said().contains("hub-setup.toml, line 2"));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_changed_bit_in_the_root_never_runs() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let (start, _) = root_of(&parts.card);
    // The squashfs superblock: read before anything else.
    flip_bit(&parts.card, start + 8);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for("Kernel panic").await.unwrap();
    assert!(!vm.said().contains("hub: system up"));
    assert!(!vm.said().contains(LISTENING));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn programs_that_decayed_on_the_card_stop_the_box() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let (start, end) = root_of(&parts.card);
    // All blocks of the root's middle: files lie there, and what says where files are is whole.
    let quarter = (end - start) / 4;
    (start + quarter..end - 2 * quarter)
        .step_by(4096)
        .for_each(|at| flip_bit(&parts.card, at));
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for("Kernel panic").await.unwrap();
    assert!(!vm.said().contains(LISTENING));
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn from_a_public_address_nothing_answers() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PUBLIC_NETWORK);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    // It has the address, and says what is wrong with it.
    const TOLD: &str = "an address on the internet, where no phone is served";
    if !vm.said().contains(TOLD) {
        vm.wait_for(TOLD).await.unwrap();
    }
    let mut phone = Phone::new(&vm.url()).unwrap();
    let answer = tokio::time::timeout(Duration::from_secs(10), phone.client.heartbeat()).await;
    assert!(!matches!(answer, Ok(Ok(_))));
}

#[test]
#[ignore = "needs an image: scripts/test --image"]
fn the_root_holds_nothing_that_gives_rights_away() {
    let card = image();
    let (start, _) = root_of(&card);
    let list = Command::new("unsquashfs")
        .args(["-o", &start.to_string(), "-lln"])
        .arg(&card)
        .output()
        .unwrap();
    assert!(list.status.success());
    let list = String::from_utf8(list.stdout).unwrap();
    let files: Vec<&str> = list.lines().filter(|line| line.contains(" squashfs-root")).collect();
    assert!(files.len() > 100);
    for file in files {
        let mode = file.split_whitespace().next().unwrap().as_bytes();
        assert!(file.contains(" 0/0 "), "not root's: {file}");
        assert!(!mode.iter().any(|bit| matches!(bit, b's' | b'S')), "set-id: {file}");
        assert!(mode[0] == b'l' || mode[8] != b'w', "anybody writes: {file}");
    }
    let text = |path: &str| -> io::Result<String> {
        let output = Command::new("unsquashfs")
            .args(["-o", &start.to_string(), "-cat"])
            .arg(&card)
            .arg(path)
            .output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let shadow = text("etc/shadow").unwrap();
    assert!(!shadow.is_empty() && shadow.lines().all(|line| line.split(':').nth(1) == Some("!")));
    let passwd = text("etc/passwd").unwrap();
    assert!(!passwd.is_empty() && passwd.lines().all(|line| line.ends_with(":/bin/false")));
    let inittab = text("etc/inittab").unwrap();
    let starts: Vec<&str> = inittab.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(starts.iter().any(|line| line.contains("start-hub")));
    assert!(
        !starts
            .iter()
            .any(|line| line.contains("getty") || line.ends_with("sh") || line.contains("askfirst"))
    );
}
