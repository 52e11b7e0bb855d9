//! An attribute is the same if patient and `attribute_id` are the same, whatever its row is called: two phones that answer
//! one field of a form each make a row of their own.
//!
//! The second one's row is merged into the first, and stays as a deleted one that says where it went. So its phone is told
//! of it, and what it still sends of its row reaches the first. Of the cloud's row and the hub's, the cloud's stays: it
//! keeps its own ids.

use rusqlite::OptionalExtension;

use super::apply::{Applied, Applier};
use super::sent::SentRow;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
use crate::store::value::Cell;

const ATTRIBUTES: &str = "patient_additional_attributes";
/// What belongs to a row and not to the attribute that it is.
const OF_THE_ROW: [&str; 5] = [
    "created_at",
    "is_deleted",
    "deleted_at",
    "last_modified",
    "server_created_at",
];

/// Merges a row into the one that is the same attribute; none where there is no such row, or where it is that row itself.
///
/// # Errors
/// What SQLite reports.
pub(super) fn put(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
) -> Result<Option<Applied>, StoreError> {
    if table.table().name != ATTRIBUTES {
        return Ok(None);
    }
    let first = match stored {
        None => same_attribute(applier, table, row)?,
        Some(stored) if stored.deleted => merged_into(applier, &row.id)?,
        Some(_) => None,
    };
    let Some(first) = first else { return Ok(None) };
    let Some(target) = applier.stored(table, &first)?.filter(|target| !target.deleted) else {
        return Ok(None);
    };
    if applier.author().device == DeviceNumber::CLOUD && stored.is_none() {
        return applier.take_over(table, row, (&first, &target)).map(Some);
    }
    if stored.is_none() {
        applier.insert(table, row, true)?;
        note(applier, &row.id, &first)?;
    }
    let twin = as_row(table, row, &first, stored.is_none());
    let applied = applier.put(table, &twin, Some(&target))?;
    applier.resend(table, &row.id)?;
    tell(applier, table, &first)?;
    Ok(Some(match applied {
        Applied::Unchanged if stored.is_none() => Applied::Inserted,
        applied => applied,
    }))
}

/// Another live row of the same attribute: the first that came.
fn same_attribute(applier: &mut Applier<'_, '_>, table: TableId, row: &SentRow) -> Result<Option<String>, StoreError> {
    let reference = |name| {
        let column = table.table().column(name)?;
        row.cells[column].as_ref()?.as_reference()
    };
    let (Some(patient), Some(attribute)) = (reference("patient_id"), reference("attribute_id")) else {
        return Ok(None);
    };
    let mut statement = applier.tx().connection().prepare_cached(
        "SELECT id FROM patient_additional_attributes WHERE patient_id = ?1 AND attribute_id = ?2 \
         AND hub_deleted_at IS NULL ORDER BY hub_created_at, id LIMIT 1",
    )?;
    Ok(statement.query_row((patient, attribute), |row| row.get(0)).optional()?)
}

/// Where a row went that was merged into another.
fn merged_into(applier: &mut Applier<'_, '_>, row: &str) -> Result<Option<String>, StoreError> {
    let mut statement = applier.tx().connection().prepare_cached(
        "WITH RECURSIVE went (id, hops) AS (SELECT into_id, 1 FROM merged_rows WHERE row_id = ?1 \
         UNION ALL SELECT into_id, hops + 1 FROM merged_rows JOIN went ON row_id = id WHERE hops < 8) \
         SELECT id FROM went ORDER BY hops DESC LIMIT 1",
    )?;
    Ok(statement.query_row([row], |row| row.get(0)).optional()?)
}

/// Writes down where a row went.
///
/// # Errors
/// What SQLite reports.
pub(super) fn note(applier: &mut Applier<'_, '_>, row: &str, into: &str) -> Result<(), StoreError> {
    applier
        .tx()
        .connection()
        .prepare_cached("INSERT OR REPLACE INTO merged_rows (row_id, into_id) VALUES (?1, ?2)")?
        .execute((row, into))?;
    Ok(())
}

/// What was sent of a row, as an edit of the row that it is merged into. What a new row leaves empty is no edit.
fn as_row(table: TableId, row: &SentRow, first: &str, is_new: bool) -> SentRow {
    let says_nothing = |name: &str, cell: &Cell| {
        OF_THE_ROW.contains(&name) || (is_new && (cell.is_blank() || matches!(cell.as_text(), Some("{}" | "[]"))))
    };
    let cells = row.cells.iter().zip(table.table().columns);
    let mut cells: Vec<_> = cells
        .map(|(cell, column)| cell.clone().filter(|cell| !says_nothing(column.name, cell)))
        .collect();
    cells[0] = Some(Cell::text(first));
    SentRow {
        id: first.into(),
        cells,
        changed: row.changed.filter(|_| !is_new),
        converted: row.converted,
        newer: Vec::new(),
    }
}

/// Has the sender told of the row that stays: one that may lack it gets it as a new one only by the change feed.
fn tell(applier: &mut Applier<'_, '_>, table: TableId, id: &str) -> Result<(), StoreError> {
    let Some(stored) = applier.stored(table, id)?.filter(|stored| !applier.gets_anyway(stored)) else {
        return Ok(());
    };
    // A row that now is as the sender wrote it would count as one that it has.
    let is_as_sent = stored.origin == applier.author().device;
    if stored.created_at <= applier.seen().given && !is_as_sent {
        return applier.resend(table, id);
    }
    let now = applier.change_time();
    rows::touch(applier.tx().connection(), table, id, now)
}
