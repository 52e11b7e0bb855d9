//! Values as phones and the cloud write them: none makes a push or an import fail, none is guessed at, none comes back as
//! something else.

use std::collections::BTreeSet;

use hub_appliance::clock::HubTime;
use hub_tests::hub::{Log, TestHub};
use hub_tests::schema::schema;
use serde_json::{Value, json};

#[path = "support/opened.rs"]
mod opened;
#[path = "support/pushing.rs"]
mod pushing;

use pushing::{clinic, lists, on_hub, pulled, push, row, user};

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
    hub.held_on_the_panel(0).await.unwrap();

    // A name, an e-mail address and a password with one are names, addresses and passwords.
    let credentials: Box<serde_json::value::RawValue> =
        serde_json::from_str(r#"{"email":"nurse\ud83d@clinic.example","password":"\ude00"}"#).unwrap();
    let refused = phone.client.command::<Value>("login", &credentials).await.unwrap_err();
    assert_eq!(refused.status(), Some(401));
}

#[tokio::test]
async fn a_version_that_does_not_fit_keeps_no_other_of_the_same_push_out() {
    let clinic = clinic();
    let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
    let admin = user(&clinic, "admin");
    let mut phone = hub.phone(admin).await.unwrap();
    let version = |id: &str, camp: &str, more: &Value| {
        let mut values = json!({"primary_clinic_id": admin.clinic_id, "camp": camp});
        values
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        row(schema().table("patients").unwrap(), id, &values)
    };
    let good = |id, camp| version(id, camp, &json!({}));
    let misfit = |id, camp| version(id, camp, &json!({"given_name": 5}));
    let gone = |id| version(id, "last", &json!({"given_name": 5, "is_deleted": true}));
    let changes = json!({"patients": lists(
        json!([good("first", "A"), misfit("last", "A"), good("twice", "A"), misfit("deleted", "A"), good("flagged", "A")]),
        json!([misfit("first", "B"), good("last", "B"), good("twice", "B"), good("deleted", "B"), gone("flagged")]),
        json!(["deleted"]),
    )});
    assert_eq!(push(&mut phone, &changes).await, Ok(json!({})));
    for (id, camp) in [
        ("first", Some("A")),
        ("last", Some("B")),
        ("twice", Some("B")),
        ("deleted", None),
        ("flagged", None),
    ] {
        let row = on_hub(&mut phone, "patients", id).await;
        assert_eq!(row.as_ref().map(|row| row["camp"].as_str().unwrap()), camp, "{id}");
    }
    hub.held_on_the_panel(1).await.unwrap();
    // Of one that is deleted only the id has to fit, wherever it stands.
    let changes = json!({"patients": lists(json!([]), json!([gone("twice")]), json!([]))});
    assert_eq!(push(&mut phone, &changes).await, Ok(json!({})));
    assert_eq!(on_hub(&mut phone, "patients", "twice").await, None);
    hub.held_on_the_panel(1).await.unwrap();
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
    hub.held_on_the_panel(0).await.unwrap();
}

/// What apps, people and other systems put where something else belongs, as it stands in JSON.
fn oddities() -> Vec<String> {
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    let long = "9".repeat(400);
    let plain = [
        "null",
        "0",
        "-1",
        "-0.0",
        "1.5",
        "1e400",
        "9007199254740993",
        "8640000000000000",
        "-8640000000000000",
        "8640000000000001",
        "true",
        "[]",
        "{}",
        r#"{"a":{"b":["\ude00",1e400,null]}}"#,
        r#""""#,
        r#"" ""#,
        r#""\u0000""#,
        r#""a\u0000b""#,
        r#""half \ud83d""#,
        r#""{\"half\":\"\\ud83d\"}""#,
        r#""[1,2""#,
        r#""NaN""#,
        r#""-inf""#,
        r#""1e3""#,
        r#""0x10""#,
        r#""31/12/1985""#,
        r#""9999-12-31T23:59:59.999Z""#,
        r#""9999-12-31T23:59:59-12:00""#,
        r#""-009999-01-01T00:00:00+12:00""#,
        r#""+275760-09-13T00:00:00Z""#,
        r#""2026-02-30""#,
        r#""2026-03-29T02:30:00[Europe/Paris]""#,
    ];
    plain.into_iter().map(str::to_owned).chain([deep, long]).collect()
}

