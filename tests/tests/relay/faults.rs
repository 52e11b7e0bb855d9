//! Everything goes wrong at once, and the cloud becomes the other one on the way: afterwards phones, hub and PostgreSQL hold
//! the same.
//!
//! `HUB_TEST_RUNS` says through how many runs of the relay (8; 200 are some five minutes), `HUB_TEST_SEED` repeats the
//! choices.

use hub_tests::cloud::{Fault, Generation};
use hub_tests::compare::Comparison;
use hub_tests::effort::{number, report};
use hub_tests::hub::Log;
use hub_tests::phone::Phone;
use tokio::task::JoinSet;

use super::chance::Chance;
use super::staff;
use super::world::{Relayed, phone_of_admin};

const PHONES: usize = 3;
/// Syncs of each of them during a run of the relay, at most.
const SYNCS: usize = 3;
const DAY_MS: i64 = 86_400_000;

fn fault(chance: &mut Chance) -> Fault {
    match chance.below(6) {
        0 => Fault::DropPullAfter(chance.below(20_000)),
        1 => Fault::Unavailable,
        2 => Fault::CutBeforeAnswer,
        3 => Fault::CutBeforePush,
        4 => Fault::CutInPush(chance.below(30)),
        _ => Fault::MissNewest,
    }
}

/// Works and syncs for as long as a run of the relay takes, or a little less; gives how much it did.
async fn at_a_phone(mut phone: Phone, mut chance: Chance, first: usize) -> (Phone, usize) {
    let mut done = 0;
    for _ in 0..=chance.below(SYNCS) {
        for _ in 0..=chance.below(3) {
            staff::work(&mut phone, &mut chance, first + done).unwrap();
            done += 1;
        }
        phone.sync_in_turn().await.unwrap();
    }
    (phone, done)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_phones_hub_and_postgresql_end_alike() {
    let mut chance = Chance::from_environment();
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let days_off = [0, DAY_MS, -DAY_MS][chance.below(3)];
    world.cloud.switch(|switches| switches.clock_off = days_off);
    let mut phones = Vec::new();
    for _ in 0..PHONES {
        phones.push(phone_of_admin(&world.hub, &world.clinic).await);
    }

    let runs = number("HUB_TEST_RUNS", 8);
    let (mut ends, mut edits) = (Vec::new(), 0);
    for run in 0..runs {
        world.cloud.switch(|switches| {
            switches.object_object = chance.below(2) == 0;
            if run == runs / 2 {
                switches.generation = Generation::C2;
            }
            let more = chance.below(3);
            switches.faults.extend((0..more).map(|_| fault(&mut chance)));
        });
        for change in 0..chance.below(3) {
            staff::work_at_the_desk(&world.cloud, &mut chance, 10 * run + change).await;
        }
        let mut working = JoinSet::new();
        for (place, phone) in phones.drain(..).enumerate() {
            working.spawn(at_a_phone(phone, chance.split(), 1000 * run + 100 * place));
        }
        ends.push(world.run().await);
        for (phone, done) in working.join_all().await {
            phones.push(phone);
            edits += done;
        }
    }
    world.cloud.switch(|switches| switches.faults.clear());

    // What the cloud did not show twice is held, until a person asks.
    for _ in 0..3 {
        for phone in phones.iter_mut().chain([&mut world.phone]) {
            phone.sync_in_turn().await.unwrap();
        }
        world.run_through().await;
    }
    for phone in phones.iter_mut().chain([&mut world.phone]) {
        phone.sync_in_turn().await.unwrap();
    }
    let seen = world.hub_content().await;
    for phone in &phones {
        let compared = Comparison::of_one_user().compare(&phone.database, &seen);
        assert_eq!(compared, Ok(()), "a phone left, the hub right");
    }
    world.assert_cloud_has(&seen).await;
    world.assert_quiet().await;
    let failed = ends.iter().filter(|end| end.contains("Failed")).count();
    report(&format!("{edits} edits, {runs} runs, {failed} of them failed"));
    assert!(failed > 0 && failed < runs);
    world.hub.hub.terminate().await.unwrap();
    assert_eq!(world.assert_nothing_acknowledged_is_missing().await, 0);
}
