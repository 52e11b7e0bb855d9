//! Bundles that are imported again, or late: they undo nothing that the clinic or a newer bundle did.

use hub_appliance::store::sync::history::Why;
use serde_json::{Value, json};

use super::{Desk, MINUTE, bundle, history};

const FIRST: i64 = 1_900_000_000_000;

fn patient(site: &str, camp: &str, phone: &str, updated_at: &str) -> Value {
    json!({"patients": {"created": [{"id": "p1", "given_name": "Amina", "camp": camp, "phone": phone,
        "primary_clinic_id": site, "additional_data": {"a": 1}, "metadata": {}, "is_deleted": false,
        "created_at": "2025-01-01T00:00:00Z", "updated_at": updated_at}]}})
}

#[tokio::test]
async fn one_bundle_three_times_undoes_nothing() {
    let mut desk = Desk::new(1).await;
    let site = desk.site.clone();
    // The cloud's clock is far ahead of the clinic's: no time that it names may win by that.
    let first = patient(&site, "cloud", "1", "2036-01-01T00:00:00Z");
    bundle(&mut desk, &first, FIRST).await;
    let (_, base) = desk.pull(0, 0).await;
    let now = desk.now;
    let edit = json!({"id": "p1", "camp": "clinic", "updated_at": now, "_changed": "camp,updated_at"});
    desk.edit(0, base, "patients", edit).await;
    let (_, base) = desk.pull(0, base).await;
    for _ in 0..2 {
        bundle(&mut desk, &first, FIRST).await;
        assert_eq!(desk.row("patients", "p1").await["camp"], "clinic");
    }
    let (changes, next) = desk.pull(0, base).await;
    assert_eq!(
        (&changes["patients"]["updated"], next),
        (&json!([]), base),
        "nothing is sent again"
    );

    // What the cloud did change comes in, beside what the clinic changed.
    let second = patient(&site, "cloud", "2", "2036-02-01T00:00:00Z");
    bundle(&mut desk, &second, FIRST + MINUTE).await;
    let row = desk.row("patients", "p1").await;
    assert_eq!((&row["camp"], &row["phone"]), (&json!("clinic"), &json!("2")));
    bundle(&mut desk, &first, FIRST).await;
    assert_eq!(desk.row("patients", "p1").await, row, "it is older");
    // Both sides change one column: the later edit.
    let third = patient(&site, "of the cloud, later", "2", "2036-03-01T00:00:00Z");
    bundle(&mut desk, &third, FIRST + 2 * MINUTE).await;
    assert_eq!(desk.row("patients", "p1").await["camp"], "of the cloud, later");
    let fourth = patient(&site, "of the cloud, earlier", "2", "2025-03-01T00:00:00Z");
    let (_, base) = desk.pull(0, 0).await;
    let edit = json!({"id": "p1", "camp": "clinic again", "updated_at": now + 5, "_changed": "camp,updated_at"});
    desk.edit(0, base, "patients", edit).await;
    for _ in 0..2 {
        bundle(&mut desk, &fourth, FIRST + 3 * MINUTE).await;
        assert_eq!(desk.row("patients", "p1").await["camp"], "clinic again");
    }
    let kept = history(&desk.end().await, "patients", "p1");
    let lost: Vec<_> = kept.iter().filter(|(why, ..)| *why == Why::Lost).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!((lost[0].1, &lost[0].2["camp"]), (-1, &json!("of the cloud, earlier")));
}

#[tokio::test]
async fn the_demos_own_bundle_again_changes_nothing() {
    let mut desk = Desk::new(1).await;
    let (before, timestamp) = desk.pull(0, 0).await;
    let clinic = std::mem::replace(&mut desk.clinic, super::Clinic::generate(7, super::size()));
    desk.hub.take_in(|file| clinic.write_bundle(file)).await.unwrap();
    let (after, again) = desk.pull(0, 0).await;
    assert_eq!((before, timestamp), (after, again));
}
