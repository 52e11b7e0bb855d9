//! What is to become of one row that somebody sent: stored, stored but for a column, left alone, or held and why.
//!
//! It promises: what asks for nothing is never held; a row is judged by the clinics that it is tied to as stored and as it
//! is to be, and needs one; whoever deletes takes along only what the right reaches.

use std::collections::HashMap;

use rusqlite::Connection;

use super::apply::Applier;
use super::deleting::children;
use super::gatekeeper::{Access, Gatekeeper, Operation};
use super::held::{self, HoldReason};
use super::sent::SentRow;
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::people;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::{ColumnSet, Table, TableId};
use crate::store::value::Cell;

/// Columns by which a row hangs on another, and that one's table.
const PARENTS: [(&str, &str); 4] = [
    ("patient_id", "patients"),
    ("visit_id", "visits"),
    ("prescription_id", "prescriptions"),
    ("prescription_item_id", "prescription_items"),
];

/// Columns that say when a row was written, which is no reason to write it.
const STAMPS: [&str; 2] = ["updated_at", "last_modified"];
/// Columns in which a phone that missed a deletion differs from the hub.
const DELETION: [&str; 2] = ["is_deleted", "deleted_at"];

/// What is to become of a row.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Verdict {
    /// It is written.
    Write,
    /// It is written without these columns, which are held.
    WriteWithout(ColumnSet, HoldReason),
    /// It asks for nothing.
    Nothing,
    /// It is held.
    Hold(HoldReason),
}

/// Judges a row. A null in a required column has been settled.
pub(in crate::store) fn judge(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
    delete: bool,
    gate: &mut dyn Gatekeeper,
) -> Result<Verdict, StoreError> {
    let connection = applier.tx().connection();
    let base = applier.seen().base;
    let mut permits = |operation, clinics: Vec<String>| {
        let access = Access {
            table,
            operation,
            stored,
            sent: row,
            clinics,
            base,
        };
        gate.permits(applier.tx(), &access)
    };
    let Some(stored) = stored else {
        let clinic = people::clinic_of(connection, table, |index| row.cells[index].as_ref())?;
        if delete {
            if held::is_held(connection, table, &row.id)? {
                // Its first version waits; the deletion goes with it.
                return Ok(Verdict::Hold(HoldReason::Parent(table, row.id.clone())));
            }
            let kept = row.is_whole() && permits(Operation::Delete, clinic.into_iter().collect())?;
            return Ok(if kept { Verdict::Write } else { Verdict::Nothing });
        }
        if let Some(column) = missing_value(table.table(), row) {
            return Ok(Verdict::Hold(HoldReason::MissingValue(column)));
        }
        if let Some(reason) = missing_parent(connection, table.table(), row)? {
            return Ok(Verdict::Hold(reason));
        }
        let Some(clinic) = clinic else {
            return Ok(Verdict::Hold(HoldReason::NoClinic(reference(
                table.table(),
                row,
                "patient_id",
            ))));
        };
        let permitted = permits(Operation::Create, vec![clinic])?;
        return Ok(if permitted {
            Verdict::Write
        } else {
            Verdict::Hold(HoldReason::NotPermitted)
        });
    };
    let clinic = people::clinic_of(connection, table, |index| Some(&stored.cells[index]))?;
    if delete {
        if permits(Operation::Delete, clinic.into_iter().collect())? {
            return Ok(Verdict::Write);
        }
        // What is deleted already may have been edited all the same.
        let is_nothing = stored.deleted && asks_for_nothing(connection, table, row, stored, base)?;
        return Ok(if is_nothing {
            Verdict::Nothing
        } else {
            Verdict::Hold(HoldReason::NotPermitted)
        });
    }
    if !permits(Operation::Edit, clinic.iter().cloned().collect())? {
        return Ok(if asks_for_nothing(connection, table, row, stored, base)? {
            Verdict::Nothing
        } else {
            Verdict::Hold(HoldReason::NotPermitted)
        });
    }
    let (ties, column) = moved_by(table.table(), row, stored, base);
    if ties.is_empty() {
        return Ok(Verdict::Write);
    }
    if let Some(reason) = missing_patient(connection, table.table(), row, ties)? {
        return Ok(Verdict::WriteWithout(ties, reason));
    }
    let after = people::clinic_of(connection, table, |index| {
        let sent = row.cells[index].as_ref().filter(|_| ties.contains(index));
        sent.or(Some(&stored.cells[index]))
    })?;
    if after == clinic {
        return Ok(Verdict::Write);
    }
    let Some(after) = after else {
        let patient = patient_in(table.table(), row, ties);
        return Ok(Verdict::WriteWithout(ties, HoldReason::NoClinic(patient)));
    };
    let permitted = permits(Operation::Edit, vec![after])?;
    Ok(if permitted {
        Verdict::Write
    } else {
        Verdict::WriteWithout(ties, HoldReason::ColumnNotPermitted(column))
    })
}

