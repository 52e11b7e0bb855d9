//! Rows that one phone has to get again: it alone gets them, and until it has them.

use super::*;

fn resend(hub: &Hub, device: DeviceNumber, row: &'static str) {
    let table = schema::TableId::named("patients").unwrap();
    hub.store
        .write(move |tx| super::super::sync::resend::resend(tx, device, table, row))
        .unwrap();
}

/// A pull that is written down as `sync_pull` does it.
fn pull(hub: &Hub, device: DeviceNumber, since: HubTime) -> (Value, HubTime) {
    let (changes, given) = hub.pull(device, since);
    hub.store.write(move |tx| tx.note_resent(device, since, given)).unwrap();
    (changes["patients"].clone(), given)
}

#[test]
fn one_phone_gets_a_row_again_until_it_has_it_and_nobody_else_does() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, a) = pull(&hub, A, HubTime::ZERO);
    let (_, b) = pull(&hub, B, HubTime::ZERO);
    resend(&hub, A, "p1");

    let (patients, lost) = pull(&hub, A, a);
    assert_eq!(ids(&patients["updated"]), ["p1"]);
    assert!(lost > a, "or the phone could not tell the hub that it has this answer");
    let (patients, again) = pull(&hub, A, a);
    assert_eq!(ids(&patients["updated"]), ["p1"], "the first answer was lost");
    assert_eq!(pull(&hub, B, b).0, json!({"created": [], "updated": [], "deleted": []}));

    let (patients, arrived) = pull(&hub, A, again);
    assert_eq!(patients, json!({"created": [], "updated": [], "deleted": []}));
    assert_eq!(pull(&hub, A, arrived).1, arrived, "an idle pull again");
}

#[test]
fn a_row_that_goes_anyway_goes_once_and_a_deleted_one_as_deleted() {
    let hub = hub();
    let rows = ["p1", "p2"].map(|id| patient(id, "Amina", T, ""));
    hub.push(A, HubTime::ZERO, created("patients", json!(rows)));
    let (_, a) = pull(&hub, A, HubTime::ZERO);
    hub.push(
        B,
        a,
        updated("patients", json!([patient("p1", "By B", T + 1, "given_name")])),
    );
    // Its own deletion does not come back to a phone but for this.
    hub.push(A, a, json!({"patients": {"deleted": ["p2"]}}));
    resend(&hub, A, "p1");
    resend(&hub, A, "p2");
    resend(&hub, A, "nobody");
    let (patients, _) = pull(&hub, A, a);
    assert_eq!(ids(&patients["updated"]), ["p1"]);
    assert_eq!(patients["deleted"], json!([{"id": "p2"}, "p2"]));
    assert_eq!(patients["created"], json!([]));
}

#[test]
fn two_phones_under_one_id_each_get_it_once() {
    let hub = hub();
    hub.push(
        A,
        HubTime::ZERO,
        created("patients", json!([patient("p1", "Amina", T, "")])),
    );
    let (_, first) = pull(&hub, A, HubTime::ZERO);
    let (mut one, mut other) = (first, first);
    resend(&hub, A, "p1");
    for turn in 0..3 {
        for cursor in [&mut one, &mut other] {
            let (patients, given) = pull(&hub, A, *cursor);
            let expected = if turn == 0 { vec!["p1"] } else { Vec::new() };
            assert_eq!(ids(&patients["updated"]), expected, "turn {turn}");
            *cursor = given;
        }
    }
    assert_eq!(pull(&hub, A, one).1, pull(&hub, A, other).1);
}
