//! The audit log: who did what, when, from where, and how it ended.
//!
//! Entries are chained: `hash = HMAC-SHA256(audit key, previous hash ‖ entry)`, where an entry is the concatenation of
//! its fields in the order of the table, each as its length in bytes (u32, little-endian) and its bytes (integers as
//! i64, little-endian; a missing text as length `u32::MAX`). The first entry follows a hash of 32 zero bytes. So an
//! entry that was changed, removed or put in between shows (`verify`). Whether the clock could be trusted is the last
//! field, of which entries from before the third schema have nothing.
//!
//! Entries are kept for six years (`keep`). That the end was cut off shows by a signature over the last entry that is
//! kept elsewhere: [`Head`] is what it is over.

pub mod emergency;
mod keep;
mod verify;

pub use keep::Dropped;
pub use verify::{Break, Checked};

use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
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
    /// Its place in the log, from 1.
    pub number: i64,
    /// When.
    pub at: HubTime,
    /// Whether the clock could be trusted then; none in entries from before that was written down.
    pub clock_trusted: Option<bool>,
    /// The user's id.
    pub user: Option<String>,
    /// What the user is called now.
    pub user_name: Option<String>,
    /// The user's role.
    pub role: Option<String>,
    /// The device.
    pub device: DeviceNumber,
    /// What the device is called now.
    pub device_name: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The request's number in the log on the console.
    pub correlation: Option<String>,
    /// The procedure or event.
    pub action: String,
    /// Tables, record ids and counts, as JSON.
    pub detail: String,
    /// How it ended.
    pub outcome: String,
}

/// The last entry of the log: what a signature over the log is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its place in the log, from 1.
    pub number: i64,
    /// When it was written.
    pub at: HubTime,
    /// Its hash, which all entries before it have a part in.
    pub hash: [u8; 32],
}

impl Head {
    /// The last entry in a database, of whichever schema.
    pub(super) fn of(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let mut last = connection.prepare_cached("SELECT seq, at, hash FROM audit ORDER BY seq DESC LIMIT 1")?;
        let head = last.query_row([], |row| {
            Ok(Self {
                number: row.get(0)?,
                at: HubTime::from_millis(row.get(1)?),
                hash: row.get(2)?,
            })
        });
        Ok(head.optional()?)
    }
}

impl Snapshot<'_> {
    /// At most `limit` entries since `since` that come after the entry `number`, in their order.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_entries(&self, number: i64, since: HubTime, limit: u32) -> Result<Vec<Written>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT seq, at, clock_trusted, user_id, audit.role, device, address, correlation, action, detail, outcome, \
             users.name, devices.name FROM audit LEFT JOIN users ON users.id = user_id \
             LEFT JOIN devices ON devices.number = device WHERE seq > ?1 AND at >= ?2 ORDER BY seq LIMIT ?3",
        )?;
        let entries = statement.query_map((number, since.millis(), limit), |row| {
            Ok(Written {
                number: row.get(0)?,
                at: HubTime::from_millis(row.get(1)?),
                clock_trusted: row.get(2)?,
                user: row.get(3)?,
                role: row.get(4)?,
                device: DeviceNumber(row.get(5)?),
                address: row.get(6)?,
                correlation: row.get(7)?,
                action: row.get(8)?,
                detail: row.get(9)?,
                outcome: row.get(10)?,
                user_name: row.get(11)?,
                device_name: row.get(12)?,
            })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// All entries since `since`, in their order.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_since(&self, since: HubTime) -> Result<Vec<Written>, StoreError> {
        self.audit_entries(0, since, u32::MAX)
    }

    /// The last entry; none in an empty log.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        Head::of(self.connection()?)
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
        self.head = Head::of(connection)?.map_or([0; 32], |head| head.hash);
        Ok(())
    }

    /// Adds an entry.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        at: HubTime,
        clock_trusted: bool,
        entry: &Entry,
    ) -> Result<(), StoreError> {
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
            Field::Integer(clock_trusted.into()),
        ];
        let hash = link(&self.key, &self.head, &fields);
        connection
            .prepare_cached(
                "INSERT INTO audit (at, user_id, role, device, address, correlation, action, detail, outcome, \
                 clock_trusted, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
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
                clock_trusted,
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
