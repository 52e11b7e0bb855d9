//! Schema versions: numbered, forward only, each in a transaction.
//!
//! Before the first step of a migration the database is copied (`hub.db.v<old>`); the copy stays until
//! [`drop_copies`] is called after a good start, or until [`put_copy_back`] makes it the database again. A database newer
//! than the firmware is not opened.
//!
//! The feature `next-schema` adds a step that exists for tests of all this, and for nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::disk::Disk;
use super::error::StoreError;
use super::pulse::Pulse;

/// What the steps of a migration may take of the disk beside the copy, bytes: as much as a log may keep.
const STEPS_TAKE: u64 = 16 * 1024 * 1024;

/// Bytes that are copied between two signs of life: a second's on a worn card.
const AT_ONCE: u64 = 1024 * 1024;

/// One step: the statements that take the schema from the version before to this one.
type Step = &'static str;

/// All steps; the schema version is their count.
#[cfg(not(feature = "next-schema"))]
const STEPS: &[Step] = &[include_str!("v1.sql"), include_str!("v2.sql"), include_str!("v3.sql")];
#[cfg(feature = "next-schema")]
const STEPS: &[Step] = &[
    include_str!("v1.sql"),
    include_str!("v2.sql"),
    include_str!("v3.sql"),
    NEXT_SCHEMA,
];

/// The version of this firmware's schema.
#[allow(clippy::cast_possible_wrap, reason = "a handful")]
pub const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// Brings the database at `path`, open as `connection`, to this firmware's schema.
///
/// # Errors
/// [`StoreError::TooNew`] for a database of newer firmware, [`StoreError::NoRoom`] where there is none for its copy, or
/// what SQLite or the disk report. Where not even the first step was taken, the database is as it was and the disk has its
/// room back, so that the firmware before opens it; else the copy stays.
pub(super) fn migrate(connection: &mut Connection, path: &Path, disk: &Disk, pulse: &Pulse) -> Result<(), StoreError> {
    run(connection, path, disk, pulse, STEPS)
}

/// The version of the schema of an open database.
///
/// # Errors
/// What SQLite reports.
pub(super) fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn run(connection: &mut Connection, path: &Path, disk: &Disk, pulse: &Pulse, steps: &[Step]) -> Result<(), StoreError> {
    let found = version(connection)?;
    let supported = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    let Some(missing) = usize::try_from(found).ok().and_then(|done| steps.get(done..)) else {
        return Err(StoreError::TooNew { found, supported });
    };
    if missing.is_empty() {
        return Ok(());
    }
    if found > 0 {
        copy_first(connection, path, disk, pulse, found)?;
    }
    let taken = take(connection, pulse, found, missing);
    if taken.is_err() && version(connection).is_ok_and(|now| now == found) {
        // A copy of what did not change is of no use, and neither is what the step left in the log.
        forget_copy(path, found)?;
        pulse.unseen(|| checkpoint(connection))?;
    }
    taken
}

fn take(connection: &mut Connection, pulse: &Pulse, found: i64, steps: &[Step]) -> Result<(), StoreError> {
    for (version, step) in (found + 1..).zip(steps) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        pulse.unseen(|| transaction.commit())?;
    }
    Ok(())
}

/// Copies the database, if there is room for the copy and for as much as the steps may bring into the log.
fn copy_first(connection: &Connection, path: &Path, disk: &Disk, pulse: &Pulse, found: i64) -> Result<(), StoreError> {
    pulse.unseen(|| checkpoint(connection))?;
    // One that a power cut left is of a database that has been written to since.
    forget_copy(path, found)?;
    let database = fs::metadata(path)?.len();
    disk.has_room_aside(database.saturating_add(STEPS_TAKE))?;
    Ok(copy(path, &copy_path(path, found), pulse)?)
}

