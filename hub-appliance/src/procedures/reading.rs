//! What every single read has in hand: one snapshot of the store, what its user may see, and where the answer goes.

use super::{ProcedureError, Session};
use crate::clock::HubTime;
use crate::store::people::Right;
use crate::store::reads::{Found, Shown, Sight};
use crate::store::{Snapshot, StoreError};

/// A read under way.
pub(super) struct Reading<'a> {
    /// What is read: all of one moment.
    pub(super) snapshot: &'a Snapshot<'a>,
    /// What the user may see.
    pub(super) sight: Sight,
    /// Every clinic where the user has rights.
    pub(super) clinics: Vec<String>,
    /// The time of the hub clock.
    pub(super) now: HubTime,
    /// Whether the phone is of the generation that expects bare arrays.
    pub(super) expects_arrays: bool,
    /// The answer.
    pub(super) out: &'a mut Vec<u8>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot<'a>,
        session: &Session,
        now: HubTime,
        expects_arrays: bool,
        (at_most, out): (usize, &'a mut Vec<u8>),
    ) -> Self {
        let seen = session
            .rights
            .iter()
            .filter(|(_, rights)| rights.has(Right::ViewHistory));
        Self {
            snapshot,
            sight: Sight {
                clinics: seen.map(|(clinic, _)| clinic.clone()).collect(),
                at_most,
            },
            clinics: session.rights.iter().map(|(clinic, _)| clinic.clone()).collect(),
            now,
            expects_arrays,
            out,
        }
    }

    /// Lets the user see what is in any clinic; says whether that is more than before.
    pub(super) fn see_all(&mut self) -> Result<bool, ProcedureError> {
        let all = self.snapshot.every_clinic()?;
        let is_more = !all.is_subset(&self.sight.clinics);
        self.sight.clinics.extend(all);
        Ok(is_more)
    }

    /// Writes `{"data":…}` around a list.
    pub(super) fn data(
        &mut self,
        list: impl FnOnce(&Snapshot<'_>, &Sight, &mut Vec<u8>) -> Result<Shown, StoreError>,
    ) -> Result<Shown, ProcedureError> {
        self.out.extend_from_slice(b"{\"data\":");
        let shown = list(self.snapshot, &self.sight, self.out)?;
        self.out.push(b'}');
        Ok(shown)
    }

    /// Writes the row of a table with this id.
    pub(super) fn one(&mut self, table: &'static str, id: &str) -> Result<Shown, ProcedureError> {
        found(self.snapshot.one(table, &self.sight, id, self.out)?)
    }

    /// Writes what hangs on a patient, as a bare array.
    pub(super) fn of_patient(&mut self, table: &'static str, patient: &str) -> Result<Shown, ProcedureError> {
        Ok(self.snapshot.of_patient(table, &self.sight, patient, self.out)?)
    }

    /// Writes what hangs on a patient, as `{"data":…}`.
    pub(super) fn data_of_patient(&mut self, table: &'static str, patient: &str) -> Result<Shown, ProcedureError> {
        self.data(|snapshot, sight, out| snapshot.of_patient(table, sight, patient, out))
    }

    /// Writes an answer of its own.
    pub(super) fn answer(&mut self, answer: &serde_json::Value) -> Result<(), ProcedureError> {
        serde_json::to_writer(&mut *self.out, answer).map_err(|_| ProcedureError::Unavailable)
    }
}

/// The row that a call is about: without it there is no answer.
pub(super) fn found(found: Found) -> Result<Shown, ProcedureError> {
    match found {
        Found::Shown(shown) => Ok(shown),
        Found::OutOfSight => Err(ProcedureError::NotPermitted),
        Found::Nowhere => Err(ProcedureError::NotFound),
    }
}
