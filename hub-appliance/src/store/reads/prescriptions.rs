//! Prescriptions and their items.

use super::appointments::{Filter, PATIENT_NAME, within};
use super::{Listing, Page, Shown, Sight};
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

impl Snapshot<'_> {
    /// Writes a page of prescriptions, the newest first. The text is part of the patient's name, the notes or the items.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn prescriptions(
        &self,
        sight: &Sight,
        filter: &Filter,
        page: Page,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        within(Listing::of("prescriptions", sight)?, "t.prescribed_at", filter.between)
            .and_if("t.pickup_clinic_id = ?", filter.clinic.as_deref())
            .and_among("t.status", &filter.status)
            .and_holds(&["t.notes", "t.items", PATIENT_NAME], filter.text.as_deref())
            .ordered("t.prescribed_at DESC, t.id DESC")
            .write_page(self.connection()?, page, out)
    }

    /// Writes the prescriptions of a patient's visit, the newest first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn visit_prescriptions(
        &self,
        sight: &Sight,
        patient: &str,
        visit: &str,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        Listing::of("prescriptions", sight)?
            .and("t.patient_id = ?", [Cell::text(patient)])
            .and("t.visit_id = ?", [Cell::text(visit)])
            .ordered("t.prescribed_at DESC, t.id DESC")
            .write_data(self.connection()?, out)
    }

    /// Writes the items of a prescription, in the order in which they were made.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn items_of(&self, sight: &Sight, prescription: &str, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        Listing::of("prescription_items", sight)?
            .and("t.prescription_id = ?", [Cell::text(prescription)])
            .ordered("t.created_at, t.id")
            .write_data(self.connection()?, out)
    }
}
