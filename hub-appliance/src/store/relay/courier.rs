//! What carrying records by hand keeps in the store: whom the bundles are for, their numbers, and by row which versions are
//! in some bundle.
//!
//! A bundle may reach the cloud at any time, or never, and nobody here is told before an answer comes back. So each version
//! that was packed is remembered until the cloud has shown that one or a later one: its echo is known for what it is,
//! whichever way it comes back, and what was packed counts as acknowledged only then.

use rusqlite::Connection;

use super::digest::Digests;
use super::{CloudReason, Sent, ledger};
use crate::clock::HubTime;
use crate::secret::SecretText;
use crate::store::audit::Entry;
use crate::store::cloud::fill_required;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::sync::sent::read_row;
use crate::store::value::Source;
use crate::store::writer::WriteTx;
use crate::store::{Store, rows};

/// The most versions of one row that are remembered; each is of an edit and a bundle.
const VERSIONS: u32 = 16;

/// How records are carried by hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CourierState {
    /// Whom bundles are sealed to; empty before the owner said it.
    pub recipient: String,
    /// The public key of the desk that signs answers, as in the owner's file; may be empty.
    pub desk: String,
    /// The key that answers are sealed to; empty before there is a recipient.
    pub identity: SecretText,
    /// The number of the last bundle; 0 before the first.
    pub number: u64,
    /// When it was packed; 0 before the first.
    pub packed_at: HubTime,
    /// When an answer was last taken in; 0 before the first.
    pub taken_at: HubTime,
    /// The cloud that the ledger is about; empty before any was heard of.
    pub cloud: String,
}

/// A row that a bundle brought to the cloud, as the desk tells.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// What was sent.
    pub sent: Sent,
    /// The cloud refused it.
    pub refused: bool,
}

/// A row of the cloud, compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudRow {
    /// Which of the digests it was compared with is what the cloud holds; none: it is something else.
    pub like: Option<usize>,
    /// Its `updated_at`, epoch ms.
    pub updated_at: i64,
}

/// Compares a row of the cloud with what it may be: each of `digests` is of a whole row that was sent, or was known.
/// Gives its id as well. None if it is no row that the table takes.
///
/// # Errors
/// What `digests` gives.
pub fn compare_cloud_row(
    table: TableId,
    json: &str,
    digests: impl Fn(&str) -> Result<Vec<Digests>, StoreError>,
) -> Result<Option<(Box<str>, CloudRow)>, StoreError> {
    let definition = table.table();
    let Ok((mut row, None)) = read_row(definition, json, Source::Cloud) else {
        return Ok(None);
    };
    fill_required(table, &mut row);
    let time = |column| super::comparison::time(definition, column, &row);
    let is_deleted = time("is_deleted") == Some(1);
    let like = digests(&row.id)?.iter().position(|candidate| {
        let now = super::digests(definition, row.cells.iter().map(Option::as_ref), Some(candidate));
        !is_deleted && candidate.changed(&now, definition, true).is_empty()
    });
    let updated_at = time("updated_at").unwrap_or(0);
    Ok(Some((row.id, CloudRow { like, updated_at })))
}

/// The versions of a row that are in some bundle.
pub(super) fn packed(connection: &Connection, table: TableId, id: &str) -> Result<Vec<(Digests, HubTime)>, StoreError> {
    let definition = table.table();
    let mut statement = connection.prepare_cached(
        "SELECT digests, version FROM courier_rows WHERE table_name = ?1 AND row_id = ?2 ORDER BY version",
    )?;
    let found = statement.query_map((definition.name, id), |row| {
        let digests = Digests::from_stored(row.get(0)?, definition);
        Ok(digests.zip(Some(HubTime::from_millis(row.get(1)?))))
    })?;
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// What the cloud has shown needs not be remembered, nor anything from before it.
pub(super) fn forget(tx: &WriteTx<'_>, table: TableId, id: &str, synced_at: HubTime) -> Result<(), StoreError> {
    tx.connection()
        .prepare_cached("DELETE FROM courier_rows WHERE table_name = ?1 AND row_id = ?2 AND version <= ?3")?
        .execute((table.table().name, id, synced_at.millis()))?;
    Ok(())
}

impl Snapshot<'_> {
    /// How records are carried by hand.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn courier(&self) -> Result<CourierState, StoreError> {
        let mut statement = self
            .connection()?
            .prepare_cached("SELECT recipient, desk, identity, number, packed_at, taken_at, cloud FROM courier")?;
        Ok(statement.query_row([], |row| {
            Ok(CourierState {
                recipient: row.get(0)?,
                desk: row.get(1)?,
                identity: SecretText::new(row.get(2)?),
                number: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
                packed_at: HubTime::from_millis(row.get(4)?),
                taken_at: HubTime::from_millis(row.get(5)?),
                cloud: row.get(6)?,
            })
        })?)
    }
}

