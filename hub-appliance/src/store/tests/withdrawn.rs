//! A clinic that the cloud has taken away: its records go when a person allows it, and nothing of them is left.

use super::*;
use crate::store::relay::{Pulled, Waiting};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

const OTHER: &str = "clinic-2";
/// In every text of the records that have to go.
const SECRET: &str = "Zanzibar";
const EARLY: &str = "2025-01-01T00:00:00.000Z";

fn answer(hub: &Hub, clinics: &[&str], changes: &Value) {
    let mut spool = hub.store.spool();
    for (name, rows) in changes.as_object().unwrap() {
        let table = TableId::named(name).unwrap();
        spool.has_table(table);
        for row in rows.as_array().unwrap() {
            spool.push(table, List::Updated, &row.to_string()).unwrap();
        }
    }
    let pulled = Pulled {
        timestamp: T + 1_000_000_000,
        is_whole: false,
        clinics: clinics.iter().map(|clinic| (*clinic).to_owned()).collect(),
    };
    hub.store.apply_answer(&spool, pulled).unwrap();
}

fn of(id: &str, values: Value) -> Value {
    let mut row = json!({"id": id, "metadata": {}, "is_deleted": false, "created_at": EARLY, "updated_at": EARLY,
        "last_modified": EARLY});
    row.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
    row
}

fn person(id: &str, name: &str, clinic: &str, updated_at: &str) -> Value {
    of(
        id,
        json!({"given_name": name, "surname": name, "primary_clinic_id": clinic, "updated_at": updated_at,
        "additional_data": {"note": name}, "camp": name}),
    )
}

/// A patient of the clinic that stays, one of the other, and one of the other who also comes to the first.
fn records() -> Value {
    let visit = |id: &str, patient: &str, clinic: &str, name: &str| {
        of(
            id,
            json!({"patient_id": patient, "clinic_id": clinic, "provider_name": name}),
        )
    };
    let event = |id: &str, patient: &str, visit: &str, name: &str| {
        of(
            id,
            json!({"patient_id": patient, "visit_id": visit, "event_type": name, "form_data": [{"value": name}]}),
        )
    };
    json!({
        "clinics": [of(CLINIC, json!({"name": "One"})), of(OTHER, json!({"name": "Two"}))],
        "users": [
            of("u1", json!({"name": SECRET, "email": SECRET, "role": "nurse", "hashed_password": SECRET, "clinic_id": OTHER})),
            of("u2", json!({"name": "Works", "email": "w@x.example", "role": "nurse", "hashed_password": "h", "clinic_id": OTHER})),
        ],
        "user_clinic_permissions": [
            of("r1", json!({"user_id": "u1", "clinic_id": OTHER})),
            of("r2", json!({"user_id": "u2", "clinic_id": CLINIC})),
        ],
        "clinic_inventory": [of("s1", json!({"clinic_id": OTHER, "drug_id": "d", "batch_number": SECRET, "batch_id": "b",
            "quantity_available": 5}))],
        "patients": [
            person("p1", "Amina", CLINIC, EARLY),
            person("p2", SECRET, OTHER, EARLY),
            person("p3", "Babak", OTHER, EARLY),
        ],
        "patient_additional_attributes": [of("a2", json!({"patient_id": "p2", "attribute_id": "a", "attribute": "village",
            "string_value": SECRET}))],
        "visits": [
            visit("v1", "p1", CLINIC, "N"),
            visit("v2", "p2", OTHER, SECRET),
            visit("v3", "p3", CLINIC, "N"),
            visit("v4", "p3", OTHER, "N"),
        ],
        "events": [event("e2", "p2", "v2", SECRET), event("e3", "p3", "v4", "E")],
        "patient_vitals": [of("t2", json!({"patient_id": "p2", "visit_id": "v2", "weight_kg": "61.5", "timestamp": EARLY}))],
    })
}

fn withdrawn(hub: &Hub) -> Option<(String, u32)> {
    let found = hub.store.read(|snapshot| snapshot.withdrawn(&[])).unwrap();
    found.map(|found| (found.name.unwrap_or(found.clinic), found.patients))
}

/// Everything that stands in the database, as text.
fn everything(hub: &Hub) -> String {
    let snapshot = hub.store.snapshot().unwrap();
    let connection = snapshot.connection().unwrap();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let mut statement = connection.prepare(tables).unwrap();
    let tables: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut all = String::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                let value = row.get_ref(column).unwrap();
                let text = value.as_str().map_or_else(|_| format!("{value:?}"), str::to_owned);
                all += &format!("{table} {text}\n");
            }
        }
    }
    all
}

