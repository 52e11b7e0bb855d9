//! Reading and applying an answer of `sync_pull`.
//!
//! Promise: an answer is applied whole or not at all. What makes the app fail at every sync from then on, and what
//! silently loses a value on a phone, is a [`PullFault`] here, named to the column: a hub that passes is one that every
//! phone can follow.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::cell::{Cell, CellFault};
use super::database::{Database, Row, Status};
use crate::schema::{Table, schema};

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum PullFault {
    /// It is not the JSON of the contract.
    #[error("the answer has another shape than the contract's")]
    Shape(#[source] serde_json::Error),
    /// `timestamp` is not a number.
    #[error("the timestamp is not a number")]
    Timestamp,
    /// A table that is not sent to phones; the app throws.
    #[error("table {0} is not for phones")]
    Table(String),
    /// A row or a delete without an id that is text and not empty.
    #[error("a row of {0} has no id")]
    NoId(String),
    /// The same id twice in a table of one answer; the app throws.
    #[error("{table}/{id} stands in the answer twice")]
    Twice {
        /// The table.
        table: String,
        /// The row.
        id: String,
    },
    /// A row in `created` that this phone has marked as deleted; the app throws.
    #[error("{table}/{id} is created but deleted on this phone")]
    Resurrected {
        /// The table.
        table: String,
        /// The row.
        id: String,
    },
    /// A column left out; the app would wipe it.
    #[error("{table}/{id} comes without {column}")]
    Missing {
        /// The table.
        table: String,
        /// The row.
        id: String,
        /// The column.
        column: String,
    },
    /// A column that the phone's schema does not have.
    #[error("{table}/{id} comes with {column}, which phones do not have")]
    Extra {
        /// The table.
        table: String,
        /// The row.
        id: String,
        /// The column.
        column: String,
    },
    /// A null in a required column; the app would store an empty value.
    #[error("{table}/{id} has null in {column}")]
    Null {
        /// The table.
        table: String,
        /// The row.
        id: String,
        /// The column.
        column: String,
    },
    /// A value of another type; the app would store an empty value.
    #[error("{table}/{id} has a value of another type in {column}")]
    Type {
        /// The table.
        table: String,
        /// The row.
        id: String,
        /// The column.
        column: String,
    },
}

/// An answer, read and checked against the phone's schema.
#[derive(Debug)]
pub struct PullAnswer {
    tables: Vec<TableAnswer>,
    timestamp: Value,
}

#[derive(Debug)]
struct TableAnswer {
    index: usize,
    created: Vec<IncomingRow>,
    updated: Vec<IncomingRow>,
    deleted: Vec<String>,
    ignored: usize,
}

#[derive(Debug)]
struct IncomingRow {
    id: Box<str>,
    cells: Box<[Cell]>,
}

/// What an answer did to one table, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PullCounts {
    /// Made here.
    pub inserted: usize,
    /// Merged into rows that were here.
    pub merged: usize,
    /// In `updated` but not here: the app skips them.
    pub skipped: usize,
    /// In `deleted` and taken out here.
    pub deleted: usize,
    /// Bare ids in `deleted`: the app ignores them.
    pub ignored: usize,
}

#[derive(Deserialize)]
struct RawAnswer<'a> {
    #[serde(borrow)]
    changes: BTreeMap<String, RawChanges<'a>>,
    timestamp: Value,
}

#[derive(Deserialize)]
struct RawChanges<'a> {
    #[serde(borrow)]
    created: Vec<&'a RawValue>,
    #[serde(borrow)]
    updated: Vec<&'a RawValue>,
    deleted: Vec<Value>,
}

impl PullAnswer {
    /// Reads an opened answer.
    ///
    /// # Errors
    /// [`PullFault`], all but [`PullFault::Resurrected`], which only [`Database::apply_pull`] can know.
    pub fn read(json: &[u8]) -> Result<Self, PullFault> {
        let raw: RawAnswer<'_> = serde_json::from_slice(json).map_err(PullFault::Shape)?;
        if !raw.timestamp.is_number() {
            return Err(PullFault::Timestamp);
        }
        let tables = raw
            .changes
            .into_iter()
            .map(|(name, changes)| TableAnswer::read(&name, changes));
        Ok(Self {
            tables: tables.collect::<Result<_, _>>()?,
            timestamp: raw.timestamp,
        })
    }

    /// The cursor for the next pull.
    #[must_use]
    pub fn timestamp(&self) -> &Value {
        &self.timestamp
    }

