//! Rows that the cloud does not take: found, held with a reason that a person can read, and in nobody's way.
//!
//! `HUB_TEST_ROWS` says among how many the bad one is (1,000; 10,000 by hand).

use hub_tests::cloud::Generation;
use hub_tests::effort::number;
use hub_tests::hub::Log;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::edit::NewPatient;
use serde_json::json;

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

/// Measurements, each of another visitor: what the cloud's columns have no room for is held by the name of its column, what they
/// have room for once it is rounded arrives, and none of it stops what comes after it.
async fn odd_measurements(generation: Generation) {
    let mut world = Relayed::new(generation, Log::Warnings).await;
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let mut measure = |column: &str, value: f64| {
        let measured = [(column, Cell::Real(value)), ("pulse_rate", Cell::Real(70.4))];
        world.phone.record_vitals(&patient, &visit, &measured).unwrap()
    };
    let beyond = [
        ("bmi", 10_000.0),
        ("temperature_celsius", 100.0),
        ("temperature_celsius", -99.996),
        ("weight_kg", 1000.0),
        ("height_cm", 999.996),
        ("waist_circumference_cm", 1e300),
        ("oxygen_saturation", -1000.0),
        ("heart_rate", 3e9),
        ("pain_level", -2_147_483_649.0),
    ];
    let mut held: Vec<(String, String)> = Vec::new();
    for (column, value) in beyond {
        let id = measure(column, value);
        held.push((
            format!("patient_vitals/{id}"),
            format!("does not fit the cloud: {column}"),
        ));
    }
    let heavy = measure("bmi", 123.45);
    for (column, value) in [
        ("bmi", 99.99),
        ("temperature_celsius", 36.664),
        ("height_cm", 999.994),
        ("systolic_bp", 119.5),
        ("heart_rate", 1e-300),
    ] {
        measure(column, value);
    }
    let last = measure("oxygen_saturation", 98.0);
    world
        .phone
        .register_patient(&NewPatient {
            date_of_birth: "0000-05-01".into(),
            ..new_patient("Babak")
        })
        .unwrap();
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    world.run_through().await;
    let pushes = world.cloud.take_counts().pushes;
    assert!(pushes <= SEARCH, "{pushes}");
    let vitals = world.cloud.rows("patient_vitals").await.unwrap();
    assert!(
        vitals.iter().any(|row| row["id"] == last.as_str()),
        "what comes after them arrives"
    );
    let there = vitals.iter().find(|row| row["id"] == heavy.as_str()).unwrap();
    let told = (&there["bmi"], &there["metadata"]["bmi"], &there["pulse_rate"]);
    match generation {
        Generation::C1 => assert_eq!(told, (&json!(null), &json!("123.45"), &json!(70))),
        Generation::C2 => assert_eq!(told, (&json!(123.45), &json!(null), &json!(70))),
    }
    // At a person's wish what was held is tried again, and what is there goes to nobody again.
    let again = world.run().await;
    assert!(again.contains("Waiting"), "{again}");
    assert_eq!(world.cloud.take_counts().rows_pushed, 0);
    let report = world.phone.pull().await.unwrap();
    assert!(
        report.iter().all(|(_, counts)| *counts == Default::default()),
        "{report:?}"
    );
    assert_eq!(
        *world.phone.database.cell("patient_vitals", &heavy, "bmi").unwrap(),
        Cell::Real(123.45)
    );

    // An edit of another column goes the same way.
    let heart_rate = [("heart_rate", Cell::Real(81.0))];
    world.phone.edit("patient_vitals", &heavy, &heart_rate).unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    let vitals = world.cloud.rows("patient_vitals").await.unwrap();
    let there = vitals.iter().find(|row| row["id"] == heavy.as_str()).unwrap();
    assert_eq!(there["heart_rate"], 81);
    world.hub.hub.terminate().await.unwrap();
    held.sort();
    let mut told = world.unacknowledged().await;
    told.sort();
    assert_eq!(told, held);
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_that_the_older_clouds_columns_can_not_hold_stop_nothing() {
    odd_measurements(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_that_the_newer_clouds_columns_can_not_hold_stop_nothing() {
    odd_measurements(Generation::C2).await;
}
