//! A phone that has recorded more than most.

use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;
use serde_json::json;

/// Rows of one push.
const PUSH: usize = 25_000;

/// Records a patient with a visit and so many events, and pushes them.
pub(crate) async fn push_events(phone: &mut Phone, patient: &NewPatient, events: usize) {
    let patient = phone.register_patient(patient).unwrap();
    let visit = phone.open_visit(&patient).unwrap();
    let form = phone.database.rows("event_forms").unwrap().next().unwrap().0.to_owned();
    for event in 0..events {
        let answers =
            json!([{"fieldId": "a", "name": "Complaint", "inputType": "text", "value": format!("made up {event}")}]);
        phone
            .record_event(&patient, &visit, (&form, "Consultation"), &answers)
            .unwrap();
        if event % PUSH == PUSH - 1 {
            phone.push().await.unwrap();
        }
    }
    phone.push().await.unwrap();
}
