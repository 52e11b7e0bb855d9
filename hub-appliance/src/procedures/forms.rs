//! Forms, of registrations and of events.

use super::ProcedureError;
use super::fields::Fields;
use super::reading::{Reading, found};
use crate::store::reads::Shown;

pub(super) fn registration(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    fields.text("language")?;
    found(reading.snapshot.registration_form(&reading.sight, reading.out)?)
}

pub(super) fn registrations(reading: &mut Reading<'_>, _: &Fields<'_>) -> Result<Shown, ProcedureError> {
    Ok(reading.snapshot.registration_forms(&reading.sight, reading.out)?)
}

/// For the clinic that is named, else for any of the user's.
pub(super) fn events(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let language = fields.text("language")?;
    let clinics = match fields.text("clinic_id")? {
        Some(clinic) => vec![clinic],
        None => reading.clinics.clone(),
    };
    Ok(reading
        .snapshot
        .event_forms(&reading.sight, &clinics, language.as_deref(), reading.out)?)
}

pub(super) fn event(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let form = fields.required("form_id")?;
    found(reading.snapshot.event_form(&reading.sight, &form, reading.out)?)
}
