//! Prescriptions and their items.

use serde_json::{Value, json};

use super::appointments::day_of;
use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, ProcedureError};
use crate::store::reads::Shown;
use crate::store::reads::appointments::Filter;
use crate::store::value::Cell;

const PRESCRIPTIONS: &str = "prescriptions";
const ITEMS: &str = "prescription_items";

const EDITABLE: [&str; 10] = [
    "filled_by",
    "pickup_clinic_id",
    "priority",
    "expiration_date",
    "filled_at",
    "status",
    "items",
    "notes",
    "metadata",
    "updated_at",
];

const EDITABLE_OF_ITEMS: [&str; 9] = [
    "dosage_instructions",
    "quantity_prescribed",
    "quantity_dispensed",
    "refills_authorized",
    "refills_used",
    "item_status",
    "notes",
    "metadata",
    "updated_at",
];

pub(super) fn search(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let filter = Filter {
        text: fields.text("search_query")?,
        clinic: fields.text("clinic_id")?,
        status: fields.texts("status")?,
        between: day_of(fields.time("date")?),
        ..Filter::default()
    };
    Ok(reading
        .snapshot
        .prescriptions(&reading.sight, &filter, fields.page()?, reading.out)?)
}

pub(super) fn by_visit(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let (patient, visit) = (fields.required("patient_id")?, fields.required("visit_id")?);
    Ok(reading
        .snapshot
        .visit_prescriptions(&reading.sight, &patient, &visit, reading.out)?)
}

pub(super) fn items_of_prescription(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let prescription = fields.required("prescription_id")?;
    Ok(reading.snapshot.items_of(&reading.sight, &prescription, reading.out)?)
}

pub(super) fn items_of_patient(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.data_of_patient(ITEMS, &fields.required("patient_id")?)
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let id = writing.create(PRESCRIPTIONS, fields, &[])?;
    Ok(json!({"prescription_id": id}))
}

pub(super) fn update(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    writing.update(PRESCRIPTIONS, fields, Some(&EDITABLE))
}

pub(super) fn update_status(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let status = Cell::text(&fields.required("status")?);
    writing.set(PRESCRIPTIONS, &fields.required("id")?, &[("status", status)])?;
    Ok(json!({"ok": true}))
}

pub(super) fn pick_up(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let cells = [
        ("status", Cell::text("picked-up")),
        ("filled_by", Cell::text(&fields.required("provider_id")?)),
        ("filled_at", Cell::Integer(writing.now())),
    ];
    writing.set(PRESCRIPTIONS, &fields.required("id")?, &cells)?;
    Ok(json!({"ok": true}))
}

pub(super) fn create_item(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let id = writing.create(ITEMS, fields, &[])?;
    Ok(json!({"id": id}))
}

pub(super) fn update_item(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Answer, ProcedureError> {
    writing.update(ITEMS, fields, Some(&EDITABLE_OF_ITEMS))
}