/// The first column that a new row must have and that was not sent. (A null stands for the empty value.)
fn missing_value(table: &'static Table, row: &SentRow) -> Option<&'static str> {
    let mut columns = table.columns.iter().zip(&row.cells);
    columns
        .find(|(column, sent)| column.required && column.on_phone && sent.is_none())
        .map(|(column, _)| column.name)
}

fn reference(table: &Table, row: &SentRow, column: &str) -> Option<Box<str>> {
    let cell = table.column(column).and_then(|index| row.cells[index].as_ref());
    cell.and_then(Cell::as_reference).map(Box::from)
}

/// The rows that a row hangs on.
fn parents<'r>(table: &'r Table, row: &'r SentRow) -> impl Iterator<Item = (TableId, Box<str>)> + 'r {
    let parents = PARENTS.into_iter();
    parents.filter_map(|(column, parent)| Some((TableId::named(parent)?, reference(table, row, column)?)))
}

/// Why a row has to wait for another: that one is held and not stored yet.
pub(in crate::store) fn held_parent(
    connection: &Connection,
    table: &Table,
    row: &SentRow,
) -> Result<Option<HoldReason>, StoreError> {
    for (parent, id) in parents(table, row) {
        if held::is_held(connection, parent, &id)? && rows::find_deleted(connection, parent, &id)?.is_none() {
            return Ok(Some(HoldReason::Parent(parent, id)));
        }
    }
    Ok(None)
}

/// Why a new row has to wait for another: that one is held, or is a patient who is deleted.
fn missing_parent(connection: &Connection, table: &Table, row: &SentRow) -> Result<Option<HoldReason>, StoreError> {
    for (parent, id) in parents(table, row) {
        let waits = match rows::find_deleted(connection, parent, &id)? {
            Some(deleted) => deleted && parent.table().name == "patients",
            None => held::is_held(connection, parent, &id)?,
        };
        if waits {
            return Ok(Some(HoldReason::Parent(parent, id)));
        }
    }
    Ok(None)
}

/// The patient to whom a row is moved, if it is.
fn patient_in(table: &Table, row: &SentRow, ties: ColumnSet) -> Option<Box<str>> {
    let column = table.column("patient_id").filter(|column| ties.contains(*column));
    column.and_then(|_| reference(table, row, "patient_id"))
}

/// Why a row can't be moved to another patient yet: that one is deleted, or held. Its patient would be on no phone.
fn missing_patient(
    connection: &Connection,
    table: &Table,
    row: &SentRow,
    ties: ColumnSet,
) -> Result<Option<HoldReason>, StoreError> {
    let (Some(patient), Some(patients)) = (patient_in(table, row, ties), TableId::named("patients")) else {
        return Ok(None);
    };
    let waits = match rows::find_deleted(connection, patients, &patient)? {
        Some(deleted) => deleted,
        None => held::is_held(connection, patients, &patient)?,
    };
    Ok(waits.then_some(HoldReason::Parent(patients, patient)))
}

/// The columns by which the sender takes a row to another clinic, perhaps, and the first of them.
fn moved_by(table: &'static Table, row: &SentRow, stored: &StoredRow, base: HubTime) -> (ColumnSet, &'static str) {
    let mut ties = ColumnSet::EMPTY;
    let mut first = "";
    for name in table.clinic_column.into_iter().chain(["patient_id"]) {
        let Some(index) = table.column(name) else { continue };
        let sent = row.cells[index]
            .as_ref()
            .filter(|sent| !sent.means(&stored.cells[index]));
        let stated = || row.changed.is_none_or(|changed| changed.contains(index));
        if sent.is_some() && (stored.changed_at <= base || stated()) {
            ties.insert(index);
            first = if first.is_empty() {
                table.columns[index].name
            } else {
                first
            };
        }
    }
    (ties, first)
}

/// Whether a row, which its sender may not write, is as it is stored, or as its sender has seen it.
fn asks_for_nothing(
    connection: &Connection,
    table: TableId,
    row: &SentRow,
    stored: &StoredRow,
    base: HubTime,
) -> Result<bool, StoreError> {
    let columns = table.table().columns;
    let mut differing = row.cells.iter().enumerate().filter_map(|(index, sent)| {
        let sent = sent.as_ref()?;
        let name = columns[index].name;
        let is_no_wish = STAMPS.contains(&name) || (stored.deleted && DELETION.contains(&name));
        (!is_no_wish && !sent.means(&stored.cells[index])).then_some((index, sent))
    });
    if stored.changed_at <= base {
        return Ok(differing.next().is_none());
    }
    let mut differing = differing.peekable();
    if differing.peek().is_none() {
        return Ok(true);
    }
    let seen = values_at(connection, table, &row.id, base)?;
    Ok(differing.all(|(index, sent)| seen.get(&index).is_some_and(|seen| sent.means(seen))))
}

/// The values that columns had at `base` which have changed since.
fn values_at(
    connection: &Connection,
    table: TableId,
    row: &str,
    base: HubTime,
) -> Result<HashMap<usize, Cell>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT cells FROM history WHERE table_name = ?1 AND row_id = ?2 AND changed_at > ?3 AND why <> 'lost' \
         ORDER BY changed_at DESC, seq DESC",
    )?;
    let mut rows = statement.query((table.table().name, row, base.millis()))?;
    let mut values = HashMap::new();
    while let Some(row) = rows.next()? {
        let cells = row.get_ref(0)?.as_str().unwrap_or_default();
        let cells: serde_json::Map<String, serde_json::Value> = serde_json::from_str(cells).unwrap_or_default();
        for (name, value) in cells {
            if let (Some(index), Some(cell)) = (table.table().column(&name), Cell::from_json(&value)) {
                values.insert(index, cell);
            }
        }
    }
    Ok(values)
}

