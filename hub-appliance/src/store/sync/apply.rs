//! Applying one row that came from outside (a phone, the cloud, a procedure) to the store.
//!
//! Whoever writes goes through here, so that each write is stamped by the change clock, merged by the same rules and
//! leaves what it replaced in the history.

use super::cursors::Seen;
use super::history::{self, Author, Why};
use super::merge::{Merged, SentCells, Since, merge, not_ahead};
use super::resend::resend;
use super::sent::SentRow;
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::{ColumnSet, TableId};
use crate::store::value::Cell;
use crate::store::writer::WriteTx;

/// Tables whose rows go with a deleted row of another: (parent, column of the child).
const CASCADES: [(&str, &str); 2] = [("patients", "patient_id"), ("visits", "visit_id")];

/// Columns that a delete itself changes.
const DELETION: [&str; 3] = ["is_deleted", "deleted_at", "updated_at"];

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It is new on the hub.
    Inserted,
    /// The stored row took values of it.
    Updated,
    /// The stored row already was like it.
    Unchanged,
    /// The stored row is deleted, and stays so; what was sent is in the history.
    LostToDelete,
    /// It marked the stored row as deleted.
    Deleted,
    /// There was nothing to delete.
    NothingToDelete,
}

/// Writes rows of one author into one transaction.
pub struct Applier<'t, 'c> {
    tx: &'t mut WriteTx<'c>,
    author: Author,
    seen: Seen,
}

impl<'t, 'c> Applier<'t, 'c> {
    /// For an author that had seen so much of the hub's rows.
    pub fn new(tx: &'t mut WriteTx<'c>, author: Author, seen: Seen) -> Self {
        Self { tx, author, seen }
    }

