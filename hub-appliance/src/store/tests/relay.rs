//! What the relay does in the store: answers of the cloud, what is sent, and what of it comes back.

use std::sync::{Arc, mpsc};

use super::*;
use crate::store::relay::{AnswerSummary, Pulled, Sent, Spool, Waiting, digests};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

const NOW: i64 = T + 1_000_000_000;

fn spool(hub: &Hub, changes: &Value) -> Spool {
    let mut spool = hub.store.spool();
    for (name, lists) in changes.as_object().unwrap() {
        let table = TableId::named(name).unwrap();
        spool.has_table(table);
        for list in [List::Created, List::Updated, List::Deleted] {
            for row in lists[list.name()].as_array().into_iter().flatten() {
                spool.push(table, list, &row.to_string()).unwrap();
            }
        }
    }
    spool
}

fn answer(hub: &Hub, changes: &Value) -> Result<AnswerSummary, StoreError> {
    let pulled = Pulled {
        timestamp: NOW,
        clinics: vec![CLINIC.into()],
        ..Pulled::default()
    };
    hub.store.apply_answer(&spool(hub, changes), pulled)
}

fn of_cloud(id: &str, name: &str, updated_at: &str) -> Value {
    json!({"id": id, "given_name": name, "surname": "S", "additional_data": {}, "metadata": {}, "is_deleted": false,
        "primary_clinic_id": CLINIC, "created_at": "2025-01-01T00:00:00.000Z", "updated_at": updated_at})
}

/// What is to be sent of the patients, and takes notice that it is.
fn send(hub: &Hub) -> Vec<String> {
    let table = TableId::named("patients").unwrap();
    let mut sent = Vec::new();
    let mut names = Vec::new();
    let snapshot = hub.store.snapshot().unwrap();
    for deleted in [false, true] {
        let rows = snapshot.outgoing(
            Waiting::AtHome,
            (table, deleted),
            HubTime::ZERO,
            (HubTime::ZERO, 0),
            100,
        );
        for row in rows.unwrap() {
            names.push(row.cells[1].as_text().unwrap_or_default().to_owned() + if deleted { " gone" } else { "" });
            sent.push(Sent {
                table,
                id: row.id,
                version: row.version,
                digests: (!deleted).then(|| digests(table.table(), row.cells.iter().map(Some), None)),
                on_answer: None,
            });
        }
    }
    hub.store.note_sent(sent.clone()).unwrap();
    hub.store.note_answered(sent).unwrap();
    names
}

fn name_of(hub: &Hub, id: &str) -> String {
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    let rows = changes["patients"]["created"].as_array().unwrap();
    let row = rows.iter().find(|row| row["id"] == id).unwrap();
    row["given_name"].as_str().unwrap().to_owned()
}

#[test]
fn a_stock_moves_by_as_much_as_the_clouds_count_moved() {
    let hub = hub();
    let stock = |count: i64, at: &str| {
        json!({"clinic_inventory": {"updated": [{"id": "s1", "clinic_id": CLINIC, "drug_id": "d1", "batch_id": "b1",
            "quantity_available": count, "metadata": {}, "is_deleted": false, "created_at": "2025-01-01T00:00:00.000Z",
            "updated_at": at, "last_modified": at}]}})
    };
    let shown = |hub: &Hub| {
        let snapshot = hub.store.snapshot().unwrap();
        let sql = "SELECT quantity_available FROM clinic_inventory WHERE id = 's1'";
        let count: i64 = snapshot
            .connection()
            .unwrap()
            .query_row(sql, [], |row| row.get(0))
            .unwrap();
        count
    };
    let given = |count, at| answer(&hub, &stock(count, at)).unwrap().written;
    given(100, "2025-01-01T00:00:00.000Z");
    let record = json!({"id": "r1", "clinic_id": CLINIC, "drug_id": "d1", "batch_id": "b1", "patient_id": "p1",
        "quantity_dispensed": 10, "dispensed_by": "u1", "dispensed_at": T, "metadata": "{}", "is_deleted": false,
        "created_at": T, "updated_at": T, "last_modified": T});
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    hub.push(A, HubTime::ZERO, created("dispensing_records", json!([record])));
    assert_eq!(shown(&hub), 90);
    given(120, "2025-02-01T00:00:00.000Z");
    assert_eq!(shown(&hub), 110, "twenty came in");
    assert_eq!(given(120, "2025-02-01T00:00:00.000Z"), 0);
    assert_eq!(shown(&hub), 110, "the same answer again");
    given(115, "2025-03-01T00:00:00.000Z");
    assert_eq!(shown(&hub), 105);
}

