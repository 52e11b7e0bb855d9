//! How long the audit log is kept, what is left where its beginning was, and what is remembered of its checks.
//!
//! What is dropped leaves an entry that names the last one that went, with its hash and a signature: from there the rest
//! is checked as before. A clock that was put forward drops nothing: what counts as old is told by the last days on which
//! the hub was used, and those have to come first.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::{Break, Entry, Hash, Head};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::writer::WriteTx;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long entries are kept: six years (45 CFR 164.316(b)(2)(i)), with two leap days.
const KEPT_MS: i64 = (6 * 365 + 2) * DAY_MS;
/// Days of use that a wrong clock would have to stay wrong for, before anything is dropped by it.
const DAYS_OF_USE: u32 = 90;
/// Entries that are dropped in one transaction, so that phones have their turn.
const STEP: u32 = 1_000;
/// How often the whole log is checked.
const WHOLE_EVERY_MS: i64 = 30 * DAY_MS;
/// What is signed of what was dropped begins with this.
const DROPPED_LABEL: &[u8] = b"hub audit dropped v1";

/// The action of the entry that is written each day, before the log's end is signed.
const DAY: &str = "audit.day";
/// The action of the entry that what was dropped leaves.
const DROP: &str = "audit.drop";

/// What was dropped because of its age, as the log itself tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The last entry that went, and all before it.
    pub through: i64,
    /// Its hash.
    pub hash: Hash,
    /// The hub's signature over [`Self::signed`]: r ‖ s.
    pub signature: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Detail {
    through: i64,
    entries: usize,
    hash: String,
    signature: String,
}

impl Dropped {
    /// What the log tells last of it.
    pub(in crate::store) fn last(connection: &Connection) -> Result<Option<Self>, StoreError> {
        let mut last = connection
            .prepare_cached("SELECT detail FROM audit WHERE action = 'audit.drop' ORDER BY seq DESC LIMIT 1")?;
        let detail: Option<String> = last.query_row([], |row| row.get(0)).optional()?;
        // One that was tampered with does not fit the chain, and what it says is not believed.
        Ok(detail.and_then(|detail| Self::read(&detail)))
    }

    fn read(detail: &str) -> Option<Self> {
        let detail: Detail = serde_json::from_str(detail).ok()?;
        Some(Self {
            through: detail.through,
            hash: BASE64.decode(&detail.hash).ok()?.try_into().ok()?,
            signature: BASE64.decode(&detail.signature).ok()?,
        })
    }

    /// What is signed of it.
    #[must_use]
    pub fn signed(through: i64, hash: &Hash) -> Vec<u8> {
        [DROPPED_LABEL, &through.to_le_bytes(), hash].concat()
    }
}

