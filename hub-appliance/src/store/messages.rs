//! Messages that wrote something, so that a recorded one is not taken again after a restart.
//!
//! The hub's keys are static, so whoever recorded a phone's handshake and push can send both again. While the hub runs,
//! the session table refuses that; this table does so beyond a restart, for as long as a token can live.

use super::error::StoreError;
use super::writer::WriteTx;

/// How long a message is remembered, ms: no token lives longer than 30 days.
const REMEMBERED: i64 = 31 * 24 * 60 * 60 * 1000;

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
        let added = self
            .connection()
            .prepare_cached("INSERT OR IGNORE INTO messages (id, taken_at) VALUES (?1, ?2)")?
            .execute((id, now.millis()))?;
        Ok(added == 1)
    }
}