/// All live rows of the hub by table and id, without its own stamps.
fn content(hub: &Hub) -> Vec<String> {
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    let mut all = Vec::new();
    for (table, lists) in changes.as_object().unwrap() {
        for row in lists["created"].as_array().unwrap() {
            let mut row = row.clone();
            for stamp in ["last_modified", "server_created_at"] {
                row.as_object_mut().unwrap().remove(stamp);
            }
            all.push(format!("{table} {row}"));
        }
    }
    all.sort();
    all
}

#[test]
fn a_power_cut_between_two_parts_of_an_answer_leaves_what_the_same_answer_makes_whole() {
    let patients: Vec<Value> = (0..1600)
        .map(|number| of_cloud(&format!("p{number}"), "Cloud", "2025-01-01T00:00:00.000Z"))
        .collect();
    let visits: Vec<Value> = (0..1000)
        .map(|number| {
            json!({"id": format!("v{number}"), "patient_id": format!("p{number}"), "clinic_id": CLINIC, "metadata": {},
                "is_deleted": false, "created_at": "2025-01-01T00:00:00.000Z", "updated_at": "2025-01-01T00:00:00.000Z"})
        })
        .collect();
    let changes = json!({"patients": {"created": patients, "deleted": ["p9"]}, "visits": {"updated": visits}});
    let whole = hub();
    answer(&whole, &changes).unwrap();
    let cut = hub();
    // An edit of the clinic's, that the cloud does not have.
    for hub in [&whole, &cut] {
        hub.push(
            A,
            HubTime::ZERO,
            created("patients", json!([patient("q1", "Of the clinic", T, "")])),
        );
    }
    let stop = "CREATE TRIGGER cut BEFORE UPDATE ON cloud_state BEGIN SELECT RAISE(ABORT, 'cut'); END";
    let run = |hub: &Hub, sql: &'static str| {
        let ran = hub
            .store
            .write::<_, StoreError>(move |tx| Ok(tx.connection().execute_batch(sql)?));
        ran.unwrap();
    };
    run(&cut, stop);
    answer(&cut, &changes).unwrap_err();
    let so_far = content(&cut).len();
    assert!(so_far >= 2000 && so_far < content(&whole).len() + 1, "{so_far} rows");
    let cursor = || cut.store.read(|snapshot| snapshot.cloud_state()).unwrap().pull_cursor;
    assert_eq!(cursor(), 0, "the answer is asked for again");
    run(&cut, "DROP TRIGGER cut");
    let summary = answer(&cut, &changes).unwrap();
    assert!(summary.unchanged > 1900, "{summary:?}");
    assert_eq!(cursor(), NOW);
    assert_eq!(content(&cut), content(&whole));
    assert_eq!(
        send(&cut),
        ["Of the clinic"],
        "what came from the cloud does not go back"
    );
}

#[test]
fn a_phone_that_comes_while_an_answer_is_applied_goes_before_the_rest_of_it() {
    let hub = Arc::new(hub());
    let patients: Vec<Value> = (0..600)
        .map(|number| of_cloud(&format!("p{number}"), "Cloud", "2025-01-01T00:00:00.000Z"))
        .collect();
    let at_answer = Arc::clone(&hub);
    let (ready, is_ready) = mpsc::channel();
    let (applying, writing) = std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let work = move |tx: &mut WriteTx<'_>| {
                // First comes the first part of the answer, then the phone.
                for waiting in [0, 1, 2] {
                    while tx.waiting() < waiting {
                        std::thread::yield_now();
                    }
                    ready.send(()).unwrap();
                }
                Ok::<_, StoreError>(())
            };
            hub.store.write(work).unwrap();
        });
        is_ready.recv().unwrap();
        let applying = scope.spawn(move || answer(&at_answer, &json!({"patients": {"created": patients}})).unwrap());
        is_ready.recv().unwrap();
        let writing = scope.spawn(|| {
            let count = |tx: &mut WriteTx<'_>| -> Result<i64, StoreError> {
                let mut count = tx.connection().prepare("SELECT count(*) FROM patients")?;
                Ok(count.query_row([], |row| row.get(0))?)
            };
            hub.store.write(count).unwrap()
        });
        busy.join().unwrap();
        (applying.join().unwrap(), writing.join().unwrap())
    });
    assert_eq!(applying.written, 600);
    assert!(writing < 100, "{writing} rows went before the phone");
}

