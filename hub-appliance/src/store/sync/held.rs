//! Held rows: what was sent and can't be stored yet. Nothing is dropped in silence, and nothing is held for ever that has
//! no reason to be: `release` lets rows go when what they wait for is there.
//!
//! It promises: holding, finding and counting are looked up in an index each, however many rows are held.

use std::collections::BTreeMap;
use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::generation::OF_FORCED_UPLOAD;
use super::history::Author;
use super::lists::List;
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::pulse::Pulse;
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::writer::WriteTx;

/// Why a row is held. Its text names tables and columns, never values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// It is not a JSON object.
    NotARow,
    /// It has no usable id.
    NoId,
    /// It is longer than a row may be.
    TooLarge,
    /// The value of this column has another type.
    WrongType(&'static str),
    /// This column must have a value.
    MissingValue(&'static str),
    /// The user may not write it.
    NotPermitted,
    /// The user may not write this column of it, which takes it to another clinic; the others are written.
    ColumnNotPermitted(&'static str),
    /// The database does not take its values.
    DoesNotFit,
    /// It hangs on a row that is held, or on a patient who is deleted.
    Parent(TableId, Box<str>),
    /// It is tied to no clinic: its own is missing, and its patient (the one named) is not on the hub.
    NoClinic(Option<Box<str>>),
    /// The firmware does not know its table.
    UnknownTable,
}

/// What lets a held row go without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// A right of its user.
    Right,
    /// A row that it hangs on.
    Parent,
    /// A firmware that knows its table.
    Table,
}

impl Waits {
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Right, Self::Parent, Self::Table]
            .into_iter()
            .find(|waits| waits.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Parent => "parent",
            Self::Table => "table",
        }
    }
}

impl HoldReason {
    const fn waits(&self) -> Option<Waits> {
        match self {
            Self::NotPermitted | Self::ColumnNotPermitted(_) => Some(Waits::Right),
            Self::Parent(..) | Self::NoClinic(Some(_)) => Some(Waits::Parent),
            Self::UnknownTable => Some(Waits::Table),
            _ => None,
        }
    }

    /// The row that it waits for.
    fn parent(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Parent(table, id) => Some((table.table().name, id)),
            Self::NoClinic(Some(patient)) => Some(("patients", patient)),
            _ => None,
        }
    }
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARow => f.write_str("not a row"),
            Self::NoId => f.write_str("no id"),
            Self::TooLarge => f.write_str("too large"),
            Self::WrongType(column) => write!(f, "wrong type: {column}"),
            Self::MissingValue(column) => write!(f, "missing: {column}"),
            Self::NotPermitted => f.write_str("not permitted"),
            Self::ColumnNotPermitted(column) => write!(f, "not permitted: {column}"),
            Self::DoesNotFit => f.write_str("does not fit"),
            Self::Parent(table, _) => write!(f, "its parent: {}", table.table().name),
            Self::NoClinic(_) => f.write_str("no clinic"),
            Self::UnknownTable => f.write_str("unknown table"),
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

/// Holds a row, and says how many bytes that takes more. The same values held again (a push whose answer was lost, a forced
/// upload) stay one.
pub(in crate::store) fn hold(tx: &WriteTx<'_>, held: &HeldRow<'_>) -> Result<u64, StoreError> {
    hold_as(tx, held.table.table().name, held)
}

/// Holds a row of a table that the firmware does not know; `held.table` is not looked at.
pub(in crate::store) fn hold_as(tx: &WriteTx<'_>, table: &str, held: &HeldRow<'_>) -> Result<u64, StoreError> {
    let parent = held.reason.parent();
    let added = tx
        .connection()
        .prepare_cached(
            "INSERT INTO held_rows (id, direction, table_name, row_id, list, row, reason, base, device, user_id, held_at, \
             digest, bytes, waits, parent_table, parent_id, patient_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, \
             CASE WHEN json_valid(?6) THEN json_extract(?6, '$.patient_id') END) \
             ON CONFLICT (device, digest) WHERE digest IS NOT NULL DO NOTHING",
        )?
        .execute(rusqlite::params![
            crate::store::new_id(held.held_at).to_string(),
            held.direction.name(),
            table,
            held.row_id,
            held.list.name(),
            held.row,
            held.reason.to_string(),
            held.base.millis(),
            held.author.device.0,
            held.author.user,
            held.held_at.millis(),
            digest(table, held.row_id, held.row),
            i64::try_from(held.row.len()).unwrap_or(i64::MAX),
            held.reason.waits().map(Waits::name),
            parent.map(|(table, _)| table),
            parent.map(|(_, id)| id),
        ])?;
    Ok(if added > 0 { held.row.len() as u64 } else { 0 })
}

