//! What a phone pushes: its local changes in the app's shape, and everything at a forced upload.
//!
//! Promise: tables, columns and lists stand in the order of the recorded samples, `_status` and `_changed` travel in
//! the rows, and a sync without local changes pushes nothing at all.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::cell::Cell;
use super::database::{Database, Row, Status};
use super::generation::Generation;
use crate::schema::{Table, schema};

/// Changes as they travel in `sync_push`: tables with three lists each.
#[derive(Debug, Default)]
pub struct Changes {
    tables: Vec<TableChanges>,
}

/// One table of [`Changes`].
#[derive(Debug)]
struct TableChanges {
    index: usize,
    created: Vec<Row>,
    updated: Vec<Row>,
    deleted: Vec<Row>,
    spelling: Spelling,
}

/// How rows are spelled in a push.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    /// Of these only the columns that it has.
    pub(super) generation: Generation,
    /// The forced upload adds a column `image_timestamp` with 0 to every row of every table.
    pub(super) forced: bool,
}

impl Changes {
    /// Whether there is nothing to push.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// How many rows are pushed of each table; a row in two lists counts twice.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let count = |table: &TableChanges| table.created.len() + table.updated.len() + table.deleted.len();
        self.tables
            .iter()
            .map(|table| (table.definition().name.as_str(), count(table)))
            .collect()
    }
}

impl TableChanges {
    fn definition(&self) -> &'static Table {
        &schema().tables()[self.index]
    }

    fn is_empty(&self) -> bool {
        self.created.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }
}

impl Database {
    /// What the next sync will push. Rows marked as deleted are not among it: the app never finds them.
    #[must_use]
    pub fn local_changes(&self) -> Changes {
        let rows_of = |index: usize, status| {
            let rows = self.tables[index].values();
            rows.filter(move |row| row.status == status)
                .cloned()
                .collect::<Vec<Row>>()
        };
        let tables = (0..self.tables.len()).map(|index| TableChanges {
            index,
            created: rows_of(index, Status::Created),
            updated: rows_of(index, Status::Updated),
            deleted: Vec::new(),
            spelling: self.spelling(false),
        });
        Changes {
            tables: tables.filter(|table| !table.is_empty()).collect(),
        }
    }

    /// What a forced upload pushes: every row made or changed after `since` (ms), whatever its status; those with the
    /// flag `is_deleted` a second time among the deletes.
    #[must_use]
    pub fn forced_changes(&self, since: i64) -> Changes {
        let tables = (0..self.tables.len()).map(|index| self.forced_table(index, since));
        Changes {
            tables: tables.filter(|table| !table.is_empty()).collect(),
        }
    }

    fn spelling(&self, forced: bool) -> Spelling {
        Spelling {
            generation: self.generation(),
            forced,
        }
    }

    fn forced_table(&self, index: usize, since: i64) -> TableChanges {
        let table = &schema().tables()[index];
        let mut changes = TableChanges {
            index,
            created: Vec::new(),
            updated: Vec::new(),
            deleted: Vec::new(),
            spelling: self.spelling(true),
        };
        let after = |row: &Row, column| {
            row.get(table, column)
                .and_then(Cell::as_integer)
                .is_some_and(|at| at > since)
        };
        for row in self.tables[index].values().filter(|row| row.status != Status::Deleted) {
            if after(row, "created_at") {
                changes.created.push(row.clone());
            } else if after(row, "updated_at") {
                changes.updated.push(row.clone());
            } else {
                continue;
            }
            if row.is_deleted(table) {
                changes.deleted.push(row.clone());
            }
        }
        changes
    }

    /// Marks rows as synced after the hub took a push, except those edited since; each such marking moves
    /// `updated_at`, as the app's does.
    pub fn mark_pushed(&mut self, pushed: &Changes, now: i64) {
        for table in &pushed.tables {
            let rows = &mut self.tables[table.index];
            for sent in table.created.iter().chain(&table.updated) {
                let Some(row) = sent.cells[0].as_text().and_then(|id| rows.get_mut(id)) else {
                    continue;
                };
                if row != sent {
                    continue;
                }
                row.status = Status::Synced;
                row.changed.clear();
                row.pushed_updated_at = row.get(table.definition(), "updated_at").and_then(Cell::as_integer);
                row.touch(table.definition(), now);
            }
        }
    }

    /// Notes that the hub took rows as they stand, `updated_at` included; a forced upload marks nothing else.
    pub fn note_forced(&mut self, pushed: &Changes) {
        for table in &pushed.tables {
            let rows = &mut self.tables[table.index];
            for sent in table.created.iter().chain(&table.updated) {
                if let Some(row) = sent.cells[0].as_text().and_then(|id| rows.get_mut(id)) {
                    row.pushed_updated_at = None;
                }
            }
        }
    }
}

impl Serialize for Changes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.tables.iter().map(|table| (&table.definition().name, table)))
    }
}

impl Serialize for TableChanges {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let list = |rows| RowList {
            table: self.definition(),
            rows,
            spelling: self.spelling,
        };
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("created", &list(&self.created))?;
        map.serialize_entry("updated", &list(&self.updated))?;
        map.serialize_entry("deleted", &list(&self.deleted))?;
        map.end()
    }
}

struct RowList<'a> {
    table: &'a Table,
    rows: &'a Vec<Row>,
    spelling: Spelling,
}

impl Serialize for RowList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = |row| PushedRow {
            table: self.table,
            row,
            spelling: self.spelling,
        };
        serializer.collect_seq(self.rows.iter().map(row))
    }
}

/// A row as the app spells it.
pub(super) struct PushedRow<'a> {
    pub(super) table: &'a Table,
    pub(super) row: &'a Row,
    pub(super) spelling: Spelling,
}

impl Serialize for PushedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.row.cells[0])?;
        map.serialize_entry("_status", self.row.status.as_str())?;
        map.serialize_entry("_changed", &self.row.changed(self.table))?;
        let Spelling { generation, forced } = self.spelling;
        let cells = self.table.phone_columns().zip(&self.row.cells).skip(1);
        for (column, cell) in cells.filter(|(column, _)| generation.has_column(column)) {
            map.serialize_entry(&column.name, cell)?;
        }
        if forced {
            map.serialize_entry("image_timestamp", &0)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
