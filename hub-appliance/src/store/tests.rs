//! The store through its own surface, on real encrypted files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::audit::{self, AuditKey, Entry};
use super::cloud::Bundle;
use super::devices::{Cursor, Cursors, DeviceNumber, Devices, Scope, Seen, Standing};
use super::history::Author;
use super::pull::PullRequest;
use super::push::{Access, Gatekeeper, Push, PushSummary};
use super::*;
use crate::clock::{SystemClock, TimeSource};
use crate::ids::ClientId;

mod convergence;

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
        mut gate: impl Gatekeeper + Send + 'static,
    ) -> PushSummary {
        let parameters = json!({"changes": changes, "lastPulledAt": seen.base.millis()}).to_string();
        let push = Push::parse(&parameters).unwrap();
        let author = Author {
            device,
            user: Some("user-1".into()),
        };
        self.store
            .write(move |tx| push.apply(tx, &parameters, &author, seen, &mut gate))
            .unwrap()
    }

    fn push(&self, device: DeviceNumber, since: HubTime, changes: Value) -> PushSummary {
        self.push_as(device, since, changes, AllowAll)
    }

    fn pull_scoped(&self, device: DeviceNumber, start: Cursor, clinics: &[&str]) -> (Value, Cursor) {
        let scope = scope(clinics);
        let mut out = Vec::new();
        let request = PullRequest {
            device,
            start,
            scope: scope.clone(),
        };
        let summary = self.store.snapshot().unwrap().pull(&request, &mut out).unwrap();
        let answer: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(answer["timestamp"], summary.timestamp.millis());
        (
            answer["changes"].clone(),
            Cursor {
                at: summary.timestamp,
                scope,
            },
        )
    }

    fn pull(&self, device: DeviceNumber, since: HubTime) -> (Value, HubTime) {
        let start = Cursor {
            at: since,
            scope: if since == HubTime::ZERO {
                Scope::default()
            } else {
                scope(&[CLINIC])
            },
        };
        let (changes, next) = self.pull_scoped(device, start, &[CLINIC]);
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
fn rows_travel_whole_and_do_not_come_back_to_their_author() {
    let hub = hub();
    let (_, start) = hub.pull(A, HubTime::ZERO);
    hub.push(A, start, created("patients", json!([patient("p1", "Amina", T, "")])));
    let (for_a, _) = hub.pull(A, start);
    assert_eq!(ids(&for_a["patients"]["created"]), Vec::<&str>::new());
    let (for_b, _) = hub.pull(B, start);
    let row = &for_b["patients"]["created"][0];
    let columns = schema::TableId::named("patients")
        .unwrap()
        .table()
        .columns
        .iter()
        .filter(|column| column.on_phone);
    let mut names: Vec<_> = columns.map(|column| column.name).collect();
    names.sort_unstable();
    let mut sent: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
    sent.sort_unstable();
    assert_eq!(sent, names);
    assert_eq!(
        (&row["given_name"], &row["is_deleted"], &row["hometown"]),
        (&json!("Amina"), &json!(0), &Value::Null)
    );
    let (again, _) = hub.pull(A, HubTime::ZERO);
    assert_eq!(
        ids(&again["patients"]["created"]),
        ["p1"],
        "a phone that starts over gets its own rows too"
    );
}

#[test]
fn only_the_tables_of_phones_are_in_an_answer() {
    let hub = hub();
    let (changes, _) = hub.pull(A, HubTime::ZERO);
    let tables: Vec<_> = changes.as_object().unwrap().keys().cloned().collect();
    assert_eq!(tables.len(), 18);
    assert!(!tables.contains(&"users".to_owned()));
}

#[test]
fn edits_of_different_columns_are_merged_and_both_phones_end_alike() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Old", T, "")])),
    );
    let (_, base) = hub.pull(B, HubTime::ZERO);
    let mut theirs = patient("p1", "Old", T + 20, "surname,updated_at");
    theirs["surname"] = "Theirs".into();
    hub.push(B, base, updated("patients", json!([theirs])));
    hub.push(
        A,
        base,
        updated(
            "patients",
            json!([patient("p1", "Mine", T + 10, "given_name,updated_at")]),
        ),
    );
    for device in [A, B] {
        let (changes, _) = hub.pull(device, base);
        let row = &changes["patients"]["updated"][0];
        assert_eq!(
            (&row["given_name"], &row["surname"]),
            (&json!("Mine"), &json!("Theirs")),
            "{device:?}"
        );
        assert_eq!(row["updated_at"], T + 20);
    }
}

