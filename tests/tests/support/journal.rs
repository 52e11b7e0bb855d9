//! What phones were told is safe: every value of every acknowledged push, to be looked up in the store afterwards.
//!
//! Promise: a value counts as kept only where it is the row's own or stands in the row's history, by its meaning and
//! never by its place. `updated_at` is left out: the contract lets the hub move it without a conflict.

use std::fmt;

use hub_appliance::store::schema::TableId;
use hub_appliance::store::{Snapshot, StoreError};
use hub_tests::phone::push::Changes;
use hub_tests::schema::{Column, Kind, Table, schema};
use serde_json::Value;

/// One row of an acknowledged push, with the columns that its phone had changed.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    table: &'static Table,
    id: String,
    /// Whether it was a delete.
    deletes: bool,
    cells: Vec<(&'static Column, Value)>,
}

/// A value that was acknowledged and is nowhere.
#[derive(Debug, Clone)]
pub(crate) struct Missing {
    table: &'static str,
    id: String,
    what: String,
    unborn: bool,
}

impl Missing {
    /// Whether it was a delete of a row that the hub never had, which is nothing to keep for somebody who may not write it.
    #[allow(dead_code, reason = "not every test that keeps a journal asks for it")]
    pub(crate) const fn is_unborn(&self) -> bool {
        self.unborn
    }

    /// The table and the row.
    #[allow(dead_code, reason = "not every test that keeps a journal asks for it")]
    pub(crate) fn row(&self) -> (String, String) {
        (self.table.to_owned(), self.id.clone())
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.table, self.id, self.what)
    }
}

/// The acknowledged writes of any number of phones.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) writes: Vec<Write>,
}

impl Journal {
    /// Notes a push that the hub has acknowledged.
    pub(crate) fn note(&mut self, changes: &Changes) {
        let changes = serde_json::to_value(changes).expect("a push is JSON");
        for (name, lists) in changes.as_object().into_iter().flatten() {
            let table = schema().table(name).expect("a phone pushes tables of its schema");
            if table.phone.push {
                let rows = ["created", "updated", "deleted"].map(|list| lists[list].as_array().into_iter().flatten());
                self.writes
                    .extend(rows.into_iter().flatten().map(|row| Write::read(table, row)));
            }
        }
    }

    /// The values that are neither in their row nor in its history.
    pub(crate) fn missing_in(&self, snapshot: &Snapshot<'_>) -> Result<Vec<Missing>, StoreError> {
        let mut missing = Vec::new();
        for write in &self.writes {
            missing.extend(write.missing_in(snapshot)?);
        }
        Ok(missing)
    }
}

impl Write {
    fn read(table: &'static Table, row: &Value) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let created = text("_status") == "created";
        let changed: Vec<&str> = text("_changed").split(',').collect();
        let cells = table
            .phone_columns()
            .filter(|column| column.name != "updated_at" && (created || changed.contains(&column.name.as_str())))
            .map(|column| (column, row[&column.name].clone()));
        Self {
            table,
            id: text("id").to_owned(),
            deletes: row["is_deleted"] == true,
            cells: cells.collect(),
        }
    }

    fn missing_in(&self, snapshot: &Snapshot<'_>) -> Result<Option<Missing>, StoreError> {
        let missing = |what: String| Missing {
            table: &self.table.name,
            id: self.id.clone(),
            what,
            unborn: false,
        };
        let table = TableId::named(&self.table.name).expect("hub and phone have the same tables");
        let Some(row) = snapshot.row(table, &self.id)? else {
            let missing = missing("the row is not there".into());
            return Ok(Some(Missing {
                unborn: self.deletes,
                ..missing
            }));
        };
        if self.deletes && !row.deleted {
            return Ok(Some(missing("it was deleted and lives".into())));
        }
        let history = snapshot.history(table, &self.id)?;
        for (column, value) in &self.cells {
            let index = table
                .table()
                .column(&column.name)
                .expect("hub and phone have the same columns");
            let kept = history.iter().flat_map(|entry| &entry.cells);
            let mut kept = kept.filter(|(at, _)| *at == index).map(|(_, cell)| cell);
            let found = |cell: &hub_appliance::store::value::Cell| same(column, &cell.to_json(), value);
            if !found(&row.cells[index]) && !kept.any(found) {
                return Ok(Some(missing(format!(
                    "{} = {value} is neither in the row nor in its history",
                    column.name
                ))));
            }
        }
        Ok(None)
    }
}

/// Whether a stored value means what a phone pushed.
fn same(column: &Column, stored: &Value, pushed: &Value) -> bool {
    let blank = |value: &Value| matches!(value, Value::Null | Value::Bool(false)) || value == "" || value == 0;
    if blank(stored) && blank(pushed) {
        return true;
    }
    let parsed = |value: &Value| serde_json::from_str::<Value>(value.as_str()?).ok();
    match (column.kind, pushed) {
        (Kind::Json, Value::String(_)) => {
            stored == pushed || parsed(stored).is_some_and(|json| Some(json) == parsed(pushed))
        }
        (Kind::Boolean, Value::Bool(truth)) => stored == i64::from(*truth),
        (_, Value::Number(number)) => stored.as_f64() == number.as_f64(),
        _ => stored == pushed,
    }
}
