//! Medicines that are handed out: never more than there is, never more than was prescribed, whoever does it at once.

use hub_tests::phone::Phone;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::clinic::{BATCH, DIRECTOR, DRUG, ENDLESS, EXPIRED, HERE, Online, Records, STOCK, command, id_of};

fn dispense(item: &str, batches: Value) -> Value {
    json!({"id": item, "provider_id": id_of(DIRECTOR), "batch_quantities": batches})
}

async fn stock_of(online: &mut Online, batch: &str) -> i64 {
    let stock = online
        .query("inventory.by_clinic", &json!({"clinic_id": HERE}))
        .await
        .unwrap();
    let rows = stock["data"].as_array().unwrap();
    rows.iter().find(|row| row["batch_id"] == batch).unwrap()["quantity_available"]
        .as_i64()
        .unwrap()
}

async fn item_of(online: &mut Online, records: &Records) -> Value {
    let items = online
        .query("prescription_items.by_patient", &json!({"patient_id": records.patient}))
        .await
        .unwrap();
    items["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == *records.item)
        .unwrap()
        .clone()
}

async fn prescribe(online: &mut Online, records: &Records, quantity: i64, refills: i64) {
    let item = json!({"id": records.item, "quantity_prescribed": quantity, "refills_authorized": refills});
    online.command("prescription_items.update", &item).await.unwrap();
}

#[tokio::test]
async fn what_is_handed_out_is_taken_from_the_stock_and_written_down() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    prescribe(&mut online, &records, 10, 1).await;
    let check = json!({"drug_id": DRUG, "clinic_id": HERE, "required_quantity": 180});
    // 10 of each batch are reserved, and one batch is past its date.
    let available = online.query("inventory.check_availability", &check).await;
    assert_eq!(
        available,
        Ok(json!({"available": true, "total_available": 2 * (STOCK - 10)}))
    );

    let done = online
        .command(
            "prescription_items.dispense",
            &dispense(&records.item, json!({BATCH: 7, ENDLESS: 5})),
        )
        .await;
    assert_eq!(done, Ok(json!({"ok": true, "total_dispensed": 12})));
    assert_eq!(
        (stock_of(&mut online, BATCH).await, stock_of(&mut online, ENDLESS).await),
        (STOCK - 7, STOCK - 5)
    );
    assert_eq!(item_of(&mut online, &records).await["quantity_dispensed"], 12);
    let written = online
        .query("dispensing.by_patient", &json!({"patient_id": records.patient}))
        .await
        .unwrap();
    let mut written: Vec<_> = (written["data"].as_array().unwrap().iter())
        .map(|row| {
            (
                row["batch_id"].as_str().unwrap(),
                row["quantity_dispensed"].as_i64().unwrap(),
                row["prescription_item_id"] == *records.item,
            )
        })
        .collect();
    written.sort_unstable();
    assert_eq!(written, [(BATCH, 7, true), (ENDLESS, 5, true)]);

    // 8 of 10 × (1 + 1) are left; none of a batch that is past its date, nor of one that is not there.
    for batches in [
        json!({BATCH: 9}),
        json!({BATCH: 4, ENDLESS: 5}),
        json!({EXPIRED: 1}),
        json!({BATCH: 1, "none": 1}),
    ] {
        let refused = online
            .command("prescription_items.dispense", &dispense(&records.item, batches.clone()))
            .await;
        assert_eq!(refused, Err(409), "{batches}");
    }
    prescribe(&mut online, &records, 1000, 0).await;
    let refused = online
        .command(
            "prescription_items.dispense",
            &dispense(&records.item, json!({ENDLESS: 1, BATCH: STOCK})),
        )
        .await;
    assert_eq!(refused, Err(409), "more than there is");
    assert_eq!(
        (stock_of(&mut online, BATCH).await, stock_of(&mut online, ENDLESS).await),
        (STOCK - 7, STOCK - 5)
    );
    assert_eq!(
        item_of(&mut online, &records).await["quantity_dispensed"],
        12,
        "nothing changed"
    );
    let available = online.query("inventory.check_availability", &check).await;
    assert_eq!(
        available,
        Ok(json!({"available": false, "total_available": 2 * (STOCK - 10) - 12}))
    );
}

