//! Stock follows the dispensing records, each version once; items follow theirs.

use hub_appliance::store::sync::history::Why;
use serde_json::{Value, json};

use super::{Desk, bundle, deleted, history, lists};

/// A shelf of the user's clinic, and a patient there.
struct Shelf {
    desk: Desk,
    patient: String,
    /// The row of the inventory as it was.
    stock: Value,
    base: i64,
}

impl Shelf {
    async fn new(phones: usize) -> Self {
        let mut desk = Desk::new(phones).await;
        let (patient, base) = desk.patient().await;
        let rows = desk.rows("clinic_inventory").await;
        let mine = rows.into_iter().find(|row| row["clinic_id"] == desk.site.as_str());
        Self {
            stock: mine.unwrap(),
            desk,
            patient,
            base,
        }
    }

    fn record(&self, id: &str, quantity: i64) -> Value {
        let now = self.desk.now;
        json!({"id": id, "clinic_id": self.stock["clinic_id"], "drug_id": self.stock["drug_id"],
            "batch_id": self.stock["batch_id"], "patient_id": self.patient, "quantity_dispensed": quantity,
            "prescription_item_id": null, "dispensed_by": "u", "dispensed_at": now, "metadata": "{}",
            "is_deleted": false, "last_modified": 0, "created_at": now, "updated_at": now + quantity,
            "_changed": "quantity_dispensed,updated_at"})
    }

    fn item(&self, id: &str, dispensed: i64) -> Value {
        let now = self.desk.now;
        json!({"id": id, "prescription_id": "r", "patient_id": self.patient, "drug_id": self.stock["drug_id"],
            "clinic_id": self.stock["clinic_id"], "dosage_instructions": "", "quantity_prescribed": 30,
            "quantity_dispensed": dispensed, "item_status": "active", "metadata": "{}", "is_deleted": false,
            "last_modified": 0, "created_at": now, "updated_at": now + dispensed,
            "_changed": "quantity_dispensed,updated_at"})
    }

    /// By how much the shelf has changed.
    async fn moved(&mut self) -> i64 {
        let id = self.stock["id"].as_str().unwrap();
        let row = self.desk.row("clinic_inventory", id).await;
        row["quantity_available"].as_i64().unwrap() - self.stock["quantity_available"].as_i64().unwrap()
    }
}

const RECORDS: &str = "dispensing_records";

#[tokio::test]
async fn each_version_of_a_record_counts_once() {
    let mut shelf = Shelf::new(2).await;
    let base = shelf.base;
    for (phone, quantity) in [(0, 4), (0, 4), (1, 4), (0, 6), (0, 6), (1, 6), (0, 5)] {
        let record = shelf.record("d1", quantity);
        let (_, base) = if quantity == 4 {
            (Value::Null, base)
        } else {
            shelf.desk.pull(phone, 0).await
        };
        shelf.desk.create(phone, base, RECORDS, record).await;
        assert_eq!(shelf.moved().await, -quantity);
    }
    let batch = |record: &mut Value, batch: &str| {
        record["batch_id"] = batch.into();
        record["_changed"] = "batch_id".into();
    };
    let (_, base) = shelf.desk.pull(0, 0).await;
    let mut elsewhere = shelf.record("d1", 5);
    batch(&mut elsewhere, "of no shelf");
    shelf.desk.edit(0, base, RECORDS, elsewhere.clone()).await;
    assert_eq!(shelf.moved().await, 0, "it was another batch");
    let here = shelf.stock["batch_id"].as_str().unwrap().to_owned();
    batch(&mut elsewhere, &here);
    let (_, base) = shelf.desk.pull(0, 0).await;
    shelf.desk.edit(0, base, RECORDS, elsewhere).await;
    assert_eq!(shelf.moved().await, -5);

    let other = shelf.record("d2", 3);
    shelf.desk.create(1, base, RECORDS, other).await;
    for _ in 0..2 {
        let delete = json!({RECORDS: lists(json!([]), json!([]), json!(["d1"]))});
        shelf.desk.push(0, base, delete).await;
        assert_eq!(shelf.moved().await, -3, "a deleted one gives back");
    }
    let edit = shelf.record("d1", 9);
    shelf.desk.edit(1, base, RECORDS, edit).await;
    assert_eq!(shelf.moved().await, -3, "an edit of a deleted one takes nothing");
    let patient = shelf.patient.clone();
    shelf
        .desk
        .push(
            0,
            base,
            json!({"patients": lists(json!([]), json!([]), json!([patient]))}),
        )
        .await;
    assert_eq!(
        shelf.moved().await,
        0,
        "nor has a patient who is deleted taken anything"
    );
    let id = shelf.stock["id"].as_str().unwrap().to_owned();
    let kept = history(&shelf.desk.end().await, "clinic_inventory", &id);
    assert!(
        kept.iter().all(|(why, device, _)| *why == Why::Edit && *device > 0),
        "who moved it is known"
    );
}

