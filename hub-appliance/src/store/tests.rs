//! The store through its own surface, on real encrypted files.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::audit::{AuditKey, Entry};
use super::cloud::{Bundle, BundleError, MalformedBundle};
use super::devices::{DeviceNumber, Devices, Scope, Standing};
use super::sync::cursors::{Cursor, Reached, Seen, Start};
use super::sync::gatekeeper::{Access, Gatekeeper};
use super::sync::generation::Generation;
use super::sync::history::Author;
use super::sync::pull::PullRequest;
use super::sync::push::Push;
use super::sync::taking::{PushSummary, Trial};
use super::*;
use crate::clock::{SystemClock, TimeSource};
use crate::ids::ClientId;

mod audit;
mod convergence;
mod damage;
mod desk;
mod files;
mod holds;
mod lost;
mod rejects;
mod rekey;
mod relay;
mod resends;
mod search;
mod sight;
mod sync;
mod upgrade;
mod withdrawn;

const A: DeviceNumber = DeviceNumber(101);
const B: DeviceNumber = DeviceNumber(102);
const CLINIC: &str = "clinic-1";

struct Hub {
    store: Arc<Store>,
    folder: tempfile::TempDir,
}

fn open_at(folder: &Path, key: u8) -> Result<Store, StoreError> {
    open_with(folder, key, Box::new(SystemClock))
}

fn open_with(folder: &Path, key: u8, source: Box<dyn TimeSource>) -> Result<Store, StoreError> {
    let clock = Arc::new(HubClock::new(source, HubTime::ZERO));
    Store::open(folder, &StoreKey::new([key; 32]), AuditKey::new([9; 32]), clock)
}

fn hub() -> Hub {
    let folder = tempfile::tempdir().unwrap();
    Hub {
        store: Arc::new(open_at(folder.path(), 1).unwrap()),
        folder,
    }
}

struct AllowAll;

