//! The plug is pulled in the middle of runs, at any request and any row: nothing counts as acknowledged that PostgreSQL does
//! not hold, what it holds is not sent for ever, and the next run goes on.
//!
//! `HUB_TEST_KILLS` says how often (3), `HUB_TEST_SEED` repeats the choices.

use std::time::Duration;

use hub_tests::cloud::{Counts, Generation};
use hub_tests::effort::{number, report};
use hub_tests::hub::Log;

use super::chance::Chance;
use super::staff;
use super::world::Relayed;

/// Edits between two cuts.
const EDITS: usize = 12;
/// The plug is pulled behind one of so many first rows.
const ROWS: usize = 4;
/// After what was waited for, the plug is pulled within this time.
const WITHIN: Duration = Duration::from_millis(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_loses_power_in_a_run_goes_on_with_the_next() {
    let mut chance = Chance::from_environment();
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let kills = number("HUB_TEST_KILLS", 3);
    let (mut sent, mut unsettled) = (0, 0);
    for kill in 0..kills {
        world.cloud.switch(|switches| {
            switches.generation = [Generation::C1, Generation::C2][kill % 2];
        });
        for edit in 0..EDITS {
            staff::work(&mut world.phone, &mut chance, kill * EDITS + edit).unwrap();
        }
        // The second time it gets what the hub made of its rows.
        for _ in 0..2 {
            world.phone.sync_in_turn().await.unwrap();
        }
        let _ = world.cloud.take_counts();
        world.hub.hub.panel().await.unwrap().begin_sync(false).await.unwrap();
        let rows = u64::try_from(chance.below(ROWS)).unwrap();
        let reached: fn(&Counts, u64) -> bool = match kill % 4 {
            0 => |counts, rows| counts.rows_pushed > rows,
            1 => |counts, _| counts.pulls > 0,
            2 => |counts, _| counts.verify > 0,
            _ => |counts, _| counts.pulls > 1,
        };
        world.cloud.wait_for(|counts| reached(counts, rows)).await;
        tokio::time::sleep(chance.time_below(WITHIN)).await;
        world.hub.hub.kill9().await.unwrap();
        sent += world.cloud.take_counts().rows_pushed;

        unsettled += world.assert_nothing_acknowledged_is_missing().await;
        world.hub.start_again().await.unwrap();
        world.hub.hub.wait_for_run(0).await.unwrap();
    }
    world.run_through().await;
    world.phone.sync().await.unwrap();
    world.assert_alike().await;
    world.assert_quiet().await;
    assert!(sent > 0 && unsettled > 0);
    report(&format!(
        "{kills} cuts, {sent} rows sent before them, {unsettled} not acknowledged then"
    ));
}
