//! Applying one row that came from outside (a phone, the cloud, a procedure) to the store.
//!
//! Whoever writes goes through here, so that each write is stamped by the change clock, merged by the same rules and
//! leaves what it replaced in the history.

use std::borrow::Cow;
use std::collections::HashSet;

use rusqlite::Connection;

use super::attributes;
use super::cursors::Seen;
use super::history::{Author, Keeping, Why};
use super::merge::{Merged, Now, SentCells, means, merge};
use super::past::{self, Given, Past};
use super::resend::resend;
use super::sent::SentRow;
use super::stock;
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
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
    /// Whose the rows are that it writes: that device does not get them back.
    origin: DeviceNumber,
    /// What hangs on the rows to be deleted and is not deleted with them.
    spared: HashSet<(TableId, String)>,
}

impl<'t, 'c> Applier<'t, 'c> {
    /// For an author that had seen so much of the hub's rows.
    pub fn new(tx: &'t mut WriteTx<'c>, author: Author, seen: Seen) -> Self {
        let origin = author.device;
        Self {
            tx,
            author,
            seen,
            origin,
            spared: HashSet::new(),
        }
    }

    /// For an author that keeps no rows of its own: the app's single calls. Whoever pulls gets what it writes, the same
    /// phone too, and what it writes is meant for the rows as they stand.
    pub fn of_single_calls(tx: &'t mut WriteTx<'c>, author: Author) -> Self {
        let seen = Seen::up_to(tx.now());
        Self {
            origin: DeviceNumber::HUB,
            ..Self::new(tx, author, seen)
        }
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
        if self.writes_for_everybody() {
            return Ok(());
        }
        resend(self.tx, self.author.device, table, id)
    }

    /// Whether what is written goes to the author's device too.
    fn writes_for_everybody(&self) -> bool {
        self.origin != self.author.device
    }

    /// Who writes.
    #[must_use]
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// Makes deletions leave these rows alone.
    pub(super) fn spare(&mut self, rows: impl IntoIterator<Item = (TableId, String)>) {
        self.spared.extend(rows);
    }

