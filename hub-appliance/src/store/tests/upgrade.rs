//! A store of schema 1: its phones go on where they were, get what schema 1 kept from them, and miss nothing.

use std::time::Instant;

use super::connection::open;
use super::desk::{Desk, OTHER, Phone, of};
use super::*;

/// What a device was given last in [`STORE`].
const GIVEN: i64 = 100;

/// A phone that has seen the first clinic, with the rows of both.
const STORE: &str = r#"
    INSERT INTO hub_state VALUES (1, 110, 0);
    INSERT INTO devices (client_id, paired_at, last_seen_at, given_at, given_scope, before_at, before_scope) VALUES
        ('00000000-0000-0000-0000-000000000007', 1, 1, 100, '{"user":"user-1","clinics":["clinic-1"]}', 90,
        '{"user":"user-1","clinics":["clinic-1"]}');
    INSERT INTO patients (id, given_name, additional_data, metadata, primary_clinic_id,
        hub_created_at, hub_changed_at, hub_created_by, hub_origin) VALUES
        ('p1', 'Seen', '{}', '{}', 'clinic-1', 50, 50, 0, 0), ('p2', 'Guest', '{}', '{}', 'clinic-2', 50, 50, 0, 0),
        ('p3', 'Theirs', '{}', '{}', 'clinic-2', 50, 50, 0, 0), ('p4', 'New', '{}', '{}', 'clinic-1', 110, 110, 0, 0),
        ('p5', 'Gone', '{}', '{}', 'clinic-2', 50, 105, 0, 0);
    INSERT INTO clinic_moves VALUES ('patients', 'p5', 'clinic-1', 105);
    INSERT INTO visits (id, patient_id, clinic_id, metadata, hub_created_at, hub_changed_at, hub_created_by, hub_origin) VALUES
        ('v1', 'p1', 'clinic-1', '{}', 50, 50, 0, 0), ('v2', 'p2', 'clinic-1', '{}', 50, 50, 0, 0),
        ('v3', 'p1', 'clinic-2', '{}', 50, 50, 0, 0), ('v4', 'p3', 'clinic-2', '{}', 50, 50, 0, 0);
    INSERT INTO events (id, patient_id, form_data, metadata, hub_created_at, hub_changed_at, hub_created_by, hub_origin) VALUES
        ('e1', 'p1', '[]', '{}', 50, 50, 0, 0), ('e2', 'p2', '[]', '{}', 50, 50, 0, 0), ('e3', 'p3', '[]', '{}', 50, 50, 0, 0);
    INSERT INTO registration_forms (id, clinic_id, name, fields, metadata,
        hub_created_at, hub_changed_at, hub_created_by, hub_origin) VALUES ('f1', 'clinic-2', 'f', '[]', '{}', 50, 50, 0, 0);
"#;

fn schema_1(folder: &Path, rows: &str) {
    let connection = open(&folder.join("hub.db"), &StoreKey::new([1; 32]), Purpose::Write).unwrap();
    connection.execute_batch(include_str!("../migrate/v1.sql")).unwrap();
    connection.execute_batch(rows).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
}

fn upgraded() -> (Desk, Phone) {
    let folder = tempfile::tempdir().unwrap();
    schema_1(folder.path(), STORE);
    let store = Arc::new(open_at(folder.path(), 1).unwrap());
    let devices = Devices::load(Arc::clone(&store)).unwrap();
    let hub = Hub { store, folder };
    let desk = Desk { hub, devices };
    let mut phone = desk.unsynced(7, &[CLINIC]);
    for (table, id) in [
        ("patients", "p1"),
        ("patients", "p5"),
        ("visits", "v1"),
        ("visits", "v2"),
        ("events", "e1"),
    ] {
        phone
            .rows
            .insert((table.into(), id.into()), json!({"id": id, "known": true}));
    }
    #[allow(clippy::cast_precision_loss, reason = "a small number")]
    let cursor = GIVEN as f64;
    phone.cursor = cursor;
    (desk, phone)
}

