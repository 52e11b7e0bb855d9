//! Phones of both generations and a hub in one process, with everything that can happen between them in any order:
//! whatever happened, phones that sync until nothing moves hold what is in their users' sight and nothing that is gone,
//! and nothing that was acknowledged is lost.
//!
//! The cases are small and quick, so that a fault shrinks to the few steps that cause it. `HUB_TEST_CASES` says how many
//! there are (60), `HUB_TEST_SEED` where they begin (101). The same with real processes and time stands in `collisions.rs`.

#[path = "../support/journal.rs"]
mod journal;

mod check;
mod hub;
mod phone;
mod world;

use phone::EDITED;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use world::{CLINICS, PHONES, USERS, World};

/// What happens.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A record is made; `parent` picks the patient or visit that it hangs on.
    Create { phone: usize, table: usize, parent: usize },
    /// A column of a record gets one of few values.
    Edit {
        phone: usize,
        table: usize,
        row: usize,
        column: usize,
        value: u8,
    },
    /// A record is deleted by its flag, or the flag is taken back.
    Flag {
        phone: usize,
        table: usize,
        row: usize,
        deleted: bool,
    },
    /// A record is marked as deleted, of which the hub never hears.
    Mark { phone: usize, table: usize, row: usize },
    /// A field of the registration form is answered for a patient.
    Answer {
        phone: usize,
        row: usize,
        field: usize,
        value: u8,
    },
    /// A medicine is handed out: a record of it, and the phone's own sum of the stock.
    Dispense { phone: usize, quantity: i64 },
    /// A patient moves to a clinic.
    Move { phone: usize, row: usize, clinic: usize },
    /// An event turns out to be another patient's.
    Rehang { phone: usize, row: usize, parent: usize },
    /// The first half of a sync; its answer may be lost.
    Pull { phone: usize, lost: bool },
    /// The second half, if there was a first; its answer may be lost, and staff may go on editing while it is under way.
    Push {
        phone: usize,
        lost: bool,
        meanwhile: Option<(usize, u8)>,
    },
    /// A forced upload of what changed in the last so many of the phone's steps.
    ForceUpload { phone: usize, back: i64, lost: bool },
    /// A forced download.
    ForceDownload { phone: usize },
    /// Somebody else uses the phone.
    Switch { phone: usize, user: usize },
    /// A user may look into a clinic, or no more.
    Rights { user: usize, clinic: usize, view: bool },
    /// A user may edit records in a clinic, or no more.
    Edits { user: usize, clinic: usize, may: bool },
    /// The phone's state is put by.
    Backup { phone: usize },
    /// The phone is put back to the state that was put by.
    Restore { phone: usize },
    /// A second phone is made from the first, with the same id.
    Copy { phone: usize },
    /// The hub is locked and unlocked.
    Lock,
    /// The hub loses its power and starts again.
    Kill,
    /// The hub's own clock is set, by ms.
    Clock { by: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    // The last is a copy, where there is one.
    let phone = 0..=PHONES;
    let table = 0..EDITED.len();
    let lost = prop::bool::weighted(0.25);
    let records = prop_oneof![
        3 => (phone.clone(), table.clone(), 0..4_usize).prop_map(|(phone, table, parent)| Step::Create { phone, table, parent }),
        8 => (phone.clone(), table.clone(), 0..4_usize, 0..3_usize, any::<u8>())
            .prop_map(|(phone, table, row, column, value)| Step::Edit { phone, table, row, column, value }),
        2 => (phone.clone(), table.clone(), 0..4_usize, prop::bool::weighted(0.7))
            .prop_map(|(phone, table, row, deleted)| Step::Flag { phone, table, row, deleted }),
        1 => (phone.clone(), table, 0..4_usize).prop_map(|(phone, table, row)| Step::Mark { phone, table, row }),
        2 => (phone.clone(), 0..4_usize, 0..2_usize, any::<u8>())
            .prop_map(|(phone, row, field, value)| Step::Answer { phone, row, field, value }),
        1 => (phone.clone(), 1..9_i64).prop_map(|(phone, quantity)| Step::Dispense { phone, quantity }),
        2 => (phone.clone(), 0..4_usize, 0..CLINICS.len()).prop_map(|(phone, row, clinic)| Step::Move { phone, row, clinic }),
        1 => (phone.clone(), 0..4_usize, 0..4_usize).prop_map(|(phone, row, parent)| Step::Rehang { phone, row, parent }),
    ];
    let syncs = prop_oneof![
        7 => (phone.clone(), lost).prop_map(|(phone, lost)| Step::Pull { phone, lost }),
        7 => (phone.clone(), lost, prop::option::weighted(0.2, (0..4_usize, any::<u8>())))
            .prop_map(|(phone, lost, meanwhile)| Step::Push { phone, lost, meanwhile }),
        1 => (phone.clone(), 0..40_i64, lost).prop_map(|(phone, back, lost)| Step::ForceUpload { phone, back, lost }),
        1 => phone.clone().prop_map(|phone| Step::ForceDownload { phone }),
    ];
    let rare = prop_oneof![
        2 => (phone.clone(), 0..USERS.len()).prop_map(|(phone, user)| Step::Switch { phone, user }),
        2 => (0..USERS.len(), 0..CLINICS.len(), any::<bool>()).prop_map(|(user, clinic, view)| Step::Rights { user, clinic, view }),
        2 => (0..USERS.len(), 0..CLINICS.len(), prop::bool::weighted(0.4))
            .prop_map(|(user, clinic, may)| Step::Edits { user, clinic, may }),
        1 => phone.clone().prop_map(|phone| Step::Backup { phone }),
        1 => phone.clone().prop_map(|phone| Step::Restore { phone }),
        1 => phone.prop_map(|phone| Step::Copy { phone }),
        1 => Just(Step::Lock),
        1 => Just(Step::Kill),
        1 => prop_oneof![Just(-40 * 86_400_000_i64), Just(3_600_000), Just(700 * 86_400_000)].prop_map(|by| Step::Clock { by }),
    ];
    prop_oneof![18 => records, 16 => syncs, 3 => rare]
}

