//! A row that is sent meets the stored one: it is inserted, merged with it, or takes its place.

use std::borrow::Cow;

use super::apply::{Applied, Applier};
use super::attributes;
use super::history::Why;
use super::merge::{Merged, SentCells, means, merge};
use super::past::{self, Past};
use super::sent::SentRow;
use super::stock;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
use crate::store::value::Cell;

impl Applier<'_, '_> {
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

    pub(super) fn merge(&mut self, table: TableId, row: &SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
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
