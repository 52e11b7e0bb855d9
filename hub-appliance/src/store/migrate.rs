//! Schema versions: numbered, forward only, each in a transaction.
//!
//! Before the first step of a migration the database is copied (`hub.db.v<old>`); the copy stays until
//! [`drop_copies`] is called after a good start. A database newer than the firmware is not opened.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::error::StoreError;
use super::schema::TABLES;

/// One step: the statements that take the schema from the version before to this one.
type Step = fn() -> String;

/// All steps; the schema version is their count.
const STEPS: &[Step] = &[first_schema];

/// Brings the database at `path`, open as `connection`, to this firmware's schema.
///
/// # Errors
/// [`StoreError::TooNew`] for a database of newer firmware (nothing is changed), or what SQLite or the disk report
/// (the step is rolled back, the copy stays).
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    run(connection, path, STEPS)
}

fn run(connection: &mut Connection, path: &Path, steps: &[Step]) -> Result<(), StoreError> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let supported = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let Some(missing) = usize::try_from(found).ok().and_then(|done| steps.get(done..)) else {
        return Err(StoreError::TooNew { found, supported });
    };
    if found > 0 && !missing.is_empty() {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        fs::copy(path, copy_path(path, found))?;
    }
    for (version, step) in (found + 1..).zip(missing) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(&step())?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Removes the copies that migrations left: called at an unlock after a good start.
///
/// # Errors
/// What the disk reports.
pub(super) fn drop_copies(path: &Path) -> Result<(), StoreError> {
    for version in 1..=STEPS.len() {
        match fs::remove_file(copy_path(path, i64::try_from(version).unwrap_or(i64::MAX))) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn copy_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}"));
    name.into()
}

/// Version 1: the synced tables and the hub's own.
fn first_schema() -> String {
    let mut ddl: String = TABLES.iter().map(super::schema::Table::ddl).collect();
    ddl += HUB_TABLES;
    ddl
}

/// Times are epoch milliseconds of the hub clock; `device` and `hub_origin` are device numbers, see
/// [`super::devices::DeviceNumber`].
const HUB_TABLES: &str = "
CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE, id);
CREATE TABLE hub_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_change INTEGER NOT NULL,
    cloud_applied_at INTEGER NOT NULL
) STRICT;
CREATE TABLE devices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL UNIQUE,
    name TEXT,
    paired_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    revoked_at INTEGER,
    given_at INTEGER NOT NULL DEFAULT 0,
    given_scope TEXT NOT NULL DEFAULT '',
    before_at INTEGER NOT NULL DEFAULT 0,
    before_scope TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE tokens (
    jti TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE,
    password_digest BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;
CREATE TABLE history (
    seq INTEGER PRIMARY KEY,
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    device INTEGER NOT NULL,
    user_id TEXT,
    cells TEXT NOT NULL
) STRICT;
CREATE INDEX history_row ON history (table_name, row_id, changed_at);
CREATE TABLE clinic_moves (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    from_clinic TEXT NOT NULL,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (moved_at, table_name, row_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
    id BLOB PRIMARY KEY NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_taken ON messages (taken_at);
CREATE TABLE held_rows (
    id TEXT PRIMARY KEY NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('phone', 'cloud')),
    table_name TEXT NOT NULL,
    row_id TEXT,
    list TEXT NOT NULL,
    row TEXT NOT NULL,
    reason TEXT NOT NULL,
    base INTEGER NOT NULL,
    device INTEGER NOT NULL,
    user_id TEXT,
    held_at INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    user_id TEXT,
    role TEXT,
    device INTEGER NOT NULL,
    address TEXT,
    correlation TEXT,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
";

#[cfg(test)]
mod tests {
    use super::super::connection::{Purpose, StoreKey, open};
    use super::*;

    fn second_schema() -> String {
        "ALTER TABLE clinics ADD COLUMN colour TEXT; DROP TABLE clinic_moves;".into()
    }

    fn broken_schema() -> String {
        "ALTER TABLE clinics ADD COLUMN colour TEXT; SELECT * FROM nothing;".into()
    }

    fn colours(connection: &Connection) -> bool {
        connection.prepare("SELECT colour FROM clinics").is_ok()
    }

    #[test]
    fn a_migration_copies_the_database_first_and_newer_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let key = StoreKey::new([1; 32]);
        let mut connection = open(&path, &key, Purpose::Write).unwrap();
        run(&mut connection, &path, STEPS).unwrap();
        assert!(!copy_path(&path, 1).exists());

        run(&mut connection, &path, &[first_schema, broken_schema]).unwrap_err();
        assert!(!colours(&connection), "a failed step changes nothing");

        run(&mut connection, &path, &[first_schema, second_schema]).unwrap();
        assert!(colours(&connection));
        let copy = open(&copy_path(&path, 1), &key, Purpose::Write).unwrap();
        assert!(!colours(&copy));

        let error = run(&mut connection, &path, STEPS).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 2, supported: 1 }));

        drop_copies(&path).unwrap();
        assert!(!copy_path(&path, 1).exists());
        drop_copies(&path).unwrap();
    }
}
