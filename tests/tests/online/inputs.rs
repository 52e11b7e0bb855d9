//! What phones send beside what was recorded: retries without ids, times in every form, nothing where something should be,
//! and values that do not fit.

use serde_json::{Value, json};

use crate::clinic::{DIRECTOR, DRUG, FORM, HERE, Online, Records, id_of};

/// Every create that the app sends without an id, and the field of its answer that holds one.
fn creates(records: &Records) -> Vec<(&'static str, Value, &'static str)> {
    let patient = &records.patient;
    vec![
        (
            "register_patient",
            json!({"patient": {"given_name": "Twice"}, "additional_attributes": [
            {"attribute_id": "f1", "attribute": "x", "string_value": "y"}]}),
            "patient_id",
        ),
        (
            "visits.create",
            json!({"patient_id": patient, "clinic_id": HERE, "provider_name": "Twice",
            "check_in_timestamp": "2025-10-09T08:53:20.000Z", "metadata": {}}),
            "id",
        ),
        (
            "events.create",
            json!({"patient_id": patient, "visit_id": null, "event_type": "Twice", "form_id": FORM,
            "form_data": [{"fieldId": "a", "value": 1}], "metadata": {}}),
            "id",
        ),
        ("vitals.create", json!({"patient_id": patient, "pain_level": 2}), "id"),
        (
            "problems.create",
            json!({"patient_id": patient, "problem_code_system": "icd10", "problem_code": "I10",
            "problem_label": "Twice", "clinical_status": "active", "verification_status": "confirmed"}),
            "id",
        ),
        (
            "appointments.create",
            json!({"patient_id": patient, "clinic_id": HERE, "user_id": id_of(DIRECTOR), "reason": "Twice",
            "current_visit_id": records.visit, "timestamp": 1_760_000_000_000_i64}),
            "appointment_id",
        ),
        (
            "prescriptions.create",
            json!({"patient_id": patient, "provider_id": id_of(DIRECTOR), "pickup_clinic_id": HERE,
            "notes": "Twice"}),
            "prescription_id",
        ),
        (
            "prescription_items.create",
            json!({"prescription_id": records.prescription, "patient_id": patient, "drug_id": DRUG,
            "clinic_id": HERE, "dosage_instructions": "Twice", "quantity_prescribed": 3}),
            "id",
        ),
        (
            "dispensing.create",
            json!({"clinic_id": HERE, "drug_id": DRUG, "patient_id": patient, "quantity_dispensed": 1,
            "dispensed_by": id_of(DIRECTOR), "dispensed_at": "1760000000000"}),
            "id",
        ),
    ]
}

#[tokio::test]
async fn a_create_that_is_sent_again_because_its_answer_was_lost_makes_one_row() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let mut other = online.another(DIRECTOR).await;
    for (name, data, field) in creates(&records) {
        let before = rows(&mut online).await;
        let first = online.command(name, &data).await.unwrap();
        let made = rows(&mut online).await;
        assert!(made > before, "{name}");
        let again = online.command(name, &data).await.unwrap();
        assert_eq!(first, again, "{name}");
        assert_eq!(rows(&mut online).await, made, "{name}");

        let mut changed = data.clone();
        changed["metadata"] = json!({"a": 1});
        if name == "register_patient" {
            changed["patient"]["surname"] = json!("Another");
        }
        let another = online.command(name, &changed).await.unwrap();
        assert_ne!(first[field], another[field], "{name}: another field, another row");
        let others = crate::clinic::command(&mut other, name, &data).await.unwrap();
        assert_ne!(first[field], others[field], "{name}: another phone, another row");

        let mut named = data.clone();
        if name == "register_patient" {
            named["patient"]["id"] = first[field].clone();
        } else {
            named["id"] = first[field].clone();
        }
        let before = rows(&mut online).await;
        let answer = online.command(name, &named).await.unwrap();
        assert_eq!(answer[field], first[field], "{name}: with its id it is itself");
        assert_eq!(rows(&mut online).await, before, "{name}");
    }
}

/// How many rows there are in all.
async fn rows(online: &mut Online) -> usize {
    let pulled = online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    let tables = pulled["changes"].as_object().unwrap();
    tables
        .values()
        .map(|lists| lists["created"].as_array().unwrap().len())
        .sum()
}

