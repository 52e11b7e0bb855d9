//! Making a row fit the cloud's tables before it is sent: by the types of its columns, and by what the cloud is known to
//! make of some values. What can't be made to fit is held, never cut.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::store::StoreError;
use crate::store::relay::{CloudReason, Digests, Outgoing, digests};
use crate::store::schema::{CloudType, Column, Table, TableId};
use crate::store::value::Cell;

/// Columns that the cloud stamps itself.
const STAMPED: [&str; 2] = ["last_modified", "server_created_at"];
/// Rows that the cloud would give a visit of its own invention, again at each push.
const NEED_A_VISIT: [&str; 2] = ["events", "prescriptions"];
/// The older cloud takes a body mass index up to here, the newer one to there.
const BMI: [f64; 2] = [100.0, 10_000.0];

/// What a row may name.
pub(super) trait References {
    /// Whether the cloud has the row, or is about to get it; none if the hub does not have it.
    fn named(&self, table: TableId, id: &str) -> Result<Option<bool>, StoreError>;
    /// Whether the cloud has a batch.
    fn knows_batch(&self, batch: &str) -> Result<bool, StoreError>;
    /// Whether a clinic is one of this hub's.
    fn is_own_clinic(&self, clinic: &str) -> bool;
}

/// A row as the cloud is to have it.
#[derive(Debug)]
pub(super) struct Fitted {
    /// The row's JSON.
    pub(super) json: Box<str>,
    /// What the cloud holds when it has taken it.
    pub(super) digests: Digests,
    /// What goes where the cloud refuses that: JSON, and its digests.
    pub(super) instead: Option<(Box<str>, Digests)>,
    /// It belongs to no clinic, so that the cloud never shows it.
    pub(super) has_no_clinic: bool,
}

/// Makes a row fit, or says why it is held.
///
/// # Errors
/// What the store reports.
pub(super) fn fit(row: &Outgoing, references: &impl References) -> Result<Result<Fitted, CloudReason>, StoreError> {
    let table = row.table.table();
    let mut fitting = Fitting {
        table,
        cells: row.cells.clone(),
    };
    if let Err(reason) = fitting.values() {
        return Ok(Err(reason));
    }
    if let Err(reason) = fitting.references(references)? {
        return Ok(Err(reason));
    }
    if let Err(reason) = fitting.by_table(references)? {
        return Ok(Err(reason));
    }
    if let Err(reason) = fitting.required() {
        return Ok(Err(reason));
    }
    fitting.outlast(row.entry.cloud_updated_at);
    let clinic = table.clinic_column.and_then(|name| fitting.get(name)?.as_reference());
    if clinic.is_some_and(|clinic| !references.is_own_clinic(clinic)) {
        return Ok(Err(CloudReason::OtherClinic));
    }
    let digests = digests(table, fitting.cells.iter().map(Some), None);
    if table.name == "patient_risk_profiles"
        && let Some(known) = &row.entry.known
        && !known.changed(&digests, table, true).is_empty()
    {
        return Ok(Err(CloudReason::NoChanges));
    }
    let has_no_clinic = table.clinic_column.is_some() && clinic.is_none();
    Ok(fitting.json().map(|json| Fitted {
        json,
        digests,
        instead: fitting.with_bmi_beside(),
        has_no_clinic,
    }))
}

struct Fitting {
    table: &'static Table,
    cells: Vec<Cell>,
}

impl Fitting {
    fn get(&self, column: &str) -> Option<&Cell> {
        self.table.column(column).map(|index| &self.cells[index])
    }

    fn set(&mut self, column: &str, cell: Cell) {
        if let Some(index) = self.table.column(column) {
            self.cells[index] = cell;
        }
    }

    fn is_blank(&self, column: &str) -> bool {
        self.get(column).is_none_or(|cell| cell.as_reference().is_none())
    }

