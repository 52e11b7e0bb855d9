//! What is promised of requests that are under way: how large one is, what the first run sends, and that an edit which comes
//! while a row is on its way goes after it.

use std::collections::BTreeMap;

use hub_tests::cloud::{Counts, Generation};
use hub_tests::hub::Log;
use hub_tests::phone::cell::Cell;
use serde_json::json;

use super::world::{Relayed, new_patient};

/// The most rows of a request.
const BATCH: usize = 500;

/// Rows of each push.
fn pushes(counts: &Counts) -> BTreeMap<u64, usize> {
    let mut pushes = BTreeMap::new();
    for pushed in &counts.pushed {
        *pushes.entry(pushed.push).or_default() += 1;
    }
    pushes
}

async fn edited_under_way(generation: Generation) {
    let mut world = Relayed::new(generation, Log::Warnings).await;
    let counts = world.cloud.take_counts();
    assert!(counts.pulls > 0);
    assert_eq!(counts.pushes, 0, "the first run of an empty hub only pulls");

    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    world.phone.sync().await.unwrap();
    // Somebody else's transaction keeps the cloud from taking the row, for as long as it is open.
    let mut elsewhere = world.cloud.elsewhere().await.unwrap();
    let open = elsewhere.transaction().await.unwrap();
    open.batch_execute("LOCK TABLE patients IN SHARE ROW EXCLUSIVE MODE")
        .await
        .unwrap();
    let ended = world.hub.hub.relay_runs().len();
    world.hub.hub.panel().await.unwrap().begin_sync(false).await.unwrap();
    world.cloud.wait_for(|counts| counts.rows_pushed > 0).await;
    let edit = [("hometown", Cell::text("Farther"))];
    world.phone.edit("patients", &patient, &edit).unwrap();
    world.phone.sync().await.unwrap();
    open.commit().await.unwrap();
    world.hub.hub.wait_for_run(ended).await.unwrap();
    world.run_through().await;
    let rows = world.cloud.rows("patients").await.unwrap();
    let there = rows.iter().find(|row| row["id"] == patient.as_str()).unwrap();
    assert_eq!(there["hometown"], "Farther");
    let row = format!("patients/{patient}");
    let sent = world.cloud.take_counts().pushed;
    let times = sent.iter().filter(|pushed| pushed.row == row).count();
    assert_eq!(times, 2, "once as it was, once as it is");
    world.assert_alike().await;
    world.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_edited_while_it_is_under_way_goes_again_to_the_older_cloud() {
    edited_under_way(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_edited_while_it_is_under_way_goes_again_to_the_newer_cloud() {
    edited_under_way(Generation::C2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_has_more_than_500_rows_and_none_goes_twice() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let form = world.form();
    let events = 2 * BATCH + 200;
    for number in 0..events {
        let answers = json!([{"fieldId": "a", "value": format!("made up {number}")}]);
        world
            .phone
            .record_event(&patient, &visit, (&form, "Consultation"), &answers)
            .unwrap();
    }
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    world.run_through().await;
    let counts = world.cloud.take_counts();
    let pushes = pushes(&counts);
    assert!(pushes.values().all(|rows| *rows <= BATCH), "{pushes:?}");
    assert_eq!(pushes.values().sum::<usize>(), events + 2, "{pushes:?}");
    world.assert_alike().await;
}
