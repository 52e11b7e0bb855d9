//! The phone's local database, with the bookkeeping of the app's: `_status` and `_changed` in every row.
//!
//! Promise: rows, statuses and lists of changed columns come about exactly as in the recorded samples; applying a pull
//! stands in [`super::pull`], what is pushed in [`super::push`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::cell::Cell;
use super::generation::Generation;
use crate::schema::{Table, schema};

/// What a row still owes the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Made here, never pushed.
    Created,
    /// Changed here since the last push.
    Updated,
    /// Marked as deleted here; the app never pushes these.
    Deleted,
    /// Nothing.
    Synced,
}

impl Status {
    /// As it travels in `_status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Synced => "synced",
        }
    }
}

/// Why an edit can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// Nobody is logged in, so there is no name and no clinic to write into the record.
    #[error("nobody is logged in")]
    NoUser,
    /// The phone's schema has no such table.
    #[error("no table {0}")]
    Table(String),
    /// The phone's schema has no such column.
    #[error("no column {table}.{column}")]
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The phone has no such row.
    #[error("no row {id} in {table}")]
    Row {
        /// The table.
        table: String,
        /// The row.
        id: String,
    },
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// In the order of [`Table::phone_columns`]; the first is the id.
    pub(super) cells: Box<[Cell]>,
    pub(super) status: Status,
    /// Changed columns in the order of their first change, as places in `cells`.
    pub(super) changed: Vec<usize>,
    /// `updated_at` as it was pushed, where the app moved it on when it marked the row as synced.
    pub(super) pushed_updated_at: Option<i64>,
}

impl Row {
    /// A row as it came from the hub.
    pub(super) fn synced(cells: Box<[Cell]>) -> Self {
        Self {
            cells,
            status: Status::Synced,
            changed: Vec::new(),
            pushed_updated_at: None,
        }
    }

    /// What the row still owes the hub.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// All cells in the order of [`Table::phone_columns`].
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cell of a column; none where the table has no such column.
    #[must_use]
    pub fn get(&self, table: &Table, column: &str) -> Option<&Cell> {
        table.phone_index(column).map(|index| &self.cells[index])
    }

    /// `_changed` as it travels: comma-separated, in the order of the first change.
    #[must_use]
    pub fn changed(&self, table: &Table) -> String {
        self.changed
            .iter()
            .map(|&index| table.phone_column(index).name.as_str())
            .collect::<Vec<_>>()
            .join(",")
    }

    /// `updated_at` as the hub last got it, where the app has moved its own on since.
    #[must_use]
    pub fn pushed_updated_at(&self) -> Option<i64> {
        self.pushed_updated_at
    }

    /// Whether its flag `is_deleted` is set, or it is marked as deleted.
    #[must_use]
    pub fn is_deleted(&self, table: &Table) -> bool {
        self.status == Status::Deleted || self.get(table, "is_deleted") == Some(&Cell::Boolean(true))
    }

    /// Moves `updated_at` to `now`, or past its own last value if that is later, as the app does.
    pub(super) fn touch(&mut self, table: &Table, now: i64) -> Option<usize> {
        let index = table.phone_index("updated_at")?;
        let next = self.cells[index].as_integer().map_or(now, |last| now.max(last + 1));
        self.cells[index] = Cell::Integer(next);
        Some(index)
    }

    fn note_change(&mut self, index: usize) {
        if !self.changed.contains(&index) {
            self.changed.push(index);
        }
    }
}

/// The rows of one table by id.
pub(super) type Rows = BTreeMap<Box<str>, Row>;

/// All tables of one phone.
#[derive(Debug, Clone, PartialEq)]
pub struct Database {
    /// In the order of [`crate::schema::Schema::tables`].
    pub(super) tables: Vec<Rows>,
    /// The `timestamp` of the last pull, sent back as it came.
    pub(super) cursor: Value,
    /// What the last pull that was applied was sent with.
    pub(super) base: Value,
    generation: Generation,
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Database {
    /// An empty database of the app in the stores, never synced.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Generation::default())
    }

    /// An empty database of a generation of the app, never synced.
    #[must_use]
    pub fn of(generation: Generation) -> Self {
        Self {
            tables: schema().tables().iter().map(|_| Rows::new()).collect(),
            cursor: Value::from(0),
            base: Value::from(0),
            generation,
        }
    }

