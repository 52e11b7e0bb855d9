//! Staff whose every row the cloud can take, so that at the end phones, hub and cloud have to hold the same; and people at
//! the cloud's desk who change the same patients.

use hub_tests::cloud::Cloud;
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::database::EditError;
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use hub_tests::schema::schema;
use serde_json::json;

use super::chance::Chance;

/// Does one thing that happens in a clinic; `number` makes its values unlike any other.
pub(crate) fn work(phone: &mut Phone, chance: &mut Chance, number: usize) -> Result<(), EditError> {
    match chance.below(8) {
        0 => admit(phone, number).map(drop),
        1 => treat(phone, chance, number),
        2 => prescribe(phone, chance, number),
        3 => delete(phone, chance),
        _ => correct(phone, chance, number),
    }
}

/// A patient comes: registered, seen, measured. Gives the id.
pub(crate) fn admit(phone: &mut Phone, number: usize) -> Result<String, EditError> {
    let patient = phone.register_patient(&NewPatient {
        given_name: format!("Given {number}"),
        surname: "Arrived".into(),
        date_of_birth: "1987-03-09".into(),
        sex: "female".into(),
        attributes: vec![NewAttribute {
            attribute_id: "0197f000-0000-7000-8000-00000000a001".into(),
            attribute: "village".into(),
            value: AttributeValue::Text(format!("Village {number}")),
        }],
        ..NewPatient::default()
    })?;
    see(phone, &patient, number)?;
    Ok(patient)
}

fn see(phone: &mut Phone, patient: &str, number: usize) -> Result<String, EditError> {
    let visit = phone.open_visit(patient)?;
    let form = first(phone, "event_forms").unwrap_or_default();
    let answers =
        json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": format!("made up {number}")}]);
    phone.record_event(patient, &visit, (&form, "Consultation"), &answers)?;
    let measured = [
        ("weight_kg", Cell::Integer(whole(40 + number % 60))),
        ("pain_level", Cell::Integer(3)),
    ];
    phone.record_vitals(patient, &visit, &measured)?;
    Ok(visit)
}

fn treat(phone: &mut Phone, chance: &mut Chance, number: usize) -> Result<(), EditError> {
    let Some(patient) = any(phone, "patients", chance) else {
        return Ok(());
    };
    let visit = see(phone, &patient, number)?;
    let (id, now) = (phone.clock.new_id(), phone.clock.now());
    let problem: [(&str, Cell); 9] = [
        ("patient_id", patient.as_str().into()),
        ("visit_id", visit.as_str().into()),
        ("problem_code_system", "icd10cm".into()),
        ("problem_code", "J06.9".into()),
        ("problem_label", format!("Cold {number}").into()),
        ("clinical_status", "active".into()),
        ("verification_status", "confirmed".into()),
        ("onset_date", Cell::Integer(1_750_000_000_000)),
        ("metadata", "{}".into()),
    ];
    phone.database.create("patient_problems", &id, &problem, now)?;
    let id = phone.clock.new_id();
    let user = user(phone);
    let again: [(&str, Cell); 10] = [
        ("provider_id", user.as_str().into()),
        ("clinic_id", clinic(phone).into()),
        ("patient_id", patient.into()),
        ("user_id", user.into()),
        ("current_visit_id", visit.into()),
        ("timestamp", Cell::Integer(now + 7 * 86_400_000)),
        ("duration", Cell::Integer(15)),
        ("reason", format!("again {number}").into()),
        ("status", "pending".into()),
        ("metadata", "{}".into()),
    ];
    phone.database.create("appointments", &id, &again, now)
}

