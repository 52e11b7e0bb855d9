//! The values of a row as the app's database keeps them, and their three spellings: in an answer of the hub, in a push
//! of the app, and in a comparison.
//!
//! Promise: numbers have one form, as in the app's language: 170.0 and 170 are the same cell.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::schema::{Column, Kind};

/// Whole numbers up to this size are exact in the app, whose numbers are IEEE 754 doubles.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// Text, JSON kept as text included.
    Text(Box<str>),
}

/// Why a value of the hub's can't be stored in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellFault {
    /// Null where the phone's schema wants a value.
    Null,
    /// A value of another type than the column's on its way out.
    Type,
}

impl Cell {
    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A JSON value as the text that the app stores.
    #[must_use]
    pub fn json(value: &Value) -> Self {
        Self::Text(value.to_string().into())
    }

    /// A number in its one form.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    pub fn number(number: f64) -> Self {
        if number.fract() == 0.0 && number.abs() <= LARGEST_EXACT {
            Self::Integer(number as i64)
        } else {
            Self::Real(number)
        }
    }

    /// A value of a row that a hub sent, checked against the column.
    ///
    /// # Errors
    /// [`CellFault`] when the app would lose the value or replace it with an empty one.
    pub fn from_hub(column: &Column, value: Value) -> Result<Self, CellFault> {
        match (column.kind, value) {
            (_, Value::Null) if column.required => Err(CellFault::Null),
            (_, Value::Null) => Ok(Self::Null),
            (Kind::Text | Kind::Json | Kind::Decimal, Value::String(text)) => Ok(Self::Text(text.into())),
            (Kind::Boolean, Value::Number(number)) => match number.as_u64() {
                Some(0) => Ok(Self::Boolean(false)),
                Some(1) => Ok(Self::Boolean(true)),
                _ => Err(CellFault::Type),
            },
            (Kind::Integer | Kind::EpochMs, Value::Number(number)) => {
                number.as_i64().map(Self::Integer).ok_or(CellFault::Type)
            }
            (Kind::Real, Value::Number(number)) => number.as_f64().map(Self::number).ok_or(CellFault::Type),
            _ => Err(CellFault::Type),
        }
    }

    /// A value that this program wrote itself, in a push or a saved state; nothing is checked.
    #[must_use]
    pub fn from_own(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Boolean(truth),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Integer(whole),
                (None, Some(real)) => Self::number(real),
                (None, None) => Self::Null,
            },
            Value::String(text) => Self::Text(text.into()),
            json @ (Value::Array(_) | Value::Object(_)) => Self::json(&json),
        }
    }

    /// The cell that the app puts where a new record has no value.
    #[must_use]
    pub fn empty(column: &Column) -> Self {
        if column.required {
            Self::zero(column.kind)
        } else {
            Self::Null
        }
    }

    /// The empty value of a type.
    #[must_use]
    pub fn zero(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Json | Kind::Decimal => Self::text(""),
            Kind::Boolean => Self::Boolean(false),
            Kind::Integer | Kind::Real | Kind::EpochMs => Self::Integer(0),
        }
    }

    /// Whether it is null or its type's empty value, which the app turns into each other.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Null | Self::Boolean(false) | Self::Integer(0) => true,
            Self::Text(text) => text.is_empty(),
            Self::Boolean(true) | Self::Integer(_) | Self::Real(_) => false,
        }
    }

    /// The whole number in it.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(whole) => Some(*whole),
            _ => None,
        }
    }

    /// The text in it.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl From<i64> for Cell {
    fn from(whole: i64) -> Self {
        Self::Integer(whole)
    }
}

impl From<f64> for Cell {
    fn from(real: f64) -> Self {
        Self::number(real)
    }
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// As the app pushes it: booleans as true and false.
impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(truth) => serializer.serialize_bool(*truth),
            Self::Integer(whole) => serializer.serialize_i64(*whole),
            Self::Real(real) => serializer.serialize_f64(*real),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(truth) => truth.fmt(f),
            Self::Integer(whole) => whole.fmt(f),
            Self::Real(real) => real.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}
