//! Twenty phones of both generations that sync at once while their edits collide, answers are lost and clocks are wrong:
//! afterwards all of them and the hub hold the same rows, and no value that the hub acknowledged is gone.
//!
//! `HUB_TEST_SECONDS` says how long they work (60), `HUB_TEST_SEED` repeats what they do (not how it interleaves).

#[path = "support/chance.rs"]
mod chance;
#[path = "support/journal.rs"]
mod journal;
#[path = "support/opened.rs"]
mod opened;
#[path = "support/staff.rs"]
mod staff;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chance::Chance;
use hub_appliance::clock::HubTime;
use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::compare::Comparison;
use hub_tests::effort::{number, report};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::cell::Cell;
use hub_tests::phone::clock::PhoneClock;
use hub_tests::phone::{Database, Generation, Phone, SyncError};
use hub_tests::schema::schema;
use journal::Journal;
use staff::Staff;
use tokio::task::JoinSet;

const PHONES: usize = 20;
/// Who is at the phones, by e-mail, in turn: two users see both clinics, three see one.
const USERS: [&str; 8] = [
    "doctor@clinic.example",
    "admin@clinic.example",
    "pharmacist@clinic.example",
    "doctor@clinic.example",
    "doctor.two@clinic.example",
    "admin@clinic.example",
    "nurse@clinic.example",
    "doctor.two@clinic.example",
];
/// Their apps, in turn.
const APPS: [Generation; 3] = [Generation::V1_7, Generation::V1_5, Generation::V1_7];
const MINUTE: i64 = 60_000;
/// How wrong the phones' clocks are, ms, in turn: half of them are right.
const CLOCK_ERRORS: [i64; 10] = [
    0,
    3 * MINUTE,
    0,
    -3 * MINUTE,
    0,
    20 * MINUTE,
    0,
    -24 * 60 * MINUTE,
    0,
    24 * 60 * MINUTE,
];
/// A push whose answer is not waited for is cut off within this time.
const CUT: Duration = Duration::from_millis(30);
/// Syncs after which everything must have come to rest.
const ROUNDS: usize = 12;

/// How an answer to a push gets lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    None,
    /// The answer comes, and the phone is switched off before it writes it down.
    Forgotten,
    /// The connection is dropped, somewhere between the first byte that is sent and the last that comes.
    Cut,
}

/// What one phone did.
#[derive(Default)]
struct Tally {
    journal: Journal,
    syncs: usize,
    lost: usize,
}

/// Pulls and pushes as the app does; the answer to either may be lost.
async fn sync(staff: &mut Staff, chance: &mut Chance, tally: &mut Tally) -> Result<(), SyncError> {
    let phone = &mut staff.phone;
    phone.client.handshake_in_turn().await?;
    if chance.below(10) == 0 {
        phone.pull_bytes().await?;
        tally.lost += 1;
        return Ok(());
    }
    phone.pull().await?;
    let changes = phone.database.local_changes();
    let loss = match chance.below(8) {
        0 => Loss::Forgotten,
        1 => Loss::Cut,
        _ => Loss::None,
    };
    match loss {
        Loss::None => {
            phone.push().await?;
            tally.journal.note(&changes);
        }
        Loss::Forgotten => {
            let before = phone.database.clone();
            phone.push().await?;
            phone.database = before;
            tally.lost += 1;
        }
        Loss::Cut => match tokio::time::timeout(chance.time_below(CUT), phone.push()).await {
            Ok(pushed) => {
                pushed?;
                tally.journal.note(&changes);
            }
            Err(_) => {
                phone.client.http().disconnect();
                tally.lost += 1;
            }
        },
    }
    tally.syncs += 1;
    Ok(())
}

