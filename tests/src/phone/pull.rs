//! Reading and applying an answer of `sync_pull`.
//!
//! Promise: an answer is applied whole or not at all. What makes the app fail at every sync from then on, and what
//! silently loses a value on a phone, is a [`PullFault`] here, named to the column: a hub that passes is one that every
//! phone can follow. What only one generation of the app can't take is a fault on that one alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::cell::{Cell, CellFault};
use super::database::{Database, Row, Status};
use super::generation::Generation;
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
    /// A table that is not sent to phones; app 1.5 throws, also at one that is newer than it is.
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
    /// A delete that does not stand there as an object and as a bare id: one generation of the app would not see it.
    #[error("{table}/{id} is deleted in one form only")]
    OneForm {
        /// The table.
        table: String,
        /// The row.
        id: String,
    },
    /// A row in `created` that this phone has marked as deleted; app 1.5 throws.
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
    /// A column of the contract's that is not for phones.
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
    /// In `updated` but not here, or marked as deleted here: the app skips them.
    pub skipped: usize,
    /// In `deleted` and taken out here, or marked as deleted.
    pub deleted: usize,
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
    /// Reads an opened answer as that generation of the app.
    ///
    /// # Errors
    /// [`PullFault`], all but [`PullFault::Resurrected`], which only [`Database::apply_pull`] can know.
    pub fn read(json: &[u8], app: Generation) -> Result<Self, PullFault> {
        let raw: RawAnswer<'_> = serde_json::from_slice(json).map_err(PullFault::Shape)?;
        if !raw.timestamp.is_number() {
            return Err(PullFault::Timestamp);
        }
        let tables = raw
            .changes
            .into_iter()
            .map(|(name, changes)| TableAnswer::read(&name, changes, app));
        let tables = tables.collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            tables: tables.into_iter().flatten().collect(),
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
    /// None for a table that the contract does not know and the app ignores.
    fn read(name: &str, raw: RawChanges<'_>, app: Generation) -> Result<Option<Self>, PullFault> {
        let Some(index) = schema().index_of(name) else {
            return match app {
                Generation::V1_5 => Err(PullFault::Table(name.to_owned())),
                Generation::V1_7 => Ok(None),
            };
        };
        let table = &schema().tables()[index];
        if !table.phone.pull || !app.has_table(table) {
            return Err(PullFault::Table(name.to_owned()));
        }
        let read = |list: Vec<&RawValue>| -> Result<Vec<IncomingRow>, PullFault> {
            list.into_iter().map(|row| IncomingRow::read(table, row, app)).collect()
        };
        let answer = Self {
            index,
            created: read(raw.created)?,
            updated: read(raw.updated)?,
            deleted: read_deleted(name, &raw.deleted)?,
        };
        answer.refuse_doubles(name)?;
        Ok(Some(answer))
    }

    fn refuse_doubles(&self, name: &str) -> Result<(), PullFault> {
        let rows = self.created.iter().chain(&self.updated).map(|row| &*row.id);
        refuse_doubles(name, rows.chain(self.deleted.iter().map(String::as_str)))
    }
}

fn refuse_doubles<'a>(table: &str, ids: impl Iterator<Item = &'a str>) -> Result<(), PullFault> {
    let mut seen = HashSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(PullFault::Twice {
                table: table.to_owned(),
                id: id.to_owned(),
            });
        }
    }
    Ok(())
}

/// The ids of a list of deletes, each of which stands there in both forms.
fn read_deleted(table: &str, deleted: &[Value]) -> Result<Vec<String>, PullFault> {
    let (objects, bare): (Vec<&Value>, Vec<&Value>) = deleted.iter().partition(|delete| delete.is_object());
    let ids = |deletes: Vec<&Value>| -> Result<Vec<String>, PullFault> {
        let id = |delete: &Value| {
            let id = delete.get("id").unwrap_or(delete).as_str()?;
            (!id.is_empty()).then(|| id.to_owned())
        };
        let ids: Option<Vec<String>> = deletes.into_iter().map(id).collect();
        let ids = ids.ok_or_else(|| PullFault::NoId(table.to_owned()))?;
        refuse_doubles(table, ids.iter().map(String::as_str))?;
        Ok(ids)
    };
    let (objects, bare) = (ids(objects)?, ids(bare)?);
    let sorted = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>();
    match sorted(&objects).symmetric_difference(&sorted(&bare)).next() {
        Some(id) => Err(PullFault::OneForm {
            table: table.to_owned(),
            id: id.clone(),
        }),
        None => Ok(objects),
    }
}

impl IncomingRow {
    fn read(table: &Table, raw: &RawValue, app: Generation) -> Result<Self, PullFault> {
        let mut values: serde_json::Map<String, Value> = serde_json::from_str(raw.get()).map_err(PullFault::Shape)?;
        let id: Box<str> = match values.get("id").and_then(Value::as_str) {
            Some(id) if !id.is_empty() => id.into(),
            _ => return Err(PullFault::NoId(table.name.clone())),
        };
        let mut cells = Vec::with_capacity(table.phone_columns().len());
        for column in table.phone_columns() {
            let at = || (table.name.clone(), id.to_string(), column.name.clone());
            let value = values.remove(&column.name);
            let cell = match value.map(|value| Cell::from_hub(column, value)) {
                _ if !app.has_column(column) => Ok(Cell::Null),
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
        // What the contract does not know is a newer app's, and dropped.
        match values.into_iter().find(|(column, _)| table.column(column).is_some()) {
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
        if self.generation() == Generation::V1_5 {
            for table in &answer.tables {
                self.refuse_resurrected(table)?;
            }
        }
        self.base = std::mem::replace(&mut self.cursor, answer.timestamp);
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
        let mut counts = PullCounts::default();
        for incoming in answer.created {
            self.take_in(answer.index, incoming, &mut counts);
        }
        for incoming in answer.updated {
            match (self.tables[answer.index].get(&incoming.id), self.generation()) {
                (Some(row), _) if row.status == Status::Deleted => counts.skipped += 1,
                (None, Generation::V1_5) => counts.skipped += 1,
                _ => self.take_in(answer.index, incoming, &mut counts),
            }
        }
        for id in &answer.deleted {
            counts.deleted += usize::from(self.take_out(answer.index, id));
        }
        counts
    }

    /// Makes a row, or merges it into the one that is here.
    fn take_in(&mut self, index: usize, mut incoming: IncomingRow, counts: &mut PullCounts) {
        self.spell(&schema().tables()[index], &mut incoming.cells);
        let rows = &mut self.tables[index];
        match rows.get_mut(&incoming.id) {
            Some(row) if row.status != Status::Deleted => {
                row.merge(incoming.cells);
                counts.merged += 1;
            }
            _ => {
                rows.insert(incoming.id, Row::synced(incoming.cells));
                counts.inserted += 1;
            }
        }
    }

    /// Takes a row out that the hub says is deleted. App 1.5 keeps one with unpushed edits, marked as deleted.
    fn take_out(&mut self, index: usize, id: &str) -> bool {
        let generation = self.generation();
        let rows = &mut self.tables[index];
        match rows.get_mut(id) {
            Some(row) if generation == Generation::V1_5 && matches!(row.status, Status::Created | Status::Updated) => {
                row.status = Status::Deleted;
                true
            }
            _ => rows.remove(id).is_some(),
        }
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
