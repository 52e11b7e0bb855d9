//! Vital signs.

use serde_json::{Value, json};

use super::ProcedureError;
use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use crate::store::reads::Shown;
use crate::store::value::Cell;

const TABLE: &str = "patient_vitals";

/// A bare array for the generation of the app that knows nothing else (contract, "Two generations of the app").
pub(super) fn list(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let patient = fields.required("patient_id")?;
    if reading.expects_arrays {
        reading.of_patient(TABLE, &patient)
    } else {
        reading.data_of_patient(TABLE, &patient)
    }
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let now = Cell::Integer(writing.now());
    let id = writing.create(TABLE, fields, &[("timestamp", now)])?;
    Ok(json!({"success": true, "id": id}))
}

pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    writing.update(TABLE, fields, None)?;
    Ok(json!({"ok": true, "id": fields.required("id")?}))
}
