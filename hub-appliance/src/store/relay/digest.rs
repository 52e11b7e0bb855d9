//! Digests of a row's values, one a column: what the cloud is known to hold, without a second copy of the records.
//!
//! Two values with one digest mean the same to the cloud: blank is blank whether it is null, empty, 0 or `{}`; numbers
//! and JSON are compared by value, a date by its day. Stamps of the cloud and of the hub, and the marks of a deletion, which travel
//! in lists of their own, have no digest.

use sha2::{Digest as _, Sha256};

use crate::store::schema::{CloudType, Column, ColumnSet, ColumnType, Table};
use crate::store::value::Cell;

/// Bytes of a column's digest: two values meet by chance once in 2⁶⁴.
const WIDTH: usize = 8;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Columns that are not the row's content.
const STAMPS: [&str; 6] = [
    "id",
    "is_deleted",
    "deleted_at",
    "updated_at",
    "last_modified",
    "server_created_at",
];
/// What the cloud does not keep of a row that was pushed to it.
const LOST: [(&str, &str); 5] = [
    ("prescriptions", "items"),
    ("prescriptions", "metadata"),
    ("patient_vitals", "event_id"),
    ("prescription_items", "metadata"),
    ("prescription_items", "recorded_by_user_id"),
];
/// What the cloud makes up where nothing was sent.
const MADE_UP: (&str, &str) = ("prescriptions", "expiration_date");

/// The digests of one row, in the order of the table's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests(Vec<u8>);

impl Digests {
    /// As they were written down. Those of a row of another shape (older firmware) are of no use.
    #[must_use]
    pub fn from_stored(bytes: Vec<u8>, table: &Table) -> Option<Self> {
        (bytes.len() == table.columns.len() * WIDTH).then_some(Self(bytes))
    }

    /// To be written down.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(&self, index: usize) -> &[u8] {
        self.0.get(index * WIDTH..(index + 1) * WIDTH).unwrap_or_default()
    }

    fn is_blank(&self, index: usize) -> bool {
        self.of(index).iter().all(|byte| *byte == 0)
    }

    /// The columns in which `now` is something else than these. What the cloud is known to lose or to make up of a row
    /// that it got from a hub is no difference where `pushed` says that it was.
    #[must_use]
    pub fn changed(&self, now: &Self, table: &Table, pushed: bool) -> ColumnSet {
        let mut changed = ColumnSet::EMPTY;
        for (index, column) in table.columns.iter().enumerate() {
            let pair = (table.name, column.name);
            let is_lost = pushed && LOST.contains(&pair) && now.is_blank(index);
            let is_made_up = pushed && MADE_UP == pair && self.is_blank(index);
            if self.of(index) != now.of(index) && !is_lost && !is_made_up {
                changed.insert(index);
            }
        }
        changed
    }
}

/// The digests of a row; a column that was not sent (`None`) has that of `known`, or a blank one's.
pub fn digests<'a>(
    table: &Table,
    cells: impl IntoIterator<Item = Option<&'a Cell>>,
    known: Option<&Digests>,
) -> Digests {
    let mut bytes = Vec::with_capacity(table.columns.len() * WIDTH);
    for (index, (column, cell)) in table.columns.iter().zip(cells).enumerate() {
        match (cell, known) {
            (None, Some(known)) => bytes.extend_from_slice(known.of(index)),
            (cell, _) => bytes.extend(digest(column, cell)),
        }
    }
    Digests(bytes)
}

fn digest(column: &Column, cell: Option<&Cell>) -> [u8; WIDTH] {
    let blank = [0; WIDTH];
    let Some(cell) = cell.filter(|cell| !cell.is_blank() && !STAMPS.contains(&column.name)) else {
        return blank;
    };
    let text = match (cell, column.cloud) {
        (Cell::Text(text), CloudType::Jsonb | CloudType::TextArray) => match serde_json::from_str(text) {
            Ok(json) => match meaning(json) {
                Some(json) => json.to_string(),
                None => return blank,
            },
            Err(_) => text.to_string(),
        },
        (Cell::Text(text), CloudType::Uuid) => text.to_ascii_lowercase(),
        (Cell::Text(text), _) if column.kind == ColumnType::Decimal => match text.parse::<f64>() {
            Ok(0.0) => return blank,
            Ok(number) => number.to_string(),
            Err(_) => text.to_string(),
        },
        (Cell::Text(text), _) => text.to_string(),
        (Cell::Integer(time), CloudType::Date) => time.div_euclid(DAY_MS).to_string(),
        #[allow(clippy::cast_precision_loss, reason = "as the cloud's JSON has it")]
        (Cell::Integer(integer), CloudType::Numeric(..) | CloudType::Float8) => (*integer as f64).to_string(),
        (Cell::Integer(integer), _) => integer.to_string(),
        (Cell::Real(real), _) => real.to_string(),
        (Cell::Null, _) => return blank,
    };
    let hash = Sha256::digest(text.as_bytes());
    let mut digest = blank;
    digest.copy_from_slice(&hash[..WIDTH]);
    // Blank is what no value may look like.
    digest[0] |= u8::from(digest == blank);
    digest
}