#[test]
fn a_value_that_loses_is_in_the_history_and_its_author_gets_the_winner() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Old", T, "")])),
    );
    let (_, base) = hub.pull(A, HubTime::ZERO);
    hub.push(
        B,
        base,
        updated("patients", json!([patient("p1", "Later", T + 50, "given_name")])),
    );
    hub.push(
        A,
        base,
        updated("patients", json!([patient("p1", "Earlier", T + 40, "given_name")])),
    );
    let (changes, _) = hub.pull(A, base);
    assert_eq!(changes["patients"]["updated"][0]["given_name"], "Later");
    let history = hub.history("p1");
    assert!(
        history.contains(&("lost".into(), json!({"given_name": "Earlier"}))),
        "{history:?}"
    );
    assert!(
        history.iter().any(|(_, cells)| cells["given_name"] == "Old"),
        "{history:?}"
    );
}

#[test]
fn a_lost_edit_of_a_row_that_its_author_wrote_last_is_told_to_it() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Old", T, "")])),
    );
    let (_, base) = hub.pull(A, HubTime::ZERO);
    hub.push(
        B,
        base,
        updated("patients", json!([patient("p1", "Same", T + 50, "given_name")])),
    );
    // A comes to the very same row, so it is the row's last author.
    hub.push(
        A,
        base,
        updated("patients", json!([patient("p1", "Same", T + 50, "given_name")])),
    );
    hub.push(
        A,
        base,
        updated("patients", json!([patient("p1", "Stale", T + 30, "given_name")])),
    );
    let (changes, _) = hub.pull(A, base);
    assert_eq!(changes["patients"]["updated"][0]["given_name"], "Same");
}

#[test]
fn a_delete_beats_edits_takes_what_hangs_on_it_and_never_comes_back() {
    let hub = hub();
    let event = json!({"id": "e1", "patient_id": "p1", "visit_id": "v1", "form_data": "[]", "metadata": "{}"});
    let visit = json!({"id": "v1", "patient_id": "p1", "clinic_id": CLINIC, "metadata": "{}"});
    hub.push(
        A,
        HubTime::ZERO,
        json!({
            "events": {"created": [event], "updated": [], "deleted": []},
            "visits": {"created": [visit], "updated": [], "deleted": []},
            "patients": {"created": [patient("p1", "Amina", T, "")], "updated": [], "deleted": []},
        }),
    );
    let (_, base) = hub.pull(B, HubTime::ZERO);
    let mut flagged = patient("p1", "Amina", T + 1, "is_deleted,updated_at");
    flagged["is_deleted"] = true.into();
    hub.push(B, base, updated("patients", json!([flagged])));

    hub.push(
        A,
        base,
        updated("patients", json!([patient("p1", "Edited", T + 90, "given_name")])),
    );
    let (changes, after) = hub.pull(A, base);
    for (table, id) in [("patients", "p1"), ("visits", "v1"), ("events", "e1")] {
        assert_eq!(changes[table]["deleted"], json!([{"id": id}]), "{table}");
        assert_eq!(ids(&changes[table]["updated"]), Vec::<&str>::new());
    }
    assert!(
        hub.history("p1")
            .iter()
            .any(|(why, cells)| why == "lost" && cells["given_name"] == "Edited")
    );

    // Created anew under the same id: still deleted, and the phone is told once more.
    hub.push(
        A,
        after,
        created("patients", json!([patient("p1", "Again", T + 99, "")])),
    );
    let (changes, _) = hub.pull(A, after);
    assert_eq!(changes["patients"]["deleted"], json!([{"id": "p1"}]));
    let (fresh, _) = hub.pull(DeviceNumber(103), HubTime::ZERO);
    assert_eq!(ids(&fresh["patients"]["created"]), Vec::<&str>::new());
}

