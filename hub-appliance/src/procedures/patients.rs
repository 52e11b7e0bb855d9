//! Patients: the list, the search, the registration and its form, and what spots that somebody is registered already.

use serde_json::{Value, json};

use super::ProcedureError;
use super::fields::Fields;
use super::reading::{Reading, found};
use super::writing::{Writing, fill};
use crate::store::reads::similar::Name;
use crate::store::reads::{Found, Shown};
use crate::store::schema::TableId;
use crate::store::value::Cell;

/// Patients with a like name that are shown where nobody says how many.
const SIMILAR: u32 = 10;

pub(super) fn list(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let page = fields.page()?;
    Ok(reading.snapshot.patients(&reading.sight, page, reading.out)?)
}

pub(super) fn search(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let filters = fields.object("filters")?.all_texts()?;
    let page = fields.page()?;
    Ok(reading
        .snapshot
        .search_patients(&reading.sight, &filters, page, reading.out)?)
}

/// The one read whose missing record is no failure: the app looks for this very answer.
pub(super) fn get(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let patient = fields.required("patient_id")?;
    match reading.snapshot.registered(&reading.sight, &patient, reading.out)? {
        Found::Nowhere => {
            reading.answer(&json!({"error": "not found"}))?;
            Ok(Shown::default())
        }
        other => found(other),
    }
}

pub(super) fn similar(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let name = Name {
        given: fields.text("given_name")?.unwrap_or_default(),
        surname: fields.text("surname")?.unwrap_or_default(),
        government_id: fields.text("government_id")?,
    };
    let limit = match fields.number("limit")? {
        Some(_) => fields.page()?.limit,
        None => SIMILAR,
    };
    Ok(reading
        .snapshot
        .similar_patients(&reading.sight, &name, limit, reading.out)?)
}

pub(super) fn check_government_id(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let exists = match fields.text("government_id")? {
        Some(id) => reading.snapshot.has_government_id(&reading.sight, &id)?,
        None => false,
    };
    reading.answer(&json!({"exists": exists}))?;
    Ok(Shown::default())
}

/// The app sends every column each time, with nothing in those that it does not know, and `created_at` of now: of a
/// patient who is there, these keep what is stored.
pub(super) fn register(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let patient = fields.object("patient")?;
    let attributes = fields.objects("additional_attributes")?;
    let known = match patient.text("id")? {
        Some(id) => writing.find("patients", &id)?.map(|_| id),
        None => match writing.repeated("patients", fields)? {
            Some(id) => return Ok(json!({"patient_id": id, "attributes_count": attributes.len()})),
            None => None,
        },
    };
    let me = Cell::text(&writing.who.id);
    let id = if let Some(id) = known {
        let table = TableId::named("patients").ok_or(ProcedureError::Unavailable)?;
        let mut row = patient
            .without_empty()
            .without(&["created_at"])
            .row(table.table(), &id)?;
        fill(&mut row, table, "last_modified_by", &me);
        writing.put("patients", row)?;
        id
    } else {
        let clinic = writing.own_clinic();
        writing.insert(
            "patients",
            &patient,
            &[("primary_clinic_id", clinic), ("last_modified_by", me)],
        )?
    };
    for attribute in &attributes {
        set_attribute(writing, &id, attribute)?;
    }
    if patient.text("id")?.is_none() {
        writing.note(fields, &id)?;
    }
    Ok(json!({"patient_id": id, "attributes_count": attributes.len()}))
}

/// An attribute is known by its patient and its field; the id that the app sends is the field's, the same for everybody.
fn set_attribute(writing: &mut Writing<'_, '_>, patient: &str, fields: &Fields<'_>) -> Result<(), ProcedureError> {
    const TABLE: &str = "patient_additional_attributes";
    let table = TableId::named(TABLE).ok_or(ProcedureError::Unavailable)?;
    let attribute = fields.required("attribute_id")?;
    let known = writing.tx().attribute_row(patient, &attribute)?;
    let fields = fields.without(&["patient_id"]);
    let mut row = match known {
        Some(id) => fields
            .without_empty()
            .without(&["created_at"])
            .row(table.table(), &id)?,
        None => {
            let id = writing.tx().new_id();
            fields.row(table.table(), &id)?
        }
    };
    fill(&mut row, table, "patient_id", &Cell::text(patient));
    writing.put(TABLE, row)
}

pub(super) fn delete(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let patient = fields.required("patient_id")?;
    writing.delete("patients", &patient)?;
    Ok(json!({"deleted": true, "patient_id": patient}))
}
