//! Values as phones and the cloud write them: none makes a push or an import fail, none is guessed at, none comes back as
//! something else.

use hub_tests::hub::{Log, TestHub};
use hub_tests::schema::schema;
use serde_json::{Value, json};

#[path = "support/pushing.rs"]
mod pushing;

use pushing::{clinic, held_on_the_panel, lists, on_hub, push, row, user};

const TABLES: [&str; 11] = [
    "patients",
    "patient_additional_attributes",
    "visits",
    "events",
    "appointments",
    "prescriptions",
    "prescription_items",
    "patient_vitals",
    "patient_problems",
    "patient_risk_profiles",
    "dispensing_records",
];

#[tokio::test]
async fn a_null_in_any_column_of_any_table_makes_no_push_fail() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let mut phone = hub.phone(admin).await.unwrap();
    let (mut pushed, mut nulls) = (json!({}), Vec::new());
    let mut columns = 0;
    for name in TABLES {
        let table = schema().table(name).unwrap();
        assert!(table.phone.push);
        let place = |id: &str| {
            let clinic = table
                .clinic_column
                .as_deref()
                .filter(|column| table.phone_index(column).is_some());
            let mut values = json!({});
            if let Some(column) = clinic {
                values[column] = json!(admin.clinic_id);
            }
            if table.column("patient_id").is_some() {
                values["patient_id"] = json!("patients-0");
            }
            row(table, id, &values)
        };
        let required: Vec<_> = table
            .phone_columns()
            .filter(|column| column.required && column.name != "id")
            .collect();
        columns += required.len();
        let mut rows = Vec::new();
        let mut updates = Vec::new();
        for (number, column) in required.iter().enumerate() {
            // Once over a value, once over an empty one, each beside a good row.
            for (kind, stored) in [("full", None), ("blank", Some(blank(&column.kind)))] {
                let id = format!("{name}-{kind}-{number}");
                let mut first = place(&id);
                if let Some(blank) = stored.filter(|_| !column.name.ends_with("_id")) {
                    first[&column.name] = blank;
                }
                updates.push(json!({"id": id, "_status": "updated", "_changed": column.name, &column.name: null}));
                rows.push(first);
            }
        }
        rows.insert(0, place(&format!("{name}-0")));
        pushed[name] = lists(json!(rows), json!([]), json!([]));
        nulls.push((name, updates));
    }
    assert!(columns > 40, "{columns}");
    assert_eq!(push(&mut phone, &pushed).await, Ok(json!({})));
    for (name, updates) in nulls {
        let good = json!({"id": format!("{name}-0"), "_changed": "updated_at", "updated_at": 1_760_000_009_000_i64});
        let mut rows = updates;
        rows.push(good);
        let changes = json!({name: lists(json!([]), json!(rows), json!([]))});
        assert_eq!(push(&mut phone, &changes).await, Ok(json!({})), "{name}");
        if name != "patient_risk_profiles" {
            let row = on_hub(&mut phone, name, &format!("{name}-0")).await.unwrap();
            assert_eq!(row["updated_at"], 1_760_000_009_000_i64, "{name}");
        }
    }
    let vital = on_hub(&mut phone, "patient_vitals", "patient_vitals-blank-0").await;
    assert!(vital.is_some());
}

fn blank(kind: &hub_tests::schema::Kind) -> Value {
    use hub_tests::schema::Kind;
    match kind {
        Kind::Text | Kind::Decimal | Kind::Json => json!(""),
        Kind::Boolean => json!(false),
        _ => json!(0),
    }
}

#[tokio::test]
async fn a_date_near_1970_is_that_date() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let (mut phone, mut other) = (hub.phone(admin).await.unwrap(), hub.phone(admin).await.unwrap());
    let attributes = schema().table("patient_additional_attributes").unwrap();
    let patient = row(
        schema().table("patients").unwrap(),
        "p",
        &json!({"primary_clinic_id": admin.clinic_id}),
    );
    let dates = [
        5_097_600_000_i64,
        0,
        1,
        -1,
        -5_097_600_000,
        9_999_999_999,
        -1_262_304_000_000,
    ];
    let rows: Vec<Value> = dates
        .iter()
        .enumerate()
        .map(|(number, date)| {
            let values = json!({"patient_id": "p", "attribute_id": format!("a{number}"), "date_value": date});
            row(attributes, &format!("a{number}"), &values)
        })
        .collect();
    let changes = json!({
        "patients": lists(json!([patient]), json!([]), json!([])),
        "patient_additional_attributes": lists(json!(rows), json!([]), json!([])),
    });
    assert_eq!(push(&mut phone, &changes).await, Ok(json!({})));
    for (number, date) in dates.iter().enumerate() {
        let row = on_hub(&mut other, "patient_additional_attributes", &format!("a{number}"))
            .await
            .unwrap();
        assert_eq!(row["date_value"], *date);
    }
}

