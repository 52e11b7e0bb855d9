//! Emergency access: opened at the panel with the PIN, read by single calls and by nothing else, and told afterwards.

use hub_tests::hub::PIN;
use hub_tests::panel_client::{Button, PanelClient, Screen};
use serde_json::{Value, json};

use crate::audit::exported;
use crate::clinic::{DIRECTOR, LOCAL, Online, THERE, id_of};

async fn open(panel: &mut PanelClient) {
    panel.choose("Emergency access").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let opened = panel.wait_for("errand").await.unwrap();
    assert!(says(opened, "may read all records"), "{opened:?}");
    panel.press(Button::Ok).await.unwrap();
    let home = panel.wait_for("home").await.unwrap();
    assert!(says(home, "Emergency 30 min"), "{home:?}");
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

#[tokio::test]
async fn staff_read_any_record_by_single_calls_while_it_is_open_and_the_panel_says_afterwards_who_did() {
    let mut online = Online::start().await;
    let records = online.records(THERE).await;
    let patient = json!({"patient_id": records.patient});
    let reads = [
        ("get_patient", patient.clone()),
        ("get_visits", patient.clone()),
        ("vitals.list", patient.clone()),
    ];
    let update = json!({"id": records.vitals, "patient_id": records.patient, "weight_kg": 61});
    let pull = json!({"lastPulledAt": 0});
    online.become_user(LOCAL).await;
    assert_eq!(online.query("get_patient", &patient).await, Err(403));
    let denied = online.command("vitals.update", &update).await.unwrap_err();
    let pulled = |answer: &Value| answer["changes"]["patients"].to_string();
    let before = online.query("sync_pull", &pull).await.unwrap();
    assert!(!before.to_string().contains(&records.patient));

    let mut panel = online.hub.hub.panel().await.unwrap();
    open(&mut panel).await;
    for (call, asked) in &reads {
        let answer = online.query(call, asked).await.unwrap();
        let shown = if *call == "get_patient" {
            "Madeupville"
        } else {
            &records.patient
        };
        assert!(answer.to_string().contains(shown), "{call}: {answer}");
    }
    assert_eq!(online.command("vitals.update", &update).await, Err(denied));
    let during = online.query("sync_pull", &pull).await.unwrap();
    assert_eq!(pulled(&during), pulled(&before), "nothing more stays on the phone");
    // Who sees every clinic anyway does not read by it.
    online.become_user(DIRECTOR).await;
    online.query("get_patient", &patient).await.unwrap();
    online.become_user(LOCAL).await;

    panel.choose("Emergency access").await.unwrap();
    panel.wait_for("emergency").await.unwrap();
    panel.take("End").await.unwrap();
    let over = panel.wait_for("emergency-over").await.unwrap();
    assert!(says(over, "3 local") && !says(over, DIRECTOR), "{over:?}");
    assert_eq!(online.query("get_patient", &patient).await, Err(403));
    // A list that nobody has seen is there again after a lock.
    online.hub.hub.terminate().await.unwrap();
    online.hub.start_locked().await.unwrap();
    let mut panel = online.hub.hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap_err();
    let over = panel.wait_for("emergency-over").await.unwrap();
    assert!(says(over, "3 local"), "{over:?}");
    online.client.handshake().await.unwrap();
    assert_eq!(online.query("get_patient", &patient).await, Err(403));
    // It takes no press before it says what it does.
    panel.wait_until(|screen| says(screen, "Back")).await.unwrap();
    panel.take("Back").await.unwrap();
    panel.wait_for("home").await.unwrap();

    // Locking ends it too.
    open(&mut panel).await;
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap_err();
    let over = panel.wait_for("emergency-over").await.unwrap();
    assert!(says(over, "Nobody read a record"), "{over:?}");
    online.client.handshake().await.unwrap();
    assert_eq!(online.query("get_patient", &patient).await, Err(403));
    online.hub.hub.terminate().await.unwrap();

    let log = exported(&online.hub).await;
    let of = |action: &str| log.iter().filter(|entry| entry["action"] == action).collect::<Vec<_>>();
    assert_eq!(of("emergency.open").len(), 2);
    let reasons: Vec<_> = of("emergency.end")
        .iter()
        .map(|entry| entry["detail"]["reason"].clone())
        .collect();
    assert_eq!(reasons, ["panel", "lock"]);
    assert_eq!(of("emergency.seen").len(), 1);
    let by_it: Vec<_> = log
        .iter()
        .filter(|entry| entry["detail"]["emergency"] == true)
        .collect();
    let calls: Vec<_> = by_it.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(calls, reads.map(|(call, _)| call));
    for entry in by_it {
        assert_eq!(entry["user"], id_of(LOCAL));
        assert_eq!(entry["detail"]["patient_id"], records.patient);
    }
}