#[tokio::test]
async fn values_are_taken_as_phones_write_them() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    for time in [
        json!("2025-10-09T08:53:20.000Z"),
        json!("1760000000000"),
        json!(1_760_000_000_000_i64),
    ] {
        let vitals = json!({"patient_id": records.patient, "timestamp": time, "weight_kg": 65.5, "visit_id": "",
            "heart_rate": "", "metadata": "", "is_deleted": false, "nobody_knows_this": {"a": [1]}, "id": ""});
        let id = online.command("vitals.create", &vitals).await.unwrap()["id"].clone();
        let list = online
            .query("vitals.list", &json!({"patient_id": records.patient}))
            .await
            .unwrap();
        let row = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["id"] == id)
            .unwrap()
            .clone();
        assert_eq!(row["timestamp"], 1_760_000_000_000_i64, "{time}");
        assert_eq!(
            row["metadata"],
            json!({}),
            "out of a query nothing is the column's empty value"
        );
        assert_eq!(
            (&row["is_deleted"], &row["weight_kg"], &row["heart_rate"]),
            (&json!(0), &json!(65.5), &Value::Null)
        );
    }
    // Near 1970 and before are birth days of real people and onsets of real diseases.
    for onset in [-1_000_000_i64, 0, 86_400_000] {
        let update = json!({"id": records.problem, "onset_date": onset});
        assert_eq!(
            online.command("problems.update", &update).await.unwrap()["onset_date"],
            onset
        );
    }
    for (sent, kept) in [
        (
            json!([{"fieldId": "a", "value": "é"}]),
            json!([{"fieldId": "a", "value": "é"}]),
        ),
        (
            json!("[{\"fieldId\":\"a\",\"value\":2}]"),
            json!([{"fieldId": "a", "value": 2}]),
        ),
        (json!(""), json!([])),
    ] {
        let update = json!({"id": records.event, "form_data": sent, "metadata": {}});
        let event = online.command("events.update", &update).await.unwrap();
        assert_eq!(event["form_data"], kept);
    }
    for truth in [json!(true), json!(1)] {
        let update = json!({"id": records.appointment, "is_walk_in": truth, "patient_id": "not to be changed"});
        let row = online.command("appointments.update", &update).await.unwrap();
        assert_eq!(
            (&row["is_walk_in"], &row["patient_id"]),
            (&json!(1), &json!(records.patient))
        );
    }
}

#[tokio::test]
async fn an_update_keeps_what_was_not_sent_and_null_clears() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let set = json!({"id": records.vitals, "systolic_bp": 120, "heart_rate": 70});
    assert_eq!(
        online.command("vitals.update", &set).await,
        Ok(json!({"ok": true, "id": records.vitals}))
    );
    online
        .command("vitals.update", &json!({"id": records.vitals, "heart_rate": null}))
        .await
        .unwrap();
    let list = online
        .query("vitals.list", &json!({"patient_id": records.patient}))
        .await
        .unwrap();
    let row = &list["data"][0];
    assert_eq!(
        (&row["systolic_bp"], &row["heart_rate"], &row["weight_kg"]),
        (&json!(120.0), &Value::Null, &json!(60.0))
    );

    let metadata = json!({"id": records.event, "form_data": [1], "metadata": {"kept": true}});
    online.command("events.update", &metadata).await.unwrap();
    let event = online
        .command(
            "events.update",
            &json!({"id": records.event, "form_data": [2], "metadata": {}}),
        )
        .await
        .unwrap();
    assert_eq!(
        (&event["form_data"], &event["metadata"]),
        (&json!([2]), &json!({"kept": true}))
    );

    let visit =
        json!({"id": records.visit, "provider_name": "Dr New", "check_in_timestamp": "2025-10-09T08:53:20.000Z"});
    let row = online.command("visits.update", &visit).await.unwrap();
    assert_eq!(
        (&row["provider_name"], &row["clinic_id"]),
        (&json!("Dr New"), &json!(HERE))
    );
    assert_eq!(row["check_in_timestamp"], 1_760_000_000_000_i64);

    let done = json!({"id": records.appointment, "user_id": id_of(DIRECTOR), "visit_id": records.visit});
    assert_eq!(
        online.command("appointments.complete", &done).await,
        Ok(json!({"completed": true}))
    );
    let row = online
        .query("appointments.get", &json!({"id": records.appointment}))
        .await
        .unwrap();
    assert_eq!(
        (&row["status"], &row["fulfilled_visit_id"]),
        (&json!("completed"), &json!(records.visit))
    );
    assert_eq!(
        online
            .command("appointments.cancel", &json!({"id": records.appointment}))
            .await,
        Ok(json!({"cancelled": true}))
    );

    let picked = json!({"id": records.prescription, "provider_id": id_of(DIRECTOR)});
    assert_eq!(
        online.command("prescriptions.pickup", &picked).await,
        Ok(json!({"ok": true}))
    );
    let found = json!({"patient_id": records.patient, "visit_id": records.visit});
    let rows = online.query("prescriptions.by_patient_visit", &found).await.unwrap();
    assert_eq!(
        (&rows["data"][0]["status"], &rows["data"][0]["filled_by"]),
        (&json!("picked-up"), &json!(id_of(DIRECTOR)))
    );
    assert!(rows["data"][0]["filled_at"].is_i64());
}