#[tokio::test]
async fn whatever_stands_in_a_column_the_row_is_taken_or_held_and_nothing_fails() {
    let clinic = clinic();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let admin = user(&clinic, "admin");
    let mut phone = hub.phone(admin).await.unwrap();
    let odd = oddities();
    let mut sent = BTreeSet::new();
    let patient = row(
        schema().table("patients").unwrap(),
        "p",
        &json!({"primary_clinic_id": admin.clinic_id}),
    );
    let first = json!({"patients": lists(json!([patient]), json!([]), json!([]))});
    assert_eq!(push(&mut phone, &first).await, Ok(json!({})));
    for name in TABLES {
        let table = schema().table(name).unwrap();
        let mut rows = Vec::new();
        for column in table.phone_columns().filter(|column| column.name != "id") {
            for number in 0..odd.len() {
                let id = format!("{name}-{}-{number}", column.name);
                let mut values = json!({});
                for (tie, value) in [("patient_id", "p"), ("attribute_id", &id)] {
                    if table.column(tie).is_some() {
                        values[tie] = json!(value);
                    }
                }
                if let Some(of_clinic) = table.clinic_column.as_deref() {
                    values[of_clinic] = json!(admin.clinic_id);
                }
                values[&column.name] = json!(format!("ODD-{number}-"));
                rows.push(row(table, &id, &values));
                sent.insert((name, id));
            }
        }
        // Once as new ones, once as edits of what is there by then.
        for list in ["created", "updated"] {
            let mut changes = json!({name: lists(json!([]), json!([]), json!([]))});
            changes[name][list] = json!(rows);
            let mut body = json!({"changes": changes, "lastPulledAt": 0}).to_string();
            for (number, value) in odd.iter().enumerate() {
                body = body.replace(&format!("\"ODD-{number}-\""), value);
            }
            let body: Box<serde_json::value::RawValue> = serde_json::from_str(&body).unwrap();
            phone.client.handshake().await.unwrap();
            phone.client.http().disconnect();
            let answer = phone.client.command::<Value>("sync_push", &body).await;
            assert_eq!(answer.unwrap(), json!({}), "{name} {list}");
        }
    }

    let all = pulled(&mut phone, &json!(0)).await;
    let mut there = BTreeSet::new();
    for name in TABLES {
        for list in ["created", "updated", "deleted"] {
            for row in all["changes"][name][list].as_array().unwrap() {
                let id = row["id"].as_str().or(row.as_str()).unwrap();
                there.extend(sent.get(&(name, id.to_owned())).cloned());
            }
        }
    }
    assert!(there.len() > sent.len() / 3, "{} of {}", there.len(), sent.len());
    // What was taken is fit for an app, and for the lists of the online mode.
    let mut other = hub.phone(admin).await.unwrap();
    other.sync().await.unwrap();
    for (query, params) in [
        ("get_patients", json!({"limit": 5000})),
        ("search_patients", json!({"filters": {"given_name": "half"}})),
        ("patients.similar", json!({"given_name": "half", "surname": "x"})),
        ("get_visits", json!({"patient_id": "p"})),
        ("vitals.list", json!({"patient_id": "p"})),
        ("get_patient", json!({"patient_id": "p"})),
        (
            "appointments.list",
            json!({"start_date": -8.64e15, "end_date": 8.64e15, "limit": 5000}),
        ),
        ("prescriptions.search", json!({"limit": 5000})),
        ("dispensing.by_patient", json!({"patient_id": "p"})),
        ("held.list", json!({"limit": 5000})),
    ] {
        phone.client.handshake().await.unwrap();
        // JavaScript reads numbers and depths that a `Value` can't hold.
        let answer = phone.client.query_bytes(query, params).await.unwrap();
        serde_json::from_slice::<&serde_json::value::RawValue>(&answer).unwrap();
    }
    hub.hub.terminate().await.unwrap();
    let held = opened::open(&hub.data(), HubTime::ZERO).held_count().unwrap();
    assert_eq!(held as usize, sent.len() - there.len(), "taken or held");
}
