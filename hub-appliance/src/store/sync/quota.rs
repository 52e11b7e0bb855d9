//! What each device has written today, by pushes and by single calls, and has among the held rows, so that no phone fills
//! the disk of all.
//!
//! It promises: who is over a limit is refused before anything is written, and the panel can say which phone that is for as
//! long as it goes on being refused.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::held;
use super::limits::{MAX_A_DAY, MAX_HELD};
use crate::store::Store;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::writer::WriteTx;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What a device may still write, for the length of one push.
pub(super) struct Quota {
    device: DeviceNumber,
    day: i64,
    written: u64,
    held: u64,
    /// The history's last entry before this push.
    history: i64,
}

impl Quota {
    /// Looks up what the device has used.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] if that is all it may.
    pub(super) fn of(tx: &WriteTx<'_>, device: DeviceNumber) -> Result<Self, StoreError> {
        let connection = tx.connection();
        let day = tx.now().millis().div_euclid(DAY_MS);
        let quota = Self {
            device,
            day,
            written: written(connection, device, day)?,
            held: held::bytes_of(connection, device)?,
            history: last_entry(connection)?,
        };
        quota.check().map(|()| quota)
    }

    /// The same for a single call, by which nothing is held.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] if the device has written all that it may.
    fn of_single_call(tx: &WriteTx<'_>, device: DeviceNumber) -> Result<Self, StoreError> {
        let day = tx.now().millis().div_euclid(DAY_MS);
        let quota = Self {
            device,
            day,
            written: written(tx.connection(), device, day)?,
            held: 0,
            history: last_entry(tx.connection())?,
        };
        quota.check().map(|()| quota)
    }

    /// Whether anything of the device was held before.
    pub(super) const fn holds_any(&self) -> bool {
        self.held > 0
    }

    /// Counts a row that was written.
    pub(super) const fn write(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes as u64);
    }

    /// Counts a row that is held.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`].
    pub(super) fn hold(&mut self, bytes: u64) -> Result<(), StoreError> {
        self.held = self.held.saturating_add(bytes);
        self.written = self.written.saturating_add(bytes);
        self.check()
    }

    /// Writes down what the push has used.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] if that is more than it may, or what SQLite reports.
    pub(super) fn settle(mut self, tx: &WriteTx<'_>) -> Result<(), StoreError> {
        let grown: i64 = tx
            .connection()
            .prepare_cached("SELECT coalesce(sum(length(CAST(cells AS BLOB))), 0) FROM history WHERE seq > ?1")?
            .query_row([self.history], |row| row.get(0))?;
        self.written = self.written.saturating_add(u64::try_from(grown).unwrap_or(0));
        self.check()?;
        tx.connection()
            .prepare_cached(
                "INSERT INTO device_writes (device, day, bytes) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET day = ?2, bytes = ?3, refused_at = NULL",
            )?
            .execute((self.device.0, self.day, i64::try_from(self.written).unwrap_or(i64::MAX)))?;
        Ok(())
    }

    const fn check(&self) -> Result<(), StoreError> {
        if self.held > MAX_HELD || self.written > MAX_A_DAY {
            Err(StoreError::OverQuota)
        } else {
            Ok(())
        }
    }
}

/// What the device has written on that day.
fn written(connection: &Connection, device: DeviceNumber, day: i64) -> Result<u64, StoreError> {
    let bytes: Option<i64> = connection
        .prepare_cached("SELECT bytes FROM device_writes WHERE device = ?1 AND day = ?2")?
        .query_row((device.0, day), |row| row.get(0))
        .optional()?;
    Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
}

fn last_entry(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM history")?
        .query_row([], |row| row.get(0))?)
}

impl WriteTx<'_> {
    /// Runs `work`, which takes `bytes` in for a single call of the device, and counts them and what the history grows by.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] if that is more than a device may write in a day, or what `work` returns; then nothing of it
    /// may stay.
    pub fn within_quota<T, E: From<StoreError>>(
        &mut self,
        device: DeviceNumber,
        bytes: usize,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut quota = Quota::of_single_call(self, device)?;
        quota.write(bytes);
        let done = work(self)?;
        quota.settle(self)?;
        Ok(done)
    }

    /// Notes that a write of the device was refused because it has written or holds too much.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_over_quota(&self, device: DeviceNumber) -> Result<(), StoreError> {
        self.connection()
            .prepare_cached(
                "INSERT INTO device_writes (device, day, bytes, refused_at) VALUES (?1, 0, 0, ?2) \
                 ON CONFLICT DO UPDATE SET refused_at = ?2",
            )?
            .execute((device.0, self.now().millis()))?;
        Ok(())
    }
}

impl Store {
    /// The devices whose last write was refused because they have written or hold too much.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn over_quota(&self) -> Result<HashSet<DeviceNumber>, StoreError> {
        self.read(|snapshot| {
            let mut statement = snapshot
                .connection()?
                .prepare_cached("SELECT device FROM device_writes WHERE refused_at IS NOT NULL")?;
            let devices = statement.query_map([], |row| row.get(0).map(DeviceNumber))?;
            Ok(devices.collect::<Result<_, _>>()?)
        })
    }
}