async fn work(mut staff: Staff, mut chance: Chance, until: Instant) -> (Staff, Tally) {
    let mut tally = Tally::default();
    while Instant::now() < until {
        for _ in 0..=chance.below(4) {
            staff.work(&mut chance).expect("staff edit what they see");
        }
        sync(&mut staff, &mut chance, &mut tally)
            .await
            .expect("the hub takes what the user may do");
    }
    (staff, tally)
}

/// Pairs a phone with an address of its own, as phones have in a clinic: the hub limits what one address may ask.
async fn pair(hub: &TestHub, user: &DemoUser, number: usize, app: Generation) -> Phone {
    let last = u8::try_from(number + 1).expect("fewer phones than addresses");
    let client = hub.pair(|mut client| {
        client.http().call_from([127, 0, 1, last].into());
        client
    });
    let mut phone = Phone::with_client(client.await.expect("a new phone pairs"));
    phone
        .log_in(&user.email, &user.password)
        .await
        .expect("the demo's users can log in");
    phone = phone.with_app(app);
    phone.show_app().await.expect("it signs in again");
    phone
}

/// Every phone syncs until two rounds in a row bring nothing to any and take nothing from any.
async fn come_to_rest(staff: &mut [Staff], journal: &mut Journal) {
    let mut quiet = 0;
    for _ in 0..ROUNDS {
        let mut moved = false;
        for Staff { phone, .. } in staff.iter_mut() {
            let changes = phone.database.local_changes();
            let report = phone
                .sync_in_turn()
                .await
                .expect("a phone syncs when nobody disturbs it");
            journal.note(&changes);
            let pulled = |counts: &hub_tests::phone::pull::PullCounts| counts.inserted + counts.merged + counts.deleted;
            moved |= !report.pushed.is_empty() || report.pulled.iter().any(|(_, counts)| pulled(counts) > 0);
        }
        quiet = if moved { 0 } else { quiet + 1 };
        if quiet == 2 {
            return;
        }
    }
    panic!("the phones do not come to rest");
}

/// What a phone has without the rows of patients and clinics that are not in its user's sight any more: those it keeps.
fn without_what_went_out_of_sight(own: &Database, seen: &Database, user: &DemoUser) -> Database {
    let of_user =
        |clinic: Option<&str>| clinic.is_some_and(|clinic| user.rights.iter().any(|(known, _)| known == clinic));
    let mut left = own.clone();
    for table in schema().tables() {
        let clinic_column = table.clinic_column.as_deref().unwrap_or("clinic_id");
        for (id, _) in own.rows(&table.name).expect("a table of phones") {
            let text = |column| own.cell(&table.name, id, column).and_then(Cell::as_text);
            let patient = if table.name == "patients" {
                Some(id)
            } else {
                text("patient_id")
            };
            let patient_in_sight = patient.is_none_or(|patient| seen.row("patients", patient).is_some());
            if !patient_in_sight && !of_user(text(clinic_column)) {
                left.mark_deleted(&table.name, id).expect("the row is there");
            }
        }
    }
    left
}

/// How much of each batch was handed out since `before`, by (clinic, drug, batch), and what is left of it.
fn stock(clinic: &Clinic, now: &Database) {
    let of = |database: &Database, table: &str, id: &str| {
        ["clinic_id", "drug_id", "batch_id"]
            .map(|column| database.cell(table, id, column).cloned().map(|cell| cell.to_string()))
    };
    let before = hub_tests::compare::first_pull_of(clinic, clinic.user("admin@clinic.example").expect("there is one"));
    let mut taken: BTreeMap<_, i64> = BTreeMap::new();
    for (id, _) in now.rows("dispensing_records").expect("a table of phones") {
        if before.row("dispensing_records", id).is_none() {
            *taken.entry(of(now, "dispensing_records", id)).or_default() += 1;
        }
    }
    assert!(!taken.is_empty(), "nobody handed anything out");
    for (id, _) in now.rows("clinic_inventory").expect("a table of phones") {
        let left = |database: &Database| {
            database
                .cell("clinic_inventory", id, "quantity_available")?
                .as_integer()
        };
        let taken = taken.get(&of(now, "clinic_inventory", id)).copied().unwrap_or(0);
        assert_eq!(
            left(now),
            left(&before).map(|left| (left - taken).max(0)),
            "each record takes its part once, and what is not there is not taken"
        );
    }
}

