//! Appointments: of a stretch of time, and by what is written in them.

use super::{Listing, Page, Shown, Sight};
use crate::store::error::StoreError;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

/// The name of the patient of a row `t`.
pub(super) const PATIENT_NAME: &str =
    "(SELECT coalesce(given_name, '') || ' ' || coalesce(surname, '') FROM patients WHERE id = t.patient_id)";

/// Which appointments, and which of a day's prescriptions; what is empty or missing does not matter.
#[derive(Debug, Default)]
pub struct Filter {
    /// Text in them, or in the patient's name.
    pub text: Option<String>,
    /// Their clinic.
    pub clinic: Option<String>,
    /// Any of these departments.
    pub departments: Vec<String>,
    /// Any of these states.
    pub status: Vec<String>,
    /// From this time, up to and without that one, epoch ms.
    pub between: (Option<i64>, Option<i64>),
}

impl Snapshot<'_> {
    /// Writes a page of appointments, the earliest first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn appointments(
        &self,
        sight: &Sight,
        filter: &Filter,
        page: Page,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let mut listing = within(Listing::of("appointments", sight)?, "t.timestamp", filter.between)
            .and_if("t.clinic_id = ?", filter.clinic.as_deref())
            .and_among("t.status", &filter.status)
            .and_holds(&["t.reason", "t.notes", PATIENT_NAME], filter.text.as_deref());
        if !filter.departments.is_empty() {
            let ids = serde_json::to_string(&filter.departments).unwrap_or_default();
            // An entry is a department's id, or an object that has it.
            listing = listing.and(
                "EXISTS (SELECT 1 FROM json_each(iif(json_valid(t.departments), t.departments, '[]')) d \
                 JOIN json_each(?) w ON w.value IN (d.value, iif(d.type = 'object', d.value ->> '$.id', NULL), \
                 iif(d.type = 'object', d.value ->> '$.department_id', NULL), \
                 iif(d.type = 'object', d.value ->> '$.departmentId', NULL)))",
                [Cell::text(&ids)],
            );
        }
        listing
            .ordered("t.timestamp, t.id")
            .write_page(self.connection()?, page, out)
    }
}

/// Only rows of a stretch of time.
pub(super) fn within(mut listing: Listing, column: &str, (from, until): (Option<i64>, Option<i64>)) -> Listing {
    if let Some(from) = from {
        listing = listing.and(&format!("{column} >= ?"), [Cell::Integer(from)]);
    }
    if let Some(until) = until {
        listing = listing.and(&format!("{column} < ?"), [Cell::Integer(until)]);
    }
    listing
}
