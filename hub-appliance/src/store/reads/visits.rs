//! Visits, and what was recorded at them.

use super::{Listing, Shown, Sight};
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

impl Snapshot<'_> {
    /// Writes the events of a patient's visit, the newest first, as an array.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn visit_events(
        &self,
        sight: &Sight,
        patient: &str,
        visit: &str,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        self.events(sight, (patient, "t.visit_id = ?", visit), out)
    }

    /// Writes the events of a patient that were recorded with a form, the newest first, as an array.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn form_events(
        &self,
        sight: &Sight,
        patient: &str,
        form: &str,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        self.events(sight, (patient, "t.form_id = ?", form), out)
    }

    fn events(
        &self,
        sight: &Sight,
        (patient, condition, value): (&str, &str, &str),
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        Listing::of("events", sight)?
            .and("t.patient_id = ?", [Cell::text(patient)])
            .and(condition, [Cell::text(value)])
            .ordered("t.created_at DESC, t.id DESC")
            .write(self.connection()?, None, out)
    }
}