fn seconds() -> u64 {
    u64::try_from(number("HUB_TEST_SECONDS", 60)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_phones_whose_edits_collide_end_alike_and_lose_nothing() {
    let mut chance = Chance::from_environment();
    let size = ClinicSize {
        patients: 40,
        visits: 80,
        events: 120,
    };
    let clinic = Clinic::generate(11, size);
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings)
        .await
        .expect("a hub with a clinic");
    let user_of = |number: usize| clinic.user(USERS[number % USERS.len()]).expect("a user of the demo");

    let mut staff = Vec::new();
    for number in 0..PHONES {
        let mut phone = pair(&hub, user_of(number), number, APPS[number % APPS.len()]).await;
        phone.clock = PhoneClock::wrong_by(CLOCK_ERRORS[number % CLOCK_ERRORS.len()]);
        phone.sync().await.expect("a first sync");
        staff.push(Staff::new(phone, user_of(number), number));
    }

    let until = Instant::now() + Duration::from_secs(seconds());
    let mut working = JoinSet::new();
    for (number, member) in staff.into_iter().enumerate() {
        let chance = chance.split();
        working.spawn(async move { (number, work(member, chance, until).await) });
    }
    let mut done = working.join_all().await;
    done.sort_unstable_by_key(|(number, _)| *number);
    let (mut staff, mut total) = (Vec::new(), Tally::default());
    for (_, (member, tally)) in done {
        staff.push(member);
        total.journal.writes.extend(tally.journal.writes);
        total.syncs += tally.syncs;
        total.lost += tally.lost;
    }
    come_to_rest(&mut staff, &mut total.journal).await;

    let mut fresh = BTreeMap::new();
    for number in 0..USERS.len() {
        let user = user_of(number);
        if !fresh.contains_key(&user.email) {
            let mut phone = pair(&hub, user, PHONES + number, Generation::V1_7).await;
            phone.pull().await.expect("a first pull");
            fresh.insert(user.email.clone(), phone.database);
        }
    }
    for (number, Staff { phone, .. }) in staff.iter().enumerate() {
        let seen = &fresh[&user_of(number).email];
        let own = without_what_went_out_of_sight(&phone.database, seen, user_of(number));
        if let Err(difference) = Comparison::of_one_user().compare(&own, seen) {
            panic!("phone {number} left, the hub right: {difference}");
        }
    }
    for (one, other) in [
        ("doctor@clinic.example", "admin@clinic.example"),
        ("nurse@clinic.example", "pharmacist@clinic.example"),
    ] {
        Comparison::of_users()
            .compare(&fresh[one], &fresh[other])
            .expect("users of the same clinics see the same rows");
    }
    stock(&clinic, &fresh["admin@clinic.example"]);

    hub.hub.terminate().await.expect("the hub ends");
    let store = opened::open(&hub.data(), HubTime::ZERO);
    let held = store.read(|snapshot| snapshot.held_rows(1_000, 0)).expect("held rows");
    assert!(held.is_empty(), "held: {held:?}");
    let missing = store
        .read(|snapshot| total.journal.missing_in(snapshot))
        .expect("the history can be read");
    let Tally { journal, syncs, lost } = &total;
    assert!(
        missing.is_empty(),
        "{} values missing, the first: {}",
        missing.len(),
        missing[0]
    );
    assert!(
        *lost > 0 && journal.writes.len() > PHONES,
        "{syncs} syncs, {lost} lost answers, {} rows",
        journal.writes.len()
    );
    report(&format!(
        "{syncs} syncs, {lost} lost answers, {} rows acknowledged",
        journal.writes.len()
    ));
}
