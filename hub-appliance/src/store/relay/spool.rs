//! Where the rows of an answer wait until all of it has come: they have to be applied parents first, and an answer that is
//! cut off must leave nothing.
//!
//! A small answer waits in memory. A large one goes to a file beside the database, sealed under a key that nobody keeps,
//! so that a first pull of hundreds of megabytes needs no more memory than any other. A shelf is the same for what has to be found
//! again by its number.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;

use crate::secret::Secret;
use crate::store::Store;
use crate::store::connection::{Purpose, open};
use crate::store::disk::Disk;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

/// What an answer may take of memory, bytes.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// After how many bytes the disk's room is looked at again.
const LOOK: usize = 1024 * 1024;

/// The rows of one answer.
pub struct Spool {
    memory: Vec<(TableId, List, Box<str>)>,
    in_memory: usize,
    file: Option<Connection>,
    path: PathBuf,
    disk: Arc<Disk>,
    since_look: usize,
    /// Tables that the answer has, rows or not.
    tables: Vec<TableId>,
    rows: u64,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// An empty spool. There is one at a time.
    #[must_use]
    pub fn spool(&self) -> Spool {
        Spool::at(self.path.with_file_name("pull.spool"), Arc::clone(&self.disk))
    }

    /// An empty spool for what a courier brings, beside that of the relay. There is one at a time.
    #[must_use]
    pub fn courier_spool(&self) -> Spool {
        Spool::at(self.path.with_file_name("courier.spool"), Arc::clone(&self.disk))
    }
}

impl Spool {
    /// An empty spool for who has no store, with its file in `folder`. There is one of a name at a time.
    #[must_use]
    pub fn within(folder: &Path, name: &str) -> Self {
        let path = folder.join(name).with_extension("spool");
        let disk = Arc::new(Disk::under(&path));
        Self::at(path, disk)
    }

    fn at(path: PathBuf, disk: Arc<Disk>) -> Self {
        let spool = Self {
            memory: Vec::new(),
            in_memory: 0,
            file: None,
            path,
            disk,
            since_look: 0,
            tables: Vec::new(),
            rows: 0,
        };
        // What a power cut left is sealed and of no use.
        spool.remove();
        spool
    }

    /// The tables that the answer has, rows or not.
    #[must_use]
    pub fn tables(&self) -> &[TableId] {
        &self.tables
    }

    /// Hands out the rows of one list of a table in their order.
    ///
    /// # Errors
    /// What SQLite or `work` report.
    pub fn rows_of(
        &self,
        table: TableId,
        list: List,
        mut work: impl FnMut(&str) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.portions(table, list, 1, |rows| rows.iter().try_for_each(|json| work(json)))
    }

    /// Takes notice that the answer has this table.
    pub fn has_table(&mut self, table: TableId) {
        self.tables.push(table);
    }

    /// Whether the answer has this table.
    #[must_use]
    pub fn names(&self, table: TableId) -> bool {
        self.tables.contains(&table)
    }

    /// How many rows there are.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row, or an entry of the list of deletions: its JSON.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the disk has no room for more, or what it or SQLite report.
    pub fn push(&mut self, table: TableId, list: List, json: &str) -> Result<(), StoreError> {
        self.rows += 1;
        if self.file.is_none() && self.in_memory + json.len() > IN_MEMORY {
            self.file = Some(self.open()?);
            for (table, list, json) in std::mem::take(&mut self.memory) {
                self.write(table, list, &json)?;
            }
        }
        if self.file.is_some() {
            return self.write(table, list, json);
        }
        self.in_memory += json.len();
        self.memory.push((table, list, json.into()));
        Ok(())
    }

    fn open(&self) -> Result<Connection, StoreError> {
        let connection = open(&self.path, &Secret::random()?, Purpose::Fill)?;
        connection.execute_batch(
            "PRAGMA synchronous = OFF; \
             CREATE TABLE spool (tab TEXT NOT NULL, list TEXT NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL, \
             PRIMARY KEY (tab, list, seq)) STRICT, WITHOUT ROWID; BEGIN;",
        )?;
        Ok(connection)
    }

    fn write(&mut self, table: TableId, list: List, json: &str) -> Result<(), StoreError> {
        self.since_look += json.len();
        if self.since_look > LOOK {
            self.disk.has_room_for(self.since_look as u64)?;
            self.since_look = 0;
        }
        let Some(file) = &self.file else { return Ok(()) };
        file.prepare_cached(
            "INSERT INTO spool SELECT ?1, ?2, 1 + coalesce(max(seq), 0), ?3 FROM spool WHERE tab = ?1 AND list = ?2",
        )?
        .execute((table.table().name, list.name(), json))?;
        Ok(())
    }

