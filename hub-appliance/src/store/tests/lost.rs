//! What a phone gets that lost an answer, changed hands, went back or was copied.

use super::desk::{Desk, OTHER, Phone, of, two_clinics, visit};
use super::*;

#[test]
fn another_user_whose_first_answer_is_lost_gets_it_at_the_next_try() {
    let (desk, _, mut here) = two_clinics();
    (here.user, here.clinics) = ("user-2", &[OTHER]);
    desk.ask(&here);
    let desk = desk.restart();
    desk.pull(&mut here);
    assert!(here.has("patients", "p2") && here.has("events", "e2"));
    assert_eq!(desk.ask(&here)["timestamp"], here.cursor, "an idle pull from then on");
}

#[test]
fn an_answer_that_may_be_lost_is_remembered_over_a_restart() {
    let (desk, both, mut here) = two_clinics();
    desk.push(&both, created("patients", json!([of(CLINIC, "p3")])));
    // After a forced upload it asks by its own clock, which is slow.
    here.cursor = 1000.0;
    desk.ask(&here);
    let desk = desk.restart();
    desk.pull(&mut here);
    assert!(here.has("patients", "p3"));

    // The same with a forced upload after the loss: the upload casts the doubt.
    desk.push(&both, created("patients", json!([of(CLINIC, "p4")])));
    desk.ask(&here);
    let forced = Phone {
        cursor: 1.0,
        ..here.clone()
    };
    desk.push(&forced, json!({}));
    let desk = desk.restart();
    here.cursor = 2000.0;
    desk.pull(&mut here);
    assert!(here.has("patients", "p4"));
}

#[test]
fn what_a_user_marked_as_deleted_is_not_created_for_the_next_nor_for_the_same_again() {
    let (desk, both, mut here) = two_clinics();
    here.mark("patients", "p1");
    (here.user, here.clinics) = ("user-2", &[OTHER]);
    desk.pull(&mut here);
    desk.push(
        &both,
        updated(
            "patients",
            json!([{"id": "p1", "camp": "X", "_changed": "camp", "updated_at": T + 5}]),
        ),
    );
    desk.pull(&mut here);
    (here.user, here.clinics) = ("user-1", &[CLINIC]);
    desk.pull(&mut here);
    (here.user, here.clinics) = ("user-3", &[CLINIC, OTHER]);
    desk.pull(&mut here);
    assert!(here.has("patients", "p2"));
}

#[test]
fn a_phone_that_went_back_gets_what_it_wrote_itself_since() {
    let (desk, _, mut here) = two_clinics();
    let backup = here.clone();
    desk.push(&here, created("patients", json!([of(CLINIC, "mine")])));
    here.rows.insert(("patients".into(), "mine".into()), of(CLINIC, "mine"));
    desk.pull(&mut here);
    desk.push(
        &here,
        updated("patients", json!([patient("p1", "Renamed", T + 5, "given_name")])),
    );
    desk.pull(&mut here);
    desk.pull(&mut here);

    let mut restored = backup;
    let lost = desk.ask(&restored);
    assert_eq!(ids(&lost["changes"]["patients"]["created"]), ["mine"]);
    let desk = desk.restart();
    desk.pull(&mut restored);
    assert!(restored.has("patients", "mine"));
    assert_eq!(restored.name_of("p1"), "Renamed");
    // From then on it is the device, and does not get back what it writes.
    desk.push(&restored, created("patients", json!([of(CLINIC, "next")])));
    let changes = desk.pull(&mut restored);
    assert_eq!(
        changes["patients"],
        json!({"created": [], "updated": [], "deleted": []})
    );
}

#[test]
fn a_push_of_a_phone_that_went_back_conflicts_with_what_its_id_wrote_since() {
    let (desk, _, mut here) = two_clinics();
    let restored = here.clone();
    desk.push(&here, created("visits", json!([visit("v1", "p1", Some(CLINIC))])));
    desk.pull(&mut here);
    desk.push(
        &here,
        updated("patients", json!([patient("p1", "Later", T + 50, "given_name")])),
    );
    desk.pull(&mut here);
    desk.pull(&mut here);
    desk.push(
        &restored,
        updated("patients", json!([patient("p1", "Earlier", T + 40, "given_name")])),
    );
    let fresh = desk.phone(9, &[CLINIC]);
    assert_eq!(fresh.name_of("p1"), "Later");
    assert!(
        desk.hub
            .history("p1")
            .contains(&("lost".into(), json!({"given_name": "Earlier"})))
    );
}

