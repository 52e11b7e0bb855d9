//! Events: what was filled in with a form at a visit.

use serde_json::{Value, json};

use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, ProcedureError};
use crate::store::reads::Shown;
use crate::store::value::Cell;

pub(super) fn of_visit(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let (patient, visit) = (fields.required("patient_id")?, fields.required("visit_id")?);
    reading.data(|snapshot, sight, out| snapshot.visit_events(sight, &patient, &visit, out))
}

pub(super) fn by_form(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let (patient, form) = (fields.required("patient_id")?, fields.required("form_id")?);
    Ok(reading
        .snapshot
        .form_events(&reading.sight, &patient, &form, reading.out)?)
}

/// `create_event`: the app has made the id.
pub(super) fn create_with_id(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let id = fields.required("id")?;
    writing.create("events", fields, &[])?;
    Ok(json!({"event_id": id}))
}

/// `events.create`: where there is no visit, one is made for it.
pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let patient = fields.required("patient_id")?;
    let known = match fields.text("id")? {
        Some(id) => writing.find("events", &id)?.map(|_| id),
        None => writing.repeated("events", fields)?,
    };
    let visit = match (&known, fields.text("visit_id")?) {
        (_, Some(visit)) => Cell::text(&visit),
        (Some(event), None) => writing.cell("events", event, "visit_id")?,
        (None, None) => Cell::text(&make_visit(writing, &patient)?),
    };
    let me = Cell::text(&writing.who.id);
    let id = writing.create(
        "events",
        fields,
        &[("visit_id", visit.clone()), ("recorded_by_user_id", me)],
    )?;
    Ok(json!({"success": true, "id": id, "visit_id": visit.as_text()}))
}

fn make_visit(writing: &mut Writing<'_, '_>, patient: &str) -> Result<String, ProcedureError> {
    let given = [
        ("patient_id", Cell::text(patient)),
        ("clinic_id", writing.own_clinic()),
        ("provider_id", Cell::text(&writing.who.id)),
        ("provider_name", Cell::text(&writing.who.name)),
        ("check_in_timestamp", Cell::Integer(writing.now())),
    ];
    writing.make("visits", &given)
}

/// The app always sends `metadata: {}`: that keeps what is stored.
pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    let metadata = fields.only(&["metadata"]).without_empty();
    let kept: &[&str] = if metadata.is_empty() {
        &["form_data"]
    } else {
        &["form_data", "metadata"]
    };
    writing.update("events", fields, Some(kept))
}

pub(super) fn delete(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    writing.delete("events", &fields.required("id")?)?;
    Ok(json!({"success": true}))
}