    /// The app that it belongs to.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The app updates itself: what there is stays, columns that are new to it are null.
    pub fn update_app(&mut self, generation: Generation) {
        self.generation = generation;
    }

    /// What the next pull sends as `lastPulledAt`.
    #[must_use]
    pub fn cursor(&self) -> &Value {
        &self.cursor
    }

    /// What a push sends as `lastPulledAt`: what the last pull that was applied had been sent with.
    #[must_use]
    pub fn base(&self) -> &Value {
        &self.base
    }

    /// Puts any value in the base's place.
    pub fn set_base(&mut self, base: impl Into<Value>) {
        self.base = base.into();
    }

    /// Puts any value in the cursor's place, also one that no hub gave.
    pub fn set_cursor(&mut self, cursor: impl Into<Value>) {
        self.cursor = cursor.into();
    }

    /// The rows of a table in the order of their ids, those marked as deleted included.
    ///
    /// # Errors
    /// [`EditError::Table`].
    pub fn rows(&self, table: &str) -> Result<impl ExactSizeIterator<Item = (&str, &Row)>, EditError> {
        let index = index_of(table)?;
        Ok(self.tables[index].iter().map(|(id, row)| (&**id, row)))
    }

    /// A row.
    #[must_use]
    pub fn row(&self, table: &str, id: &str) -> Option<&Row> {
        self.tables[schema().index_of(table)?].get(id)
    }

    /// A cell.
    #[must_use]
    pub fn cell(&self, table: &str, id: &str, column: &str) -> Option<&Cell> {
        self.row(table, id)?.get(schema().table(table)?, column)
    }

    /// How many rows each table has; tables without rows are left out.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let names = schema().tables().iter().map(|table| table.name.as_str());
        names
            .zip(self.tables.iter().map(BTreeMap::len))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// Makes a record as the app does: columns not given are null or empty, `created_at` and `updated_at` are `now`
    /// where they are not given, `is_deleted` is false.
    ///
    /// # Errors
    /// [`EditError::Table`] or [`EditError::Column`].
    pub fn create(&mut self, table: &str, id: &str, values: &[(&str, Cell)], now: i64) -> Result<(), EditError> {
        let index = self.own_table(table)?;
        let table = &schema().tables()[index];
        let mut cells: Box<[Cell]> = table
            .phone_columns()
            .map(|column| match column.name.as_str() {
                "created_at" | "updated_at" => Cell::Integer(now),
                "is_deleted" => Cell::Boolean(false),
                _ => Cell::empty(column),
            })
            .collect();
        cells[0] = Cell::text(id);
        self.spell(table, &mut cells);
        for (column, value) in values {
            cells[self.own_column(table, column)?] = value.clone();
        }
        let row = Row {
            cells,
            status: Status::Created,
            changed: Vec::new(),
            pushed_updated_at: None,
        };
        self.tables[index].insert(id.into(), row);
        Ok(())
    }

    /// Puts a row in as a pull would: synced, with cells in the order of [`Table::phone_columns`].
    pub(crate) fn put_synced(&mut self, table: &Table, mut cells: Vec<Cell>) {
        self.spell(table, &mut cells);
        let id = cells.first().and_then(Cell::as_text).map(Box::from);
        if let (Some(index), Some(id)) = (schema().index_of(&table.name), id) {
            self.tables[index].insert(id, Row::synced(cells.into()));
        }
    }

    /// Edits a record as the app does: `updated_at` moves, and every column whose value became another is noted.
    ///
    /// # Errors
    /// [`EditError`]; nothing is changed then.
    pub fn update(&mut self, table: &str, id: &str, values: &[(&str, Cell)], now: i64) -> Result<(), EditError> {
        let index = self.own_table(table)?;
        let definition = &schema().tables()[index];
        let values: Vec<(usize, &Cell)> = values
            .iter()
            .map(|(column, value)| Ok((self.own_column(definition, column)?, value)))
            .collect::<Result<_, EditError>>()?;
        let row = self.existing(index, table, id)?;
        if let Some(updated_at) = row.touch(definition, now) {
            row.note_change(updated_at);
        }
        for (column, value) in values {
            if row.cells[column] != *value {
                row.cells[column] = value.clone();
                row.note_change(column);
            }
        }
        row.pushed_updated_at = None;
        if row.status == Status::Synced {
            row.status = Status::Updated;
        }
        Ok(())
    }