#[tokio::test]
async fn what_a_shelf_owes_is_not_given_back() {
    let mut shelf = Shelf::new(1).await;
    let all = shelf.stock["quantity_available"].as_i64().unwrap();
    let (first, second) = (shelf.record("d1", all - 2), shelf.record("d2", 7));
    let base = shelf.base;
    shelf
        .desk
        .push(
            0,
            base,
            json!({RECORDS: lists(json!([first, second]), json!([]), json!([]))}),
        )
        .await;
    assert_eq!(shelf.moved().await, -all, "never below zero");
    let corrected = shelf.record("d2", 1);
    let (_, base) = shelf.desk.pull(0, 0).await;
    shelf.desk.edit(0, base, RECORDS, corrected).await;
    assert_eq!(shelf.moved().await, 1 - all);
}

#[tokio::test]
async fn less_than_nothing_and_more_than_can_be_counted_are_handed_out_by_no_record() {
    const MOST: i64 = 9_007_199_254_740_992;
    let mut shelf = Shelf::new(1).await;
    let all = shelf.stock["quantity_available"].as_i64().unwrap();
    let item = shelf.item("i1", 0);
    shelf.desk.create(0, shelf.base, "prescription_items", item).await;
    let of_item = |shelf: &Shelf, id: &str, quantity: i64| {
        let mut record = shelf.record(id, quantity);
        record["prescription_item_id"] = "i1".into();
        record["updated_at"] = shelf.desk.now.into();
        record
    };
    let records = [("minus", -MOST), ("two", 2), ("most", MOST)].map(|(id, quantity)| of_item(&shelf, id, quantity));
    let base = shelf.base;
    for (record, moved) in records.into_iter().zip([0, -2, -all]) {
        shelf.desk.create(0, base, RECORDS, record).await;
        assert_eq!(shelf.moved().await, moved);
    }
    let dispensed = shelf.desk.row("prescription_items", "i1").await["quantity_dispensed"].clone();
    assert_eq!(dispensed, MOST + 2);
    // So many that their sum is no number of the database's; from no batch, as the shelf is empty by now.
    let many: Vec<Value> = (0..1100)
        .map(|number| {
            let mut record = of_item(&shelf, &format!("m{number}"), MOST);
            record["batch_id"] = Value::Null;
            record
        })
        .collect();
    shelf
        .desk
        .push(0, base, json!({RECORDS: lists(many.into(), json!([]), json!([]))}))
        .await;
    let client = &mut shelf.desk.phones[0].client;
    client.handshake().await.unwrap();
    let batch = shelf.stock["batch_id"].as_str().unwrap();
    let more = json!({"id": "i1", "provider_id": "u", "batch_quantities": {batch: 1}});
    let refused = client.command::<Value>("prescription_items.dispense", more).await;
    assert_eq!(refused.unwrap_err().status(), Some(409));
    // Given back is what was really taken.
    let back = json!({RECORDS: lists(json!([]), json!([]), json!(["most", "minus"]))});
    shelf.desk.push(0, base, back).await;
    assert_eq!(shelf.moved().await, -2);
}

