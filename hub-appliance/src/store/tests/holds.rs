//! Held rows in great numbers, and what waits for a firmware that knows it.

use super::*;
use crate::store::sync::rights::UserGate;

/// Rights of one user in clinics, as the cloud sends them.
fn granted(hub: &Hub, clinics: &[&str]) {
    let rows: Vec<_> = clinics
        .iter()
        .map(|clinic| {
            json!({"id": format!("right-{clinic}"), "user_id": "user-1", "clinic_id": clinic, "can_edit_records": true,
                "can_register_patients": true, "updated_at": "2026-01-01T00:00:00Z"})
        })
        .collect();
    let bundle = json!({"changes": {"user_clinic_permissions": {"created": rows}}}).to_string();
    hub.store
        .write(move |tx| Bundle::parse(&bundle).unwrap().apply(tx))
        .unwrap();
}

/// Pushes as the user, with the rights that the store knows of.
fn push_by_rights(hub: &Hub, changes: &Value) -> PushSummary {
    let parameters = json!({"changes": changes, "lastPulledAt": 0}).to_string();
    let push = Push::parse(&parameters).unwrap();
    let author = Author {
        device: A,
        user: Some("user-1".into()),
    };
    hub.store
        .write(move |tx| {
            let mut gate = UserGate::new(tx, "user-1", None)?;
            push.apply(
                tx,
                &parameters,
                &author,
                Seen::up_to(HubTime::ZERO),
                &mut gate,
                Trial::ByRow,
            )
        })
        .unwrap()
}

fn in_clinic_2(id: &str) -> Value {
    let mut row = patient(id, "Elsewhere", T, "");
    row["primary_clinic_id"] = "clinic-2".into();
    row
}

impl Hub {
    /// The writer's steps in a piece of work. It counts one a row, and one for each 50,000 of SQLite's own instructions: were
    /// each row compared with those before it, there would be thousands of these.
    fn steps(&self, work: impl FnOnce()) -> u64 {
        let before = self.store.pulse().number();
        work();
        self.store.pulse().number() - before
    }

    fn held(&self) -> usize {
        self.store.held_count().unwrap().try_into().unwrap()
    }
}

#[test]
fn thousands_of_held_rows_are_held_found_and_let_go_without_looking_at_each_other() {
    const ROWS: usize = 8_000;
    let hub = hub();
    granted(&hub, &[CLINIC]);
    let mut rows: Vec<_> = (0..ROWS / 2).map(|number| in_clinic_2(&format!("p{number}"))).collect();
    rows.extend((0..ROWS / 2).map(|number| json!({"given_name": number})));
    let changes = created("patients", json!(rows));
    for _ in 0..2 {
        let steps = hub.steps(|| assert_eq!(push_by_rights(&hub, &changes).held, ROWS));
        assert!(steps < ROWS as u64 * 3 / 2, "{steps}");
        assert_eq!(hub.held(), ROWS);
    }
    let steps = hub.steps(|| granted(&hub, &[CLINIC, "clinic-2"]));
    assert!(steps < ROWS as u64 * 3 / 2, "{steps}");
    assert_eq!(hub.held(), ROWS / 2, "those without an id stay");
    let (changes, _) = hub.pull_scoped(B, Cursor::default(), &["clinic-2"]);
    assert_eq!(changes["patients"]["created"].as_array().unwrap().len(), ROWS / 2);
}

