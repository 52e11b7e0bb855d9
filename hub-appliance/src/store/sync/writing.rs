//! Writing one row: it is judged, and what may be written of it is, with what goes along.

use super::apply::{Applied, Applier};
use super::gatekeeper::Gatekeeper;
use super::held::HoldReason;
use super::judge::{self, Verdict, judge};
use super::lists::List;
use super::newer;
use super::push::PushedRow;
use super::sent::SentRow;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::{ColumnSet, TableId};
use crate::store::value::Cell;

/// Writes one row of somebody who waits for how it ends, by the rules of a pushed one.
///
/// # Errors
/// What SQLite reports; then nothing of the row may stay.
pub fn write_row(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: SentRow,
    delete: bool,
    gate: &mut dyn Gatekeeper,
) -> Result<Result<Applied, HoldReason>, StoreError> {
    applier.tx().take_row()?;
    let mut pushed = PushedRow {
        table,
        list: List::Updated,
        text: 0..0,
        edits: Vec::new(),
        id: Some(row.id.clone()),
        row: Ok(row),
        delete,
    };
    let outcome = apply_row(applier, &mut pushed, gate)?;
    // Nobody who waits for an answer is told of half a row.
    Ok(outcome.apart.map_or(outcome.applied, |(_, reason)| Err(reason)))
}

/// What became of a pushed row, and what of it is held apart.
pub(super) struct Outcome {
    pub(super) applied: Result<Applied, HoldReason>,
    pub(super) apart: Option<(ColumnSet, HoldReason)>,
}

impl From<Result<Applied, HoldReason>> for Outcome {
    fn from(applied: Result<Applied, HoldReason>) -> Self {
        Self { applied, apart: None }
    }
}

/// No row makes the others fail: what the database does not take of one is undone, and the row held.
pub(super) fn apply_or_undo(
    applier: &mut Applier<'_, '_>,
    pushed: &mut PushedRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Outcome, StoreError> {
    if let Err(reason) = &pushed.row {
        return Ok(Err(reason.clone()).into());
    }
    applier.tx().begin_part()?;
    match apply_row(applier, pushed, gate) {
        Err(error) if error.is_of_the_values() => {
            applier.tx().undo_part()?;
            Ok(Err(HoldReason::DoesNotFit).into())
        }
        applied => {
            applier.tx().keep_part()?;
            applied
        }
    }
}

/// Judges one row, and writes what may be written of it.
pub(super) fn apply_row(
    applier: &mut Applier<'_, '_>,
    pushed: &mut PushedRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Outcome, StoreError> {
    let row = match &mut pushed.row {
        Ok(row) => row,
        Err(reason) => return Ok(Err(reason.clone()).into()),
    };
    let table = pushed.table;
    let stored = applier.stored(table, &row.id)?;
    row.settle_nulls(table.table(), stored.as_ref());
    let edits: Vec<&SentRow> = pushed.edits.iter().filter_map(|edit| edit.row.as_ref().ok()).collect();
    // A bare id says nothing of a row that the hub never had; what was edited last does.
    let whole = std::iter::once(&*row)
        .chain(edits.iter().rev().copied())
        .find(|row| row.is_whole());
    let judged = whole.unwrap_or(row);
    let verdict = judge(applier, table, judged, stored.as_ref(), pushed.delete, gate)?;
    let apart = match verdict {
        Verdict::Hold(reason) => return Ok(Err(reason).into()),
        Verdict::Nothing => {
            if let Some(stored) = &stored
                && !pushed.delete
                && judge::differs(table, row, stored)
            {
                applier.resend(table, &row.id)?;
            }
            return Ok(Ok(Applied::Unchanged).into());
        }
        Verdict::WriteWithout(columns, reason) => Some((columns, reason)),
        Verdict::Write => None,
    };
    let kept = row.cells.clone();
    if let Some((columns, _)) = apart {
        let cells = row.cells.iter_mut().enumerate();
        cells
            .filter(|(index, _)| columns.contains(*index))
            .for_each(|(_, cell)| *cell = None);
    }
    let deletion = pushed.delete.then_some(&*edits);
    let applied = write(applier, table, row, stored.as_ref(), deletion, gate)?;
    row.cells = kept;
    Ok(Outcome {
        applied: Ok(applied),
        apart,
    })
}

/// Writes a row that was judged, with the columns of newer apps. A deletion comes with the row's last edits, the oldest
/// first, and takes along what hangs on it.
pub(super) fn write(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
    deletion: Option<&[&SentRow]>,
    gate: &mut dyn Gatekeeper,
) -> Result<Applied, StoreError> {
    if let Some(edits) = deletion {
        if let Some(stored) = stored.filter(|stored| !stored.deleted) {
            let spared = judge::spared(applier, table, row, stored, gate)?;
            applier.spare(spared);
        }
        return applier.delete_after(table, row, edits.iter().copied(), stored);
    }
    let applied = applier.put(table, row, stored)?;
    if row.newer.is_empty() || applied == Applied::LostToDelete {
        return Ok(applied);
    }
    write_newer(applier, table, row, stored, applied)
}

fn write_newer(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
    applied: Applied,
) -> Result<Applied, StoreError> {
    let edited_at = table
        .table()
        .column("updated_at")
        .and_then(|index| row.cells[index].as_ref());
    let (author, base) = (applier.author().clone(), applier.seen().base);
    let sender = newer::Sender {
        author: &author,
        base,
        edited_at: edited_at.and_then(Cell::as_integer).unwrap_or(0),
    };
    let merged = newer::merge(applier.tx(), table, &row.id, &row.newer, sender)?;
    if merged.differs {
        applier.resend(table, &row.id)?;
    }
    match (merged.written, applied, stored) {
        (true, Applied::Unchanged, Some(stored)) => {
            applier.stamp(table, &row.id, stored)?;
            Ok(Applied::Updated)
        }
        _ => Ok(applied),
    }
}