    /// The transaction.
    pub fn tx(&mut self) -> &mut WriteTx<'c> {
        self.tx
    }

    /// What the author had seen.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        self.seen
    }

    /// Makes the author's device get a row again, and nobody else.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn resend(&mut self, table: TableId, id: &str) -> Result<(), StoreError> {
        resend(self.tx, self.author.device, table, id)
    }

    /// The change time of the rows that are written.
    pub fn change_time(&mut self) -> HubTime {
        self.tx.change_time()
    }

    /// Reads the stored row, deleted or not.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn stored(&self, table: TableId, id: &str) -> Result<Option<StoredRow>, StoreError> {
        rows::find(self.tx.connection(), table, id)
    }

    /// Inserts the row, or merges it with `stored`.
    ///
    /// A column that a new row needs and was not sent gets its empty value: whether that is acceptable is the caller's
    /// to decide before.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn put(&mut self, table: TableId, row: &SentRow, stored: Option<&StoredRow>) -> Result<Applied, StoreError> {
        match stored {
            None => self.insert(table, row, false).map(|()| Applied::Inserted),
            Some(stored) if stored.deleted => self.lose_to_delete(table, row, stored),
            Some(stored) => self.merge(table, row, stored),
        }
    }

    /// Marks a row as deleted, with all that hangs on it. A whole row that the hub never had is kept, as a deleted one.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn delete(&mut self, table: TableId, row: &SentRow, stored: Option<&StoredRow>) -> Result<Applied, StoreError> {
        match stored {
            None if row.cells.iter().flatten().count() <= 1 => Ok(Applied::NothingToDelete),
            None => self.insert(table, row, true).map(|()| Applied::Deleted),
            Some(stored) if stored.deleted => {
                self.keep_last_edits(table, row, stored)?;
                Ok(Applied::NothingToDelete)
            }
            Some(stored) => {
                let by = self.author.device;
                self.keep_last_edits(table, row, stored)?;
                self.mark_deleted(table, &row.id, stored, by)?;
                self.cascade(table, &row.id)?;
                Ok(Applied::Deleted)
            }
        }
    }

    /// Gives columns of a row values that the hub itself reckoned, so that every phone gets the row.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(in crate::store) fn replace(
        &mut self,
        table: TableId,
        id: &str,
        stored: &StoredRow,
        why: Why,
        take: Vec<(usize, Cell)>,
    ) -> Result<(), StoreError> {
        let now = self.tx.change_time();
        self.keep(
            table,
            id,
            now,
            why,
            take.iter().map(|(index, _)| (*index, &stored.cells[*index])),
        )?;
        rows::update(self.tx.connection(), table, id, &take, now, DeviceNumber::HUB)
    }

    fn insert(&mut self, table: TableId, row: &SentRow, deleted: bool) -> Result<(), StoreError> {
        let now = self.tx.change_time();
        let updated_at = table.table().column("updated_at");
        let cells: Vec<Cell> = table
            .table()
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| {
                let sent = row.cells[index].clone().unwrap_or(Cell::Null);
                match sent {
                    Cell::Null if column.required => match column.name {
                        "last_modified" | "server_created_at" => Cell::Integer(now.millis()),
                        _ => Cell::empty(column.kind),
                    },
                    Cell::Integer(time) if Some(index) == updated_at => Cell::Integer(not_ahead(time, now)),
                    sent => sent,
                }
            })
            .collect();
        let as_sent = cells
            .iter()
            .zip(&row.cells)
            .all(|(cell, sent)| sent.as_ref().is_none_or(|sent| cell.means(sent)));
        rows::insert(self.tx.connection(), table, &cells, now, deleted, self.author.device)?;
        if !as_sent {
            rows::touch(self.tx.connection(), table, &row.id, now)?;
        }
        Ok(())
    }

    fn merge(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
        let since = self.what_happened_since(table, &row.id, stored)?;
        // A merge that changes nothing must not move the change clock, so the time is only looked at here.
        let merged = merge(
            table.table(),
            &stored.cells,
            &row.cells,
            row.changed,
            since,
            self.tx.now(),
        );
        let resend = !merged.as_sent && !self.gets_anyway(stored);
        if merged.take.is_empty() && merged.lost.is_empty() && !resend {
            return Ok(Applied::Unchanged);
        }
        let why = match (self.author.device, since) {
            (DeviceNumber::CLOUD, _) => Why::Cloud,
            (_, Since::Unchanged) => Why::Edit,
            (_, Since::ChangedByOthers(_)) => Why::Merge,
        };
        let now = self.tx.change_time();
        // Null for empty, or the other way round, replaces nothing, and must not count as a change in later merges.
        let replaced = merged.take.iter().filter_map(|(index, cell)| {
            let old = &stored.cells[*index];
            (!cell.means(old)).then_some((*index, old))
        });
        self.keep(table, &row.id, now, why, replaced)?;
        self.keep_lost(table, row, &merged, now)?;
        if merged.take.is_empty() && !resend {
            return Ok(Applied::Unchanged);
        }
        self.note_move(table, row, stored, &merged)?;
        let by = if merged.as_sent {
            self.author.device
        } else {
            DeviceNumber::HUB
        };
        rows::update(self.tx.connection(), table, &row.id, &merged.take, now, by)?;
        Ok(Applied::Updated)
    }

    fn what_happened_since(&self, table: TableId, id: &str, stored: &StoredRow) -> Result<Since, StoreError> {
        if stored.changed_at <= self.seen.base {
            return Ok(Since::Unchanged);
        }
        let device = self.author.device;
        if stored.created_at > self.seen.base && stored.created_by != device {
            return Ok(Since::ChangedByOthers(ColumnSet::ALL));
        }
        history::changed_by_others(self.tx.connection(), table, id, self.seen.base, device).map(Since::ChangedByOthers)
    }

    fn lose_to_delete(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
        let now = self.tx.change_time();
        self.keep_once(table, row, now, differing(row, stored))?;
        if !self.gets_anyway(stored) {
            // The sender knows of the deletion, or made it, and has the row all the same: tell it again.
            self.resend(table, &row.id)?;
        }
        Ok(Applied::LostToDelete)
    }

    /// A row may have been edited before it was deleted: nobody gets to see those values, but they are not lost.
    fn keep_last_edits(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<(), StoreError> {
        let edits: Vec<_> = differing(row, stored)
            .filter(|(index, _)| row.changed.is_none_or(|changed| changed.contains(*index)))
            .filter(|(index, _)| !DELETION.contains(&table.table().columns[*index].name))
            .collect();
        if edits.is_empty() {
            return Ok(());
        }
        let now = self.tx.change_time();
        self.keep_once(table, row, now, edits)
    }

    fn mark_deleted(
        &mut self,
        table: TableId,
        id: &str,
        stored: &StoredRow,
        by: DeviceNumber,
    ) -> Result<(), StoreError> {
        let now = self.tx.change_time();
        let flags = ["is_deleted", "deleted_at"]
            .into_iter()
            .filter_map(|name| table.table().column(name));
        self.keep(
            table,
            id,
            now,
            Why::Delete,
            flags.map(|index| (index, &stored.cells[index])),
        )?;
        rows::mark_deleted(self.tx.connection(), table, id, now, by)
    }

    /// The sender knows of the row it deleted, not of what went with it: those are the hub's doing.
    fn cascade(&mut self, parent: TableId, id: &str) -> Result<(), StoreError> {
        let Some((_, column)) = CASCADES.into_iter().find(|(name, _)| *name == parent.table().name) else {
            return Ok(());
        };
        for child in TableId::all().filter(|child| hangs_on(*child, column)) {
            for id in rows::live_ids(self.tx.connection(), child, column, id)? {
                if let Some(stored) = rows::find(self.tx.connection(), child, &id)? {
                    self.mark_deleted(child, &id, &stored, DeviceNumber::HUB)?;
                }
            }
        }
        Ok(())
    }

    /// A row that comes to another clinic is news to phones that may not see the old one.
    fn note_move(
        &mut self,
        table: TableId,
        row: &SentRow,
        stored: &StoredRow,
        merged: &Merged,
    ) -> Result<(), StoreError> {
        let Some(column) = table.table().clinic_column.and_then(|name| table.table().column(name)) else {
            return Ok(());
        };
        let (Some(old), true) = (
            stored.cells[column].as_reference(),
            merged.take.iter().any(|(index, _)| *index == column),
        ) else {
            return Ok(());
        };
        let now = self.tx.change_time();
        let connection = self.tx.connection();
        let mut note = connection.prepare_cached(
            "INSERT OR IGNORE INTO clinic_moves (table_name, row_id, from_clinic, moved_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        note.execute((table.table().name, &*row.id, old, now.millis()))?;
        if table.table().name == "patients" {
            for child in TableId::all().filter(|child| hangs_on(*child, "patient_id")) {
                for id in rows::live_ids(connection, child, "patient_id", &row.id)? {
                    rows::touch(connection, child, &id, now)?;
                }
            }
        }
        Ok(())
    }

    fn keep<'a>(
        &self,
        table: TableId,
        id: &str,
        now: HubTime,
        why: Why,
        cells: impl IntoIterator<Item = (usize, &'a Cell)>,
    ) -> Result<(), StoreError> {
        history::keep(self.tx.connection(), table, id, now, why, &self.author, cells)
    }

    fn keep_lost(&self, table: TableId, row: &SentRow, merged: &Merged, now: HubTime) -> Result<(), StoreError> {
        let sent: &SentCells = &row.cells;
        let lost = merged
            .lost
            .iter()
            .filter_map(|index| sent[*index].as_ref().map(|cell| (*index, cell)));
        self.keep_once(table, row, now, lost)
    }

    fn keep_once<'a>(
        &self,
        table: TableId,
        row: &SentRow,
        now: HubTime,
        lost: impl IntoIterator<Item = (usize, &'a Cell)>,
    ) -> Result<(), StoreError> {
        history::keep_once(self.tx.connection(), table, &row.id, now, &self.author, lost)
    }

    /// Whether the author's next pull brings it the stored row without anybody's doing.
    fn gets_anyway(&self, stored: &StoredRow) -> bool {
        stored.changed_at > self.seen.given && stored.origin != self.author.device
    }
}

/// The sent values that mean something else than the stored ones.
fn differing<'a>(row: &'a SentRow, stored: &'a StoredRow) -> impl Iterator<Item = (usize, &'a Cell)> {
    let pairs = row.cells.iter().zip(&stored.cells).enumerate();
    pairs.filter_map(|(index, (sent, stored))| {
        let sent = sent.as_ref().filter(|sent| !sent.means(stored))?;
        Some((index, sent))
    })
}

/// Whether rows of `child` go with the row that their `column` names. Visits take only their events with them.
fn hangs_on(child: TableId, column: &str) -> bool {
    let table = child.table();
    table.column(column).is_some() && (column == "patient_id" || table.name == "events")
}
