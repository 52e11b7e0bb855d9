//! What the app really sends, one recorded request after the other, against the real hub.
//!
//! Ids and values go as they were recorded. Only what belongs to one conversation is put in its place: address, client,
//! keys, token, and a `lastPulledAt` that a hub gave. Whole rows are compared, as another phone gets them.

use std::collections::BTreeMap;

use bytes::Bytes;
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::http::HttpClient;
use hub_tests::phone::pull::PullAnswer;
use hub_tests::phone::wire::{Curve, KeyPair, Message};
use hub_tests::phone::{Generation, HubClient, Phone};
use hub_tests::schema::{Column, Kind, schema};
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

const USER: &str = "0197f000-0000-7000-8000-000000000001";
const PASSWORD: &str = "made-up-pass";

/// Whole rows by table and id, in the phone's types.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rows(BTreeMap<String, BTreeMap<String, Map<String, Value>>>);

#[tokio::test]
async fn the_recorded_requests_in_their_order() {
    let hub = hub_of_the_samples().await;
    let mut other = hub.pair(|client| client).await.unwrap();
    other.login("dr@example.test", PASSWORD).await.unwrap();

    let mut app = handshake(&hub).await;
    login(&mut app).await;
    let (mut expected, given) = first_pull(&mut app).await;
    assert_eq!(rows_of(&pull(&mut other, 0).await), expected);

    push(&mut app, "04-command-sync_push-created", &[given]).await;
    expected.push(&sample("04-command-sync_push-created"));
    expected.set(
        "clinic_inventory",
        "0197f000-0000-7000-8000-000000000400",
        "quantity_available",
        &json!(96),
    );
    expected.check(&rows_of(&pull(&mut other, 0).await));
    let stock = ("quantity_available", 96);
    let given = only_comes_back(&mut app, given, "clinic_inventory", stock).await;

    push(&mut app, "05-command-sync_push-updated", &[given]).await;
    expected.push(&sample("05-command-sync_push-updated"));
    // What was handed out of an item is the sum of its records, whatever the phone says.
    let item = "01a1fbc7-065c-7b07-9e85-63dffd22bfbf";
    expected.set("prescription_items", item, "quantity_dispensed", &json!(4));
    let seen = rows_of(&pull(&mut other, 0).await);
    expected.check(&seen);
    assert_eq!(
        seen.0["prescriptions"]["01a1fbc7-065c-7b07-9e85-63de63704c59"]["status"],
        "prepared"
    );
    let sum = ("quantity_dispensed", 4);
    let given = only_comes_back(&mut app, given, "prescription_items", sum).await;

    deletes_that_the_app_never_sends(&hub, &expected).await;

    push(&mut app, "07-command-sync_push-soft-delete-flag", &[given]).await;
    expected.push(&sample("07-command-sync_push-soft-delete-flag"));
    assert!(!expected.0["patients"].contains_key("0197f000-0000-7000-8000-000000100003"));
    expected.check(&rows_of(&pull(&mut other, 0).await));
    nothing_comes_back(&mut app, given).await;

    push(&mut app, "08-command-sync_push-force-upload", &[]).await;
    expected.push(&sample("08-command-sync_push-force-upload"));
    expected.check(&rows_of(&pull(&mut other, 0).await));

    let forced = sample("09-query-sync_pull-force-download");
    let answer = query(&mut app, &forced["plain"]).await;
    expected.check(&rows_of(&answer));
    for (table, lists) in answer["changes"].as_object().unwrap() {
        assert_eq!(
            lists["updated"],
            json!([]),
            "{table}: after 0 every row is a created one"
        );
    }
}