/// Takes all of the write-ahead log into the database, and leaves nothing of it.
fn checkpoint(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

/// Copies a database that nobody writes. There is no copy until all of it is on the disk.
fn copy(from: &Path, to: &Path, pulse: &Pulse) -> io::Result<()> {
    let unfinished = unfinished(to);
    let copied = copy_bytes(from, &unfinished, pulse);
    copied.inspect_err(|_| {
        // So that its room is not missed: the firmware before opens the database as it is.
        let _ = fs::remove_file(&unfinished);
    })?;
    fs::rename(&unfinished, to)?;
    sync_folder(to)
}

fn copy_bytes(from: &Path, to: &Path, pulse: &Pulse) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut how = OpenOptions::new();
    let mut target = how.write(true).create(true).truncate(true).mode(0o600).open(to)?;
    while io::copy(&mut (&mut source).take(AT_ONCE), &mut target)? > 0 {
        pulse.step();
    }
    pulse.unseen(|| target.sync_all())
}

fn sync_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// Whether there is a copy of the database at `path` from before it was migrated from schema `version`.
pub(super) fn has_copy(path: &Path, version: i64) -> bool {
    copy_path(path, version).exists()
}

/// Makes the copy from before the migration from schema `version` the database again. Nobody may have it open. What was
/// written since is lost. A power cut leaves one of the two, and the copy for as long as it is not the database.
///
/// # Errors
/// What the disk reports.
pub(super) fn put_copy_back(path: &Path, version: i64) -> io::Result<()> {
    let copy = copy_path(path, version);
    // Without a copy, nothing is touched.
    File::open(&copy)?;
    // A log of the newer database must never meet the older one.
    for suffix in ["-wal", "-shm"] {
        let mut log = path.as_os_str().to_owned();
        log.push(suffix);
        remove(Path::new(&log))?;
    }
    sync_folder(path)?;
    fs::rename(&copy, path)?;
    sync_folder(path)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the copies that migrations left: called at an unlock after a good start.
///
/// # Errors
/// What the disk reports.
pub(super) fn drop_copies(path: &Path) -> Result<(), StoreError> {
    for version in 1..=SCHEMA_VERSION {
        forget_copy(path, version)?;
    }
    Ok(())
}

/// Removes the copy from before the migration from schema `version`, also one that was cut short.
fn forget_copy(path: &Path, version: i64) -> io::Result<()> {
    let copy = copy_path(path, version);
    remove(&unfinished(&copy))?;
    remove(&copy)
}

fn unfinished(copy: &Path) -> PathBuf {
    copy.with_added_extension("new")
}

fn copy_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".v{version}"));
    name.into()
}

/// A version that no release has. It breaks the audit log of a store that holds a patient by the name of
/// `Breaks Next`, so that a test sees a migration after which the store does not open.
#[cfg(feature = "next-schema")]
const NEXT_SCHEMA: Step = "CREATE TABLE next_schema (id INTEGER PRIMARY KEY) STRICT; \
     UPDATE audit SET hash = zeroblob(31) \
     WHERE EXISTS (SELECT 1 FROM patients WHERE given_name = 'Breaks Next');";

#[cfg(test)]
mod tests {
    use super::super::connection::{Purpose, StoreKey, open};
    use super::super::schema::{ColumnType, TABLES};
    use super::*;

    const FIRST: Step = include_str!("v1.sql");
    const OTHER: Step = "ALTER TABLE clinics ADD COLUMN colour TEXT; DROP TABLE clinic_moves;";

    const BROKEN: Step = "ALTER TABLE clinics ADD COLUMN colour TEXT; SELECT * FROM nothing;";

    /// Migrates by other steps than the firmware's.
    fn by(connection: &mut Connection, path: &Path, steps: &[Step]) -> Result<(), StoreError> {
        run(connection, path, &Disk::under(path), &Pulse::default(), steps)
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
        by(&mut connection, &path, &[FIRST]).unwrap();
        assert!(!has_copy(&path, 1));

        by(&mut connection, &path, &[FIRST, BROKEN]).unwrap_err();
        assert!(!colours(&connection), "a failed step changes nothing");

        by(&mut connection, &path, &[FIRST, OTHER]).unwrap();
        assert!(colours(&connection));
        let copy = open(&copy_path(&path, 1), &key, Purpose::Write).unwrap();
        assert!(!colours(&copy));

        let error = by(&mut connection, &path, &[FIRST]).unwrap_err();
        assert!(matches!(error, StoreError::TooNew { found: 2, supported: 1 }));

        drop_copies(&path).unwrap();
        assert!(!has_copy(&path, 1));
        drop_copies(&path).unwrap();
    }