#[tokio::test]
async fn a_value_that_does_not_fit_changes_nothing() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let wrong = [
        (
            "visits.update",
            json!({"id": records.visit, "provider_name": "half", "check_in_timestamp": "yesterday"}),
        ),
        ("visits.update", json!({"id": records.visit, "provider_name": 5})),
        ("visits.create", json!({"patient_id": 5, "clinic_id": HERE})),
        ("visits.create", json!({"patient_id": "", "clinic_id": HERE})),
        ("visits.create", json!({"clinic_id": HERE})),
        ("events.update", json!({"id": 7, "form_data": []})),
        ("events.update", json!({})),
        (
            "vitals.create",
            json!({"patient_id": records.patient, "weight_kg": "heavy"}),
        ),
        ("vitals.create", json!({"patient_id": ""})),
        (
            "vitals.update",
            json!({"id": records.vitals, "heart_rate": 1, "systolic_bp": [120]}),
        ),
        (
            "problems.create",
            json!({"patient_id": records.patient, "problem_label": "no code"}),
        ),
        (
            "problems.update",
            json!({"id": records.problem, "severity_score": {"a": 1}}),
        ),
        (
            "appointments.update",
            json!({"id": records.appointment, "reason": "half", "duration": 1.5}),
        ),
        (
            "appointments.update",
            json!({"id": records.appointment, "reason": "half", "is_walk_in": "perhaps"}),
        ),
        (
            "appointments.complete",
            json!({"id": records.appointment, "visit_id": 5}),
        ),
        ("prescriptions.update_status", json!({"id": records.prescription})),
        ("prescriptions.pickup", json!({"id": records.prescription})),
        (
            "prescription_items.update",
            json!({"id": records.item, "notes": "half", "quantity_prescribed": 1.5}),
        ),
        (
            "prescription_items.dispense",
            json!({"id": records.item, "provider_id": "x", "batch_quantities": {}}),
        ),
        (
            "prescription_items.dispense",
            json!({"id": records.item, "provider_id": "x", "batch_quantities": {"b": 0}}),
        ),
        (
            "prescription_items.dispense",
            json!({"id": records.item, "provider_id": "x", "batch_quantities": {"b": -1}}),
        ),
        (
            "prescription_items.dispense",
            json!({"id": records.item, "provider_id": "x", "batch_quantities": {"b": 1.5}}),
        ),
        (
            "prescription_items.dispense",
            json!({"id": records.item, "provider_id": "x", "batch_quantities": [1]}),
        ),
        (
            "register_patient",
            json!({"patient": {"given_name": "Half"}, "additional_attributes": [{"attribute": "no id"}]}),
        ),
        (
            "register_patient",
            json!({"patient": {"given_name": "Half"}, "additional_attributes": [
            {"attribute_id": "f", "attribute": "x", "number_value": "many"}]}),
        ),
        ("register_patient", json!({"patient": "none"})),
        ("delete_patient", json!({"patient_id": null})),
    ];
    let given = online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    for (name, data) in wrong {
        assert_eq!(online.command(name, &data).await, Err(400), "{name} {data}");
    }
    for (name, params) in [
        ("get_patients", json!({"limit": "many"})),
        ("search_patients", json!({"filters": ["given_name"]})),
        ("search_patients", json!({"filters": {"given_name": 5}})),
        ("get_visits", json!({})),
        ("appointments.list", json!({"start_date": "soon"})),
        ("appointments.search", json!({"status": [5]})),
        (
            "inventory.check_availability",
            json!({"drug_id": DRUG, "clinic_id": HERE, "required_quantity": "all"}),
        ),
    ] {
        assert_eq!(online.query(name, &params).await, Err(400), "{name} {params}");
    }
    let after = online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    assert_eq!(given["changes"], after["changes"]);
}