    /// The rows of one list of a table in their order, in portions of at most `portion`.
    ///
    /// # Errors
    /// What SQLite or `work` report.
    pub(super) fn portions(
        &self,
        table: TableId,
        list: List,
        portion: usize,
        mut work: impl FnMut(Vec<Box<str>>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut gathered = Vec::new();
        let mut take = |json: Box<str>, gathered: &mut Vec<Box<str>>| {
            gathered.push(json);
            if gathered.len() >= portion {
                work(std::mem::take(gathered))
            } else {
                Ok(())
            }
        };
        if let Some(file) = &self.file {
            let mut statement =
                file.prepare_cached("SELECT json FROM spool WHERE tab = ?1 AND list = ?2 ORDER BY seq")?;
            let mut rows = statement.query((table.table().name, list.name()))?;
            while let Some(row) = rows.next()? {
                take(row.get(0)?, &mut gathered)?;
            }
        } else {
            let rows = self.memory.iter().filter(|row| row.0 == table && row.1 == list);
            for (_, _, json) in rows {
                take(json.clone(), &mut gathered)?;
            }
        }
        if gathered.is_empty() { Ok(()) } else { work(gathered) }
    }

    fn remove(&self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    // Where it can't be removed it takes room until the next pull, and nobody can read it.
    let _ = fs::remove_file(path);
    for suffix in ["-wal", "-shm", "-journal"] {
        let mut beside = path.to_owned().into_os_string();
        beside.push(suffix);
        let _ = fs::remove_file(beside);
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            self.remove();
        }
    }
}

/// Texts by their numbers, in a file of their own: more of them than there is memory for.
pub struct Shelf {
    /// None when it is being dropped.
    file: Option<Connection>,
    path: PathBuf,
    disk: Arc<Disk>,
    since_look: Cell<usize>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

impl Store {
    /// An empty shelf for what a courier brings. There is one at a time.
    ///
    /// # Errors
    /// What the disk or SQLite report.
    pub fn courier_shelf(&self) -> Result<Shelf, StoreError> {
        Shelf::at(self.path.with_file_name("courier.shelf"), Arc::clone(&self.disk))
    }
}

impl Shelf {
    /// An empty shelf for who has no store, with its file in `folder`. There is one of a name at a time.
    ///
    /// # Errors
    /// What the disk or SQLite report.
    pub fn within(folder: &Path, name: &str) -> Result<Self, StoreError> {
        let path = folder.join(name).with_extension("shelf");
        let disk = Arc::new(Disk::under(&path));
        Self::at(path, disk)
    }

    fn at(path: PathBuf, disk: Arc<Disk>) -> Result<Self, StoreError> {
        remove(&path);
        let file = open(&path, &Secret::random()?, Purpose::Fill)?;
        file.execute_batch(
            "PRAGMA synchronous = OFF; CREATE TABLE shelf (number INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT; BEGIN;",
        )?;
        Ok(Self {
            file: Some(file),
            path,
            disk,
            since_look: Cell::new(0),
        })
    }

    /// Puts a text there, in the place of the one with this number.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the disk has no room for it, or what it or SQLite report.
    pub fn put(&self, number: usize, text: &str) -> Result<(), StoreError> {
        let since_look = self.since_look.get() + text.len();
        self.since_look.set(since_look);
        if since_look > LOOK {
            self.disk.has_room_for(since_look as u64)?;
            self.since_look.set(0);
        }
        let file = self.file.as_ref().ok_or(StoreError::Closed)?;
        file.prepare_cached("INSERT OR REPLACE INTO shelf VALUES (?1, ?2)")?
            .execute((i64::try_from(number).unwrap_or(i64::MAX), text))?;
        Ok(())
    }

    /// The text with this number.
    ///
    /// # Errors
    /// What SQLite reports, also where there is none.
    pub fn get(&self, number: usize) -> Result<String, StoreError> {
        let file = self.file.as_ref().ok_or(StoreError::Closed)?;
        let mut statement = file.prepare_cached("SELECT text FROM shelf WHERE number = ?1")?;
        Ok(statement.query_row([i64::try_from(number).unwrap_or(i64::MAX)], |row| row.get(0))?)
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        drop(self.file.take());
        remove(&self.path);
    }
}
