//! The life of the box as a person at the panel sees it: set-up, lock, wrong PINs, recovery, and damaged data.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Hub, Log, PIN, TestHub, import};
use hub_tests::panel_client::{Button, PanelClient, PanelError, Screen};
use hub_tests::phone::cell::Cell;
use hub_tests::phone::{ClientError, Generation, HubClient, Phone, SyncError};
use serde_json::Value;
use tempfile::TempDir;

/// A way to damage the folder of the store, and its name.
type Damage = (&'static str, fn(&Path));

const WRONG_PIN: &str = "27182818";
const OTHER_PIN: &str = "16180339";
const ANY_PORT: &str = "127.0.0.1:0";

fn clinic(seed: u64) -> Clinic {
    let size = ClinicSize {
        patients: 200,
        visits: 400,
        events: 800,
    };
    Clinic::generate(seed, size)
}

/// A folder whose hub is started and ended by the test itself.
struct Box {
    folder: TempDir,
}

impl Box {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    async fn start(&self) -> (Hub, PanelClient) {
        let socket = self.folder.path().join("panel.sock");
        let hub = Hub::start(&self.data(), &socket, ANY_PORT, Log::Everything)
            .await
            .unwrap();
        let mut panel = hub.panel().await.unwrap();
        panel.wait_until(|screen| !screen.name.is_empty()).await.unwrap();
        (hub, panel)
    }
}

async fn heartbeat_says_locked(hub: &Hub) -> bool {
    let mut client = HubClient::new(hub.url(), "074d3e90-0123-42a6-8b91-4226c805a24a").unwrap();
    client.heartbeat().await.unwrap().locked
}

/// Every file below a folder with its contents.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[tokio::test]
async fn from_set_up_to_sigterm() {
    let the_box = Box::new();
    // Nothing is kept of a set-up that is cut short before the recovery code was typed back.
    let (mut hub, mut panel) = the_box.start().await;
    panel.wait_for("setup-pin").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    for _ in 0..2 {
        let before = panel.screen().lines.clone();
        panel.type_digits(PIN).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        panel.wait_until(|screen| screen.lines != before).await.unwrap();
    }
    panel.wait_for("setup-recovery").await.unwrap();
    hub.kill9().await.unwrap();
    let (mut hub, mut panel) = the_box.start().await;
    panel.wait_for("setup-pin").await.unwrap();
    assert!(heartbeat_says_locked(&hub).await);
    assert!(!the_box.data().join("store").exists());

    panel.set_up(PIN).await.unwrap();
    assert!(!heartbeat_says_locked(&hub).await);
    hub.kill9().await.unwrap();
    let (mut hub, mut panel) = the_box.start().await;
    panel.unlock(PIN).await.unwrap();
    assert!(!heartbeat_says_locked(&hub).await);
    panel.lock().await.unwrap();
    assert!(heartbeat_says_locked(&hub).await);
    panel.unlock(PIN).await.unwrap();
    assert!(!heartbeat_says_locked(&hub).await);

    // While a hub runs, nobody else gets at its data: neither an import nor another hub.
    let bundle = the_box.folder.path().join("bundle.json");
    clinic(15).write_bundle(fs::File::create(&bundle).unwrap()).unwrap();
    let refused = import(&the_box.data(), &bundle, PIN).await.unwrap();
    assert!(!refused.status.success() && !refused.stderr.is_empty());
    let socket = the_box.folder.path().join("second.sock");
    assert!(
        Hub::start(&the_box.data(), &socket, ANY_PORT, Log::Everything)
            .await
            .is_err()
    );
    panel.lock().await.unwrap();
    assert!(!import(&the_box.data(), &bundle, PIN).await.unwrap().status.success());
    panel.unlock(PIN).await.unwrap();

    let ended = hub.terminate().await.unwrap();
    assert_eq!(ended.code(), Some(0));
    assert!(
        !the_box.data().join("store/hub.db-wal").exists(),
        "SIGTERM closes the store"
    );
    let (mut hub, mut panel) = the_box.start().await;
    panel.unlock(PIN).await.unwrap();
    assert_eq!(hub.terminate().await.unwrap().code(), Some(0));

    // An import with a wrong PIN is an attempt like one at the panel, and brings nothing in.
    for _ in 0..4 {
        let before = files(&the_box.data().join("store"));
        assert!(
            !import(&the_box.data(), &bundle, WRONG_PIN)
                .await
                .unwrap()
                .status
                .success()
        );
        assert!(files(&the_box.data().join("store")) == before);
    }
    let waits = import(&the_box.data(), &bundle, PIN).await.unwrap();
    assert!(
        !waits.status.success(),
        "four wrong PINs bring a wait, for the right one too"
    );
    let (_hub, mut panel) = the_box.start().await;
    panel.wait_for("wait").await.unwrap();
}

#[tokio::test]
async fn waits_survive_the_plug_and_the_recovery_code_opens() {
    let the_box = Box::new();
    let (mut hub, mut panel) = the_box.start().await;
    let code = panel.set_up(PIN).await.unwrap();
    panel.lock().await.unwrap();
    // Pulling the plug gives no more tries.
    for tries in 1..=4 {
        assert!(
            matches!(panel.unlock(WRONG_PIN).await, Err(PanelError::Refused { .. })),
            "try {tries}"
        );
        if tries < 4 {
            assert_eq!(panel.screen().name, "locked");
        }
        hub.kill9().await.unwrap();
        (hub, panel) = the_box.start().await;
    }
    panel.wait_for("wait").await.unwrap();
    assert!(heartbeat_says_locked(&hub).await);
    assert!(matches!(panel.unlock(PIN).await, Err(PanelError::Refused { screen, .. }) if screen == "wait"));
    hub.kill9().await.unwrap();
    let (hub, mut panel) = the_box.start().await;
    panel.wait_for("wait").await.unwrap();

    // A wrong code during the wait is called wrong, and the wait goes on; the right one opens at once.
    panel.hold(Button::Ok).await.unwrap();
    panel.wait_for("recovery").await.unwrap();
    panel.type_digits(&"000011".repeat(8)).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel
        .wait_until(|screen| says(screen, "That code is wrong"))
        .await
        .unwrap();
    panel.hold(Button::Ok).await.unwrap();
    let waiting = panel.wait_until(|screen| screen.name != "recovery").await.unwrap();
    assert_eq!(waiting.name, "wait");
    let new = panel.recover(&code, PIN).await.unwrap();
    assert_ne!(new, code);
    assert!(!heartbeat_says_locked(&hub).await);

    // The old code is used up, the PIN and the new code open.
    panel.lock().await.unwrap();
    assert!(matches!(
        panel.recover(&code, PIN).await,
        Err(PanelError::Refused { .. })
    ));
    panel.hold(Button::Ok).await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.lock().await.unwrap();
    panel.recover(&new, PIN).await.unwrap();
}

/// Types what is no PIN at a field that asks for a new one, and is asked for another.
async fn offers_one_digit(panel: &mut PanelClient) {
    panel.wait_until(|screen| says(screen, "New PIN")).await.unwrap();
    panel.type_digits("88888888").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel
        .wait_until(|screen| says(screen, "Too easy to guess"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_pin_of_one_digit_is_asked_for_again_wherever_one_is_chosen() {
    let the_box = Box::new();
    let (_hub, mut panel) = the_box.start().await;
    panel.take_first_way("PIN alone").await.unwrap();
    offers_one_digit(&mut panel).await;
    let code = panel.set_up(PIN).await.unwrap();

    panel.open_pin_change().await.unwrap();
    panel.wait_until(|screen| says(screen, "Current PIN")).await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    offers_one_digit(&mut panel).await;
    for _ in 0..2 {
        let before = panel.screen().lines[0].clone();
        panel.type_digits(OTHER_PIN).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        panel.wait_until(|screen| screen.lines[0] != before).await.unwrap();
    }
    panel.wait_until(|screen| says(screen, "PIN changed")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    panel.lock().await.unwrap();

    // As a PIN to unlock with it is as wrong as any other, and costs no try.
    for _ in 0..2 {
        panel.type_digits("88888888").await.unwrap();
        panel.wait_until(|screen| says(screen, "********")).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        let told = panel.wait_until(|screen| says(screen, "Wrong PIN")).await.unwrap();
        assert!(says(told, "before a wait: 4"), "{told:?}");
    }

    panel.hold(Button::Ok).await.unwrap();
    panel.wait_for("recovery").await.unwrap();
    panel.type_digits(&code.groups().concat()).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    offers_one_digit(&mut panel).await;
    panel.set_up(PIN).await.unwrap();
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn locks_while_twenty_phones_sync() {
    let clinic = clinic(16);
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let users =
        ["admin", "doctor", "nurse", "doctor.two"].map(|name| clinic.user(&format!("{name}@clinic.example")).unwrap());
    let mut panel = hub.hub.panel().await.unwrap();
    let ending = Arc::new(AtomicBool::new(false));
    let mut phones = Vec::new();
    for number in 0..20 {
        let phone = hub.phone(users[number % users.len()]).await.unwrap();
        phones.push(tokio::spawn(pull_and_push(phone, Arc::clone(&ending))));
    }
    // Locked and unlocked under load more than once: what it interrupts must not be left behind.
    for _ in 0..3 {
        panel.lock().await.unwrap();
        assert!(heartbeat_says_locked(&hub.hub).await);
        let mut late = Phone::new(hub.hub.url()).unwrap();
        assert_eq!(late.client.handshake().await.unwrap_err().status(), Some(423));
        panel.unlock(PIN).await.unwrap();
    }
    ending.store(true, Ordering::Relaxed);
    let mut syncs = 0;
    for phone in phones {
        syncs += phone.await.unwrap();
    }
    assert!(syncs > 20, "they did sync in between: {syncs}");
}

/// Syncs and edits until told to end; what a lock refuses is tried again, what it breaks is a defect.
async fn pull_and_push(mut phone: Phone, ending: Arc<AtomicBool>) -> usize {
    let mut syncs = 0;
    while !ending.load(Ordering::Relaxed) {
        let patient = phone
            .database
            .rows("patients")
            .unwrap()
            .next()
            .map(|(id, _)| id.to_owned());
        if let Some(patient) = patient {
            let camp: [(&str, Cell); 1] = [("camp", format!("{syncs}").into())];
            phone.edit("patients", &patient, &camp).unwrap();
        }
        phone.database.set_cursor(if syncs % 4 == 0 {
            0.into()
        } else {
            phone.database.cursor().clone()
        });
        match phone.sync().await {
            Ok(_) => syncs += 1,
            Err(error) => {
                assert!(matches!(error.status(), Some(423 | 428 | 429 | 503)), "{error}");
                // As the app: it shows an error, and a person tries again.
                match error {
                    SyncError::Client(ClientError::Refused {
                        retry_after: Some(seconds),
                        ..
                    }) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                    _ => tokio::task::yield_now().await,
                }
            }
        }
    }
    syncs
}

#[tokio::test]
async fn missing_parts_are_never_made_anew() {
    let the_box = Box::new();
    let (mut hub, mut panel) = the_box.start().await;
    panel.set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    let bundle = the_box.folder.path().join("bundle.json");
    clinic(17).write_bundle(fs::File::create(&bundle).unwrap()).unwrap();
    assert!(import(&the_box.data(), &bundle, PIN).await.unwrap().status.success());
    let store = the_box.data().join("store");
    let whole = files(&store);

    let damages: [Damage; 8] = [
        ("vault removed", |store| fs::remove_file(store.join("vault")).unwrap()),
        ("database removed", |store| {
            fs::remove_file(store.join("hub.db")).unwrap()
        }),
        ("both removed", |store| {
            fs::remove_file(store.join("vault")).unwrap();
            fs::remove_file(store.join("hub.db")).unwrap();
        }),
        ("everything removed", |store| {
            for file in fs::read_dir(store).unwrap() {
                fs::remove_file(file.unwrap().path()).unwrap();
            }
        }),
        ("vault damaged", |store| flip(&store.join("vault"), 2)),
        ("database damaged at its start", |store| {
            flip(&store.join("hub.db"), usize::MAX)
        }),
        ("database cut short", |store| {
            let length = fs::metadata(store.join("hub.db")).unwrap().len();
            let file = fs::File::options().write(true).open(store.join("hub.db")).unwrap();
            file.set_len(length / 2 / 4096 * 4096).unwrap();
        }),
        ("database empty", |store| fs::write(store.join("hub.db"), b"").unwrap()),
    ];
    for (name, damage) in damages {
        damage(&store);
        let damaged = files(&store);
        let (mut hub, mut panel) = the_box.start().await;
        let shown = panel.unlock(PIN).await;
        assert!(
            matches!(&shown, Err(PanelError::Refused { screen, .. }) if screen == "error"),
            "{name}: {shown:?}"
        );
        assert!(heartbeat_says_locked(&hub).await, "{name}");
        let mut phone = Phone::new(hub.url()).unwrap();
        let refused = phone.client.handshake().await;
        assert!(
            matches!(refused, Err(ClientError::Refused { status: 423 | 503, .. })),
            "{name}"
        );
        hub.terminate().await.unwrap();
        assert_same(&files(&store), &damaged, name);
        assert!(
            !import(&the_box.data(), &bundle, PIN).await.unwrap().status.success(),
            "{name}"
        );
        assert_same(&files(&store), &damaged, name);
        put_back(&whole);
    }
    let (_hub, mut panel) = the_box.start().await;
    panel.unlock(PIN).await.unwrap();
}

/// Changes one bit of a file at a part of its length (its first byte: `usize::MAX`).
fn flip(path: &Path, part: usize) {
    let mut bytes = fs::read(path).unwrap();
    let place = bytes.len() / part;
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn assert_same(files: &BTreeMap<PathBuf, Vec<u8>>, before: &BTreeMap<PathBuf, Vec<u8>>, name: &str) {
    let names: Vec<_> = files
        .keys()
        .filter(|path| files.get(*path) != before.get(*path))
        .collect();
    assert!(names.is_empty() && files.len() == before.len(), "{name}: {names:?}");
}

fn put_back(whole: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in whole {
        fs::write(path, bytes).unwrap();
    }
}

#[tokio::test]
async fn a_damaged_page_is_never_read_over() {
    let clinic = clinic(19);
    let mut hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = clinic.user("admin@clinic.example").unwrap();
    let mut phone = hub.phone(admin).await.unwrap().with_app(Generation::V1_5);
    phone.sync().await.unwrap();
    hub.hub.terminate().await.unwrap();
    let database = hub.data().join("store/hub.db");
    // What was signed of the log goes with the database.
    let whole: BTreeMap<_, _> = [database.clone(), hub.data().join("keys/audit-end.json")]
        .map(|file| (file.clone(), fs::read(file).unwrap()))
        .into();
    let mut refusals = 0;
    for part in [2, 3, 4, 5] {
        flip(&database, part);
        if let Err(error) = hub.start_again().await {
            // A page of the schema, without which nothing opens.
            assert!(error.to_string().contains("P02"), "{error}");
            hub.hub.terminate().await.unwrap();
            put_back(&whole);
            continue;
        }
        let before = phone.database.clone();
        // A page that no answer needs may go unseen; one that is needed is told, never passed over.
        match phone.force_download().await {
            Ok(_) => phone.database.set_cursor(before.cursor().clone()),
            Err(error) => {
                assert_eq!(error.status(), Some(503));
                let mut panel = hub.hub.panel().await.unwrap();
                let screen = panel.wait_for("news").await.unwrap();
                assert!(screen.lines[0].contains("Damaged records"), "{screen:?}");
                refusals += 1;
            }
        }
        assert!(phone.database == before);
        hub.hub.terminate().await.unwrap();
        put_back(&whole);
    }
    assert!(refusals > 0, "no answer needed a damaged page");
    hub.start_again().await.unwrap();
    phone.force_download().await.unwrap();
}

/// A clock that the hub took over could never be put back: phones would be told times to come for as long.
#[tokio::test]
async fn a_clock_that_no_open_hub_wrote_down_is_not_believed() {
    const YEAR: u64 = 365 * 24 * 60 * 60 * 1000;
    let clinic = clinic(23);
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let mut phone = hub.phone(clinic.user("admin@clinic.example").unwrap()).await.unwrap();
    phone.sync().await.unwrap();
    let before = phone.database.cursor().as_u64().unwrap();
    for ahead in [20 * YEAR, 70 * YEAR] {
        hub.hub.terminate().await.unwrap();
        let file = hub.data().join("keys/facts.json");
        let mut facts: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert!(facts["clock"].as_u64().unwrap() >= before);
        facts["clock"] = (before + ahead).into();
        fs::write(&file, facts.to_string()).unwrap();
        hub.start_again().await.unwrap();
        phone.sync().await.unwrap();
        assert!(phone.database.cursor().as_u64().unwrap() < before + YEAR);
    }
}
