//! Applying one row that came from outside (a phone, the cloud, a procedure) to the store.
//!
//! Whoever writes goes through here, so that each write is stamped by the change clock, merged by the same rules and
//! leaves what it replaced in the history. How a row meets the stored one stands in `meeting`, what a
//! deletion does in `deleting`.

use std::collections::HashSet;

use super::attributes;
use super::cursors::Seen;
use super::history::{Author, Keeping, Why};
use super::merge::Now;
use super::past::{self, Given};
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
    pub(super) tx: &'t mut WriteTx<'c>,
    pub(super) author: Author,
    pub(super) seen: Seen,
    /// Whose the rows are that it writes: that device does not get them back.
    pub(super) origin: DeviceNumber,
    /// What hangs on the rows to be deleted and is not deleted with them.
    pub(super) spared: HashSet<(TableId, String)>,
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

    /// A write of this author in the history; `edited_at` says when the edit was made, epoch ms.
    pub(super) const fn keeping<'a>(
        &'a self,
        table: TableId,
        row: &'a str,
        at: HubTime,
        edited_at: i64,
    ) -> Keeping<'a> {
        Keeping {
            table,
            row,
            at,
            edited_at,
            author: &self.author,
        }
    }

    /// The hub's time, without handing out a new one.
    pub(super) fn now(&self) -> Now {
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
    pub(super) fn edited_at(&self, table: TableId, row: &SentRow) -> i64 {
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