    /// Writes down who sent a new row, where it names somebody else.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn note_author(&self, table: TableId, row: &SentRow) -> Result<(), StoreError> {
        let Some(author) = &self.author.user else { return Ok(()) };
        let mut columns = table.table().columns.iter().zip(&row.cells);
        let names_another = columns.any(|(column, cell)| {
            let named = cell.as_ref().and_then(Cell::as_reference);
            column.cloud_ref == Some("users") && named.is_some_and(|named| named != author)
        });
        if names_another {
            self.tx
                .connection()
                .prepare_cached(
                    "INSERT OR REPLACE INTO hub_authors (table_name, row_id, hub_author) VALUES (?1, ?2, ?3)",
                )?
                .execute((table.table().name, &*row.id, author))?;
        }
        Ok(())
    }

    /// Stamps a row as written by the author, without changing its own columns.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn stamp(&mut self, table: TableId, id: &str, stored: &StoredRow) -> Result<(), StoreError> {
        let by = if self.gets_anyway(stored) {
            DeviceNumber::HUB
        } else {
            self.origin
        };
        let now = self.tx.change_time();
        rows::update(self.tx.connection(), table, id, &[], now, by)
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

    /// What `device` gave of a stored row, when it last did.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(in crate::store) fn given(
        &self,
        table: TableId,
        id: &str,
        stored: &StoredRow,
        device: DeviceNumber,
    ) -> Result<Given, StoreError> {
        past::given(self.tx.connection(), table, id, stored, device)
    }

    /// Inserts the row, or merges it with `stored`.
    ///
    /// A column that a new row needs and was not sent gets its empty value: whether that is acceptable is the caller's
    /// to decide before.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn put(&mut self, table: TableId, row: &SentRow, stored: Option<&StoredRow>) -> Result<Applied, StoreError> {
        if let Some(applied) = attributes::put(self, table, row, stored)? {
            return Ok(applied);
        }
        let applied = match stored {
            None => self.insert(table, row, false).map(|()| Applied::Inserted),
            Some(stored) if stored.deleted => self.lose_to_delete(table, row, stored),
            Some(stored) => self.merge(table, row, stored),
        }?;
        if matches!(applied, Applied::Inserted | Applied::Updated) {
            stock::follow(self, table, &row.id, stored)?;
        }
        Ok(applied)
    }

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

    /// Keeps a value as it was sent, where another one came of it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(in crate::store) fn keep_sent(
        &mut self,
        table: TableId,
        id: &str,
        sent: (usize, &Cell),
    ) -> Result<(), StoreError> {
        let now = self.tx.change_time();
        self.keeping(table, id, now, now.millis())
            .keep(self.tx.connection(), Why::Lost, [sent])
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
        let replaced = take.iter().map(|(index, _)| (*index, &stored.cells[*index]));
        self.keeping(table, id, now, now.millis())
            .keep(self.tx.connection(), why, replaced)?;
        rows::update(self.tx.connection(), table, id, &take, now, DeviceNumber::HUB)
    }

    /// Stores the cloud's row in the place of the hub's own, which is the same under another id.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn take_over(
        &mut self,
        table: TableId,
        row: &SentRow,
        (id, stored): (&str, &StoredRow),
    ) -> Result<Applied, StoreError> {
        let past = past::since(self.tx.connection(), table, id, stored, self.seen, self.author.device)?;
        let mut merged = merge(table.table(), &stored.cells, &row.cells, None, &past, self.now());
        merged.take.retain(|(index, _)| *index != 0);
        let now = self.tx.change_time();
        let mut cells = stored.cells.clone();
        for (index, cell) in &merged.take {
            cells[*index] = cell.clone();
        }
        cells[0] = Cell::Text(row.id.clone());
        let by = if merged.as_sent { self.origin } else { DeviceNumber::HUB };
        rows::insert(self.tx.connection(), table, &cells, now, false, by)?;
        self.keeping(table, &row.id, now, merged.edited_at)
            .keep_once(self.tx.connection(), lost(&row.cells, &merged))?;
        self.mark_deleted(table, id, stored, DeviceNumber::HUB)?;
        attributes::note(self, id, &row.id)?;
        Ok(Applied::Inserted)
    }

    /// Adds a row that is not there.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn insert(&mut self, table: TableId, row: &SentRow, deleted: bool) -> Result<(), StoreError> {
        let now = self.tx.change_time();
        let edits = self.now();
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
                    Cell::Integer(time) if Some(index) == updated_at => Cell::Integer(edits.not_ahead(time)),
                    sent => sent,
                }
            })
            .collect();
        let as_sent = cells
            .iter()
            .zip(&row.cells)
            .all(|(cell, sent)| sent.as_ref().is_none_or(|sent| cell.means(sent)));
        rows::insert(self.tx.connection(), table, &cells, now, deleted, self.origin)?;
        if !as_sent || row.converted {
            self.resend(table, &row.id)?;
        }
        Ok(())
    }

    fn merge(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
        let past = past::since(
            self.tx.connection(),
            table,
            &row.id,
            stored,
            self.seen,
            self.author.device,
        )?;
        let reckoned = stock::reckoned(self, table, row)?;
        let sent = without(&row.cells, reckoned);
        // A merge that changes nothing must not move the change clock, so the time is only looked at here.
        let mut merged = merge(table.table(), &stored.cells, &sent, row.changed, &past, self.now());
        merged.as_sent &= !row.converted;
        if let Some(column) = reckoned.filter(|column| !as_stored(row, stored, *column)) {
            merged.as_sent = false;
            if row.changed.is_none_or(|changed| changed.contains(column)) {
                merged.lost.push(column);
            }
        }
        let resend = !merged.as_sent && !self.gets_anyway(stored);
        if merged.take.is_empty() && merged.lost.is_empty() && !resend {
            return Ok(Applied::Unchanged);
        }
        let why = match (self.author.device, past) {
            (DeviceNumber::CLOUD, _) => Why::Cloud,
            (_, Past::Unchanged) => Why::Edit,
            (_, Past::Changed(_)) => Why::Merge,
        };
        let now = self.tx.change_time();
        // Null for empty, or the other way round, replaces nothing, and must not count as a change in later merges.
        let replaced = merged.take.iter().filter_map(|(index, cell)| {
            let old = &stored.cells[*index];
            (!means(&table.table().columns[*index], cell, old)).then_some((*index, old))
        });
        let keeping = self.keeping(table, &row.id, now, merged.edited_at);
        keeping.keep(self.tx.connection(), why, replaced)?;
        if self.author.device == DeviceNumber::CLOUD {
            // By this it is known what the cloud gave last, so the same value may have to stand there again.
            keeping.keep(self.tx.connection(), Why::Lost, lost(&row.cells, &merged))?;
        } else {
            keeping.keep_once(self.tx.connection(), lost(&row.cells, &merged))?;
        }
        if merged.take.is_empty() {
            if resend {
                self.resend(table, &row.id)?;
            }
            return Ok(Applied::Unchanged);
        }
        let by = if merged.as_sent { self.origin } else { DeviceNumber::HUB };
        rows::update(self.tx.connection(), table, &row.id, &merged.take, now, by)?;
        Ok(Applied::Updated)
    }

    fn lose_to_delete(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
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

    /// A write of this author in the history; `edited_at` says when the edit was made, epoch ms.
    const fn keeping<'a>(&'a self, table: TableId, row: &'a str, at: HubTime, edited_at: i64) -> Keeping<'a> {
        Keeping {
            table,
            row,
            at,
            edited_at,
            author: &self.author,
        }
    }

    /// The hub's time, without handing out a new one.
    fn now(&self) -> Now {
        Now {
            at: self.tx.now(),
            is_trusted: self.tx.trusts_its_clock(),
        }
    }

    /// Whether a time is so far ahead of the hub clock that it does not count.
    pub(in crate::store) fn is_ahead(&self, time: i64) -> bool {
        self.now().not_ahead(time) != time
    }

    /// When a row's edit was made, as its sender says, epoch ms.
    fn edited_at(&self, table: TableId, row: &SentRow) -> i64 {
        let column = table.table().column("updated_at");
        let time = column.and_then(|index| row.cells[index].as_ref()?.as_integer());
        time.map_or_else(|| self.tx.now().millis(), |time| self.now().not_ahead(time))
    }

    /// Whether the author's next pull brings it the stored row without anybody's doing.
    pub(super) fn gets_anyway(&self, stored: &StoredRow) -> bool {
        // The cloud is not asked to pull.
        let own = stored.origin == self.author.device && stored.changed_at > self.seen.alone_since;
        self.author.device == DeviceNumber::CLOUD
            || self.writes_for_everybody()
            || (stored.changed_at > self.seen.given && !own)
    }
}

/// What was sent but for one column.
fn without(sent: &SentCells, column: Option<usize>) -> Cow<'_, SentCells> {
    let Some(column) = column else {
        return Cow::Borrowed(sent);
    };
    let mut sent = sent.to_vec();
    sent[column] = None;
    Cow::Owned(sent)
}

/// Whether what was sent for a column means what is stored there.
fn as_stored(row: &SentRow, stored: &StoredRow, column: usize) -> bool {
    row.cells[column]
        .as_ref()
        .is_none_or(|sent| sent.means(&stored.cells[column]))
}

/// The sent values that lost.
fn lost<'a>(sent: &'a SentCells, merged: &Merged) -> impl Iterator<Item = (usize, &'a Cell)> {
    let lost = merged.lost.iter();
    lost.filter_map(|index| sent[*index].as_ref().map(|cell| (*index, cell)))
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