/// All phones begin with a pull; then these steps, and then what must hold.
fn play(steps: &[Step]) {
    let mut world = World::new();
    for phone in 0..PHONES {
        world.pull(phone, false);
    }
    for step in steps {
        world.take(step);
    }
    world.check();
}

const fn pull(phone: usize) -> Step {
    Step::Pull { phone, lost: false }
}

const fn push(phone: usize) -> Step {
    Step::Push {
        phone,
        lost: false,
        meanwhile: None,
    }
}

const fn answer(phone: usize) -> Step {
    Step::Answer {
        phone,
        row: 0,
        field: 0,
        value: 0,
    }
}

/// A patient of the phone's.
const fn patient(phone: usize, deleted: bool) -> Step {
    match deleted {
        false => Step::Create {
            phone,
            table: 0,
            parent: 0,
        },
        true => Step::Flag {
            phone,
            table: 0,
            row: 0,
            deleted,
        },
    }
}

#[test]
fn a_copy_hears_of_the_deletion_of_what_either_copy_made() {
    play(&[answer(0), push(0), patient(0, true), Step::Copy { phone: 0 }]);
    play(&[
        Step::Dispense { phone: 4, quantity: 1 },
        Step::Copy { phone: 0 },
        pull(4),
        patient(2, true),
        push(4),
    ]);
}

#[test]
fn a_copy_gets_what_the_other_wrote_before_they_were_told_apart() {
    play(&[Step::Copy { phone: 1 }, answer(1), push(1), pull(4), pull(4)]);
}

#[test]
fn a_copy_gets_what_the_other_pushes_after_they_were_told_apart() {
    play(&[
        patient(0, false),
        Step::Copy { phone: 1 },
        push(0),
        pull(4),
        pull(1),
        answer(1),
        pull(4),
        push(1),
        pull(4),
    ]);
}

#[test]
fn a_copy_gets_what_the_other_pushes_from_the_point_where_both_began() {
    play(&[
        patient(0, false),
        Step::Copy { phone: 0 },
        push(0),
        pull(0),
        Step::Pull { phone: 0, lost: true },
        answer(0),
        pull(4),
        push(0),
        pull(4),
    ]);
}

#[test]
fn a_copy_gets_what_had_left_a_place_before_its_user_came_there_and_comes_back() {
    let switch = |phone, user| Step::Switch { phone, user };
    let (to_clinic_b, visit) = (
        Step::Move {
            phone: 0,
            row: 0,
            clinic: 1,
        },
        Step::Create {
            phone: 2,
            table: 1,
            parent: 2,
        },
    );
    play(&[
        to_clinic_b,
        switch(1, 0),
        pull(1),
        Step::Pull { phone: 3, lost: true },
        push(0),
        switch(3, 2),
        visit,
        pull(3),
        Step::Copy { phone: 3 },
        push(2),
        pull(3),
    ]);
}

#[test]
fn a_form_of_a_copy_that_the_other_has_filled_in_is_kept() {
    let event = |phone, column| Step::Edit {
        phone,
        table: 2,
        row: 0,
        column,
        value: 0,
    };
    let made = Step::Create {
        phone: 0,
        table: 2,
        parent: 0,
    };
    play(&[made, Step::Copy { phone: 0 }, event(4, 0), event(0, 1)]);
}

#[test]
fn a_copy_whose_answers_are_lost_gets_what_the_other_pushed_before_they_were_told_apart() {
    play(&[
        Step::Copy { phone: 1 },
        patient(1, false),
        push(1),
        pull(4),
        answer(3),
        push(3),
        Step::Pull { phone: 4, lost: true },
        pull(4),
    ]);
    // The other one pulled as well, and its answer was taken for lost.
    play(&[
        answer(2),
        Step::Copy { phone: 1 },
        push(2),
        patient(1, false),
        pull(1),
        push(1),
        pull(4),
        answer(3),
        push(3),
        Step::Pull { phone: 4, lost: true },
        pull(4),
    ]);
}

#[test]
fn an_edit_that_a_user_without_the_right_sends_with_a_deletion_is_kept() {
    let while_it_is_pushed = Step::Push {
        phone: 2,
        lost: false,
        meanwhile: Some((1, 0)),
    };
    let deleted = Step::Flag {
        phone: 2,
        table: 0,
        row: 1,
        deleted: true,
    };
    play(&[deleted, while_it_is_pushed, Step::Switch { phone: 2, user: 3 }]);
}

#[test]
fn an_answer_that_is_merged_into_one_whose_pull_was_lost_brings_that_one() {
    let of_another = Step::Answer {
        phone: 1,
        row: 2,
        field: 0,
        value: 0,
    };
    play(&[
        answer(3),
        of_another,
        push(1),
        Step::Pull { phone: 3, lost: true },
        push(3),
    ]);
}

/// A number from the environment.
fn given(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[allow(clippy::print_stdout, reason = "a failed test shows it, so that it can be run again")]
fn phones_that_come_to_rest_hold_what_is_in_their_sight() {
    let cases = u32::try_from(given("HUB_TEST_CASES").unwrap_or(60)).unwrap();
    let seed = given("HUB_TEST_SEED").unwrap_or(101);
    println!("HUB_TEST_SEED={seed}");
    let config = ProptestConfig {
        cases,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut seeds = [0; 32];
    seeds[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seeds);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&prop::collection::vec(step(), 1..90), |steps| {
        play(&steps);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
