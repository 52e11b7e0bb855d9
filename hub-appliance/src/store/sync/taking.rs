//! Taking a parsed push in, in one transaction: each row is written, left alone or held, and one bad row stops nobody.

use super::apply::{Applied, Applier};
use super::cursors::Seen;
use super::gatekeeper::Gatekeeper;
use super::held::{self, Direction, HeldRow, HoldReason};
use super::history::Author;
use super::lists::List;
use super::push::{Push, PushedRow, UnknownRow};
use super::quota::Quota;
use super::release;
use super::sent::SentRow;
use super::writing::{apply_or_undo, apply_row};
use crate::store::error::StoreError;
use crate::store::schema::{ColumnSet, TableId};
use crate::store::writer::WriteTx;

/// What is undone where the database does not take a row of a push.
///
/// A savepoint for each row is a third of what a push costs, and next to no push has a row that the database refuses. So all
/// rows are taken in without, and only where one was refused once more, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// All of the push: a row that is refused fails it.
    Whole,
    /// That row alone, which is held.
    ByRow,
}

/// How many rows of a push went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushSummary {
    /// Inserted, updated or deleted.
    pub written: usize,
    /// Already so, or lost against a deletion.
    pub unchanged: usize,
    /// Held for a person.
    pub held: usize,
    /// Of tables that phones do not push.
    pub skipped: usize,
}

impl PushSummary {
    const fn count(&mut self, applied: Applied) {
        match applied {
            Applied::Inserted | Applied::Updated | Applied::Deleted => self.written += 1,
            Applied::Unchanged | Applied::LostToDelete | Applied::NothingToDelete => self.unchanged += 1,
        }
    }
}

impl Push {
    /// Applies the push in the open transaction. `parameters` is the text that it was parsed from.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`], or what SQLite reports; then nothing of the push may stay. With [`Trial::Whole`] that may
    /// be of a row's values: then the push is to be parsed and applied anew, with [`Trial::ByRow`].
    pub fn apply(
        self,
        tx: &mut WriteTx<'_>,
        parameters: &str,
        author: &Author,
        seen: Seen,
        gate: &mut dyn Gatekeeper,
        trial: Trial,
    ) -> Result<PushSummary, StoreError> {
        let mut summary = PushSummary {
            skipped: self.skipped,
            ..PushSummary::default()
        };
        let quota = Quota::of(tx, author.device)?;
        let mut taking = Taking {
            applier: Applier::new(tx, author.clone(), seen),
            author,
            quota,
            summary: &mut summary,
            trial,
        };
        for pushed in self.rows {
            taking.row(pushed, parameters, gate)?;
        }
        for row in &self.unknown {
            taking.unknown(row, &parameters[row.text.clone()])?;
        }
        for (table, row) in &self.own {
            taking.applier.tx().take_row()?;
            put_right(&mut taking.applier, *table, row)?;
        }
        let Taking { mut applier, quota, .. } = taking;
        quota.settle(applier.tx())?;
        Ok(summary)
    }
}

/// A push that is being taken in.
struct Taking<'t, 'c, 'a> {
    applier: Applier<'t, 'c>,
    author: &'a Author,
    quota: Quota,
    summary: &'a mut PushSummary,
    trial: Trial,
}

