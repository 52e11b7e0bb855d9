//! Handing medicines out.

use serde_json::{Value, json};

use super::ProcedureError;
use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use crate::store::reads::Shown;
use crate::store::reads::stock::is_expired;
use crate::store::value::Cell;

const RECORDS: &str = "dispensing_records";
const ITEMS: &str = "prescription_items";
/// More of one batch is not handed out at once.
const MAX_QUANTITY: f64 = 1_000_000_000.0;

pub(super) fn of_patient(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.data_of_patient(RECORDS, &fields.required("patient_id")?)
}

pub(super) fn create(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let now = Cell::Integer(writing.now());
    let id = writing.create(RECORDS, fields, &[("dispensed_at", now)])?;
    Ok(json!({"id": id}))
}

/// Takes from batches of a clinic's stock what was prescribed, one record a batch; the records take the stock and make up
/// the item's sum, as those of a push do.
pub(super) fn dispense(writing: &mut Writing<'_, '_>, fields: &Fields<'_>) -> Result<Value, ProcedureError> {
    let item = fields.required("id")?;
    let provider = fields.required("provider_id")?;
    let quantities = fields.object("batch_quantities")?;
    let quantities = quantities.all_numbers()?;
    let mut total = 0_i64;
    let mut batches = Vec::with_capacity(quantities.len());
    for (batch, quantity) in quantities {
        if quantity.fract() != 0.0 || !(1.0..=MAX_QUANTITY).contains(&quantity) {
            return Err(ProcedureError::BadParameters);
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "whole and within the bounds checked above"
        )]
        let quantity = quantity as i64;
        total = total.checked_add(quantity).ok_or(ProcedureError::BadParameters)?;
        batches.push((batch, quantity));
    }
    if batches.is_empty() {
        return Err(ProcedureError::BadParameters);
    }
    writing.stored(ITEMS, &item)?;
    let text = |writing: &Writing<'_, '_>, column| writing.cell(ITEMS, &item, column);
    let number =
        |writing: &Writing<'_, '_>, column| Ok::<_, ProcedureError>(text(writing, column)?.as_integer().unwrap_or(0));
    let counted = number(writing, "quantity_dispensed")?;
    let given = writing.tx().dispensed(&item)?.unwrap_or(counted);
    let refills = number(writing, "refills_authorized")?.max(0).saturating_add(1);
    let most = number(writing, "quantity_prescribed")?.saturating_mul(refills);
    let (clinic, drug, patient) = (
        text(writing, "clinic_id")?,
        text(writing, "drug_id")?,
        text(writing, "patient_id")?,
    );
    // First, so that who may not dispense here learns nothing of the stock. What was handed out the records add up to.
    writing.set(ITEMS, &item, &[])?;
    if given.saturating_add(total) > most {
        return Err(ProcedureError::Conflict);
    }
    let now = writing.tx().now();
    let dosage = text(writing, "dosage_instructions")?;
    for (batch, quantity) in batches {
        let stock = writing.tx().batch(
            clinic.as_text().unwrap_or_default(),
            drug.as_text().unwrap_or_default(),
            batch,
        )?;
        let stock = stock.ok_or(ProcedureError::Conflict)?;
        if stock.available < quantity || is_expired(stock.expiry, now) {
            return Err(ProcedureError::Conflict);
        }
        writing.make(
            RECORDS,
            &[
                ("clinic_id", clinic.clone()),
                ("drug_id", drug.clone()),
                ("batch_id", Cell::text(batch)),
                ("prescription_item_id", Cell::text(&item)),
                ("patient_id", patient.clone()),
                ("quantity_dispensed", Cell::Integer(quantity)),
                ("dosage_instructions", dosage.clone()),
                ("dispensed_by", Cell::text(&provider)),
                ("dispensed_at", Cell::Integer(now.millis())),
                ("recorded_by_user_id", Cell::text(&writing.who.id)),
            ],
        )?;
    }
    Ok(json!({"ok": true, "total_dispensed": total}))
}
