//! Messages that wrote something, logged somebody in or were answered with rows, so that a recorded one is not taken again
//! after a restart.
//!
//! The hub's keys are static, so whoever recorded a phone's handshake and call can send both again. While the hub runs,
//! the session table refuses that; this table does so beyond a restart, for as long as a token can live.

use super::error::StoreError;
use super::snapshot::Snapshot;
use super::writer::WriteTx;

/// How long a message is remembered, ms: no token lives longer than 30 days.
const REMEMBERED: i64 = 31 * 24 * 60 * 60 * 1000;
/// How many messages are remembered at most, about 40 bytes each.
const MOST: u32 = 500_000;

impl WriteTx<'_> {
    /// Takes notice of a message in the transaction of what it writes. `false`: it was taken before.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn admit_message(&self, id: &[u8]) -> Result<bool, StoreError> {
        let now = self.now();
        self.connection()
            .prepare_cached("DELETE FROM messages WHERE taken_at < ?1")?
            .execute([now.plus_millis(-REMEMBERED).millis()])?;
        // Looked after now and then: it goes over all of them.
        if id.last() == Some(&0) {
            self.connection()
                .prepare_cached(
                    "DELETE FROM messages WHERE taken_at < \
                     (SELECT taken_at FROM messages ORDER BY taken_at DESC LIMIT 1 OFFSET ?1)",
                )?
                .execute([MOST])?;
        }
        let added = self
            .connection()
            .prepare_cached("INSERT OR IGNORE INTO messages (id, taken_at) VALUES (?1, ?2)")?
            .execute((id, now.millis()))?;
        Ok(added == 1)
    }
}

impl Snapshot<'_> {
    /// Whether a message was taken before: asked before there is work for it, which [`WriteTx::admit_message`] settles.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn knows_message(&self, id: &[u8]) -> Result<bool, StoreError> {
        Ok(self
            .connection()?
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM messages WHERE id = ?1)")?
            .query_row([id], |row| row.get(0))?)
    }
}