#[test]
fn deletes_come_as_ids_as_rows_and_as_flags_and_win_within_a_push() {
    let hub = hub();
    let rows: Vec<_> = ["p1", "p2", "p3", "p4"]
        .iter()
        .map(|id| patient(id, "X", T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    let mut flagged = patient("p3", "X", T, "");
    flagged["is_deleted"] = json!(1);
    let summary = hub.push(
        A,
        HubTime::ZERO,
        json!({"patients": {
            "created": [flagged],
            "updated": [patient("p2", "Edited", T + 5, "given_name"), patient("p4", "First", T, "given_name"), patient("p4", "Last", T, "given_name")],
            "deleted": ["p1", patient("p2", "X", T, ""), "unknown"],
        }}),
    );
    assert_eq!(
        summary,
        PushSummary {
            written: 4,
            unchanged: 1,
            held: 0,
            skipped: 0
        }
    );
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    assert_eq!(ids(&changes["patients"]["created"]), ["p4"]);
    assert_eq!(changes["patients"]["created"][0]["given_name"], "Last");
}

#[test]
fn a_bad_row_is_held_whole_and_the_good_ones_land() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, base) = hub.pull(A, HubTime::ZERO);
    let mut misfit = patient("p1", "Edited", T + 5, "given_name");
    misfit["is_deleted"] = "maybe".into();
    misfit["extra"] = "kept".into();
    let mut foreign = patient("p3", "Other", T, "");
    foreign["primary_clinic_id"] = "clinic-2".into();
    let mut incomplete = patient("p4", "Half", T, "");
    incomplete.as_object_mut().unwrap().remove("metadata");
    let changes = json!({
        "patients": {
            "created": [patient("p2", "Good", T, ""), foreign, incomplete, {"given_name": "No id"}, "p9", 7],
            "updated": [misfit.clone()], "deleted": [],
        },
        "clinic_inventory": {"created": [], "updated": [{"id": "s"}], "deleted": []},
        "nonsense": {"created": [{"id": "n"}], "updated": [], "deleted": []},
    });
    let summary = hub.push_as(A, base, changes.clone(), Refuse("clinic-2"));
    assert_eq!(
        summary,
        PushSummary {
            written: 1,
            unchanged: 0,
            held: 6,
            skipped: 2
        }
    );
    let snapshot = hub.store.snapshot().unwrap();
    let held = snapshot.held_rows().unwrap();
    let mut reasons: Vec<_> = held.iter().map(|row| row.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "missing: metadata",
            "no id",
            "not a row",
            "not a row",
            "not permitted",
            "wrong type: is_deleted"
        ]
    );
    let whole: String = snapshot
        .connection()
        .unwrap()
        .query_row("SELECT row FROM held_rows WHERE row_id = 'p1'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), misfit);
    drop(snapshot);

    let (changes_for_a, _) = hub.pull(A, base);
    assert_eq!(
        changes_for_a["patients"]["updated"][0]["given_name"], "Amina",
        "its author gets the hub's version"
    );
    let again = hub.push_as(A, base, changes, Refuse("clinic-2"));
    assert_eq!(again.held, 6);
    assert_eq!(
        hub.store.held_count().unwrap(),
        6,
        "a repeated push holds nothing twice"
    );
}

