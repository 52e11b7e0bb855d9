//! A day of a clinic: what a phone writes, what the cloud changes, what both change, and what is deleted.

use hub_tests::cloud::{API_KEY, Generation};
use hub_tests::hub::Log;
use hub_tests::phone::cell::Cell;
use serde_json::json;

use super::world::{Relayed, new_patient};

async fn there_and_back(generation: Generation) {
    let mut world = Relayed::new(generation, Log::Everything).await;
    world.assert_alike().await;

    // A day's work on the phone.
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let old = world.patient();
    world
        .phone
        .edit("patients", &old, &[("hometown", "Elsewhere".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    world.assert_alike().await;
    let visits = world.cloud.rows("visits").await.unwrap();
    assert!(visits.iter().any(|row| row["id"] == visit.as_str()));
    world.assert_quiet().await;

    // The cloud changes what the phone has, and what the phone made.
    world
        .cloud
        .edit("patients", &patient, &[("camp", json!("North"))])
        .await
        .unwrap();
    world
        .cloud
        .edit("patients", &old, &[("surname", json!("Renamed"))])
        .await
        .unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let cell = |world: &Relayed, id: &str, column| world.phone.database.cell("patients", id, column).unwrap().clone();
    assert_eq!(cell(&world, &patient, "camp"), Cell::text("North"));
    assert_eq!(cell(&world, &old, "surname"), Cell::text("Renamed"));
    assert_eq!(cell(&world, &old, "hometown"), Cell::text("Elsewhere"));
    world.assert_alike().await;
    world.assert_quiet().await;

    // Over night it becomes the other cloud.
    let other = match generation {
        Generation::C1 => Generation::C2,
        Generation::C2 => Generation::C1,
    };
    world.cloud.switch(|switches| switches.generation = other);
    world.assert_quiet().await;

    // Both change it before they hear of each other.
    world
        .cloud
        .edit("patients", &old, &[("camp", json!("South"))])
        .await
        .unwrap();
    world
        .phone
        .edit("patients", &old, &[("hometown", "Farther".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    assert_eq!(cell(&world, &old, "camp"), Cell::text("South"));
    assert_eq!(cell(&world, &old, "hometown"), Cell::text("Farther"));
    world.assert_alike().await;

    // Deletions, both ways.
    world.phone.delete("visits", &visit).unwrap();
    world.phone.sync().await.unwrap();
    world.cloud.delete("patients", &old).await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let is_gone = |world: &Relayed, id: &str| {
        let table = hub_tests::schema::schema().table("patients").unwrap();
        world
            .phone
            .database
            .row("patients", id)
            .is_none_or(|row| row.is_deleted(table))
    };
    assert!(is_gone(&world, &old));
    let visits = world.cloud.rows("visits").await.unwrap();
    assert!(!visits.iter().any(|row| row["id"] == visit.as_str()));
    world.assert_quiet().await;
    assert!(
        !world.hub.hub.printed().contains(&API_KEY[3..]),
        "the key is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_there_and_back_with_the_older_cloud() {
    there_and_back(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_there_and_back_with_the_newer_cloud() {
    there_and_back(Generation::C2).await;
}
