//! Held rows: what a phone pushed, or the cloud refused, and a person has to look at. Nothing is dropped in silence.

use std::fmt;

use rusqlite::Connection;

use super::history::Author;
use super::push::List;
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::writer::WriteTx;

/// Why a row is held. It names columns, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// It is not a JSON object.
    NotARow,
    /// It has no usable id.
    NoId,
    /// The value of this column has another type.
    WrongType(&'static str),
    /// This column must have a value.
    MissingValue(&'static str),
    /// The user may not write it.
    NotPermitted,
    /// The database does not take its values.
    DoesNotFit,
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARow => f.write_str("not a row"),
            Self::NoId => f.write_str("no id"),
            Self::WrongType(column) => write!(f, "wrong type: {column}"),
            Self::MissingValue(column) => write!(f, "missing: {column}"),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::DoesNotFit => f.write_str("does not fit"),
        }
    }
}

/// Which way a held row was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a phone to the hub.
    Phone,
    /// Between hub and cloud.
    Cloud,
}

impl Direction {
    const fn name(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Cloud => "cloud",
        }
    }
}

/// A row to hold.
pub(in crate::store) struct HeldRow<'a> {
    pub(in crate::store) direction: Direction,
    pub(in crate::store) table: TableId,
    pub(in crate::store) row_id: Option<&'a str>,
    pub(in crate::store) list: List,
    /// The row's JSON, whole, as it was sent.
    pub(in crate::store) row: &'a str,
    pub(in crate::store) reason: HoldReason,
    /// What its sender had seen of the hub's rows.
    pub(in crate::store) base: HubTime,
    pub(in crate::store) author: &'a Author,
    pub(in crate::store) held_at: HubTime,
}

/// Holds a row. The same row held again (a push whose answer was lost) stays one.
pub(in crate::store) fn hold(tx: &WriteTx<'_>, held: &HeldRow<'_>) -> Result<(), StoreError> {
    let connection = tx.connection();
    let known: bool = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held_rows WHERE device = ?1 AND table_name = ?2 AND row_id IS ?3 AND row = ?4)",
        )?
        .query_row((held.author.device.0, held.table.table().name, held.row_id, held.row), |row| row.get(0))?;
    if known {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO held_rows (id, direction, table_name, row_id, list, row, reason, base, device, user_id, held_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(rusqlite::params![
            crate::store::new_id(held.held_at).to_string(),
            held.direction.name(),
            held.table.table().name,
            held.row_id,
            held.list.name(),
            held.row,
            held.reason.to_string(),
            held.base.millis(),
            held.author.device.0,
            held.author.user,
            held.held_at.millis()
        ])?;
    Ok(())
}

/// How many rows are held.
pub(in crate::store) fn count(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM held_rows")?
        .query_row([], |row| row.get(0))?)
}

/// A held row as a person gets to see it.
#[derive(Clone, Debug)]
pub struct HeldEntry {
    /// Its id among the held rows.
    pub id: String,
    /// The table it was meant for.
    pub table: String,
    /// Its own id, if it has one.
    pub row_id: Option<String>,
    /// Why it is held.
    pub reason: String,
    /// The user who sent it.
    pub user: Option<String>,
    /// When it came.
    pub held_at: HubTime,
}

impl Snapshot<'_> {
    /// The held rows, oldest first, without their contents.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_rows(&self) -> Result<Vec<HeldEntry>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT id, table_name, row_id, reason, user_id, held_at FROM held_rows ORDER BY held_at, id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(HeldEntry {
                id: row.get(0)?,
                table: row.get(1)?,
                row_id: row.get(2)?,
                reason: row.get(3)?,
                user: row.get(4)?,
                held_at: HubTime::from_millis(row.get(5)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
