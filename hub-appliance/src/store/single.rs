//! What the app's single writes need to know of the store beside the rows that they write.

use rusqlite::OptionalExtension;

use super::error::StoreError;
use super::reads;
use super::sync::stock;
use super::writer::WriteTx;

/// How long a create without an id is known again: an answer was lost, and a person tried once more.
const RECENT_MS: i64 = 10 * 60 * 1000;

/// A batch in a clinic's stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// How much of it there is.
    pub available: i64,
    /// Its date, epoch ms; none or 0: it has none.
    pub expiry: Option<i64>,
}

impl WriteTx<'_> {
    /// The row that was made of the same create within the last ten minutes.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn recent_create(&self, digest: &[u8; 32]) -> Result<Option<String>, StoreError> {
        let mut find = self
            .connection()
            .prepare_cached("SELECT row_id FROM recent_creates WHERE digest = ?1 AND made_at > ?2")?;
        let oldest = self.now().plus_millis(-RECENT_MS).millis();
        Ok(find.query_row((digest, oldest), |row| row.get(0)).optional()?)
    }

    /// Remembers what a create made, and forgets those that are too old.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn note_create(&self, digest: &[u8; 32], row: &str) -> Result<(), StoreError> {
        let now = self.now();
        let connection = self.connection();
        connection
            .prepare_cached("DELETE FROM recent_creates WHERE made_at <= ?1")?
            .execute([now.plus_millis(-RECENT_MS).millis()])?;
        connection
            .prepare_cached("INSERT OR REPLACE INTO recent_creates (digest, row_id, made_at) VALUES (?1, ?2, ?3)")?
            .execute((digest, row, now.millis()))?;
        Ok(())
    }

    /// The row of a patient's attribute, which is known by the two ids.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn attribute_row(&self, patient: &str, attribute: &str) -> Result<Option<String>, StoreError> {
        let mut find = self.connection().prepare_cached(
            "SELECT id FROM patient_additional_attributes WHERE patient_id = ?1 AND attribute_id = ?2 \
             AND hub_deleted_at IS NULL ORDER BY hub_changed_at DESC, id LIMIT 1",
        )?;
        Ok(find.query_row((patient, attribute), |row| row.get(0)).optional()?)
    }

    /// A batch of a drug in a clinic's stock.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn batch(&self, clinic: &str, drug: &str, batch: &str) -> Result<Option<Batch>, StoreError> {
        let mut find = self.connection().prepare_cached(
            "SELECT quantity_available, batch_expiry_date FROM clinic_inventory WHERE clinic_id = ?1 AND drug_id = ?2 \
             AND batch_id = ?3 AND hub_deleted_at IS NULL ORDER BY id LIMIT 1",
        )?;
        let batch = find.query_row((clinic, drug, batch), |row| {
            Ok(Batch {
                available: row.get(0)?,
                expiry: row.get(1)?,
            })
        });
        Ok(batch.optional()?)
    }

    /// How much was handed out of a prescription's item, by its records; none where it has no record.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn dispensed(&self, item: &str) -> Result<Option<i64>, StoreError> {
        let live = self
            .connection()
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM dispensing_records WHERE prescription_item_id = ?1 \
                 AND hub_deleted_at IS NULL)",
            )?
            .query_row([item], |row| row.get::<_, bool>(0))?;
        Ok(if live {
            stock::sum(self.connection(), item)?
        } else {
            None
        })
    }

    /// A row as the queries show it, as JSON; none where there is none.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn shown(&self, table: &'static str, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let mut out = Vec::new();
        let shown = reads::write_any(self.connection(), table, id, &mut out)?;
        Ok(shown.then_some(out))
    }

    /// A new id, by the hub clock.
    #[must_use]
    pub fn new_id(&self) -> String {
        super::new_id(self.now()).to_string()
    }
}
