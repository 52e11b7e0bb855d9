//! Marking as synced, and the forced upload against the recorded one.

use serde_json::{Value, json};

use super::*;

const BEFORE: i64 = 1_760_000_000_000;
const NOW: i64 = 1_795_225_487_000;

/// One visit as a pull would leave it: synced, never pushed.
fn pulled_visit(database: &mut Database, id: &str) {
    database
        .create("visits", id, &[("metadata", "{}".into())], BEFORE)
        .unwrap();
    database.mark_pushed(&database.local_changes(), BEFORE - 1);
}

fn pushed(changes: &Changes) -> Value {
    serde_json::to_value(changes).unwrap()
}

#[test]
fn nothing_changed_pushes_nothing() {
    let mut database = Database::new();
    pulled_visit(&mut database, "v");
    assert!(database.local_changes().is_empty());
    database.mark_deleted("visits", "v").unwrap();
    assert!(
        database.local_changes().is_empty(),
        "the app never finds rows marked as deleted"
    );
}

#[test]
fn a_row_edited_during_the_push_is_pushed_again() {
    let mut database = Database::new();
    database.create("visits", "a", &[], BEFORE).unwrap();
    database.create("visits", "b", &[], BEFORE).unwrap();
    let first = database.local_changes();
    database
        .update("visits", "b", &[("provider_name", "Dr".into())], NOW)
        .unwrap();
    database.mark_pushed(&first, NOW);
    assert_eq!(database.row("visits", "a").unwrap().status(), Status::Synced);
    let again = pushed(&database.local_changes());
    assert_eq!(again["visits"]["created"].as_array().unwrap().len(), 1);
    assert_eq!(again["visits"]["created"][0]["id"], "b");
}

#[test]
fn marking_as_synced_moves_updated_at() {
    let mut database = Database::new();
    database.create("visits", "a", &[], NOW).unwrap();
    database.mark_pushed(&database.local_changes(), NOW);
    let row = database.row("visits", "a").unwrap();
    assert_eq!(
        database.cell("visits", "a", "updated_at"),
        Some(&Cell::Integer(NOW + 1))
    );
    assert_eq!(row.pushed_updated_at(), Some(NOW));
}

#[test]
fn a_forced_upload_sends_what_is_newer_and_flagged_rows_twice() {
    let mut database = Database::new();
    for id in ["old", "edited", "flagged", "marked"] {
        pulled_visit(&mut database, id);
    }
    database
        .update("visits", "edited", &[("provider_name", "Dr".into())], NOW)
        .unwrap();
    database.flag_deleted("visits", "flagged", NOW).unwrap();
    database.mark_pushed(&database.local_changes(), NOW + 1);
    database.mark_deleted("visits", "marked").unwrap();
    database.create("visits", "new", &[], NOW).unwrap();

    // Marking the pulled rows moved their `updated_at` by one.
    let forced = database.forced_changes(BEFORE + 1);
    assert_eq!(forced.counts(), [("visits", 4)]);
    let visits = &pushed(&forced)["visits"];
    let ids = |list: &str| {
        visits[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("created"), ["new"]);
    assert_eq!(ids("updated"), ["edited", "flagged"]);
    assert_eq!(ids("deleted"), ["flagged"]);
    assert_eq!(visits["updated"][0]["_status"], "synced");
    assert_eq!(visits["created"][0]["_status"], "created");
    assert_eq!(visits["deleted"][0]["is_deleted"], json!(true));
    assert_eq!(visits["updated"][0]["image_timestamp"], json!(0));
}
