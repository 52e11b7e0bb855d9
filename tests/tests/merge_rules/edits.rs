//! Columns, keys of JSON, clocks, and last edits of deleted rows.

use std::time::Duration;

use hub_appliance::clock::HubTime;
use hub_appliance::store::StoreError;
use hub_appliance::store::sync::history::Why;
use serde_json::{Value, json};

use super::{Desk, MINUTE, history, lists, opened};

#[tokio::test]
async fn a_column_goes_to_the_later_edit_of_this_column() {
    let mut desk = Desk::new(2).await;
    let (id, base) = desk.patient().await;
    let now = desk.now;
    let edit = |column: &str, value: &str, at: i64| {
        let mut row = json!({"id": id, "updated_at": at, "_changed": format!("{column},updated_at")});
        row[column] = value.into();
        row
    };
    desk.edit(0, base, "patients", edit("camp", "first", now - 90 * MINUTE))
        .await;
    // The row is edited later, in another column: that says nothing of the camp.
    desk.edit(0, base, "patients", edit("phone", "1", now - 10 * MINUTE))
        .await;
    desk.edit(1, base, "patients", edit("camp", "second", now - 60 * MINUTE))
        .await;
    let row = desk.row("patients", &id).await;
    assert_eq!((&row["camp"], &row["phone"]), (&json!("second"), &json!("1")));
    assert_eq!(row["updated_at"], now - 10 * MINUTE, "the later of both");

    // Saving a form unchanged is no edit of its columns, and a tie goes to the stored value.
    let mut unchanged = edit("camp", "second", now - MINUTE);
    unchanged["_changed"] = "camp,phone,updated_at".into();
    unchanged["phone"] = "1".into();
    desk.edit(0, base, "patients", unchanged).await;
    for (at, camp) in [(60, "second"), (59, "third")] {
        desk.edit(0, base, "patients", edit("camp", "third", now - at * MINUTE))
            .await;
        assert_eq!(desk.row("patients", &id).await["camp"], camp, "{at}");
    }
    let history = history(&desk.end().await, "patients", &id);
    for lost in ["first", "second", "third"] {
        assert!(
            history
                .iter()
                .any(|(_, _, cells)| cells.get("camp") == Some(&json!(lost))),
            "{lost}"
        );
    }
}

#[tokio::test]
async fn an_edit_from_before_the_last_pull_conflicts_with_what_that_pull_brought() {
    let mut desk = Desk::new(2).await;
    let (id, base) = desk.patient().await;
    let now = desk.now;
    let row = |camp: &str, at: i64| json!({"id": id, "camp": camp, "updated_at": at, "_changed": "camp"});
    desk.edit(0, base, "patients", row("of Tuesday", now - 60 * MINUTE))
        .await;
    // The second phone's edit of Monday is pushed with the point that its last pull was sent with.
    desk.pull(1, base).await;
    desk.edit(1, base, "patients", row("of Monday", now - 120 * MINUTE))
        .await;
    assert_eq!(desk.row("patients", &id).await["camp"], "of Tuesday");
    let history = history(&desk.end().await, "patients", &id);
    assert!(
        history
            .iter()
            .any(|(why, _, cells)| *why == Why::Lost && cells["camp"] == "of Monday")
    );
}