#[test]
fn bodies_of_another_shape_are_refused() {
    for body in [
        "{}",
        "[]",
        r#"{"changes":[]}"#,
        r#"{"changes":{"patients":[]}}"#,
        r#"{"changes":{"patients":{"created":{}}}}"#,
    ] {
        assert!(Push::parse(body).is_err(), "{body}");
    }
    for (body, at) in [
        (r#"{"changes":{},"lastPulledAt":"12"}"#, 12.0),
        (r#"{"changes":{"patients":null},"last_pulled_at":7.5}"#, 7.5),
        (r#"{"changes":{"patients":{"created":null}},"lastPulledAt":null}"#, 0.0),
        (r#"{"changes":{},"lastPulledAt":{}}"#, 0.0),
    ] {
        assert!(
            (Push::parse(body).unwrap().last_pulled_at() - at).abs() < f64::EPSILON,
            "{body}"
        );
    }
}

#[test]
fn dispensing_takes_from_the_stock_once_and_never_below_zero() {
    let hub = hub();
    let bundle = r#"{"changes":{"clinic_inventory":{"created":[{"id":"s1","clinic_id":"clinic-1","drug_id":"d1",
        "batch_id":"b1","quantity_available":10,"metadata":{},"is_deleted":false,"created_at":"2025-01-01T00:00:00Z"}]}}}"#;
    hub.store
        .write(move |tx| Bundle::parse(bundle).unwrap().apply(tx))
        .unwrap();
    let record = |id: &str, quantity: i64| {
        json!({"id": id, "clinic_id": CLINIC, "drug_id": "d1", "batch_id": "b1", "patient_id": "p1",
            "quantity_dispensed": quantity, "dispensed_by": "u", "dispensed_at": T, "metadata": "{}", "is_deleted": false,
            "last_modified": 0, "created_at": T, "updated_at": T})
    };
    let available = || {
        let (changes, _) = hub.pull(B, HubTime::ZERO);
        changes["clinic_inventory"]["created"][0]["quantity_available"]
            .as_i64()
            .unwrap()
    };
    let (_, base) = hub.pull(A, HubTime::ZERO);
    hub.push(A, base, created("dispensing_records", json!([record("r1", 4)])));
    assert_eq!(available(), 6);
    let (changes, _) = hub.pull(A, base);
    assert_eq!(
        changes["clinic_inventory"]["updated"][0]["quantity_available"], 6,
        "the author gets the hub's sum too"
    );
    hub.push(A, base, created("dispensing_records", json!([record("r1", 4)])));
    hub.push(B, base, updated("dispensing_records", json!([record("r1", 4)])));
    assert_eq!(available(), 6);
    hub.push(B, base, created("dispensing_records", json!([record("r2", 9)])));
    assert_eq!(available(), 0);
}

#[test]
fn an_idle_pull_gives_nothing_and_the_same_point() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, base) = hub.pull(B, HubTime::ZERO);
    let (changes, next) = hub.pull(B, base);
    assert_eq!(next, base);
    assert!(
        changes
            .as_object()
            .unwrap()
            .values()
            .all(|lists| *lists == json!({"created": [], "updated": [], "deleted": []}))
    );
    // The same push again changes nothing, so it moves no clock.
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    assert_eq!(hub.pull(B, base).1, base);
}

#[test]
fn a_row_committed_between_snapshot_and_answer_is_in_the_next_pull() {
    let hub = hub();
    let start = hub.pull(B, HubTime::ZERO).1;
    let snapshot = hub.store.snapshot().unwrap();
    hub.push(A, start, created("patients", json!([patient("p1", "Amina", T, "")])));
    let request = PullRequest {
        device: B,
        start: Cursor {
            at: start,
            scope: scope(&[CLINIC]),
        },
        scope: scope(&[CLINIC]),
    };
    let mut out = Vec::new();
    let summary = snapshot.pull(&request, &mut out).unwrap();
    drop(snapshot);
    assert!(summary.rows.is_empty());
    let (changes, _) = hub.pull(B, summary.timestamp);
    assert_eq!(ids(&changes["patients"]["created"]), ["p1"]);
}