#[tokio::test]
async fn two_phones_that_hand_out_four_and_five_leave_nine() {
    let mut shelf = Shelf::new(3).await;
    let item = shelf.item("i1", 0);
    shelf.desk.create(2, shelf.base, "prescription_items", item).await;
    let mut bases = Vec::new();
    for phone in 0..3 {
        bases.push(shelf.desk.pull(phone, shelf.base).await.1);
    }
    for (phone, quantity) in [(0, 4), (1, 5), (0, 4)] {
        let mut record = shelf.record(["d1", "d2"][phone], quantity);
        record["prescription_item_id"] = "i1".into();
        let item = shelf.item("i1", quantity);
        let changes = json!({
            "prescription_items": lists(json!([]), json!([item]), json!([])),
            RECORDS: lists(json!([record]), json!([]), json!([])),
        });
        shelf.desk.push(phone, bases[phone], changes).await;
    }
    assert_eq!(shelf.moved().await, -9);
    for (phone, base) in bases.iter().copied().enumerate() {
        let (changes, _) = shelf.desk.pull(phone, base).await;
        let item = &changes["prescription_items"]["updated"][0];
        assert_eq!(
            (&item["id"], &item["quantity_dispensed"]),
            (&json!("i1"), &json!(9)),
            "phone {phone}"
        );
    }
    let (_, base) = shelf.desk.pull(2, 0).await;
    shelf
        .desk
        .push(2, base, json!({RECORDS: lists(json!([]), json!([]), json!(["d1"]))}))
        .await;
    assert_eq!(
        shelf.desk.row("prescription_items", "i1").await["quantity_dispensed"],
        5
    );
    assert_eq!(deleted(&shelf.desk.pull(0, base).await.0, RECORDS), ["d1"]);
    let kept = history(&shelf.desk.end().await, "prescription_items", "i1");
    let values: Vec<_> = kept
        .iter()
        .filter_map(|(_, _, cells)| cells.get("quantity_dispensed"))
        .collect();
    for value in [0, 4, 5, 9] {
        assert!(values.contains(&&json!(value)), "{value} of {values:?}");
    }
}

#[tokio::test]
async fn records_from_the_cloud_are_in_its_own_count_and_its_count_moves_ours() {
    let mut shelf = Shelf::new(1).await;
    let record = shelf.record("d1", 4);
    shelf.desk.create(0, shelf.base, RECORDS, record).await;
    let mut cloud = shelf.stock.clone();
    let all = cloud["quantity_available"].as_i64().unwrap();
    let count = |row: &mut Value, count: i64, updated_at: &str| {
        row["quantity_available"] = count.into();
        row["updated_at"] = updated_at.into();
        for column in ["created_at", "last_modified"] {
            row[column] = "2025-01-01T00:00:00Z".into();
        }
        for column in [
            "metadata",
            "last_counted_at",
            "server_created_at",
            "deleted_at",
            "batch_expiry_date",
            "is_deleted",
        ] {
            row.as_object_mut().unwrap().remove(column);
        }
    };
    let mut elsewhere = shelf.record("d2", 6);
    for column in ["dispensed_at", "created_at", "updated_at", "last_modified"] {
        elsewhere[column] = "2026-03-01T00:00:00Z".into();
    }
    // A delivery of 100 came; then the same is imported again, and something older.
    count(&mut cloud, all + 100, "2027-01-02T00:00:00Z");
    let mut older = cloud.clone();
    count(&mut older, all + 20, "2027-01-01T00:00:00Z");
    let newer = json!({"clinic_inventory": {"updated": [cloud]}, RECORDS: {"created": [elsewhere]}});
    let older = json!({"clinic_inventory": {"updated": [older]}});
    for (changes, timestamp) in [
        (&newer, 2_000_000_000_000),
        (&newer, 2_000_000_000_000),
        (&older, 1_999_000_000_000),
        (&newer, 2_000_000_000_000),
    ] {
        bundle(&mut shelf.desk, changes, timestamp).await;
        assert_eq!(shelf.moved().await, 100 - 4, "{timestamp}");
    }
    let mut corrected = shelf.record("d2", 8);
    corrected["updated_at"] = (shelf.desk.now + 10).into();
    let (_, base) = shelf.desk.pull(0, 0).await;
    shelf.desk.edit(0, base, RECORDS, corrected).await;
    assert_eq!(
        shelf.moved().await,
        100 - 4 - 2,
        "a correction of the cloud's takes the difference"
    );
}
