//! Applying answers: what the app does with good ones, and that every bad one is refused whole.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::phone::cell::Cell;

fn recorded_answer() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/protocol/samples/sync/03b-sync_pull-response-used.json"
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn recorded_patient() -> Value {
    recorded_answer()["changes"]["patients"]["created"][0].clone()
}

fn answer(lists: Value) -> Value {
    let mut whole = json!({"created": [], "updated": [], "deleted": []});
    for (name, list) in lists.as_object().unwrap() {
        whole[name] = list.clone();
    }
    json!({"changes": {"patients": whole}, "timestamp": 1_795_225_486_547_i64})
}

/// As app 1.5, whose answers these are.
fn read(answer: &Value) -> Result<PullAnswer, PullFault> {
    PullAnswer::read(answer.to_string().as_bytes(), Generation::V1_5)
}

fn synced() -> (Database, String) {
    synced_on(Generation::V1_5)
}

fn synced_on(app: Generation) -> (Database, String) {
    let mut database = Database::of(app);
    database
        .apply_pull(read(&answer(json!({"created": [recorded_patient()]}))).unwrap())
        .unwrap();
    (database, recorded_patient()["id"].as_str().unwrap().to_owned())
}

#[test]
fn the_recorded_answer_is_taken() {
    let mut database = Database::of(Generation::V1_5);
    let answer = read(&recorded_answer()).unwrap();
    assert_eq!(answer.len(), 10);
    database.apply_pull(answer).unwrap();
    assert_eq!(
        database.counts().iter().find(|(table, _)| *table == "patients"),
        Some(&("patients", 3))
    );
    assert_eq!(database.cursor(), &json!(1_795_225_486_547_i64));
    assert!(database.local_changes().is_empty());
    let drug = "0197f000-0000-7000-8000-000000000500";
    assert_eq!(
        database.cell("drug_catalogue", drug, "sale_price"),
        Some(&Cell::text("1.50"))
    );
    assert_eq!(
        database.cell("drug_catalogue", drug, "is_active"),
        Some(&Cell::Boolean(true))
    );
}

#[test]
fn local_changes_win_by_column_until_they_are_pushed() {
    let (mut database, id) = synced();
    database
        .update("patients", &id, &[("given_name", "Mine".into())], 1_800_000_000_000)
        .unwrap();
    let mut theirs = recorded_patient();
    theirs["given_name"] = json!("Theirs");
    theirs["surname"] = json!("Theirs");
    theirs["updated_at"] = json!(1_900_000_000_000_i64);
    for list in ["created", "updated"] {
        database
            .apply_pull(read(&answer(json!({list: [theirs.clone()]}))).unwrap())
            .unwrap();
        assert_eq!(database.cell("patients", &id, "given_name"), Some(&"Mine".into()));
        assert_eq!(database.cell("patients", &id, "surname"), Some(&"Theirs".into()));
        assert_eq!(
            database.cell("patients", &id, "updated_at"),
            Some(&Cell::Integer(1_800_000_000_000))
        );
        assert_eq!(database.row("patients", &id).unwrap().status(), Status::Updated);
    }
    let pushed = database.local_changes();
    database.mark_pushed(&pushed, 1_800_000_000_005);
    database
        .apply_pull(read(&answer(json!({"updated": [theirs]}))).unwrap())
        .unwrap();
    assert_eq!(database.cell("patients", &id, "given_name"), Some(&"Theirs".into()));
    assert!(database.local_changes().is_empty());
}

#[test]
fn an_update_of_an_unknown_row_is_skipped() {
    let mut database = Database::of(Generation::V1_5);
    let counts = database
        .apply_pull(read(&answer(json!({"updated": [recorded_patient()]}))).unwrap())
        .unwrap();
    assert_eq!(
        counts,
        [(
            "patients",
            PullCounts {
                skipped: 1,
                ..PullCounts::default()
            }
        )]
    );
    assert!(database.counts().is_empty());
}

#[test]
fn an_update_of_an_unknown_row_is_taken_by_app_1_7() {
    let mut database = Database::of(Generation::V1_7);
    let counts = database
        .apply_pull(read(&answer(json!({"updated": [recorded_patient()]}))).unwrap())
        .unwrap();
    assert_eq!(counts[0].1.inserted, 1);
}

#[test]
fn a_delete_stands_there_in_both_forms() {
    for list in [json!(["x"]), json!([{"id": "x"}]), json!([{"id": "x"}, "y"])] {
        assert!(matches!(
            read(&answer(json!({"deleted": list}))),
            Err(PullFault::OneForm { .. })
        ));
    }
    for list in [json!(["x", {"id": "x"}]), json!([{"id": "x"}, {"id": "y"}, "y", "x"])] {
        assert!(read(&answer(json!({"deleted": list}))).is_ok());
    }
    assert!(matches!(
        read(&answer(json!({"deleted": [{"id": ""}, ""]}))),
        Err(PullFault::NoId(_))
    ));
}