#[test]
fn thousands_of_rows_that_wait_for_a_patient_go_with_it_without_looking_at_each_other() {
    const ROWS: usize = 4_000;
    let event = |number: usize, patient: &str| json!({"id": format!("e{number}"), "patient_id": patient, "form_data": "[]", "metadata": "{}", "updated_at": T});
    let events = |of: &dyn Fn(usize) -> String| (0..ROWS).map(|number| event(number, &of(number))).collect::<Vec<_>>();
    let one = |_| "p0".to_owned();
    let each = |number| format!("p{number}");
    let patients = |rows: usize| {
        let rows: Vec<_> = (0..rows)
            .map(|number| patient(&format!("p{number}"), "Late", T, ""))
            .collect();
        created("patients", json!(rows))
    };
    // The patient is held himself; is not on the hub; are not on the hub, each event's own. The last: rows that are taken in
    // when they go, and entries that the search gets.
    for (case, first, events, then, due) in [
        (
            "held",
            Some(created("patients", json!([in_clinic_2("p0")]))),
            events(&one),
            None,
            ROWS,
        ),
        ("missing", None, events(&one), Some(patients(1)), ROWS),
        ("each missing", None, events(&each), Some(patients(ROWS)), 3 * ROWS),
    ] {
        let hub = hub();
        granted(&hub, &[CLINIC]);
        let held = ROWS + usize::from(first.is_some());
        if let Some(first) = &first {
            push_by_rights(&hub, first);
        }
        let changes = created("events", json!(events));
        for _ in 0..2 {
            let steps = hub.steps(|| assert_eq!(push_by_rights(&hub, &changes).held, ROWS));
            assert!(steps < ROWS as u64 * 3 / 2, "{case}: {steps}");
            assert_eq!(hub.held(), held, "{case}");
        }
        let steps = hub.steps(|| match &then {
            None => granted(&hub, &[CLINIC, "clinic-2"]),
            Some(then) => drop(push_by_rights(&hub, then)),
        });
        assert!(steps < (due + ROWS / 8) as u64, "{case}: {steps}");
        assert_eq!(hub.held(), 0, "{case}");
    }
}

#[test]
fn a_held_edit_that_is_uploaded_by_force_once_more_stays_one_and_another_edit_is_another() {
    let hub = hub();
    granted(&hub, &[CLINIC]);
    hub.push(B, HubTime::ZERO, created("patients", json!([in_clinic_2("p")])));
    let edit = |camp: &str, beside: Value| {
        let mut row = in_clinic_2("p");
        row["camp"] = camp.into();
        for (name, value) in beside.as_object().unwrap() {
            row[name] = value.clone();
        }
        push_by_rights(&hub, &updated("patients", json!([row])));
        hub.store.held_count().unwrap()
    };
    let sent = json!({"_status": "updated", "_changed": "updated_at,camp", "updated_at": T + 5});
    assert_eq!(edit("North", sent), 1);
    // The app has marked the row as pushed, which moves its time.
    let forced = json!({"_status": "synced", "_changed": "", "updated_at": T + 6, "image_timestamp": 0});
    assert_eq!(edit("North", forced.clone()), 1);
    assert_eq!(edit("South", forced), 2);
}

#[test]
fn what_a_newer_version_of_the_row_has_overtaken_is_not_stored_when_the_right_comes() {
    let hub = hub();
    granted(&hub, &[CLINIC]);
    push_by_rights(&hub, &created("patients", json!([in_clinic_2("p")])));
    let mut moved = patient("p", "Here", T + 5, "given_name");
    moved["primary_clinic_id"] = CLINIC.into();
    assert_eq!(push_by_rights(&hub, &updated("patients", json!([moved]))).written, 1);
    assert_eq!(hub.store.held_count().unwrap(), 0);
    granted(&hub, &[CLINIC, "clinic-2"]);
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    assert_eq!(changes["patients"]["created"][0]["given_name"], "Here");
    let history = hub.history("p");
    assert!(
        history
            .iter()
            .any(|(why, cells)| why == "lost" && cells["given_name"] == "Elsewhere")
    );
}

#[test]
fn tables_and_columns_that_the_firmware_comes_to_know_become_rows_and_values() {
    let hub = hub();
    granted(&hub, &[CLINIC]);
    let mut newer = patient("p", "Amina", T, "");
    newer["of_the_future"] = "Nakuru".into();
    let visit = json!({"id": "v", "patient_id": "p", "clinic_id": CLINIC, "provider_id": "u", "provider_name": "",
        "check_in_timestamp": T, "metadata": "{}", "is_deleted": false, "created_at": T, "updated_at": T});
    let changes = json!({
        "patients": {"created": [newer]},
        "visits_of_the_future": {"created": [visit, {"id": "misfit"}], "updated": [], "deleted": ["gone"]},
    });
    let summary = push_by_rights(&hub, &changes);
    assert_eq!((summary.written, summary.held), (1, 3));
    assert_eq!(
        hub.store.held_count().unwrap(),
        0,
        "they ask for a newer firmware, not for a person"
    );
    // As if the next firmware had them under names that this one knows.
    hub.store
        .write(|tx| {
            tx.connection()
                .execute_batch(
                    "UPDATE held_rows SET table_name = 'visits'; UPDATE newer_columns SET name = 'hometown';",
                )
                .map_err(StoreError::from)
        })
        .unwrap();
    assert!(hub.store.close(Duration::from_secs(5)));
    let again = Arc::new(open_at(hub.folder.path(), 1).unwrap());
    let opened = Hub {
        store: again,
        folder: hub.folder,
    };
    assert_eq!(
        opened.store.held_count().unwrap(),
        1,
        "the one that does not fit is a person's now"
    );
    let (changes, _) = opened.pull(B, HubTime::ZERO);
    assert_eq!(ids(&changes["visits"]["created"]), ["v"]);
    assert_eq!(changes["patients"]["created"][0]["hometown"], "Nakuru");
    assert_eq!(changes["patients"]["created"][0].get("of_the_future"), None);
}

