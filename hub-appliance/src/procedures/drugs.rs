//! Drugs, and the stock of clinics.

use serde_json::json;

use super::ProcedureError;
use super::fields::Fields;
use super::reading::{Reading, found};
use crate::store::reads::Shown;
use crate::store::reads::stock::DrugFilter;

pub(super) fn search(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let filter = DrugFilter {
        text: fields.text("search_term")?,
        form: fields.text("form")?,
        route: fields.text("route")?,
        is_active: fields.truth("is_active")?,
    };
    Ok(reading.snapshot.drugs(&reading.sight, &filter, reading.out)?)
}

pub(super) fn get(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    reading.one("drug_catalogue", &fields.required("id")?)
}

pub(super) fn by_barcode(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let barcode = fields.required("barcode")?;
    found(
        reading
            .snapshot
            .drug_by_barcode(&reading.sight, &barcode, reading.out)?,
    )
}

pub(super) fn inventory(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let clinic = fields.required("clinic_id")?;
    Ok(reading.snapshot.inventory(&reading.sight, &clinic, None, reading.out)?)
}

pub(super) fn search_inventory(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let (clinic, text) = (fields.required("clinic_id")?, fields.text("search_term")?);
    Ok(reading
        .snapshot
        .inventory(&reading.sight, &clinic, text.as_deref(), reading.out)?)
}

pub(super) fn check_availability(reading: &mut Reading<'_>, fields: &Fields<'_>) -> Result<Shown, ProcedureError> {
    let (drug, clinic) = (fields.required("drug_id")?, fields.required("clinic_id")?);
    let required = fields.number("required_quantity")?.unwrap_or(0.0);
    let total = reading
        .snapshot
        .available(&reading.sight, &drug, &clinic, reading.now)?;
    #[allow(clippy::cast_precision_loss, reason = "no clinic has that many")]
    let available = total as f64 >= required;
    reading.answer(&json!({"available": available, "total_available": total}))?;
    Ok(Shown::default())
}