/// Whether a row's sender has something else of it than the hub, apart from when it was written.
pub(super) fn differs(table: TableId, row: &SentRow, stored: &StoredRow) -> bool {
    let mut columns = table.table().columns.iter().zip(row.cells.iter().zip(&stored.cells));
    stored.deleted
        || columns.any(|(column, (sent, stored))| {
            let sent = sent.as_ref().filter(|_| !STAMPS.contains(&column.name));
            sent.is_some_and(|sent| !sent.means(stored))
        })
}

/// What hangs on a row that is to be deleted and stays: rows of clinics where the right to delete is missing.
pub(in crate::store) fn spared(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: &StoredRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Vec<(TableId, String)>, StoreError> {
    let connection = applier.tx().connection();
    let base = applier.seen().base;
    let home = people::clinic_of(connection, table, |index| Some(&stored.cells[index]))?;
    let mut spared = Vec::new();
    for (child, id) in children(connection, table, &row.id)? {
        let Some(found) = rows::find(connection, child, &id)? else {
            continue;
        };
        let clinic = people::clinic_of(connection, child, |index| Some(&found.cells[index]))?;
        if clinic.is_none() || clinic == home {
            continue;
        }
        let clinics: Vec<String> = clinic.into_iter().collect();
        let with_its_parent = Access {
            table,
            operation: Operation::Delete,
            stored: Some(stored),
            sent: row,
            clinics: clinics.clone(),
            base,
        };
        let alone = SentRow::of_id(child.table(), &id);
        let by_itself = Access {
            table: child,
            operation: Operation::Delete,
            stored: Some(&found),
            sent: &alone,
            clinics,
            base,
        };
        if !gate.permits(applier.tx(), &with_its_parent)? && !gate.permits(applier.tx(), &by_itself)? {
            spared.push((child, id));
        }
    }
    Ok(spared)
}
