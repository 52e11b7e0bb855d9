//! Rows between phones: pulls, merges, deletions, and what is in whose sight.

use super::*;

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
        assert_eq!(changes[table]["deleted"], json!([{"id": id}, id]), "{table}");
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
    assert_eq!(changes["patients"]["deleted"], json!([{"id": "p1"}, "p1"]));
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
    let mut out = Vec::new();
    let request = request(B, cursor(start), &[CLINIC]);
    let summary = snapshot.pull(&request, &mut out).unwrap().unwrap();
    drop(snapshot);
    assert!(summary.rows.is_empty());
    let (changes, _) = hub.pull(B, summary.next.at);
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
fn phones_are_told_which_mode_their_organisation_has_set() {
    let modes = ["online", "user_choice", "offline"];
    for value in modes {
        let hub = hub();
        let row = |key: &str| {
            let columns = json!({"id": key, "namespace": "system", "key": key, "value": value, "data_type": "string",
                "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"});
            json!({"created": [columns], "updated": [], "deleted": []})
        };
        for key in ["operation_mode", "another"] {
            let bundle = json!({"success": true, "timestamp": 1, "changes": {"app_config": row(key)}}).to_string();
            hub.store
                .write(move |tx| Bundle::parse(&bundle).unwrap().apply(tx))
                .unwrap();
        }
        let (changes, _) = hub.pull(A, HubTime::ZERO);
        let values: Vec<_> = (changes["app_config"]["created"].as_array().unwrap().iter())
            .map(|row| (row["key"].as_str().unwrap(), row["value"].as_str().unwrap()))
            .collect();
        assert_eq!(values, [("operation_mode", value), ("another", value)], "{value}");
    }
}

#[test]
fn an_answer_is_about_as_long_as_is_expected() {
    let hub = hub();
    let expected = |since| hub.store.read(|snapshot| snapshot.expected_pull(since)).unwrap();
    let rows: Vec<_> = (0..400)
        .map(|number| patient(&format!("patient-{number:04}"), "Amina", T, ""))
        .collect();
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    let (changes, now) = hub.pull(B, HubTime::ZERO);
    let length = changes.to_string().len();
    assert!(length > 100_000);
    let first = expected(HubTime::ZERO);
    assert!(first > length * 2 / 3 && first < length * 3 / 2, "{first} for {length}");
    assert!(expected(now) < 10_000, "nothing is new");
    hub.push(
        A,
        now,
        created("patients", json!([patient("one more", "Amina", T, "")])),
    );
    assert!(expected(now) < 10_000, "one row is");
}