    /// How many rows and deletes it brings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables
            .iter()
            .map(|table| table.created.len() + table.updated.len() + table.deleted.len())
            .sum()
    }

    /// Whether it brings nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl TableAnswer {
    fn read(name: &str, raw: RawChanges<'_>) -> Result<Self, PullFault> {
        let index = schema()
            .index_of(name)
            .filter(|&index| schema().tables()[index].phone.pull)
            .ok_or_else(|| PullFault::Table(name.to_owned()))?;
        let table = &schema().tables()[index];
        let read = |list: Vec<&RawValue>| -> Result<Vec<IncomingRow>, PullFault> {
            list.into_iter().map(|row| IncomingRow::read(table, row)).collect()
        };
        let created = read(raw.created)?;
        let updated = read(raw.updated)?;
        let (deleted, bare): (Vec<Value>, Vec<Value>) = raw.deleted.into_iter().partition(Value::is_object);
        let deleted: Vec<String> = deleted
            .iter()
            .map(|delete| match delete["id"].as_str() {
                Some(id) if !id.is_empty() => Ok(id.to_owned()),
                _ => Err(PullFault::NoId(name.to_owned())),
            })
            .collect::<Result<_, _>>()?;
        let answer = Self {
            index,
            created,
            updated,
            deleted,
            ignored: bare.len(),
        };
        answer.refuse_doubles(name)?;
        Ok(answer)
    }

    fn refuse_doubles(&self, name: &str) -> Result<(), PullFault> {
        let mut seen = HashSet::new();
        let rows = self.created.iter().chain(&self.updated).map(|row| &*row.id);
        for id in rows.chain(self.deleted.iter().map(String::as_str)) {
            if !seen.insert(id) {
                return Err(PullFault::Twice {
                    table: name.to_owned(),
                    id: id.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl IncomingRow {
    fn read(table: &Table, raw: &RawValue) -> Result<Self, PullFault> {
        let mut values: serde_json::Map<String, Value> = serde_json::from_str(raw.get()).map_err(PullFault::Shape)?;
        let id: Box<str> = match values.get("id").and_then(Value::as_str) {
            Some(id) if !id.is_empty() => id.into(),
            _ => return Err(PullFault::NoId(table.name.clone())),
        };
        let mut cells = Vec::with_capacity(table.phone_columns().len());
        for column in table.phone_columns() {
            let at = || (table.name.clone(), id.to_string(), column.name.clone());
            let cell = match values.remove(&column.name).map(|value| Cell::from_hub(column, value)) {
                Some(Ok(cell)) => Ok(cell),
                None => Err(None),
                Some(Err(fault)) => Err(Some(fault)),
            };
            cells.push(cell.map_err(|fault| {
                let (table, id, column) = at();
                match fault {
                    None => PullFault::Missing { table, id, column },
                    Some(CellFault::Null) => PullFault::Null { table, id, column },
                    Some(CellFault::Type) => PullFault::Type { table, id, column },
                }
            })?);
        }
        match values.into_iter().next() {
            Some((column, _)) => Err(PullFault::Extra {
                table: table.name.clone(),
                id: id.into(),
                column,
            }),
            None => Ok(Self {
                id,
                cells: cells.into(),
            }),
        }
    }
}

impl Database {
    /// Applies an answer as the app does, and takes its timestamp as the new cursor.
    ///
    /// Local changes win column by column until they are pushed; a delete takes the row out whatever was changed.
    ///
    /// # Errors
    /// [`PullFault::Resurrected`]; nothing is changed then.
    pub fn apply_pull(&mut self, answer: PullAnswer) -> Result<Vec<(&'static str, PullCounts)>, PullFault> {
        for table in &answer.tables {
            self.refuse_resurrected(table)?;
        }
        self.cursor = answer.timestamp;
        let names = schema().tables();
        Ok(answer
            .tables
            .into_iter()
            .map(|table| (names[table.index].name.as_str(), self.apply_table(table)))
            .collect())
    }

    fn refuse_resurrected(&self, answer: &TableAnswer) -> Result<(), PullFault> {
        let rows = &self.tables[answer.index];
        let deleted_here = |row: &&IncomingRow| rows.get(&row.id).is_some_and(|row| row.status == Status::Deleted);
        match answer.created.iter().find(deleted_here) {
            Some(row) => {
                let table = schema().tables()[answer.index].name.clone();
                Err(PullFault::Resurrected {
                    table,
                    id: row.id.to_string(),
                })
            }
            None => Ok(()),
        }
    }

    fn apply_table(&mut self, answer: TableAnswer) -> PullCounts {
        let rows = &mut self.tables[answer.index];
        let mut counts = PullCounts {
            ignored: answer.ignored,
            ..PullCounts::default()
        };
        for incoming in answer.created {
            match rows.get_mut(&incoming.id) {
                Some(row) => {
                    row.merge(incoming.cells);
                    counts.merged += 1;
                }
                None => {
                    rows.insert(incoming.id, Row::synced(incoming.cells));
                    counts.inserted += 1;
                }
            }
        }
        for incoming in answer.updated {
            match rows.get_mut(&incoming.id) {
                Some(row) if row.status != Status::Deleted => {
                    row.merge(incoming.cells);
                    counts.merged += 1;
                }
                _ => counts.skipped += 1,
            }
        }
        counts.deleted = answer
            .deleted
            .iter()
            .filter(|id| rows.remove(id.as_str()).is_some())
            .count();
        counts
    }
}

impl Row {
    /// Takes the hub's values except where this phone changed a column that it has not pushed yet.
    fn merge(&mut self, mut cells: Box<[Cell]>) {
        for &index in &self.changed {
            std::mem::swap(&mut cells[index], &mut self.cells[index]);
        }
        self.cells = cells;
        self.pushed_updated_at = None;
    }
}

#[cfg(test)]
mod tests;
