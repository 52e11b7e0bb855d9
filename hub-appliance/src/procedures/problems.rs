//! Problems: a patient's diagnoses.

use serde_json::{Value, json};

use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, ProcedureError};
use crate::store::reads::Shown;

const TABLE: &str = "patient_problems";

pub(super) fn list(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.of_patient(TABLE, &fields.required("patient_id")?)
}

pub(super) fn get(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.one(TABLE, &fields.required("id")?)
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let id = writing.create(TABLE, fields, &[])?;
    Ok(json!({"success": true, "id": id}))
}

pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    writing.update(TABLE, fields, None)
}