/// 01: the handshake with the app's headers, on a client that is shown to the hub for the first time.
async fn handshake(hub: &TestHub) -> HubClient {
    let recorded = sample("01-handshake-request");
    let client_id = recorded["body"]["client_id"].as_str().unwrap();
    let mut http = HttpClient::new(hub.hub.url()).unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    panel.open_pairing().await.unwrap();

    // First byte for byte: the hub can't know that nobody has the private key of that recording.
    let headers: HeaderMap = (recorded["headers"].as_object().unwrap().iter())
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
        })
        .collect();
    let body = Bytes::from(recorded["body"].to_string());
    let reply = http
        .send_with(Method::POST, "/rpc/handshake", headers.clone(), body)
        .await
        .unwrap();
    panel.keep().await.unwrap();
    let answer = fits_the_app(reply.status, &reply.body);

    // Then with a key whose private half is here, as the app makes a new one for each handshake.
    let keys = KeyPair::generate(Curve::X25519).unwrap();
    let body = json!({"client_id": client_id, "client_public_key": keys.public_key()});
    let reply = http
        .send_with(Method::POST, "/rpc/handshake", headers, body.to_string().into())
        .await
        .unwrap();
    assert_eq!(
        fits_the_app(reply.status, &reply.body),
        answer,
        "the hub's keys and id are its own"
    );
    let mut app = HubClient::new(hub.hub.url(), client_id).unwrap();
    let hub_key = answer["hub_public_key"].as_str().unwrap();
    app.set_session(Some(keys.agree(hub_key).unwrap()));
    app
}

fn fits_the_app(status: u16, body: &[u8]) -> Value {
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(answer["success"], json!(true));
    for field in ["hub_public_key", "hub_id", "hub_name"] {
        assert!(answer[field].as_str().is_some_and(|text| !text.is_empty()), "{field}");
    }
    answer
}

/// 02: every field of the recorded result, with its value; only the token is the hub's own.
async fn login(app: &mut HubClient) {
    let recorded = sample("02-command-login");
    let mut result = command(app, &recorded["plain"]).await;
    let token = result["token"].take();
    app.set_token(Some(token.as_str().unwrap().to_owned()));
    let mut expected = recorded["result"].clone();
    expected["token"] = Value::Null;
    assert_eq!(result, expected);
}

/// 03 and 03b: every row of the recorded answer, and none beside.
async fn first_pull(app: &mut HubClient) -> (Rows, i64) {
    let answer = query(app, &sample("03-query-sync_pull-first")["plain"]).await;
    let mut expected = rows_of(&sample("03b-sync_pull-response-used"));
    // The recorded time of day is one that no date from the cloud can have.
    let (stock, expiry) = ("0197f000-0000-7000-8000-000000000400", "batch_expiry_date");
    let day = 86_400_000;
    let at = expected.0["clinic_inventory"][stock][expiry].as_i64().unwrap();
    expected.set("clinic_inventory", stock, expiry, &json!(at / day * day));
    expected.check(&rows_of(&answer));
    (rows_of(&answer), answer["timestamp"].as_i64().unwrap())
}

/// After its own push the app gets one row: the stock that the hub reckoned from the dispensing record.
/// One row comes back to the phone that pushed: the hub has reckoned one of its columns.
async fn only_comes_back(app: &mut HubClient, since: i64, table: &str, (column, value): (&str, i64)) -> i64 {
    let answer = pull(app, since).await;
    let rows = rows_of(&answer);
    let tables: Vec<&String> = rows.0.keys().collect();
    assert_eq!(tables, [table]);
    assert_eq!(answer["changes"][table]["updated"][0][column], value);
    answer["timestamp"].as_i64().unwrap()
}

async fn nothing_comes_back(app: &mut HubClient, since: i64) -> i64 {
    let answer = pull(app, since).await;
    assert_eq!(rows_of(&answer), Rows::default());
    for (table, lists) in answer["changes"].as_object().unwrap() {
        assert_eq!(lists["deleted"], json!([]), "{table}");
    }
    answer["timestamp"].as_i64().unwrap()
}

