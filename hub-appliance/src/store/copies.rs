//! Copies of the database in other folders, and what a database is told that was a copy.

use std::path::Path;

use super::audit::{Entry, Head};
use super::connection::{Purpose, StoreKey, open};
use super::error::StoreError;
use super::{Store, migrate};
use crate::clock::HubTime;

/// What a copy was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The version of its schema.
    pub schema: i64,
    /// The time of the last change in it.
    pub last_change: HubTime,
    /// The end of its audit log.
    pub audit: Option<Head>,
}

/// Steps of SQLite between two looks at whether to go on; a page that is read is one at least.
const STEPS: i32 = 16;

/// Reads all that is in use of a copy that nobody has open: the database has to be whole, and each page what was written. What
/// is in a page that is free nobody reads, neither here nor later, and it is no reason to refuse all the others; whether a file
/// is as it was written its digest tells. `goes_on` is asked often, so that the key is not needed for long where it is no more
/// to be had.
///
/// # Errors
/// [`StoreError::WrongKey`] if it does not open with the key, [`StoreError::Database`] if a page is not what was written or
/// the database is not whole, [`StoreError::TooNew`] for one of newer firmware, or what the disk reports.
pub fn check(path: &Path, key: &StoreKey, goes_on: impl Fn() -> bool + Send + 'static) -> Result<Checked, StoreError> {
    let mut connection = open(path, key, Purpose::Inspect)?;
    connection.progress_handler(STEPS, Some(move || !goes_on()))?;
    let schema = migrate::version(&connection)?;
    if schema > migrate::SCHEMA_VERSION {
        return Err(StoreError::TooNew {
            found: schema,
            supported: migrate::SCHEMA_VERSION,
        });
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Database(rusqlite::ErrorCode::DatabaseCorrupt));
    }
    let last_change = connection.query_row("SELECT last_change FROM hub_state", [], |row| row.get(0))?;
    Ok(Checked {
        schema,
        last_change: HubTime::from_millis(last_change),
        audit: Head::of(&connection)?,
    })
}

impl Store {
    /// To be called once for a database that was a copy, before anybody is served: phones may have got more than it knows
    /// of, and the cloud has to be asked for everything.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn begin_after_restore(&self, detail: String) -> Result<(), StoreError> {
        self.write(move |tx| {
            let now = tx.change_time();
            let connection = tx.connection();
            connection.execute("UPDATE devices SET restored_at = ?1 WHERE given_at > 0", [now.millis()])?;
            connection.execute("UPDATE hub_state SET cloud_timestamp = 0", [])?;
            tx.audit(&Entry {
                action: "restore",
                detail,
                outcome: "ok",
                ..Entry::default()
            })
        })
    }
}