#[test]
fn a_delete_of_a_row_with_edits_marks_it_on_1_5_and_destroys_it_on_1_7() {
    for (app, left) in [(Generation::V1_5, Some(Status::Deleted)), (Generation::V1_7, None)] {
        let (mut database, id) = synced_on(app);
        let deleted = || read(&answer(json!({"deleted": [{"id": id}, id, {"id": "x"}, "x"]}))).unwrap();
        let mut untouched = database.clone();
        assert_eq!(untouched.apply_pull(deleted()).unwrap()[0].1.deleted, 1);
        assert!(untouched.row("patients", &id).is_none());

        database
            .update("patients", &id, &[("given_name", "Mine".into())], 1)
            .unwrap();
        assert_eq!(database.apply_pull(deleted()).unwrap()[0].1.deleted, 1);
        assert_eq!(database.row("patients", &id).map(Row::status), left);
        assert!(database.local_changes().is_empty(), "it is never pushed any more");
    }
}

#[test]
fn a_row_marked_as_deleted_must_not_be_created_again() {
    let (mut database, id) = synced();
    database.mark_deleted("patients", &id).unwrap();
    let before = database.clone();
    let mut other = recorded_patient();
    other["id"] = json!("other");
    let bad = read(&answer(json!({"created": [other, recorded_patient()]}))).unwrap();
    assert!(matches!(database.apply_pull(bad), Err(PullFault::Resurrected { .. })));
    assert_eq!(database, before);
    let counts = database
        .apply_pull(read(&answer(json!({"updated": [recorded_patient()]}))).unwrap())
        .unwrap();
    assert_eq!(counts[0].1.skipped, 1);
}

#[test]
fn a_row_marked_as_deleted_comes_back_on_1_7() {
    let (mut database, id) = synced_on(Generation::V1_7);
    database.mark_deleted("patients", &id).unwrap();
    let lists = |list: &str| read(&answer(json!({list: [recorded_patient()]}))).unwrap();
    assert_eq!(database.apply_pull(lists("updated")).unwrap()[0].1.skipped, 1);
    assert_eq!(database.apply_pull(lists("created")).unwrap()[0].1.inserted, 1);
    assert_eq!(database.row("patients", &id).map(Row::status), Some(Status::Synced));
}

#[test]
fn the_base_of_a_push_is_what_its_pull_was_sent_with() {
    let (mut database, _) = synced();
    assert_eq!(database.base(), &json!(0));
    let mut next = answer(json!({}));
    next["timestamp"] = json!(1_795_225_486_999_i64);
    database.apply_pull(read(&next).unwrap()).unwrap();
    assert_eq!(database.base(), &json!(1_795_225_486_547_i64));
    assert_eq!(database.cursor(), &json!(1_795_225_486_999_i64));
}

#[test]
fn what_is_new_is_dropped_by_1_5_and_kept_by_1_7() {
    let clinic = json!({"id": "c", "name": "C", "updated_at": 1, "created_at": 1, "is_deleted": 0, "deleted_at": null,
                        "is_archived": 0, "address": "Route 1", "country": "X", "city": "Y", "of_1_9": {"a": 1}});
    let lists = |row: &Value| json!({"created": [row], "updated": [], "deleted": []});
    let changes = |table: &str, row: &Value| json!({"changes": {table: lists(row)}, "timestamp": 1}).to_string();
    for (app, city) in [(Generation::V1_5, Cell::Null), (Generation::V1_7, "Y".into())] {
        let mut database = Database::of(app);
        let answer = PullAnswer::read(changes("clinics", &clinic).as_bytes(), app).unwrap();
        database.apply_pull(answer).unwrap();
        assert_eq!(database.cell("clinics", "c", "city"), Some(&city));
        let mut short = clinic.clone();
        short.as_object_mut().unwrap().remove("city");
        let short = PullAnswer::read(changes("clinics", &short).as_bytes(), app);
        assert_eq!(short.is_err(), app == Generation::V1_7);

        let newest = PullAnswer::read(changes("of_1_9", &clinic).as_bytes(), app);
        assert_eq!(newest.is_err(), app == Generation::V1_5);
        let empty = json!({"changes": {"patient_risk_profiles": {"created": [], "updated": [], "deleted": []}},
                           "timestamp": 1});
        let profiles = PullAnswer::read(empty.to_string().as_bytes(), app);
        assert_eq!(
            profiles.is_err(),
            app == Generation::V1_5,
            "1.5 throws at the table, empty or not"
        );
    }
}

