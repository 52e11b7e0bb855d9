//! One field of the registration form that is answered on two phones.

use hub_appliance::store::sync::history::Why;
use serde_json::{Value, json};

use super::{Desk, MINUTE, bundle, deleted, history};

const ATTRIBUTES: &str = "patient_additional_attributes";

fn attribute(id: &str, patient: &str, value: &str, at: i64) -> Value {
    json!({"id": id, "patient_id": patient, "attribute_id": "field-9", "attribute": "village", "string_value": value,
        "number_value": null, "date_value": null, "boolean_value": null, "metadata": "{}", "is_deleted": false,
        "created_at": at, "updated_at": at, "last_modified": 0, "server_created_at": 0, "_status": "created", "_changed": ""})
}

/// The rows of the attribute that a phone that starts over gets.
async fn of_patient(desk: &mut Desk, patient: &str) -> Vec<(String, String)> {
    let rows = desk.rows(ATTRIBUTES).await;
    let mine = rows
        .iter()
        .filter(|row| row["patient_id"] == patient && row["attribute_id"] == "field-9");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    mine.map(|row| (text(&row["id"]), text(&row["string_value"]))).collect()
}

#[tokio::test]
async fn a_second_phones_own_row_is_merged_into_the_first() {
    let mut desk = Desk::new(2).await;
    let (patient, base) = desk.patient().await;
    let now = desk.now;
    desk.create(0, base, ATTRIBUTES, attribute("a1", &patient, "one", now - 60 * MINUTE))
        .await;
    let second = attribute("a2", &patient, "two", now - 50 * MINUTE);
    for _ in 0..2 {
        desk.create(1, base, ATTRIBUTES, second.clone()).await;
        assert_eq!(
            of_patient(&mut desk, &patient).await,
            [("a1".into(), "two".into())],
            "the later edit"
        );
    }
    let (changes, given) = desk.pull(1, base).await;
    assert!(deleted(&changes, ATTRIBUTES).contains(&"a2".to_owned()));
    assert_eq!(changes[ATTRIBUTES]["created"][0]["id"], "a1");
    let (changes, _) = desk.pull(0, base).await;
    assert_eq!(changes[ATTRIBUTES]["updated"][0]["string_value"], "two");

    // It edits its row before it hears of that.
    let mut edited = attribute("a2", &patient, "three", now - 40 * MINUTE);
    edited["_changed"] = "string_value,updated_at".into();
    desk.edit(1, base, ATTRIBUTES, edited).await;
    assert_eq!(of_patient(&mut desk, &patient).await, [("a1".into(), "three".into())]);
    assert!(deleted(&desk.pull(1, given).await.0, ATTRIBUTES).contains(&"a2".to_owned()));

    // An older answer of a third row loses, and what it leaves empty says nothing.
    let mut third = attribute("a3", &patient, "", now - 70 * MINUTE);
    third["number_value"] = 3.into();
    desk.create(0, base, ATTRIBUTES, third).await;
    desk.create(0, base, ATTRIBUTES, attribute("a4", &patient, "old", now - 70 * MINUTE))
        .await;
    assert_eq!(of_patient(&mut desk, &patient).await, [("a1".into(), "three".into())]);

    let store = desk.end().await;
    let kept = history(&store, ATTRIBUTES, "a1");
    for value in ["one", "two"] {
        assert!(
            kept.iter()
                .any(|(_, device, cells)| cells.get("string_value") == Some(&json!(value)) && *device > 0)
        );
    }
    assert!(
        kept.iter()
            .any(|(why, _, cells)| *why == Why::Lost && cells.get("string_value") == Some(&json!("old")))
    );
}

#[tokio::test]
async fn other_patients_and_fields_are_other_attributes_and_a_deleted_one_is_none() {
    let mut desk = Desk::new(1).await;
    let (patient, base) = desk.patient().await;
    let now = desk.now;
    let mut field = attribute("a2", &patient, "other field", now);
    field["attribute_id"] = "field-8".into();
    desk.create(0, base, ATTRIBUTES, attribute("a1", &patient, "one", now))
        .await;
    desk.create(0, base, ATTRIBUTES, field).await;
    let rows = desk.rows(ATTRIBUTES).await;
    assert!(["a1", "a2"].iter().all(|id| rows.iter().any(|row| row["id"] == *id)));
    let mut gone = attribute("a1", &patient, "one", now);
    gone["is_deleted"] = true.into();
    desk.edit(0, base, ATTRIBUTES, gone).await;
    desk.create(0, base, ATTRIBUTES, attribute("a3", &patient, "anew", now))
        .await;
    assert_eq!(of_patient(&mut desk, &patient).await, [("a3".into(), "anew".into())]);
}

#[tokio::test]
async fn the_clouds_id_is_taken_over() {
    let mut desk = Desk::new(1).await;
    let (patient, base) = desk.patient().await;
    let now = desk.now;
    desk.create(0, base, ATTRIBUTES, attribute("a1", &patient, "ours", now))
        .await;
    let mut cloud = attribute("c1", &patient, "older", now);
    for column in ["created_at", "updated_at", "last_modified", "server_created_at"] {
        cloud[column] = "2025-01-01T00:00:00Z".into();
    }
    let changes = json!({ATTRIBUTES: {"created": [cloud]}});
    for _ in 0..2 {
        bundle(&mut desk, &changes, 1_900_000_000_000).await;
        assert_eq!(of_patient(&mut desk, &patient).await, [("c1".into(), "ours".into())]);
    }
    let (changes, given) = desk.pull(0, base).await;
    assert_eq!(deleted(&changes, ATTRIBUTES), ["a1"]);
    let mut edited = attribute("a1", &patient, "edited", now + 5);
    edited["_changed"] = "string_value".into();
    desk.edit(0, given, ATTRIBUTES, edited).await;
    assert_eq!(of_patient(&mut desk, &patient).await, [("c1".into(), "edited".into())]);
}