    /// Each value by the type of its column.
    fn values(&mut self) -> Result<(), CloudReason> {
        let id = self.cells[0].as_text().unwrap_or_default();
        if !is_uuid(id) || id.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(CloudReason::NotAnId);
        }
        for (column, cell) in self.table.columns.iter().zip(&mut self.cells).skip(1) {
            if let Cell::Text(text) = cell
                && text.contains('\0')
            {
                *text = text.replace('\0', "").into();
            }
            let is_birth = column.name == "date_of_birth";
            match value(column, cell) {
                Some(fitted) => *cell = fitted,
                // Dealt with by the table.
                None if is_birth => {}
                None => return Err(CloudReason::DoesNotFit(column.name)),
            }
        }
        Ok(())
    }

    /// What the row names has to be at the cloud first.
    fn references(&mut self, references: &impl References) -> Result<Result<(), CloudReason>, StoreError> {
        for (column, cell) in self.table.columns.iter().zip(&mut self.cells) {
            let target = match (column.name, column.cloud_ref) {
                // Held, rather than sent without one.
                (name, _) if self.table.clinic_column == Some(name) => continue,
                ("patient_id", _) => "patients",
                (_, Some(target)) => target,
                (_, None) => continue,
            };
            let (Some(target), Some(id)) = (TableId::named(target), cell.as_reference()) else {
                continue;
            };
            match references.named(target, id)? {
                Some(true) => {}
                Some(false) => return Ok(Err(CloudReason::Parent(column.name))),
                None => *cell = Cell::Null,
            }
        }
        Ok(Ok(()))
    }

    /// What is peculiar to a table.
    fn by_table(&mut self, references: &impl References) -> Result<Result<(), CloudReason>, StoreError> {
        match self.table.name {
            name if NEED_A_VISIT.contains(&name) && self.is_blank("visit_id") => {
                return Ok(Err(CloudReason::Missing("visit_id")));
            }
            "patients" => {
                if let Err(reason) = self.keep_vague_birth() {
                    return Ok(Err(reason));
                }
            }
            "appointments" => {
                for (column, empty) in [
                    ("duration", Cell::Integer(0)),
                    ("reason", Cell::text("")),
                    ("notes", Cell::text("")),
                    ("is_walk_in", Cell::Integer(0)),
                ] {
                    if self.get(column) == Some(&Cell::Null) {
                        self.set(column, empty);
                    }
                }
            }
            "dispensing_records" => {
                let batch = self.get("batch_id").and_then(Cell::as_reference).map(str::to_owned);
                if let Some(batch) = batch
                    && !references.knows_batch(&batch)?
                {
                    if !self.note_in("metadata", "batch_id", &batch) {
                        return Ok(Err(CloudReason::DoesNotFit("metadata")));
                    }
                    self.set("batch_id", Cell::Null);
                }
            }
            _ => {}
        }
        if self.table.column("is_deleted").is_some() {
            self.set("is_deleted", Cell::Integer(0));
            self.set("deleted_at", Cell::Null);
        }
        Ok(Ok(()))
    }

    /// A date of birth that is no full date (a year, an estimate) is kept as text beside the patient's other data.
    fn keep_vague_birth(&mut self) -> Result<(), CloudReason> {
        let Some(birth) = self
            .get("date_of_birth")
            .and_then(Cell::as_reference)
            .map(str::to_owned)
        else {
            self.set("date_of_birth", Cell::Null);
            return Ok(());
        };
        if is_full_date(&birth) {
            return Ok(());
        }
        if !self.note_in("additional_data", "date_of_birth_text", &birth) {
            return Err(CloudReason::DoesNotFit("date_of_birth"));
        }
        self.set("date_of_birth", Cell::Null);
        Ok(())
    }

    /// The same row with its body mass index, if the older cloud has no room for that, as text beside the other data.
    fn with_bmi_beside(mut self) -> Option<(Box<str>, Digests)> {
        let bmi = self.get("bmi").and_then(number).filter(|bmi| bmi.abs() >= BMI[0])?;
        self.set("bmi", Cell::Null);
        if !self.note_in("metadata", "bmi", &bmi.to_string()) {
            return None;
        }
        let digests = digests(self.table, self.cells.iter().map(Some), None);
        Some((self.json().ok()?, digests))
    }

    /// Adds a field to a column's JSON object; false if it is none.
    fn note_in(&mut self, column: &str, field: &str, value: &str) -> bool {
        let json = self.get(column).and_then(Cell::as_reference).unwrap_or("{}");
        let Ok(mut json) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json) else {
            return false;
        };
        json.insert(field.into(), value.into());
        self.set(column, Cell::text(&serde_json::Value::Object(json).to_string()));
        true
    }

    fn required(&self) -> Result<(), CloudReason> {
        let missing = self
            .table
            .columns
            .iter()
            .zip(&self.cells)
            .find(|(column, cell)| column.cloud_required && **cell == Cell::Null);
        missing.map_or(Ok(()), |(column, _)| Err(CloudReason::Missing(column.name)))
    }

    /// The cloud keeps its own row where that is not older, and says nothing.
    fn outlast(&mut self, cloud_updated_at: i64) {
        let own = self.get("updated_at").and_then(Cell::as_integer).unwrap_or(0);
        if cloud_updated_at > 0 && own <= cloud_updated_at {
            self.set("updated_at", Cell::Integer(cloud_updated_at + 1));
        }
    }

    fn json(&self) -> Result<Box<str>, CloudReason> {
        let mut json = String::with_capacity(512);
        for (column, cell) in self.table.columns.iter().zip(&self.cells) {
            if STAMPED.contains(&column.name) {
                continue;
            }
            json.push(if json.is_empty() { '{' } else { ',' });
            // Writing to a string cannot fail.
            let _ = write!(json, "\"{}\":", column.name);
            write_value(column, cell, &mut json).ok_or(CloudReason::DoesNotFit(column.name))?;
        }
        json.push('}');
        Ok(json.into())
    }
}

