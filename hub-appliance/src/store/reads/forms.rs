//! Forms, clinics and departments: what every phone has.

use super::{Found, Listing, Shown, Sight};
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

/// The form that is in use stands first.
pub(super) const NEWEST: &str = "t.updated_at DESC, t.created_at DESC, t.id DESC";

impl Snapshot<'_> {
    /// Writes the newest registration form.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn registration_form(&self, sight: &Sight, out: &mut Vec<u8>) -> Result<Found, StoreError> {
        let forms = Listing::of("registration_forms", sight)?.ordered(NEWEST);
        let shown = forms.write_first(self.connection()?, out)?;
        Ok(shown.map_or(Found::Nowhere, Found::Shown))
    }

    /// Writes `{"data":[form]}` of all registration forms there ever were, the newest first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn registration_forms(&self, sight: &Sight, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        let forms = Listing::of("registration_forms", sight)?.with_deleted().ordered(NEWEST);
        forms.write_data(self.connection()?, out)
    }

    /// Writes `{"data":[form]}` by name: the forms for any of these clinics, in this language, where one is given.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn event_forms(
        &self,
        sight: &Sight,
        clinics: &[String],
        language: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let clinics = serde_json::to_string(clinics).unwrap_or_default();
        Listing::of("event_forms", sight)?
            .and(
                "(CASE WHEN json_valid(t.clinic_ids) THEN json_array_length(t.clinic_ids) = 0 \
                 OR EXISTS (SELECT 1 FROM json_each(t.clinic_ids) f JOIN json_each(?) c ON f.value = c.value) \
                 ELSE TRUE END)",
                [Cell::text(&clinics)],
            )
            .and_if("t.language = ?", language)
            .ordered("t.name COLLATE NOCASE, t.id")
            .with_truths()
            .write_data(self.connection()?, out)
    }

    /// Writes an event form.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn event_form(&self, sight: &Sight, id: &str, out: &mut Vec<u8>) -> Result<Found, StoreError> {
        let form = Listing::of("event_forms", sight)?
            .and("t.id = ?", [Cell::text(id)])
            .with_truths();
        let shown = form.write_first(self.connection()?, out)?;
        Ok(shown.map_or(Found::Nowhere, Found::Shown))
    }

    /// Writes `{"data":[clinic]}` by name.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn clinics(&self, sight: &Sight, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        Listing::of("clinics", sight)?
            .ordered("t.name COLLATE NOCASE, t.id")
            .write_data(self.connection()?, out)
    }

    /// Writes `{"data":[department]}` of a clinic by name.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn departments(&self, sight: &Sight, clinic: &str, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        Listing::of("clinic_departments", sight)?
            .and("t.clinic_id = ?", [Cell::text(clinic)])
            .ordered("t.name COLLATE NOCASE, t.id")
            .write_data(self.connection()?, out)
    }
}