impl Gatekeeper for AllowAll {
    fn permits(&mut self, _: &WriteTx<'_>, _: &Access<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }
}

/// Refuses rows of these clinics.
struct Refuse(&'static str);

impl Gatekeeper for Refuse {
    fn permits(&mut self, _: &WriteTx<'_>, access: &Access<'_>) -> Result<bool, StoreError> {
        Ok(access.clinics.iter().all(|clinic| clinic != self.0))
    }
}

impl Hub {
    fn push_as(
        &self,
        device: DeviceNumber,
        since: HubTime,
        changes: Value,
        gate: impl Gatekeeper + Send + 'static,
    ) -> PushSummary {
        self.push_seen(device, Seen::up_to(since), changes, gate)
    }

    fn push_seen(
        &self,
        device: DeviceNumber,
        seen: Seen,
        changes: Value,
        gate: impl Gatekeeper + Send + 'static,
    ) -> PushSummary {
        let parameters = json!({"changes": changes, "lastPulledAt": seen.base.millis()}).to_string();
        let author = Author {
            device,
            user: Some("user-1".into()),
        };
        let (parameters, gate) = (Arc::new(parameters), Arc::new(Mutex::new(gate)));
        let take_in = |trial| {
            let (parameters, author, gate) = (Arc::clone(&parameters), author.clone(), Arc::clone(&gate));
            let push = Push::parse(&parameters).unwrap();
            self.store
                .write(move |tx| push.apply(tx, &parameters, &author, seen, &mut *gate.lock().unwrap(), trial))
        };
        // As the procedure does.
        match take_in(Trial::Whole) {
            Err(error) if error.is_of_the_values() => take_in(Trial::ByRow),
            taken => taken,
        }
        .unwrap()
    }

    fn push(&self, device: DeviceNumber, since: HubTime, changes: Value) -> PushSummary {
        self.push_as(device, since, changes, AllowAll)
    }

    fn pull_scoped(&self, device: DeviceNumber, start: Cursor, clinics: &[&str]) -> (Value, Cursor) {
        let mut out = Vec::new();
        let request = request(device, start, clinics);
        let mut pull = || self.store.snapshot().unwrap().pull(&request, &mut out).unwrap();
        let summary = pull().or_else(|| {
            let tick = |tx: &mut WriteTx<'_>| Ok::<_, StoreError>(tx.change_time());
            self.store.write(tick).unwrap();
            pull()
        });
        let answer: Value = serde_json::from_slice(&out).unwrap();
        let next = summary.unwrap().next;
        assert_eq!(answer["timestamp"], next.at.millis());
        (answer["changes"].clone(), next)
    }

    fn pull(&self, device: DeviceNumber, since: HubTime) -> (Value, HubTime) {
        let (changes, next) = self.pull_scoped(device, cursor(since), &[CLINIC]);
        (changes, next.at)
    }

    fn history(&self, row: &str) -> Vec<(String, Value)> {
        let snapshot = self.store.snapshot().unwrap();
        let mut statement = snapshot
            .connection()
            .unwrap()
            .prepare("SELECT why, cells FROM history WHERE row_id = ?1 ORDER BY seq")
            .unwrap();
        statement
            .query_map([row], |row| {
                Ok((row.get(0)?, serde_json::from_str(&row.get::<_, String>(1)?).unwrap()))
            })
            .unwrap()
            .map(Result::unwrap)
            .collect()
    }
}

/// That of a phone that was given everything of [`CLINIC`] as of then.
fn cursor(since: HubTime) -> Cursor {
    let reached = match since {
        HubTime::ZERO => Reached::default(),
        since => Reached::of_scope(&scope(&[CLINIC]), since),
    };
    Cursor { at: since, reached }
}

fn request(device: DeviceNumber, cursor: Cursor, clinics: &[&str]) -> PullRequest {
    PullRequest {
        may_have_before: None,
        device,
        alone_since: HubTime::ZERO,
        start: Start {
            another: cursor.at == HubTime::ZERO,
            at_most: cursor.reached.clone(),
            cursor,
            lost: false,
        },
        scope: scope(clinics),
        generation: Generation::Unknown,
        given: Cursor::default(),
        at_most: usize::MAX,
    }
}

fn scope(clinics: &[&str]) -> Scope {
    Scope {
        user: "user-1".into(),
        clinics: clinics.iter().map(|clinic| (*clinic).to_owned()).collect(),
    }
}

fn patient(id: &str, name: &str, updated_at: i64, changed: &str) -> Value {
    json!({
        "id": id, "_status": "updated", "_changed": changed, "given_name": name, "surname": "S", "hometown": null,
        "additional_data": "{}", "metadata": "{}", "is_deleted": false, "primary_clinic_id": CLINIC,
        "created_at": 1_700_000_000_000_i64, "updated_at": updated_at,
    })
}

fn created(table: &str, rows: Value) -> Value {
    json!({table: {"created": rows, "updated": [], "deleted": []}})
}

fn updated(table: &str, rows: Value) -> Value {
    json!({table: {"created": [], "updated": rows, "deleted": []}})
}

fn ids(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

const T: i64 = 1_700_000_000_000;

#[test]
fn a_bundle_is_applied_twice_without_harm_and_keeps_local_edits() {
    let hub = hub();
    let bundle = |name: &str, updated: &str| {
        json!({"success": true, "timestamp": 1, "undefined": {}, "changes": {
            "patients": {"created": [{"id": "p1", "given_name": name, "date_of_birth": "1990-04-30T21:00:00.000Z",
                "additional_data": {"a": 1}, "metadata": null, "is_deleted": false, "primary_clinic_id": CLINIC,
                "created_at": "2025-01-01T00:00:00.000Z", "updated_at": updated}], "updated": [], "deleted": []},
            "patient_vitals": {"created": [
                {"id": "v1", "patient_id": "p1", "timestamp": "2025-01-01T00:00:00Z", "height_cm": "170.50", "systolic_bp": 120,
                    "created_at": "2025-01-01T00:00:00Z", "last_modified": null, "is_deleted": false, "metadata": {}},
                {"id": "v2", "patient_id": "stranger", "timestamp": "2025-01-01T00:00:00Z"}]},
            "device_pin_codes": {"created": [{"id": "x"}]},
            "users": {"created": [{"id": "u1", "name": 5}]},
        }})
        .to_string()
    };
    let apply = |json: String| {
        hub.store
            .write(move |tx| Bundle::parse(&json).unwrap().apply(tx))
            .unwrap()
    };
    let first = apply(bundle("Cloud", "2025-01-01T00:00:00.000Z"));
    assert_eq!(first.written, [("patients", 1), ("patient_vitals", 1)]);
    assert_eq!((first.foreign, first.held), (1, 1));
    let (changes, base) = hub.pull(A, HubTime::ZERO);
    let row = &changes["patients"]["created"][0];
    assert_eq!(
        (&row["date_of_birth"], &row["metadata"], &row["additional_data"]),
        (&json!("1990-05-01"), &json!("{}"), &json!("{\"a\":1}"))
    );
    assert_eq!(changes["patient_vitals"]["created"][0]["height_cm"], 170.5);
    assert_eq!(
        changes["patient_vitals"]["created"][0]["last_modified"],
        Value::Null,
        "not a column of phones"
    );

    let second = apply(bundle("Cloud", "2025-01-01T00:00:00.000Z"));
    assert_eq!(second.written, []);
    hub.push(
        A,
        base,
        updated(
            "patients",
            json!([patient("p1", "Clinic", T + 1_000_000_000_000, "given_name")]),
        ),
    );
    apply(bundle("Cloud later", "2025-06-01T00:00:00.000Z"));
    let (changes, _) = hub.pull(B, base);
    assert_eq!(changes["patients"]["updated"][0]["given_name"], "Clinic");
    assert!(
        hub.history("p1")
            .iter()
            .any(|(why, cells)| why == "lost" && cells["given_name"] == "Cloud later")
    );
}

#[test]
fn a_mistake_in_a_bundle_is_told_with_its_line() {
    let hub = hub();
    let mistake = |json: &'static str| {
        let applied = hub.store.write(move |tx| Bundle::parse(json)?.apply(tx).map(drop));
        match applied {
            Err(BundleError::Malformed(MalformedBundle { line })) => line,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(mistake("[]"), Some(1));
    assert_eq!(mistake("{\"changes\":{\n\"patients\":{}\n"), Some(3));
    assert_eq!(
        mistake("{\n\"changes\":{\n\"patients\":{\n\"created\":\"p\"}}}"),
        Some(4)
    );
    assert_eq!(mistake("{\"success\":false,\"changes\":{}}"), None);
}

#[test]
fn devices_pair_are_taken_back_and_are_revoked() {
    let hub = hub();
    let devices = Devices::load(Arc::clone(&hub.store)).unwrap();
    let client = |number: u128| ClientId::from(Uuid::from_u128(number));
    let first = devices.pair(client(1), Some("Tablet".into())).unwrap();
    let second = devices.pair(client(2), None).unwrap();
    assert_eq!(devices.pair(client(1), None).unwrap(), first);
    devices.unpair(second).unwrap();
    assert_eq!(devices.standing(client(2)), Standing::Unknown);
    let third = devices.pair(client(2), None).unwrap();
    assert!(third > second, "numbers are not used again: rows carry them");
    devices.revoke(first).unwrap();
    let again = Devices::load(Arc::clone(&hub.store)).unwrap();
    assert_eq!(again.standing(client(1)), Standing::Revoked);
    assert_eq!(again.standing(client(2)), Standing::Active(third));
    assert_eq!(again.standing(client(3)), Standing::Unknown);
    for number in 10.. {
        match again.pair(client(number), None) {
            Ok(_) => assert!(number < 300),
            Err(error) => {
                assert!(matches!(error, devices::PairError::Full));
                break;
            }
        }
    }
    let in_use = |devices: &Devices| devices.list().iter().filter(|device| !device.revoked).count();
    assert_eq!(
        in_use(&again),
        devices::MAX_DEVICES,
        "the one that is revoked does not count"
    );

    // However many are revoked, those heard of last are remembered, and a new one finds a place.
    for number in 1000..1300 {
        let newest = again.list().last().unwrap().number;
        again.revoke(newest).unwrap();
        again.pair(client(number), None).unwrap();
    }
    let remembered = Devices::load(Arc::clone(&hub.store)).unwrap();
    for devices in [&again, &remembered] {
        assert_eq!(in_use(devices), devices::MAX_DEVICES);
        assert_eq!(devices.list().len() - in_use(devices), devices::MAX_REVOKED as usize);
        assert_eq!(
            devices.standing(client(1)),
            Standing::Unknown,
            "the one not heard of for longest"
        );
        assert_eq!(devices.standing(client(1298)), Standing::Revoked);
    }
}

#[test]
fn a_device_keeps_its_newest_tokens() {
    let hub = hub();
    let devices = Devices::load(Arc::clone(&hub.store)).unwrap();
    let [first, second] = [1, 2].map(|number| devices.pair(ClientId::from(Uuid::from_u128(number)), None).unwrap());
    let tokens = tokens::Tokens::load(Arc::clone(&hub.store)).unwrap();
    let issue = |number: u32, device| {
        let at = HubTime::from_millis(1_000 + i64::from(number / 2));
        let record = tokens::TokenRecord {
            jti: format!("{device:?} {number}"),
            user: "nurse".into(),
            device,
            password_digest: [0; 32],
            issued_at: at,
            expires_at: HubTime::from_millis(i64::MAX),
            used_at: crate::clock::RunTime::from_millis(0),
        };
        let stored = record.clone();
        let ended = hub.store.write(move |tx| tx.insert_token(&stored)).unwrap();
        tokens.issued(record, &ended);
    };
    issue(0, second);
    (0..30).for_each(|number| issue(number, first));
    let again = tokens::Tokens::load(Arc::clone(&hub.store)).unwrap();
    for tokens in [&tokens, &again] {
        for number in 0..30 {
            let is_known = tokens.find(&format!("{first:?} {number}")).is_some();
            assert_eq!(is_known, number >= 30 - tokens::MAX_TOKENS, "{number}");
        }
        assert!(tokens.find(&format!("{second:?} 0")).is_some());
    }
}

#[test]
fn work_that_fails_or_panics_leaves_nothing_and_others_go_on() {
    let hub = hub();
    let insert = |tx: &mut WriteTx<'_>| {
        tx.audit(&Entry {
            action: "half",
            outcome: "ok",
            ..Entry::default()
        })
    };
    let failed = hub.store.write(move |tx| {
        insert(tx)?;
        Err::<(), _>(StoreError::Defect)
    });
    assert!(matches!(failed, Err(StoreError::Defect)));
    let panicked = hub.store.write(move |tx| -> Result<(), StoreError> {
        insert(tx)?;
        panic!("a defect")
    });
    assert!(matches!(panicked, Err(StoreError::Closed)));
    hub.store.write(move |tx| insert(tx)).unwrap();
    let checked = hub.store.check_audit().unwrap();
    assert_eq!((checked.entries, checked.broken), (1, None));
}

#[test]
fn rows_of_many_writers_are_all_seen_by_readers_that_pull_all_the_while() {
    let hub = Arc::new(hub());
    let writers: Vec<_> = (0..4_i64)
        .map(|writer| {
            let hub = Arc::clone(&hub);
            std::thread::spawn(move || {
                for number in 0..50 {
                    let row = patient(&format!("w{writer}-{number}"), "X", T, "");
                    hub.push(
                        DeviceNumber(200 + writer),
                        HubTime::ZERO,
                        created("patients", json!([row])),
                    );
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    let mut since = HubTime::ZERO;
    while seen.len() < 200 {
        let done = writers.iter().all(std::thread::JoinHandle::is_finished);
        let (changes, next) = hub.pull(B, since);
        seen.extend(ids(&changes["patients"]["created"]).into_iter().map(str::to_owned));
        since = next;
        if done && seen.len() < 200 {
            let (changes, _) = hub.pull(B, since);
            seen.extend(ids(&changes["patients"]["created"]).into_iter().map(str::to_owned));
            break;
        }
    }
    seen.sort_unstable();
    let count = seen.len();
    seen.dedup();
    assert_eq!((count, seen.len()), (200, 200), "each row exactly once");
}
