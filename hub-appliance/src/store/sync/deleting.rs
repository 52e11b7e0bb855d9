//! Deletions: what goes along with a row, and what is kept of its last edits. A delete beats edits.

use rusqlite::Connection;

use super::apply::{Applied, Applier};
use super::history::Why;
use super::sent::SentRow;
use super::stock;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
use crate::store::value::Cell;

/// Tables whose rows go with a deleted row of another: (parent, column of the child).
const CASCADES: [(&str, &str); 2] = [("patients", "patient_id"), ("visits", "visit_id")];

/// Columns that a delete itself changes.
const DELETION: [&str; 3] = ["is_deleted", "deleted_at", "updated_at"];

impl Applier<'_, '_> {
    /// Marks a row as deleted, with all that hangs on it. A whole row that the hub never had is kept, as a deleted one.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn delete(&mut self, table: TableId, row: &SentRow, stored: Option<&StoredRow>) -> Result<Applied, StoreError> {
        match stored {
            None if !row.is_whole() => Ok(Applied::NothingToDelete),
            None => self.insert(table, row, true).map(|()| Applied::Deleted),
            Some(stored) if stored.deleted => {
                self.keep_last_edits(table, row, stored)?;
                Ok(Applied::NothingToDelete)
            }
            Some(stored) => {
                let by = self.origin;
                self.keep_last_edits(table, row, stored)?;
                self.mark_deleted(table, &row.id, stored, by)?;
                self.cascade(table, &row.id)?;
                Ok(Applied::Deleted)
            }
        }
    }

    /// As [`Self::delete`], of a row that its sender edited before: none of `edits`, oldest first, is lost.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn delete_after<'e>(
        &mut self,
        table: TableId,
        row: &'e SentRow,
        edits: impl DoubleEndedIterator<Item = &'e SentRow> + Clone,
        stored: Option<&StoredRow>,
    ) -> Result<Applied, StoreError> {
        if let Some(stored) = stored {
            for edit in edits {
                self.keep_last_edits(table, edit, stored)?;
            }
            return self.delete(table, row, Some(stored));
        }
        // A bare id says nothing of the row; the hub never had it, so what was edited last is all there is of it.
        let whole = std::iter::once(row).chain(edits.rev()).find(|row| row.is_whole());
        self.delete(table, whole.unwrap_or(row), None)
    }

    pub(super) fn lose_to_delete(
        &mut self,
        table: TableId,
        row: &SentRow,
        stored: &StoredRow,
    ) -> Result<Applied, StoreError> {
        let now = self.tx.change_time();
        self.keeping(table, &row.id, now, self.edited_at(table, row))
            .keep_once(self.tx.connection(), differing(row, stored))?;
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
        self.keeping(table, &row.id, now, self.edited_at(table, row))
            .keep_once(self.tx.connection(), edits)
    }

    pub(super) fn mark_deleted(
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
        self.keeping(table, id, now, now.millis()).keep(
            self.tx.connection(),
            Why::Delete,
            flags.map(|index| (index, &stored.cells[index])),
        )?;
        rows::mark_deleted(self.tx.connection(), table, id, now, by)?;
        stock::follow(self, table, id, Some(stored))
    }

    /// The sender knows of the row it deleted, not of what went with it: those are the hub's doing.
    fn cascade(&mut self, parent: TableId, id: &str) -> Result<(), StoreError> {
        for (child, id) in children(self.tx.connection(), parent, id)? {
            let child = (child, id);
            if self.spared.contains(&child) {
                continue;
            }
            if let Some(stored) = rows::find(self.tx.connection(), child.0, &child.1)? {
                self.mark_deleted(child.0, &child.1, &stored, DeviceNumber::HUB)?;
            }
        }
        Ok(())
    }
}

/// What goes with a row when it is deleted.
pub(super) fn children(
    connection: &Connection,
    parent: TableId,
    id: &str,
) -> Result<Vec<(TableId, String)>, StoreError> {
    let Some((_, column)) = CASCADES.into_iter().find(|(name, _)| *name == parent.table().name) else {
        return Ok(Vec::new());
    };
    let mut children = Vec::new();
    for child in TableId::all().filter(|child| hangs_on(*child, column)) {
        let ids = rows::live_ids(connection, child, column, id)?;
        children.extend(ids.into_iter().map(|id| (child, id)));
    }
    Ok(children)
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