#[test]
fn newer_columns_are_merged_and_kept_in_the_history_like_others() {
    let hub = hub();
    let with = |value: &Value, at: i64| {
        let mut row = patient("p", "Amina", at, "blood_group");
        row["blood_group"] = value.clone();
        updated("patients", json!([row]))
    };
    hub.push(A, HubTime::ZERO, with(&json!("A"), T));
    let (changes, base) = hub.pull(B, HubTime::ZERO);
    assert_eq!(changes["patients"]["created"][0]["blood_group"], "A");
    hub.push(B, base, with(&json!(["B", 1.50]), T + 20));
    hub.push(A, base, with(&json!("late"), T + 10));
    let (changes, _) = hub.pull(DeviceNumber(300), HubTime::ZERO);
    assert_eq!(changes["patients"]["created"][0]["blood_group"], json!(["B", 1.5]));
    let (for_a, _) = hub.pull(A, base);
    assert_eq!(
        for_a["patients"]["updated"][0]["blood_group"],
        json!(["B", 1.5]),
        "whoever lost gets the winner"
    );
    let history = hub.history("p");
    assert!(
        history
            .iter()
            .any(|(why, cells)| why == "edit" && cells["blood_group"] == "\"A\"")
    );
    assert!(
        history
            .iter()
            .any(|(why, cells)| why == "lost" && cells["blood_group"] == "\"late\"")
    );
    // More of them than a row may have, or longer names, are no reason to drop any.
    let mut many = patient("q", "Many", T, "");
    for number in 0..65 {
        many[format!("column_{number}")] = json!(number);
    }
    let mut long = patient("r", "Long", T, "");
    long["x".repeat(65)] = json!(1);
    assert_eq!(hub.push(A, base, created("patients", json!([many, long]))).held, 2);
}

#[test]
fn who_sent_a_row_that_names_somebody_else_is_known() {
    let hub = hub();
    let event = |id: &str, recorder: &str| {
        json!({"id": id, "patient_id": "p", "event_type": "x", "form_data": "[]", "metadata": "{}", "is_deleted": false,
            "recorded_by_user_id": recorder, "created_at": T, "updated_at": T})
    };
    hub.push(
        A,
        HubTime::ZERO,
        json!({
            "patients": {"created": [patient("p", "Amina", T, "")]},
            "events": {"created": [event("mine", "user-1"), event("named", "user-2"), event("nobody", "")]},
        }),
    );
    let snapshot = hub.store.snapshot().unwrap();
    let authors: Vec<(String, String, String)> = snapshot
        .connection()
        .unwrap()
        .prepare("SELECT table_name, row_id, hub_author FROM hub_authors")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(authors, [("events".into(), "named".into(), "user-1".into())]);
}

