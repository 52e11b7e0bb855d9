//! What becomes of rows between two runs: what is held is tried again, what did not come back counts as missed, and the push
//! cursor goes up to what is neither acknowledged nor held.

use rusqlite::{Connection, OptionalExtension};

use super::outgoing::{note_in_step, outstanding, push_order};
use super::{CloudReason, ledger};
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows;
use crate::store::schema::TableId;
use crate::store::writer::WriteTx;

/// How often an answer may not show what the cloud said that it took.
const MISSES: u32 = 2;

/// Tries held rows again: those of which `condition` is true, with `value` for `?1`. What the cloud took and never shows
/// has nothing to be tried.
pub(super) fn release(tx: &WriteTx<'_>, condition: &'static str, value: i64) -> Result<(), StoreError> {
    let taken = CloudReason::NoClinic;
    let connection = tx.connection();
    let first: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT min(held_version) FROM cloud_rows WHERE held_at IS NOT NULL AND reason <> '{taken}' AND {condition}"
        ))?
        .query_row([value], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(first) = first else { return Ok(()) };
    connection
        .prepare_cached(&format!(
            "UPDATE cloud_rows SET held_at = NULL, held_version = NULL, reason = NULL, answered = 0, missed = 0 \
             WHERE held_at IS NOT NULL AND reason <> '{taken}' AND {condition}"
        ))?
        .execute([value])?;
    connection.execute("UPDATE cloud_state SET push_cursor = min(push_cursor, ?1)", [first - 1])?;
    Ok(())
}

/// What was sent and is not in this answer: without an answer to the push it is sent again; else it is held once it was
/// missed too often. `timestamp` is the answer's, on the cloud's clock.
pub(super) fn count_misses(tx: &WriteTx<'_>, timestamp: i64) -> Result<(), StoreError> {
    let connection = tx.connection();
    let mut statement = connection.prepare_cached(
        "SELECT table_name, row_id, sent_at, answered, missed FROM cloud_rows WHERE sent_at IS NOT NULL",
    )?;
    let missing: Vec<(String, String, i64, bool, u32)> = statement
        .query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?
        .collect::<Result<_, _>>()?;
    for (table, id, version, answered, missed) in missing {
        let Some(table) = TableId::named(&table) else { continue };
        let name = table.table().name;
        if answered && missed + 1 < MISSES {
            connection
                .prepare_cached("UPDATE cloud_rows SET missed = missed + 1 WHERE table_name = ?1 AND row_id = ?2")?
                .execute((name, id))?;
            continue;
        }
        let stored = rows::find(connection, table, &id)?;
        let version = HubTime::from_millis(version);
        let is_gone = || Ok::<_, StoreError>(ledger::find(connection, table, &id, stored.as_ref())?.known.is_none());
        if answered
            && stored
                .as_ref()
                .is_some_and(|stored| stored.deleted && stored.changed_at <= version)
            && is_gone()?
        {
            // It never got there, so that the cloud has no deletion to show.
            note_in_step(tx, table, &id, version)?;
        } else if answered {
            ledger::hold(tx, table, &id, version, CloudReason::NotTaken)?;
        } else {
            connection
                .prepare_cached(
                    "UPDATE cloud_rows SET sent = NULL, sent_at = NULL WHERE table_name = ?1 AND row_id = ?2",
                )?
                .execute((name, &id))?;
        }
        let is_edited = stored.is_some_and(|stored| stored.changed_at > version);
        if is_edited {
            // It may be there all the same, stamped up to now: what is sent next has to be later than that.
            connection
                .prepare_cached(
                    "UPDATE cloud_rows SET cloud_updated_at = max(cloud_updated_at, ?3) WHERE table_name = ?1 AND row_id = ?2",
                )?
                .execute((name, &id, timestamp))?;
        }
    }
    Ok(())
}

/// Forgets what a cloud was known to hold. That a row was sent is kept, for then its deletion has to be told too.
pub(super) fn forget_cloud(connection: &Connection) -> Result<(), StoreError> {
    for table in push_order() {
        let name = table.table().name;
        connection.execute(
            &format!(
                "DELETE FROM cloud_rows WHERE table_name = '{name}' AND row_id IN \
                 (SELECT id FROM {name} WHERE hub_origin = {cloud})",
                cloud = DeviceNumber::CLOUD.0
            ),
            [],
        )?;
    }
    connection.execute(
        "UPDATE cloud_rows SET known = NULL, synced_at = 0, cloud_updated_at = 0, sent = NULL, sent_at = NULL, \
         answered = 0, missed = 0, held_at = NULL, held_version = NULL, reason = NULL",
        [],
    )?;
    connection.execute("DELETE FROM courier_rows", [])?;
    Ok(())
}

/// Moves the push cursor up to the first row that is neither acknowledged nor held.
pub(super) fn move_cursor(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    let connection = tx.connection();
    let cursor: i64 = connection.query_row("SELECT push_cursor FROM cloud_state", [], |row| row.get(0))?;
    let mut next: i64 = connection.query_row("SELECT last_change FROM hub_state", [], |row| row.get(0))?;
    for table in push_order() {
        let sql = outstanding(table, "t.hub_changed_at", "", "ORDER BY t.hub_changed_at LIMIT 1");
        let first: Option<i64> = connection
            .prepare_cached(&sql)?
            .query_row([cursor], |row| row.get(0))
            .optional()?;
        next = next.min(first.map_or(next, |first| first - 1));
    }
    connection.execute("UPDATE cloud_state SET push_cursor = max(push_cursor, ?1)", [next])?;
    Ok(())
}
