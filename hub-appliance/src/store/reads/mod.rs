//! Reading for the app's single calls: rows of one table as JSON, of those that the reader may see.
//!
//! It promises: columns and their types come from the definition; no deleted row is shown, and no row that is out of the
//! reader's sight; texts are compared folded, and nothing in them is a pattern. One file a domain, and what all share here.

pub mod appointments;
pub mod forms;
mod glance;
pub mod patients;
pub mod prescriptions;
pub mod similar;
pub mod stock;
pub mod visits;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params_from_iter};
use serde_json::value::RawValue;

use super::error::StoreError;
use super::schema::{Column, ColumnType, TABLES, Table, TableId};
use super::search::fold;
use super::snapshot::Snapshot;
use super::sync::feed::write_value;
use super::value::Cell;

/// Who reads: which clinics' records that user may look into, and how much of them fits.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The clinics where the user may see records.
    pub clinics: BTreeSet<String>,
    /// Bytes that an answer may have.
    pub at_most: usize,
}

impl Default for Sight {
    /// Nothing but what everybody sees, and all of that.
    fn default() -> Self {
        Self {
            clinics: BTreeSet::new(),
            at_most: usize::MAX,
        }
    }
}

impl Sight {
    fn as_json(&self) -> String {
        serde_json::to_string(&self.clinics).unwrap_or_default()
    }
}

impl Snapshot<'_> {
    /// Every clinic that any record is in, known or not.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn every_clinic(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut clinics = self
            .connection()?
            .prepare_cached("SELECT id FROM clinics UNION SELECT clinic_id FROM sites")?;
        let clinics = clinics.query_map([], |row| row.get(0))?;
        Ok(clinics.collect::<Result<_, _>>()?)
    }
}

/// Which stretch of a list is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// At most so many rows.
    pub limit: u32,
    /// So many rows are passed over.
    pub offset: u32,
}

/// What was read, for the audit log.
#[derive(Debug, Default)]
pub struct Shown {
    /// The ids of the rows that were given.
    pub ids: Vec<String>,
    /// How many rows there are, on all pages.
    pub total: u64,
}

/// Tables whose rows are no clinic's own: every user sees all of them.
const FOR_ALL: [&str; 6] = [
    "clinics",
    "clinic_departments",
    "registration_forms",
    "event_forms",
    "drug_catalogue",
    "app_config",
];

/// What ties a patient to a clinic beside the patient's own: (table, its clinic's column).
const TIES: [(&str, &str); 3] = [
    ("visits", "clinic_id"),
    ("appointments", "clinic_id"),
    ("prescriptions", "pickup_clinic_id"),
];

/// The clinics that are in sight; the first value of every question.
const SEEN: &str = "(SELECT value FROM json_each(?1))";

/// Whether something ties the patient `t` to a clinic in sight.
static TIED_TO_SIGHT: LazyLock<String> = LazyLock::new(|| {
    let ties = TIES.map(|(table, clinic)| {
        format!(
            "EXISTS (SELECT 1 FROM {table} o WHERE o.patient_id = t.id AND o.hub_deleted_at IS NULL \
             AND o.{clinic} IN {SEEN})"
        )
    });
    ties.join(" OR ")
});

/// Whether the patient `t` is in sight.
static PATIENT_IN_SIGHT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "(coalesce(t.primary_clinic_id, '') = '' OR t.primary_clinic_id IN {SEEN} OR {})",
        *TIED_TO_SIGHT
    )
});

/// Whether a row `t` of a table is in sight; none where all are.
fn in_sight(table: &Table) -> Option<String> {
    if FOR_ALL.contains(&table.name) {
        return None;
    }
    if table.name == "patients" {
        return Some(PATIENT_IN_SIGHT.clone());
    }
    let of_patient = table.hangs_on_patient().then(|| {
        format!(
            "EXISTS (SELECT 1 FROM patients p WHERE p.id = t.patient_id AND {})",
            PATIENT_IN_SIGHT.replace("t.", "p.")
        )
    });
    let own = table.clinic_column.map(|clinic| format!("t.{clinic} IN {SEEN}"));
    Some(match (own, of_patient) {
        (Some(own), Some(of_patient)) => format!("({own} OR {of_patient})"),
        (Some(own), None) => format!(
            "({own} OR coalesce(t.{}, '') = '')",
            table.clinic_column.unwrap_or_default()
        ),
        (None, Some(of_patient)) => of_patient,
        (None, None) => "FALSE".to_owned(),
    })
}

