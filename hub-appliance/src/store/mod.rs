//! The encrypted database: records, change clock, merge, history, audit, devices, tokens. SQL is nowhere else.
//!
//! It promises: an acknowledged write survives a power cut; a write is all there or not at all; commit order is clock
//! order; a read is one snapshot; no replaced value is lost; nothing is on the disk in the clear.
#![forbid(unsafe_code)]

pub mod audit;
pub mod cloud;
mod connection;
pub mod copies;
pub mod devices;
mod disk;
mod error;
mod inventory;
pub mod log;
mod messages;
mod migrate;
pub mod people;
mod pulse;
mod queue;
pub mod reads;
mod refusals;
mod rekey;
pub mod relay;
pub mod rows;
pub mod schema;
mod search;
pub mod single;
mod snapshot;
pub mod staff;
pub mod sync;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod value;
mod writer;

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use rusqlite::OptionalExtension;
use uuid::Uuid;

use audit::{AuditChain, AuditKey};
use connection::Purpose;
pub use connection::StoreKey;
use disk::Disk;
pub use error::{StoreError, Trouble};
pub use inventory::Inventory;
pub use migrate::SCHEMA_VERSION;
pub use pulse::Pulse;
pub use refusals::Refusal;
use snapshot::Readers;
pub use snapshot::Snapshot;
pub use writer::WriteTx;
use writer::Writer;

use crate::atomic_file;
use crate::clock::{HubClock, HubTime, RunTime};

/// Read connections kept open: as many reads run at a time.
const READERS: usize = 4;

/// Holds the store's folder for one process, whether or not the database is open.
#[derive(Debug)]
pub struct StoreLock {
    _file: Flock<File>,
}

impl StoreLock {
    /// Takes the folder, making it if it is not there, and closes it to everybody else: whoever had its disk elsewhere may
    /// have opened it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process holds it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        atomic_file::private_folder(folder)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map(|file| Self { _file: file })
            .map_err(|_| StoreError::InUse)
    }
}

/// An open store.
pub struct Store {
    writer: Writer,
    readers: Readers,
    clock: Arc<HubClock>,
    disk: Arc<Disk>,
    path: PathBuf,
    pages: log::PageFiles,
    /// Of the chain of the audit log.
    audit_key: AuditKey,
    /// Held while the database comes under another key.
    rekeying: Mutex<()>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database in `folder`, making it if it is not there, and migrates it to this firmware's schema.
    ///
    /// The hub clock takes notice of the last change time.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], [`StoreError::TooNew`], [`StoreError::NoRoom`], or what
    /// SQLite or the disk report.
    pub fn open(folder: &Path, key: &StoreKey, audit_key: AuditKey, clock: Arc<HubClock>) -> Result<Self, StoreError> {
        Self::open_watched(folder, key, audit_key, clock, Pulse::default())
    }

