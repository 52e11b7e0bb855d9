//! What the log says of emergency access: who read by it, and how much.

use rusqlite::OptionalExtension;

use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;

/// Entries of emergency access, as the log calls them.
pub const OPENED: &str = "emergency.open";
/// It ended.
pub const ENDED: &str = "emergency.end";
/// A person at the panel has seen who read by it.
pub const SEEN: &str = "emergency.seen";

/// What one user read by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmergencyReads {
    /// What the user is called now; the id of one who is gone.
    pub user: String,
    /// Calls that showed records.
    pub calls: u32,
}

impl Snapshot<'_> {
    /// Who read by the last emergency access, most first; none where there was none, or a person has seen it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn emergency_reads(&self) -> Result<Option<Vec<EmergencyReads>>, StoreError> {
        let connection = self.connection()?;
        let mut last = connection
            .prepare_cached("SELECT seq, action = ?1 FROM audit WHERE action IN (?1, ?2) ORDER BY seq DESC LIMIT 1")?;
        let last: Option<(i64, bool)> = last
            .query_row((OPENED, SEEN), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((opened, true)) = last else { return Ok(None) };
        let mut reads = connection.prepare_cached(
            "SELECT coalesce(users.name, user_id, ''), count(*) FROM audit LEFT JOIN users ON users.id = user_id \
             WHERE seq > ?1 AND CASE WHEN json_valid(detail) THEN json_extract(detail, '$.emergency') END = 1 \
             GROUP BY user_id ORDER BY 2 DESC, 1",
        )?;
        let reads = reads.query_map([opened], |row| {
            Ok(EmergencyReads {
                user: row.get(0)?,
                calls: row.get(1)?,
            })
        })?;
        Ok(Some(reads.collect::<Result<_, _>>()?))
    }
}
