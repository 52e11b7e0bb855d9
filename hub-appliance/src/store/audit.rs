//! The audit log: who did what, when, from where, and how it ended.
//!
//! Entries are chained: `hash = HMAC-SHA256(audit key, previous hash ‖ entry)`, where an entry is the concatenation of
//! its fields in the order of the table, each as its length in bytes (u32, little-endian) and its bytes (integers as
//! i64, little-endian; a missing text as length `u32::MAX`). The first entry follows a hash of 32 zero bytes. So an
//! entry that was changed, removed or put in between shows.

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::Connection;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::devices::DeviceNumber;
use super::error::StoreError;
use super::snapshot::Snapshot;
use crate::clock::HubTime;
use crate::secret::Secret;

/// The key of the chain.
pub type AuditKey = Secret<32>;

type Hash = [u8; 32];

/// What is to be written down. No text of a record, no name, no secret.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The user's id.
    pub user: Option<String>,
    /// The user's role.
    pub role: Option<String>,
    /// The device.
    pub device: DeviceNumber,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The request's number in the log.
    pub correlation: Option<u64>,
    /// The procedure or event.
    pub action: &'static str,
    /// Tables, record ids and counts, as JSON.
    pub detail: String,
    /// How it ended: `ok`, or the kind of failure.
    pub outcome: &'static str,
}

/// An entry as it was written down.
#[derive(Clone, Debug)]
pub struct Written {
    /// When.
    pub at: HubTime,
    /// The user's id.
    pub user: Option<String>,
    /// The device.
    pub device: DeviceNumber,
    /// The procedure or event.
    pub action: String,
    /// Tables, record ids and counts, as JSON.
    pub detail: String,
    /// How it ended.
    pub outcome: String,
}

impl Snapshot<'_> {
    /// The entries since `since`, in their order.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_since(&self, since: HubTime) -> Result<Vec<Written>, StoreError> {
        let mut statement = self
            .connection()?
            .prepare("SELECT at, user_id, device, action, detail, outcome FROM audit WHERE at >= ?1 ORDER BY seq")?;
        let entries = statement.query_map([since.millis()], |row| {
            Ok(Written {
                at: HubTime::from_millis(row.get(0)?),
                user: row.get(1)?,
                device: DeviceNumber(row.get(2)?),
                action: row.get(3)?,
                detail: row.get(4)?,
                outcome: row.get(5)?,
            })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }
}

/// The end of the chain, kept by the writer.
#[derive(Clone)]
pub struct AuditChain {
    key: AuditKey,
    head: Hash,
}

impl AuditChain {
    /// Continues the chain in the database.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn resume(connection: &Connection, key: AuditKey) -> Result<Self, StoreError> {
        let mut chain = Self { key, head: [0; 32] };
        chain.rewind(connection)?;
        Ok(chain)
    }

    /// Goes back to the last entry that is in the database, after a rollback.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn rewind(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let last = connection.query_row("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| row.get(0));
        self.head = match last {
            Err(rusqlite::Error::QueryReturnedNoRows) => [0; 32],
            last => last?,
        };
        Ok(())
    }

    /// Adds an entry.
    pub(super) fn append(&mut self, connection: &Connection, at: HubTime, entry: &Entry) -> Result<(), StoreError> {
        let address = entry.address.map(|address| address.to_string());
        let correlation = entry.correlation.map(|correlation| correlation.to_string());
        let fields = [
            Field::Integer(at.millis()),
            Field::Text(entry.user.as_deref()),
            Field::Text(entry.role.as_deref()),
            Field::Integer(entry.device.0),
            Field::Text(address.as_deref()),
            Field::Text(correlation.as_deref()),
            Field::Text(Some(entry.action)),
            Field::Text(Some(&entry.detail)),
            Field::Text(Some(entry.outcome)),
        ];
        let hash = link(&self.key, &self.head, &fields);
        connection
            .prepare_cached(
                "INSERT INTO audit (at, user_id, role, device, address, correlation, action, detail, outcome, hash) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(rusqlite::params![
                at.millis(),
                entry.user,
                entry.role,
                entry.device.0,
                address,
                correlation,
                entry.action,
                entry.detail,
                entry.outcome,
                hash
            ])?;
        self.head = hash;
        Ok(())
    }
}

enum Field<'a> {
    Integer(i64),
    Text(Option<&'a str>),
}

fn link(key: &AuditKey, previous: &Hash, fields: &[Field<'_>]) -> Hash {
    // A key shorter than SHA-256's block is padded with zeros (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.expose());
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    mac.update(previous);
    for field in fields {
        match field {
            Field::Integer(integer) => {
                mac.update(&8_u32.to_le_bytes());
                mac.update(&integer.to_le_bytes());
            }
            Field::Text(None) => mac.update(&u32::MAX.to_le_bytes()),
            Field::Text(Some(text)) => {
                mac.update(&u32::try_from(text.len()).unwrap_or(u32::MAX - 1).to_le_bytes());
                mac.update(text.as_bytes());
            }
        }
    }
    mac.finalize().into_bytes().into()
}

/// Checks the chain over the entries since `since`, and that it reaches the end. Returns how many it checked.
///
/// # Errors
/// [`StoreError::AuditBroken`] at the first entry that does not fit the one before it.
pub fn verify(connection: &Connection, key: &AuditKey, since: HubTime) -> Result<u64, StoreError> {
    let first: i64 = connection.query_row(
        "SELECT coalesce((SELECT max(seq) FROM audit WHERE at < ?1), 0)",
        [since.millis()],
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare(
        "SELECT seq, at, user_id, role, device, address, correlation, action, detail, outcome, hash FROM audit \
         WHERE seq >= ?1 ORDER BY seq",
    )?;
    let mut rows = statement.query([first])?;
    let mut expected = first.max(1);
    let mut previous: Option<Hash> = (first == 0).then_some([0; 32]);
    let mut checked = 0;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let text = |index| row.get_ref(index).map(|value| value.as_str().ok());
        let fields = [
            Field::Integer(row.get(1)?),
            Field::Text(text(2)?),
            Field::Text(text(3)?),
            Field::Integer(row.get(4)?),
            Field::Text(text(5)?),
            Field::Text(text(6)?),
            Field::Text(text(7)?),
            Field::Text(text(8)?),
            Field::Text(text(9)?),
        ];
        let hash: Hash = row.get(10)?;
        // The entry before the range only lends its hash.
        if let Some(previous) = previous {
            if seq != expected || link(key, &previous, &fields) != hash {
                return Err(StoreError::AuditBroken { entry: expected });
            }
            checked += 1;
        }
        previous = Some(hash);
        expected = seq + 1;
    }
    Ok(checked)
}