/// A prescription, what is on it, and a part of that handed out.
fn prescribe(phone: &mut Phone, chance: &mut Chance, number: usize) -> Result<(), EditError> {
    let (Some(patient), Some(stock)) = (any(phone, "patients", chance), any(phone, "clinic_inventory", chance)) else {
        return Ok(());
    };
    let visit = phone.open_visit(&patient)?;
    let of_stock = |phone: &Phone, column| {
        phone
            .database
            .cell("clinic_inventory", &stock, column)
            .cloned()
            .unwrap_or(Cell::Null)
    };
    let [prescription, item, record] = [(); 3].map(|()| phone.clock.new_id());
    let (now, user) = (phone.clock.now(), user(phone));
    let shelf = of_stock(phone, "clinic_id");
    let written: [(&str, Cell); 9] = [
        ("patient_id", patient.as_str().into()),
        ("provider_id", user.as_str().into()),
        ("pickup_clinic_id", shelf.clone()),
        ("visit_id", visit.into()),
        ("priority", "normal".into()),
        ("prescribed_at", now.into()),
        ("status", "pending".into()),
        ("items", "[]".into()),
        ("notes", format!("note {number}").into()),
    ];
    phone.database.create("prescriptions", &prescription, &written, now)?;
    let on_it: [(&str, Cell); 10] = [
        ("prescription_id", prescription.into()),
        ("patient_id", patient.as_str().into()),
        ("drug_id", of_stock(phone, "drug_id")),
        ("clinic_id", shelf.clone()),
        ("dosage_instructions", "1 × 3".into()),
        ("quantity_prescribed", Cell::Integer(20)),
        ("quantity_dispensed", Cell::Integer(0)),
        ("refills_authorized", Cell::Integer(0)),
        ("item_status", "active".into()),
        ("recorded_by_user_id", user.as_str().into()),
    ];
    phone.database.create("prescription_items", &item, &on_it, now)?;
    let handed_out: [(&str, Cell); 9] = [
        ("clinic_id", shelf),
        ("drug_id", of_stock(phone, "drug_id")),
        ("batch_id", of_stock(phone, "batch_id")),
        ("prescription_item_id", item.into()),
        ("patient_id", patient.into()),
        ("quantity_dispensed", Cell::Integer(1)),
        ("dispensed_by", user.into()),
        ("dispensed_at", now.into()),
        ("metadata", "{}".into()),
    ];
    phone.database.create("dispensing_records", &record, &handed_out, now)
}

fn correct(phone: &mut Phone, chance: &mut Chance, number: usize) -> Result<(), EditError> {
    const CORRECTED: [(&str, &str); 6] = [
        ("patients", "given_name"),
        ("patients", "hometown"),
        ("patients", "camp"),
        ("visits", "provider_name"),
        ("patient_problems", "problem_label"),
        ("prescription_items", "notes"),
    ];
    let (table, column) = CORRECTED[chance.below(CORRECTED.len())];
    match any(phone, table, chance) {
        Some(id) => phone.edit(table, &id, &[(column, format!("corrected {number}").into())]),
        None => Ok(()),
    }
}

/// Only what nothing else hangs on: what is added to a deleted row elsewhere at the same time is held, and never the same
/// everywhere.
fn delete(phone: &mut Phone, chance: &mut Chance) -> Result<(), EditError> {
    let table = ["patient_vitals", "patient_problems"][chance.below(2)];
    match any(phone, table, chance) {
        Some(id) => phone.delete(table, &id),
        None => Ok(()),
    }
}

/// One of a person's changes at the cloud's desk.
pub(crate) async fn work_at_the_desk(cloud: &Cloud, chance: &mut Chance, number: usize) {
    let patients = cloud.rows("patients").await.unwrap();
    let patient = &patients[chance.below(patients.len())];
    let id = patient["id"].as_str().unwrap();
    let column = ["camp", "phone", "surname"][chance.below(3)];
    cloud
        .edit("patients", id, &[(column, json!(format!("of the cloud {number}")))])
        .await
        .unwrap();
}

/// A live row of a table, by chance.
fn any(phone: &Phone, table: &str, chance: &mut Chance) -> Option<String> {
    let definition = schema().table(table)?;
    let rows = phone.database.rows(table).ok()?;
    let live: Vec<&str> = rows
        .filter(|(_, row)| !row.is_deleted(definition))
        .map(|(id, _)| id)
        .collect();
    (!live.is_empty()).then(|| live[chance.below(live.len())].to_owned())
}

fn first(phone: &Phone, table: &str) -> Option<String> {
    phone.database.rows(table).ok()?.next().map(|(id, _)| id.to_owned())
}

fn user(phone: &Phone) -> String {
    phone.user.as_ref().map(|user| user.user_id.clone()).unwrap_or_default()
}

fn clinic(phone: &Phone) -> String {
    phone
        .user
        .as_ref()
        .map(|user| user.clinic_id.clone())
        .unwrap_or_default()
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(0)
}