#[test]
fn phones_get_only_the_clinics_in_sight_and_what_comes_into_sight_once() {
    let hub = hub();
    let mut other = patient("p2", "Elsewhere", T, "");
    other["primary_clinic_id"] = "clinic-2".into();
    let nowhere = json!({"id": "e2", "patient_id": "p2", "form_data": "[]", "metadata": "{}"});
    hub.push(
        A,
        HubTime::ZERO,
        json!({
            "patients": {"created": [patient("p1", "Here", T, ""), other.clone()], "updated": [], "deleted": []},
            "events": {"created": [nowhere], "updated": [], "deleted": []},
        }),
    );
    let (changes, here) = hub.pull_scoped(B, Cursor::default(), &[CLINIC]);
    assert_eq!(ids(&changes["patients"]["created"]), ["p1"]);
    assert_eq!(ids(&changes["events"]["created"]), Vec::<&str>::new());

    // A right is granted: the rows of the other clinic come, those that the phone has do not come again.
    let (changes, both) = hub.pull_scoped(B, here.clone(), &[CLINIC, "clinic-2"]);
    assert_eq!(ids(&changes["patients"]["created"]), ["p2"]);
    assert_eq!(ids(&changes["events"]["created"]), ["e2"]);
    let (changes, _) = hub.pull_scoped(B, both, &[CLINIC, "clinic-2"]);
    assert_eq!(ids(&changes["patients"]["created"]), Vec::<&str>::new());

    // A patient moves into sight, with what hangs on it: as created, or the phone would skip it.
    other["primary_clinic_id"] = CLINIC.into();
    other["_changed"] = "primary_clinic_id".into();
    hub.push(A, here.at, updated("patients", json!([other])));
    let (changes, _) = hub.pull_scoped(B, here, &[CLINIC]);
    assert_eq!(ids(&changes["patients"]["created"]), ["p2"]);
    assert_eq!(ids(&changes["events"]["created"]), ["e2"]);
}

#[test]
fn a_phone_asks_from_where_the_hub_knows_it_to_be() {
    let at = |millis| HubTime::from_millis(millis);
    let cursors = Cursors {
        given: Cursor {
            at: at(500),
            scope: scope(&["a", "b"]),
        },
        before: Cursor {
            at: at(300),
            scope: scope(&["a"]),
        },
    };
    for (asked, start, clinics) in [
        (500.0, 500, &["a", "b"][..]),
        (9e15, 300, &["a"]),
        (f64::INFINITY, 300, &["a"]),
        (300.7, 300, &["a"]),
        (400.0, 300, &["a"]),
        (200.0, 200, &["a"]),
        (f64::NAN, 0, &[]),
        (-5.0, 0, &[]),
    ] {
        let cursor = cursors.start(asked);
        assert_eq!(cursor.at, at(start), "{asked}");
        assert_eq!(cursor.scope.clinics, scope(clinics).clinics, "{asked}");
    }
    let heard = cursors.clone().heard(&cursors.start(500.0));
    assert_eq!(heard.start(9e15).at, at(500));
    assert_eq!(cursors.clone().heard(&cursors.start(300.0)), cursors);
}

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
    assert!(Bundle::parse("{\"success\":false,\"changes\":{}}").is_err());
    assert!(Bundle::parse("[]").is_err());
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
    assert_eq!(again.list().len(), devices::MAX_DEVICES);
}

