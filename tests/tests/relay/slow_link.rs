//! A clinic behind a satellite: 600 ms, 256 kbit/s, three seconds of every twenty without it, and while rows go up, every
//! connection cut each twenty seconds. A first pull and a first push end all the same, and what was acknowledged never goes twice.
//!
//! `HUB_TEST_ROWS` says how many rows (800; 50,000 by hand), `HUB_TEST_FASTER` by how much all times are shrunk (10; 1 by
//! hand).

use std::collections::BTreeMap;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::{Cloud, Link, Quality};
use hub_tests::hub::Log;
use serde_json::json;

use super::world::{Relayed, new_patient};
use super::{number, report};

/// The most rows of a request, which is lost with a cut.
const BATCH: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_pull_and_a_first_push_over_a_satellite_end_and_what_arrived_is_not_sent_again() {
    let rows = number("HUB_TEST_ROWS", 800);
    let faster = u32::try_from(number("HUB_TEST_FASTER", 10)).unwrap();
    let clinic = Clinic::generate(41, ClinicSize::about_rows(rows));
    let cloud = Cloud::start(&clinic).await.unwrap();
    let link = Link::to(cloud.url(), Quality::satellite(faster)).await.unwrap();
    let setup = cloud.setup_over(&link);
    let mut world = Relayed::with(clinic, cloud, &setup, Log::Warnings).await;
    let counts = world.cloud.take_counts();
    let [_, down] = link.take_carried();
    report(&format!(
        "first pull: {} rows, {} pulls, {down} bytes",
        counts.rows_pulled, counts.pulls
    ));
    assert_eq!(counts.pulls, 1, "outages end no connection");
    assert!(down < counts.bytes_out + 4096, "{down} bytes for {}", counts.bytes_out);
    link.become_quality(Quality::GOOD);
    world.assert_alike().await;

    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let form = world.form();
    for row in 0..rows {
        let answers =
            json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": format!("made up {row}")}]);
        world
            .phone
            .record_event(&patient, &visit, (&form, "Consultation"), &answers)
            .unwrap();
    }
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    let cuts = link.cuts();
    link.become_quality(Quality::cut_satellite(faster));
    let ended = world.hub.hub.relay_runs().len();
    world.hub.hub.panel().await.unwrap().begin_sync(false).await.unwrap();
    let wanted = u64::try_from(rows).unwrap() + 2;
    world.cloud.wait_for(|counts| counts.rows_taken >= wanted).await;
    link.become_quality(Quality::satellite(faster));
    let cuts = link.cuts() - cuts;
    world.hub.hub.wait_for_run(ended).await.unwrap();
    link.become_quality(Quality::GOOD);
    world.run_through().await;
    world.assert_alike().await;

    let counts = world.cloud.take_counts();
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &counts.pushed {
        *times.entry(row).or_default() += 1;
    }
    let again: u64 = times.values().map(|times| times - 1).sum();
    report(&format!(
        "first push: {} rows in {} requests, {cuts} cuts, {again} rows sent again, {} pulls",
        times.len(),
        counts.pushes,
        counts.pulls
    ));
    assert!(cuts > 0 && times.len() >= rows);
    assert!(again <= cuts * BATCH, "{again} rows again after {cuts} cuts");
    world.assert_quiet().await;
}
