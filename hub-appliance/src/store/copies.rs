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

/// Reads all of a copy that nobody has open: the database has to be whole, and each page what was written, also those in which
/// there is nothing by now. `goes_on` is asked often while all that is in use is read, so that the key is not needed for long
/// where it is no more to be had. Only where there are pages with nothing in them something is left after that: arithmetic
/// over what memory holds by then, which nothing breaks off.
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
    // Each page that it reads has to be what was written; it misses those alone that are free.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let free: u32 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    // This one gives a row for each page that fails.
    let is_spoilt =
        || Ok::<_, StoreError>(free > 0 && connection.prepare("PRAGMA cipher_integrity_check")?.exists([])?);
    if verdict != "ok" || is_spoilt()? {
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
