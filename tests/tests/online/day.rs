//! A day at a clinic in online mode, and what a phone that syncs holds of it afterwards.

use hub_tests::clinic::{Clinic, DemoUser};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use serde_json::{Value, json};

#[tokio::test]
async fn what_was_done_online_is_what_an_offline_phone_gets() {
    let clinic = Clinic::demo();
    let hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let needed = [
        "can_register_patients",
        "can_view_history",
        "can_edit_records",
        "can_prescribe_medications",
        "can_dispense_medications",
    ];
    let may = |user: &&DemoUser| needed.iter().all(|right| user.rights[0].1.contains(right));
    let user = clinic.users().iter().find(may).unwrap();
    // This phone was in offline mode before.
    let mut switched = hub.phone(user).await.unwrap();
    switched.sync().await.unwrap();
    let mut other = hub.phone(user).await.unwrap();
    other.sync().await.unwrap();

    let login = switched.client.login(&user.email, &user.password).await.unwrap();
    let day = switched.client.day(&login).await.unwrap();
    assert_eq!(day.dispensed, 6);
    let shown = [
        (
            "patients",
            &day.patient,
            query(
                &mut switched,
                "search_patients",
                json!({"filters": {"given_name": "Samplea"}}),
            )
            .await,
        ),
        (
            "visits",
            &day.visit,
            query(&mut switched, "get_visits", json!({"patient_id": day.patient})).await,
        ),
        (
            "events",
            &day.event,
            query(
                &mut switched,
                "get_visit_events",
                json!({"patient_id": day.patient, "visit_id": day.visit}),
            )
            .await,
        ),
        (
            "patient_vitals",
            &day.vitals,
            query(&mut switched, "vitals.list", json!({"patient_id": day.patient})).await,
        ),
        (
            "patient_problems",
            &day.problem,
            query(&mut switched, "problems.list", json!({"patient_id": day.patient})).await,
        ),
        (
            "prescriptions",
            &day.prescription,
            query(
                &mut switched,
                "prescriptions.by_patient_visit",
                json!({"patient_id": day.patient, "visit_id": day.visit}),
            )
            .await,
        ),
        (
            "prescription_items",
            &day.item,
            query(
                &mut switched,
                "prescription_items.by_prescription",
                json!({"prescription_id": day.prescription}),
            )
            .await,
        ),
        (
            "appointments",
            &day.appointment,
            query(
                &mut switched,
                "appointments.by_patient",
                json!({"patient_id": day.patient}),
            )
            .await,
        ),
    ];
    // Back in offline mode, on the same phone and on another.
    for phone in [&mut switched, &mut other] {
        phone.sync().await.unwrap();
        for (table, id, rows) in &shown {
            let row = rows
                .iter()
                .find(|row| row["id"] == **id)
                .unwrap_or_else(|| panic!("{table}"));
            holds(phone, table, id, row);
        }
        let records = phone.database.rows("dispensing_records").unwrap();
        let table = hub_tests::schema::schema().table("dispensing_records").unwrap();
        let of_item = records.filter(|(_, row)| {
            row.get(table, "prescription_item_id").and_then(|cell| cell.as_text()) == Some(&day.item)
        });
        assert_eq!(of_item.count(), 1);
        assert!(phone.database.local_changes().counts().is_empty(), "nothing to push");
    }
}

async fn query(phone: &mut Phone, name: &str, params: Value) -> Vec<Value> {
    let answer = phone.client.call(name, &params).await.unwrap();
    answer.get("data").unwrap_or(&answer).as_array().unwrap().clone()
}

/// The row as a query shows it and as the phone holds it: the same, JSON columns as text.
fn holds(phone: &Phone, table: &str, id: &str, shown: &Value) {
    for (column, value) in shown.as_object().unwrap() {
        let Some(cell) = phone.database.cell(table, id, column) else {
            panic!("{table}.{column} is not there")
        };
        let same = match (cell, value) {
            (Cell::Null, Value::Null) => true,
            (Cell::Text(text), Value::String(shown)) => **text == **shown,
            (Cell::Text(text), Value::Array(_) | Value::Object(_)) => {
                serde_json::from_str::<Value>(text).unwrap() == *value
            }
            (Cell::Boolean(truth), Value::Number(_)) => *value == i32::from(*truth),
            (Cell::Integer(whole), Value::Number(number)) => {
                Cell::number(number.as_f64().unwrap()) == Cell::Integer(*whole)
            }
            (Cell::Real(real), Value::Number(number)) => number.as_f64() == Some(*real),
            // The app's database turns a null into the column's empty value.
            (Cell::Text(text), Value::Null) => text.is_empty(),
            _ => false,
        };
        assert!(same, "{table}.{column}: {value} is {cell:?}");
    }
}