#[test]
fn children_of_a_patient_who_does_not_fit_wait_for_one_who_does() {
    let hub = hub();
    let bundle = |flag: Value| {
        json!({"changes": {
            "patients": {"created": [{"id": "p", "given_name": "Old", "additional_data": {}, "metadata": {}, "is_deleted": flag,
                "primary_clinic_id": CLINIC, "created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}]},
            "events": {"created": [
                {"id": "e", "patient_id": "p", "form_data": [], "metadata": null, "created_at": "2025-01-01T00:00:00Z"},
                {"id": "f", "patient_id": "stranger", "form_data": [], "metadata": {}}]},
        }})
        .to_string()
    };
    let apply = |bundle: String| {
        hub.store
            .write(move |tx| Bundle::parse(&bundle).unwrap().apply(tx))
            .unwrap()
    };
    let first = apply(bundle(json!("maybe")));
    assert_eq!((first.held, first.foreign), (2, 1));
    // The patient alone comes right; the event that waited goes with it.
    let corrected = json!({"changes": {"patients": serde_json::from_str::<Value>(&bundle(json!(false))).unwrap()["changes"]["patients"]}});
    apply(corrected.to_string());
    assert_eq!(hub.store.held_count().unwrap(), 0);
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    assert_eq!(ids(&changes["events"]["created"]), ["e"]);
    assert_eq!(changes["events"]["created"][0]["metadata"], "{}");
}

#[test]
fn a_device_writes_so_much_a_day_and_no_more() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p", "Amina", T, "")])),
    );
    let push = |device: DeviceNumber, name: &str| {
        let changes = updated("patients", json!([patient("p", name, T + 5, "given_name")]));
        let parameters = json!({"changes": changes, "lastPulledAt": 0}).to_string();
        let push = Push::parse(&parameters).unwrap();
        let author = Author { device, user: None };
        hub.store
            .write(move |tx| {
                push.apply(
                    tx,
                    &parameters,
                    &author,
                    Seen::up_to(tx.now()),
                    &mut AllowAll,
                    Trial::ByRow,
                )
            })
            .map(|summary| summary.written)
    };
    let bytes = |device: DeviceNumber| -> i64 {
        let snapshot = hub.store.snapshot().unwrap();
        let sql = "SELECT bytes FROM device_writes WHERE device = ?1";
        snapshot
            .connection()
            .unwrap()
            .query_row(sql, [device.0], |row| row.get(0))
            .unwrap()
    };
    let before = bytes(A);
    assert_eq!(push(A, &"x".repeat(1000)).unwrap(), 1);
    let once = bytes(A) - before;
    assert_eq!(push(A, &"y".repeat(1000)).unwrap(), 1);
    let twice = bytes(A) - before - once;
    assert!(
        once > 1000 && twice > once + 900,
        "what it replaced in the history counts too: {once} {twice}"
    );
    assert_eq!(push(A, &"y".repeat(1000)).unwrap(), 0);
    assert!(
        bytes(A) - before - once - twice < 100,
        "what changes nothing costs nothing"
    );

    hub.store
        .write(|tx| {
            let sql = "UPDATE device_writes SET bytes = 512 * 1048576 - 2000 WHERE device = ?1";
            tx.connection().execute(sql, [A.0]).map_err(StoreError::from)
        })
        .unwrap();
    assert!(matches!(push(A, &"z".repeat(1000)), Err(StoreError::OverQuota)));
    assert_eq!(push(A, "z").unwrap(), 1, "a small one still fits");
    assert_eq!(push(B, &"z".repeat(1000)).unwrap(), 1, "another device has its own");
    hub.store
        .write(|tx| {
            tx.connection()
                .execute("UPDATE device_writes SET day = day - 1", [])
                .map_err(StoreError::from)
        })
        .unwrap();
    assert_eq!(push(A, &"w".repeat(1000)).unwrap(), 1, "tomorrow is another day");
}

fn vitals_of(patient: &str) -> Value {
    json!({"id": format!("vitals-{patient}"), "patient_id": patient, "timestamp": T, "weight_kg": 60, "metadata": "{}", "is_deleted": false,
        "created_at": T, "updated_at": T, "last_modified": T})
}

#[test]
fn what_is_held_of_a_patient_goes_when_the_patient_comes_to_a_clinic_where_its_sender_may() {
    let hub = hub();
    hub.push(
        B,
        HubTime::ZERO,
        created("patients", json!([in_clinic_2("p"), in_clinic_2("q")])),
    );
    granted(&hub, &[CLINIC]);
    let mut edited = patient("p", "Edited", T + 5, "given_name");
    edited["primary_clinic_id"] = "clinic-2".into();
    let changes = json!({
        "patients": {"created": [], "updated": [edited], "deleted": []},
        "patient_vitals": {"created": [vitals_of("p"), vitals_of("q")], "updated": [], "deleted": []},
    });
    assert_eq!(push_by_rights(&hub, &changes).held, 3);
    let mut moved = in_clinic_2("p");
    moved["primary_clinic_id"] = CLINIC.into();
    moved["_changed"] = "primary_clinic_id".into();
    hub.push(B, HubTime::ZERO, updated("patients", json!([moved])));
    let left: Vec<_> = hub.store.read(|snapshot| snapshot.held_rows(10, 0)).unwrap();
    let left: Vec<_> = left.iter().map(|held| held.row_id.as_deref().unwrap()).collect();
    assert_eq!(left, ["vitals-q"], "the other patient has not moved");
    let (changes, _) = hub.pull(B, HubTime::ZERO);
    assert_eq!(ids(&changes["patient_vitals"]["created"]), ["vitals-p"]);
    let names = ["created", "updated"]
        .map(|list| changes["patients"][list].clone())
        .into_iter();
    let rows: Vec<_> = names.flat_map(|rows| rows.as_array().unwrap().clone()).collect();
    let name_of_p = &rows.iter().find(|row| row["id"] == "p").unwrap()["given_name"];
    assert_eq!(name_of_p, "Edited");
}

#[test]
fn a_firmware_that_is_newer_tries_once_what_could_not_be_read() {
    let hub = hub();
    granted(&hub, &[CLINIC]);
    let rows: Vec<_> = (0..450).map(|number| in_clinic_2(&format!("p{number}"))).collect();
    assert_eq!(push_by_rights(&hub, &created("patients", json!(rows))).held, 450);
    // As if they had been held for their form, by a firmware that did not know it.
    hub.store
        .write(|tx| {
            let sql = "UPDATE held_rows SET waits = NULL, reason = 'does not fit'";
            Ok::<_, StoreError>(tx.connection().execute(sql, [])?)
        })
        .unwrap();
    granted(&hub, &[CLINIC, "clinic-2"]);
    assert_eq!(hub.store.held_count().unwrap(), 450);
    let tried = hub.store.try_held_by("2").unwrap();
    assert_eq!((tried.tried, tried.released), (450, 450));
    assert_eq!(hub.store.held_count().unwrap(), 0);
    push_by_rights(&hub, &created("patients", json!([{"given_name": 5}])));
    assert_eq!(hub.store.try_held_by("2").unwrap().tried, 0, "it has had its try");
    let tried = hub.store.try_held_by("3").unwrap();
    assert_eq!((tried.tried, tried.released), (1, 0));
    let tried = hub.store.try_held_again().unwrap();
    assert_eq!(
        (tried.tried, tried.released),
        (1, 0),
        "a person's wish makes no row of what is none"
    );
    let summaries = hub.store.read(|snapshot| snapshot.held_summaries(10)).unwrap();
    assert_eq!((summaries.len(), summaries[0].reason.as_str()), (1, "no id"));
}

#[test]
fn a_row_that_the_database_refuses_is_held_and_leaves_nothing_while_all_others_land_once() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p", "Amina", T, "")])),
    );
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("q", "Bahati", T, "")])),
    );
    // A constraint that no value of today's meets.
    hub.store
        .write(|tx| {
            let refuse = "CREATE TRIGGER refuse_new BEFORE INSERT ON patients WHEN new.given_name = 'Refused' \
                          BEGIN SELECT RAISE(ABORT, 'refused'); END; \
                          CREATE TRIGGER refuse_edit BEFORE UPDATE ON patients WHEN new.given_name = 'Refused' \
                          BEGIN SELECT RAISE(ABORT, 'refused'); END;";
            tx.connection().execute_batch(refuse).map_err(StoreError::from)
        })
        .unwrap();
    let (_, base) = hub.pull(A, HubTime::ZERO);
    let changes = json!({"patients": {
        "created": [patient("first", "Chela", T, ""), patient("never", "Refused", T, ""), patient("last", "Dalia", T, "")],
        "updated": [patient("p", "Refused", T + 1, "given_name"), patient("q", "Edited", T + 1, "given_name")],
    }});
    let summary = hub.push(A, base, changes);
    assert_eq!((summary.written, summary.held), (3, 2));
    assert_eq!(hub.held(), 2);
    let (rows, _) = hub.pull(B, HubTime::ZERO);
    let rows = rows["patients"]["created"].clone();
    assert_eq!(ids(&rows), ["p", "q", "first", "last"]);
    let name_of = |id: &str| &rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()["given_name"];
    assert_eq!((name_of("p"), name_of("q")), (&json!("Amina"), &json!("Edited")));
    let kept: Vec<String> = hub
        .store
        .write(|tx| {
            let mut rows = tx.connection().prepare("SELECT row_id FROM history ORDER BY row_id")?;
            let ids = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok::<_, StoreError>(ids)
        })
        .unwrap();
    assert_eq!(
        kept,
        ["q"],
        "what was undone is in no history, and what landed is there once"
    );
}
