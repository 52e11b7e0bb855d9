//! What a phone holds and the hub does not, or the other way round, has to be made good at the phone's next pull.

use super::*;

fn flagged(mut row: Value) -> Value {
    row["is_deleted"] = true.into();
    row
}

/// A patient that phones A and B have.
fn shared(hub: &Hub) -> HubTime {
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Old", T, "")])),
    );
    hub.pull(A, HubTime::ZERO).1
}

#[test]
fn an_edit_lost_in_a_forced_upload_is_told_to_a_phone_that_has_pulled_the_winner() {
    let hub = hub();
    let base = shared(&hub);
    hub.push(
        B,
        base,
        updated("patients", json!([patient("p1", "Winner", T + 50, "given_name")])),
    );
    // A pulls the winner, keeps its own edit on top, and uploads by force from before all of it.
    let (_, given) = hub.pull(A, base);
    let seen = Seen {
        base: HubTime::from_millis(1),
        given,
        alone_since: HubTime::ZERO,
        another: false,
    };
    let stale = updated("patients", json!([patient("p1", "Stale", T + 30, "given_name")]));
    hub.push_seen(A, seen, stale, AllowAll);
    let (changes, _) = hub.pull(A, given);
    assert_eq!(changes["patients"]["updated"][0]["given_name"], "Winner");
}

#[test]
fn a_phone_that_takes_its_own_delete_back_is_told_that_the_row_is_deleted() {
    let hub = hub();
    let base = shared(&hub);
    let row = |changed| patient("p1", "Old", T + 1, changed);
    // The answer to the delete is lost, so A's next push has the same base.
    hub.push(A, base, updated("patients", json!([flagged(row("is_deleted"))])));
    hub.push(A, base, updated("patients", json!([row("is_deleted")])));
    let (changes, _) = hub.pull(A, base);
    assert_eq!(changes["patients"]["deleted"], json!([{"id": "p1"}, "p1"]));
}

#[test]
fn an_edit_that_travels_with_a_delete_is_in_the_history_once() {
    let hub = hub();
    let base = shared(&hub);
    let edited = flagged(patient("p1", "Edited", T + 1, "given_name,is_deleted,updated_at"));
    hub.push(A, base, updated("patients", json!([edited])));
    hub.push(A, base, updated("patients", json!([edited])));
    let lost: Vec<_> = hub.history("p1").into_iter().filter(|(why, _)| why == "lost").collect();
    assert_eq!(lost, [("lost".to_owned(), json!({"given_name": "Edited"}))]);
}

#[test]
fn a_phone_gets_its_own_row_as_updated_for_it_may_have_marked_it_as_deleted() {
    let hub = hub();
    let (_, start) = hub.pull(A, HubTime::ZERO);
    hub.push(A, start, created("patients", json!([patient("p1", "Amina", T, "")])));
    let (_, base) = hub.pull(B, HubTime::ZERO);
    hub.push(
        B,
        base,
        updated("patients", json!([patient("p1", "Amina B", T + 1, "given_name")])),
    );
    let (changes, _) = hub.pull(A, start);
    assert_eq!(changes["patients"]["created"], json!([]));
    assert_eq!(ids(&changes["patients"]["updated"]), ["p1"]);
    let (everything, _) = hub.pull(A, HubTime::ZERO);
    assert_eq!(ids(&everything["patients"]["created"]), ["p1"]);
}

#[test]
fn a_row_that_phones_may_not_push_comes_back_to_the_phone_that_changed_it() {
    let hub = hub();
    let bundle = r#"{"changes":{"clinic_inventory":{"created":[{"id":"s1","clinic_id":"clinic-1","drug_id":"d1",
        "batch_id":"b1","quantity_available":10,"metadata":{},"is_deleted":false,"created_at":"2025-01-01T00:00:00Z"}]}}}"#;
    hub.store
        .write(move |tx| Bundle::parse(bundle).unwrap().apply(tx))
        .unwrap();
    let (first, base) = hub.pull(A, HubTime::ZERO);
    let mut stock = first["clinic_inventory"]["created"][0].clone();
    hub.push(A, base, updated("clinic_inventory", json!([stock])));
    let (changes, base) = hub.pull(A, base);
    assert_eq!(changes["clinic_inventory"]["updated"], json!([]), "it is the hub's own");
    stock["quantity_available"] = 3.into();
    let summary = hub.push(
        A,
        base,
        updated("clinic_inventory", json!([stock, {"id": "unknown"}, 5])),
    );
    assert_eq!((summary.skipped, summary.written), (3, 0));
    let (changes, _) = hub.pull(A, base);
    assert_eq!(changes["clinic_inventory"]["updated"][0]["quantity_available"], 10);
}
