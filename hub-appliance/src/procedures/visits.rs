//! Visits.

use serde_json::{Value, json};

use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, ProcedureError};
use crate::store::reads::Shown;

const EDITABLE: [&str; 6] = [
    "provider_id",
    "provider_name",
    "check_in_timestamp",
    "metadata",
    "clinic_id",
    "updated_at",
];

pub(super) fn of_patient(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.data_of_patient("visits", &fields.required("patient_id")?)
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    fields.required("patient_id")?;
    let clinic = writing.own_clinic();
    let id = writing.create("visits", fields, &[("clinic_id", clinic)])?;
    Ok(json!({"success": true, "id": id}))
}

pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    writing.update("visits", fields, Some(&EDITABLE))
}

pub(super) fn delete(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    writing.delete("visits", &fields.required("id")?)?;
    Ok(json!({"success": true}))
}