/// A table's rows as JSON: what to select, and how to write it.
struct Shape {
    /// The columns that phones have, of `t`, with commas between.
    select: String,
    columns: Vec<(&'static Column, String)>,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| TABLES.iter().map(Shape::new).collect());

impl Shape {
    fn new(table: &'static Table) -> Self {
        let columns: Vec<_> = (table.columns.iter().filter(|column| column.on_phone))
            .map(|column| (column, format!("\"{}\":", column.name)))
            .collect();
        let names: Vec<_> = columns
            .iter()
            .map(|(column, _)| format!("t.\"{}\"", column.name))
            .collect();
        Self {
            select: names.join(", "),
            columns,
        }
    }

    /// Writes a row whose columns begin at `from`.
    fn write(&self, row: &Row<'_>, from: usize, flags: Flags, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut separator = b'{';
        for (index, (column, name)) in self.columns.iter().enumerate() {
            out.push(separator);
            out.extend_from_slice(name.as_bytes());
            let value = row.get_ref(from + index)?;
            match (column.kind, value.as_str()) {
                (ColumnType::Json | ColumnType::JsonList, Ok(text)) => write_json(column.kind, text, out),
                (ColumnType::Boolean, _) if flags == Flags::Truths => {
                    let truth: &[u8] = if value.as_i64() == Ok(1) { b"true" } else { b"false" };
                    out.extend_from_slice(truth);
                }
                _ => write_value(value, out),
            }
            separator = b',';
        }
        out.push(b'}');
        Ok(())
    }
}

/// How booleans are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flags {
    /// 0 and 1.
    Numbers,
    /// true and false.
    Truths,
}

/// A JSON column as the value that it holds: the app calls array methods on it. Text that is no JSON stays a text.
fn write_json(kind: ColumnType, text: &str, out: &mut Vec<u8>) {
    if text.is_empty() {
        let empty: &[u8] = if kind == ColumnType::JsonList { b"[]" } else { b"{}" };
        out.extend_from_slice(empty);
    } else if serde_json::from_str::<&RawValue>(text).is_ok() {
        out.extend_from_slice(text.as_bytes());
    } else {
        write_value(text.into(), out);
    }
}

/// A list under way: rows `t` of one table, with more and more conditions.
struct Listing {
    table: TableId,
    conditions: Vec<String>,
    values: Vec<Cell>,
    order: &'static str,
    flags: Flags,
    /// Bytes that the answer may have.
    at_most: usize,
}

impl Listing {
    /// All rows of a table that are not deleted and in sight.
    fn of(table: &'static str, sight: &Sight) -> Result<Self, StoreError> {
        let table = TableId::named(table).ok_or(StoreError::Defect)?;
        let mut conditions = vec!["?1 IS NOT NULL".to_owned(), "t.hub_deleted_at IS NULL".to_owned()];
        if table.table().column("is_deleted").is_some() {
            conditions.push("coalesce(t.is_deleted, 0) = 0".to_owned());
        }
        conditions.extend(in_sight(table.table()));
        Ok(Self {
            table,
            conditions,
            values: vec![Cell::text(&sight.as_json())],
            order: "t.id",
            flags: Flags::Numbers,
            at_most: sight.at_most,
        })
    }

    /// The deleted ones too.
    fn with_deleted(mut self) -> Self {
        self.conditions.retain(|condition| !condition.contains("deleted"));
        self
    }

    /// Only rows where this holds; each `?` in it is one of the values.
    fn and(mut self, condition: &str, values: impl IntoIterator<Item = Cell>) -> Self {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
        self
    }

    /// Only rows with this value, where there is one.
    fn and_if(self, condition: &str, value: Option<&str>) -> Self {
        match value.filter(|value| !value.is_empty()) {
            Some(value) => self.and(condition, [Cell::text(value)]),
            None => self,
        }
    }

    /// Only rows where one of these expressions holds the text, where there is one.
    fn and_holds(self, expressions: &[&str], text: Option<&str>) -> Self {
        let Some(text) = text.map(fold).filter(|text| !text.is_empty()) else {
            return self;
        };
        let conditions: Vec<_> = expressions
            .iter()
            .map(|expression| format!("folded_holds({expression}, ?)"))
            .collect();
        let values = vec![Cell::text(&text); expressions.len()];
        self.and(&format!("({})", conditions.join(" OR ")), values)
    }

    /// Only rows whose column has one of these values, where there are any.
    fn and_among(self, column: &str, values: &[String]) -> Self {
        if values.is_empty() {
            return self;
        }
        let list = serde_json::to_string(values).unwrap_or_default();
        self.and(
            &format!("{column} IN (SELECT value FROM json_each(?))"),
            [Cell::text(&list)],
        )
    }

    const fn ordered(mut self, order: &'static str) -> Self {
        self.order = order;
        self
    }

    const fn with_truths(mut self) -> Self {
        self.flags = Flags::Truths;
        self
    }

    fn body(&self) -> String {
        format!(
            "FROM {} t WHERE {}",
            self.table.table().name,
            self.conditions.join(" AND ")
        )
    }

    fn parameters(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql)
    }

    /// How many rows there are.
    fn count(&self, connection: &Connection) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) {}", self.body());
        let mut statement = connection.prepare_cached(&sql)?;
        let count: i64 = statement.query_row(params_from_iter(self.parameters()), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Writes all rows, or those of a page, as a JSON array.
    fn write(&self, connection: &Connection, page: Option<Page>, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        let shape = &SHAPES[self.table.index()];
        let mut sql = format!("SELECT {} {} ORDER BY {}", shape.select, self.body(), self.order);
        if let Some(page) = page {
            sql += &format!(" LIMIT {} OFFSET {}", page.limit, page.offset);
        }
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(self.parameters()))?;
        let mut shown = Shown::default();
        out.push(b'[');
        while let Some(row) = rows.next()? {
            if !shown.ids.is_empty() {
                out.push(b',');
            }
            shape.write(row, 0, self.flags, out)?;
            fits(out, self.at_most)?;
            shown.ids.push(row.get(0)?);
        }
        out.push(b']');
        shown.total = u64::try_from(shown.ids.len()).unwrap_or(u64::MAX);
        Ok(shown)
    }

