//! What app 1.7 sends, and what the contract says of it: the recorded push, bare ids, the new table, the second try after
//! a 401 under the key of the pairing, and the sign-in of app 1.5 that goes past the hub.

use bytes::Bytes;
use hub_tests::clinic::RIGHTS;
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::cell::Cell;
use hub_tests::phone::http::HttpClient;
use hub_tests::phone::pull::PullAnswer;
use hub_tests::phone::wire::Message;
use hub_tests::phone::{Generation, Phone};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const CLINIC: &str = "018cc251-f400-7b9c-9598-91948d2378bc";
const USER: &str = "018cc251-f400-7e8c-95d7-e6d1361e75d6";
const EMAIL: &str = "dr@example.test";
const PASSWORD: &str = "made-up-pass";
const PATIENT: &str = "018cc251-f400-737e-974b-0575f68f458d";
const EVENT: &str = "018cc264-4380-78a9-9536-68d0ff8e774d";
const PROFILE: &str = "01a2198d-9713-779e-b9a5-ba9a473cf78f";
/// Syncs between two sign-ins, each under a key of its own.
const SYNCS: usize = 4;
const NEW_TABLE: &str = "patient_risk_profiles";

fn sample() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/protocol/samples/sync-1.7/01-command-sync_push.json"
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn lists(rows: &[Value]) -> Value {
    json!({"created": rows, "updated": [], "deleted": []})
}

/// A hub that holds the recorded push's patient and event as they were before, one of each that is nobody's, and a
/// profile of the cloud's.
async fn hub_of_the_sample() -> TestHub {
    let changes = &sample()["plain"]["data"]["changes"];
    let before = |table: &str, column: &str, value: &str| {
        let mut row = changes[table]["updated"][0].clone();
        row[column] = json!(value);
        row["updated_at"] = row["created_at"].clone();
        for json in ["form_data", "metadata", "additional_data"] {
            if let Some(text) = row[json].as_str() {
                row[json] = serde_json::from_str(text).unwrap();
            }
        }
        row
    };
    let patient = before("patients", "phone", "0");
    let event = before("events", "recorded_by_user_id", USER);
    let mut other = patient.clone();
    other["id"] = json!("patient-2");
    let mut profile = changes[NEW_TABLE]["created"][0].clone();
    profile["id"] = json!("profile-of-the-cloud");
    profile["patient_id"] = json!("patient-2");
    let mut rights = json!({"id": "rights", "user_id": USER, "clinic_id": CLINIC});
    for right in RIGHTS {
        rights[right] = json!(true);
    }
    let user = json!({"id": USER, "clinic_id": CLINIC, "name": "Dr Made Up", "role": "provider", "email": EMAIL,
                      "hashed_password": bcrypt::hash(PASSWORD, 10).unwrap()});
    let clinic = json!({"id": CLINIC, "name": "Clinic Alpha", "is_archived": false, "city": "Madeupville"});
    let bundle = json!({"success": true, "timestamp": 1_795_725_000_000_i64, "changes": {
        "clinics": lists(&[clinic]), "users": lists(&[user]), "user_clinic_permissions": lists(&[rights]),
        "patients": lists(&[patient, other]), "events": lists(&[event]), NEW_TABLE: lists(&[profile]),
    }});
    let mut hub = TestHub::empty(Log::Everything).await.unwrap();
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
        .await
        .unwrap();
    hub
}

async fn phone(hub: &TestHub, app: Generation) -> Phone {
    let mut phone = Phone::with_client(hub.pair(|client| client).await.unwrap()).with_app(app);
    phone.log_in(EMAIL, PASSWORD).await.unwrap();
    phone
}

/// Sends the recorded push as it stands, with the token and the base of this conversation.
async fn push_the_sample(phone: &mut Phone) {
    let mut data = sample()["plain"]["data"].clone();
    data["lastPulledAt"] = phone.database.base().clone();
    let answer: Value = phone.client.command("sync_push", data).await.unwrap();
    assert_eq!(answer, json!({}));
}

fn has_new_table(answer: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(answer).unwrap();
    answer["changes"].get(NEW_TABLE).is_some()
}