    #[test]
    fn a_migration_that_comes_to_nothing_leaves_the_database_and_the_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let first: &[Step] = &[FIRST];
        let mut connection = open(&path, &StoreKey::new([1; 32]), Purpose::Write).unwrap();
        by(&mut connection, &path, first).unwrap();
        checkpoint(&connection).unwrap();
        let whole = fs::read(&path).unwrap();
        // What power cuts left of earlier tries.
        let leave_copies = || {
            fs::write(copy_path(&path, 1), "an earlier one").unwrap();
            fs::write(unfinished(&copy_path(&path, 1)), "half").unwrap();
        };
        let nothing_is_left = || {
            let names = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names == ["hub.db", "hub.db-shm", "hub.db-wal"]
        };

        // There is no disk that it would fit on twice.
        leave_copies();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_len(1 << 43).unwrap();
        let refused = by(&mut connection, &path, &[FIRST, OTHER]);
        assert!(matches!(refused, Err(StoreError::NoRoom { needed, free }) if needed > 1 << 43 && free < needed));
        file.set_len(whole.len() as u64).unwrap();
        assert!(nothing_is_left() && fs::read(&path).unwrap() == whole);

        leave_copies();
        by(&mut connection, &path, &[FIRST, BROKEN]).unwrap_err();
        assert!(nothing_is_left() && fs::read(&path).unwrap() == whole);
        assert_eq!(fs::metadata(folder.path().join("hub.db-wal")).unwrap().len(), 0);