#[tokio::test]
async fn lists_are_found_by_what_is_in_them() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let day = |date: &str| json!({"search_query": "INVENT", "clinic_id": HERE, "department_ids": [], "status": [], "date": date});
    for (date, total) in [
        ("2025-10-09", 1),
        ("2025-10-09T12:00:01Z", 1),
        ("2025-10-10", 0),
        ("2025-10-08", 0),
    ] {
        assert_eq!(
            online.query("appointments.search", &day(date)).await.unwrap()["total"],
            total,
            "{date}"
        );
    }
    let departments =
        json!({"id": records.appointment, "departments": [{"id": "d1", "name": "Ward"}, "d2"], "status": "pending"});
    online.command("appointments.update", &departments).await.unwrap();
    for (wanted, total) in [(json!(["d1"]), 1), (json!(["d3", "d2"]), 1), (json!(["d3"]), 0)] {
        let search = json!({"department_ids": wanted, "status": ["pending", "x"]});
        assert_eq!(
            online.query("appointments.search", &search).await.unwrap()["total"],
            total,
            "{wanted}"
        );
    }
    let between =
        json!({"start_date": "2025-10-09T08:53:20.000Z", "end_date": "2025-10-09T08:53:20.000Z", "clinic_id": HERE});
    let page = online.query("appointments.list", &between).await.unwrap();
    assert_eq!(
        (&page["total"], &page["limit"], &page["offset"]),
        (&json!(1), &json!(20), &json!(0))
    );

    for (term, found) in [
        ("paracetamol", 1),
        ("ARACÉT", 1),
        ("6291", 1),
        ("%", 0),
        ("_", 0),
        ("", 1),
    ] {
        let drugs = online
            .query("drugs.search", &json!({"search_term": term, "form": "tablet"}))
            .await
            .unwrap();
        assert_eq!(drugs["data"].as_array().unwrap().len(), found, "{term}");
        let stock = online
            .query("inventory.search", &json!({"clinic_id": HERE, "search_term": term}))
            .await
            .unwrap();
        assert_eq!(stock["data"].as_array().unwrap().len(), found * 3, "{term}");
    }
    let forms = online.query("get_event_forms", &json!({})).await.unwrap();
    assert_eq!(forms["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&forms["data"][0]["is_editable"], &forms["data"][0]["is_snapshot_form"]),
        (&json!(true), &json!(false))
    );
    let here = online
        .query("event_forms.list", &json!({"clinic_id": HERE, "language": "en"}))
        .await
        .unwrap();
    assert_eq!(here["data"].as_array().unwrap().len(), 1);
    let similar = online
        .query(
            "patients.similar",
            &json!({"given_name": "Inventa", "surname": "Smaplea"}),
        )
        .await
        .unwrap();
    assert_eq!(similar["data"][0]["id"], records.patient);
    for (id, exists) in [("GOV-9", true), ("gov-nobody", false), ("", false)] {
        online
            .command(
                "register_patient",
                &json!({"patient": {"id": records.patient, "government_id": "GOV-9"}}),
            )
            .await
            .unwrap();
        let answer = online
            .query("check_government_id", &json!({"government_id": id}))
            .await
            .unwrap();
        assert_eq!(answer, json!({"exists": exists}), "{id}");
    }
}

#[tokio::test]
async fn each_generation_of_the_app_gets_the_vitals_that_it_can_read() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let of_patient = json!({"patient_id": records.patient});
    let unknown = online.query("vitals.list", &of_patient).await.unwrap();
    assert_eq!(unknown["data"][0]["id"], records.vitals);
    let delete = |deleted: Value| json!({"changes": {"patient_vitals": {"created": [], "updated": [], "deleted": [deleted]}}, "lastPulledAt": 1});
    let whole = json!({"id": "never-here", "patient_id": records.patient, "weight_kg": 1});
    online.command("sync_push", &delete(whole)).await.unwrap();
    let older = online.query("vitals.list", &of_patient).await.unwrap();
    assert_eq!(older[0]["id"], records.vitals);
    online.command("sync_push", &delete(json!("never-here"))).await.unwrap();
    let newer = online.query("vitals.list", &of_patient).await.unwrap();
    assert_eq!(newer, unknown);
}