/// What an app writes into a row besides its values, and differently when it sends the same row once more.
const OF_THE_APP: [&str; 4] = ["_status", "_changed", "updated_at", OF_FORCED_UPLOAD];

/// What tells one held row of a device from another: SHA-256 of table, id and the row's values.
fn digest(table: &str, row_id: Option<&str>, row: &str) -> [u8; 32] {
    let values = serde_json::from_str::<BTreeMap<String, Value>>(row).ok();
    let values = values.and_then(|mut values| {
        values.retain(|name, _| !OF_THE_APP.contains(&name.as_str()));
        serde_json::to_string(&values).ok()
    });
    let mut digest = Sha256::new();
    for part in [table, row_id.unwrap_or_default(), values.as_deref().unwrap_or(row)] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().into()
}

/// Gives rows that an older firmware held their digests. Called when the store is opened.
pub(in crate::store) fn complete(connection: &mut Connection, pulse: &Pulse) -> Result<(), StoreError> {
    // One transaction: each row by itself would be a write to the disk.
    let transaction = connection.transaction()?;
    let mut older = transaction
        .prepare("SELECT id, table_name, row_id, row FROM held_rows WHERE digest IS NULL ORDER BY held_at, id")?;
    let digests: Vec<(String, [u8; 32])> = older
        .query_map([], |row| {
            let (table, row_id): (String, Option<String>) = (row.get(1)?, row.get(2)?);
            let text = row.get_ref(3)?.as_str().unwrap_or_default();
            pulse.step();
            Ok((row.get(0)?, digest(&table, row_id.as_deref(), text)))
        })?
        .collect::<Result<_, _>>()?;
    let mut set = transaction.prepare("UPDATE OR IGNORE held_rows SET digest = ?2 WHERE id = ?1")?;
    for (id, digest) in digests {
        pulse.step();
        set.execute((id, digest))?;
    }
    drop((older, set));
    Ok(pulse.unseen(|| transaction.commit())?)
}

/// Whether a row waits among the held ones to be stored.
pub(in crate::store) fn is_held(connection: &Connection, table: TableId, row: &str) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held_rows WHERE table_name = ?1 AND row_id = ?2 AND list <> 'deleted')",
        )?
        .query_row((table.table().name, row), |row| row.get(0))?)
}

/// Bytes of the rows that are held of a device.
pub(in crate::store) fn bytes_of(connection: &Connection, device: DeviceNumber) -> Result<u64, StoreError> {
    let bytes: i64 = connection
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM held_rows WHERE device = ?1")?
        .query_row([device.0], |row| row.get(0))?;
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// How many rows ask for a person: those of tables that the firmware does not know ask for a newer one.
pub(in crate::store) fn count(connection: &Connection) -> Result<u32, StoreError> {
    Ok(connection
        .prepare_cached("SELECT count(*) FROM held_rows WHERE waits IS NOT 'table'")?
        .query_row([], |row| row.get(0))?)
}

/// A held row as it is to be stored once more.
pub(in crate::store) struct Kept {
    pub(in crate::store) id: String,
    pub(in crate::store) direction: Direction,
    pub(in crate::store) table: String,
    pub(in crate::store) row_id: Option<String>,
    pub(in crate::store) list: List,
    pub(in crate::store) row: String,
    pub(in crate::store) base: HubTime,
    pub(in crate::store) author: Author,
}

const KEPT: &str = "SELECT id, direction, table_name, row_id, list, row, base, device, user_id FROM held_rows";

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        id: row.get(0)?,
        direction: match row.get_ref(1)?.as_str() {
            Ok("cloud") => Direction::Cloud,
            _ => Direction::Phone,
        },
        table: row.get(2)?,
        row_id: row.get(3)?,
        list: match row.get_ref(4)?.as_str() {
            Ok("created") => List::Created,
            Ok("deleted") => List::Deleted,
            _ => List::Updated,
        },
        row: row.get(5)?,
        base: HubTime::from_millis(row.get(6)?),
        author: Author {
            device: DeviceNumber(row.get(7)?),
            user: row.get(8)?,
        },
    })
}