#[tokio::test]
async fn half_an_emoji_holds_nobody_back() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let (mut phone, mut other) = (hub.phone(admin).await.unwrap(), hub.phone(admin).await.unwrap());
    let patients = schema().table("patients").unwrap();
    let values = json!({"primary_clinic_id": admin.clinic_id, "camp": "Camp B HALF", "given_name": "HALF",
        "additional_data": {"note": ["HALF"]}, "metadata": "{\"note\":\"HALF\"}"});
    let whole = json!({
        "changes": {
            "patients": lists(json!([row(patients, "p-HALF", &values), row(patients, "p-2", &values)]), json!([]), json!(["gone HALF"])),
            "new table HALF": lists(json!([{"id": "HALF"}]), json!([]), json!([])),
        },
        "lastPulledAt": 0,
    });
    // In a text that is JSON, the half is escaped once more.
    let text = whole
        .to_string()
        .replace("\\\"HALF\\\"", "\\\"\\\\ud83d\\\"")
        .replace("HALF", "\\ud83d");
    let body: Box<serde_json::value::RawValue> = serde_json::from_str(&text).unwrap();
    phone.client.command::<Value>("sync_push", &body).await.unwrap();
    for id in ["p-\u{fffd}", "p-2"] {
        let row = on_hub(&mut other, "patients", id).await.unwrap();
        assert_eq!(row["camp"], "Camp B \u{fffd}");
        assert_eq!(row["given_name"], "\u{fffd}");
        let data: Value = serde_json::from_str(row["additional_data"].as_str().unwrap()).unwrap();
        assert_eq!(data, json!({"note": ["\u{fffd}"]}));
        let data: Value = serde_json::from_str(row["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(data, json!({"note": "\u{fffd}"}));
    }
    held_on_the_panel(&hub, 0).await;

    // A name, an e-mail address and a password with one are names, addresses and passwords.
    let credentials: Box<serde_json::value::RawValue> =
        serde_json::from_str(r#"{"email":"nurse\ud83d@clinic.example","password":"\ude00"}"#).unwrap();
    let refused = phone.client.command::<Value>("login", &credentials).await.unwrap_err();
    assert_eq!(refused.status(), Some(401));
}

#[tokio::test]
async fn what_the_cloud_takes_for_a_date_stops_no_import() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let births = [
        ("31/12/1985", Value::Null),
        ("1980?", Value::Null),
        ("May 1972", Value::Null),
        ("9999-12-31T12:00:00Z", Value::Null),
        ("9999-12-30T22:00:00Z", json!("9999-12-31")),
        ("1985-12-31", json!("1985-12-31")),
    ];
    let rows: Vec<Value> = births
        .iter()
        .enumerate()
        .map(|(number, (birth, _))| {
            json!({"id": format!("p{number}"), "given_name": "Old", "date_of_birth": birth, "additional_data": {"a": 1},
                "metadata": {}, "is_deleted": false, "primary_clinic_id": admin.clinic_id,
                "created_at": "9999-12-30T22:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
        })
        .collect();
    let events: Vec<Value> = (0..births.len())
        .map(|number| {
            json!({"id": format!("e{number}"), "patient_id": format!("p{number}"), "form_data": [], "metadata": {},
                "is_deleted": false, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"})
        })
        .collect();
    let bundle = json!({"success": true, "timestamp": 1, "changes": {
        "patients": {"created": rows, "updated": [], "deleted": []},
        "events": {"created": events, "updated": [], "deleted": []},
    }});
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
        .await
        .unwrap();
    let mut phone = hub.phone(admin).await.unwrap();
    for (number, (birth, stored)) in births.iter().enumerate() {
        let row = on_hub(&mut phone, "patients", &format!("p{number}")).await.unwrap();
        assert_eq!(row["date_of_birth"], *stored, "{birth}");
        let data: Value = serde_json::from_str(row["additional_data"].as_str().unwrap()).unwrap();
        let kept = if stored.is_null() {
            json!({"a": 1, "date_of_birth_text": birth})
        } else {
            json!({"a": 1})
        };
        assert_eq!(data, kept);
        assert!(on_hub(&mut phone, "events", &format!("e{number}")).await.is_some());
    }
    held_on_the_panel(&hub, 0).await;
}
