//! How long the answer to a pull will be, before it is built: rows by the index of change times, times what a few of them
//! have. It is an estimate, for memory that is shared out: an answer that turns out longer is given up where it passes what
//! was reckoned with ([`StoreError::TooLong`]), and built anew with more room.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::schema::TABLES;
use crate::store::snapshot::Snapshot;

/// Rows of a table that are looked at, of those that changed.
const SAMPLE: usize = 32;
/// What an answer has in any case: the names of the tables and their lists.
const FRAME: usize = 2048;

struct Probe {
    count: String,
    /// The average length of the values of a row.
    values: String,
    /// What stands around them in JSON.
    names: usize,
}

static PROBES: LazyLock<Vec<Probe>> = LazyLock::new(|| {
    let pulled = TABLES.iter().filter(|table| table.phone.pulls());
    pulled
        .map(|table| {
            let mut lengths = String::from("0");
            let mut names = 2;
            for column in table.columns.iter().filter(|column| column.on_phone) {
                // Writing to a string cannot fail.
                let _ = write!(lengths, " + coalesce(length(CAST(\"{}\" AS BLOB)), 2)", column.name);
                names += column.name.len() + 6;
            }
            let name = table.name;
            Probe {
                count: format!("SELECT count(*) FROM {name} WHERE hub_changed_at > ?1"),
                values: format!(
                    "SELECT avg({lengths}) FROM (SELECT * FROM {name} WHERE hub_changed_at > ?1 LIMIT {SAMPLE})"
                ),
                names,
            }
        })
        .collect()
});

impl Snapshot<'_> {
    /// About how many bytes of JSON a pull from `since` has, as far as the rows that changed go.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn expected_pull(&self, since: HubTime) -> Result<usize, StoreError> {
        let mut bytes = FRAME;
        if since > HubTime::ZERO && since >= self.last_change() {
            return Ok(bytes);
        }
        let connection = self.connection()?;
        for probe in PROBES.iter() {
            let rows: u32 = connection
                .prepare_cached(&probe.count)?
                .query_row([since.millis()], |row| row.get(0))?;
            if rows == 0 {
                continue;
            }
            let values: Option<f64> = connection
                .prepare_cached(&probe.values)?
                .query_row([since.millis()], |row| row.get(0))?;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an average of lengths"
            )]
            let values = values.unwrap_or(0.0).ceil() as usize;
            bytes = bytes.saturating_add((rows as usize).saturating_mul(probe.names + values));
        }
        Ok(bytes)
    }
}
