//! What a database holds, in figures: by these a copy is compared with its original.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension};

use super::connection::{self, Purpose, StoreKey};
use super::error::StoreError;

/// Rows of every table, and the head of the audit log's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    tables: Vec<(String, i64)>,
    schema: i64,
    audit_head: Option<Vec<u8>>,
}

impl Inventory {
    /// Takes it of the database in `folder`, which nobody has open, of whatever version it is. Afterwards the database
    /// has no log.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], or what SQLite reports.
    pub fn take(folder: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        Self::of(&connection::open(&super::database(folder), key, Purpose::Write)?)
    }

    /// As [`Self::take`], after every page was read and checked (`PRAGMA cipher_integrity_check`).
    ///
    /// # Errors
    /// As [`Self::take`]; [`StoreError::WrongKey`] if a page is not what was written with this key.
    pub fn take_checked(folder: &Path, key: &StoreKey) -> Result<Self, StoreError> {
        let connection = connection::open(&super::database(folder), key, Purpose::Write)?;
        let fault: Option<String> = connection
            .query_row("PRAGMA cipher_integrity_check", [], |row| row.get(0))
            .optional()?;
        if fault.is_some() {
            return Err(StoreError::WrongKey);
        }
        Self::of(&connection)
    }

    fn of(connection: &Connection) -> Result<Self, StoreError> {
        let names: Vec<String> = connection
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let sql = format!("SELECT count(*) FROM \"{}\"", name.replace('"', "\"\""));
            let rows = connection.query_row(&sql, [], |row| row.get(0))?;
            tables.push((name, rows));
        }
        Ok(Self {
            tables,
            schema: connection.query_row("PRAGMA user_version", [], |row| row.get(0))?,
            audit_head: connection
                .query_row("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
                .optional()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::audit::Entry;
    use super::super::{Store, StoreKey};
    use super::*;
    use crate::clock::{HubClock, HubTime, SystemClock};
    use crate::secret::Secret;

    fn open(folder: &Path) -> Store {
        let clock = HubClock::new(Box::new(SystemClock), HubTime::from_millis(0));
        Store::open(folder, &key(), Secret::new([2; 32]), Arc::new(clock)).unwrap()
    }

    fn key() -> StoreKey {
        StoreKey::new([1; 32])
    }

    fn note(store: &Store) {
        let noted = store.write(|tx| tx.audit(&Entry::default()));
        noted.map_err(|error: StoreError| error).unwrap();
    }

    #[test]
    fn a_copy_has_the_same_and_one_that_differs_or_is_damaged_has_not() {
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let store = open(folder.path());
        note(&store);
        store.close(Duration::from_secs(9));
        drop(store);
        let original = Inventory::take(folder.path(), &key()).unwrap();
        let file = |folder: &tempfile::TempDir| folder.path().join("hub.db");
        fs::copy(file(&folder), file(&copy)).unwrap();
        assert_eq!(Inventory::take_checked(copy.path(), &key()).unwrap(), original);

        let store = open(copy.path());
        note(&store);
        store.close(Duration::from_secs(9));
        drop(store);
        assert_ne!(Inventory::take_checked(copy.path(), &key()).unwrap(), original);

        let mut bytes = fs::read(file(&folder)).unwrap();
        let at = bytes.len() - 2000;
        bytes[at] ^= 1;
        fs::write(file(&copy), bytes).unwrap();
        Inventory::take_checked(copy.path(), &key()).unwrap_err();
    }
}
