//! Clinics and their departments.

use super::ProcedureError;
use super::fields::Fields;
use super::reading::Reading;
use crate::store::reads::Shown;

pub(super) fn list(reading: &mut Reading<'_>, _: &Fields<'_>) -> Result<Shown, ProcedureError> {
    Ok(reading.snapshot.clinics(&reading.sight, reading.out)?)
}

pub(super) fn departments(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let clinic = fields.required("clinic_id")?;
    Ok(reading.snapshot.departments(&reading.sight, &clinic, reading.out)?)
}
