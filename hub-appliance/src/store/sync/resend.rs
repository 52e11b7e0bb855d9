//! Rows that one device has to get again although its cursor has passed them: an edit of it was held, merged into
//! something else, or written in another form than it was sent.
//!
//! It promises: such a row, or its deletion, goes with each answer to that device, and to no other, until a request of
//! the device proves that an answer with it has arrived. Of two phones under one id that take turns each gets it, once. A
//! row that is out of sight of who uses the phone is kept back, and goes when it is in sight again.
//!
//! A database that has an answer from after the first one with the row has the row too, as each answer builds on the one
//! before. That is so until the row was kept back from an answer: from then on it is noted with which answers the row went,
//! and a database has it if it took one of them.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::writer::WriteTx;

/// A second phone under the same id may come for a row long after the first has it: this long it is kept for, ms.
const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// The same of a row that was kept back from somebody: a year.
const KEPT_BACK_MS: i64 = 12 * KEPT_MS;
/// How many answers are looked back for one that a row went with: a month's, at a sync every few minutes.
const STEPS_BACK: usize = 5_000;

/// What was asked for behind the snapshot of an answer had no part in it.
const IT: &str = "device = ?1 AND table_name = ?2 AND row_id = ?3 AND asked_at <= ?4";

/// A row, by its table and its id.
pub(in crate::store) type Named = (TableId, String);

/// What became, in one answer, of the rows that had to go with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resent {
    /// They went.
    pub went: Vec<Named>,
    /// They are out of sight, or of tables that the app does not have.
    pub kept_back: Vec<Named>,
}

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
             ON CONFLICT DO UPDATE SET asked_at = excluded.asked_at, given_at = NULL, kept_back = 0",
        )?
        .execute((device.0, table.table().name, row, now.millis()))?;
    tx.connection()
        .prepare_cached("DELETE FROM resent_with WHERE device = ?1 AND table_name = ?2 AND row_id = ?3")?
        .execute((device.0, table.table().name, row))?;
    Ok(())
}

/// The rows that have to go with an answer to a device that has what was given until `arrived`.
pub(super) fn pending(
    connection: &Connection,
    device: DeviceNumber,
    arrived: HubTime,
) -> Result<HashSet<Named>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT table_name, row_id, given_at FROM resends \
         WHERE device = ?1 AND (given_at IS NULL OR given_at > ?2 OR kept_back)",
    )?;
    let mut rows = statement.query((device.0, arrived.millis()))?;
    let mut pending = HashSet::new();
    let mut taken: Option<HashSet<i64>> = None;
    while let Some(row) = rows.next()? {
        let Some(table) = TableId::named(row.get_ref(0)?.as_str().unwrap_or_default()) else {
            continue;
        };
        let id: String = row.get(1)?;
        let given: Option<i64> = row.get(2)?;
        if given.is_some_and(|given| given <= arrived.millis()) {
            let taken = match &mut taken {
                Some(taken) => taken,
                none => none.insert(answers_taken(connection, device, arrived)?),
            };
            if went_with_one_of(connection, device, (table, &id), taken)? {
                continue;
            }
        }
        pending.insert((table, id));
    }
    Ok(pending)
}

/// The answer of this time and those that it was built on, as far back as is known.
fn answers_taken(connection: &Connection, device: DeviceNumber, last: HubTime) -> Result<HashSet<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT asked FROM answers WHERE device = ?1 AND at = ?2")?;
    let mut taken = HashSet::new();
    let mut at = Some(last.millis());
    while let Some(answer) = at.filter(|_| taken.len() < STEPS_BACK) {
        if !taken.insert(answer) {
            break;
        }
        at = statement.query_row((device.0, answer), |row| row.get(0)).optional()?;
    }
    Ok(taken)
}

fn went_with_one_of(
    connection: &Connection,
    device: DeviceNumber,
    (table, row): (TableId, &str),
    answers: &HashSet<i64>,
) -> Result<bool, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT at FROM resent_with WHERE device = ?1 AND table_name = ?2 AND row_id = ?3")?;
    let mut rows = statement.query((device.0, table.table().name, row))?;
    while let Some(row) = rows.next()? {
        if answers.contains(&row.get(0)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

impl WriteTx<'_> {
    /// Notes what became of rows that a device had to get again, in the answer that has this `timestamp`: each later answer
    /// to a request from before it has those that went too. What has long `arrived` is forgotten.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_resent(
        &self,
        device: DeviceNumber,
        arrived: HubTime,
        timestamp: HubTime,
        resent: &Resent,
    ) -> Result<(), StoreError> {
        let arrived = arrived.millis();
        self.connection()
            .prepare_cached(
                "DELETE FROM resends WHERE device = ?1 AND given_at <= CASE WHEN kept_back THEN ?3 ELSE ?2 END",
            )?
            .execute((device.0, arrived - KEPT_MS, arrived - KEPT_BACK_MS))?;
        self.connection()
            .prepare_cached("DELETE FROM resent_with WHERE device = ?1 AND at <= ?2")?
            .execute((device.0, arrived - KEPT_BACK_MS))?;
        let each = |sql: &str, rows: &[Named]| -> Result<(), StoreError> {
            if rows.is_empty() {
                return Ok(());
            }
            let mut statement = self.connection().prepare_cached(sql)?;
            for (table, row) in rows {
                statement.execute((device.0, table.table().name, row, timestamp.millis()))?;
            }
            Ok(())
        };
        each(
            &format!(
                "INSERT OR IGNORE INTO resent_with SELECT device, table_name, row_id, given_at FROM resends \
                 WHERE {IT} AND given_at IS NOT NULL AND NOT kept_back"
            ),
            &resent.kept_back,
        )?;
        each(
            &format!("UPDATE resends SET kept_back = 1 WHERE {IT}"),
            &resent.kept_back,
        )?;
        each(
            &format!("UPDATE resends SET given_at = coalesce(given_at, ?4) WHERE {IT}"),
            &resent.went,
        )?;
        each(
            &format!(
                "INSERT OR IGNORE INTO resent_with SELECT device, table_name, row_id, ?4 FROM resends \
                 WHERE {IT} AND kept_back"
            ),
            &resent.went,
        )
    }
}
