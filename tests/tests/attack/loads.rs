//! Loads of one phone that a small board has to carry: an edit of all that a push may have at a fifth of the speed, and a
//! push of nothing but tiny rows.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hub_tests::phone::edit::NewPatient;
use tokio::sync::oneshot;

use super::limits::Board;
use super::*;

/// As many rows as a push may have.
const ROWS: usize = 50_000;
/// How long the box's watchdog waits for a sign that the hub moves on.
const PATIENCE: Duration = Duration::from_secs(30);

/// The longest time without a new number in `progress`, until `ended`.
async fn longest_silence(progress: &Path, mut ended: oneshot::Receiver<()>) -> Duration {
    let (mut seen, mut since, mut longest) = (String::new(), Instant::now(), Duration::ZERO);
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    while ended.try_recv().is_err() {
        looks.tick().await;
        let number = fs::read_to_string(progress).unwrap_or_default();
        longest = longest.max(since.elapsed());
        if number != seen {
            (seen, since) = (number, Instant::now());
        }
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes long, and meant for a release build"]
async fn an_edit_of_all_that_a_push_may_have_is_no_hang_on_a_slow_board() {
    let clinic = clinic();
    let mut hub = hub(&clinic).await;
    hub.hub.terminate().await.unwrap();
    let progress = hub.start_watched().await.unwrap();
    let panel = hub.hub.panel().await;
    panel.unwrap().unlock(hub_tests::hub::PIN).await.unwrap();
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let patient = phone.register_patient(&NewPatient::default()).unwrap();
    let visit = phone.open_visit(&patient).unwrap();
    let form = json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": "cough"}]);
    let mut events = Vec::with_capacity(ROWS);
    for _ in 0..ROWS - 10 {
        let event = phone.record_event(&patient, &visit, ("form", "Form"), &form);
        events.push(event.unwrap());
    }
    phone.sync().await.unwrap();
    for event in &events {
        phone.edit("events", event, &[("event_type", "edited".into())]).unwrap();
    }
    phone.pull().await.unwrap();

    let _board = Board::around(hub.hub.pid().unwrap());
    let (end, ended) = oneshot::channel();
    let watching = tokio::spawn(async move { longest_silence(&progress, ended).await });
    let begun = Instant::now();
    phone.push().await.unwrap();
    let took = begun.elapsed();
    end.send(()).unwrap();
    let longest = watching.await.unwrap();
    eprintln!("an edit of {ROWS} rows at a fifth of the speed: {took:.1?}, silent for {longest:.1?} at most");
    assert!(longest < PATIENCE, "the watchdog would have ended it: {longest:?}");
}

/// Bytes of JSON that take several hundred MiB once each entry of it is something of its own.
const BYTES: usize = 12 * 1024 * 1024;

/// JSON of `item` over and over, with commas between.
fn over_and_over(bytes: usize, item: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 64);
    let mut number = 0;
    while text.len() < bytes {
        if number > 0 {
            text.push(',');
        }
        text += &item(number);
        number += 1;
    }
    text
}

fn raw(json: String) -> Box<serde_json::value::RawValue> {
    serde_json::value::RawValue::from_string(json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn millions_of_tiny_entries_take_no_more_memory_than_their_text() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let _board = Board::of_memory(hub.hub.pid().unwrap());
    let field = |number: usize| format!("\"{number:x}\":0");
    let rows = |row: &'static str| over_and_over(BYTES, move |_| row.to_owned());
    let push = |changes: String| raw(format!("{{\"changes\":{changes},\"lastPulledAt\":0}}"));
    let attributes = over_and_over(9 << 20, |_| "{}".into());
    let long = over_and_over(1 << 20, |_| "\"\"".into());
    let cases = [
        (
            "sync_push",
            push(format!("{{\"patients\":{{\"created\":[{}]}}}}", rows("{}"))),
            413,
        ),
        (
            "sync_push",
            push(format!("{{\"patients\":{{\"created\":[{}]}}}}", rows("0"))),
            413,
        ),
        // Rows behind names that nobody knows, and beside them.
        (
            "sync_push",
            push(format!("{{\"patients\":{{\"unknown\":[{}]}}}}", rows("0"))),
            413,
        ),
        (
            "sync_push",
            push(format!(
                "{{\"patients\":{{{},\"created\":[{}]}}}}",
                over_and_over(BYTES / 2, field),
                over_and_over(BYTES / 2, |_| "0".into())
            )),
            413,
        ),
        ("sync_push", push(format!("{{{}}}", over_and_over(BYTES, field))), 400),
        (
            "register_patient",
            raw(format!("{{\"patient\":{{}},\"additional_attributes\":[{attributes}]}}")),
            400,
        ),
        (
            "register_patient",
            raw(format!("{{\"patient\":{{}},\"filler\":[{}]}}", rows("0"))),
            413,
        ),
        (
            "visits.create",
            raw(format!("{{{}}}", over_and_over(1 << 20, field))),
            400,
        ),
        (
            "login",
            raw(format!("{{\"email\":\"{}\",\"password\":\"\"}}", "x".repeat(BYTES))),
            413,
        ),
        (
            "search_patients",
            raw(format!("{{\"filters\":{{{}}}}}", over_and_over(1 << 20, field))),
            400,
        ),
        ("appointments.search", raw(format!("{{\"status\":[{long}]}}")), 400),
    ];
    for (procedure, parameters, status) in cases {
        phone.client.handshake().await.unwrap();
        // Sealing it takes longer than the hub leaves a connection idle.
        phone.client.http().disconnect();
        let refused = match procedure {
            "search_patients" | "appointments.search" => phone.client.query_bytes(procedure, parameters).await,
            _ => phone.client.command_bytes(procedure, parameters).await,
        };
        assert_eq!(refused.unwrap_err().status(), Some(status), "{procedure}");
    }
    phone.sync().await.unwrap();
    let (_, highest) = hub.hub.resident_kib().unwrap();
    eprintln!("{highest} KiB at the highest");
    assert!(highest < 200 * 1024, "{highest} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_account_puts_in_ends_no_hub_that_others_read_from() {
    const PHOTO: usize = 3_750_000;
    let clinic = clinic();
    let mut hub = hub(&clinic).await;
    hub.hub.terminate().await.unwrap();
    hub.start_locked().await.unwrap();
    let _board = Board::of_memory(hub.hub.pid().unwrap());
    let panel = hub.hub.panel().await;
    panel.unwrap().unlock(hub_tests::hub::PIN).await.unwrap();
    let nurse = nurse(&clinic);
    let (mut idle, mut listing) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        let mut phone = hub.phone(nurse).await.unwrap();
        phone.sync().await.unwrap();
        idle.push(phone);
        listing.push(hub.phone(nurse).await.unwrap());
    }
    // Among the smallest there are, so that no sample of the others tells of them.
    let mut writer = hub.phone(nurse).await.unwrap();
    writer.sync().await.unwrap();
    let photo = "x".repeat(PHOTO);
    for _ in 0..2 {
        for _ in 0..6 {
            let patient = writer.register_patient(&NewPatient::default()).unwrap();
            writer
                .edit("patients", &patient, &[("photo_url", photo.as_str().into())])
                .unwrap();
        }
        writer.client.handshake().await.unwrap();
        // Sealing it takes longer than the hub leaves a connection idle.
        writer.client.http().disconnect();
        writer.push().await.unwrap();
    }
    let mut reading = tokio::task::JoinSet::new();
    for mut phone in idle {
        reading.spawn(async move {
            let since = json!({"lastPulledAt": phone.database.cursor()});
            phone.client.handshake().await.unwrap();
            phone
                .client
                .query_bytes("sync_pull", since)
                .await
                .map(|answer| answer.len())
        });
    }
    for mut phone in listing {
        reading.spawn(async move {
            phone.client.handshake().await.unwrap();
            let page = json!({"limit": 5000, "offset": 0});
            phone
                .client
                .query_bytes("get_patients", page)
                .await
                .map(|answer| answer.len())
        });
    }
    for length in reading.join_all().await {
        assert!(length.unwrap() > 12 * PHOTO);
    }
    let (_, highest) = hub.hub.resident_kib().unwrap();
    eprintln!("{highest} KiB at the highest");
    assert!(highest < 400 * 1024, "{highest} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_end_keeps_no_reader_busy() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let nurse = nurse(&clinic);
    let mut phone = hub.phone(nurse).await.unwrap();
    phone.sync().await.unwrap();
    let endless = "ab".repeat(400_000);
    let patient = phone
        .register_patient(&NewPatient {
            given_name: endless.clone(),
            ..NewPatient::default()
        })
        .unwrap();
    phone.sync().await.unwrap();
    let _board = Board::around(hub.hub.pid().unwrap());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let mut phone = hub.phone(nurse).await.unwrap();
        let name = json!({"given_name": endless, "surname": endless});
        asking.spawn(async move {
            let found: serde_json::Value = phone.client.query("patients.similar", name).await.unwrap();
            found["data"].as_array().unwrap().len()
        });
    }
    for found in asking.join_all().await {
        assert!(found <= 10, "{found}");
    }
    phone.client.handshake().await.unwrap();
    let found: serde_json::Value = phone
        .client
        .query(
            "patients.similar",
            json!({"given_name": &endless[..200], "surname": ""}),
        )
        .await
        .unwrap();
    let ids: Vec<_> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].clone())
        .collect();
    assert!(ids.contains(&json!(patient)), "its beginning is compared");
}