/// 06: the app marks rows as deleted and never says so; the hub keeps them, and later syncs of that phone still work.
async fn deletes_that_the_app_never_sends(hub: &TestHub, expected: &Rows) {
    assert!(sample("06-command-sync_push-after-deletes")["plain"].is_null());
    let mut phone = Phone::with_client(hub.pair(|client| client).await.unwrap());
    phone.log_in("dr@example.test", PASSWORD).await.unwrap();
    phone.sync().await.unwrap();
    phone
        .database
        .mark_deleted("patients", "0197f000-0000-7000-8000-000000100002")
        .unwrap();
    let before: u64 = phone.client.http().statuses().values().sum();
    assert_eq!(phone.sync().await.unwrap().pushed, []);
    let after: u64 = phone.client.http().statuses().values().sum();
    assert_eq!(after - before, 2, "a handshake and a pull, no push");
    expected.check(&rows_of(&pull(&mut phone.client, 0).await));
}

/// Sends a recorded push. A `lastPulledAt` that a hub gave becomes the one that this hub gave (`given`); the forced
/// upload's is the app's own.
async fn push(app: &mut HubClient, name: &str, given: &[i64]) {
    let mut plain = sample(name)["plain"].clone();
    if let [given] = given {
        plain["data"]["lastPulledAt"] = json!(given);
    }
    assert_eq!(command(app, &plain).await, json!({}), "{name}");
}

async fn pull(client: &mut HubClient, since: i64) -> Value {
    let plain = json!({"query": "sync_pull", "params": {"lastPulledAt": since}, "token": null});
    query(client, &plain).await
}

async fn command(client: &mut HubClient, plain: &Value) -> Value {
    exchange(
        client,
        "/rpc/command",
        (Message::Command, Message::CommandResponse),
        plain,
    )
    .await
}

/// A query whose answer, where it is a pull's, is as strict as the app and the contract.
async fn query(client: &mut HubClient, plain: &Value) -> Value {
    let answer = exchange(client, "/rpc/query", (Message::Query, Message::QueryResponse), plain).await;
    PullAnswer::read(answer.to_string().as_bytes(), Generation::V1_5).unwrap();
    answer
}

/// Sends a recorded plaintext with the token of this conversation in the place of the recorded one.
async fn exchange(client: &mut HubClient, path: &str, (out, back): (Message, Message), plain: &Value) -> Value {
    let mut plain = plain.clone();
    plain["token"] = client.token().map_or(Value::Null, Value::from);
    let answer = client.exchange(path, out, back, plain.to_string().as_bytes()).await;
    serde_json::from_slice(&answer.unwrap()).unwrap()
}

impl Rows {
    /// What a recorded push makes of these rows by the contract: rows as they were pushed, a delete taking them out,
    /// tables that phones do not push left alone.
    fn push(&mut self, sample: &Value) {
        for (name, lists) in sample["plain"]["data"]["changes"].as_object().unwrap() {
            let table = schema().table(name).unwrap();
            if !table.phone.push {
                continue;
            }
            let rows = self.0.entry(name.clone()).or_default();
            for row in ["created", "updated", "deleted"]
                .iter()
                .flat_map(|list| list_of(&lists[list]))
            {
                let id = row["id"].as_str().unwrap();
                if row["is_deleted"] == json!(true) {
                    rows.remove(id);
                } else {
                    let columns = table.phone_columns();
                    let cells = columns.map(|column| (column.name.clone(), as_sent_out(column, &row[&column.name])));
                    rows.insert(id.to_owned(), cells.collect());
                }
            }
        }
    }

    fn set(&mut self, table: &str, id: &str, column: &str, value: &Value) {
        let row = self.0.get_mut(table).and_then(|rows| rows.get_mut(id)).unwrap();
        row.insert(column.to_owned(), value.clone());
    }

