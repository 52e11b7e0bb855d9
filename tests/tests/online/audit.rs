//! What the log of an opened hub says of who looked at whom, how it is read on a desk, and that what was taken out of it
//! shows.

use std::fs;
use std::path::Path;

use hub_tests::hub::{PIN, TestHub, copy_folder, desk};
use hub_tests::panel_client::{Button, Screen};
use serde_json::{Value, json};

use crate::clinic::{DIRECTOR, HERE, Online, id_of};

/// The log of a hub that has ended, as `audit export` gives it.
pub(crate) async fn exported(hub: &TestHub) -> Vec<Value> {
    let output = desk(&hub.data(), &["audit", "export", "--format", "jsonl"], PIN)
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn verified(data: &Path) -> (bool, String) {
    let output = desk(data, &["audit", "verify"], PIN).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn reads_of_a_patient_are_logged_one_by_one_with_the_record_and_pulls_by_counts() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let patient = json!({"patient_id": records.patient});
    let reads = [
        ("get_patient", patient.clone(), "patients", &records.patient),
        ("get_visits", patient.clone(), "visits", &records.visit),
        ("vitals.list", patient.clone(), "patient_vitals", &records.vitals),
        ("problems.list", patient.clone(), "patient_problems", &records.problem),
        (
            "appointments.by_patient",
            patient.clone(),
            "appointments",
            &records.appointment,
        ),
        (
            "prescription_items.by_patient",
            patient,
            "prescription_items",
            &records.item,
        ),
    ];
    for _ in 0..2 {
        for (call, asked, ..) in &reads {
            let answer = online.query(call, asked).await;
            answer.unwrap_or_else(|status| panic!("{call}: {status}"));
        }
    }
    online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    online.hub.hub.terminate().await.unwrap();
    let log = exported(&online.hub).await;
    for (call, _, table, id) in reads {
        let entries: Vec<_> = log.iter().filter(|entry| entry["action"] == call).collect();
        assert_eq!(entries.len(), 2, "{call}: one entry a read");
        for entry in &entries {
            assert_eq!(entry["detail"][table], json!([id]), "{call}");
            assert_eq!(entry["user"], id_of(DIRECTOR));
            assert_eq!(
                (&entry["user_name"], &entry["role"]),
                (&json!(DIRECTOR), &json!("provider"))
            );
            assert_eq!((&entry["device"], &entry["address"]), (&json!(1), &json!("127.0.1.1")));
            assert_eq!((&entry["outcome"], &entry["clock"]), (&json!("ok"), &json!("trusted")));
            assert!(entry["time"].as_str().unwrap().ends_with('Z'));
        }
        assert_ne!(entries[0]["correlation"], entries[1]["correlation"]);
    }
    let pulls: Vec<_> = log.iter().filter(|entry| entry["action"] == "sync_pull").collect();
    assert_eq!(pulls.len(), 1);
    assert_eq!(pulls[0]["detail"]["patients"], 1);
    assert!(
        !pulls[0].to_string().contains(&records.patient),
        "a pull names no record"
    );
    let numbers: Vec<_> = log.iter().map(|entry| entry["entry"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());

    let csv = online.hub.data().with_file_name("log.csv");
    let arguments = [
        "audit",
        "export",
        "--format",
        "csv",
        "--since",
        "2026-01-01",
        "--to",
        csv.to_str().unwrap(),
    ];
    let output = desk(&online.hub.data(), &arguments, PIN).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(&csv).unwrap();
    assert!(
        text.starts_with("\u{FEFF}\"entry\",\"time\",\"clock\",\"user\""),
        "{text:.80}"
    );
    // The export before, in the log, is one line more.
    assert_eq!(text.matches("\r\n").count(), log.len() + 2);
    let again = desk(&online.hub.data(), &arguments, PIN).await.unwrap();
    assert!(!again.status.success(), "nothing is written over");
    let (is_whole, said) = verified(&online.hub.data()).await;
    assert!(is_whole && said.contains("the log is whole"), "{said}");
}

#[tokio::test]
async fn a_log_whose_end_was_taken_away_is_told_at_the_panel_and_keeps_nobody_out() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    online.hub.hub.terminate().await.unwrap();
    let (data, copy) = (online.hub.data(), online.hub.data().with_file_name("before"));
    copy_folder(&data.join("store"), &copy).unwrap();
    online.hub.start_again().await.unwrap();
    online.client.handshake().await.unwrap();
    let asked = json!({"patient_id": records.patient});
    online.query("get_patient", &asked).await.unwrap();
    online.hub.hub.terminate().await.unwrap();

    // Somebody puts the disk back as it was before they looked.
    fs::remove_dir_all(data.join("store")).unwrap();
    copy_folder(&copy, &data.join("store")).unwrap();
    online.hub.start_locked().await.unwrap();
    let mut panel = online.hub.hub.panel().await.unwrap();
    // It opens, and says so instead of the home screen.
    panel.unlock(PIN).await.unwrap_err();
    assert_eq!(panel.screen().lines[0].trim(), "Access log broken");
    online.client.handshake().await.unwrap();
    online.query("get_patient", &asked).await.unwrap();
    let has_buttons = |screen: &Screen| screen.lines.iter().any(|line| line.contains("OK: "));
    panel.wait_until(has_buttons).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    online.hub.hub.terminate().await.unwrap();
    let log = exported(&online.hub).await;
    let found: Vec<_> = log.iter().filter(|entry| entry["outcome"] == "broken").collect();
    assert_eq!(found.len(), 1);
    assert!(
        found[0]["detail"]["found"].as_str().unwrap().contains("cut off"),
        "{found:?}"
    );
    let (_, said) = verified(&data).await;
    assert!(said.contains("was found broken"), "{said}");
}
