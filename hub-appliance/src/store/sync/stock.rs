//! Stock: what a dispensing record takes from the clinic's inventory.

use rusqlite::OptionalExtension;

use super::apply::Applier;
use super::history::Why;
use super::sent::SentRow;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::value::Cell;

/// Takes the quantity of a new dispensing record from the stock of its clinic, drug and batch.
///
/// The record says what was handed out, so it stands even where the hub's stock is too small: that stock is then 0.
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn take(applier: &mut Applier<'_, '_>, record: &SentRow) -> Result<(), StoreError> {
    let (Some(records), Some(inventory)) = (TableId::named("dispensing_records"), TableId::named("clinic_inventory"))
    else {
        return Ok(());
    };
    let value = |name| {
        records
            .table()
            .column(name)
            .and_then(|index| record.cells[index].as_ref())
    };
    let reference = |name| value(name).and_then(Cell::as_reference);
    let (Some(clinic), Some(drug), Some(batch), Some(quantity)) = (
        reference("clinic_id"),
        reference("drug_id"),
        reference("batch_id"),
        value("quantity_dispensed").and_then(Cell::as_integer),
    ) else {
        return Ok(());
    };
    let id: Option<String> = applier
        .tx()
        .connection()
        .prepare_cached(
            "SELECT id FROM clinic_inventory WHERE drug_id = ?1 AND clinic_id = ?2 AND batch_id = ?3 \
             AND hub_deleted_at IS NULL ORDER BY id LIMIT 1",
        )?
        .query_row((drug, clinic, batch), |row| row.get(0))
        .optional()?;
    let Some(id) = id else { return Ok(()) };
    let (Some(stored), Some(column)) = (
        applier.stored(inventory, &id)?,
        inventory.table().column("quantity_available"),
    ) else {
        return Ok(());
    };
    let available = stored.cells[column].as_integer().unwrap_or(0);
    let left = available.saturating_sub(quantity.max(0)).max(0);
    applier.replace(inventory, &id, &stored, Why::Edit, vec![(column, Cell::Integer(left))])
}
