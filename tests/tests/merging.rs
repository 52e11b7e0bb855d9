//! Two phones that change the same record before they hear of each other: column by column, as the contract merges.
//!
//! The first phone syncs first; the second syncs next, with edits of what it knew before; then the first hears of the
//! outcome.

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::cell::Cell;
use hub_tests::phone::clock::PhoneClock;
use hub_tests::phone::{Generation, Phone};
use serde_json::{Value, json};

/// What one phone does to the patient: columns and their values, at a time.
type Edit<'a> = (i64, &'a [(&'a str, Cell)]);

struct Pair {
    hub: TestHub,
    first: Phone,
    second: Phone,
    /// Patients that no case has used yet.
    patients: Vec<String>,
    now: i64,
}

impl Pair {
    async fn new() -> Self {
        let size = ClinicSize {
            patients: 24,
            visits: 24,
            events: 24,
        };
        let clinic = Clinic::generate(12, size);
        let hub = TestHub::with_clinic(&clinic, Log::Everything).await.unwrap();
        let user = clinic.user("admin@clinic.example").unwrap();
        let mut first = hub.phone(user).await.unwrap().with_app(Generation::V1_5);
        let mut second = hub.phone(user).await.unwrap().with_app(Generation::V1_5);
        first.sync().await.unwrap();
        second.sync().await.unwrap();
        let patients = first.database.rows("patients").unwrap();
        let patients = patients.map(|(id, _)| id.to_owned()).collect();
        let now = first.clock.now();
        Self {
            hub,
            first,
            second,
            patients,
            now,
        }
    }

    /// A patient that both phones have alike, with these values to begin with.
    async fn patient(&mut self, values: &[(&str, Cell)]) -> String {
        let id = self.patients.pop().unwrap();
        let at = self.now - 120_000;
        self.first.database.update("patients", &id, values, at).unwrap();
        self.sync_all().await;
        // The app moves `updated_at` on when a push is taken; from here on both have the hub's.
        self.first.force_download().await.unwrap();
        self.second.force_download().await.unwrap();
        id
    }

    /// Both edit, then both sync; gives the patient's columns as both phones and the hub have them.
    async fn edit(&mut self, patient: &str, first: Edit<'_>, second: Edit<'_>) -> impl Fn(&str) -> Cell + use<> {
        for (phone, (at, values)) in [(&mut self.first, first), (&mut self.second, second)] {
            phone.database.update("patients", patient, values, at).unwrap();
        }
        self.sync_all().await;
        let hub = hub_as_seen_by(&mut self.first).await.unwrap();
        for phone in [&self.first, &self.second] {
            Comparison::of_one_user().compare(&phone.database, &hub).unwrap();
        }
        let patient = patient.to_owned();
        move |column| hub.cell("patients", &patient, column).unwrap().clone()
    }

    async fn sync_all(&mut self) {
        for _ in 0..2 {
            self.first.sync().await.unwrap();
            self.second.sync().await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_phones_and_one_patient() {
    let mut pair = Pair::new().await;
    let now = pair.now;

    let id = pair.patient(&[]).await;
    let after = pair
        .edit(
            &id,
            (now, &[("camp", "A".into())]),
            (now - 5, &[("hometown", "B".into())]),
        )
        .await;
    assert_eq!(
        (after("camp"), after("hometown")),
        ("A".into(), "B".into()),
        "different columns"
    );
    assert_eq!(after("updated_at"), now.into(), "the later of the two");

    for (name, at, expected) in [("later", now + 5, "B"), ("earlier", now - 5, "A"), ("a tie", now, "A")] {
        let id = pair.patient(&[("camp", "0".into())]).await;
        let after = pair
            .edit(&id, (now, &[("camp", "A".into())]), (at, &[("camp", "B".into())]))
            .await;
        assert_eq!(after("camp"), expected.into(), "the same column, {name}");
        assert_eq!(after("updated_at"), now.max(at).into(), "the same column, {name}");
    }

    let id = pair.patient(&[("camp", "0".into())]).await;
    let after = pair
        .edit(
            &id,
            (now, &[("camp", "A".into()), ("phone", "1".into())]),
            (now - 5, &[("camp", "B".into()), ("hometown", "B".into())]),
        )
        .await;
    let seen = (after("camp"), after("phone"), after("hometown"));
    assert_eq!(
        seen,
        ("A".into(), "1".into(), "B".into()),
        "a lost column does not take the others with it"
    );

    let id = pair.patient(&[]).await;
    let after = pair.edit(&id, (now, &[]), (now - 5, &[("camp", "B".into())])).await;
    assert_eq!(
        (after("camp"), after("updated_at")),
        ("B".into(), now.into()),
        "updated_at alone is no conflict"
    );

    let id = pair.patient(&[("camp", "A".into())]).await;
    let after = pair
        .edit(
            &id,
            (now, &[("camp", "".into())]),
            (now - 5, &[("hometown", "B".into())]),
        )
        .await;
    assert!(after("camp").is_empty(), "emptied by one");
    assert_eq!(after("hometown"), "B".into());
}

#[tokio::test]
async fn null_and_empty_are_one_value() {
    let mut pair = Pair::new().await;
    let now = pair.now;
    for (nothing, other) in [(Cell::Null, Cell::from("")), (Cell::from(""), Cell::Null)] {
        let id = pair.patient(&[("photo_url", nothing.clone())]).await;
        let after = pair
            .edit(
                &id,
                (now, &[("photo_url", other)]),
                (now - 5, &[("photo_url", "p".into())]),
            )
            .await;
        assert_eq!(
            after("photo_url"),
            "p".into(),
            "turning {nothing} into the other is no change that could win"
        );
    }
}

#[tokio::test]
async fn a_fast_clock_does_not_win_for_ever() {
    let mut pair = Pair::new().await;
    let id = pair.patient(&[("camp", "0".into())]).await;
    pair.second.clock = PhoneClock::wrong_by(400 * 86_400_000);
    pair.second.edit("patients", &id, &[("camp", "fast".into())]).unwrap();
    pair.second.sync().await.unwrap();
    pair.first.sync().await.unwrap();
    let latest = pair
        .first
        .database
        .cell("patients", &id, "updated_at")
        .unwrap()
        .as_integer()
        .unwrap();
    assert!(latest <= pair.first.clock.now(), "a year ahead counts as now");

    // Both from the same state; the right one's edit is two seconds later in truth.
    pair.first.clock = PhoneClock::wrong_by(2_000);
    pair.second.sync().await.unwrap();
    pair.second
        .edit("patients", &id, &[("camp", "fast again".into())])
        .unwrap();
    pair.second.sync().await.unwrap();
    pair.first.edit("patients", &id, &[("camp", "right".into())]).unwrap();
    pair.first.client.handshake().await.unwrap();
    pair.first.push().await.unwrap();
    let hub = hub_as_seen_by(&mut pair.first).await.unwrap();
    assert_eq!(hub.cell("patients", &id, "camp"), Some(&"right".into()));
    drop(pair.hub);
}

#[tokio::test]
async fn without_a_list_of_changes_all_that_differs_counts() {
    let mut pair = Pair::new().await;
    for changed in [Value::Null, json!(""), json!("updated_at")] {
        let id = pair.patient(&[("camp", "0".into()), ("hometown", "0".into())]).await;
        let cursor = pair.second.database.cursor().clone();
        let at = pair.now;
        pair.first
            .database
            .update("patients", &id, &[("camp", "A".into())], at - 5)
            .unwrap();
        pair.first.sync().await.unwrap();
        let mut row = json!({"id": id, "hometown": "B", "camp": "0", "updated_at": at, "_changed": changed});
        if changed.is_null() {
            row.as_object_mut().unwrap().remove("_changed");
        }
        let push =
            json!({"changes": {"patients": {"created": [], "updated": [row], "deleted": []}}, "lastPulledAt": cursor});
        pair.second.client.command::<Value>("sync_push", push).await.unwrap();
        let hub = hub_as_seen_by(&mut pair.first).await.unwrap();
        let seen = ["camp", "hometown"].map(|column| hub.cell("patients", &id, column).unwrap().clone());
        let expected = match changed.as_str() {
            // It says that it changed nothing but the time.
            Some("updated_at") => ["A".into(), "0".into()],
            _ => ["0".into(), "B".into()],
        };
        assert_eq!(seen, expected, "{changed}");
    }
}
