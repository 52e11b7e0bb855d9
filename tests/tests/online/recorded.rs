//! Each recorded request of the app, and an answer of the shape that it understood.

use serde_json::{Map, Value, json};

use crate::clinic::{DIRECTOR, FORM, HERE, Online, id_of};

const PATIENT: &str = "0197f000-0000-7000-8000-000000100001";
const VISIT: &str = "0197f000-0000-7000-8000-000000000003";

fn samples() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/samples/rpc");
    let mut samples: Vec<_> = (std::fs::read_dir(folder).unwrap())
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (
                name,
                serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(),
            )
        })
        .collect();
    samples.sort_by(|one: &(String, Value), other| one.0.cmp(&other.0));
    samples
}

/// What the recorded calls are about, so that each finds it.
async fn hub_of_the_samples() -> Online {
    let mut online = Online::start().await;
    let patient = json!({"patient": {"id": PATIENT, "given_name": "Samuel", "surname": "Invented", "primary_clinic_id": HERE,
            "date_of_birth": "1990-01-02", "sex": "female", "hometown": "Nowhere"},
        "additional_attributes": [{"id": "0197f000-0000-7000-8000-000000007010", "patient_id": "",
            "attribute_id": "0197f000-0000-7000-8000-000000007010", "attribute": "village", "string_value": "Madeupville"}]});
    online.command("register_patient", &patient).await.unwrap();
    let visit = json!({"id": VISIT, "provider_id": id_of(DIRECTOR), "provider_name": "Dr Made Up", "patient_id": PATIENT, "clinic_id": HERE, "check_in_timestamp": "2025-10-09T08:53:20.000Z"});
    online.command("visits.create", &visit).await.unwrap();
    let event = json!({"id": "0197f000-0000-7000-8000-000000000004", "patient_id": PATIENT, "visit_id": VISIT, "form_id": FORM,
        "event_type": "Test form", "form_data": [{"fieldId": "a", "value": 1}], "recorded_by_user_id": id_of(DIRECTOR)});
    online.command("events.create", &event).await.unwrap();
    let vitals = json!({"patient_id": PATIENT, "timestamp": 1_760_000_000_000_i64, "systolic_bp": 120});
    online.command("vitals.create", &vitals).await.unwrap();
    let problem = json!({"id": "0197f000-0000-7000-8000-000000000002", "patient_id": PATIENT, "problem_code_system": "icd10",
        "problem_code": "I10", "problem_label": "x", "clinical_status": "active", "verification_status": "confirmed",
        "severity_score": 2, "onset_date": "2025-10-09T08:53:20.000Z"});
    online.command("problems.create", &problem).await.unwrap();
    online
}

