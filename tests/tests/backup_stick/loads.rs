//! Backups under load: how much slower pushes become while all is copied, what a disk that dies in the middle of a morning
//! costs, and how much is written to the stick.
//!
//! `scripts/bench --loads` runs what is too long for every run of the tests. `HUB_TEST_DISKS` says how many disks are
//! destroyed, each within two minutes of a load of 20 phones, with what the hub does by itself about backups; without it
//! one is, sooner and under fewer phones. `HUB_TEST_ROWS` (100,000) and `HUB_TEST_IDLE` (60 minutes) make the others smaller.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::effort::{number, report};
use hub_tests::hub::{self, Hub};
use hub_tests::panel_client::{Button, PanelClient};
use hub_tests::phone::Phone;
use serde_json::json;
use tokio::task::JoinSet;

use super::chance::Chance;
use super::{InUse, NEW_PIN, Place, paired_at, patient, seen_after_restore, sees};

const PHONES: usize = 20;
/// What the hub does by itself, ms (`Config::backup_interval`).
const BY_ITSELF: &str = "30000";
/// What is written before the disk dies may be missing by so much.
const PROMISED: Duration = Duration::from_secs(60);

/// One push: the rows in it, when it was begun, and how long it took where it was acknowledged.
struct Pushed {
    rows: Vec<(&'static str, String)>,
    begun: Instant,
    took: Option<Duration>,
}

/// Registers a patient with a visit, and what was found where the phone has forms, and pushes it.
async fn push_one(phone: &mut Phone) -> Pushed {
    let patient = patient(phone);
    let visit = phone.open_visit(&patient).unwrap();
    let form = phone.database.rows("event_forms").unwrap().next();
    let form = form.map(|(id, _)| id.to_owned());
    let mut rows = vec![("patients", patient.clone()), ("visits", visit.clone())];
    if let Some(form) = form {
        let answers = json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": "cough"}]);
        let event = phone.record_event(&patient, &visit, (&form, "Consultation"), &answers);
        rows.push(("events", event.unwrap()));
    }
    let begun = Instant::now();
    let pushed = phone.push().await;
    Pushed {
        rows,
        begun,
        took: pushed.is_ok().then(|| begun.elapsed()),
    }
}

/// Phones that push one after the other, until they are told to end or the hub is gone.
struct Load {
    ends: Arc<AtomicBool>,
    phones: JoinSet<(Phone, Vec<Pushed>)>,
}

impl Load {
    /// `pause` lies between two pushes of a phone.
    fn start(phones: Vec<Phone>, pause: Duration) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let mut load = JoinSet::new();
        for mut phone in phones {
            let ends = Arc::clone(&ends);
            load.spawn(async move {
                let mut pushed = Vec::new();
                while !ends.load(Ordering::Relaxed) {
                    pushed.push(push_one(&mut phone).await);
                    if pushed.last().is_some_and(|last: &Pushed| last.took.is_none()) {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                }
                (phone, pushed)
            });
        }
        Self { ends, phones: load }
    }

    async fn end(self) -> (Vec<Phone>, Vec<Pushed>) {
        self.ends.store(true, Ordering::Relaxed);
        let (phones, pushed): (Vec<_>, Vec<_>) = self.phones.join_all().await.into_iter().unzip();
        (phones, pushed.into_iter().flatten().collect())
    }
}

async fn paired_phones(hub: &Hub, panel: &mut PanelClient, clinic: &Clinic, count: usize) -> Vec<Phone> {
    let mut phones = Vec::new();
    for number in (1..).take(count) {
        // Each at an address of its own, for what one address may ask is bounded.
        phones.push(paired_at(number, hub, panel, clinic).await);
    }
    phones
}

/// Median and 95th percentile.
fn times(pushed: &[Pushed]) -> (Duration, Duration) {
    let mut times: Vec<_> = pushed.iter().filter_map(|push| push.took).collect();
    times.sort();
    assert!(!times.is_empty(), "nothing was pushed");
    (
        times[times.len() / 2],
        times[(times.len() * 95 / 100).min(times.len() - 1)],
    )
}

fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/bench --loads"]
async fn pushes_go_on_while_all_of_a_large_clinic_is_copied() {
    let rows = number("HUB_TEST_ROWS", 100_000);
    let place = Place::new();
    let stick = place.path("stick");
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(rows));
    let InUse {
        mut hub,
        mut panel,
        code,
    } = place.in_use(&clinic, BY_ITSELF).await;
    let phones = paired_phones(&hub, &mut panel, &clinic, PHONES).await;

