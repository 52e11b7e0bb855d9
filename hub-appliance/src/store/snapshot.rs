//! Reading: a small pool of connections kept open, each read one snapshot.

use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, InterruptHandle};

use super::connection::{Purpose, StoreKey, open};
use super::error::StoreError;
use crate::clock::HubTime;

/// The read connections.
pub(super) struct Readers {
    idle: Mutex<Option<Vec<Connection>>>,
    returned: Condvar,
    interrupts: Vec<InterruptHandle>,
}

impl Readers {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn open(path: &Path, key: &StoreKey, count: usize) -> Result<Self, StoreError> {
        let idle = (0..count)
            .map(|_| open(path, key, Purpose::Read))
            .collect::<Result<Vec<_>, _>>()?;
        let interrupts = idle.iter().map(Connection::get_interrupt_handle).collect();
        Ok(Self {
            idle: Mutex::new(Some(idle)),
            returned: Condvar::new(),
            interrupts,
        })
    }

    /// Waits for a free connection and begins a snapshot on it.
    ///
    /// # Errors
    /// [`StoreError::Closed`] after [`Readers::close`], or what SQLite reports.
    pub(super) fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = loop {
            match idle.as_mut() {
                None => return Err(StoreError::Closed),
                Some(connections) => match connections.pop() {
                    Some(connection) => break connection,
                    None => idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner),
                },
            }
        };
        drop(idle);
        let mut snapshot = Snapshot {
            readers: self,
            connection: Some(connection),
            last_change: HubTime::ZERO,
        };
        snapshot.begin()?;
        Ok(snapshot)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connections) = idle.as_mut() {
            connections.push(connection);
        }
        drop(idle);
        self.returned.notify_all();
    }

    /// Takes no more reads and interrupts those under way; returns when all connections are closed or `patience` ends.
    /// Returns whether all are closed.
    pub(super) fn close(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut closed = 0;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            closed += idle.as_mut().map_or(0, |connections| connections.drain(..).count());
            if closed == self.interrupts.len() || idle.is_none() {
                break;
            }
            for interrupt in &self.interrupts {
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
        closed == self.interrupts.len()
    }
}

/// A consistent view of the store as of one commit.
pub struct Snapshot<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
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
        self.connection.as_ref().ok_or(StoreError::Closed)
    }

    /// The change time of the last commit in this snapshot.
    #[must_use]
    pub const fn last_change(&self) -> HubTime {
        self.last_change
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Ends a read; there is nothing to lose.
            let _ = connection.execute_batch("ROLLBACK");
            self.readers.give_back(connection);
        }
    }
}