/// A value as the column's type takes it; none if it can't be made to fit.
fn value(column: &Column, cell: &Cell) -> Option<Cell> {
    match (column.cloud, cell) {
        (_, Cell::Null) => Some(Cell::Null),
        (CloudType::Uuid, Cell::Text(text)) => Some(match text.to_ascii_lowercase() {
            text if is_uuid(&text) => Cell::Text(text.into()),
            // A reference to what can't be there: as one that the hub does not hold.
            _ => Cell::Null,
        }),
        (CloudType::Date, Cell::Text(text)) => (text.is_empty() || is_full_date(text)).then(|| cell.clone()),
        (CloudType::Timestamptz | CloudType::Date, Cell::Integer(0)) if !column.cloud_required => Some(Cell::Null),
        (CloudType::Timestamptz | CloudType::Date, Cell::Integer(time)) => iso(*time).map(|_| cell.clone()),
        (CloudType::Jsonb | CloudType::TextArray, Cell::Text(text)) if text.is_empty() => {
            Some(Cell::empty(column.kind))
        }
        (CloudType::Jsonb | CloudType::TextArray, Cell::Text(text)) => json_value(text),
        (CloudType::Varchar(most), Cell::Text(text)) => {
            (text.chars().count() <= usize::from(most)).then(|| cell.clone())
        }
        (CloudType::Int2, cell) => whole(cell, f64::from(i16::MIN), f64::from(i16::MAX)),
        (CloudType::Integer, cell) => whole(cell, f64::from(i32::MIN), f64::from(i32::MAX)),
        (CloudType::Numeric(precision, scale), cell) => {
            let most = match column.name {
                "bmi" => BMI[1],
                _ => 10_f64.powi(i32::from(precision) - i32::from(scale)),
            };
            numeric(cell, i32::from(scale), most)
        }
        (CloudType::Float8, cell) => number(cell).map(|_| cell.clone()),
        _ => Some(cell.clone()),
    }
}

fn number(cell: &Cell) -> Option<f64> {
    let number = match cell {
        #[allow(clippy::cast_precision_loss, reason = "far beyond what the cloud's columns take")]
        Cell::Integer(integer) => *integer as f64,
        Cell::Real(real) => *real,
        Cell::Text(text) => text.parse().ok()?,
        Cell::Null => return None,
    };
    number.is_finite().then_some(number)
}

fn whole(cell: &Cell, least: f64, most: f64) -> Option<Cell> {
    let number = number(cell)?.round();
    #[allow(clippy::cast_possible_truncation, reason = "within the bounds just looked at")]
    (least..=most).contains(&number).then_some(Cell::Integer(number as i64))
}

/// A number of so many digits behind the point, below `most`; a decimal, which is text, stays one.
fn numeric(cell: &Cell, scale: i32, most: f64) -> Option<Cell> {
    if let Cell::Text(text) = cell
        && text.is_empty()
    {
        return Some(Cell::Null);
    }
    let factor = 10_f64.powi(scale);
    let rounded = (number(cell)? * factor).round() / factor;
    let fits = rounded.abs() < most;
    fits.then(|| match cell {
        Cell::Text(_) => cell.clone(),
        _ => Cell::Real(rounded),
    })
}

/// JSON that `jsonb` takes: no NUL, not as an escape either.
fn json_value(text: &str) -> Option<Cell> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    if !text.contains("\\u0000") {
        return Some(Cell::text(text));
    }
    fn without_nul(json: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match json {
            Value::String(text) => text.replace('\0', "").into(),
            Value::Array(items) => items.into_iter().map(without_nul).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                fields
                    .map(|(name, value)| (name.replace('\0', ""), without_nul(value)))
                    .collect()
            }
            other => other,
        }
    }
    Some(Cell::text(&without_nul(json).to_string()))
}

pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == uuid::fmt::Hyphenated::LENGTH && Uuid::try_parse(text).is_ok()
}

fn is_full_date(text: &str) -> bool {
    // PostgreSQL knows no year 0.
    text.len() == 10 && text.parse::<Date>().is_ok_and(|date| date.year() > 0)
}

/// ISO 8601, of the years that it writes with four digits.
fn iso(time: i64) -> Option<String> {
    let at = Timestamp::from_millisecond(time).ok()?;
    let year = at.to_zoned(TimeZone::UTC).year();
    (1..=9999).contains(&year).then(|| format!("{at:.3}"))
}

fn write_value(column: &Column, cell: &Cell, json: &mut String) -> Option<()> {
    match (column.cloud, cell) {
        (_, Cell::Null) => json.push_str("null"),
        (CloudType::Boolean, Cell::Integer(flag)) => json.push_str(if *flag == 0 { "false" } else { "true" }),
        (CloudType::Timestamptz, Cell::Integer(time)) => {
            let _ = write!(json, "\"{}\"", iso(*time)?);
        }
        (CloudType::Date, Cell::Integer(time)) => {
            let _ = write!(json, "\"{}\"", &iso(*time)?[..10]);
        }
        (CloudType::Date | CloudType::Uuid, Cell::Text(text)) if text.is_empty() => json.push_str("null"),
        (CloudType::Jsonb | CloudType::TextArray, Cell::Text(text)) => json.push_str(text),
        (_, Cell::Text(text)) => json.push_str(&serde_json::to_string(text).ok()?),
        (_, Cell::Integer(integer)) => {
            let _ = write!(json, "{integer}");
        }
        (_, Cell::Real(real)) => json.push_str(&serde_json::to_string(real).ok()?),
    }
    Some(())
}

#[cfg(test)]
mod tests;