impl Store {
    /// Takes over whom bundles are for and who signs the answers; `identity` is kept where there is one.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn settle_courier(&self, recipient: String, desk: String, identity: SecretText) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.connection().execute(
                "UPDATE courier SET recipient = ?1, desk = ?2, identity = iif(identity = '', ?3, identity)",
                (&recipient, &desk, identity.expose()),
            )?;
            tx.audit(&Entry {
                action: "courier.settled",
                detail: serde_json::json!({"recipient": recipient, "desk": desk}).to_string(),
                outcome: "ok",
                ..Entry::default()
            })
        })
    }

    /// Begins a bundle: its number, and when, which grows from one to the next whatever becomes of the numbers.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn begin_bundle(&self) -> Result<(u64, HubTime), StoreError> {
        self.write(|tx| {
            let at = tx.change_time();
            let number: i64 = tx.connection().query_row(
                "UPDATE courier SET number = number + 1, packed_at = ?1 RETURNING number",
                [at.millis()],
                |row| row.get(0),
            )?;
            Ok((u64::try_from(number).unwrap_or(0), at))
        })
    }

    /// Writes down what is in a bundle, before anybody can take that away.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_packed(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for row in &sent {
                let digests = row.digests_then();
                let name = row.table.table().name;
                let connection = tx.connection();
                connection
                    .prepare_cached("INSERT OR IGNORE INTO courier_rows VALUES (?1, ?2, ?3, ?4)")?
                    .execute((name, &*row.id, row.version.millis(), digests.as_bytes()))?;
                connection
                    .prepare_cached(
                        "DELETE FROM courier_rows WHERE table_name = ?1 AND row_id = ?2 AND version < \
                         (SELECT version FROM courier_rows WHERE table_name = ?1 AND row_id = ?2 \
                          ORDER BY version DESC LIMIT 1 OFFSET ?3)",
                    )?
                    .execute((name, &*row.id, VERSIONS - 1))?;
            }
            Ok(())
        })
    }

    /// Writes down what the desk says of rows of a bundle. What the cloud took is under way until the cloud has shown it,
    /// as if the hub had pushed it itself. What the hub knows more of by now is left as it is.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_delivered(&self, delivered: Vec<Delivered>) -> Result<(), StoreError> {
        self.write(move |tx| {
            for Delivered { sent, refused } in &delivered {
                let Sent { table, id, version, .. } = sent;
                let stored = rows::find(tx.connection(), *table, id)?;
                // A hub that was restored from before it packed that: the cloud's version comes as anybody's edit.
                if stored.as_ref().is_none_or(|stored| stored.changed_at < *version) {
                    continue;
                }
                let mut entry = ledger::find(tx.connection(), *table, id, stored.as_ref())?;
                let is_settled = entry.has(*version) || entry.held.is_some_and(|held| held >= *version);
                let is_older = entry.sent.as_ref().is_some_and(|(_, at)| at > version);
                if is_settled || is_older {
                    continue;
                }
                if *refused {
                    ledger::hold(tx, *table, id, *version, CloudReason::Refused)?;
                    continue;
                }
                if entry.sent.as_ref().is_none_or(|(_, at)| at < version) {
                    entry.sent = Some((sent.digests_then(), *version));
                    entry.missed = 0;
                }
                entry.answered = true;
                ledger::put(tx, *table, id, &entry)?;
                sent.take_answer_for_proof(tx)?;
            }
            Ok(())
        })
    }

    /// Writes down which cloud the ledger is about.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_cloud(&self, cloud: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            tx.connection().execute("UPDATE courier SET cloud = ?1", [cloud])?;
            Ok(())
        })
    }

    /// Writes down that an answer was taken in; `entry` is what the audit log says of it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn end_answer(&self, detail: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            let now = tx.now().millis();
            tx.connection().execute("UPDATE courier SET taken_at = ?1", [now])?;
            tx.audit(&Entry {
                action: "courier.import",
                detail,
                outcome: "ok",
                ..Entry::default()
            })
        })
    }
}
