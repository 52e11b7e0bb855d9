//! Rows that the cloud does not take: found, held with a reason that a person can read, and in nobody's way.
//!
//! `HUB_TEST_ROWS` says among how many the bad one is (1,000; 10,000 by hand).

use hub_tests::cloud::Generation;
use hub_tests::hub::Log;
use serde_json::json;

use super::number;
use super::world::{Relayed, new_patient};

/// Requests that the search for a bad row may take.
const SEARCH: u64 = 16;
/// Rows of a request.
const BATCH: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_makes_the_cloud_fail_is_held_even_where_nothing_else_is_to_be_sent() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    world.run_through().await;
    let refuse = "ALTER TABLE patients ADD CONSTRAINT refused CHECK (given_name <> 'Bad') NOT VALID";
    world.cloud.execute(refuse).await.unwrap();
    let patient = world.phone.register_patient(&new_patient("Bad")).unwrap();
    for _ in 0..3 {
        world.phone.open_visit(&patient).unwrap();
    }
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    world.run_through().await;
    assert!(world.cloud.take_counts().pushes <= SEARCH);
    let patients = world.cloud.rows("patients").await.unwrap();
    assert!(!patients.iter().any(|row| row["id"] == patient.as_str()));

    // Once the cloud takes it, a person's wish is enough.
    let take = "ALTER TABLE patients DROP CONSTRAINT refused";
    world.cloud.execute(take).await.unwrap();
    world.run_through().await;
    world.run_through().await;
    world.assert_alike().await;
    world.assert_quiet().await;
}

/// One patient's visit has many events, and one of them is such that PostgreSQL refuses it.
async fn among_many(generation: Generation) {
    let mut world = Relayed::new(generation, Log::Warnings).await;
    let refuse = "ALTER TABLE events ADD CONSTRAINT refused CHECK (event_type <> 'Bad') NOT VALID";
    world.cloud.execute(refuse).await.unwrap();
    let rows = number("HUB_TEST_ROWS", 1_000);
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let form = world.form();
    let mut bad = String::new();
    for row in 0..rows {
        let kind = if row == rows / 3 { "Bad" } else { "Consultation" };
        let answers = json!([{"fieldId": "a", "value": format!("made up {row}")}]);
        let id = world
            .phone
            .record_event(&patient, &visit, (&form, kind), &answers)
            .unwrap();
        if kind == "Bad" {
            bad = id;
        }
    }
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    world.run_through().await;
    let counts = world.cloud.take_counts();
    let needed = u64::try_from(rows.div_ceil(BATCH)).unwrap() + 1;
    assert!(counts.pushes <= needed + SEARCH, "{counts:?}");
    if generation == Generation::C2 {
        // Its 200 says nothing of the row: that it does not come back does, the second time.
        assert!(counts.pushes <= needed, "{}", counts.pushes);
        // A run that nobody asked for: at a person's wish it would be tried again at once.
        world.hub.hub.terminate().await.unwrap();
        world.hub.start_again().await.unwrap();
        world.hub.hub.wait_for_run(0).await.unwrap();
        assert_eq!(world.cloud.take_counts().pushes, 0);
    }
    world.hub.hub.terminate().await.unwrap();
    assert_eq!(world.assert_nothing_acknowledged_is_missing().await, 1);
    let reason = match generation {
        Generation::C1 => "the cloud refuses it",
        Generation::C2 => "sent, but the cloud does not show it",
    };
    assert_eq!(
        world.unacknowledged().await,
        [(format!("events/{bad}"), reason.to_owned())]
    );
    let there = world.cloud.rows("events").await.unwrap().len();
    let here = world.phone.database.rows("events").unwrap().len();
    assert_eq!(there + 1, here, "the rest lands");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_clouds_bad_row_is_found_by_halving() {
    among_many(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_clouds_bad_row_is_found_by_its_not_coming_back() {
    among_many(Generation::C2).await;
}
