//! Records made by the simulator against the recorded ones of the app: the same tables, columns, order and spelling.

use serde_json::{Value, json};

use super::*;
use crate::phone::client::HubClient;
use crate::phone::clock::PhoneClock;

fn logged_in_phone() -> Phone {
    let client = HubClient::new("http://127.0.0.1:4001", "00000000-0000-4000-8000-000000000000").unwrap();
    let mut phone = Phone::with_client(client).with_app(Generation::V1_5);
    phone.clock = PhoneClock::stepping_from(1_795_225_486_000);
    let sample: Value = sample("02-command-login.json");
    phone.user = Some(serde_json::from_value(sample["result"].clone()).unwrap());
    phone
}

fn sample(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/samples/sync/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

fn register_with_visit(phone: &mut Phone) -> (String, String) {
    let attributes = vec![
        NewAttribute {
            attribute_id: "f10".to_owned(),
            attribute: "village".to_owned(),
            value: AttributeValue::Text("Madeupville".to_owned()),
        },
        NewAttribute {
            attribute_id: "f11".to_owned(),
            attribute: "household_size".to_owned(),
            value: AttributeValue::Number(5.0),
        },
    ];
    let patient = NewPatient {
        given_name: "Samplea".to_owned(),
        attributes,
        ..NewPatient::default()
    };
    let patient = phone.register_patient(&patient).unwrap();
    let visit = phone.open_visit(&patient).unwrap();
    phone
        .record_event(
            &patient,
            &visit,
            ("form", "Test form"),
            &json!([{"fieldId": "a", "value": "ü 漢"}]),
        )
        .unwrap();
    let measured = [
        ("systolic_bp", 120.0.into()),
        ("diastolic_bp", 80.5.into()),
        ("bp_position", "sitting".into()),
    ];
    phone.record_vitals(&patient, &visit, &measured).unwrap();
    (patient, visit)
}

/// The JSON type of every member of a row, by name.
fn shape(row: &Value) -> Vec<(String, bool)> {
    row.as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.is_string()))
        .collect()
}

#[test]
fn new_records_have_the_shape_of_the_recorded_push() {
    let mut phone = logged_in_phone();
    register_with_visit(&mut phone);
    let pushed = serde_json::to_value(phone.database.local_changes()).unwrap();
    let recorded = sample("04-command-sync_push-created.json");
    let recorded = &recorded["plain"]["data"]["changes"];
    let names: Vec<&String> = pushed.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "events",
            "patient_additional_attributes",
            "patient_vitals",
            "patients",
            "visits"
        ]
    );
    for (table, lists) in pushed.as_object().unwrap() {
        assert_eq!(
            shape(&lists["created"][0]),
            shape(&recorded[table]["created"][0]),
            "{table}"
        );
        assert_eq!(lists["updated"], json!([]));
        assert_eq!(lists["deleted"], json!([]));
    }
    assert_eq!(
        pushed["visits"]["created"][0]["_changed"],
        recorded["visits"]["created"][0]["_changed"]
    );
    assert_eq!(pushed["patients"]["created"][0]["is_deleted"], json!(false));
    assert_eq!(pushed["patient_vitals"]["created"][0]["diastolic_bp"], json!(80.5));
}

#[test]
fn columns_and_tables_are_pushed_in_the_apps_order() {
    let mut phone = logged_in_phone();
    register_with_visit(&mut phone);
    let text = serde_json::to_string(&phone.database.local_changes()).unwrap();
    let tables = [
        "patients",
        "events",
        "visits",
        "patient_additional_attributes",
        "patient_vitals",
    ];
    let places: Vec<usize> = tables
        .iter()
        .map(|table| text.find(&format!("\"{table}\":{{")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let columns = [
        "id",
        "_status",
        "_changed",
        "given_name",
        "metadata",
        "created_at",
        "last_modified_by",
    ];
    let places: Vec<usize> = columns
        .iter()
        .map(|column| text.find(&format!("\"{column}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn a_delete_by_flag_has_the_shape_of_the_recorded_one() {
    let mut phone = logged_in_phone();
    let (patient, _) = register_with_visit(&mut phone);
    let pushed = phone.database.local_changes();
    phone.database.mark_pushed(&pushed, 1_795_225_487_000);
    phone.delete("patients", &patient).unwrap();
    let pushed = serde_json::to_value(phone.database.local_changes()).unwrap();
    let recorded = sample("07-command-sync_push-soft-delete-flag.json");
    let recorded = &recorded["plain"]["data"]["changes"]["patients"]["updated"][0];
    let row = &pushed["patients"]["updated"][0];
    assert_eq!(pushed.as_object().unwrap().len(), 1);
    for column in ["_status", "_changed", "is_deleted", "deleted_at"] {
        assert_eq!(row[column], recorded[column], "{column}");
    }
}

#[test]
fn nobody_logged_in_writes_nothing() {
    let mut phone = logged_in_phone();
    phone.user = None;
    assert_eq!(phone.open_visit("p"), Err(EditError::NoUser));
    assert!(phone.database.local_changes().is_empty());
}
