//! Trying held rows again: because a person says so, or because a newer firmware may be able to read them.
//!
//! It promises: a row is stored as its sender may, or goes on being held with its reason; and it goes in short
//! transactions, so that phones have their turn.

use rusqlite::OptionalExtension;

use super::held::Waits;
use super::release;
use crate::clock::HubTime;
use crate::store::Store;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;

/// Rows that are tried in one transaction.
const STEP: u32 = 200;

/// What was tried, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Rows that were tried.
    pub tried: usize,
    /// Rows that are stored now, with those that waited for them.
    pub released: usize,
}

/// A held row without anything of what was sent: for whoever only has to see that it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSummary {
    /// Its id among the held rows.
    pub id: String,
    /// The table it was meant for.
    pub table: String,
    /// Why it is held.
    pub reason: String,
    /// What lets it go without a person, if anything does.
    pub waits: Option<Waits>,
    /// The user who sent it, as that is called now.
    pub user_name: Option<String>,
    /// The device that sent it.
    pub device: DeviceNumber,
    /// When it came.
    pub held_at: HubTime,
}

impl Snapshot<'_> {
    /// The oldest `limit` rows that ask for a person.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_summaries(&self, limit: u32) -> Result<Vec<HeldSummary>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT held_rows.id, table_name, reason, users.name, device, held_at, waits FROM held_rows \
             LEFT JOIN users ON users.id = user_id WHERE waits IS NOT 'table' ORDER BY held_at, held_rows.id LIMIT ?1",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(HeldSummary {
                id: row.get(0)?,
                table: row.get(1)?,
                reason: row.get(2)?,
                user_name: row.get(3)?,
                device: DeviceNumber(row.get(4)?),
                held_at: HubTime::from_millis(row.get(5)?),
                waits: row.get_ref(6)?.as_str_or_null()?.and_then(Waits::named),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Store {
    /// Tries all held rows again that ask for a person, the oldest first.
    ///
    /// # Errors
    /// What the store reports; what was stored until then stays.
    pub fn try_held_again(&self) -> Result<Tried, StoreError> {
        self.try_again("waits IS NOT 'table'")
    }

    /// Tries the rows again that could not be read or did not fit, where this `firmware` has not done so yet.
    ///
    /// # Errors
    /// What the store reports; then it is done at the next call.
    pub fn try_held_by(&self, firmware: &str) -> Result<Tried, StoreError> {
        let last: Option<String> = self.read(|snapshot| {
            let mut last = snapshot
                .connection()?
                .prepare_cached("SELECT held_tried_by FROM hub_state")?;
            Ok::<_, StoreError>(last.query_row([], |row| row.get(0)).optional()?.flatten())
        })?;
        if last.as_deref() == Some(firmware) {
            return Ok(Tried::default());
        }
        let tried = self.try_again("waits IS NULL")?;
        let firmware = firmware.to_owned();
        self.write::<_, StoreError>(move |tx| {
            tx.connection()
                .execute("UPDATE hub_state SET held_tried_by = ?1", [firmware])?;
            Ok(())
        })?;
        Ok(tried)
    }

    fn try_again(&self, which: &str) -> Result<Tried, StoreError> {
        let sql = format!(
            "SELECT held_at, id FROM held_rows WHERE {which} AND (held_at, id) > (?1, ?2) ORDER BY held_at, id LIMIT {STEP}"
        );
        let mut all = Tried::default();
        let mut after = (i64::MIN, String::new());
        loop {
            let batch: Vec<(i64, String)> = self.read(|snapshot| {
                let mut statement = snapshot.connection()?.prepare_cached(&sql)?;
                let rows = statement.query_map((after.0, &after.1), |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok::<_, StoreError>(rows.collect::<Result<_, _>>()?)
            })?;
            let Some(last) = batch.last() else { return Ok(all) };
            after = last.clone();
            let ids: Vec<String> = batch.into_iter().map(|(_, id)| id).collect();
            all.tried += ids.len();
            all.released += self.write(move |tx| release::again(tx, &ids))?;
        }
    }
}
