//! A store as phones meet it: what they ask and apply goes through the same surface that `sync_pull` and `sync_push` use.
//!
//! The phone here is app 1.5, which is the stricter: it skips an update of a row that it lacks, and fails for ever on
//! `created` for a row that it has marked as deleted.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) const OTHER: &str = "clinic-2";

pub(super) struct Desk {
    pub(super) hub: Hub,
    pub(super) devices: Devices,
}

pub(super) fn desk() -> Desk {
    let hub = hub();
    let devices = Devices::load(Arc::clone(&hub.store)).unwrap();
    Desk { hub, devices }
}

#[derive(Clone)]
pub(super) struct Phone {
    pub(super) number: DeviceNumber,
    pub(super) user: &'static str,
    pub(super) clinics: &'static [&'static str],
    pub(super) cursor: f64,
    pub(super) rows: BTreeMap<(String, String), Value>,
    pub(super) marked: BTreeSet<(String, String)>,
}

/// The machine's time, and so many ms more.
struct Later(i64);

impl TimeSource for Later {
    fn millis(&self) -> i64 {
        SystemClock.millis() + self.0
    }
}

impl Desk {
    pub(super) fn phone(&self, client: u128, clinics: &'static [&'static str]) -> Phone {
        let mut phone = self.unsynced(client, clinics);
        self.pull(&mut phone);
        phone
    }

    /// A phone that has asked for nothing yet; one that was paired before keeps its number.
    pub(super) fn unsynced(&self, client: u128, clinics: &'static [&'static str]) -> Phone {
        let client = ClientId::from(Uuid::from_u128(client));
        Phone {
            number: self.devices.pair(client, None).unwrap(),
            user: "user-1",
            clinics,
            cursor: 0.0,
            rows: BTreeMap::new(),
            marked: BTreeSet::new(),
        }
    }

    pub(super) fn ask(&self, phone: &Phone) -> Value {
        let scope = Scope {
            user: phone.user.into(),
            clinics: phone.clinics.iter().map(|clinic| (*clinic).to_owned()).collect(),
        };
        let mut out = Vec::new();
        let asked = self.devices.asked(phone.number, scope, phone.cursor);
        self.devices.pull(&asked, None, &mut out, |_| None).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    /// Gives what came.
    pub(super) fn pull(&self, phone: &mut Phone) -> Value {
        let answer = self.ask(phone);
        phone.apply(&answer);
        answer["changes"].clone()
    }

    pub(super) fn push(&self, phone: &Phone, changes: Value) {
        let parameters = json!({"changes": changes, "lastPulledAt": phone.cursor}).to_string();
        let push = Push::parse(&parameters).unwrap();
        let author = Author {
            device: phone.number,
            user: Some(phone.user.into()),
        };
        self.hub
            .store
            .write(move |tx| {
                let seen = tx.seen_at_push(author.device, push.last_pulled_at())?;
                push.apply(tx, &parameters, &author, seen, &mut AllowAll, Trial::ByRow)
            })
            .unwrap();
    }

    /// Closes the store and opens it again.
    pub(super) fn restart(self) -> Self {
        self.restart_in(0)
    }

    /// Closes the store and opens it again in so many ms.
    pub(super) fn restart_in(self, ms: i64) -> Self {
        let Self { hub, devices } = self;
        drop(devices);
        let Hub { store, folder } = hub;
        drop(Arc::into_inner(store).unwrap());
        let store = Arc::new(open_with(folder.path(), 1, Box::new(Later(ms))).unwrap());
        let devices = Devices::load(Arc::clone(&store)).unwrap();
        Self {
            hub: Hub { store, folder },
            devices,
        }
    }
}

impl Phone {
    pub(super) fn apply(&mut self, answer: &Value) {
        for (table, lists) in answer["changes"].as_object().unwrap() {
            let key = |row: &Value| (table.clone(), row["id"].as_str().unwrap().to_owned());
            let rows = |list: &str| lists[list].as_array().unwrap().clone();
            for row in rows("created") {
                assert!(!self.marked.contains(&key(&row)), "{row} makes the app fail for ever");
                self.rows.insert(key(&row), row);
            }
            for row in rows("updated") {
                if let Some(known) = self.rows.get_mut(&key(&row)) {
                    *known = row;
                }
            }
            for deleted in rows("deleted").iter().filter(|deleted| deleted.is_object()) {
                self.rows.remove(&key(deleted));
                self.marked.remove(&key(deleted));
            }
        }
        self.cursor = answer["timestamp"].as_f64().unwrap();
    }

    pub(super) fn has(&self, table: &str, id: &str) -> bool {
        self.rows.contains_key(&(table.to_owned(), id.to_owned()))
    }

    pub(super) fn name_of(&self, id: &str) -> &Value {
        &self.rows[&("patients".to_owned(), id.to_owned())]["given_name"]
    }

    /// Marks a row as deleted, of which the hub never hears.
    pub(super) fn mark(&mut self, table: &str, id: &str) {
        let key = (table.to_owned(), id.to_owned());
        self.rows.remove(&key).unwrap();
        self.marked.insert(key);
    }
}

pub(super) fn of(clinic: &str, id: &str) -> Value {
    let mut row = patient(id, "Amina", T, "");
    row["primary_clinic_id"] = clinic.into();
    row
}

pub(super) fn moved(clinic: &str, id: &str, at: i64) -> Value {
    let mut row = patient(id, "Amina", T + at, "primary_clinic_id");
    row["primary_clinic_id"] = clinic.into();
    updated("patients", json!([row]))
}

pub(super) fn deleted(table: &str, id: &str) -> Value {
    json!({table: {"created": [], "updated": [], "deleted": [id]}})
}

pub(super) fn visit(id: &str, patient: &str, clinic: Option<&str>) -> Value {
    json!({"id": id, "patient_id": patient, "clinic_id": clinic, "metadata": "{}", "is_deleted": false, "updated_at": T})
}

pub(super) fn event(id: &str, patient: &str) -> Value {
    json!({"id": id, "patient_id": patient, "form_data": "[]", "metadata": "{}", "updated_at": T})
}

/// A desk, somebody who sees both clinics, and a phone of the first clinic.
pub(super) fn two_clinics() -> (Desk, Phone, Phone) {
    let desk = desk();
    let mut both = desk.phone(1, &[CLINIC, OTHER]);
    desk.push(
        &both,
        json!({
            "patients": {"created": [of(CLINIC, "p1"), of(OTHER, "p2")]},
            "events": {"created": [event("e1", "p1"), event("e2", "p2")]},
        }),
    );
    desk.pull(&mut both);
    let here = desk.phone(2, &[CLINIC]);
    assert!(here.has("events", "e1") && !here.has("patients", "p2") && !here.has("events", "e2"));
    (desk, both, here)
}