    /// Deletes by the flag `is_deleted`, the only delete of the app that reaches a hub.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn flag_deleted(&mut self, table: &str, id: &str, now: i64) -> Result<(), EditError> {
        self.update(table, id, &[("is_deleted", true.into())], now)
    }

    /// Marks a record as deleted: it is gone for the user, and the app never tells the hub.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn mark_deleted(&mut self, table: &str, id: &str) -> Result<(), EditError> {
        let index = index_of(table)?;
        self.existing(index, table, id)?.status = Status::Deleted;
        Ok(())
    }

    /// Cells as this generation of the app keeps them: without columns that its schema lacks; and 1.5 has an empty text
    /// where nobody is known to have recorded an event.
    pub(super) fn spell(&self, table: &Table, cells: &mut [Cell]) {
        if self.generation == Generation::V1_7 {
            return;
        }
        for (column, cell) in table.phone_columns().zip(cells) {
            if !self.generation.has_column(column) {
                *cell = Cell::Null;
            } else if table.name == "events" && column.name == "recorded_by_user_id" && *cell == Cell::Null {
                *cell = Cell::text("");
            }
        }
    }

    /// The place of a table that the app has.
    fn own_table(&self, table: &str) -> Result<usize, EditError> {
        let index = index_of(table)?;
        if self.generation.has_table(&schema().tables()[index]) {
            Ok(index)
        } else {
            Err(EditError::Table(table.to_owned()))
        }
    }

    /// The place of a column that the app has.
    fn own_column(&self, table: &Table, column: &str) -> Result<usize, EditError> {
        let place = table.phone_index(column);
        let place = place.filter(|place| self.generation.has_column(table.phone_column(*place)));
        place.ok_or_else(|| EditError::Column {
            table: table.name.clone(),
            column: column.to_owned(),
        })
    }

    fn existing(&mut self, index: usize, table: &str, id: &str) -> Result<&mut Row, EditError> {
        self.tables[index]
            .get_mut(id)
            .filter(|row| row.status != Status::Deleted)
            .ok_or_else(|| EditError::Row {
                table: table.to_owned(),
                id: id.to_owned(),
            })
    }
}

fn index_of(table: &str) -> Result<usize, EditError> {
    schema()
        .index_of(table)
        .ok_or_else(|| EditError::Table(table.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000;

    fn with_visit() -> Database {
        let mut database = Database::new();
        database
            .create("visits", "v", &[("provider_name", "Dr".into())], NOW)
            .unwrap();
        database
    }

    #[test]
    fn a_created_row_stays_created_and_notes_its_edits() {
        let mut database = with_visit();
        let table = schema().table("visits").unwrap();
        database
            .update(
                "visits",
                "v",
                &[("metadata", "{}".into()), ("provider_name", "Dr".into())],
                NOW,
            )
            .unwrap();
        let row = database.row("visits", "v").unwrap();
        assert_eq!(row.status(), Status::Created);
        assert_eq!(row.changed(table), "updated_at,metadata");
        assert_eq!(row.get(table, "updated_at"), Some(&Cell::Integer(NOW + 1)));
        assert_eq!(row.get(table, "created_at"), Some(&Cell::Integer(NOW)));
    }

    #[test]
    fn bad_edits_change_nothing() {
        let mut database = with_visit();
        let before = database.clone();
        assert_eq!(
            database.create("nothing", "x", &[], NOW),
            Err(EditError::Table("nothing".to_owned()))
        );
        let values = [("provider_name", Cell::Null), ("no_such", Cell::Null)];
        assert!(matches!(
            database.update("visits", "v", &values, NOW),
            Err(EditError::Column { .. })
        ));
        assert!(matches!(
            database.flag_deleted("visits", "w", NOW),
            Err(EditError::Row { .. })
        ));
        assert_eq!(database, before);
    }

    #[test]
    fn a_row_marked_as_deleted_cannot_be_edited() {
        let mut database = with_visit();
        database.mark_deleted("visits", "v").unwrap();
        assert!(matches!(
            database.update("visits", "v", &[], NOW),
            Err(EditError::Row { .. })
        ));
    }
}