    /// Writes `{"data":[row]}`.
    fn write_data(&self, connection: &Connection, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        out.extend_from_slice(b"{\"data\":");
        let shown = self.write(connection, None, out)?;
        out.push(b'}');
        Ok(shown)
    }

    /// Writes a page with how many rows there are in all.
    ///
    /// What is asked of each row is asked once: first the numbers of all rows that fit, then the rows of the page.
    fn write_page(&self, connection: &Connection, page: Page, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        let sql = format!("SELECT t.rowid {} ORDER BY {}", self.body(), self.order);
        let mut statement = connection.prepare(&sql)?;
        let numbers: Vec<i64> = statement
            .query_map(params_from_iter(self.parameters()), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        write_stretch(connection, self.table, numbers, page, (self.at_most, out))
    }

    /// Writes the first row; none where there is none.
    fn write_first(&self, connection: &Connection, out: &mut Vec<u8>) -> Result<Option<Shown>, StoreError> {
        let shape = &SHAPES[self.table.index()];
        let sql = format!(
            "SELECT {} {} ORDER BY {} LIMIT 1",
            shape.select,
            self.body(),
            self.order
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(self.parameters()))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        shape.write(row, 0, self.flags, out)?;
        fits(out, self.at_most)?;
        Ok(Some(Shown {
            ids: vec![row.get(0)?],
            total: 1,
        }))
    }
}

/// Whether what has been written is no longer than an answer may be.
fn fits(out: &[u8], at_most: usize) -> Result<(), StoreError> {
    if out.len() > at_most {
        return Err(StoreError::TooLong);
    }
    Ok(())
}

/// Writes a page of the rows with these numbers, which are all; the answer may have `at_most` bytes.
fn write_stretch(
    connection: &Connection,
    table: TableId,
    numbers: Vec<i64>,
    page: Page,
    (at_most, out): (usize, &mut Vec<u8>),
) -> Result<Shown, StoreError> {
    let total = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
    let (offset, limit) = (page.offset as usize, page.limit as usize);
    let numbers: Vec<i64> = numbers.into_iter().skip(offset).take(limit).collect();
    write_numbered(connection, table, (&numbers, total), page, (at_most, out))
}

/// Writes the rows with these numbers, of so many in all, in this order, as a page.
fn write_numbered(
    connection: &Connection,
    table: TableId,
    (numbers, total): (&[i64], u64),
    page: Page,
    (at_most, out): (usize, &mut Vec<u8>),
) -> Result<Shown, StoreError> {
    let shape = &SHAPES[table.index()];
    let sql = format!(
        "SELECT {} FROM {} t WHERE t.rowid = ?1",
        shape.select,
        table.table().name
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut shown = Shown {
        ids: Vec::with_capacity(numbers.len()),
        total,
    };
    out.extend_from_slice(b"{\"data\":[");
    for number in numbers {
        let mut rows = statement.query([number])?;
        let Some(row) = rows.next()? else { continue };
        if !shown.ids.is_empty() {
            out.push(b',');
        }
        shape.write(row, 0, Flags::Numbers, out)?;
        fits(out, at_most)?;
        shown.ids.push(row.get(0)?);
    }
    let tail = format!(
        "],\"total\":{total},\"limit\":{},\"offset\":{}}}",
        page.limit, page.offset
    );
    out.extend_from_slice(tail.as_bytes());
    Ok(shown)
}

/// Writes the row with this id whoever may see it, deleted or not; whether there is one.
pub(super) fn write_any(
    connection: &Connection,
    table: &'static str,
    id: &str,
    out: &mut Vec<u8>,
) -> Result<bool, StoreError> {
    let shape = &SHAPES[TableId::named(table).ok_or(StoreError::Defect)?.index()];
    let sql = format!("SELECT {} FROM {table} t WHERE t.id = ?1", shape.select);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    shape.write(row, 0, Flags::Numbers, out)?;
    Ok(true)
}

/// What became of a look for one row.
#[derive(Debug)]
pub enum Found {
    /// It was written.
    Shown(Shown),
    /// It is there, out of the reader's sight.
    OutOfSight,
    /// It is not there, or is deleted.
    Nowhere,
}

/// Writes the row with this id.
fn write_one(
    connection: &Connection,
    table: &'static str,
    sight: &Sight,
    (column, value): (&str, &str),
    out: &mut Vec<u8>,
) -> Result<Found, StoreError> {
    let condition = format!("t.{column} = ?");
    let listing = Listing::of(table, sight)?.and(&condition, [Cell::text(value)]);
    if let Some(shown) = listing.write_first(connection, out)? {
        return Ok(Found::Shown(shown));
    }
    let sql = format!("SELECT 1 FROM {table} t WHERE t.{column} = ?1 AND t.hub_deleted_at IS NULL");
    let is_there = connection
        .prepare_cached(&sql)?
        .query_row([value], |_| Ok(()))
        .optional()?;
    Ok(is_there.map_or(Found::Nowhere, |()| Found::OutOfSight))
}

impl super::Snapshot<'_> {
    /// Writes the row of this table with this id.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn one(&self, table: &'static str, sight: &Sight, id: &str, out: &mut Vec<u8>) -> Result<Found, StoreError> {
        write_one(self.connection()?, table, sight, ("id", id), out)
    }

    /// Writes what hangs on a patient, `newest` first, as an array.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn of_patient(
        &self,
        table: &'static str,
        sight: &Sight,
        patient: &str,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let order = match table {
            "visits" => "t.check_in_timestamp DESC, t.id DESC",
            "patient_vitals" | "appointments" => "t.timestamp DESC, t.id DESC",
            "dispensing_records" => "t.dispensed_at DESC, t.id DESC",
            _ => "t.created_at DESC, t.id DESC",
        };
        Listing::of(table, sight)?
            .and("t.patient_id = ?", [Cell::text(patient)])
            .ordered(order)
            .write(self.connection()?, None, out)
    }
}
