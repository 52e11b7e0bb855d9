//! Reading a row that was sent: by a phone in a push, or by the cloud in an answer.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::held::HoldReason;
use crate::store::schema::{ColumnSet, Table};
use crate::store::value::{Cell, Source, read};

/// The longest id that a row may have, in bytes.
const MAX_ID: usize = 128;

/// A row from outside.
#[derive(Debug)]
pub struct SentRow {
    /// Its id; never empty.
    pub id: Box<str>,
    /// One entry a column, `None` where it was not sent.
    pub cells: Vec<Option<Cell>>,
    /// The columns that the sender says it changed; `None`: all that differ.
    pub changed: Option<ColumnSet>,
}

/// Reads one row, with the first column whose value does not fit. Fields that the table does not have, or that its
/// sender may not write, are ignored.
///
/// # Errors
/// [`HoldReason::NotARow`] or [`HoldReason::NoId`].
pub fn read_row(
    table: &'static Table,
    json: &str,
    source: Source,
) -> Result<(SentRow, Option<&'static str>), HoldReason> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let fields = deserializer.deserialize_map(RowVisitor {
        table,
        source,
        lifetime: PhantomData,
    });
    let (row, misfit) = fields.map_err(|_| HoldReason::NotARow)?;
    Ok((row.ok_or(HoldReason::NoId)?, misfit))
}

/// Reads an entry of a list of deletes: a bare id is enough, and of a whole row only the id has to fit.
///
/// # Errors
/// [`HoldReason::NotARow`] or [`HoldReason::NoId`].
pub fn read_deleted(table: &'static Table, json: &str, source: Source) -> Result<SentRow, HoldReason> {
    if json.starts_with('"') {
        return only_id(table, serde_json::from_str(json).map_err(|_| HoldReason::NoId)?);
    }
    match read_row(table, json, source)? {
        (row, None) => Ok(row),
        (row, Some(_)) => only_id(table, row.id),
    }
}

fn only_id(table: &Table, id: Box<str>) -> Result<SentRow, HoldReason> {
    if !is_usable(&id) {
        return Err(HoldReason::NoId);
    }
    let mut cells = vec![None; table.columns.len()];
    cells[0] = Some(Cell::Text(id.clone()));
    Ok(SentRow {
        id,
        cells,
        changed: None,
    })
}

const fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID
}

struct RowVisitor<'a> {
    table: &'static Table,
    source: Source,
    lifetime: PhantomData<&'a str>,
}

impl<'de> Visitor<'de> for RowVisitor<'de> {
    /// The row, if it has an id, and the first column whose value does not fit.
    type Value = (Option<SentRow>, Option<&'static str>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let columns = self.table.columns;
        let mut cells = vec![None; columns.len()];
        let mut changed = None;
        let mut misfit = None;
        let mut next = 0;
        while let Some(Name(name)) = map.next_key()? {
            if name == "_changed" && self.source == Source::Phone {
                changed = self.changed(map.next_value::<&RawValue>()?);
                continue;
            }
            let writable = |index: &usize| columns[*index].on_phone || self.source == Source::Cloud;
            let Some(index) = self.table.column_near(&name, next).filter(writable) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            next = index + 1;
            match read(&columns[index], map.next_value::<&RawValue>()?, self.source) {
                Ok(cell) => cells[index] = Some(cell),
                Err(_) => misfit = misfit.or(Some(columns[index].name)),
            }
        }
        let id: Option<Box<str>> = cells[0]
            .as_ref()
            .and_then(Cell::as_reference)
            .filter(|id| is_usable(id))
            .map(Box::from);
        Ok((id.map(|id| SentRow { id, cells, changed }), misfit))
    }
}

impl RowVisitor<'_> {
    /// `_changed`: names with commas between; missing, empty or no text: all columns that differ.
    fn changed(&self, raw: &RawValue) -> Option<ColumnSet> {
        let names: String = serde_json::from_str(raw.get()).ok()?;
        (!names.is_empty()).then(|| self.table.column_set(names.split(',').map(str::trim)))
    }
}

/// A field's name, borrowed where it holds no escape.
struct Name<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