#[test]
fn an_echo_with_the_clouds_stamp_does_not_undo_a_later_edit_of_the_clinic() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "First", T, "")])),
    );
    assert_eq!(send(&hub), ["First"]);
    hub.push(
        A,
        HubTime::ZERO,
        updated("patients", json!([patient("p1", "Second", T + 1, "given_name")])),
    );
    assert_eq!(send(&hub), [""; 0], "it waits for what became of the first");
    let mut echo = of_cloud("p1", "First", "2026-06-01T00:00:00.000Z");
    echo["created_at"] = "2023-11-14T22:13:20.000Z".into();
    // The cloud changed something else meanwhile.
    echo["camp"] = "North".into();
    answer(&hub, &json!({"patients": {"updated": [echo]}})).unwrap();
    assert_eq!(name_of(&hub, "p1"), "Second");
    assert_eq!(send(&hub), ["Second"]);
}

#[test]
fn a_deletion_follows_as_soon_as_the_row_before_it_has_come_back() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "First", T, "")])),
    );
    send(&hub);
    hub.push(
        A,
        HubTime::ZERO,
        json!({"patients": {"created": [], "updated": [], "deleted": ["p1"]}}),
    );
    let mut echo = of_cloud("p1", "First", "2023-11-14T22:13:20.000Z");
    echo["created_at"] = "2023-11-14T22:13:20.000Z".into();
    let summary = answer(&hub, &json!({"patients": {"created": [echo]}})).unwrap();
    assert_eq!(summary.acknowledged, 1);
    assert_eq!(send(&hub), ["First gone"]);
}

#[test]
fn another_cloud_gets_what_the_one_before_had_acknowledged() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "First", T, "")])),
    );
    answer(
        &hub,
        &json!({"patients": {"created": [of_cloud("c1", "Cloud", "2025-01-01T00:00:00.000Z")]}}),
    )
    .unwrap();
    assert_eq!(send(&hub), ["First"]);
    let mut echo = of_cloud("p1", "First", "2023-11-14T22:13:20.000Z");
    echo["created_at"] = "2023-11-14T22:13:20.000Z".into();
    answer(&hub, &json!({"patients": {"created": [echo]}})).unwrap();
    hub.store.end_cloud_run().unwrap();
    assert_eq!(send(&hub), [""; 0]);
    hub.store.settle_cloud(String::new(), String::new(), true).unwrap();
    assert_eq!(send(&hub), ["First"], "and nothing of what came from the cloud");
}

#[test]
fn what_belongs_to_a_deleted_patient_stays_in_the_cloud_and_a_password_that_is_not_told_stays() {
    let hub = hub();
    let user = |password: Value| {
        json!({"users": {"updated": [{"id": "u1", "name": "N", "role": "admin", "email": "n@clinic.example",
            "hashed_password": password, "clinic_id": CLINIC, "instance_url": password, "created_at": "2025-01-01T00:00:00.000Z"}]}})
    };
    answer(&hub, &user("$2b$10$abc".into())).unwrap();
    for stripped in [Value::Null, "".into()] {
        answer(&hub, &user(stripped)).unwrap();
    }
    let snapshot = hub.store.snapshot().unwrap();
    let sql = "SELECT hashed_password FROM users WHERE id = 'u1'";
    let kept: String = snapshot
        .connection()
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, "$2b$10$abc");
    drop(snapshot);

    let patient = json!({"patients": {"created": [of_cloud("p1", "Cloud", "2025-01-01T00:00:00.000Z")]}});
    answer(&hub, &patient).unwrap();
    answer(&hub, &json!({"patients": {"deleted": ["p1"]}})).unwrap();
    let event = json!({"events": {"created": [{"id": "e1", "patient_id": "p1", "form_data": [], "metadata": {}}]}});
    let summary = answer(&hub, &event).unwrap();
    assert_eq!((summary.foreign, summary.written), (1, 0));
}

