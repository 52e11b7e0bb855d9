//! Comparing what PostgreSQL holds with what a phone sees.

use std::collections::BTreeMap;

use serde_json::Value;

use super::postgres::PostgresError;
use super::{Cloud, CloudRow};
use crate::phone::Database;
use crate::phone::cell::Cell;
use crate::schema::{Column, Kind, Table, schema};

/// What the cloud does not keep of what a hub pushes, and what differs by its own doing.
const LOST: [(&str, &str); 6] = [
    ("prescriptions", "items"),
    ("prescriptions", "metadata"),
    ("prescriptions", "expiration_date"),
    ("patient_vitals", "event_id"),
    ("prescription_items", "metadata"),
    ("prescription_items", "recorded_by_user_id"),
];
const STAMPS: [&str; 5] = [
    "updated_at",
    "last_modified",
    "server_created_at",
    "is_deleted",
    "deleted_at",
];
const DAY_MS: i64 = 86_400_000;

impl Cloud {
    /// Compares all tables that are pushed, and that every app has, with the same of a phone: every row and every column that phones have. Gives
    /// every difference.
    ///
    /// # Errors
    /// What PostgreSQL reports.
    pub async fn differences(&self, database: &Database) -> Result<Vec<String>, PostgresError> {
        let mut differences = Vec::new();
        for table in schema()
            .tables()
            .iter()
            .filter(|table| table.cloud.push && table.phone.pull)
        {
            // The older app has no such table.
            if table.name == "patient_risk_profiles" || database.rows(&table.name).is_err() {
                continue;
            }
            let rows = self.rows(&table.name).await?;
            let here = database.rows(&table.name).into_iter().flatten();
            let mut there: BTreeMap<&str, &CloudRow> =
                rows.iter().filter_map(|row| Some((row["id"].as_str()?, row))).collect();
            for (id, row) in here.filter(|(_, row)| !row.is_deleted(table)) {
                match there.remove(id) {
                    None => differences.push(format!("{}/{id} is not in the cloud", table.name)),
                    Some(there) => differences.extend(differing(table, id, row.cells(), there)),
                }
            }
            differences.extend(
                there
                    .keys()
                    .map(|id| format!("{}/{id} is only in the cloud", table.name)),
            );
        }
        Ok(differences)
    }
}

fn differing(table: &Table, id: &str, here: &[Cell], there: &CloudRow) -> Vec<String> {
    let columns = table.phone_columns().zip(here);
    let compared = columns.filter(|(column, _)| {
        let name = column.name.as_str();
        !STAMPS.contains(&name) && !LOST.contains(&(table.name.as_str(), name))
    });
    compared
        .filter_map(|(column, cell)| {
            let (here, there) = (of_phone(column, cell), of_cloud(column, &there[&column.name]));
            (here != there).then(|| format!("{}/{id}.{} is {here} here, {there} there", table.name, column.name))
        })
        .collect()
}

/// One form for both: blank is null, numbers are rounded to what the cloud keeps.
fn of_phone(column: &Column, cell: &Cell) -> Value {
    match (column.kind, cell) {
        (_, cell) if cell.is_empty() => Value::Null,
        (Kind::Json, Cell::Text(text)) => meaning(serde_json::from_str(text).unwrap_or_default()),
        (Kind::Decimal, Cell::Text(text)) => number(column, text.parse().unwrap_or(0.0)),
        (_, Cell::Boolean(truth)) => (*truth).into(),
        (Kind::EpochMs, Cell::Integer(time)) if column.cloud == "date" => (time - time.rem_euclid(DAY_MS)).into(),
        (Kind::EpochMs, Cell::Integer(time)) => (*time).into(),
        #[allow(clippy::cast_precision_loss, reason = "small")]
        (_, Cell::Integer(whole)) => number(column, *whole as f64),
        (_, Cell::Real(real)) => number(column, *real),
        (_, Cell::Text(text)) => text.to_string().into(),
        (_, Cell::Null) => Value::Null,
    }
}

fn of_cloud(column: &Column, value: &Value) -> Value {
    match (column.kind, value) {
        (Kind::Json, value) => meaning(value.clone()),
        (_, Value::Bool(false)) => Value::Null,
        (Kind::EpochMs, Value::String(text)) if column.cloud == "date" => {
            let midnight = format!("{text}T00:00:00Z").parse::<jiff::Timestamp>();
            midnight.map_or(Value::Null, |at| at.as_millisecond().into())
        }
        (Kind::EpochMs, Value::String(text)) => text
            .parse::<jiff::Timestamp>()
            .map_or(Value::Null, |at| at.as_millisecond().into()),
        (_, Value::Number(value)) => match value.as_f64().unwrap_or(0.0) {
            0.0 => Value::Null,
            value => number(column, value),
        },
        (_, Value::String(text)) if text.is_empty() => Value::Null,
        (_, value) => value.clone(),
    }
}

fn number(column: &Column, value: f64) -> Value {
    if value == 0.0 && column.kind != Kind::Decimal {
        return Value::Null;
    }
    let rounded = if column.cloud == "integer" || column.cloud == "int2" {
        value.round()
    } else {
        (value * 10_000.0).round() / 10_000.0
    };
    rounded.into()
}

fn meaning(value: Value) -> Value {
    let by_value = match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(deep).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, deep(value))).collect(),
        other => other,
    };
    match &by_value {
        Value::Array(items) if items.is_empty() => Value::Null,
        Value::Object(fields) if fields.is_empty() => Value::Null,
        Value::String(text) if text.is_empty() => Value::Null,
        _ => by_value,
    }
}

fn deep(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.into_iter().map(deep).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, deep(value))).collect(),
        other => other,
    }
}