#[test]
fn the_same_id_twice_is_refused() {
    let (row, id) = (recorded_patient(), recorded_patient()["id"].clone());
    for lists in [
        json!({"created": [row, row]}),
        json!({"created": [row], "updated": [row]}),
        json!({"updated": [row], "deleted": [{"id": id}, id]}),
        json!({"deleted": [{"id": id}, {"id": id}, id]}),
        json!({"deleted": [{"id": id}, id, id]}),
    ] {
        assert!(matches!(read(&answer(lists)), Err(PullFault::Twice { .. })));
    }
}

/// The recorded patient with one member put in or taken out.
fn spoilt(column: &str, value: Option<Value>) -> Result<PullAnswer, PullFault> {
    let mut row = recorded_patient();
    match value {
        Some(value) => row[column] = value,
        None => drop(row.as_object_mut().unwrap().remove(column)),
    }
    read(&answer(json!({"created": [row]})))
}

#[test]
fn rows_must_be_whole_and_of_the_right_types() {
    assert!(spoilt("camp", Some(json!(null))).is_ok());
    assert!(matches!(spoilt("camp", None), Err(PullFault::Missing { .. })));
    assert!(matches!(
        spoilt("last_modified", Some(json!(1))),
        Err(PullFault::Extra { .. })
    ));
    assert!(matches!(
        spoilt("metadata", Some(json!(null))),
        Err(PullFault::Null { .. })
    ));
    assert!(matches!(
        spoilt("metadata", Some(json!({}))),
        Err(PullFault::Type { .. })
    ));
    assert!(matches!(
        spoilt("is_deleted", Some(json!(false))),
        Err(PullFault::Type { .. })
    ));
    assert!(matches!(
        spoilt("is_deleted", Some(json!(2))),
        Err(PullFault::Type { .. })
    ));
    assert!(matches!(
        spoilt("created_at", Some(json!("2026-01-01T00:00:00Z"))),
        Err(PullFault::Type { .. })
    ));
    assert!(matches!(
        spoilt("created_at", Some(json!(1.5))),
        Err(PullFault::Type { .. })
    ));
    assert!(matches!(spoilt("id", None), Err(PullFault::NoId(_))));
    assert!(matches!(spoilt("id", Some(json!(""))), Err(PullFault::NoId(_))));
}

#[test]
fn only_tables_for_phones_and_only_the_contracts_shape() {
    let lists = json!({"created": [], "updated": [], "deleted": []});
    for table in ["users", "device_pin_codes"] {
        let answer = json!({"changes": {table: lists}, "timestamp": 1});
        assert!(matches!(read(&answer), Err(PullFault::Table(_))));
    }
    assert!(matches!(
        read(&json!({"changes": {}, "timestamp": "1"})),
        Err(PullFault::Timestamp)
    ));
    assert!(matches!(
        read(&json!({"changes": {"patients": {"created": []}}, "timestamp": 1})),
        Err(PullFault::Shape(_))
    ));
    assert!(matches!(read(&json!({"error": "not found"})), Err(PullFault::Shape(_))));
}

const EDITABLE: [&str; 5] = ["given_name", "surname", "hometown", "camp", "phone"];

proptest! {
    /// Whatever was edited here and whatever comes: an edited column keeps its local value, every other one is the hub's.
    #[test]
    fn a_merge_decides_column_by_column(
        mine in proptest::collection::vec(proptest::option::of("[a-c]{0,2}"), EDITABLE.len()),
        theirs in proptest::collection::vec("[a-c]{0,2}", EDITABLE.len()),
        as_created: bool,
    ) {
        let (mut database, id) = synced();
        let edits: Vec<(&str, Cell)> = EDITABLE
            .into_iter()
            .zip(&mine)
            .filter_map(|(column, value)| Some((column, Cell::text(value.as_deref()?))))
            .collect();
        let before = database.clone();
        if !edits.is_empty() {
            database.update("patients", &id, &edits, 1_800_000_000_000).unwrap();
        }
        let mut incoming = recorded_patient();
        for (column, value) in EDITABLE.into_iter().zip(&theirs) {
            incoming[column] = json!(value);
        }
        let list = if as_created { "created" } else { "updated" };
        database.apply_pull(read(&answer(json!({list: [incoming]}))).unwrap()).unwrap();
        for ((column, value), theirs) in EDITABLE.into_iter().zip(&mine).zip(&theirs) {
            let edited = value.as_deref().map(Cell::text).filter(|value| before.cell("patients", &id, column) != Some(value));
            let expected = edited.unwrap_or_else(|| Cell::text(theirs));
            prop_assert_eq!(database.cell("patients", &id, column), Some(&expected), "{}", column);
        }
    }
}