#[tokio::test]
async fn every_recorded_call_is_answered_in_the_shape_that_the_app_understood() {
    let mut online = hub_of_the_samples().await;
    let mut count = 0;
    for (name, sample) in samples() {
        let pairs = sample["requests"]
            .as_array()
            .unwrap()
            .iter()
            .zip(sample["hub_answered"].as_array().unwrap());
        for (request, recorded) in pairs {
            let answer = match request["command"].as_str() {
                Some(command) => online.command(command, &request["data"]).await,
                None => {
                    online
                        .query(request["query"].as_str().unwrap(), &request["params"])
                        .await
                }
            };
            let answer = answer.unwrap_or_else(|status| panic!("{name}: {status}"));
            // Which generation a device is shows in what it does; until then it is today's.
            let recorded = if name.starts_with("16-") {
                &json!({"data": recorded})
            } else {
                recorded
            };
            if let Err(place) = fits(recorded, &answer, "") {
                panic!("{name}: {place}: {answer}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 23);
}

/// Whether the answer has all that the recorded one has, of the same kinds. JSON columns were recorded as text and are
/// values; what was recorded as null, or in the values of the form's fields, may be there or not.
fn fits(recorded: &Value, answer: &Value, place: &str) -> Result<(), String> {
    let kinds = match (recorded, answer) {
        (Value::Null, _) | (Value::Bool(_), Value::Bool(_)) | (Value::Number(_), Value::Number(_)) => true,
        (Value::String(text), Value::Object(_) | Value::Array(_)) => text.starts_with(['{', '[']),
        (Value::String(_), Value::String(_)) => true,
        // An empty text may be one that was never sent.
        (Value::String(text), Value::Null) => text.is_empty(),
        (Value::Object(fields), Value::Object(theirs)) => {
            if place.ends_with("values") {
                return Ok(());
            }
            return fields.iter().try_for_each(|(name, value)| {
                let place = format!("{place}.{name}");
                let theirs = theirs.get(name).ok_or_else(|| format!("{place} is missing"))?;
                fits(value, theirs, &place)
            });
        }
        (Value::Array(rows), Value::Array(theirs)) => {
            return match (rows.first(), theirs.first()) {
                (Some(row), Some(their)) => fits(row, their, &format!("{place}[0]")),
                (Some(_), None) => Err(format!("{place} is empty")),
                (None, _) => Ok(()),
            };
        }
        _ => false,
    };
    if kinds {
        Ok(())
    } else {
        Err(format!("{place}: {recorded} was recorded"))
    }
}

fn sample(number: &str) -> Value {
    samples()
        .into_iter()
        .find(|(name, _)| name.starts_with(number))
        .unwrap()
        .1
}

fn data_of(number: &str) -> Value {
    sample(number)["requests"][0]["data"].clone()
}

async fn patient(online: &mut Online, id: &str) -> Map<String, Value> {
    let page = online.query("get_patients", &json!({"limit": 5000})).await.unwrap();
    let rows = page["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["id"] == id)
        .unwrap()
        .as_object()
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_patient_who_is_sent_whole_again_keeps_what_was_not_filled_in() {
    let mut online = hub_of_the_samples().await;
    let made = data_of("05");
    let id = made["patient"]["id"].as_str().unwrap();
    online.command("register_patient", &made).await.unwrap();
    let before = patient(&mut online, id).await;
    assert_eq!(before["primary_clinic_id"], HERE, "the user's own clinic");
    let fields = online.query("get_patient", &json!({"patient_id": id})).await.unwrap();
    assert_eq!(fields["values"]["0197f000-0000-7000-8000-000000007010"], "Madeupville");
    assert_eq!(fields["values"]["0197f000-0000-7000-8000-000000007001"], "Samplea");

    // The recorded partial update, with its nothing in every other column, a day later by its own clock.
    let mut partial = data_of("07");
    partial["patient"]["id"] = json!(id);
    partial["patient"]["created_at"] = json!("2027-01-01T00:00:00.000Z");
    partial["patient"]["updated_at"] = json!(before["updated_at"].as_i64().unwrap() + 1000);
    online.command("register_patient", &partial).await.unwrap();
    let after = patient(&mut online, id).await;
    for (column, value) in &before {
        let expected = if column == "phone" { &json!("111") } else { value };
        if column != "updated_at" {
            assert_eq!(&after[column], expected, "{column}");
        }
    }

    // Each field's id is the same for every patient; the rows are not.
    let (_, second) = (online.command("register_patient", &made).await.unwrap(), PATIENT);
    for patient in [id, second] {
        let fields = online
            .query("get_patient", &json!({"patient_id": patient}))
            .await
            .unwrap();
        assert_eq!(
            fields["values"]["0197f000-0000-7000-8000-000000007010"], "Madeupville",
            "{patient}"
        );
    }
    let pulled = online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    let rows = pulled["changes"]["patient_additional_attributes"]["created"]
        .as_array()
        .unwrap();
    let of = |patient: &str| rows.iter().filter(|row| row["patient_id"] == patient).count();
    assert_eq!((of(id), of(second)), (4, 1), "sent twice, made once");
}

#[tokio::test]
async fn an_unknown_patient_is_an_answer_and_all_else_that_is_unknown_a_404() {
    let mut online = Online::start().await;
    let unknown = "0197f000-0000-7000-8000-00000000dead";
    let answer = online.query("get_patient", &json!({"patient_id": unknown})).await;
    assert_eq!(answer, Ok(json!({"error": "not found"})));
    for name in ["problems.get", "appointments.get", "drugs.get"] {
        assert_eq!(online.query(name, &json!({"id": unknown})).await, Err(404), "{name}");
    }
    assert_eq!(
        online.query("get_event_form", &json!({"form_id": unknown})).await,
        Err(404)
    );
    assert_eq!(
        online.query("drugs.by_barcode", &json!({"barcode": "none"})).await,
        Err(404)
    );
    for name in [
        "visits.update",
        "events.update",
        "vitals.update",
        "problems.update",
        "appointments.cancel",
        "prescriptions.update",
        "prescription_items.update",
        "visits.delete",
        "events.delete",
    ] {
        assert_eq!(online.command(name, &json!({"id": unknown})).await, Err(404), "{name}");
    }
    let visit = json!({"patient_id": unknown, "clinic_id": HERE});
    assert_eq!(online.command("visits.create", &visit).await, Err(404));
    assert_eq!(
        online.command("delete_patient", &json!({"patient_id": unknown})).await,
        Err(404)
    );
    assert_eq!(online.query("no.such.thing", &json!({})).await, Err(400));
}
