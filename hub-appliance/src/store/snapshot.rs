//! Reading: a small pool of connections kept open, each read one snapshot.
//!
//! A connection that has met with a page that is not what was written is good for nothing any more: SQLCipher gives zeros for
//! every page that it reads from then on, and no error. So whether it has is asked at the end of each read, before anybody
//! gets what was read, and then another one takes its place.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle};

use super::connection::{Purpose, StoreKey, open};
use super::error::StoreError;
use super::reads::patients::Counts;
use crate::clock::HubTime;

/// The read connections.
pub(super) struct Readers {
    path: PathBuf,
    pool: Mutex<Option<Pool>>,
    returned: Condvar,
    interrupts: Mutex<Vec<InterruptHandle>>,
    /// How many patients there are, as far as somebody has counted.
    counts: Counts,
}

/// The connections of an open store.
struct Pool {
    idle: Vec<Reader>,
    /// How many there are, idle or not.
    count: usize,
    key: StoreKey,
    /// Nobody gets one.
    is_paused: bool,
}

/// A connection, and whose interrupt handle is its own.
struct Reader {
    connection: Connection,
    number: usize,
}

impl Readers {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn open(path: &Path, key: &StoreKey, count: usize) -> Result<Self, StoreError> {
        let (idle, interrupts) = open_all(path, key, count)?;
        Ok(Self {
            path: path.to_owned(),
            pool: Mutex::new(Some(Pool {
                idle,
                count,
                key: key.clone(),
                is_paused: false,
            })),
            returned: Condvar::new(),
            interrupts: Mutex::new(interrupts),
            counts: Counts::default(),
        })
    }

