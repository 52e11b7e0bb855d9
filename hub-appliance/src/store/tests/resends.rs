//! Rows that one phone has to get again: it alone gets them, and until it has them.

use super::desk::{Desk, OTHER, Phone, desk, of, two_clinics};
use super::*;

fn resend(desk: &Desk, phone: &Phone, row: &'static str) {
    let table = schema::TableId::named("patients").unwrap();
    let device = phone.number;
    desk.hub
        .store
        .write(move |tx| super::super::sync::resend::resend(tx, device, table, row))
        .unwrap();
}

/// The patients that come with a pull, and in which list.
fn pull(desk: &Desk, phone: &mut Phone) -> Value {
    desk.pull(phone)["patients"].clone()
}

/// Two phones of a clinic with a patient.
fn two_phones() -> (Desk, Phone, Phone) {
    let desk = desk();
    let mut phone = desk.phone(1, &[CLINIC]);
    desk.push(&phone, created("patients", json!([of(CLINIC, "p1"), of(CLINIC, "p2")])));
    desk.pull(&mut phone);
    let other = desk.phone(2, &[CLINIC]);
    (desk, phone, other)
}

fn nothing() -> Value {
    json!({"created": [], "updated": [], "deleted": []})
}

#[test]
fn one_phone_gets_a_row_again_until_it_has_it_and_nobody_else_does() {
    let (desk, mut phone, mut other) = two_phones();
    resend(&desk, &phone, "p1");
    let lost = desk.ask(&phone);
    assert_eq!(ids(&lost["changes"]["patients"]["updated"]), ["p1"]);
    let lost = lost["timestamp"].as_f64().unwrap();
    assert!(
        lost > phone.cursor,
        "or the phone could not tell the hub that it has this answer"
    );
    assert_eq!(
        ids(&pull(&desk, &mut phone)["updated"]),
        ["p1"],
        "the first answer was lost"
    );
    assert_eq!(pull(&desk, &mut other), nothing());

    assert_eq!(pull(&desk, &mut phone), nothing());
    let arrived = phone.cursor;
    desk.pull(&mut phone);
    assert!(arrived.total_cmp(&phone.cursor).is_eq(), "an idle pull again");
}

#[test]
fn a_row_that_goes_anyway_goes_once_and_a_deleted_one_as_deleted() {
    let (desk, mut phone, other) = two_phones();
    let renamed = patient("p1", "By the other", T + 1, "given_name");
    desk.push(&other, updated("patients", json!([renamed])));
    // Its own deletion does not come back to a phone but for this.
    desk.push(&phone, json!({"patients": {"deleted": ["p2"]}}));
    for row in ["p1", "p2", "nobody"] {
        resend(&desk, &phone, row);
    }
    let patients = pull(&desk, &mut phone);
    assert_eq!(ids(&patients["updated"]), ["p1"]);
    assert_eq!(patients["deleted"], json!([{"id": "p2"}, "p2"]));
    assert_eq!(patients["created"], json!([]));
}

/// A phone and a copy of it, which the hub has told apart: each has been given what the `other` has written since.
fn and_a_copy(desk: &Desk, phone: &mut Phone, clinics: &'static [&'static str], other: &Phone) -> Phone {
    let mut copy = phone.clone();
    copy.clinics = clinics;
    for id in ["p7", "p8", "p9"] {
        desk.push(
            other,
            created("patients", json!([of(CLINIC, id), of(OTHER, &format!("{id}-there"))])),
        );
        desk.pull(phone);
        desk.pull(&mut copy);
    }
    copy
}

#[test]
fn two_phones_under_one_id_each_get_it_once() {
    let (desk, mut phone, other) = two_phones();
    let mut copy = and_a_copy(&desk, &mut phone, &[CLINIC], &other);
    resend(&desk, &phone, "p1");
    for turn in 0..3 {
        for phone in [&mut phone, &mut copy] {
            let patients = pull(&desk, phone);
            let expected = if turn == 0 { vec!["p1"] } else { Vec::new() };
            assert_eq!(ids(&patients["updated"]), expected, "turn {turn}");
        }
    }
}

#[test]
fn a_row_that_is_out_of_sight_waits_until_it_is_in_sight_again() {
    let (desk, _, mut here) = two_clinics();
    resend(&desk, &here, "p1");
    here.clinics = &[OTHER];
    assert_eq!(ids(&pull(&desk, &mut here)["updated"]), Vec::<&str>::new());
    desk.pull(&mut here);
    let idle = here.cursor;
    desk.pull(&mut here);
    assert!(
        idle.total_cmp(&here.cursor).is_eq(),
        "what has to wait makes no pull another one"
    );
    here.clinics = &[CLINIC];
    assert_eq!(ids(&pull(&desk, &mut here)["updated"]), ["p1"]);
    assert_eq!(pull(&desk, &mut here), nothing());

    // It went with an answer that was lost, and then was out of sight.
    resend(&desk, &here, "p1");
    assert_eq!(ids(&desk.ask(&here)["changes"]["patients"]["updated"]), ["p1"]);
    here.clinics = &[OTHER];
    desk.pull(&mut here);
    here.clinics = &[CLINIC];
    assert_eq!(ids(&pull(&desk, &mut here)["updated"]), ["p1"]);
    assert_eq!(pull(&desk, &mut here), nothing());
}

#[test]
fn of_two_phones_under_one_id_the_one_that_sees_it_gets_it_once_and_the_other_when_it_does() {
    let (desk, both, mut here) = two_clinics();
    let mut there = and_a_copy(&desk, &mut here, &[OTHER], &both);
    resend(&desk, &here, "p1");
    let mut given = Vec::new();
    for turn in 0..6 {
        if turn == 3 {
            there.clinics = &[CLINIC];
        }
        for (name, phone) in [("here", &mut here), ("there", &mut there)] {
            let patients = pull(&desk, phone);
            for list in ["created", "updated"] {
                let mut ids = ids(&patients[list]);
                ids.retain(|id| *id == "p1");
                given.extend(ids.iter().map(|id| format!("{turn} {name} {id}")));
            }
        }
    }
    assert_eq!(given, ["0 here p1", "3 there p1"]);
}
