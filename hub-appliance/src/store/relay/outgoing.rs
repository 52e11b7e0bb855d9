//! What is to go to the cloud, and what became of it.

use rusqlite::Connection;

use super::CloudReason;
use super::digest::{Digests, digests};
use super::ledger::{self, CloudEntry};
use crate::clock::HubTime;
use crate::store::Store;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows;
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;
use crate::store::writer::WriteTx;

/// The tables that are pushed, in the order in which the cloud must get them. It works through a request in an order of its
/// own, in which dispensing records come before the items that they name: those must not be in one request.
const PUSH_ORDER: [&str; 11] = [
    "patients",
    "patient_additional_attributes",
    "visits",
    "events",
    "appointments",
    "prescriptions",
    "patient_vitals",
    "patient_problems",
    "patient_risk_profiles",
    "prescription_items",
    "dispensing_records",
];

/// The tables that are pushed, parents first.
pub fn push_order() -> impl DoubleEndedIterator<Item = TableId> {
    PUSH_ORDER.into_iter().filter_map(TableId::named)
}

/// Whether rows of `table` must come in a later request than rows of `earlier`.
#[must_use]
pub fn after_push_order(earlier: TableId, table: TableId) -> bool {
    earlier.table().name == "prescription_items" && table.table().name == "dispensing_records"
}

/// A row that the cloud does not have as it is here.
#[derive(Debug)]
pub struct Outgoing {
    /// Its table.
    pub table: TableId,
    /// Its id.
    pub id: Box<str>,
    /// Its version: the change time.
    pub version: HubTime,
    /// Whether it was deleted.
    pub deleted: bool,
    /// One value a column.
    pub cells: Vec<Cell>,
    /// What is known of it at the cloud.
    pub entry: CloudEntry,
    /// Where it stands among the rows of its version, to go on behind it.
    pub number: i64,
}

impl Outgoing {
    /// Its place in the order in which rows are given out.
    #[must_use]
    pub const fn place(&self) -> (HubTime, i64) {
        (self.version, self.number)
    }
}

/// A row that is being sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its table.
    pub table: TableId,
    /// Its id.
    pub id: Box<str>,
    /// Its version.
    pub version: HubTime,
    /// What the cloud is to hold then; none: nothing, for it is deleted.
    pub digests: Option<Digests>,
    /// Where the answer itself has to be taken for proof, for the cloud never tells of these: they are acknowledged, or
    /// held with this reason.
    pub on_answer: Option<Option<CloudReason>>,
}

impl Sent {
    /// Of what the cloud is to hold then, where it is deleted of nothing.
    pub(super) fn digests_then(&self) -> Digests {
        let nothing = || {
            let table = self.table.table();
            digests(table, table.columns.iter().map(|_| None), None)
        };
        self.digests.clone().unwrap_or_else(nothing)
    }

    /// Where the answer itself is the proof: the row is acknowledged, or held.
    pub(super) fn take_answer_for_proof(&self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        match self.on_answer {
            None => Ok(()),
            Some(None) => note_in_step(tx, self.table, &self.id, self.version),
            Some(Some(reason)) => ledger::hold(tx, self.table, &self.id, self.version, reason),
        }
    }
}

/// Which rows that the cloud does not have as they are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Those that are not under way. A newer version waits until it is known what became of the one under way: the cloud might
    /// show that one with a stamp of its own, as if it were an edit from after the newer one.
    AtHome,
    /// All that no cloud has acknowledged.
    Anywhere,
}

/// Rows that the cloud does not have as they are here: `t` is the table.
pub(super) fn outstanding(table: TableId, select: &str, held: &str, rest: &str) -> String {
    let name = table.table().name;
    format!(
        "SELECT {select} FROM {name} AS t WHERE t.hub_changed_at > ?1 AND t.hub_origin <> {cloud} AND NOT EXISTS \
         (SELECT 1 FROM cloud_rows AS c WHERE c.table_name = '{name}' AND c.row_id = t.id AND \
         (c.synced_at >= t.hub_changed_at OR (c.held_at IS NOT NULL AND c.held_version >= t.hub_changed_at){held})) {rest}",
        cloud = DeviceNumber::CLOUD.0,
    )
}

/// How many rows of a table wait, on their way or not.
pub(super) fn count(connection: &Connection, table: TableId, cursor: HubTime) -> Result<u32, StoreError> {
    let sql = outstanding(table, "count(*)", "", "");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([cursor.millis()], |row| row.get(0))?)
}