#[test]
fn a_phone_goes_on_where_it_was_and_gets_what_was_kept_from_it() {
    let (desk, mut phone) = upgraded();
    let changes = desk.pull(&mut phone);
    assert_eq!(
        ids(&changes["patients"]["created"]),
        ["p4", "p2"],
        "news, and the patient whose visit it has"
    );
    assert_eq!(
        ids(&changes["visits"]["created"]),
        ["v3"],
        "what its patients had elsewhere"
    );
    assert_eq!(ids(&changes["visits"]["updated"]), ["v2"]);
    assert_eq!(ids(&changes["events"]["created"]), ["e2"]);
    assert_eq!(ids(&changes["registration_forms"]["created"]), ["f1"]);
    let idle = desk.ask(&phone);
    assert_eq!(idle["timestamp"], phone.cursor);
    assert!(
        idle["changes"]
            .as_object()
            .unwrap()
            .values()
            .all(|lists| lists["created"] == json!([]))
    );

    // What schema 1 knew to have moved is told when it is deleted.
    let other = desk.phone(8, &[OTHER]);
    desk.push(&other, json!({"patients": {"deleted": ["p5", "p1"]}}));
    desk.pull(&mut phone);
    assert!(!phone.has("patients", "p5") && !phone.has("patients", "p1") && !phone.has("visits", "v1"));
}

#[test]
fn a_phone_that_lost_its_last_answer_or_went_back_before_the_upgrade_misses_nothing() {
    for cursor in [90.0, 60.0] {
        let (desk, mut phone) = upgraded();
        phone.cursor = cursor;
        let other = desk.phone(8, &[CLINIC]);
        desk.push(&other, created("patients", json!([of(CLINIC, "p6")])));
        desk.pull(&mut phone);
        for id in ["p2", "p4", "p6"] {
            assert!(phone.has("patients", id), "{id} from {cursor}");
        }
    }
}

/// The store of a full clinic: what the migration takes is told, not judged.
#[test]
#[ignore = "takes its time: run it by hand, with --nocapture"]
#[allow(clippy::print_stdout, reason = "what was measured")]
fn a_full_clinic_is_upgraded() {
    let folder = tempfile::tempdir().unwrap();
    let rows = r#"
        INSERT INTO hub_state VALUES (1, 110, 0);
        CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 19999) SELECT i FROM n;
        INSERT INTO patients (id, given_name, additional_data, metadata, primary_clinic_id, hub_created_at, hub_changed_at,
            hub_created_by, hub_origin) SELECT 'p' || i, 'Name ' || i, '{}', '{}', 'clinic-' || (i % 20), 50, 50, 0, 0 FROM n;
        INSERT INTO visits (id, patient_id, clinic_id, metadata, hub_created_at, hub_changed_at, hub_created_by, hub_origin)
            SELECT 'v' || i, 'p' || i, 'clinic-' || ((i + (i % 10 = 0)) % 20), '{}', 50, 50, 0, 0 FROM n;
        INSERT INTO events (id, patient_id, visit_id, form_data, metadata, hub_created_at, hub_changed_at, hub_created_by,
            hub_origin) SELECT 'e' || i || '-' || k, 'p' || i, 'v' || i, hex(randomblob(200)), '{}', 50, 50, 0, 0
            FROM n JOIN (SELECT 0 AS k UNION ALL SELECT 1 UNION ALL SELECT 2);
    "#;
    schema_1(folder.path(), rows);
    let before = fs::metadata(folder.path().join("hub.db")).unwrap().len();
    let begun = Instant::now();
    let store = open_at(folder.path(), 1).unwrap();
    println!("100,000 rows, {before} bytes: {:?}", begun.elapsed());
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        println!("{:?}: {} bytes", entry.file_name(), entry.metadata().unwrap().len());
    }
    drop(store);
}

#[test]
fn a_migration_shows_that_it_moves_on_row_by_row() {
    const PATIENTS: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..PATIENTS)
        .map(|number| {
            format!(
                "INSERT INTO patients (id, given_name, additional_data, metadata, primary_clinic_id, hub_created_at, \
                 hub_changed_at, hub_created_by, hub_origin) VALUES ('m{number}', 'Many', '{{}}', '{{}}', 'clinic-1', \
                 50, 50, 0, 0);"
            )
        })
        .collect();
    schema_1(folder.path(), &format!("{STORE}{rows}"));
    let clock = Arc::new(HubClock::new(Box::new(SystemClock), HubTime::ZERO));
    let pulse = Pulse::default();
    let keys = (StoreKey::new([1; 32]), AuditKey::new([2; 32]));
    let store = Store::open_watched(folder.path(), &keys.0, keys.1, clock, pulse.clone()).unwrap();
    let opened = pulse.number();
    assert!(opened > PATIENTS, "{opened} signs of life for {PATIENTS} patients");
    // It is the writer's from then on.
    store.write(|_| Ok::<_, StoreError>(())).unwrap();
    assert!(pulse.number() > opened);
}
