//! Pushes that a test writes by hand, and what the hub then gives.

use hub_tests::clinic::{Clinic, ClinicSize, DemoUser};
use hub_tests::phone::Phone;
use hub_tests::schema::{Kind, Table};
use serde_json::{Value, json};

pub(crate) fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 24,
        visits: 48,
        events: 96,
    };
    Clinic::generate(13, size)
}

pub(crate) fn user<'a>(clinic: &'a Clinic, name: &str) -> &'a DemoUser {
    clinic.user(&format!("{name}@clinic.example")).unwrap()
}

/// Pushes from where the phone stands, with new shaken hands as the app does.
pub(crate) async fn push(phone: &mut Phone, changes: &Value) -> Result<Value, Option<u16>> {
    let push = json!({"changes": changes, "lastPulledAt": phone.database.cursor()});
    phone.client.handshake().await.unwrap();
    // Sealing a large one takes longer than the hub leaves a connection idle.
    phone.client.http().disconnect();
    let answer = phone.client.command("sync_push", push).await;
    answer.map_err(|error| Some(error.status().unwrap_or_else(|| panic!("{error}"))))
}

/// The lists of one table.
pub(crate) fn lists(created: Value, updated: Value, deleted: Value) -> Value {
    json!({"created": created, "updated": updated, "deleted": deleted})
}

/// A pull as it comes, from there.
pub(crate) async fn pulled(phone: &mut Phone, since: &Value) -> Value {
    let asked = json!({"lastPulledAt": since});
    phone.client.handshake().await.unwrap();
    phone.client.query("sync_pull", asked).await.unwrap()
}

/// The row that a whole download gives for this id.
pub(crate) async fn on_hub(phone: &mut Phone, table: &str, id: &str) -> Option<Value> {
    let answer: Value = pulled(phone, &json!(0)).await;
    row_of(&answer, table, id)
}

/// A row of an answer, in whichever list it stands.
pub(crate) fn row_of(answer: &Value, table: &str, id: &str) -> Option<Value> {
    let lists = ["created", "updated"].map(|list| answer["changes"][table][list].as_array().unwrap().clone());
    lists.concat().into_iter().find(|row| row["id"] == id)
}

/// A row with a value in each column that must have one, and in those of `values`.
pub(crate) fn row(table: &Table, id: &str, values: &Value) -> Value {
    let mut row = json!({"id": id, "_status": "created", "_changed": ""});
    for column in table.phone_columns() {
        let value = match (&column.kind, column.name.as_str()) {
            (_, "id") => continue,
            (_, "is_deleted") => json!(false),
            (Kind::EpochMs, _) => json!(1_760_000_005_000_i64),
            _ if !column.required => Value::Null,
            (Kind::Text, _) => json!("x"),
            (Kind::Decimal, _) => json!("1.50"),
            (Kind::Json, _) => json!("{}"),
            (Kind::Integer | Kind::Real, _) => json!(1),
            (Kind::Boolean, _) => json!(true),
        };
        row[&column.name] = value;
    }
    for (column, value) in values.as_object().unwrap() {
        row[column] = value.clone();
    }
    row
}
