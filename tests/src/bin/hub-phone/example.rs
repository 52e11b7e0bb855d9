//! The example edit: a patient who answers every question of the clinic's registration form, with a visit, an event and
//! measurements.

use hub_tests::phone::cell::Cell;
use hub_tests::phone::database::EditError;
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::phone::{Generation, Phone};
use hub_tests::schema::schema;
use serde_json::{Value, json};

/// 2025-03-01T00:00Z.
const DISPLACED_ON: i64 = 1_740_787_200_000;

/// Registers the patient and gives the id.
pub(super) fn register_with_visit(phone: &mut Phone) -> Result<String, EditError> {
    let patient = NewPatient {
        given_name: "Ὀλυμπία".to_owned(),
        surname: "Example-Ó Súilleabháin".to_owned(),
        date_of_birth: "1987-03-04".to_owned(),
        sex: "female".to_owned(),
        citizenship: "none".to_owned(),
        phone: "+000".to_owned(),
        camp: "B".to_owned(),
        government_id: "GOV-EXAMPLE".to_owned(),
        attributes: answers(phone)?,
    };
    let patient = phone.register_patient(&patient)?;
    let visit = phone.open_visit(&patient)?;
    if let Some((form, name)) = first_event_form(phone)? {
        let answers = json!([{"fieldId": "note", "name": "Note", "inputType": "text", "fieldType": "free-text",
                              "value": "made up ü 漢"}]);
        phone.record_event(&patient, &visit, (&form, &name), &answers)?;
    }
    let measured = [
        ("systolic_bp", 120.0.into()),
        ("diastolic_bp", 80.5.into()),
        ("bp_position", Cell::text("sitting")),
    ];
    phone.record_vitals(&patient, &visit, &measured)?;
    if phone.database.generation() == Generation::V1_7 {
        phone.record_risk(&patient, "hers", "0.8125")?;
    }
    Ok(patient)
}

/// An answer to every field of the newest registration form that is no column of patients.
fn answers(phone: &Phone) -> Result<Vec<NewAttribute>, EditError> {
    let newest = phone
        .database
        .rows("registration_forms")?
        .last()
        .map(|(id, _)| id.to_owned());
    let fields = newest.and_then(|id| phone.database.cell("registration_forms", &id, "fields")?.as_text());
    let fields: Vec<Value> = fields
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let own = fields.iter().filter(|field| field["baseField"] == false);
    Ok(own.filter_map(answer).collect())
}

fn answer(field: &Value) -> Option<NewAttribute> {
    let value = match field["fieldType"].as_str()? {
        "number" => AttributeValue::Number(5.0),
        "date" => AttributeValue::Date(DISPLACED_ON),
        "boolean" => AttributeValue::Boolean(true),
        _ => AttributeValue::Text("Madeupville".to_owned()),
    };
    Some(NewAttribute {
        attribute_id: field["id"].as_str()?.to_owned(),
        attribute: field["column"].as_str()?.to_owned(),
        value,
    })
}

/// Id and name of an event form that the phone has.
fn first_event_form(phone: &Phone) -> Result<Option<(String, String)>, EditError> {
    let table = schema()
        .table("event_forms")
        .ok_or_else(|| EditError::Table("event_forms".to_owned()))?;
    let form = phone.database.rows("event_forms")?.next();
    Ok(form.map(|(id, row)| {
        let name = row.get(table, "name").and_then(Cell::as_text).unwrap_or_default();
        (id.to_owned(), name.to_owned())
    }))
}
