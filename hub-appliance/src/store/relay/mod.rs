//! What the relay to the cloud keeps in the store: two cursors, and by row what the cloud is known to hold.
//!
//! It promises: the cloud's clock and the change clock are never compared; a row counts as acknowledged only when the
//! cloud has shown it; what the cloud already had does not come back to the records, and what it has changed does, merged
//! by the rules of a push; a row that can't go is held with a reason. All of it survives a power cut at any point.

mod answer;
mod applying;
mod comparison;
mod courier;
mod digest;
mod ledger;
mod outgoing;
mod settling;
mod spool;
mod withdrawn;

use std::fmt;

pub use answer::{AnswerSummary, Pulled};
pub use courier::{CloudRow, CourierState, Delivered, compare_cloud_row};
pub use digest::{Digests, digests};
pub use ledger::CloudEntry;
pub use outgoing::{Outgoing, Sent, Waiting, after_push_order, push_order};
pub use spool::{Shelf, Spool};
pub use withdrawn::Withdrawn;

use super::Store;
use super::devices::DeviceNumber;
use super::error::StoreError;
use super::schema::TableId;
use super::snapshot::Snapshot;
use super::writer::WriteTx;
use crate::clock::HubTime;

/// How long a row that the cloud refused is left alone, unless it changes, ms.
const HOLD_MS: i64 = 24 * 60 * 60 * 1000;

/// How far the relay has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudState {
    /// The `timestamp` of the last answer that was applied, on the cloud's clock; 0 before the first.
    pub pull_cursor: i64,
    /// Every row changed up to here is acknowledged or held.
    pub push_cursor: HubTime,
    /// The clinics that the cloud gave this hub when it was last pulled.
    pub clinics: Vec<String>,
    /// When an answer that began at 0 was last applied.
    pub whole_pull_at: HubTime,
    /// When a run last came to its end; 0 before the first.
    pub done_at: HubTime,
    /// More certificates to trust, as PEM.
    pub ca: String,
    /// The zone of the cloud's server; empty where nobody named it.
    pub time_zone: String,
}

/// Why a row does not go to the cloud. It names columns, never values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudReason {
    /// The cloud refused it by itself.
    Refused,
    /// The cloud said that it took it, and did not show it in two pulls.
    NotTaken,
    /// What it belongs to is not there yet.
    Parent(&'static str),
    /// The value of this column does not fit the cloud's.
    DoesNotFit(&'static str),
    /// The cloud needs a value in this column.
    Missing(&'static str),
    /// Its id is none that the cloud keeps.
    NotAnId,
    /// It belongs to a clinic that the cloud did not give to this hub.
    OtherClinic,
    /// It belongs to no clinic: it was sent, and the cloud never shows such rows.
    NoClinic,
    /// The cloud took it once and takes no changes of it.
    NoChanges,
}

impl fmt::Display for CloudReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the cloud refuses it"),
            Self::NotTaken => f.write_str("sent, but the cloud does not show it"),
            Self::Parent(column) => write!(f, "waits for what it belongs to: {column}"),
            Self::DoesNotFit(column) => write!(f, "does not fit the cloud: {column}"),
            Self::Missing(column) => write!(f, "the cloud needs a value: {column}"),
            Self::NotAnId => f.write_str("its id is not one of the cloud's"),
            Self::OtherClinic => f.write_str("of a clinic that is not this hub's"),
            Self::NoClinic => f.write_str("sent, but the cloud shows no rows without a clinic"),
            Self::NoChanges => f.write_str("the cloud does not take changes of this"),
        }
    }
}

/// A row that the cloud does not have as it is here, as a person gets to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacknowledged {
    /// Its table.
    pub table: &'static str,
    /// Its id.
    pub row_id: String,
    /// Since when it is so.
    pub since: HubTime,
    /// Why it is held back; none: it is on its way.
    pub reason: Option<String>,
}

