//! One column's value: how it is read from a phone's or the cloud's JSON, kept, and compared.
//!
//! Conversion goes by the column's type alone, never by the look of the value (protocol, "Procedures" and "cloud").

use std::borrow::Cow;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::temporal::Pieces;
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::schema::{CloudType, Column, ColumnType};
use crate::lossy::{Lossy, mend_json};

/// The largest time that JavaScript can show, in epoch milliseconds (ECMA-262, section 21.4.1.1).
const LAST_TIME: i64 = 8_640_000_000_000_000;
/// The day from which times are counted.
const EPOCH: Date = Date::constant(1970, 1, 1);
/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A value of a synced row.
#[derive(Clone, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// Integers, booleans (0 or 1) and times (epoch ms).
    Integer(i64),
    /// Floating-point numbers.
    Real(f64),
    /// Text, decimals and JSON.
    Text(Box<str>),
}

/// The value does not fit the column's type.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value does not fit its column's type")]
pub struct WrongType;

/// Whose way of writing a value is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The app.
    Phone,
    /// The cloud's PostgreSQL: numbers may be strings, dates are a local midnight in UTC.
    Cloud,
}

/// Never shows the value: it may be a patient's.
impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Null => "Null",
            Self::Integer(_) => "Integer(…)",
            Self::Real(_) => "Real(…)",
            Self::Text(_) => "Text(…)",
        })
    }
}

impl Cell {
    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// What a required column holds where nothing was sent.
    #[must_use]
    pub fn empty(kind: ColumnType) -> Self {
        match kind {
            ColumnType::Text => Self::text(""),
            ColumnType::Decimal => Self::text("0"),
            ColumnType::Json => Self::text("{}"),
            ColumnType::JsonList => Self::text("[]"),
            ColumnType::Integer | ColumnType::Boolean | ColumnType::EpochMs => Self::Integer(0),
            ColumnType::Real => Self::Real(0.0),
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// A reference to another row: text that is not empty.
    #[must_use]
    pub fn as_reference(&self) -> Option<&str> {
        self.as_text().filter(|text| !text.is_empty())
    }

    /// Null, or what the app's database turns a null into: `""`, 0 or false.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Integer(integer) => *integer == 0,
            Self::Real(real) => *real == 0.0,
            Self::Text(text) => text.is_empty(),
        }
    }

    /// Whether two values mean the same: equal, or both blank.
    #[must_use]
    pub fn means(&self, other: &Self) -> bool {
        self == other || (self.is_blank() && other.is_blank())
    }

    /// Takes a value out of a SQLite row. A blob, which no column of the schema can hold, counts as null.
    #[must_use]
    pub fn from_sql(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null | ValueRef::Blob(_) => Self::Null,
            ValueRef::Integer(integer) => Self::Integer(integer),
            ValueRef::Real(real) => Self::Real(real),
            ValueRef::Text(text) => Self::Text(String::from_utf8_lossy(text).into()),
        }
    }

    /// The value that [`Cell::to_json`] wrote; none for what it never writes.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        match json {
            serde_json::Value::Null => Some(Self::Null),
            serde_json::Value::String(text) => Some(Self::text(text)),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(integer) => Some(Self::Integer(integer)),
                None => number.as_f64().map(Self::Real),
            },
            _ => None,
        }
    }

    /// The value as JSON, for the history.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Integer(integer) => (*integer).into(),
            Self::Real(real) => (*real).into(),
            Self::Text(text) => serde_json::Value::String(text.to_string()),
        }
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Real(real) => ValueRef::Real(*real),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// As the column keeps it.
    pub cell: Cell,
    /// It was written otherwise than the hub writes it (a time as text, half an emoji), so that whoever sent it has
    /// something else than everybody who gets it from the hub.
    pub converted: bool,
}

impl From<Cell> for Read {
    fn from(cell: Cell) -> Self {
        Self { cell, converted: false }
    }
}

/// Reads a value as `column` keeps it.
///
/// # Errors
/// [`WrongType`] if the value is not one that the column's type takes.
pub fn read(column: &Column, raw: &RawValue, source: Source) -> Result<Read, WrongType> {
    let json = raw.get();
    if json == "null" {
        return Ok(Cell::Null.into());
    }
    if column.cloud == CloudType::Date && source == Source::Cloud {
        return read_cloud_date(column.kind, &string(json)?.0).map(Read::from);
    }
    match column.kind {
        ColumnType::Text => string(json).map(text),
        ColumnType::Json | ColumnType::JsonList if json.starts_with('"') && source == Source::Phone => string(json)
            .map(|(inner, mended)| {
                let whole = mended_if_json(&inner);
                text((whole.as_ref().into(), mended || matches!(whole, Cow::Owned(_))))
            }),
        ColumnType::Json | ColumnType::JsonList => {
            let whole = mend_json(json);
            Ok(text((whole.as_ref().into(), matches!(whole, Cow::Owned(_)))))
        }
        ColumnType::Boolean => match json {
            "true" | "1" => Ok(Cell::Integer(1).into()),
            "false" | "0" => Ok(Cell::Integer(0).into()),
            _ => Err(WrongType),
        },
        ColumnType::EpochMs => read_time(json).map(|millis| Read {
            cell: Cell::Integer(millis),
            converted: !is_number(json, millis),
        }),
        ColumnType::Integer => whole(number(json, source)?).map(|whole| Cell::Integer(whole).into()),
        ColumnType::Real => number(json, source).map(|real| Cell::Real(real).into()),
        ColumnType::Decimal => read_decimal(json).map(Read::from),
    }
}