#[tokio::test]
async fn fields_of_a_form_are_merged_one_by_one() {
    let mut desk = Desk::new(2).await;
    let (patient, _) = desk.patient().await;
    let now = desk.now;
    let field = |id: &str, value: &str| json!({"fieldId": id, "name": id, "value": value});
    let event = |fields: Vec<Value>, at: i64| {
        json!({"id": "e1", "patient_id": patient, "form_data": Value::from(fields).to_string(), "metadata": "{}",
            "created_at": now, "updated_at": at, "_changed": "form_data,updated_at"})
    };
    let first = event(
        vec![field("pulse", "70"), field("pain", "0"), field("note", "")],
        now - 90 * MINUTE,
    );
    desk.create(0, 0, "events", first).await;
    let (_, base) = desk.pull(0, 0).await;
    desk.pull(1, 0).await;
    let one = vec![field("pulse", "80"), field("pain", "1"), field("note", "")];
    let other = vec![
        field("pulse", "70"),
        field("pain", "2"),
        field("note", "tired"),
        field("more", "x"),
    ];
    desk.edit(0, base, "events", event(one.clone(), now - 50 * MINUTE))
        .await;
    desk.edit(1, base, "events", event(other, now - 60 * MINUTE)).await;
    let form = |row: &Value| serde_json::from_str::<Value>(row["form_data"].as_str().unwrap()).unwrap();
    let merged = json!([
        field("pulse", "80"),
        field("pain", "1"),
        field("note", "tired"),
        field("more", "x")
    ]);
    assert_eq!(form(&desk.row("events", "e1").await), merged);
    // The push whose answer was lost comes again.
    desk.edit(0, base, "events", event(one, now - 50 * MINUTE)).await;
    assert_eq!(form(&desk.row("events", "e1").await), merged);
    for phone in [0, 1] {
        let (changes, _) = desk.pull(phone, base).await;
        let rows = [&changes["events"]["created"], &changes["events"]["updated"]];
        let mut rows = rows.iter().flat_map(|list| list.as_array().unwrap());
        assert_eq!(form(rows.next().unwrap()), merged, "phone {phone}");
    }
    let history = history(&desk.end().await, "events", "e1");
    let kept = history
        .iter()
        .filter_map(|(_, _, cells)| cells.get("form_data")?.as_str());
    let kept: Vec<_> = kept.collect();
    assert!(
        kept.iter().any(|text| text.contains(r#""name":"pain","value":"2""#)),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_hub_that_is_behind_lets_the_phones_tell_the_time() {
    let mut desk = Desk::new(2).await;
    let (id, base) = desk.patient().await;
    // The last time that the hub has shown is ahead of its system's clock, as after a power cut without a clock chip;
    // the phones know that it is afternoon.
    let hub = desk.now + 12 * 60 * MINUTE;
    desk.hub.hub.terminate().await.unwrap();
    let store = opened::open(&desk.hub.data(), HubTime::from_millis(hub));
    store.write(|tx| Ok::<_, StoreError>(tx.change_time())).unwrap();
    assert!(store.close(Duration::from_secs(10)));
    drop(store);
    desk.hub.start_again().await.unwrap();

    let (morning, afternoon) = (hub + 2 * 60 * MINUTE, hub + 8 * 60 * MINUTE);
    let row = |camp: &str, at: i64| json!({"id": id, "camp": camp, "updated_at": at, "_changed": "camp,updated_at"});
    desk.edit(0, base, "patients", row("of the afternoon", afternoon)).await;
    desk.edit(1, base, "patients", row("of the morning", morning)).await;
    let stored = desk.row("patients", &id).await;
    assert_eq!(
        (&stored["camp"], &stored["updated_at"]),
        (&json!("of the afternoon"), &json!(afternoon))
    );
}

#[tokio::test]
async fn the_last_edit_of_a_row_that_is_deleted_in_the_same_push_is_kept() {
    let mut desk = Desk::new(1).await;
    let (patient, _) = desk.patient().await;
    let (now, site) = (desk.now, desk.site.clone());
    let visit = |id: &str, name: &str| {
        json!({"id": id, "patient_id": patient, "provider_name": name, "metadata": "{}", "created_at": now,
            "updated_at": now, "_changed": "provider_name", "clinic_id": site})
    };
    let flagged = |mut row: Value| {
        row["is_deleted"] = true.into();
        row["_changed"] = "provider_name,is_deleted".into();
        row
    };
    let ids = ["v1", "v2", "v3", "v4"];
    let made: Vec<_> = ids.iter().map(|id| visit(id, "before")).collect();
    desk.push(0, 0, json!({"visits": lists(made.into(), json!([]), json!([]))}))
        .await;
    let (_, base) = desk.pull(0, 0).await;
    let push = json!({"visits": lists(
        json!([flagged(visit("v3", "last"))]),
        json!([visit("v1", "last"), flagged(visit("v2", "last")), visit("v3", "later still"), visit("v4", "last")]),
        json!(["v1", visit("v2", "in the delete"), "v4", "v4"]),
    )});
    desk.push(0, base, push.clone()).await;
    // Its answer was lost.
    desk.push(0, base, push).await;
    let rows = desk.rows("visits").await;
    assert!(!rows.iter().any(|row| ids.contains(&row["id"].as_str().unwrap())));
    let store = desk.end().await;
    for (id, expected) in [
        ("v1", &["last"][..]),
        ("v2", &["in the delete", "last"]),
        ("v3", &["last", "later still"]),
        ("v4", &["last"]),
    ] {
        let history = history(&store, "visits", id);
        let lost = history.iter().filter(|(why, _, _)| *why == Why::Lost);
        let mut names: Vec<_> = lost
            .filter_map(|(_, _, cells)| cells.get("provider_name")?.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{id}");
    }
}