impl Taking<'_, '_, '_> {
    /// Takes one row in; `parameters` is the text of the whole push.
    fn row(&mut self, mut pushed: PushedRow, parameters: &str, gate: &mut dyn Gatekeeper) -> Result<(), StoreError> {
        self.applier.tx().take_row()?;
        let text = &parameters[pushed.text.clone()];
        let (table, list) = (pushed.table, pushed.list);
        let outcome = match self.trial {
            Trial::ByRow => apply_or_undo(&mut self.applier, &mut pushed, gate)?,
            Trial::Whole => apply_row(&mut self.applier, &mut pushed, gate)?,
        };
        match outcome.applied {
            Ok(applied) => {
                let before = self.summary.written;
                self.summary.count(applied);
                if self.summary.written > before {
                    self.quota.write(text.len());
                }
                if let Ok(row) = &pushed.row {
                    if applied == Applied::Inserted {
                        self.applier.note_author(table, row)?;
                        if self.quota.holds_any() {
                            release::superseded(self.applier.tx(), table, &row.id, self.author.device)?;
                        }
                    }
                    if row.converted {
                        self.applier.resend(table, &row.id)?;
                    }
                }
            }
            Err(reason) => {
                self.hold(table, list, pushed.id.as_deref(), text, reason)?;
                // Who may not delete a row may have edited it all the same.
                for edit in std::mem::take(&mut pushed.edits) {
                    self.row(edit, parameters, gate)?;
                }
            }
        }
        if let (Some((columns, reason)), Ok(row)) = (outcome.apart, &pushed.row) {
            let columns = part_of(table, row, columns);
            self.hold(table, List::Updated, Some(&row.id), &columns, reason)?;
        }
        Ok(())
    }

    /// Holds a row; a phone whose edit is held gets the hub's version back at its next pull.
    fn hold(
        &mut self,
        table: TableId,
        list: List,
        row_id: Option<&str>,
        row: &str,
        reason: HoldReason,
    ) -> Result<(), StoreError> {
        let held = self.held(table, list, row_id, row, reason);
        let bytes = held::hold(self.applier.tx(), &held)?;
        self.quota.hold(bytes)?;
        self.summary.held += 1;
        if let Some(id) = row_id
            && self.applier.stored(table, id)?.is_some()
        {
            self.applier.resend(table, id)?;
        }
        Ok(())
    }

    fn unknown(&mut self, row: &UnknownRow, text: &str) -> Result<(), StoreError> {
        self.applier.tx().take_row()?;
        // The table is named beside it.
        let Some(any) = TableId::all().next() else {
            return Ok(());
        };
        let held = self.held(any, row.list, row.id.as_deref(), text, HoldReason::UnknownTable);
        let bytes = held::hold_as(self.applier.tx(), &row.table, &held)?;
        self.quota.hold(bytes)?;
        self.summary.held += 1;
        Ok(())
    }

    fn held<'r>(
        &mut self,
        table: TableId,
        list: List,
        row_id: Option<&'r str>,
        row: &'r str,
        reason: HoldReason,
    ) -> HeldRow<'r>
    where
        Self: 'r,
    {
        HeldRow {
            direction: Direction::Phone,
            table,
            row_id,
            list,
            row,
            reason,
            base: self.applier.seen().base,
            author: self.author,
            held_at: self.applier.tx().now(),
        }
    }
}

/// Columns of a row as a row of their own, to be held.
fn part_of(table: TableId, row: &SentRow, columns: ColumnSet) -> String {
    let definition = table.table().columns;
    let mut part = serde_json::Map::new();
    let mut names = Vec::new();
    for (index, column) in definition.iter().enumerate() {
        let wanted = columns.contains(index);
        if let Some(cell) = row.cells[index]
            .as_ref()
            .filter(|_| wanted || matches!(column.name, "id" | "updated_at"))
        {
            part.insert(column.name.into(), cell.to_json());
            names.extend(wanted.then_some(column.name));
        }
    }
    part.insert("_changed".into(), names.join(",").into());
    serde_json::Value::Object(part).to_string()
}

/// Makes the phone get the hub's version of a row that it changed and may not push.
fn put_right(applier: &mut Applier<'_, '_>, table: TableId, row: &SentRow) -> Result<(), StoreError> {
    let Some(stored) = applier.stored(table, &row.id)? else {
        return Ok(());
    };
    let mut cells = row.cells.iter().zip(&stored.cells);
    let as_stored = cells.all(|(sent, stored)| sent.as_ref().is_none_or(|sent| sent.means(stored)));
    if stored.deleted || !as_stored {
        applier.resend(table, &row.id)?;
    }
    Ok(())
}
