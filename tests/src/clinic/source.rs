//! The clinic's rows before they are spelled out, and their two spellings: the cloud's and a phone's.
//!
//! Promise: a row has exactly the columns of its table, all of them; what the cloud would send and what a phone should
//! end up with come from the same value, by the rules of `cloud.md` (Pull) and `tables.json`.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::random::Random;
use crate::phone::cell::Cell;
use crate::schema::{Column, Kind, Table, schema};

const DAY_MS: i64 = 86_400_000;
/// The cloud of the demo runs on East Africa Time: a date is sent as that zone's midnight.
const ZONE_MS: i64 = 3 * 3_600_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    Json(Value),
    /// In ms.
    Time(i64),
    /// In days since 1970-01-01.
    Date(i64),
}

/// One row: a value for each of [`Table::columns`].
pub(super) type SourceRow = Box<[Source]>;

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Source {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Source {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<f64> for Source {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<i32> for Source {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<Value> for Source {
    fn from(value: Value) -> Self {
        Self::Json(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Source {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// All rows, and the chance they come from.
pub(super) struct Build {
    pub(super) random: Random,
    pub(super) tables: Vec<Vec<SourceRow>>,
}

impl Build {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            tables: schema().tables().iter().map(|_| Vec::new()).collect(),
        }
    }

    /// Adds a row of that age and gives its new id. Columns not given are null, or their type's empty value where null
    /// is not allowed.
    pub(super) fn add(&mut self, table: &str, at: i64, values: &[(&str, Source)]) -> String {
        let id = self.random.id(at);
        self.add_with_id(table, &id, at, values);
        id
    }

    pub(super) fn add_with_id(&mut self, table: &str, id: &str, at: i64, values: &[(&str, Source)]) {
        let index = schema()
            .index_of(table)
            .expect("the generator names tables of the contract");
        let definition = &schema().tables()[index];
        let mut row: SourceRow = definition.columns.iter().map(|column| unset(column, at)).collect();
        row[0] = id.into();
        for (name, value) in values {
            let place = definition.columns.iter().position(|column| column.name == *name);
            row[place.expect("the generator names columns of the contract")] = value.clone();
        }
        self.tables[index].push(row);
    }
}

/// The value of a column that the generator did not set.
fn unset(column: &Column, at: i64) -> Source {
    match (column.name.as_str(), column.kind) {
        ("created_at" | "updated_at" | "last_modified" | "server_created_at", _) => Source::Time(at),
        ("is_deleted", _) => Source::Bool(false),
        ("departments" | "items" | "attributes" | "clinic_ids" | "translations" | "additional_capabilities", _) => {
            Source::Json(json!([]))
        }
        (_, Kind::Json) => Source::Json(json!({})),
        _ if !column.required => Source::Null,
        (_, Kind::Text | Kind::Decimal) => Source::Text(String::new()),
        (_, Kind::Boolean) => Source::Bool(false),
        (_, Kind::Integer | Kind::Real) => Source::Number(0.0),
        (_, Kind::EpochMs) => Source::Time(at),
    }
}

/// A value as the cloud's pull answer has it.
pub(super) fn as_cloud(column: &Column, value: &Source) -> Value {
    match value {
        Source::Null => Value::Null,
        Source::Bool(truth) => json!(truth),
        Source::Text(text) => json!(text),
        Source::Json(value) => value.clone(),
        Source::Time(ms) => json!(iso(*ms)),
        Source::Date(days) => json!(iso(days * DAY_MS - ZONE_MS)),
        Source::Number(number) => match scale(column) {
            Some(scale) => json!(format!("{number:.scale$}")),
            None if column.cloud == "float8" => json!(number),
            None => serde_json::to_value(Cell::number(*number)).unwrap_or(Value::Null),
        },
    }
}

/// A value as a phone's database should have it in the end.
pub(super) fn as_phone(column: &Column, value: &Source) -> Cell {
    match (value, column.kind) {
        (Source::Null, _) => Cell::Null,
        (Source::Bool(truth), _) => Cell::Boolean(*truth),
        (Source::Text(text), _) => Cell::text(text),
        (Source::Json(value), _) => Cell::json(value),
        (Source::Time(ms), _) => Cell::Integer(*ms),
        (Source::Date(days), Kind::EpochMs) => Cell::Integer(days * DAY_MS),
        (Source::Date(days), _) => Cell::text(&iso(days * DAY_MS)[..10]),
        (Source::Number(number), Kind::Decimal) => {
            let scale = scale(column).unwrap_or(0);
            Cell::from(format!("{number:.scale$}"))
        }
        (Source::Number(number), _) => Cell::number(*number),
    }
}

/// The digits after the point of a `numeric(precision,scale)`.
fn scale(column: &Column) -> Option<usize> {
    column
        .cloud
        .strip_prefix("numeric(")?
        .strip_suffix(')')?
        .split_once(',')?
        .1
        .parse()
        .ok()
}

fn iso(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}

/// A row in the cloud's spelling.
pub(super) struct CloudRow<'a> {
    pub(super) table: &'a Table,
    pub(super) row: &'a SourceRow,
}

impl Serialize for CloudRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.row.len()))?;
        for (column, value) in self.table.columns.iter().zip(self.row) {
            map.serialize_entry(&column.name, &as_cloud(column, value))?;
        }
        map.end()
    }
}