#[test]
fn two_copies_under_one_id_that_take_turns_both_get_everything() {
    let (desk, both, first) = two_clinics();
    let mut copies = [first.clone(), first];
    let mut written = Vec::new();
    for turn in 0..6 {
        let copy = &mut copies[turn % 2];
        desk.pull(copy);
        let id = format!("t{turn}");
        desk.push(copy, created("patients", json!([of(CLINIC, &id)])));
        copy.rows.insert(("patients".into(), id.clone()), of(CLINIC, &id));
        written.push(id);
        let others = format!("o{turn}");
        desk.push(&both, created("patients", json!([of(CLINIC, &others)])));
        written.push(others);
        desk.pull(&mut copies[turn % 2]);
    }
    for copy in &mut copies {
        desk.pull(copy);
        let missing: Vec<_> = written.iter().filter(|id| !copy.has("patients", id)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

/// How many answers are remembered.
fn answers(desk: &Desk) -> i64 {
    desk.hub
        .store
        .read(|snapshot| -> Result<i64, StoreError> {
            let mut count = snapshot.connection()?.prepare("SELECT count(*) FROM answers")?;
            Ok(count.query_row([], |row| row.get(0))?)
        })
        .unwrap()
}

#[test]
fn answers_are_forgotten_by_age_and_a_phone_that_goes_back_further_gets_all_the_same() {
    const DAYS: i64 = 24 * 60 * 60 * 1000;
    let (desk, both, mut here) = two_clinics();
    let mut backups = Vec::new();
    for place in 0..20 {
        // From the eighth on its user sees the other clinic too, and then no more.
        here.clinics = if (8..12).contains(&place) {
            &[CLINIC, OTHER]
        } else {
            &[CLINIC]
        };
        desk.pull(&mut here);
        backups.push(here.clone());
        for (clinic, name) in [(CLINIC, "own"), (OTHER, "other")] {
            desk.push(
                &both,
                created("patients", json!([of(clinic, &format!("{name}-{place}"))])),
            );
        }
        let made = of(CLINIC, &format!("made-{place}"));
        desk.push(&here, created("patients", json!([made])));
        here.rows.insert(("patients".into(), format!("made-{place}")), made);
    }
    desk.pull(&mut here);
    let before = answers(&desk);

    let desk = desk.restart_in(70 * DAYS);
    let sync = |here: &mut Phone, name: &str| {
        desk.push(&both, created("patients", json!([of(CLINIC, name)])));
        desk.pull(here);
    };
    sync(&mut here, "late");
    assert_eq!(answers(&desk), before + 1, "a step of the clock makes nothing old");
    for number in 0..256 {
        sync(&mut here, &format!("late-{number}"));
    }
    let after = answers(&desk);
    assert!(after <= before + 257 - 14, "{after} of {before}");
    let here_now = here.clone();

    for (place, backup) in backups.iter().enumerate() {
        let mut restored = backup.clone();
        restored.clinics = &[CLINIC, OTHER];
        let came = desk.pull(&mut restored);
        for made in 0..20 {
            for name in ["own", "other", "made"] {
                let id = format!("{name}-{made}");
                assert!(restored.has("patients", &id), "backup {place}: {id}");
            }
        }
        let had_both = (8..12).contains(&place);
        let came = came["patients"]["created"].as_array().unwrap();
        let again = came
            .iter()
            .any(|row| row["id"] == "own-0" || (had_both && row["id"] == "other-0"));
        assert!(place == 0 || !again, "backup {place} gets what it has");
    }
    // The phone itself goes on from where it was.
    let mut here = here_now;
    here.clinics = &[CLINIC];
    desk.pull(&mut here);
    assert_eq!(desk.pull(&mut here)["patients"]["created"], json!([]));
}