    /// The same; `pulse` shows that it moves on, and is the writer's afterwards.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_watched(
        folder: &Path,
        key: &StoreKey,
        audit_key: AuditKey,
        clock: Arc<HubClock>,
        pulse: Pulse,
    ) -> Result<Self, StoreError> {
        let path = database(folder);
        rekey::clean(&path)?;
        let disk = Arc::new(Disk::under(&path));
        // A log that a power cut left is taken in.
        let mut connection = pulse.unseen(|| connection::open(&path, key, Purpose::Write))?;
        pulse.follow(&mut connection);
        migrate::migrate(&mut connection, &path, &disk, &pulse)?;
        search::make_unless_there(&mut connection, &pulse)?;
        let last: Option<(i64, i64)> = connection
            .query_row("SELECT last_change, run_ms FROM hub_state", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        if let Some((last_change, run)) = last {
            clock.observe(HubTime::from_millis(last_change));
            clock.has_run(RunTime::from_millis(run));
        } else {
            let born = clock.now().millis();
            connection.execute(
                "INSERT INTO hub_state (id, last_change, cloud_timestamp) VALUES (1, ?1, 0)",
                [born],
            )?;
        }
        sync::held::complete(&mut connection, &pulse)?;
        let audit = AuditChain::resume(&connection, audit_key.clone())?;
        let readers = Readers::open(&path, key, READERS)?;
        let writer = Writer::start(connection, key, Arc::clone(&clock), audit, &disk, pulse)?;
        let store = Self {
            writer,
            readers,
            clock,
            disk,
            path,
            pages: log::PageFiles::default(),
            audit_key,
            rekeying: Mutex::new(()),
        };
        store.take_in_what_is_known_now()?;
        Ok(store)
    }

    /// Tables and columns of newer apps that this firmware has come to know: what was kept of them becomes rows and values.
    fn take_in_what_is_known_now(&self) -> Result<(), StoreError> {
        let waits =
            "SELECT EXISTS (SELECT 1 FROM held_rows WHERE waits = 'table') OR EXISTS (SELECT 1 FROM newer_columns)";
        if self.asks(waits)? {
            self.write(|tx| {
                sync::newer::adopt(tx)?;
                sync::release::known_tables(tx)
            })?;
        }
        Ok(())
    }

    /// Whether the database in `folder`, which nobody has open, opens with this key.
    #[must_use]
    pub fn opens_with(folder: &Path, key: &StoreKey) -> bool {
        Self::schema_version(folder, key).is_some()
    }

    /// The version of the schema that the database in `folder` has, which nobody has open; none where there is no database
    /// that opens with this key.
    #[must_use]
    pub fn schema_version(folder: &Path, key: &StoreKey) -> Option<i64> {
        let connection = connection::open(&database(folder), key, Purpose::Read).ok()?;
        migrate::version(&connection).ok()
    }

    /// The last entry of the audit log in `folder`, whose database nobody has open, of whichever schema; none in an empty log.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn audit_head_of(folder: &Path, key: &StoreKey) -> Result<Option<audit::Head>, StoreError> {
        audit::Head::of(&connection::open(&database(folder), key, Purpose::Read)?)
    }

    /// Whether the open database is under this key.
    #[must_use]
    pub fn is_under(&self, key: &StoreKey) -> bool {
        self.readers.are_under(key)
    }

    /// How its writer shows that it moves on.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        self.writer.pulse()
    }

    /// The hub clock.
    #[must_use]
    pub fn clock(&self) -> &HubClock {
        &self.clock
    }

    /// Writes down how long the box has run: to be called now and then, for what is not written down a power cut undoes.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn save_run_time(&self) -> Result<(), StoreError> {
        self.write(|tx| tx.save_run_time())
    }

    /// Runs `work` in a transaction of its own and returns when that is on disk. If `work` fails, nothing of it stays.
    ///
    /// # Errors
    /// What `work` returns, or why it was not committed.
    pub fn write<T, E>(&self, work: impl FnOnce(&mut WriteTx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.writer.run(work)
    }

    /// Reads: everything that `work` reads is one consistent view, and is what was written.
    ///
    /// # Errors
    /// What `work` returns, [`StoreError::Closed`], [`StoreError::WrongKey`] if a page is damaged, or what SQLite reports.
    pub fn read<T, E: From<StoreError>>(&self, work: impl FnOnce(&Snapshot<'_>) -> Result<T, E>) -> Result<T, E> {
        let snapshot = self.snapshot()?;
        let result = work(&snapshot);
        if let Err(error) = snapshot.check() {
            self.note(Trouble::Damaged);
            return Err(error.into());
        }
        result
    }

    /// Begins reading; what is read is not to leave the store before [`Snapshot::check`].
    fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        self.readers.snapshot()
    }

    /// Whether nothing has ever been put in: no user, patient or device.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn is_blank(&self) -> Result<bool, StoreError> {
        self.asks(
            "SELECT NOT EXISTS (SELECT 1 FROM users) AND NOT EXISTS (SELECT 1 FROM patients) \
                   AND NOT EXISTS (SELECT 1 FROM devices)",
        )
    }

    /// Whether anybody could log in.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn has_users(&self) -> Result<bool, StoreError> {
        self.asks("SELECT EXISTS (SELECT 1 FROM users)")
    }

    /// Whether there is anybody who could log in.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn has_staff(&self) -> Result<bool, StoreError> {
        self.asks("SELECT EXISTS (SELECT 1 FROM users WHERE hub_deleted_at IS NULL)")
    }

    fn asks(&self, sql: &str) -> Result<bool, StoreError> {
        self.read(|snapshot| Ok(snapshot.connection()?.query_row(sql, [], |row| row.get(0))?))
    }

    /// How many rows are held for a person.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_count(&self) -> Result<u32, StoreError> {
        self.read(|snapshot| sync::held::count(snapshot.connection()?))
    }

    /// How full the disk is, in percent: at 100, no more records are taken in.
    ///
    /// # Errors
    /// [`StoreError::Disk`] if the disk does not tell.
    pub fn disk_used_percent(&self) -> Result<u8, StoreError> {
        self.disk.used_percent()
    }

    /// Whether the disk is so full that no more records are taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.disk.is_full()
    }

    /// Whether the disk failed to read or write: what is read or written from now on fails too.
    #[must_use]
    pub fn disk_has_failed(&self) -> bool {
        self.disk.has_failed()
    }

    /// Whether there are records that can't be read, as far as somebody met with one.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.disk.is_damaged()
    }

    /// Takes notice of what somebody met with who used the store.
    pub fn note(&self, trouble: Trouble) {
        self.disk.note(trouble);
    }

    /// Removes the copies that a migration left: called after a good start.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn drop_migration_copies(&self) -> Result<(), StoreError> {
        migrate::drop_copies(&self.path)
    }

    /// Whether there is a copy from before a migration, of whichever schema: it is under the key of then.
    #[must_use]
    pub fn has_migration_copies(&self) -> bool {
        (1..=SCHEMA_VERSION).any(|version| migrate::has_copy(&self.path, version))
    }

    /// Whether the database in `folder` has a copy from before it was migrated from schema `version`.
    #[must_use]
    pub fn has_migration_copy(folder: &Path, version: i64) -> bool {
        migrate::has_copy(&database(folder), version)
    }

    /// Makes the copy from before the migration from schema `version` the database in `folder` again, which nobody may
    /// have open. What was written since is lost.
    ///
    /// # Errors
    /// What the disk reports; the copy is then still there.
    pub fn put_migration_copy_back(folder: &Path, version: i64) -> Result<(), StoreError> {
        Ok(migrate::put_copy_back(&database(folder), version)?)
    }

    /// Removes the database in `folder`, a copy that is no good and that nobody has open.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn discard(folder: &Path) -> Result<(), StoreError> {
        Ok(fs::remove_file(database(folder))?)
    }

    /// Interrupts reads, finishes the writes that wait, checkpoints and closes. Returns whether all of it ended within
    /// `patience`.
    pub fn close(&self, patience: Duration) -> bool {
        let closed = self.readers.close(patience);
        self.writer.close(patience);
        self.pages.close();
        closed
    }
}

fn database(folder: &Path) -> PathBuf {
    folder.join("hub.db")
}

/// A new id: UUIDv7 (RFC 9562, section 5.7) with the time of the hub clock.
#[must_use]
pub fn new_id(at: HubTime) -> Uuid {
    let millis = u64::try_from(at.millis()).unwrap_or(0);
    let timestamp = uuid::Timestamp::from_unix(
        uuid::NoContext,
        millis / 1000,
        u32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
    );
    Uuid::new_v7(timestamp)
}
