//! What is news in a row of the cloud, beside what the cloud is known to hold and what was sent to it.

use super::digest::{Digests, digests};
use super::ledger::CloudEntry;
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::rows::StoredRow;
use crate::store::schema::{ColumnSet, Table, TableId};
use crate::store::sync::sent::SentRow;

/// A row of the cloud beside what is known of it.
pub(super) struct Comparison {
    pub(super) now: Digests,
    /// Columns that the cloud has changed.
    pub(super) changed: ColumnSet,
    /// It is what was sent or packed, of this version.
    pub(super) echo: Option<(Digests, HubTime)>,
    pub(super) is_echo: bool,
    /// Its `updated_at` is later than any that the cloud is known to have given it.
    pub(super) is_later: bool,
    pub(super) updated_at: i64,
    pub(super) is_new: bool,
    pub(super) is_deleted: bool,
    /// The hub has a deleted row; only what belongs to the cloud comes to life again.
    pub(super) comes_to_life: Option<bool>,
    /// The hub's row has edits that the cloud does not have.
    pub(super) has_edits: bool,
}

impl Comparison {
    pub(super) fn of(table: TableId, row: &SentRow, stored: Option<&StoredRow>, entry: &CloudEntry) -> Self {
        let definition = table.table();
        let now = digests(definition, row.cells.iter().map(Option::as_ref), entry.known.as_ref());
        let on_its_way = || entry.sent.iter().chain(&entry.packed);
        let unlike = |sent: &Digests| sent.changed(&now, definition, true);
        let echo = on_its_way().filter(|(sent, _)| unlike(sent).is_empty());
        let echo = echo.max_by_key(|(_, version)| *version).cloned();
        let sent = on_its_way().map(|(sent, _)| unlike(sent)).reduce(ColumnSet::and);
        let changed = match (&entry.known, sent) {
            // What is as it was sent is no change of the cloud's, even where the rest of the row is.
            (Some(known), Some(changed)) => known.changed(&now, definition, entry.was_pushed).and(changed),
            (Some(known), None) => known.changed(&now, definition, entry.was_pushed),
            (None, Some(changed)) => changed,
            (None, None) => ColumnSet::ALL,
        };
        let updated_at = time(definition, "updated_at", row).unwrap_or(0);
        Self {
            now,
            changed,
            is_echo: stored.is_some() && echo.is_some(),
            echo,
            is_later: definition.cloud.pushes() && updated_at > entry.cloud_updated_at,
            updated_at,
            is_new: stored.is_none(),
            is_deleted: time(definition, "is_deleted", row) == Some(1),
            comes_to_life: stored
                .filter(|stored| stored.deleted)
                .map(|_| !definition.cloud.pushes()),
            has_edits: stored
                .is_some_and(|stored| stored.origin != DeviceNumber::CLOUD && !entry.has(stored.changed_at)),
        }
    }

    pub(super) fn is_news(&self) -> bool {
        match self.comes_to_life {
            _ if self.is_new => true,
            Some(true) => !self.is_deleted || self.has_edits,
            Some(false) => self.is_deleted || self.is_echo,
            None => self.is_deleted || self.is_echo || self.is_later || !self.changed.is_empty(),
        }
    }
}

pub(super) fn time(table: &Table, column: &str, row: &SentRow) -> Option<i64> {
    row.cells[table.column(column)?].as_ref()?.as_integer()
}
