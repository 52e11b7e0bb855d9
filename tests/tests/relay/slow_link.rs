//! A clinic behind a satellite: 600 ms, 256 kbit/s, three seconds of every twenty without it, and while rows go up, every
//! connection cut after what twenty seconds carry. A first pull and a first push end all the same, and what was acknowledged never goes twice.
//!
//! All times are shrunk alike. `HUB_TEST_FASTER` says by how much (20; 10 for the larger).

use std::collections::{BTreeMap, BTreeSet};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::{Cloud, Link, Quality};
use hub_tests::effort::{number, report};
use hub_tests::hub::Log;

use super::many_events::push_events;
use super::world::{Relayed, new_patient};

/// The most rows of a request, which is lost with a cut.
const BATCH: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_pull_and_a_first_push_over_a_satellite_end_and_what_arrived_is_not_sent_again() {
    over_a_satellite(3_000, number("HUB_TEST_FASTER", 20)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/bench --loads"]
async fn a_first_pull_and_a_first_push_of_50_000_rows_over_a_satellite_end() {
    over_a_satellite(50_000, number("HUB_TEST_FASTER", 10)).await;
}

async fn over_a_satellite(rows: usize, faster: usize) {
    let faster = u32::try_from(faster).unwrap();
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

    // A run that came by itself meanwhile would send them over the good link.
    world.cloud.switch(|switches| switches.status = "suspended");
    push_events(&mut world.phone, &new_patient("Amina"), rows).await;
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    let cuts = link.cuts();
    link.become_quality(Quality::cut_satellite(faster));
    world.cloud.switch(|switches| switches.status = "active");
    let ended = world.hub.hub.relay_runs().len();
    world.hub.hub.panel().await.unwrap().begin_sync(false).await.unwrap();
    // One cut is certain to be in the middle of a request, and one right behind an answer.
    world.cloud.wait_for(|counts| counts.rows_pushed > 100).await;
    link.cut();
    world.cloud.wait_for(|counts| counts.rows_taken > BATCH).await;
    link.cut();
    let wanted = u64::try_from(rows).unwrap() + 2;
    world.cloud.wait_for(|counts| counts.rows_pushed >= wanted).await;
    link.become_quality(Quality::satellite(faster));
    let cuts = link.cuts() - cuts;
    world.hub.hub.wait_for_run(ended).await.unwrap();
    link.become_quality(Quality::GOOD);
    let runs = world.hub.hub.relay_runs().len() - ended;
    world.run_through().await;
    world.assert_alike().await;

    let counts = world.cloud.take_counts();
    let mut pushes: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for pushed in &counts.pushed {
        pushes.entry(&pushed.row).or_default().push(pushed.push);
    }
    let again: u64 = pushes.values().map(|times| times.len() as u64 - 1).sum();
    // A row of a push whose answer came through is never in a later one.
    let answers: BTreeSet<u64> = link.answers();
    let is_needless = |times: &&Vec<u64>| times.iter().rev().skip(1).any(|push| answers.contains(push));
    let needless = pushes.values().filter(is_needless).count();
    report(&format!(
        "first push: {} rows in {} requests of {runs} runs, {} answers, {cuts} cuts, {again} rows sent again, {needless} of them for \
         nothing, {} pulls",
        pushes.len(),
        counts.pushes,
        answers.len(),
        counts.pulls
    ));
    assert!(cuts > 2 && pushes.len() >= rows);
    assert!(again > 0, "no cut was in the middle of a request");
    assert_eq!(needless, 0, "acknowledged rows were sent again");
    assert!(
        answers.len() as u64 >= wanted / BATCH,
        "{} answers came through",
        answers.len()
    );
    assert!(again <= cuts * BATCH, "{again} rows again after {cuts} cuts");
    world.assert_quiet().await;
}
