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
    key: StoreKey,
    idle: Mutex<Option<Vec<Reader>>>,
    returned: Condvar,
    interrupts: Mutex<Vec<InterruptHandle>>,
    /// How many patients there are, as far as somebody has counted.
    counts: Counts,
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
        let connections = (0..count)
            .map(|_| open(path, key, Purpose::Read))
            .collect::<Result<Vec<_>, _>>()?;
        let interrupts = connections.iter().map(Connection::get_interrupt_handle).collect();
        let idle = connections.into_iter().enumerate();
        let idle = idle.map(|(number, connection)| Reader { connection, number }).collect();
        Ok(Self {
            path: path.to_owned(),
            key: key.clone(),
            idle: Mutex::new(Some(idle)),
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
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = loop {
            match idle.as_mut() {
                None => return Err(StoreError::Closed),
                Some(readers) => match readers.pop() {
                    Some(reader) => break reader,
                    None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
                },
            }
        };
        drop(idle);
        let mut snapshot = Snapshot {
            readers: self,
            reader: Some(reader),
            last_change: HubTime::ZERO,
        };
        snapshot.begin()?;
        Ok(snapshot)
    }

    fn give_back(&self, mut reader: Reader) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // Once the store is closed nothing is opened any more.
        if let Some(readers) = idle.as_mut() {
            // Where no other can be opened it stays, and nobody gets what it reads.
            if !is_sound(&reader.connection)
                && let Ok(connection) = open(&self.path, &self.key, Purpose::Read)
            {
                self.interrupts()[reader.number] = connection.get_interrupt_handle();
                reader.connection = connection;
            }
            readers.push(reader);
        }
        drop(idle);
        self.returned.notify_all();
    }

    fn interrupts(&self) -> MutexGuard<'_, Vec<InterruptHandle>> {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more reads and interrupts those under way; returns when all connections are closed or `patience` ends.
    /// Returns whether all are closed.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let all = self.interrupts().len();
        let mut closed = 0;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            closed += idle.as_mut().map_or(0, |readers| readers.drain(..).count());
            if closed == all || idle.is_none() {
                break;
            }
            for interrupt in &*self.interrupts() {
                interrupt.interrupt();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            idle = self
                .returned
                .wait_timeout(idle, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *idle = None;
        drop(idle);
        self.returned.notify_all();
        closed == all
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