fn text((text, converted): (Box<str>, bool)) -> Read {
    Read {
        cell: Cell::Text(text),
        converted,
    }
}

/// The text of a JSON string, and whether half a surrogate pair was replaced in it.
fn string(json: &str) -> Result<(Box<str>, bool), WrongType> {
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .ok_or(WrongType)?;
    if !inner.contains('\\') {
        return Ok((inner.into(), false));
    }
    if let Ok(text) = serde_json::from_str::<String>(json) {
        return Ok((text.into(), false));
    }
    let text: Lossy<'_> = serde_json::from_str(json).map_err(|_| WrongType)?;
    Ok((text.0.into(), true))
}

/// The text of a JSON column: phones may keep in it what is no JSON, which nobody touches.
fn mended_if_json(text: &str) -> Cow<'_, str> {
    match mend_json(text) {
        Cow::Owned(mended) if serde_json::from_str::<IgnoredAny>(&mended).is_ok() => Cow::Owned(mended),
        _ => Cow::Borrowed(text),
    }
}

/// Whether this JSON is the very number.
fn is_number(json: &str, millis: i64) -> bool {
    #[allow(clippy::cast_precision_loss, reason = "times are within what a f64 holds exactly")]
    let same = |number: f64| number == millis as f64;
    json.parse().is_ok_and(same)
}

/// A JSON number; from the cloud also as a string, which is how PostgreSQL's `numeric` travels.
fn number(json: &str, source: Source) -> Result<f64, WrongType> {
    let digits = match source {
        Source::Cloud if json.starts_with('"') => &json[1..json.len() - 1],
        _ => json,
    };
    serde_json::from_str::<f64>(digits)
        .ok()
        .filter(|number| number.is_finite())
        .ok_or(WrongType)
}

/// A number without a fraction, small enough that a `f64` holds it exactly.
fn whole(number: f64) -> Result<i64, WrongType> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "whole and within the bounds checked above"
        )]
        Ok(number as i64)
    } else {
        Err(WrongType)
    }
}

/// A decimal is kept as it is written, so that `"1.50"` does not become `1.5`.
fn read_decimal(json: &str) -> Result<Cell, WrongType> {
    let text = if json.starts_with('"') {
        string(json)?.0
    } else {
        json.into()
    };
    if text.is_empty() || text.parse::<f64>().is_ok_and(f64::is_finite) {
        Ok(Cell::Text(text))
    } else {
        Err(WrongType)
    }
}

/// A time in epoch milliseconds: from a number, a numeric string, or ISO 8601. Fractions of a millisecond are cut. How
/// large a number is says nothing about its unit: people were born in 1970.
///
/// # Errors
/// [`WrongType`] if it is none of these, or beyond what JavaScript can show.
pub fn read_time(json: &str) -> Result<i64, WrongType> {
    let text = if json.starts_with('"') {
        string(json)?.0
    } else {
        json.into()
    };
    let millis = match text.parse::<f64>() {
        Ok(number) if number.is_finite() => whole(number.trunc())?,
        Ok(_) => return Err(WrongType),
        Err(_) => instant(&text).and_then(epoch_millis)?,
    };
    if millis.abs() <= LAST_TIME {
        Ok(millis)
    } else {
        Err(WrongType)
    }
}

/// ISO 8601 as a moment in UTC; without an offset it is UTC, a date alone is its midnight. Civil time reaches further
/// than jiff's instants, whose last is `9999-12-30T22:00:00Z`.
fn instant(text: &str) -> Result<DateTime, WrongType> {
    let pieces = Pieces::parse(text).map_err(|_| WrongType)?;
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset = pieces.to_numeric_offset().map_or(0, jiff::tz::Offset::seconds);
    civil
        .checked_sub(SignedDuration::from_secs(offset.into()))
        .map_err(|_| WrongType)
}

fn epoch_millis(moment: DateTime) -> Result<i64, WrongType> {
    let days = EPOCH.until(moment.date()).map_err(|_| WrongType)?.get_days();
    let time = moment.time().duration_since(Time::midnight()).as_millis();
    let time = i64::try_from(time).map_err(|_| WrongType)?;
    i64::from(days)
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(time))
        .ok_or(WrongType)
}

/// A `date` of the cloud is ten characters, or the server's local midnight in UTC: 12 hours on is the calendar day that was
/// meant then, for every time zone. Text columns keep `YYYY-MM-DD`, times that day's midnight UTC.
fn read_cloud_date(kind: ColumnType, text: &str) -> Result<Cell, WrongType> {
    let moment = instant(text)?;
    let moment = if text.len() > "YYYY-MM-DD".len() {
        moment
            .checked_add(SignedDuration::from_hours(12))
            .map_err(|_| WrongType)?
    } else {
        moment
    };
    let day = moment.date();
    if kind == ColumnType::EpochMs {
        epoch_millis(day.to_datetime(Time::midnight())).map(Cell::Integer)
    } else {
        Ok(Cell::text(&day.to_string()))
    }
}

#[cfg(test)]
mod tests;