/// One held row.
pub(in crate::store) fn find(connection: &Connection, id: &str) -> Result<Option<Kept>, StoreError> {
    let sql = format!("{KEPT} WHERE id = ?1");
    Ok(connection.prepare_cached(&sql)?.query_row([id], kept).optional()?)
}

/// The held versions of a row that a device sent before the hub had it.
pub(in crate::store) fn of_row(
    connection: &Connection,
    table: TableId,
    row: &str,
    device: DeviceNumber,
) -> Result<Vec<Kept>, StoreError> {
    // Left to itself SQLite looks at all rows of the device, for each row that a push brings.
    let sql = format!(
        "{KEPT} INDEXED BY held_rows_row WHERE table_name = ?1 AND row_id = ?2 AND device = ?3 \
         AND reason NOT LIKE 'not permitted:%' ORDER BY held_at, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map((table.table().name, row, device.0), kept)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The deletions of a row that wait for its first version to be stored.
pub(in crate::store) fn deletions_of(connection: &Connection, table: &str, row: &str) -> Result<Vec<Kept>, StoreError> {
    let sql = format!(
        "{KEPT} WHERE waits = 'parent' AND parent_table = ?1 AND parent_id = ?2 AND table_name = ?1 AND row_id = ?2 \
         ORDER BY held_at, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map((table, row), kept)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes a row out of the held ones.
pub(in crate::store) fn remove(connection: &Connection, id: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM held_rows WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// Takes out what is held only because this row is; returns how many rows that were.
pub(in crate::store) fn remove_children(connection: &Connection, table: &str, row: &str) -> Result<usize, StoreError> {
    let mut children = connection.prepare_cached(
        "SELECT id, table_name, row_id FROM held_rows WHERE waits = 'parent' AND parent_table = ?1 AND parent_id = ?2",
    )?;
    let children: Vec<(String, String, Option<String>)> = children
        .query_map((table, row), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut removed = 0;
    for (id, table, row) in children {
        remove(connection, &id)?;
        removed += 1;
        if let Some(row) = row {
            removed += remove_children(connection, &table, &row)?;
        }
    }
    Ok(removed)
}

/// Says why a row goes on being held.
pub(in crate::store) fn wait_for(connection: &Connection, id: &str, reason: &HoldReason) -> Result<(), StoreError> {
    let parent = reason.parent();
    connection
        .prepare_cached(
            "UPDATE held_rows SET reason = ?2, waits = ?3, parent_table = ?4, parent_id = ?5 WHERE id = ?1",
        )?
        .execute((
            id,
            reason.to_string(),
            reason.waits().map(Waits::name),
            parent.map(|(table, _)| table),
            parent.map(|(_, id)| id),
        ))?;
    Ok(())
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
    /// The device that sent it.
    pub device: DeviceNumber,
    /// The user who sent it.
    pub user: Option<String>,
    /// When it came.
    pub held_at: HubTime,
    /// What was sent, whole.
    pub row: String,
}

impl Snapshot<'_> {
    /// Held rows, oldest first, from `offset` on. Those of unknown tables are among them.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_rows(&self, limit: u32, offset: u32) -> Result<Vec<HeldEntry>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT id, table_name, row_id, reason, device, user_id, held_at, row FROM held_rows ORDER BY held_at, id \
             LIMIT ?1 OFFSET ?2",
        )?;
        let rows = statement.query_map((limit, offset), entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The held row of this id.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_row(&self, id: &str) -> Result<Option<HeldEntry>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT id, table_name, row_id, reason, device, user_id, held_at, row FROM held_rows WHERE id = ?1",
        )?;
        Ok(statement.query_row([id], entry).optional()?)
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<HeldEntry> {
    Ok(HeldEntry {
        id: row.get(0)?,
        table: row.get(1)?,
        row_id: row.get(2)?,
        reason: row.get(3)?,
        device: DeviceNumber(row.get(4)?),
        user: row.get(5)?,
        held_at: HubTime::from_millis(row.get(6)?),
        row: row.get(7)?,
    })
}