    fn check(&self, seen: &Self) {
        let mut tables: Vec<&String> = self.0.keys().chain(seen.0.keys()).collect();
        tables.dedup();
        for table in tables {
            let empty = BTreeMap::new();
            let (left, right) = (self.0.get(table).unwrap_or(&empty), seen.0.get(table).unwrap_or(&empty));
            let ids = |rows: &BTreeMap<String, _>| rows.keys().cloned().collect::<Vec<_>>();
            assert_eq!(ids(left), ids(right), "{table}");
            for (id, row) in left {
                let columns = schema().table(table).unwrap().phone_columns();
                for column in columns.filter(|column| Generation::V1_5.has_column(column)) {
                    let (expected, seen) = (&row[&column.name], &right[id][&column.name]);
                    assert!(
                        same(column, expected, seen),
                        "{table}/{id}.{}: {expected} but {seen}",
                        column.name
                    );
                }
            }
        }
    }
}

/// Equal; 170 and 170.0 are one number to the app. A required time that the app has no value for is the hub's to set.
/// The form's fields are compared as JSON, for the bundle of this test spells them in another order.
fn same(column: &Column, expected: &Value, seen: &Value) -> bool {
    let parsed = |json: &Value| serde_json::from_str::<Value>(json.as_str().unwrap()).unwrap();
    match (column.kind, expected) {
        (Kind::EpochMs, Value::Null) if column.required => seen.is_i64(),
        (Kind::Real, Value::Number(number)) => number.as_f64() == seen.as_f64(),
        (Kind::Json, Value::String(_)) if column.name == "fields" => parsed(expected) == parsed(seen),
        _ => expected == seen,
    }
}

/// A pushed value as it goes out to phones.
fn as_sent_out(column: &Column, value: &Value) -> Value {
    match (column.kind, value) {
        (Kind::Boolean, Value::Bool(truth)) => json!(i32::from(*truth)),
        _ => value.clone(),
    }
}

/// The rows of a pull's answer; tables without any are left out.
fn rows_of(answer: &Value) -> Rows {
    let mut tables = Rows::default();
    for (table, lists) in answer["changes"].as_object().unwrap() {
        let rows = list_of(&lists["created"]).chain(list_of(&lists["updated"]));
        let rows: BTreeMap<_, _> = rows
            .map(|row| (row["id"].as_str().unwrap().to_owned(), row.as_object().unwrap().clone()))
            .collect();
        if !rows.is_empty() {
            tables.0.insert(table.clone(), rows);
        }
    }
    tables
}

fn list_of(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().unwrap().iter()
}

/// A hub that holds what the recorded answer 03b shows, and the user who logs in.
async fn hub_of_the_samples() -> TestHub {
    let mut bundle = sample("03b-sync_pull-response-used");
    for (name, lists) in bundle["changes"].as_object_mut().unwrap() {
        for column in &schema().table(name).unwrap().columns {
            for row in lists["created"].as_array_mut().unwrap() {
                let cell = &mut row[&column.name];
                *cell = as_the_cloud_sends(column, cell);
            }
        }
    }
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    bundle["success"] = json!(true);
    bundle["changes"]["users"]["created"] = json!([{
        "id": USER, "clinic_id": "0197f000-0000-7000-8000-00000000c001", "name": "Dr Made Up", "role": "provider",
        "email": "dr@example.test", "hashed_password": hash,
        "created_at": "2025-10-09T08:53:20.000Z", "updated_at": "2025-10-09T08:53:20.000Z", "is_deleted": false,
    }]);
    let mut hub = TestHub::empty(Log::Everything).await.unwrap();
    hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
        .await
        .unwrap();
    hub
}

/// A value of a phone's as the cloud has it: JSON as JSON, truth as truth, the day of a date.
fn as_the_cloud_sends(column: &Column, value: &Value) -> Value {
    match (column.kind, value) {
        (Kind::EpochMs, Value::Number(time)) if column.cloud == "date" => {
            let at = jiff::Timestamp::from_millisecond(time.as_i64().unwrap()).unwrap();
            json!(at.to_string()[..10])
        }
        (Kind::Json, Value::String(text)) => serde_json::from_str(text).unwrap(),
        (Kind::Boolean, Value::Number(number)) => json!(number.as_i64() == Some(1)),
        _ => value.clone(),
    }
}

fn sample(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/samples/sync");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}
