//! Readers that pull while writers commit without a pause: each reader gets each row once as new, then only newer
//! versions of it, and in the end all of them.
//!
//! That a row committed between a pull's snapshot and its answer comes with the next pull is shown step by step beside
//! the store; here the same has to hold over the port, with nobody holding anybody up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Generation;
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::pull::PullAnswer;
use serde_json::Value;
use tokio::task::JoinSet;

const WRITERS: usize = 3;
const READERS: usize = 3;
/// Pushes of each writer; each makes a row and counts up in some of those before.
const PUSHES: usize = 120;
/// Every so many of its rows, a writer counts up in one at each push.
const STRIDE: usize = 9;

/// What a reader has been given: the count in each row that a writer made.
type Seen = BTreeMap<String, u64>;

async fn write(mut phone: Phone, running: Arc<AtomicUsize>) -> Seen {
    let mut rows = Vec::new();
    let mut counts = Seen::new();
    for push in 0..PUSHES {
        let new = NewPatient {
            surname: "Counted".into(),
            camp: "1".into(),
            ..NewPatient::default()
        };
        let id = phone.register_patient(&new).expect("a user is logged in");
        counts.insert(id.clone(), 1);
        rows.push(id);
        for id in rows.iter().skip(push % STRIDE).step_by(STRIDE) {
            let count = counts.get_mut(id).expect("counted since it was made");
            *count += 1;
            phone
                .edit("patients", id, &[("camp", count.to_string().into())])
                .expect("the phone has its own rows");
        }
        phone.push().await.expect("the hub takes the push");
    }
    running.fetch_sub(1, Ordering::Release);
    counts
}

/// One pull, checked against what came before; gives how many rows of the writers it brought.
async fn pull(phone: &mut Phone, seen: &mut Seen) -> usize {
    let answer = phone.pull_bytes().await.expect("the hub answers");
    // Refuses a row that stands in the answer twice.
    let read = PullAnswer::read(&answer, Generation::V1_7).expect("an answer that the app takes");
    phone.database.set_cursor(read.timestamp().clone());
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let patients = &answer["changes"]["patients"];
    let rows = |list: &str| patients[list].as_array().cloned().unwrap_or_default();
    let counted = |row: &Value| (row["surname"] == "Counted").then(|| (text(row, "id"), text(row, "camp")));
    let mut count = 0;
    for (id, value) in rows("created").iter().filter_map(counted) {
        let doubled = seen.insert(id, value.parse().expect("a count"));
        assert_eq!(doubled, None, "a row came as new twice");
        count += 1;
    }
    for (id, value) in rows("updated").iter().filter_map(counted) {
        let newer: u64 = value.parse().expect("a count");
        let older = seen.insert(id, newer).expect("a row is new before it is updated");
        assert!(older < newer, "{older}, then {newer}: a version came again");
        count += 1;
    }
    count
}

fn text(row: &Value, column: &str) -> String {
    row[column].as_str().unwrap_or_default().to_owned()
}

async fn read(mut phone: Phone, running: Arc<AtomicUsize>) -> (Seen, usize) {
    let (mut seen, mut busy) = (Seen::new(), 0);
    loop {
        // Asked before the pull: what was committed by then has to be in it.
        let last = running.load(Ordering::Acquire) == 0;
        busy += usize::from(pull(&mut phone, &mut seen).await > 0);
        if last {
            return (seen, busy);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_miss_nothing_and_get_nothing_twice_while_writers_commit() {
    let clinic = Clinic::generate(5, ClinicSize::EMPTY);
    let hub = TestHub::with_clinic(&clinic, Log::Warnings)
        .await
        .expect("a hub with a clinic");
    let user = clinic.user("doctor@clinic.example").expect("a user of the demo");
    let mut phones = Vec::new();
    for number in 1..=WRITERS + READERS {
        let last = u8::try_from(number).expect("fewer phones than addresses");
        let client = hub.pair(|mut client| {
            client.http().call_from([127, 0, 1, last].into());
            client
        });
        let mut phone = Phone::with_client(client.await.expect("a phone pairs"));
        phone
            .log_in(&user.email, &user.password)
            .await
            .expect("the demo's user logs in");
        phone.pull().await.expect("a first pull");
        phones.push(phone);
    }

    let running = Arc::new(AtomicUsize::new(WRITERS));
    let mut writers = JoinSet::new();
    for phone in phones.drain(..WRITERS) {
        writers.spawn(write(phone, Arc::clone(&running)));
    }
    let mut readers = JoinSet::new();
    for phone in phones {
        readers.spawn(read(phone, Arc::clone(&running)));
    }
    let written: Seen = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(written.len(), WRITERS * PUSHES);
    for (seen, busy) in readers.join_all().await {
        assert!(seen == written, "a reader has other rows than were written");
        assert!(busy > 2, "the reader read while nobody wrote");
    }
}