impl WriteTx<'_> {
    /// Drops what is older than six years, at most some thousand entries; returns how many went. `sign` makes the hub's
    /// signature.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn drop_old_audit(&mut self, sign: impl FnOnce(&[u8]) -> [u8; 64]) -> Result<usize, StoreError> {
        let connection = self.connection();
        let day: Option<i64> = connection
            .prepare_cached("SELECT at FROM audit WHERE action = 'audit.day' ORDER BY seq DESC LIMIT 1 OFFSET ?1")?
            .query_row([DAYS_OF_USE - 1], |row| row.get(0))
            .optional()?;
        let Some(day) = day else { return Ok(0) };
        let mut oldest = connection.prepare_cached("SELECT seq, at, hash FROM audit ORDER BY seq LIMIT ?1")?;
        let oldest: Vec<(i64, i64, Hash)> = oldest
            .query_map([STEP], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        let old = oldest.into_iter().take_while(|(_, at, _)| *at < day - KEPT_MS);
        let old: Vec<(i64, Hash)> = old.map(|(number, _, hash)| (number, hash)).collect();
        let Some((through, hash)) = old.last() else {
            return Ok(0);
        };
        connection
            .prepare_cached("DELETE FROM audit WHERE seq <= ?1")?
            .execute([through])?;
        let detail = Detail {
            through: *through,
            entries: old.len(),
            hash: BASE64.encode(hash),
            signature: BASE64.encode(sign(&Dropped::signed(*through, hash))),
        };
        self.audit(&Entry {
            action: DROP,
            detail: serde_json::to_string(&detail).map_err(|_| StoreError::Defect)?,
            outcome: "ok",
            ..Entry::default()
        })?;
        Ok(old.len())
    }

    /// Notes that the whole log was checked.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_was_checked(&mut self) -> Result<(), StoreError> {
        let now = self.now().millis();
        self.connection()
            .prepare_cached("UPDATE hub_state SET audit_checked_at = ?1")?
            .execute([now])?;
        Ok(())
    }

    /// Writes down that the log is not whole, and says whether that was not known.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_audit_break(&mut self, broken: Break) -> Result<bool, StoreError> {
        let is_new = self
            .connection()
            .prepare_cached("UPDATE hub_state SET audit_broken = ?1 WHERE audit_broken IS NOT ?1")?
            .execute([broken.entry()])?;
        if is_new > 0 {
            self.audit(&Entry {
                action: "audit.verify",
                detail: serde_json::json!({"entry": broken.entry(), "found": broken.to_string()}).to_string(),
                outcome: "broken",
                ..Entry::default()
            })?;
        }
        Ok(is_new > 0)
    }
}

impl Store {
    /// Writes the entry of a new day where the last one is a day old, and says whether it did.
    ///
    /// # Errors
    /// What the store reports.
    pub fn begin_audit_day(&self) -> Result<bool, StoreError> {
        let now = self.clock().peek();
        let is_due = self.read(|snapshot| {
            let mut last = snapshot
                .connection()?
                .prepare_cached("SELECT at FROM audit WHERE action = 'audit.day' ORDER BY seq DESC LIMIT 1")?;
            let last: Option<i64> = last.query_row([], |row| row.get(0)).optional()?;
            Ok::<_, StoreError>(last.is_none_or(|last| now.millis() - last >= DAY_MS))
        })?;
        if is_due {
            self.write(|tx| {
                tx.audit(&Entry {
                    action: DAY,
                    outcome: "ok",
                    ..Entry::default()
                })
            })?;
        }
        Ok(is_due)
    }

    /// Whether the log has had the entry of a day, after which its end is signed.
    ///
    /// # Errors
    /// What the store reports.
    pub fn has_audit_day(&self) -> Result<bool, StoreError> {
        self.asks("SELECT EXISTS (SELECT 1 FROM audit WHERE action = 'audit.day')")
    }

    /// Whether it is time to check the whole log.
    ///
    /// # Errors
    /// What the store reports.
    pub fn audit_check_is_due(&self) -> Result<bool, StoreError> {
        let now = self.clock().peek().millis();
        let checked: i64 = self.state("SELECT audit_checked_at FROM hub_state")?;
        Ok(!(0..WHOLE_EVERY_MS).contains(&(now - checked)))
    }

    /// The entry where the log was found not to be whole, if it ever was.
    ///
    /// # Errors
    /// What the store reports.
    pub fn audit_broken(&self) -> Result<Option<i64>, StoreError> {
        self.state("SELECT audit_broken FROM hub_state")
    }

    /// What was dropped last because of its age.
    ///
    /// # Errors
    /// What the store reports.
    pub fn audit_dropped(&self) -> Result<Option<Dropped>, StoreError> {
        self.read(|snapshot| Dropped::last(snapshot.connection()?))
    }

    /// The last entry; none in an empty log.
    ///
    /// # Errors
    /// What the store reports.
    pub fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        self.read(|snapshot| snapshot.audit_head())
    }

    fn state<T: rusqlite::types::FromSql>(&self, sql: &str) -> Result<T, StoreError> {
        self.read(|snapshot| {
            Ok(snapshot
                .connection()?
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?)
        })
    }
}