#[tokio::test]
async fn the_recorded_push_and_who_gets_the_new_table() {
    let hub = hub_of_the_sample().await;
    let mut app = phone(&hub, Generation::V1_7).await;
    let mut older = phone(&hub, Generation::V1_5).await;
    for phone in [&mut app, &mut older] {
        phone.sync().await.unwrap();
        phone.sync().await.unwrap();
        assert!(
            !has_new_table(&phone.pull_bytes().await.unwrap()),
            "nothing told its app"
        );
    }
    assert_eq!(
        app.database.cell("clinics", CLINIC, "city"),
        Some(&"Madeupville".into()),
        "a new column goes to everybody"
    );

    push_the_sample(&mut app).await;
    // It has shown what it is, so it gets all of the table at once, without the row that it wrote itself.
    let counts = app.pull().await.unwrap();
    let new = counts.iter().find(|(table, _)| *table == NEW_TABLE).unwrap();
    assert_eq!(new.1.inserted, 1);
    assert!(app.database.row(NEW_TABLE, "profile-of-the-cloud").is_some());
    assert!(
        app.pull()
            .await
            .unwrap()
            .iter()
            .all(|(_, counts)| *counts == Default::default())
    );

    older.sync().await.unwrap();
    let phone_number = older.database.cell("patients", PATIENT, "phone");
    assert_eq!(phone_number, Some(&"0700 000000".into()));
    let recorder = older.database.cell("events", EVENT, "recorded_by_user_id");
    assert_eq!(recorder, Some(&"".into()), "1.5 makes an empty text of nobody");

    let mut another = phone(&hub, Generation::V1_7).await;
    another.show_app().await.unwrap();
    another.sync().await.unwrap();
    let score = another.database.cell(NEW_TABLE, PROFILE, "numerical_value");
    assert_eq!(score, Some(&Cell::text("0.8125")));
    assert_eq!(another.database.rows(NEW_TABLE).unwrap().len(), 2);
    let recorder = another.database.cell("events", EVENT, "recorded_by_user_id");
    assert_eq!(recorder, Some(&Cell::Null));
}

#[tokio::test]
async fn deletes_as_bare_ids_both_ways() {
    let hub = hub_of_the_sample().await;
    let mut app = phone(&hub, Generation::V1_7).await;
    let mut older = phone(&hub, Generation::V1_5).await;
    for phone in [&mut app, &mut older] {
        phone.sync().await.unwrap();
    }
    let delete = json!({"events": {"created": [], "updated": [], "deleted": [EVENT]}});
    let push = json!({"changes": delete, "lastPulledAt": app.database.base()});
    app.client.command::<Value>("sync_push", push).await.unwrap();

    let answer = older.pull_bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let mut deleted = answer["changes"]["events"]["deleted"].as_array().unwrap().clone();
    deleted.sort_by_key(Value::is_object);
    assert_eq!(deleted, [json!(EVENT), json!({"id": EVENT})]);
    older.sync().await.unwrap();
    assert!(older.database.row("events", EVENT).is_none());

    older.delete("patients", "patient-2").unwrap();
    older.sync().await.unwrap();
    app.sync().await.unwrap();
    assert!(app.database.row("patients", "patient-2").is_none());
    assert!(app.database.row(NEW_TABLE, "profile-of-the-cloud").is_none());
}

#[tokio::test]
async fn app_1_7_signs_in_again_under_the_key_of_its_pairing() {
    let hub = hub_of_the_sample().await;
    let mut app = phone(&hub, Generation::V1_7).await;
    for _ in 0..SYNCS {
        app.sync().await.unwrap();
    }
    assert!(!has_new_table(&app.pull_bytes().await.unwrap()));
    let token = app.client.token().unwrap().to_owned();
    app.client.logout().await.unwrap();
    app.client.set_token(Some(token));

    app.sync().await.unwrap();
    assert_eq!(app.client.http().statuses().get(&401), Some(&1));
    assert_eq!(app.client.http().statuses().get(&428), None);
    // The same call a moment after a 401, with a login between: 1.5 never does that.
    app.sync().await.unwrap();
    assert!(app.database.row(NEW_TABLE, "profile-of-the-cloud").is_some());

    // App 1.5 is stuck until somebody signs in.
    let mut older = phone(&hub, Generation::V1_5).await;
    older.sync().await.unwrap();
    older.client.logout().await.unwrap();
    for _ in 0..2 {
        assert_eq!(older.sync().await.unwrap_err().status(), Some(401));
    }
    older.log_in(EMAIL, PASSWORD).await.unwrap();
    older.sync().await.unwrap();
}

/// App 1.5 may post e-mail and password in the clear where a cloud would be: the hub can't prevent that, but it reads
/// nothing of it.
#[tokio::test]
async fn a_sign_in_that_goes_past_the_hub_is_not_read() {
    let hub = hub_of_the_sample().await;
    let body = json!({"email": EMAIL, "password": PASSWORD}).to_string();
    let mut http = HttpClient::new(hub.hub.url()).unwrap();
    let reply = http.post("/api/login", Bytes::from(body)).await.unwrap();
    assert_eq!((reply.status, reply.body.len()), (404, 0));

    // The answer does not wait for a body that never comes.
    let address = hub.hub.url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!("POST /api/login HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");

    let printed = hub.hub.printed();
    assert!(!printed.contains(PASSWORD) && !printed.contains(EMAIL));
}

/// A plaintext that app 1.7 would send is answered to 1.5 as well: nothing in a request names the app.
#[tokio::test]
async fn an_answer_that_either_app_can_read() {
    let hub = hub_of_the_sample().await;
    let mut app = phone(&hub, Generation::V1_7).await;
    let plain = json!({"query": "sync_pull", "params": {"lastPulledAt": 0}, "token": app.client.token()});
    let plain = plain.to_string();
    let answer = app
        .client
        .exchange("/rpc/query", Message::Query, Message::QueryResponse, plain.as_bytes());
    let answer = answer.await.unwrap();
    for generation in [Generation::V1_5, Generation::V1_7] {
        assert!(PullAnswer::read(&answer, generation).unwrap().len() > 3);
    }
}
