//! The records of issued tokens, by `jti`: to whom, on which device, and until when.
//!
//! Kept in memory for checking at every call and in the store so that they survive a lock or a power cut.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::devices::DeviceNumber;
use super::error::StoreError;
use super::{Snapshot, Store, WriteTx};
use crate::clock::{HubTime, RunTime};

/// How much of a token's use may be forgotten at a power cut: its last use is written down at steps of this, ms.
const USE_STEP: i64 = 10 * 60 * 1000;

/// How many tokens a device has at most; a new one ends the oldest.
pub const MAX_TOKENS: u32 = 8;

/// One issued token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The token's id.
    pub jti: String,
    /// Whose it is.
    pub user: String,
    /// The device that it was issued to.
    pub device: DeviceNumber,
    /// SHA-256 of the bcrypt hash that the password was checked against: a changed password ends the token.
    pub password_digest: [u8; 32],
    /// When it was issued.
    pub issued_at: HubTime,
    /// When it ends in any case.
    pub expires_at: HubTime,
    /// When it was used last: for how long it was not is counted in time that passed, whatever the time of day does.
    pub used_at: RunTime,
}

/// The tokens of an open store.
pub struct Tokens {
    store: Arc<Store>,
    live: Mutex<HashMap<String, Live>>,
}

struct Live {
    record: TokenRecord,
    saved_use: RunTime,
}

impl Tokens {
    /// Reads the tokens of a store; those that have ended are removed.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn load(store: Arc<Store>) -> Result<Self, StoreError> {
        let now = store.clock().peek();
        store.write(move |tx| {
            tx.connection()
                .execute("DELETE FROM tokens WHERE expires_at <= ?1", [now.millis()])?;
            Ok::<_, StoreError>(())
        })?;
        let live = store
            .read(|snapshot| snapshot.tokens())?
            .into_iter()
            .map(|record| {
                (
                    record.jti.clone(),
                    Live {
                        saved_use: record.used_at,
                        record,
                    },
                )
            })
            .collect();
        Ok(Self {
            store,
            live: Mutex::new(live),
        })
    }

    /// The record of a token, if it was issued here and has not been revoked.
    #[must_use]
    pub fn find(&self, jti: &str) -> Option<TokenRecord> {
        self.live().get(jti).map(|live| live.record.clone())
    }

    /// Notes a use; now and then it is written down.
    ///
    /// # Errors
    /// What the store reports.
    pub fn used(&self, jti: &str, at: RunTime) -> Result<(), StoreError> {
        let due = {
            let mut tokens = self.live();
            let Some(live) = tokens.get_mut(jti) else { return Ok(()) };
            live.record.used_at = at;
            let due = at.since(live.saved_use) >= USE_STEP;
            if due {
                live.saved_use = at;
            }
            due
        };
        if due {
            let jti = jti.to_owned();
            self.store.write(move |tx| {
                tx.connection()
                    .prepare_cached("UPDATE tokens SET used_at_run = ?2 WHERE jti = ?1")?
                    .execute((jti, at.millis()))?;
                // Else that would be later than the box had run when it starts the next time.
                tx.save_run_time()
            })?;
        }
        Ok(())
    }

    /// Takes over a token that [`WriteTx::insert_token`] has stored, and forgets those that it has `ended`.
    pub fn issued(&self, record: TokenRecord, ended: &[String]) {
        let mut live = self.live();
        live.retain(|jti, _| !ended.contains(jti));
        live.insert(
            record.jti.clone(),
            Live {
                saved_use: record.used_at,
                record,
            },
        );
    }

    /// Forgets a token that [`WriteTx::delete_token`] has removed.
    pub fn revoked(&self, jti: &str) {
        self.live().remove(jti);
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<String, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteTx<'_> {
    /// Stores a new token. Returns the ids of those that end with it: the oldest above [`MAX_TOKENS`] of its device.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn insert_token(&self, token: &TokenRecord) -> Result<Vec<String>, StoreError> {
        self.connection()
            .prepare_cached(
                "INSERT INTO tokens (jti, user_id, device, password_digest, issued_at, expires_at, used_at_run) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((
                &token.jti,
                &token.user,
                token.device.0,
                token.password_digest,
                token.issued_at.millis(),
                token.expires_at.millis(),
                token.used_at.millis(),
            ))?;
        self.save_run_time()?;
        let mut end_oldest = self.connection().prepare_cached(
            "DELETE FROM tokens WHERE jti IN (SELECT jti FROM tokens WHERE device = ?1 \
             ORDER BY issued_at DESC, rowid DESC LIMIT -1 OFFSET ?2) RETURNING jti",
        )?;
        let ended = end_oldest.query_map((token.device.0, MAX_TOKENS), |row| row.get(0))?;
        Ok(ended.collect::<Result<_, _>>()?)
    }

    /// Removes a token.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn delete_token(&self, jti: &str) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached("DELETE FROM tokens WHERE jti = ?1")?
            .execute([jti])?;
        Ok(())
    }
}

impl Snapshot<'_> {
    fn tokens(&self) -> Result<Vec<TokenRecord>, StoreError> {
        let mut statement = self
            .connection()?
            .prepare("SELECT jti, user_id, device, password_digest, issued_at, expires_at, used_at_run FROM tokens")?;
        let tokens = statement.query_map([], |row| {
            Ok(TokenRecord {
                jti: row.get(0)?,
                user: row.get(1)?,
                device: DeviceNumber(row.get(2)?),
                password_digest: row.get(3)?,
                issued_at: HubTime::from_millis(row.get(4)?),
                expires_at: HubTime::from_millis(row.get(5)?),
                used_at: RunTime::from_millis(row.get(6)?),
            })
        })?;
        Ok(tokens.collect::<Result<_, _>>()?)
    }
}