    /// Waits for a free connection and begins a snapshot on it.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after [`Readers::close`], or what SQLite reports.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let mut pool = self.pool();
        let reader = loop {
            let open = pool.as_mut().ok_or(StoreError::Closed)?;
            match if open.is_paused { None } else { open.idle.pop() } {
                Some(reader) => break reader,
                None => pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(pool);
        let mut snapshot = Snapshot {
            readers: self,
            reader: Some(reader),
            last_change: HubTime::ZERO,
        };
        snapshot.begin()?;
        Ok(snapshot)
    }

    fn give_back(&self, mut reader: Reader) {
        let mut pool = self.pool();
        // Once the store is closed nothing is opened any more.
        if let Some(open_pool) = pool.as_mut() {
            // Where no other can be opened it stays, and nobody gets what it reads.
            if !is_sound(&reader.connection)
                && let Ok(connection) = open(&self.path, &open_pool.key, Purpose::Read)
            {
                self.interrupts()[reader.number] = connection.get_interrupt_handle();
                reader.connection = connection;
            }
            open_pool.idle.push(reader);
        }
        drop(pool);
        self.returned.notify_all();
    }

    /// Whether the file is under this key.
    pub(super) fn are_under(&self, key: &StoreKey) -> bool {
        self.pool().as_ref().is_some_and(|open| open.key == *key)
    }

    fn pool(&self) -> MutexGuard<'_, Option<Pool>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all connections once the reads under way have ended, and has those that come wait. None, with everything as
    /// it was, where one does not end within `patience`, or the store is closed.
    pub(super) fn pause(&self, patience: Duration) -> Option<Paused<'_>> {
        let deadline = Instant::now() + patience;
        let mut pool = self.pool();
        loop {
            let open = pool.as_mut()?;
            open.is_paused = true;
            if open.idle.len() == open.count {
                open.idle.clear();
                open.count = 0;
                return Some(Paused(self, open.key.clone()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                open.is_paused = false;
                drop(pool);
                self.returned.notify_all();
                return None;
            }
            pool = self
                .returned
                .wait_timeout(pool, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn interrupts(&self) -> MutexGuard<'_, Vec<InterruptHandle>> {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more reads and interrupts those under way; returns when all connections are closed or `patience` ends.
    /// Returns whether all are closed.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut pool = self.pool();
        let all = pool.as_ref().map_or(0, |open| open.count);
        let mut closed = 0;
        loop {
            closed += pool.as_mut().map_or(0, |open| open.idle.drain(..).count());
            if closed == all || pool.is_none() {
                break;
            }
            for interrupt in &*self.interrupts() {
                interrupt.interrupt();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            pool = self
                .returned
                .wait_timeout(pool, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *pool = None;
        drop(pool);
        self.returned.notify_all();
        closed == all
    }
}

type Connections = (Vec<Reader>, Vec<InterruptHandle>);

fn open_all(path: &Path, key: &StoreKey, count: usize) -> Result<Connections, StoreError> {
    let connections = (0..count)
        .map(|_| open(path, key, Purpose::Read))
        .collect::<Result<Vec<_>, _>>()?;
    let interrupts = connections.iter().map(Connection::get_interrupt_handle).collect();
    let idle = connections.into_iter().enumerate();
    let idle = idle.map(|(number, connection)| Reader { connection, number }).collect();
    Ok((idle, interrupts))
}

/// Readers that have no connection, while the file is exchanged under them.
pub(super) struct Paused<'a>(&'a Readers, StoreKey);

impl Paused<'_> {
    /// The key of the file that they were on.
    pub(super) const fn key(&self) -> &StoreKey {
        &self.1
    }

    /// Opens `count` connections to the file that is there now, and lets those in who wait.
    ///
    /// # Errors
    /// What SQLite reports; the store then is closed for whoever reads.
    pub(super) fn resume(self, key: &StoreKey, count: usize) -> Result<(), StoreError> {
        let opened = open_all(&self.0.path, key, count);
        let mut pool = self.0.pool();
        // It may have been closed meanwhile.
        if pool.is_some() {
            *pool = match opened {
                Ok((idle, interrupts)) => {
                    *self.0.interrupts() = interrupts;
                    Some(Pool {
                        idle,
                        count,
                        key: key.clone(),
                        is_paused: false,
                    })
                }
                Err(error) => {
                    *pool = None;
                    drop(pool);
                    self.0.returned.notify_all();
                    return Err(error);
                }
            };
        }
        drop(pool);
        self.0.returned.notify_all();
        Ok(())
    }
}

/// A consistent view of the store as of one commit.
pub struct Snapshot<'a> {
    readers: &'a Readers,
    reader: Option<Reader>,
    last_change: HubTime,
}

impl Snapshot<'_> {
    fn begin(&mut self) -> Result<(), StoreError> {
        let connection = self.connection()?;
        connection.execute_batch("BEGIN")?;
        // The first read is what fixes the snapshot.
        let last_change = connection
            .prepare_cached("SELECT last_change FROM hub_state")?
            .query_row([], |row| row.get(0))?;
        self.last_change = HubTime::from_millis(last_change);
        Ok(())
    }

    /// The connection, for statements of the store.
    pub(super) fn connection(&self) -> Result<&Connection, StoreError> {
        let reader = self.reader.as_ref().ok_or(StoreError::Closed)?;
        Ok(&reader.connection)
    }

    /// What others have counted.
    pub(super) const fn counts(&self) -> &Counts {
        &self.readers.counts
    }

    /// To be asked when all is read, before anybody gets it.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] if a page was not what was written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if is_sound(self.connection()?) {
            Ok(())
        } else {
            Err(StoreError::WrongKey)
        }
    }

    /// The change time of the last commit in this snapshot.
    #[must_use]
    pub const fn last_change(&self) -> HubTime {
        self.last_change
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            // Ends a read; there is nothing to lose.
            let _ = reader.connection.execute_batch("ROLLBACK");
            self.readers.give_back(reader);
        }
    }
}

/// Whether a connection outside a write transaction has met with no page that is not what was written: SQLCipher lets nothing
/// be written by one that has (`sqlcipher_codec_ctx_set_error`).
fn is_sound(connection: &Connection) -> bool {
    connection
        .is_readonly(rusqlite::MAIN_DB)
        .is_ok_and(|is_readonly| !is_readonly)
}
