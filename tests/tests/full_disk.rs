//! A data disk that fills up, and one that fails: what was acknowledged stays, the panel says what is the matter, and a
//! hub on a full disk still lets people in, to read.

#[path = "support/opened.rs"]
mod opened;
#[path = "support/small_disk.rs"]
mod small_disk;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use hub_appliance::clock::HubTime;
use hub_appliance::keys::{KeyStore, Rotation};
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::hub::{Log, PIN, TestHub, binary};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::{Generation, Phone};
use serde_json::Value;
use small_disk::SmallDisk;

/// The smallest disk that a hub takes for its records.
const DISK: &str = "64m";
/// What the hub keeps back of it for itself, bytes.
const KEPT_BACK: u64 = 16 << 20;
/// A record that fills a disk quickly.
const LONG: usize = 16 * 1024;
/// New patients of one push.
const PATIENTS: usize = 64;
/// More pushes than the disk has room for.
const PUSHES: usize = 100;

fn clinic(seed: u64) -> Clinic {
    let size = ClinicSize {
        patients: 50,
        visits: 50,
        events: 50,
    };
    Clinic::generate(seed, size)
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

/// Registers so many patients with a record of this length, and gives their ids.
fn register(phone: &mut Phone, count: usize, length: usize) -> Vec<String> {
    let patient = NewPatient {
        given_name: "Of a full disk".into(),
        camp: "x".repeat(length),
        ..NewPatient::default()
    };
    let registered = (0..count).map(|_| phone.register_patient(&patient).unwrap());
    registered.collect()
}

/// Pushes until the hub takes no more, and gives the patients whom it acknowledged. What it refuses makes it take its log
/// into the database, after which the same may fit.
async fn fill(phone: &mut Phone) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for _ in 0..PUSHES {
        let patients = register(phone, PATIENTS, LONG);
        if is_refused(phone).await && is_refused(phone).await {
            return acknowledged;
        }
        acknowledged.extend(patients);
    }
    panic!("the disk does not fill up");
}

async fn is_refused(phone: &mut Phone) -> bool {
    let refused = phone.push().await.err();
    assert!(
        refused.as_ref().is_none_or(|error| error.status() == Some(503)),
        "{refused:?}"
    );
    refused.is_some()
}

/// Whether another phone that never pulled gets them all.
async fn are_served(hub: &TestHub, user: &DemoUser, patients: &[String]) -> bool {
    let mut phone = hub.phone(user).await.unwrap();
    phone.sync().await.unwrap();
    patients.iter().all(|id| phone.database.row("patients", id).is_some())
}

