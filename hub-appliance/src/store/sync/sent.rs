//! Reading a row that was sent: by a phone in a push, or by the cloud in an answer.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::generation::OF_FORCED_UPLOAD;
use super::held::HoldReason;
use super::limits::{MAX_ROW, MAX_ROW_WITH_PHOTO};
use super::newer::{MAX_COLUMNS, MAX_NAME, NewerColumn, nests_too_deep};
use crate::lossy::{Lossy, mend_json};
use crate::store::rows::StoredRow;
use crate::store::schema::{ColumnSet, Table};
use crate::store::value::{Cell, Source, read};

/// The day that may be known as anything but a day ("1980?").
const BIRTH: &str = "date_of_birth";

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
    /// The hub keeps a value of it otherwise than it was written, so its sender has to get the row back.
    pub converted: bool,
    /// Columns of a newer app, which the table does not have.
    pub newer: Vec<NewerColumn>,
}

impl SentRow {
    /// A row of which nothing is known but its id.
    #[must_use]
    pub fn of_id(table: &Table, id: &str) -> Self {
        let mut cells = vec![None; table.columns.len()];
        cells[0] = Some(Cell::text(id));
        Self {
            id: id.into(),
            cells,
            changed: None,
            converted: false,
            newer: Vec::new(),
        }
    }

    /// Whether more is known of it than its id.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cells.iter().flatten().count() > 1
    }

    /// Whether its sender says that it is deleted.
    #[must_use]
    pub fn is_flagged_deleted(&self, table: &Table) -> bool {
        let flag = table.column("is_deleted").and_then(|flag| self.cells[flag].as_ref());
        flag.and_then(Cell::as_integer) == Some(1)
    }

    /// The patient it names, where it has no clinic of its own and so is where that patient is.
    #[must_use]
    pub fn follows_patient(&self, table: &Table) -> Option<&str> {
        if table.clinic_column.is_some() {
            return None;
        }
        self.cells[table.column("patient_id")?].as_ref()?.as_reference()
    }

    /// Gives required columns that were sent as null the empty value that null stands for: the stored one where that is
    /// blank in another way, so that it asks for no change.
    pub(in crate::store) fn settle_nulls(&mut self, table: &Table, stored: Option<&StoredRow>) {
        for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| column.required) {
            let cell = &mut self.cells[index];
            if *cell == Some(Cell::Null) {
                let blank = stored.map(|stored| &stored.cells[index]).filter(|cell| cell.is_blank());
                *cell = Some(blank.cloned().unwrap_or_else(|| Cell::empty(column.kind)));
            }
        }
    }
}

/// Reads one row, with the first column whose value does not fit. Fields that its sender may not write are ignored, and
/// those of the cloud that the table does not have.
///
/// # Errors
/// [`HoldReason::NotARow`], [`HoldReason::NoId`], or [`HoldReason::TooLarge`] for more newer columns than a row may have,
/// or more in one of them.
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
    let row = row.ok_or(HoldReason::NoId)?;
    let is_beyond = |column: &NewerColumn| column.name.len() > MAX_NAME || nests_too_deep(&column.value);
    if row.newer.len() > MAX_COLUMNS || row.newer.iter().any(is_beyond) {
        return Err(HoldReason::TooLarge);
    }
    Ok((row, misfit))
}

/// Reads an entry of a list of deletes: a bare id is enough, and of a whole row only the id has to fit.
///
/// # Errors
/// [`HoldReason::NotARow`] or [`HoldReason::NoId`].
pub fn read_deleted(table: &'static Table, json: &str, source: Source) -> Result<SentRow, HoldReason> {
    if json.starts_with('"') {
        let id: Lossy<'_> = serde_json::from_str(json).map_err(|_| HoldReason::NoId)?;
        let usable = is_usable(&id.0).then(|| SentRow::of_id(table, &id.0));
        return usable.ok_or(HoldReason::NoId);
    }
    match read_row(table, json, source)? {
        (row, None) => Ok(row),
        (row, Some(_)) => Ok(SentRow::of_id(table, &row.id)),
    }
}

