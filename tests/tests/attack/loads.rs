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

#[tokio::test(flavor = "multi_thread")]
async fn millions_of_tiny_rows_take_no_more_memory_than_their_text() {
    const BYTES: usize = 21 * 1024 * 1024;
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let _board = Board::of_memory(hub.hub.pid().unwrap());
    for row in ["{}", "0"] {
        let rows = format!("[{row}{}]", format!(",{row}").repeat(BYTES / (row.len() + 1)));
        let rows: Box<serde_json::value::RawValue> = serde_json::from_str(&rows).unwrap();
        #[derive(serde::Serialize)]
        struct Lists {
            created: Box<serde_json::value::RawValue>,
        }
        #[derive(serde::Serialize)]
        struct Changes {
            patients: Lists,
        }
        #[derive(serde::Serialize)]
        struct Parameters {
            changes: Changes,
            #[serde(rename = "lastPulledAt")]
            last_pulled_at: u8,
        }
        let push = Parameters {
            changes: Changes {
                patients: Lists { created: rows },
            },
            last_pulled_at: 0,
        };
        let refused = phone.client.command::<serde_json::Value>("sync_push", push).await;
        assert_eq!(refused.unwrap_err().status(), Some(413), "{row}");
    }
    phone.sync().await.unwrap();
    let (_, highest) = hub.hub.resident_kib().unwrap();
    eprintln!("{highest} KiB at the highest");
    assert!(highest < 200 * 1024, "{highest} KiB");
}