async fn wait_for_home(panel: &mut PanelClient, text: &str) {
    let wanted = |screen: &Screen| screen.name == "home" && says(screen, text);
    panel.wait_until(wanted).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_takes_no_records_and_loses_none() {
    let disk = SmallDisk::new(DISK);
    let clinic = clinic(31);
    let [doctor, nurse] = ["doctor", "nurse"].map(|name| clinic.user(&format!("{name}@clinic.example")).unwrap());
    let mut hub = TestHub::with_clinic_in(disk.folder(), &clinic, Log::Everything)
        .await
        .unwrap();
    let mut phone = hub.phone(doctor).await.unwrap().with_app(Generation::V1_5);
    phone.sync().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    wait_for_home(&mut panel, "Hub is open").await;

    let acknowledged = fill(&mut phone).await;
    assert!(acknowledged.len() > 10 * PATIENTS, "{}", acknowledged.len());
    wait_for_home(&mut panel, "Disk full").await;
    // Again and again, as phones do; what is refused leaves the room as it was.
    for _ in 0..20 {
        assert!(is_refused(&mut phone).await);
    }
    // Reading goes on, for phones and users that are new too.
    phone.force_download().await.unwrap();
    assert!(are_served(&hub, nurse, &acknowledged).await);
    for _ in 0..3 {
        panel.lock().await.unwrap();
        panel.unlock(PIN).await.unwrap();
        wait_for_home(&mut panel, "Disk").await;
        assert!(are_served(&hub, nurse, &acknowledged).await);
    }

    // Power cut and end change nothing of that.
    hub.hub.kill9().await.unwrap();
    hub.start_again().await.unwrap();
    assert!(are_served(&hub, doctor, &acknowledged).await);
    assert!(hub.hub.terminate().await.unwrap().success());
    let store = opened::open(&hub.data(), HubTime::ZERO);
    assert!(store.disk_used_percent().unwrap() > 90);
}

/// Leaves no more room on the disk of this hub than its database takes half of, beside what is kept back.
fn narrow(hub: &TestHub) {
    let output = Command::new("df")
        .args(["--output=avail", "--block-size=1"])
        .arg(hub.data())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let free: u64 = said.lines().last().unwrap().trim().parse().unwrap();
    let database = fs::metadata(hub.data().join("store/hub.db")).unwrap().len();
    let filler = vec![1; usize::try_from(free - KEPT_BACK - database / 2).unwrap()];
    fs::write(hub.data().with_file_name("filler"), filler).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_new_keys_the_panel_says_so_and_they_come_as_soon_as_there_is() {
    const OTHER_PIN: &str = "27182818";
    let disk = SmallDisk::new(DISK);
    let size = ClinicSize {
        patients: 400,
        visits: 1200,
        events: 2400,
    };
    let clinic = Clinic::generate(34, size);
    let mut hub = TestHub::with_clinic_in(disk.folder(), &clinic, Log::Warnings)
        .await
        .unwrap();
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut phone = hub.phone(doctor).await.unwrap();
    phone.sync().await.unwrap();
    narrow(&hub);

    let mut panel = hub.hub.panel().await.unwrap();
    panel.begin_pin_change(PIN, OTHER_PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "PIN changed")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(|screen| says(screen, "Larger disk")).await.unwrap();
    assert!(says(panel.screen(), "Disk is too full"), "{:?}", panel.screen());
    panel.wait_until(|screen| says(screen, "go on")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel
        .wait_until(|screen| says(screen, "No room for keys"))
        .await
        .unwrap();
    // Nothing else is the matter: phones go on, and the new PIN is the one.
    phone.sync().await.unwrap();
    panel.lock().await.unwrap();
    // It may be told so soon that home is never seen.
    panel.unlock(OTHER_PIN).await.ok();
    panel
        .wait_until(|screen| says(screen, "Disk is too full"))
        .await
        .unwrap();
    phone.client.handshake().await.unwrap();
    phone.sync().await.unwrap();

    disk.resize("128m");
    let keys = KeyStore::at(hub.data().join("keys"));
    panel.wait_for("home").await.unwrap();
    assert_eq!(keys.rotation().unwrap(), Rotation::Settled);
    panel
        .wait_until(|screen| !says(screen, "No room for keys"))
        .await
        .unwrap();
    phone.sync().await.unwrap();
    hub.hub.terminate().await.unwrap();
    assert!(!hub.data().join("store/hub.db.next").exists());
}

#[tokio::test]
async fn a_disk_that_fails_locks_the_hub_and_is_told() {
    let clinic = clinic(32);
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    hub.hub.terminate().await.unwrap();
    // A hub that gets an error for what it writes, and not a signal.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hub");
    let script = format!(
        "#!/bin/sh\ntrap '' XFSZ\nexec '{}' \"$@\"\n",
        binary().unwrap().display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
    hub.start_locked_by(&program).await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    let mut phone = hub.phone(doctor).await.unwrap();
    phone.sync().await.unwrap();
    let acknowledged = register(&mut phone, PATIENTS, 1);
    phone.push().await.unwrap();

    // From here on no file can be written beyond its first 4 KiB.
    let process = hub.hub.pid().unwrap().to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &process, "--fsize=4096"])
        .status();
    assert!(limited.unwrap().success());
    let lost = register(&mut phone, PATIENTS, 1);
    assert_eq!(phone.push().await.unwrap_err().status(), Some(503));
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "The data disk fails."), "{screen:?}");
    let refused = phone.client.handshake().await.unwrap_err();
    assert_eq!(refused.status(), Some(423));
    hub.hub.terminate().await.unwrap();

    // Switched off and on, with the disk well again.
    hub.start_again().await.unwrap();
    assert!(are_served(&hub, doctor, &acknowledged).await);
    assert!(!are_served(&hub, doctor, &lost).await);
    phone.sync().await.unwrap();
    assert!(are_served(&hub, doctor, &lost).await, "the phone still had them");
}

#[tokio::test]
#[ignore = "needs the hub with another schema: scripts/test"]
async fn an_update_without_room_changes_nothing() {
    let next = std::env::var_os("HUB_APPLIANCE_NEXT").expect("HUB_APPLIANCE_NEXT is not set");
    let disk = SmallDisk::new(DISK);
    let clinic = clinic(33);
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut hub = TestHub::with_clinic_in(disk.folder(), &clinic, Log::Everything)
        .await
        .unwrap();
    let mut phone = hub.phone(doctor).await.unwrap();
    phone.sync().await.unwrap();
    let acknowledged = fill(&mut phone).await;
    hub.hub.terminate().await.unwrap();
    let facts = hub.data().join("keys/facts.json");
    let of_writers = |text: &str| {
        let facts: Value = serde_json::from_str(text).unwrap();
        ["writer", "next", "before"].map(|name| facts[name].clone())
    };
    let before = of_writers(&fs::read_to_string(&facts).unwrap());

    for _ in 0..2 {
        hub.start_locked_by(Path::new(&next)).await.unwrap();
        let mut panel = hub.hub.panel().await.unwrap();
        assert!(panel.unlock(PIN).await.is_err());
        assert!(says(panel.screen(), "full for this update."), "{:?}", panel.screen());
        hub.hub.terminate().await.unwrap();
        assert_eq!(of_writers(&fs::read_to_string(&facts).unwrap()), before);

        hub.start_again().await.unwrap();
        assert!(are_served(&hub, doctor, &acknowledged).await);
        hub.hub.terminate().await.unwrap();
    }

    // On a larger disk it goes well, and only then the firmware before keeps off it.
    disk.resize("256m");
    hub.start_locked_by(Path::new(&next)).await.unwrap();
    hub.hub.panel().await.unwrap().unlock(PIN).await.unwrap();
    assert!(are_served(&hub, doctor, &acknowledged).await);
    hub.hub.terminate().await.unwrap();
    hub.start_locked().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "+next"), "{screen:?}");
}