#[test]
fn a_changed_or_missing_audit_entry_shows() {
    let hub = hub();
    let key = AuditKey::new([9; 32]);
    for _ in 0..5 {
        hub.store
            .write(|tx| {
                tx.audit(&Entry {
                    action: "test",
                    outcome: "ok",
                    ..Entry::default()
                })
            })
            .unwrap();
    }
    let tamper = |sql: &'static str| {
        hub.store
            .write(move |tx| {
                tx.connection().execute_batch(sql)?;
                audit::verify(tx.connection(), &AuditKey::new([9; 32]), HubTime::ZERO)?;
                Ok::<_, StoreError>(())
            })
            .unwrap_err()
    };
    assert_eq!(
        audit::verify(hub.store.snapshot().unwrap().connection().unwrap(), &key, HubTime::ZERO).unwrap(),
        5
    );
    for sql in [
        "UPDATE audit SET outcome = 'no' WHERE seq = 3",
        "UPDATE audit SET at = at + 1 WHERE seq = 3",
        "UPDATE audit SET user_id = '' WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 3",
        "DELETE FROM audit WHERE seq = 1",
    ] {
        assert!(matches!(tamper(sql), StoreError::AuditBroken { entry: 1..=4 }), "{sql}");
    }
    let other = AuditKey::new([8; 32]);
    assert!(
        audit::verify(
            hub.store.snapshot().unwrap().connection().unwrap(),
            &other,
            HubTime::ZERO
        )
        .is_err()
    );
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
    let snapshot = hub.store.snapshot().unwrap();
    let checked = audit::verify(snapshot.connection().unwrap(), &AuditKey::new([9; 32]), HubTime::ZERO);
    assert_eq!(checked.unwrap(), 1);
}

#[test]
fn a_message_is_taken_once_even_over_a_restart_and_forgotten_in_the_end() {
    struct Later(i64);
    impl TimeSource for Later {
        fn millis(&self) -> i64 {
            self.0
        }
    }
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let folder = tempfile::tempdir().unwrap();
    let admit = |day: i64, id: &'static [u8]| {
        let store = open_with(folder.path(), 1, Box::new(Later(T + day * DAY))).unwrap();
        let admitted = store.write(move |tx| tx.admit_message(id)).unwrap();
        assert!(store.close(Duration::from_secs(5)));
        admitted
    };
    assert!(admit(0, b"one"));
    assert!(!admit(0, b"one"));
    assert!(!admit(30, b"one"));
    assert!(admit(30, b"two"));
    assert!(admit(40, b"one"));
}

#[test]
fn another_key_opens_nothing_and_another_process_is_kept_out() {
    let hub = hub();
    assert!(hub.store.close(Duration::from_secs(5)));
    assert!(matches!(hub.store.snapshot().map(|_| ()), Err(StoreError::Closed)));
    assert!(matches!(
        hub.store.write(|_| Ok::<_, StoreError>(())),
        Err(StoreError::Closed)
    ));
    assert!(matches!(open_at(hub.folder.path(), 2), Err(StoreError::WrongKey)));
    let lock = StoreLock::take(hub.folder.path()).unwrap();
    assert!(matches!(StoreLock::take(hub.folder.path()), Err(StoreError::InUse)));
    drop(lock);
    StoreLock::take(hub.folder.path()).unwrap();
}

#[test]
fn nothing_is_on_the_disk_in_the_clear() {
    let hub = hub();
    let rows: Vec<_> = (0..300)
        .map(|number| patient(&format!("p{number}"), "Wilhelmina-Zebra", T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    hub.push(
        B,
        HubTime::ZERO,
        updated("patients", json!([{"id": "p1", "given_name": ["Wilhelmina-Zebra"]}])),
    );
    for entry in fs::read_dir(hub.folder.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        for secret in [&b"Wilhelmina"[..], &b"CREATE TABLE"[..], &b"SQLite format"[..]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

#[test]
fn time_never_goes_back_over_a_restart() {
    struct Fixed(i64);
    impl TimeSource for Fixed {
        fn millis(&self) -> i64 {
            self.0
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let late = Arc::new(open_with(folder.path(), 1, Box::new(Fixed(2_000_000_000_000))).unwrap());
    let hub = Hub { store: late, folder };
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, before) = hub.pull(B, HubTime::ZERO);
    assert!(hub.store.close(Duration::from_secs(5)));
    let early = Arc::new(open_with(hub.folder.path(), 1, Box::new(Fixed(1_000_000_000_000))).unwrap());
    let hub = Hub {
        store: early,
        folder: hub.folder,
    };
    hub.push(A, before, created("patients", json!([patient("p2", "Bilal", T, "")])));
    let (changes, after) = hub.pull(B, before);
    assert!(after > before);
    assert_eq!(ids(&changes["patients"]["created"]), ["p2"]);
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