/// JSON as `jsonb` and JavaScript leave it: numbers by value. None for what says nothing.
fn meaning(json: serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value;
    fn by_value(json: Value) -> Value {
        match json {
            Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
            Value::Array(items) => items.into_iter().map(by_value).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name, by_value(value)))
                .collect(),
            other => other,
        }
    }
    match &json {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Object(fields) if fields.is_empty() => None,
        Value::String(text) if text.is_empty() => None,
        _ => Some(by_value(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::TableId;

    fn row(table: &str, values: &[(&str, Cell)]) -> (&'static Table, Vec<Cell>) {
        let table = TableId::named(table).unwrap().table();
        let mut cells = vec![Cell::Null; table.columns.len()];
        for (name, cell) in values {
            cells[table.column(name).unwrap()] = cell.clone();
        }
        (table, cells)
    }

    fn changed(table: &str, before: &[(&str, Cell)], after: &[(&str, Cell)], pushed: bool) -> Vec<&'static str> {
        let (definition, before) = row(table, before);
        let (_, after) = row(table, after);
        let of = |cells: &[Cell]| digests(definition, cells.iter().map(Some), None);
        let set = of(&before).changed(&of(&after), definition, pushed);
        let columns = definition.columns.iter().enumerate();
        columns
            .filter(|(index, _)| set.contains(*index))
            .map(|(_, column)| column.name)
            .collect()
    }

    #[test]
    fn what_means_the_same_to_the_cloud_has_one_digest() {
        let before = [
            ("id", Cell::text("a")),
            ("additional_data", Cell::text(r#"{"b": 1, "a": [1.0]}"#)),
            ("metadata", Cell::text("{}")),
            ("camp", Cell::text("")),
            ("updated_at", Cell::Integer(5)),
            ("primary_clinic_id", Cell::text("ABCDEF00-0000-4000-8000-000000000000")),
        ];
        let after = [
            ("additional_data", Cell::text(r#"{"a":[1],"b":1}"#)),
            ("metadata", Cell::text("null")),
            ("updated_at", Cell::Integer(9)),
            ("is_deleted", Cell::Integer(1)),
            ("primary_clinic_id", Cell::text("abcdef00-0000-4000-8000-000000000000")),
        ];
        assert_eq!(changed("patients", &before, &after, false), [""; 0]);
        let problem = |at| [("onset_date", Cell::Integer(at))];
        assert_eq!(
            changed("patient_problems", &problem(DAY_MS + 5), &problem(DAY_MS), false),
            [""; 0]
        );
        assert_eq!(
            changed("patient_problems", &problem(DAY_MS - 1), &problem(DAY_MS), false),
            ["onset_date"]
        );
    }

    #[test]
    fn what_the_cloud_loses_of_a_pushed_row_is_no_change_and_anything_else_is() {
        let sent = [
            ("items", Cell::text("[1]")),
            ("notes", Cell::text("n")),
            ("expiration_date", Cell::Null),
        ];
        let echo = [
            ("items", Cell::text("[]")),
            ("notes", Cell::text("n")),
            ("expiration_date", Cell::Integer(77)),
        ];
        assert_eq!(changed("prescriptions", &sent, &echo, true), [""; 0]);
        assert_eq!(
            changed("prescriptions", &sent, &echo, false),
            ["expiration_date", "items"]
        );
        let edited = [("items", Cell::text("[2]")), ("notes", Cell::text("m"))];
        assert_eq!(changed("prescriptions", &sent, &edited, true), ["items", "notes"]);
    }
}