/// The cloud has the patient.
fn send(hub: &Hub, id: &str) {
    let table = TableId::named("patients").unwrap();
    let snapshot = hub.store.snapshot().unwrap();
    let rows = snapshot
        .outgoing(Waiting::AtHome, (table, false), HubTime::ZERO, (HubTime::ZERO, 0), 9)
        .unwrap();
    drop(snapshot);
    let row = rows.into_iter().find(|row| &*row.id == id).unwrap();
    hub.store.note_in_step(vec![(table, row.id, row.version)]).unwrap();
}

#[test]
fn what_the_cloud_has_taken_away_with_a_clinic_goes_without_a_trace_and_comes_back_with_it() {
    let hub = hub();
    answer(&hub, &[CLINIC, OTHER], &records());
    // Something that the history keeps, and a phone that has all of it.
    let renamed = person("p2", &format!("{SECRET} again"), OTHER, "2025-02-01T00:00:00.000Z");
    answer(&hub, &[CLINIC, OTHER], &json!({"patients": [renamed]}));
    send(&hub, "p2");
    let both = [CLINIC, OTHER];
    let (_, phone) = hub.pull_scoped(B, Cursor::default(), &both);
    assert_eq!(withdrawn(&hub), None);

    answer(&hub, &[CLINIC], &json!({}));
    assert_eq!(withdrawn(&hub), Some(("Two".into(), 1)));
    // What a phone wrote of it is waited for.
    let mut edit = patient("p2", SECRET, 1_790_000_000_000, "camp");
    edit["primary_clinic_id"] = OTHER.into();
    edit["camp"] = format!("{SECRET} camp").into();
    hub.push(A, HubTime::ZERO, updated("patients", json!([edit])));
    assert_eq!(withdrawn(&hub), None);
    assert!(!hub.store.delete_withdrawn(OTHER).unwrap());
    assert!(everything(&hub).contains(SECRET));
    send(&hub, "p2");
    assert_eq!(withdrawn(&hub), Some(("Two".into(), 1)));
    assert!(!hub.store.delete_withdrawn(CLINIC).unwrap(), "the hub's own");

    while hub.store.delete_withdrawn(OTHER).unwrap() {}
    let left = everything(&hub);
    let traces: Vec<&str> = left
        .lines()
        .filter(|line| line.contains(SECRET) || line.contains("61.5"))
        .collect();
    assert_eq!(traces, [""; 0]);
    assert_eq!(withdrawn(&hub), None);
    let (changes, _) = hub.pull_scoped(A, Cursor::default(), &both);
    assert_eq!(ids(&changes["patients"]["created"]), ["p1", "p3"]);
    assert_eq!(
        ids(&changes["events"]["created"]),
        ["e3"],
        "who comes to a clinic that is left has everything"
    );
    let (changes, _) = hub.pull_scoped(B, phone, &both);
    assert!(changes["patients"].to_string().contains("p2"), "a phone hears of it");
    let snapshot = hub.store.snapshot().unwrap();
    let waiting = snapshot.cloud_unacknowledged().unwrap();
    assert_eq!(waiting, [], "and the cloud does not");
    assert!(snapshot.user("u1").unwrap().is_none() && snapshot.user("u2").unwrap().is_some());
    drop(snapshot);

    // What still comes of all clinics does not bring it to life; the clinic does.
    let records = records();
    answer(
        &hub,
        &[CLINIC],
        &json!({"events": records["events"], "patient_vitals": records["patient_vitals"]}),
    );
    let (changes, _) = hub.pull_scoped(A, Cursor::default(), &both);
    assert_eq!(ids(&changes["events"]["created"]), ["e3"]);
    hub.store.forget_withdrawn().unwrap();
    answer(&hub, &both, &records);
    let (changes, _) = hub.pull_scoped(A, Cursor::default(), &both);
    for (table, expected) in [
        ("patients", &["p1", "p2", "p3"][..]),
        ("visits", &["v1", "v2", "v3", "v4"]),
        ("events", &["e2", "e3"]),
        ("patient_vitals", &["t2"]),
        ("clinic_inventory", &["s1"]),
    ] {
        let mut found = ids(&changes[table]["created"]);
        found.extend(ids(&changes[table]["updated"]));
        found.sort_unstable();
        assert_eq!(found, expected, "{table}");
    }
    let snapshot = hub.store.snapshot().unwrap();
    assert_eq!(snapshot.user("u1").unwrap().unwrap().email, SECRET);
}

#[test]
fn a_clinic_whose_id_is_part_of_one_that_is_left_goes_as_well() {
    const LEFT: &str = "clinic-2-of-another-name";
    let hub = hub();
    answer(&hub, &[OTHER, LEFT], &records());
    answer(&hub, &[LEFT], &json!({}));
    while hub.store.delete_withdrawn(OTHER).unwrap() {}
    let (changes, _) = hub.pull_scoped(A, Cursor::default(), &[OTHER]);
    assert!(
        !changes["patients"]["created"].to_string().contains(SECRET),
        "{changes}"
    );
    assert_eq!(withdrawn(&hub).map(|(name, _)| name), Some("One".into()));
}