fn limit_of(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

impl Snapshot<'_> {
    /// Rows of a table that have to be sent: at most `limit` of those changed after the push cursor and behind the place `after`,
    /// in the order of their places. Rows changed later than this snapshot are not among them.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn outgoing(
        &self,
        waiting: Waiting,
        (table, deleted): (TableId, bool),
        cursor: HubTime,
        after: (HubTime, i64),
        limit: usize,
    ) -> Result<Vec<Outgoing>, StoreError> {
        let but = match waiting {
            Waiting::AtHome => " OR c.sent_at IS NOT NULL",
            Waiting::Anywhere => "",
        };
        let connection = self.connection()?;
        let mut found: Vec<(String, i64)> = Vec::new();
        // Tens of thousands of rows have one change time, that of their push: what is left of them is asked for by itself, which
        // the index answers without going through them from the first.
        if after.0 > cursor {
            let sql = outstanding(
                table,
                "t.id, t.rowid",
                but,
                "AND t.hub_changed_at = ?2 AND t.rowid > ?3 AND (t.hub_deleted_at IS NOT NULL) = ?4 ORDER BY t.rowid LIMIT ?5",
            );
            let rest = (
                after.0.millis() - 1,
                after.0.millis(),
                after.1,
                deleted,
                limit_of(limit),
            );
            let mut statement = connection.prepare_cached(&sql)?;
            for row in statement.query_map(rest, |row| Ok((row.get(0)?, row.get(1)?)))? {
                found.push(row?);
            }
        }
        if found.len() < limit {
            let sql = outstanding(
                table,
                "t.id, t.rowid",
                but,
                "AND (t.hub_deleted_at IS NOT NULL) = ?2 ORDER BY t.hub_changed_at, t.rowid LIMIT ?3",
            );
            let next = (cursor.max(after.0).millis(), deleted, limit_of(limit - found.len()));
            let mut statement = connection.prepare_cached(&sql)?;
            for row in statement.query_map(next, |row| Ok((row.get(0)?, row.get(1)?)))? {
                found.push(row?);
            }
        }
        let mut outgoing = Vec::with_capacity(found.len());
        for (id, number) in found {
            let Some(stored) = rows::find(connection, table, &id)? else {
                continue;
            };
            outgoing.push(Outgoing {
                table,
                version: stored.changed_at,
                deleted: stored.deleted,
                entry: ledger::find(connection, table, &id, Some(&stored))?,
                id: id.into(),
                cells: stored.cells,
                number,
            });
        }
        Ok(outgoing)
    }

    /// Whether a row that is sent to the cloud may name this one: none if the hub does not have it at all.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_can_name(&self, table: TableId, id: &str) -> Result<Option<bool>, StoreError> {
        let connection = self.connection()?;
        let Some(stored) = rows::find(connection, table, id)? else {
            return Ok(None);
        };
        if !table.table().cloud.pushes() {
            return Ok(Some(true));
        }
        Ok(Some(ledger::find(connection, table, id, Some(&stored))?.can_be_named()))
    }

    /// Whether the clinic's stock has this batch, which then is one of the cloud's.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_knows_batch(&self, batch: &str) -> Result<bool, StoreError> {
        let mut statement = self
            .connection()?
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM clinic_inventory WHERE batch_id = ?1)")?;
        Ok(statement.query_row([batch], |row| row.get(0))?)
    }
}

impl Store {
    /// Writes down what is about to be sent, so that its echo is known for what it is whatever happens next.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for row in &sent {
                let stored = rows::find(tx.connection(), row.table, &row.id)?;
                let mut entry = ledger::find(tx.connection(), row.table, &row.id, stored.as_ref())?;
                entry.sent = Some((row.digests_then(), row.version));
                (entry.answered, entry.missed) = (false, 0);
                ledger::put(tx, row.table, &row.id, &entry)?;
            }
            Ok(())
        })
    }

    /// Writes down that the cloud said it took what was sent.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_answered(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for row in &sent {
                tx.connection()
                    .prepare_cached("UPDATE cloud_rows SET answered = 1 WHERE table_name = ?1 AND row_id = ?2")?
                    .execute((row.table.table().name, &*row.id))?;
                row.take_answer_for_proof(tx)?;
            }
            Ok(())
        })
    }

    /// Writes down that the cloud refused what was sent, or that it did not get there: it is to be sent again.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_not_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for row in &sent {
                tx.connection()
                    .prepare_cached(
                        "UPDATE cloud_rows SET sent = NULL, sent_at = NULL WHERE table_name = ?1 AND row_id = ?2",
                    )?
                    .execute((row.table.table().name, &*row.id))?;
            }
            Ok(())
        })
    }

    /// Writes down that the cloud has these versions, or need not have them: (table, id, version).
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_in_step(&self, rows: Vec<(TableId, Box<str>, HubTime)>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            for (table, id, version) in &rows {
                let stored = rows::find(tx.connection(), *table, id)?;
                let mut entry = ledger::find(tx.connection(), *table, id, stored.as_ref())?;
                entry.synced_at = entry.synced_at.max(*version);
                ledger::put(tx, *table, id, &entry)?;
            }
            Ok(())
        })
    }
}

/// The cloud has this version of a row, or its deletion.
pub(super) fn note_in_step(tx: &WriteTx<'_>, table: TableId, id: &str, version: HubTime) -> Result<(), StoreError> {
    let entry = CloudEntry {
        synced_at: version,
        ..CloudEntry::default()
    };
    ledger::put(tx, table, id, &entry)
}
