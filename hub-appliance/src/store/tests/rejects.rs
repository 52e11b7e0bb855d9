//! What cannot be taken: bad rows, bad bodies, and messages that were taken before.

use super::*;

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
            held: 7,
            skipped: 1
        }
    );
    let snapshot = hub.store.snapshot().unwrap();
    let held = snapshot.held_rows(100, 0).unwrap();
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
            "unknown table",
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
    assert_eq!(again.held, 7);
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
