//! Drugs, and what of them is in a clinic's stock.

use super::{Found, Listing, Shown, Sight};
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

/// How long a batch is good on the day that it expires: till its end.
const A_DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Which drugs; what is missing does not matter.
#[derive(Debug, Default)]
pub struct DrugFilter {
    /// Part of a name or of the barcode.
    pub text: Option<String>,
    /// Tablet, syrup, …
    pub form: Option<String>,
    /// Oral, …
    pub route: Option<String>,
    /// Whether it is in use.
    pub is_active: Option<bool>,
}

/// Whether a batch with this date (epoch ms; none or 0: it has none) is past it.
#[must_use]
pub fn is_expired(expiry: Option<i64>, now: HubTime) -> bool {
    expiry.is_some_and(|expiry| expiry != 0 && now.millis() >= expiry.saturating_add(A_DAY_MS))
}

impl Snapshot<'_> {
    /// Writes `{"data":[drug]}` by name.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn drugs(&self, sight: &Sight, filter: &DrugFilter, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        let mut listing = Listing::of("drug_catalogue", sight)?
            .and_holds(&["t.generic_name", "t.brand_name", "t.barcode"], filter.text.as_deref())
            .and_if("t.form = ? COLLATE NOCASE", filter.form.as_deref())
            .and_if("t.route = ? COLLATE NOCASE", filter.route.as_deref());
        if let Some(is_active) = filter.is_active {
            listing = listing.and("coalesce(t.is_active, 0) = ?", [Cell::Integer(is_active.into())]);
        }
        listing
            .ordered("t.generic_name COLLATE NOCASE, t.id")
            .write_data(self.connection()?, out)
    }

    /// Writes the drug with this barcode.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn drug_by_barcode(&self, sight: &Sight, barcode: &str, out: &mut Vec<u8>) -> Result<Found, StoreError> {
        super::write_one(self.connection()?, "drug_catalogue", sight, ("barcode", barcode), out)
    }

    /// Writes `{"data":[stock]}` of a clinic, where the text is part of the drug's name or barcode or the batch's number.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn inventory(
        &self,
        sight: &Sight,
        clinic: &str,
        text: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let of_drug = |column: &str| format!("(SELECT {column} FROM drug_catalogue WHERE id = t.drug_id)");
        let drug = ["generic_name", "brand_name", "barcode"].map(of_drug);
        Listing::of("clinic_inventory", sight)?
            .and("t.clinic_id = ?", [Cell::text(clinic)])
            .and_holds(&[&drug[0], &drug[1], &drug[2], "t.batch_number"], text)
            .ordered("t.drug_id, t.batch_expiry_date, t.id")
            .write_data(self.connection()?, out)
    }

    /// How much of a drug a clinic has that is not reserved nor expired.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn available(&self, sight: &Sight, drug: &str, clinic: &str, now: HubTime) -> Result<i64, StoreError> {
        let listing = Listing::of("clinic_inventory", sight)?
            .and("t.clinic_id = ?", [Cell::text(clinic)])
            .and("t.drug_id = ?", [Cell::text(drug)]);
        let sql = format!(
            "SELECT t.quantity_available - coalesce(t.reserved_quantity, 0), t.batch_expiry_date {}",
            listing.body()
        );
        let mut statement = self.connection()?.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(listing.parameters()))?;
        let mut available = 0_i64;
        while let Some(row) = rows.next()? {
            if !is_expired(row.get(1)?, now) {
                available = available.saturating_add(row.get::<_, i64>(0)?.max(0));
            }
        }
        Ok(available)
    }
}
