//! What the hub makes of edits that meet: who wins a column or a key, what becomes of stock and attributes, and what a
//! bundle that is imported again may not undo. Pushes are written out as apps send them, with bases of the test's choice.

#[path = "../support/opened.rs"]
mod opened;

mod attributes;
mod bundles;
mod edits;
mod stock;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::Arc;

use hub_appliance::clock::HubTime;
use hub_appliance::store::Store;
use hub_appliance::store::schema::TableId;
use hub_appliance::store::sync::history::Why;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use serde_json::{Map, Value, json};

const USER: &str = "admin@clinic.example";
const MINUTE: i64 = 60_000;

/// A hub with a small clinic, and phones of one user.
struct Desk {
    hub: TestHub,
    phones: Vec<Phone>,
    /// One more, which only looks on.
    watcher: Phone,
    clinic: Clinic,
    /// The user's clinic.
    site: String,
    /// When the test began, ms: edits are timed from here.
    now: i64,
}

impl Desk {
    async fn new(phones: usize) -> Self {
        let clinic = Clinic::generate(7, size());
        let hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
        let user = clinic.user(USER).unwrap();
        let mut watcher = hub.phone(user).await.unwrap();
        let mut of_user = Vec::new();
        for _ in 0..phones {
            of_user.push(hub.phone(user).await.unwrap());
        }
        Self {
            site: watcher.user.as_ref().unwrap().clinic_id.clone(),
            now: watcher.clock.now(),
            hub,
            phones: of_user,
            watcher,
            clinic,
        }
    }

    /// The answer to a phone's pull from `since`: its changes and its timestamp.
    async fn pull(&mut self, phone: usize, since: i64) -> (Value, i64) {
        pull(&mut self.phones[phone], since).await
    }

    async fn push(&mut self, phone: usize, base: i64, changes: Value) {
        let client = &mut self.phones[phone].client;
        client.handshake().await.unwrap();
        let push = json!({"changes": changes, "lastPulledAt": base});
        client.command::<Value>("sync_push", push).await.unwrap();
    }

    /// Pushes one row of a table as edited.
    async fn edit(&mut self, phone: usize, base: i64, table: &str, row: Value) {
        self.push(phone, base, json!({table: lists(json!([]), json!([row]), json!([]))}))
            .await;
    }

    /// Pushes one row of a table as made.
    async fn create(&mut self, phone: usize, base: i64, table: &str, row: Value) {
        self.push(phone, base, json!({table: lists(json!([row]), json!([]), json!([]))}))
            .await;
    }

    /// A row as a phone that starts over gets it; null where there is none.
    async fn row(&mut self, table: &str, id: &str) -> Value {
        let rows = self.rows(table).await;
        rows.into_iter().find(|row| row["id"] == id).unwrap_or(Value::Null)
    }

    /// The rows of a table as a phone that starts over gets them.
    async fn rows(&mut self, table: &str) -> Vec<Value> {
        let (changes, _) = pull(&mut self.watcher, 0).await;
        changes[table]["created"].as_array().unwrap().clone()
    }

    /// A patient that no test uses otherwise, as it is on the hub.
    async fn patient(&mut self) -> (String, i64) {
        let (changes, base) = self.pull(0, 0).await;
        for phone in 1..self.phones.len() {
            self.pull(phone, 0).await;
        }
        let patients = changes["patients"]["created"].as_array().unwrap();
        let mine = patients
            .iter()
            .find(|row| row["primary_clinic_id"] == self.site.as_str());
        (mine.unwrap()["id"].as_str().unwrap().to_owned(), base)
    }

    /// Ends the hub and opens its store.
    async fn end(&mut self) -> Arc<Store> {
        self.hub.hub.terminate().await.unwrap();
        opened::open(&self.hub.data(), HubTime::ZERO)
    }
}

/// The answer to a pull from `since`: its changes and its timestamp.
async fn pull(phone: &mut Phone, since: i64) -> (Value, i64) {
    phone.client.handshake().await.unwrap();
    let parameters = json!({"lastPulledAt": since});
    let answer: Value = phone.client.query("sync_pull", parameters).await.unwrap();
    let timestamp = answer["timestamp"].as_i64().unwrap();
    (answer["changes"].clone(), timestamp)
}

/// What a row's history says: why, by which device, and the values.
fn history(store: &Arc<Store>, table: &str, id: &str) -> Vec<(Why, i64, Map<String, Value>)> {
    let table = TableId::named(table).unwrap();
    let history = store.read(|snapshot| snapshot.history(table, id)).unwrap();
    let entries = history.into_iter().map(|entry| {
        let cells = entry.cells.into_iter();
        let named = cells.map(|(index, cell)| (table.table().columns[index].name.to_owned(), cell.to_json()));
        (entry.why, entry.author.device.0, named.collect())
    });
    entries.collect()
}

const fn size() -> ClinicSize {
    ClinicSize::about_rows(200)
}

/// Imports a bundle of these changes.
async fn bundle(desk: &mut Desk, changes: &Value, timestamp: i64) {
    let bundle = json!({"success": true, "changes": changes, "timestamp": timestamp});
    let write = |mut file: BufWriter<File>| file.write_all(bundle.to_string().as_bytes());
    desk.hub.take_in(write).await.unwrap();
}

/// The ids in an answer's list of deletes, once each, in either of their forms.
fn deleted(changes: &Value, table: &str) -> Vec<String> {
    let entries = changes[table]["deleted"].as_array().unwrap();
    let ids = entries
        .iter()
        .filter_map(|entry| entry.as_str().or(entry["id"].as_str()));
    let mut ids: Vec<_> = ids.map(str::to_owned).collect();
    ids.dedup();
    ids
}

fn lists(created: Value, updated: Value, deleted: Value) -> Value {
    json!({"created": created, "updated": updated, "deleted": deleted})
}
