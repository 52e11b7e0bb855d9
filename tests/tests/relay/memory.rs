//! A first pull and a first push of a large clinic on a board of 512 MiB, of which the hub may have 400.
//!
//! Too long for every run of the tests: `scripts/bench --loads` runs it. `HUB_TEST_ROWS` says how many rows (100,000).

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::Cloud;
use hub_tests::effort::{number, report};
use hub_tests::hub::{Log, PIN, TestHub};

use super::limits::Board;
use super::many_events::push_events;
use super::world::new_patient;

/// What a first pull may take in all, and a first push beside what an idle hub has, KiB.
const PULLED: u64 = 200 * 1024;
const PUSHED: u64 = 32 * 1024;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: scripts/bench --loads"]
async fn a_first_pull_and_a_first_push_of_100_000_rows_fit_a_small_board() {
    let rows = number("HUB_TEST_ROWS", 100_000);
    let clinic = Clinic::generate(41, ClinicSize::about_rows(rows));
    let cloud = Cloud::start(&clinic).await.unwrap();
    let mut world = TestHub::empty(Log::Warnings).await.unwrap();
    world.hub.terminate().await.unwrap();
    std::fs::write(world.setup_file(), cloud.setup()).unwrap();
    // From its start, so that all its memory counts.
    world.start_locked().await.unwrap();
    let _board = Board::of_memory(world.hub.pid().unwrap());
    world.hub.panel().await.unwrap().unlock(PIN).await.unwrap();
    let ended = world.hub.wait_for_run(0).await.unwrap();
    assert!(ended.contains("Waiting"), "{ended}");
    let (_, highest) = world.hub.resident_kib().unwrap();
    let counts = cloud.take_counts();
    report(&format!(
        "pull of {} rows, {} KiB: {highest} KiB at most",
        counts.rows_pulled,
        counts.bytes_out / 1024
    ));
    assert!(counts.rows_pulled >= u64::try_from(rows).unwrap() * 9 / 10);
    assert!(highest < PULLED, "{highest} KiB");

    let mut phone = world.phone(clinic.user("admin@clinic.example").unwrap()).await.unwrap();
    phone.sync().await.unwrap();
    push_events(&mut phone, &new_patient("Amina"), rows).await;
    // What the phone's pushes took goes back with the lock; the run begins with the unlocking.
    let mut panel = world.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    let before = world.hub.relay_runs().len();
    panel.unlock(PIN).await.unwrap();
    let (idle, _) = world.hub.resident_kib().unwrap();
    world.hub.forget_highest().unwrap();
    let ended = world.hub.wait_for_run(before).await.unwrap();
    assert!(ended.contains("Waiting"), "{ended}");
    let (_, highest) = world.hub.resident_kib().unwrap();
    let counts = cloud.take_counts();
    report(&format!(
        "push of {} rows in {} requests, {} KiB: {idle} KiB idle, {highest} KiB at most",
        counts.rows_pushed,
        counts.pushes,
        counts.bytes_in / 1024
    ));
    assert!(counts.rows_pushed >= u64::try_from(rows).unwrap());
    assert!(highest < idle + PUSHED, "{highest} KiB, {idle} idle");
}
