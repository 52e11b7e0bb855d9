//! What is known of one row at the cloud.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::digest::{Digests, digests};
use super::{CloudReason, courier};
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::TableId;
use crate::store::sync::past;
use crate::store::value::Cell;
use crate::store::writer::WriteTx;

/// What is known of a row at the cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudEntry {
    /// What the cloud is known to hold; none: not this row.
    pub known: Option<Digests>,
    /// The hub's version (its change time) that the cloud had last.
    pub synced_at: HubTime,
    /// The cloud's last known `updated_at`, epoch ms.
    pub cloud_updated_at: i64,
    /// What was sent and has not come back, and of which version.
    pub sent: Option<(Digests, HubTime)>,
    /// The cloud said that it took what was sent.
    pub answered: bool,
    /// How many answers have not shown it since.
    pub missed: u32,
    /// The version that is held back.
    pub held: Option<HubTime>,
    /// Whether this was written down by the relay, rather than told by the row's history.
    pub is_written: bool,
    /// Whether the row got there from this hub.
    pub was_pushed: bool,
    /// What of it is in some bundle of a courier, and of which version, oldest first.
    pub packed: Vec<(Digests, HubTime)>,
}

impl CloudEntry {
    /// Whether this version of the row needs not be sent.
    #[must_use]
    pub fn has(&self, version: HubTime) -> bool {
        self.synced_at >= version
    }

    /// What the cloud may hold of it by now, beside nothing.
    #[must_use]
    pub fn before(&self) -> Vec<Digests> {
        let packed = self.packed.iter().map(|(digests, _)| digests);
        let sent = self.sent.as_ref().map(|(digests, _)| digests);
        self.known.iter().chain(sent).chain(packed).cloned().collect()
    }

    /// Whether other rows may name this one: it is at the cloud, as far as anybody knows.
    #[must_use]
    pub const fn can_be_named(&self) -> bool {
        self.known.is_some() || (self.sent.is_some() && self.held.is_none()) || (self.answered && self.held.is_some())
    }
}

/// Reads what is known of a row; where nothing was written down, what the row itself and its history tell.
pub(super) fn find(
    connection: &Connection,
    table: TableId,
    id: &str,
    stored: Option<&StoredRow>,
) -> Result<CloudEntry, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT known, synced_at, cloud_updated_at, sent, sent_at, answered, missed, held_at, held_version \
         FROM cloud_rows WHERE table_name = ?1 AND row_id = ?2",
    )?;
    let definition = table.table();
    let entry = statement
        .query_row((definition.name, id), |row| {
            let known: Option<Vec<u8>> = row.get(0)?;
            let sent: Option<Vec<u8>> = row.get(3)?;
            let sent_at: Option<i64> = row.get(4)?;
            let held_at: Option<i64> = row.get(7)?;
            let held_version: Option<i64> = row.get(8)?;
            Ok(CloudEntry {
                known: known.and_then(|bytes| Digests::from_stored(bytes, definition)),
                synced_at: HubTime::from_millis(row.get(1)?),
                cloud_updated_at: row.get(2)?,
                sent: sent
                    .and_then(|bytes| Digests::from_stored(bytes, definition))
                    .zip(sent_at.map(HubTime::from_millis)),
                answered: row.get(5)?,
                missed: row.get(6)?,
                held: held_at.and(held_version).map(HubTime::from_millis),
                is_written: true,
                was_pushed: true,
                packed: Vec::new(),
            })
        })
        .optional()?;
    let mut entry = match (entry, stored) {
        (Some(entry), _) => entry,
        (None, Some(stored)) => from_history(connection, table, id, stored)?,
        (None, None) => CloudEntry::default(),
    };
    if definition.cloud.pushes() {
        entry.packed = courier::packed(connection, table, id)?;
    }
    Ok(entry)
}