#[test]
fn a_deletion_of_a_row_that_never_got_there_is_told_once() {
    let hub = hub();
    let made = created("patients", json!([patient("p1", "Amina", T, "")]));
    hub.push(A, HubTime::ZERO, made);
    // It was sent and never arrived.
    let table = TableId::named("patients").unwrap();
    let snapshot = hub.store.snapshot().unwrap();
    let row = snapshot
        .outgoing(Waiting::AtHome, (table, false), HubTime::ZERO, (HubTime::ZERO, 0), 9)
        .unwrap()
        .remove(0);
    drop(snapshot);
    let sent = Sent {
        table,
        digests: Some(digests(table.table(), row.cells.iter().map(Some), None)),
        id: row.id,
        version: row.version,
        on_answer: None,
    };
    hub.store.note_sent(vec![sent]).unwrap();
    answer(&hub, &json!({})).unwrap();
    hub.push(A, HubTime::ZERO, json!({"patients": {"deleted": ["p1"]}}));
    assert_eq!(send(&hub), ["Amina gone"]);
    for _ in 0..2 {
        answer(&hub, &json!({})).unwrap();
    }
    hub.store.retry_cloud_holds(true).unwrap();
    assert_eq!(send(&hub), [""; 0]);
}

#[test]
fn what_hangs_on_a_row_that_does_not_fit_waits_with_it_until_the_cloud_has_mended_it() {
    let hub = hub();
    let held = || hub.store.held_count().unwrap();
    let times = json!({"created_at": "2025-01-01T00:00:00.000Z", "updated_at": "2025-01-01T00:00:00.000Z",
        "last_modified": "2025-01-01T00:00:00.000Z", "metadata": {}, "is_deleted": false});
    let row = |values: Value| {
        let mut row = times.clone();
        row.as_object_mut().unwrap().extend(values.as_object().unwrap().clone());
        row
    };
    let event = |id: &str, patient: &str, visit: Value| {
        row(json!({"id": id, "patient_id": patient, "visit_id": visit, "form_data": [], "event_type": "E"}))
    };
    let mut misfit = of_cloud("p1", "Amina", "2025-01-01T00:00:00.000Z");
    misfit["is_deleted"] = json!("perhaps");
    let visit = |check_in: &str| {
        row(
            json!({"id": "v2", "patient_id": "p2", "clinic_id": CLINIC, "provider_id": "u", "provider_name": "U",
            "check_in_timestamp": check_in}),
        )
    };
    let first = json!({
        "patients": {"created": [misfit, of_cloud("p2", "Bilal", "2025-01-01T00:00:00.000Z")]},
        "visits": {"created": [visit("some day")]},
        "events": {"created": [event("e1", "p1", json!(null)), event("e2", "p2", json!("v2"))]},
    });
    assert_eq!(answer(&hub, &first).unwrap().held, 4);
    assert_eq!(held(), 4);
    // More of the patient comes later, by itself.
    let later = json!({"events": {"created": [event("e3", "p1", json!(null))]}});
    assert_eq!((answer(&hub, &later).unwrap().foreign, held()), (0, 5));

    let mended = json!({
        "patients": {"updated": [of_cloud("p1", "Amina", "2026-01-01T00:00:00.000Z")]},
        "visits": {"updated": [visit("2025-01-01T00:00:00.000Z")]},
    });
    answer(&hub, &mended).unwrap();
    assert_eq!(held(), 0);
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    let mut events = ids(&changes["events"]["created"]);
    events.sort_unstable();
    assert_eq!(events, ["e1", "e2", "e3"]);
    assert_eq!(ids(&changes["visits"]["created"]), ["v2"]);
}