    let load = Load::start(phones, Duration::ZERO);
    let since = Instant::now();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (phones, alone) = load.end().await;
    let alone_per_second = alone.len() as f64 / since.elapsed().as_secs_f64();

    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "up to date").await;
    let load = Load::start(phones, Duration::ZERO);
    let since = Instant::now();
    let mut copying = Vec::new();
    for _ in 0..3 {
        let (before, begun) = (place.generations().pop(), Instant::now());
        panel.press(Button::Ok).await.unwrap();
        while place.generations().pop() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        copying.push(begun.elapsed());
        sees(&mut panel, "up to date").await;
    }
    let (_, beside) = load.end().await;
    let beside_per_second = beside.len() as f64 / since.elapsed().as_secs_f64();
    let database = fs::metadata(place.generations().pop().unwrap().join("hub.db"))
        .unwrap()
        .len();
    let ((median, slow), (median_beside, slow_beside)) = (times(&alone), times(&beside));
    report(&format!(
        "{rows} rows, {} MiB, copied and checked in {copying:.1?} beside {PHONES} phones: pushes {median:.1?} (95 % \
         {slow:.1?}), {alone_per_second:.1}/s without, {median_beside:.1?} ({slow_beside:.1?}), {beside_per_second:.1}/s beside it",
        database >> 20
    ));
    assert!(alone.iter().chain(&beside).all(|push| push.took.is_some()));
    hub.kill9().await.unwrap();
    assert!(Place::restores(&stick, &code));
}

/// Destroys a disk in the middle of a load, and gives how many pushes were acknowledged, how many of those are missing, and
/// how long before the end the oldest of those was acknowledged.
async fn destroyed(phones: usize, every: &str, after: Duration) -> (usize, usize, Duration) {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse {
        mut hub,
        mut panel,
        code,
    } = place.in_use(&clinic, every).await;
    let mut phones = paired_phones(&hub, &mut panel, &clinic, phones).await;
    for phone in &mut phones {
        phone.sync().await.unwrap();
    }
    let load = Load::start(phones, Duration::ZERO);
    tokio::time::sleep(after).await;
    let end = Instant::now();
    hub.kill9().await.unwrap();
    let (_, pushed) = load.end().await;
    fs::remove_dir_all(&data).unwrap();

    assert!(hub::restore(&stick, &data, &code.groups().join("-"), NEW_PIN).unwrap());
    fs::rename(&stick, place.path("away")).unwrap();
    let hub = place.hub().await;
    let seen = seen_after_restore(&hub, NEW_PIN, &clinic).await;
    let (mut acknowledged, mut missing, mut oldest) = (0, 0, Duration::ZERO);
    for push in &pushed {
        let there = push.rows.iter().filter(|(table, id)| seen.row(table, id).is_some());
        let there = there.count();
        assert!(there == 0 || there == push.rows.len(), "{there} of a push are there");
        let Some(took) = push.took else { continue };
        acknowledged += 1;
        if there == 0 {
            missing += 1;
            oldest = oldest.max(end.saturating_duration_since(push.begun + took));
        }
    }
    assert!(acknowledged > 0);
    assert!(oldest <= PROMISED, "what was acknowledged {oldest:?} before is missing");
    (acknowledged, missing, oldest)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_dies_under_load_costs_the_last_minute_at_most_and_no_push_in_part() {
    let mut chance = Chance::from_environment().split();
    let disks = number("HUB_TEST_DISKS", 0);
    if disks == 0 {
        let after = Duration::from_secs(2) + chance.time_below(Duration::from_secs(2));
        let (_, missing, _) = destroyed(4, "500", after).await;
        report(&format!("{missing} pushes are missing"));
        return;
    }
    for disk in 1..=disks {
        let after = Duration::from_secs(1) + chance.time_below(Duration::from_secs(119));
        let (acknowledged, missing, oldest) = destroyed(PHONES, BY_ITSELF, after).await;
        report(&format!(
            "disk {disk}, after {after:.1?}: {acknowledged} pushes, {missing} missing, of the last {oldest:.1?}"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "an hour: scripts/bench --loads"]
async fn what_a_minute_of_load_and_an_idle_hour_write() {
    let place = Place::new();
    fs::create_dir(place.path("stick")).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(2000));
    let InUse { hub, mut panel, .. } = place.in_use(&clinic, BY_ITSELF).await;
    let mut phones = paired_phones(&hub, &mut panel, &clinic, PHONES).await;
    for phone in &mut phones {
        phone.sync().await.unwrap();
    }
    let log = place.generations().pop().unwrap().join("log");
    // Twice as long as the hub waits, so that all is there.
    let all_is_there = || tokio::time::sleep(Duration::from_secs(65));
    all_is_there().await;
    let before = bytes_in(&log);
    let load = Load::start(phones, Duration::from_secs(5));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (_phones, pushed) = load.end().await;
    all_is_there().await;
    let after = bytes_in(&log);
    report(&format!(
        "a minute of {PHONES} phones, {} pushes of a patient with a visit and an event: {} KiB to the stick",
        pushed.len(),
        (after - before) >> 10
    ));
    let minutes = number("HUB_TEST_IDLE", 60);
    tokio::time::sleep(Duration::from_secs(60) * u32::try_from(minutes).unwrap()).await;
    report(&format!(
        "{minutes} idle minutes: {} KiB",
        (bytes_in(&log) - after) >> 10
    ));
    assert_eq!(place.generations().len(), 1);
}
