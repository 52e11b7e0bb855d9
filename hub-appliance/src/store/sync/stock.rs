//! Stock: `clinic_inventory` follows the dispensing records, and so does what a prescription's item says was handed out.
//!
//! What a record has taken is written down with it, so each version of it counts once, whoever sends it and how often. A
//! record says what was handed out, so it stands even where the hub's stock is too small: that stock shows 0, and what is
//! owed is remembered, so that a correction gives back what was really taken. The cloud does not count what the clinic hands
//! out; a record that is the cloud's own is in its count already, and so is what the cloud makes of it later.

use rusqlite::{Connection, OptionalExtension};

use super::apply::Applier;
use super::history::Why;
use super::sent::SentRow;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::TableId;
use crate::store::value::Cell;

const RECORDS: &str = "dispensing_records";
const ITEMS: &str = "prescription_items";
const INVENTORY: &str = "clinic_inventory";

/// What a record takes from which row of the inventory.
#[derive(Clone, PartialEq, Eq)]
struct Taking {
    inventory: String,
    quantity: i64,
}

/// Brings stock and items in line with a row that was just written.
///
/// # Errors
/// What SQLite reports.
pub(super) fn follow(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    id: &str,
    before: Option<&StoredRow>,
) -> Result<(), StoreError> {
    match table.table().name {
        RECORDS => follow_record(applier, table, id, before),
        ITEMS => add_up(applier, id),
        _ => Ok(()),
    }
}

fn follow_record(
    applier: &mut Applier<'_, '_>,
    records: TableId,
    id: &str,
    before: Option<&StoredRow>,
) -> Result<(), StoreError> {
    let Some(record) = applier.stored(records, id)? else {
        return Ok(());
    };
    take(applier, records, id, &record)?;
    let item = |record: &StoredRow| reference(records, record, "prescription_item_id").map(str::to_owned);
    let (item, item_before) = (item(&record), before.and_then(item));
    if let Some(left) = item_before.filter(|left| Some(left) != item.as_ref()) {
        add_up(applier, &left)?;
    }
    item.map_or(Ok(()), |item| add_up(applier, &item))
}

/// Takes what a record says, and gives back what its version before took.
fn take(applier: &mut Applier<'_, '_>, records: TableId, id: &str, record: &StoredRow) -> Result<(), StoreError> {
    let taken = taken(applier, id)?;
    let of_cloud = record.created_by == DeviceNumber::CLOUD;
    let wanted = if record.deleted {
        None
    } else {
        wanted(applier, records, record)?
    };
    if taken == wanted {
        return Ok(());
    }
    let connection = applier.tx().connection();
    if let Some(wanted) = &wanted {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO stock_taken (record_id, inventory_id, quantity) VALUES (?1, ?2, ?3)",
            )?
            .execute((id, &wanted.inventory, wanted.quantity))?;
    } else {
        connection
            .prepare_cached("DELETE FROM stock_taken WHERE record_id = ?1")?
            .execute([id])?;
    }
    if of_cloud && applier.author().device == DeviceNumber::CLOUD {
        return Ok(());
    }
    let moves = match (taken, wanted) {
        (Some(taken), Some(wanted)) if taken.inventory == wanted.inventory => {
            vec![(wanted.inventory, taken.quantity.saturating_sub(wanted.quantity))]
        }
        (taken, wanted) => {
            let back = taken.map(|taken| (taken.inventory, taken.quantity));
            let out = wanted.map(|wanted| (wanted.inventory, wanted.quantity.saturating_neg()));
            back.into_iter().chain(out).collect()
        }
    };
    for (inventory, by) in moves {
        shift(applier, &inventory, by, Why::Edit)?;
    }
    Ok(())
}

fn taken(applier: &mut Applier<'_, '_>, record: &str) -> Result<Option<Taking>, StoreError> {
    let connection = applier.tx().connection();
    let mut statement =
        connection.prepare_cached("SELECT inventory_id, quantity FROM stock_taken WHERE record_id = ?1")?;
    let taking = statement.query_row([record], |row| {
        Ok(Taking {
            inventory: row.get(0)?,
            quantity: row.get(1)?,
        })
    });
    Ok(taking.optional()?)
}

/// What a live record takes; nothing where the clinic has no such batch.
fn wanted(applier: &mut Applier<'_, '_>, records: TableId, record: &StoredRow) -> Result<Option<Taking>, StoreError> {
    let reference = |name| reference(records, record, name);
    let (Some(clinic), Some(drug), Some(batch)) = (reference("clinic_id"), reference("drug_id"), reference("batch_id"))
    else {
        return Ok(None);
    };
    let inventory: Option<String> = applier
        .tx()
        .connection()
        .prepare_cached(
            "SELECT id FROM clinic_inventory WHERE drug_id = ?1 AND clinic_id = ?2 AND batch_id = ?3 \
             AND hub_deleted_at IS NULL ORDER BY id LIMIT 1",
        )?
        .query_row((drug, clinic, batch), |row| row.get(0))
        .optional()?;
    let quantity = records
        .table()
        .column("quantity_dispensed")
        .and_then(|column| record.cells[column].as_integer());
    let quantity = quantity.unwrap_or(0).max(0);
    Ok(inventory.map(|inventory| Taking { inventory, quantity }))
}