impl Snapshot<'_> {
    /// How far the relay has come.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_state(&self) -> Result<CloudState, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT pull_cursor, push_cursor, clinics, whole_pull_at, done_at, ca, time_zone FROM cloud_state",
        )?;
        let state = statement.query_row([], |row| {
            Ok(CloudState {
                pull_cursor: row.get(0)?,
                push_cursor: HubTime::from_millis(row.get(1)?),
                clinics: serde_json::from_str(row.get_ref(2)?.as_str().unwrap_or_default()).unwrap_or_default(),
                whole_pull_at: HubTime::from_millis(row.get(3)?),
                done_at: HubTime::from_millis(row.get(4)?),
                ca: row.get(5)?,
                time_zone: row.get(6)?,
            })
        })?;
        Ok(state)
    }

    /// How many rows are on their way to the cloud: not sent yet, or not acknowledged.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_waiting(&self) -> Result<u32, StoreError> {
        let cursor = self.cloud_state()?.push_cursor;
        let mut waiting = 0;
        for table in push_order() {
            waiting += outgoing::count(self.connection()?, table, cursor)?;
        }
        Ok(waiting)
    }

    /// How many rows are held back from the cloud.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_held(&self) -> Result<u32, StoreError> {
        let mut statement = self
            .connection()?
            .prepare_cached("SELECT count(*) FROM cloud_rows WHERE held_at IS NOT NULL")?;
        Ok(statement.query_row([], |row| row.get(0))?)
    }

    /// The rows that the cloud has not acknowledged as they are here, parents first and the oldest first of each table.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn cloud_unacknowledged(&self) -> Result<Vec<Unacknowledged>, StoreError> {
        let connection = self.connection()?;
        let mut all = Vec::new();
        for table in push_order() {
            let table = table.table().name;
            let sql = format!(
                "SELECT t.id, max(t.hub_changed_at, coalesce(c.held_at, 0)), \
                 iif(c.held_at IS NOT NULL AND c.held_version >= t.hub_changed_at, coalesce(c.reason, ''), NULL) \
                 FROM {table} AS t LEFT JOIN cloud_rows AS c ON c.table_name = '{table}' AND c.row_id = t.id \
                 WHERE t.hub_origin <> {cloud} AND coalesce(c.synced_at, 0) < t.hub_changed_at \
                 ORDER BY t.hub_changed_at, t.id",
                cloud = DeviceNumber::CLOUD.0,
            );
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Unacknowledged {
                    table,
                    row_id: row.get(0)?,
                    since: HubTime::from_millis(row.get(1)?),
                    reason: row.get(2)?,
                })
            })?;
            for row in rows {
                all.push(row?);
            }
        }
        Ok(all)
    }
}

impl Store {
    /// Begins a run: rows that were held for a day (all of them where `all` says so) are tried again, and what was sent
    /// without an answer counts as not sent once the next answer has not shown it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn retry_cloud_holds(&self, all: bool) -> Result<(), StoreError> {
        self.write(move |tx| {
            let before = if all { i64::MAX } else { tx.now().millis() - HOLD_MS };
            settling::release(tx, "held_at <= ?1", before)
        })
    }

    /// Takes over how a cloud is to be spoken with. From another cloud than before everything is pulled, and what the clinic
    /// wrote is sent there anew: what the one before had acknowledged says nothing of it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn settle_cloud(&self, ca: String, time_zone: String, is_another: bool) -> Result<(), StoreError> {
        self.write(move |tx| {
            let connection = tx.connection();
            connection.execute("UPDATE cloud_state SET ca = ?1, time_zone = ?2", (ca, time_zone))?;
            if is_another {
                withdrawn::forget_marks(tx)?;
                connection.execute(
                    "UPDATE cloud_state SET pull_cursor = 0, push_cursor = 0, whole_pull_at = 0, clinics = '[]'",
                    [],
                )?;
                settling::forget_cloud(connection)?;
            }
            Ok(())
        })
    }

    /// Ends a run that pushed all there was: the push cursor goes up to the first row that is neither acknowledged nor
    /// held.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn end_cloud_run(&self) -> Result<(), StoreError> {
        self.write(|tx| {
            settling::move_cursor(tx)?;
            let now = tx.now().millis();
            tx.connection().execute("UPDATE cloud_state SET done_at = ?1", [now])?;
            Ok(())
        })
    }

    /// Holds rows back from the cloud: (table, id, change time of the version, reason).
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn hold_from_cloud(&self, rows: Vec<(TableId, Box<str>, HubTime, CloudReason)>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write(move |tx| {
            for (table, id, version, reason) in &rows {
                ledger::hold(tx, *table, id, *version, *reason)?;
            }
            Ok(())
        })
    }
}

/// What of a run has to be in the audit log.
pub(super) fn set_state(tx: &WriteTx<'_>, pulled: &Pulled) -> Result<(), StoreError> {
    let clinics = serde_json::to_string(&pulled.clinics).unwrap_or_default();
    tx.connection()
        .prepare_cached("UPDATE cloud_state SET pull_cursor = ?1, clinics = ?2")?
        .execute((pulled.timestamp, clinics))?;
    if pulled.is_whole {
        tx.connection()
            .prepare_cached("UPDATE cloud_state SET whole_pull_at = ?1")?
            .execute([tx.now().millis()])?;
    }
    Ok(())
}