        by(&mut connection, &path, first).unwrap();
        by(&mut connection, &path, &[FIRST, OTHER]).unwrap();
        assert!(colours(&connection) && has_copy(&path, 1));
    }

    #[test]
    fn a_copy_is_put_back_without_the_log_of_the_newer_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let key = StoreKey::new([1; 32]);
        let first: &[Step] = &[FIRST];
        {
            let mut connection = open(&path, &key, Purpose::Write).unwrap();
            by(&mut connection, &path, first).unwrap();
        }
        put_copy_back(&path, 1).unwrap_err();
        assert!(path.exists(), "without a copy nothing changes");

        let mut connection = open(&path, &key, Purpose::Write).unwrap();
        by(&mut connection, &path, &[FIRST, OTHER]).unwrap();
        // The process ends without a checkpoint: the newer schema stands in the log.
        let log = folder.path().join("hub.db-wal");
        assert!(fs::metadata(&log).unwrap().len() > 0);
        std::mem::forget(connection);

        put_copy_back(&path, 1).unwrap();
        assert!(!log.exists() && !has_copy(&path, 1));
        let mut connection = open(&path, &key, Purpose::Write).unwrap();
        by(&mut connection, &path, first).unwrap();
        assert!(!colours(&connection));
    }

    #[test]
    fn a_store_of_version_1_has_one_row_an_attribute_afterwards_and_knows_what_records_took() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let mut connection = open(&path, &StoreKey::new([1; 32]), Purpose::Write).unwrap();
        by(&mut connection, &path, &[FIRST]).unwrap();
        connection
            .execute_batch(
                "INSERT INTO hub_state VALUES (1, 50, 7);
                 INSERT INTO clinic_inventory (id, clinic_id, drug_id, batch_id, quantity_available, metadata, is_deleted,
                    last_modified, created_at, updated_at, hub_created_at, hub_changed_at, hub_created_by, hub_origin)
                    VALUES ('s', 'c', 'd', 'b', 6, '{}', 0, 1, 1, 1, 20, 20, -1, 0);",
            )
            .unwrap();
        let record = "INSERT INTO dispensing_records (id, clinic_id, drug_id, batch_id, patient_id, quantity_dispensed, \
                      dispensed_by, dispensed_at, metadata, is_deleted, last_modified, created_at, updated_at, \
                      hub_created_at, hub_changed_at, hub_deleted_at, hub_created_by, hub_origin) \
                      VALUES (?1, 'c', 'd', 'b', 'p', 4, 'u', 1, '{}', 0, 1, 1, 1, 20, 20, ?2, 101, 101)";
        connection.execute(record, ("taken", None::<i64>)).unwrap();
        connection.execute(record, ("deleted", Some(20))).unwrap();
        let attribute = "INSERT INTO patient_additional_attributes (id, patient_id, attribute_id, attribute, \
                         string_value, metadata, is_deleted, created_at, updated_at, last_modified, \
                         server_created_at, hub_created_at, hub_changed_at, hub_created_by, hub_origin) \
                         VALUES (?1, 'p', ?2, 'village', ?3, '{}', 0, 1, ?4, 1, 1, ?5, ?5, 101, 101)";
        for row in [
            ("z", "f", "first", 10, 20),
            ("a", "f", "later", 30, 25),
            ("b", "f", "older", 5, 40),
            ("c", "g", "alone", 1, 20),
        ] {
            connection.execute(attribute, row).unwrap();
        }
        migrate(&mut connection, &path, &Disk::under(&path), &Pulse::default()).unwrap();

        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let live = "SELECT id || ' ' || string_value || ' ' || updated_at || ' ' || hub_changed_at \
                    FROM patient_additional_attributes WHERE hub_deleted_at IS NULL ORDER BY id";
        assert_eq!(texts(live), ["c alone 1 20", "z later 30 51"]);
        assert_eq!(
            texts("SELECT row_id || ' ' || into_id FROM merged_rows ORDER BY row_id"),
            ["a z", "b z"]
        );
        let gone = "SELECT id || ' ' || hub_changed_at FROM patient_additional_attributes \
                    WHERE hub_deleted_at = 51 AND is_deleted = 1 ORDER BY id";
        assert_eq!(texts(gone), ["a 51", "b 51"]);
        let replaced = "SELECT json_extract(cells, '$.string_value') FROM history WHERE row_id = 'z'";
        assert_eq!(texts(replaced), ["first"]);
        assert_eq!(
            texts("SELECT record_id || ' ' || inventory_id || ' ' || quantity FROM stock_taken"),
            ["taken s 4"]
        );
        assert_eq!(
            texts("SELECT last_change || ' ' || cloud_timestamp FROM hub_state"),
            ["52 0"]
        );
    }

    #[test]
    fn the_steps_lead_to_the_definition() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let mut connection = open(&path, &StoreKey::new([1; 32]), Purpose::Write).unwrap();
        migrate(&mut connection, &path, &Disk::under(&path), &Pulse::default()).unwrap();
        for table in &TABLES {
            let mut statement = connection
                .prepare("SELECT name, type, \"notnull\" FROM pragma_table_info(?1) WHERE name NOT LIKE 'hub\\_%' ESCAPE '\\'")
                .unwrap();
            let mut stored: Vec<(String, String, bool)> = statement
                .query_map([table.name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let mut defined: Vec<_> = table
                .columns
                .iter()
                .map(|column| {
                    let kind = match column.kind {
                        ColumnType::Text | ColumnType::Json | ColumnType::JsonList | ColumnType::Decimal => "TEXT",
                        ColumnType::Integer | ColumnType::Boolean | ColumnType::EpochMs => "INTEGER",
                        ColumnType::Real => "REAL",
                    };
                    (column.name.to_owned(), kind.to_owned(), column.required)
                })
                .collect();
            stored.sort();
            defined.sort();
            assert_eq!(stored, defined, "{}", table.name);
        }
    }
}
