//! Rows that one device has to get again although its cursor has passed them: an edit of it was held, merged into
//! something else, or written in another form than it was sent.
//!
//! It promises: such a row, or its deletion, goes with each answer to that device, and to no other, until a request of
//! the device proves that an answer with it has arrived. Of two phones under one id that take turns each gets it, once.

use std::collections::HashSet;

use rusqlite::Connection;

use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::writer::WriteTx;

/// A second phone under the same id may come for a row long after the first has it: this long it is kept for, ms.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Makes one device get a row again, or its deletion where it is deleted. For a row that everybody has to get again there
/// is [`rows::touch`](crate::store::rows).
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn resend(
    tx: &mut WriteTx<'_>,
    device: DeviceNumber,
    table: TableId,
    row: &str,
) -> Result<(), StoreError> {
    // The hub itself and the cloud do not pull.
    if device <= DeviceNumber::HUB {
        return Ok(());
    }
    // The answer that the row goes with has to be another one than that of the pull before.
    let now = tx.change_time();
    tx.connection()
        .prepare_cached(
            "INSERT INTO resends (device, table_name, row_id, asked_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET asked_at = excluded.asked_at, given_at = NULL",
        )?
        .execute((device.0, table.table().name, row, now.millis()))?;
    Ok(())
}

/// The rows that have to go with an answer to a device that has what was given until `arrived`.
pub(super) fn pending(
    connection: &Connection,
    device: DeviceNumber,
    arrived: HubTime,
) -> Result<HashSet<(TableId, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT table_name, row_id FROM resends WHERE device = ?1 AND (given_at IS NULL OR given_at > ?2)",
    )?;
    let mut rows = statement.query((device.0, arrived.millis()))?;
    let mut pending = HashSet::new();
    while let Some(row) = rows.next()? {
        if let Some(table) = TableId::named(row.get_ref(0)?.as_str().unwrap_or_default()) {
            pending.insert((table, row.get(1)?));
        }
    }
    Ok(pending)
}

impl WriteTx<'_> {
    /// Notes that what a device had to get again went with the answer that has this `timestamp`: each later answer to a
    /// request from before it has it too. What has long `arrived` is forgotten.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_resent(&self, device: DeviceNumber, arrived: HubTime, timestamp: HubTime) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached("DELETE FROM resends WHERE device = ?1 AND given_at <= ?2")?
            .execute((device.0, arrived.millis() - KEPT_MS))?;
        // What was asked for behind the answer's snapshot did not go with it.
        self.connection()
            .prepare_cached(
                "UPDATE resends SET given_at = ?2 WHERE device = ?1 AND given_at IS NULL AND asked_at <= ?2",
            )?
            .execute((device.0, timestamp.millis()))?;
        Ok(())
    }
}