fn reference<'a>(table: TableId, row: &'a StoredRow, name: &str) -> Option<&'a str> {
    table
        .table()
        .column(name)
        .and_then(|column| row.cells[column].as_reference())
}

/// The column of a table that counts a stock.
pub(in crate::store) fn column(table: TableId) -> Option<usize> {
    let table = Some(table.table()).filter(|table| table.name == INVENTORY);
    table.and_then(|table| table.column("quantity_available"))
}

/// The cloud's count of a stock, and by how much it has moved since the cloud gave it last.
#[derive(Clone, Copy)]
pub(in crate::store) struct Moved {
    count: i64,
    by: i64,
}

/// Takes the count out of a row of the cloud, where the cloud gave one before: the cloud does not count what the clinic
/// hands out, so the stock moves by as much as that count did.
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn moved(
    applier: &Applier<'_, '_>,
    table: TableId,
    row: &mut SentRow,
    stored: &StoredRow,
) -> Result<Option<Moved>, StoreError> {
    let Some(column) = column(table) else { return Ok(None) };
    let Some(count) = row.cells[column].as_ref().and_then(Cell::as_integer) else {
        return Ok(None);
    };
    let given = applier.given(table, &row.id, stored, DeviceNumber::CLOUD)?;
    let known = given.cells[column].as_ref().and_then(Cell::as_integer);
    Ok(known.map(|known| {
        row.cells[column] = None;
        let by = count.saturating_sub(known);
        Moved { count, by }
    }))
}

/// Moves a stock as the cloud's count moved, and keeps that count for the next time.
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn follow_cloud(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    id: &str,
    moved: Moved,
) -> Result<(), StoreError> {
    let Some(column) = column(table) else { return Ok(()) };
    if moved.by == 0 {
        return Ok(());
    }
    shift(applier, id, moved.by, Why::Cloud)?;
    applier.keep_sent(table, id, (column, &Cell::Integer(moved.count)))
}

/// Moves a stock by so much, below zero only in what is owed.
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn shift(applier: &mut Applier<'_, '_>, id: &str, by: i64, why: Why) -> Result<(), StoreError> {
    let Some(inventory) = TableId::named(INVENTORY) else {
        return Ok(());
    };
    let (Some(stored), Some(column)) = (applier.stored(inventory, id)?, column(inventory)) else {
        return Ok(());
    };
    let shown = stored.cells[column].as_integer().unwrap_or(0);
    let connection = applier.tx().connection();
    let owed: i64 = connection
        .prepare_cached("SELECT owed FROM stock_owed WHERE inventory_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?
        .unwrap_or(0);
    let left = shown.saturating_sub(owed).saturating_add(by);
    let owes = left.min(0).saturating_neg();
    if owes > 0 {
        connection
            .prepare_cached("INSERT OR REPLACE INTO stock_owed (inventory_id, owed) VALUES (?1, ?2)")?
            .execute((id, owes))?;
    } else if owed > 0 {
        connection
            .prepare_cached("DELETE FROM stock_owed WHERE inventory_id = ?1")?
            .execute([id])?;
    }
    let left = left.max(0);
    if left == shown || stored.deleted {
        return Ok(());
    }
    applier.replace(inventory, id, &stored, why, vec![(column, Cell::Integer(left))])
}

/// The sum of an item's live records; none where it has no record at all.
pub(in crate::store) fn sum(connection: &Connection, item: &str) -> Result<Option<i64>, StoreError> {
    // A total has no largest number that would make it fail; what is less than nothing hands out nothing.
    let mut statement = connection.prepare_cached(
        "SELECT total(max(quantity_dispensed, 0)) FILTER (WHERE hub_deleted_at IS NULL), count(*) \
         FROM dispensing_records WHERE prescription_item_id = ?1",
    )?;
    let (sum, records): (Option<f64>, i64) = statement.query_row([item], |row| Ok((row.get(0)?, row.get(1)?)))?;
    #[allow(clippy::cast_possible_truncation, reason = "a sum of whole numbers, far below 2^53")]
    Ok((records > 0).then(|| sum.unwrap_or(0.0) as i64))
}

/// Gives an item the sum of its records, where it has any.
fn add_up(applier: &mut Applier<'_, '_>, item: &str) -> Result<(), StoreError> {
    let Some(items) = TableId::named(ITEMS) else {
        return Ok(());
    };
    let Some(sum) = sum(applier.tx().connection(), item)? else {
        return Ok(());
    };
    let (Some(stored), Some(column)) = (applier.stored(items, item)?, items.table().column("quantity_dispensed"))
    else {
        return Ok(());
    };
    if stored.deleted || stored.cells[column].as_integer() == Some(sum) {
        return Ok(());
    }
    applier.replace(items, item, &stored, Why::Edit, vec![(column, Cell::Integer(sum))])
}

/// The column of a sent row that the hub reckons itself, where it is to be passed over: what phones reckon as an item's
/// `quantity_dispensed` leaves out each other's records.
///
/// # Errors
/// What SQLite reports.
pub(super) fn reckoned(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
) -> Result<Option<usize>, StoreError> {
    if table.table().name != ITEMS {
        return Ok(None);
    }
    let column = table.table().column("quantity_dispensed");
    let Some(column) = column.filter(|column| row.cells[*column].is_some()) else {
        return Ok(None);
    };
    Ok(sum(applier.tx().connection(), &row.id)?.map(|_| column))
}
