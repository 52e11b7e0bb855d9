//! What a phone sent and the hub could not take: seen and tried again at the panel, seen to on a desk.

use hub_tests::hub::{PIN, desk};
use hub_tests::panel_client::{Button, Screen};
use serde_json::json;

use crate::audit::exported;
use crate::clinic::{HERE, Online, without};

#[tokio::test]
async fn what_asks_for_help_is_listed_without_its_values_tried_again_and_settled_on_a_desk() {
    let mut online = Online::start().await;
    online.become_user(&without("can_register_patients")).await;
    let patient = |id: &str| {
        json!({"id": id, "given_name": "Wilhelmina", "surname": "Zebra", "primary_clinic_id": HERE, "citizenship": "",
            "hometown": "", "phone": "", "sex": "female", "camp": "", "additional_data": "{}", "metadata": "{}",
            "is_deleted": false, "created_at": 1_760_000_000_000_i64, "updated_at": 1_760_000_000_000_i64,
            "last_modified": 1_760_000_000_000_i64})
    };
    let ids = [
        "0197f000-0000-7000-8000-00000000aa01",
        "0197f000-0000-7000-8000-00000000aa02",
    ];
    let push = json!({"lastPulledAt": 0, "changes": {"patients": {"created": ids.map(patient), "updated": [], "deleted": []}}});
    online.command("sync_push", &push).await.unwrap();

    let mut panel = online.hub.hub.panel().await.unwrap();
    panel
        .wait_until(|screen| screen.lines.iter().any(|line| line.contains("2 need help")))
        .await
        .unwrap();
    panel.choose("Need help").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let row = panel.wait_for("help-one").await.unwrap();
    assert!(
        row.lines[1].contains("Patient") && row.lines[2].contains("no right"),
        "{row:?}"
    );
    assert!(row.lines[3].starts_with("1 without-c"), "{row:?}");
    assert!(!format!("{row:?}").contains("Wilhelmina"));
    panel.press(Button::Down).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let told = |screen: &Screen| screen.name == "news" && screen.lines.iter().any(|line| line.contains("OK: "));
    let told = panel.wait_until(told).await.unwrap();
    assert_eq!(told.lines[0].trim(), "Still need help");
    online.hub.hub.terminate().await.unwrap();

    let data = online.hub.data();
    let held = async |arguments: &[&str]| {
        let output = desk(&data, &[&["held"], arguments].concat(), PIN).await.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    };
    let (_, listed) = held(&["list"]).await;
    assert!(!listed.contains("Wilhelmina"), "a list says nothing of what was sent");
    let held_ids: Vec<String> = listed
        .lines()
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    assert_eq!(held_ids.len(), 2, "{listed}");
    assert!(
        listed.contains("patients\tnot permitted\twithout-can-register-patients\tphone 1"),
        "{listed}"
    );
    let (_, shown) = held(&["show", &held_ids[0]]).await;
    assert!(shown.contains("Wilhelmina"), "{shown}");
    assert_eq!(held(&["release", &held_ids[0]]).await, (true, "released\n".into()));
    assert_eq!(held(&["drop", &held_ids[1]]).await, (true, "dropped: 1\n".into()));
    let (again, said) = held(&["release", &held_ids[0]]).await;
    assert!(!again && said.contains("nothing of that id is held"), "{said}");

    let log = exported(&online.hub).await;
    for action in ["held.retry", "held.list", "held.show", "held.release", "held.drop"] {
        let entries = log.iter().filter(|entry| entry["action"] == action);
        assert_eq!(entries.count(), 1, "{action}");
    }
    online.hub.start_again().await.unwrap();
    online.client.handshake().await.unwrap();
    online.become_user(crate::clinic::DIRECTOR).await;
    let released = ids.iter().find(|id| shown.contains(**id)).unwrap();
    let asked = json!({"patient_id": released});
    let stored = online.query("get_patient", &asked).await.unwrap();
    assert!(stored.to_string().contains("Wilhelmina"), "{stored}");
}
