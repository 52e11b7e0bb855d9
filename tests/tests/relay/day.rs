//! What a day costs, on the wire and with all that HTTP says around the bodies: the figures of the README.

use hub_tests::clinic::Clinic;
use hub_tests::cloud::{Cloud, Link, Quality};
use hub_tests::effort::report;
use hub_tests::hub::Log;

use super::staff;
use super::world::{Relayed, SIZE};

/// Minutes between two runs while there is something to send, and otherwise.
const BUSY: i64 = 5;
const IDLE: i64 = 15;
const MINUTE_MS: i64 = 60_000;
/// Runs of each kind that are measured.
const RUNS: u64 = 4;
/// Hours in which patients come, one every five minutes.
const OPEN: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_a_clinic_and_an_idle_one_cost_what_the_readme_says() {
    let clinic = Clinic::generate(31, SIZE);
    let cloud = Cloud::start(&clinic).await.unwrap();
    let link = Link::to(cloud.url(), Quality::GOOD).await.unwrap();
    let setup = cloud.setup_over(&link);
    let mut world = Relayed::with(clinic, cloud, &setup, Log::Warnings).await;
    let later = |world: &Relayed, minutes: i64| {
        world.cloud.switch(|switches| switches.clock_off += minutes * MINUTE_MS);
    };
    // Past the first pull's ten minutes.
    later(&world, IDLE);
    world.run_through().await;
    later(&world, IDLE);
    let _ = (link.take_carried(), world.cloud.take_counts());
    for _ in 0..RUNS {
        world.run_through().await;
        later(&world, IDLE);
    }
    let idle = [link.take_carried(), requests(&world)];
    for patient in 0..usize::try_from(RUNS).unwrap() {
        staff::admit(&mut world.phone, patient).unwrap();
        world.phone.sync().await.unwrap();
        world.run_through().await;
        later(&world, BUSY);
    }
    let busy = [link.take_carried(), requests(&world)];

    let of = |hours: u64, every: i64| hours * 60 / every.unsigned_abs();
    let (busy_runs, idle_runs) = (of(OPEN, BUSY), of(24 - OPEN, IDLE));
    let sum = |busy_runs: u64, idle_runs: u64| {
        let part = |kind: usize, way: usize| (busy[kind][way] * busy_runs + idle[kind][way] * idle_runs) / RUNS;
        [part(1, 0), part(0, 0) / 1024, part(0, 1) / 1024]
    };
    let [requests, up, down] = sum(busy_runs, idle_runs);
    report(&format!(
        "a day of {busy_runs} patients: {requests} requests, {up} KiB up, {down} KiB down"
    ));
    assert!(requests == 512 && up <= 450 && down <= 1_500, "{requests} {up} {down}");
    let [requests, up, down] = sum(0, of(24, IDLE));
    report(&format!(
        "an idle day: {requests} requests, {up} KiB up, {down} KiB down"
    ));
    assert!(requests == 192 && up <= 50 && down <= 190, "{requests} {up} {down}");
}

/// Requests, beside nothing.
fn requests(world: &Relayed) -> [u64; 2] {
    let counts = world.cloud.take_counts();
    [counts.verify + counts.pulls + counts.pushes, 0]
}