/// Whether a row that takes so many bytes of JSON is longer than one may be: a patient's photo stands in the row.
#[must_use]
pub fn is_too_long(table: &Table, row: &SentRow, bytes: usize) -> bool {
    let photo = table.column("photo_url").and_then(|index| row.cells[index].as_ref());
    let has_photo = photo.is_some_and(|photo| !photo.is_blank());
    bytes > if has_photo { MAX_ROW_WITH_PHOTO } else { MAX_ROW }
}

pub(super) const fn is_usable(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_ID
}

/// A date of birth that is none is kept as text beside the patient's other data; whether it could be.
fn keep_birth_text(table: &Table, cells: &mut [Option<Cell>], text: &RawValue) -> bool {
    let Some(column) = table.column("additional_data") else {
        return false;
    };
    let others = cells[column].as_ref().filter(|data| !data.is_blank());
    let others = others.and_then(Cell::as_text).unwrap_or("{}");
    let Ok(mut data) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(others) else {
        return false;
    };
    let text = serde_json::from_str(text.get()).map_or_else(|_| text.get().to_owned(), |Lossy(text)| text.into_owned());
    data.insert("date_of_birth_text".into(), text.into());
    cells[column] = Some(Cell::text(&serde_json::Value::Object(data).to_string()));
    true
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
        let mut converted = false;
        let mut birth_text = None;
        let mut newer: Vec<NewerColumn> = Vec::new();
        let mut next = 0;
        while let Some(Lossy(name)) = map.next_key()? {
            if name == "_changed" && self.source == Source::Phone {
                changed = changed_names(map.next_value::<&RawValue>()?);
                continue;
            }
            let Some(index) = self.table.column_near(&name, next) else {
                if self.source == Source::Phone && is_newer(&name) && newer.len() <= MAX_COLUMNS {
                    let value = map.next_value::<&RawValue>()?;
                    newer.push(NewerColumn {
                        name: name.into(),
                        value: mend_json(value.get()).into(),
                        stated: true,
                    });
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
                continue;
            };
            if !columns[index].on_phone && self.source == Source::Phone {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            next = index + 1;
            let raw = map.next_value::<&RawValue>()?;
            match read(&columns[index], raw, self.source) {
                Ok(read) => {
                    converted |= read.converted;
                    cells[index] = Some(read.cell);
                }
                Err(_) if self.source == Source::Cloud && columns[index].name == BIRTH => {
                    birth_text = Some(raw);
                    cells[index] = Some(Cell::Null);
                }
                Err(_) => misfit = misfit.or(Some(columns[index].name)),
            }
        }
        if let Some(text) = birth_text
            && !keep_birth_text(self.table, &mut cells, text)
        {
            misfit = misfit.or(Some(BIRTH));
        }
        let id: Option<Box<str>> = cells[0]
            .as_ref()
            .and_then(Cell::as_reference)
            .filter(|id| is_usable(id))
            .map(Box::from);
        for column in &mut newer {
            let is_named = |names: &String| names.split(',').any(|name| name.trim() == &*column.name);
            column.stated = changed.as_ref().is_none_or(is_named);
        }
        let changed = changed.map(|names| self.table.column_set(names.split(',').map(str::trim)));
        let row = id.map(|id| SentRow {
            id,
            cells,
            changed,
            converted,
            newer,
        });
        Ok((row, misfit))
    }
}

/// `_changed`: names with commas between; missing, without a name or no text: all columns that differ.
fn changed_names(raw: &RawValue) -> Option<String> {
    let Lossy(names) = serde_json::from_str(raw.get()).ok()?;
    let names_any = names.split(',').any(|name| !name.trim().is_empty());
    names_any.then(|| names.into_owned())
}

/// Whether a field that the table does not have may be a newer app's column: not what the app adds to every row itself.
fn is_newer(name: &str) -> bool {
    !name.starts_with('_') && name != OF_FORCED_UPLOAD
}