/// A row that the cloud brought and nobody has sent there: what the cloud holds is what the row was before others than
/// the cloud changed it.
fn from_history(
    connection: &Connection,
    table: TableId,
    id: &str,
    stored: &StoredRow,
) -> Result<CloudEntry, StoreError> {
    let definition = table.table();
    let entry = |cells: &[Cell], synced_at| {
        let updated_at = definition
            .column("updated_at")
            .and_then(|index| cells[index].as_integer());
        CloudEntry {
            known: Some(digests(definition, cells.iter().map(Some), None)),
            synced_at,
            cloud_updated_at: updated_at.unwrap_or(0),
            ..CloudEntry::default()
        }
    };
    if stored.origin == DeviceNumber::CLOUD {
        return Ok(entry(&stored.cells, stored.changed_at));
    }
    let mut last = connection.prepare_cached(
        "SELECT max(changed_at) FROM history WHERE table_name = ?1 AND row_id = ?2 AND device = ?3 AND why <> 'lost'",
    )?;
    let by_cloud: Option<i64> = last.query_row((definition.name, id, DeviceNumber::CLOUD.0), |row| row.get(0))?;
    let created = (stored.created_by == DeviceNumber::CLOUD).then_some(stored.created_at);
    let Some(synced_at) = by_cloud.map(HubTime::from_millis).max(created) else {
        return Ok(CloudEntry::default());
    };
    if !definition.cloud.pushes() {
        // What of it was lost here (a stock's count) stands in the cloud all the same, and no push changes that.
        let given = past::given(connection, table, id, stored, DeviceNumber::CLOUD)?;
        return Ok(CloudEntry {
            known: Some(digests(definition, given.cells.iter().map(Option::as_ref), None)),
            ..entry(&stored.cells, synced_at)
        });
    }
    let mut cells = stored.cells.clone();
    let mut statement = connection.prepare_cached(
        "SELECT cells FROM history WHERE table_name = ?1 AND row_id = ?2 AND changed_at > ?3 AND why <> 'lost' \
         ORDER BY changed_at, seq",
    )?;
    let mut rows = statement.query((definition.name, id, synced_at.millis()))?;
    let mut told = HashSet::new();
    while let Some(row) = rows.next()? {
        let replaced: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default()).unwrap_or_default();
        for (name, value) in &replaced {
            if let (Some(index), Some(cell)) = (definition.column(name), Cell::from_json(value))
                && told.insert(index)
            {
                cells[index] = cell;
            }
        }
    }
    Ok(entry(&cells, synced_at))
}

/// Writes down what is known of a row.
pub(super) fn put(tx: &WriteTx<'_>, table: TableId, id: &str, entry: &CloudEntry) -> Result<(), StoreError> {
    tx.connection()
        .prepare_cached(
            "INSERT INTO cloud_rows (table_name, row_id, known, synced_at, cloud_updated_at, sent, sent_at, answered, \
             missed, held_at, held_version, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, NULL, NULL, NULL) \
             ON CONFLICT (table_name, row_id) DO UPDATE SET known = ?3, synced_at = ?4, cloud_updated_at = ?5, \
             sent = ?6, sent_at = ?7, answered = ?8, missed = ?9, held_at = NULL, held_version = NULL, reason = NULL",
        )?
        .execute(rusqlite::params![
            table.table().name,
            id,
            entry.known.as_ref().map(Digests::as_bytes),
            entry.synced_at.millis(),
            entry.cloud_updated_at,
            entry.sent.as_ref().map(|(sent, _)| sent.as_bytes()),
            entry.sent.as_ref().map(|(_, at)| at.millis()),
            entry.answered,
            entry.missed,
        ])?;
    courier::forget(tx, table, id, entry.synced_at)
}

/// Holds a version of a row back; what is known of it stays. Nothing of it is on its way any more.
pub(super) fn hold(
    tx: &WriteTx<'_>,
    table: TableId,
    id: &str,
    version: HubTime,
    reason: CloudReason,
) -> Result<(), StoreError> {
    tx.connection()
        .prepare_cached(
            "INSERT INTO cloud_rows (table_name, row_id, synced_at, cloud_updated_at, answered, missed, held_at, \
             held_version, reason) VALUES (?1, ?2, 0, 0, 0, 0, ?3, ?4, ?5) \
             ON CONFLICT (table_name, row_id) DO UPDATE SET sent = NULL, sent_at = NULL, missed = 0, \
             answered = answered AND ?6, held_at = ?3, held_version = ?4, reason = ?5",
        )?
        .execute(rusqlite::params![
            table.table().name,
            id,
            tx.now().millis(),
            version.millis(),
            reason.to_string(),
            reason == CloudReason::NoClinic,
        ])?;
    Ok(())
}