/// Many at once, from phones of their own: `want` calls of `each`, of which only so many may be done.
async fn at_once(online: &mut Online, records: &Records, calls: usize, each: i64) -> i64 {
    let mut running = JoinSet::new();
    for _ in 0..4 {
        let mut client = online.another(DIRECTOR).await;
        let data = dispense(&records.item, json!({BATCH: each}));
        running.spawn(async move {
            let mut done = 0;
            for _ in 0..calls {
                match command(&mut client, "prescription_items.dispense", &data).await {
                    Ok(answer) => done += answer["total_dispensed"].as_i64().unwrap(),
                    Err(status) => assert_eq!(status, 409),
                }
            }
            done
        });
    }
    running.join_all().await.into_iter().sum()
}

#[tokio::test]
async fn many_at_once_take_no_more_than_there_is() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let taken = at_once(&mut online, &records, 10, 7).await;
    assert_eq!(taken, STOCK - STOCK % 7);
    assert_eq!(stock_of(&mut online, BATCH).await, STOCK % 7);
    assert_eq!(item_of(&mut online, &records).await["quantity_dispensed"], taken);
}

#[tokio::test]
async fn many_at_once_take_no_more_than_was_prescribed() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    prescribe(&mut online, &records, 10, 1).await;
    assert_eq!(at_once(&mut online, &records, 5, 3).await, 18);
    assert_eq!(stock_of(&mut online, BATCH).await, STOCK - 18);
}

#[tokio::test]
async fn what_is_handed_out_offline_and_online_adds_up() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    prescribe(&mut online, &records, 20, 0).await;
    let done = online
        .command(
            "prescription_items.dispense",
            &dispense(&records.item, json!({BATCH: 6})),
        )
        .await;
    assert_eq!(done.unwrap()["total_dispensed"], 6);

    let mut offline = Phone::with_client(online.hub.pair(|client| client).await.unwrap());
    offline
        .log_in(&format!("{DIRECTOR}@example.test"), "made-up-pass")
        .await
        .unwrap();
    offline.sync().await.unwrap();
    let (id, now) = (offline.clock.new_id(), offline.clock.now());
    let values = [
        ("clinic_id", HERE.into()),
        ("drug_id", DRUG.into()),
        ("batch_id", BATCH.into()),
        ("patient_id", records.patient.as_str().into()),
        ("prescription_item_id", records.item.as_str().into()),
        ("quantity_dispensed", 5.into()),
        ("dispensed_by", id_of(DIRECTOR).as_str().into()),
        ("dispensed_at", now.into()),
        ("metadata", "{}".into()),
    ];
    offline
        .database
        .create("dispensing_records", &id, &values, now)
        .unwrap();
    offline
        .edit(
            "prescription_items",
            &records.item,
            &[("quantity_dispensed", 11.into())],
        )
        .unwrap();
    offline.sync().await.unwrap();

    assert_eq!(stock_of(&mut online, BATCH).await, STOCK - 11);
    assert_eq!(item_of(&mut online, &records).await["quantity_dispensed"], 11);
    let refused = online
        .command(
            "prescription_items.dispense",
            &dispense(&records.item, json!({BATCH: 10})),
        )
        .await;
    assert_eq!(refused, Err(409));
    let done = online
        .command(
            "prescription_items.dispense",
            &dispense(&records.item, json!({BATCH: 9})),
        )
        .await;
    assert_eq!(done.unwrap()["total_dispensed"], 9);
    assert_eq!(stock_of(&mut online, BATCH).await, STOCK - 20);
}
