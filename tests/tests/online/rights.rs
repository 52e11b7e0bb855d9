//! Who may do what: every procedure, with each right that is missing, on the other site's records, and on those of a patient
//! of the other site who has a visit here.

use std::collections::BTreeSet;

use hub_appliance::procedures::known;
use hub_appliance::wire::message::Kind;
use serde_json::{Value, json};

use crate::clinic::{BATCH, DIRECTOR, DRUG, FORM, HERE, LOCAL, Online, RIGHTS, Records, THERE, id_of, without};

const VIEW: &str = "can_view_history";
const REGISTER: &str = "can_register_patients";
const EDIT: &str = "can_edit_records";
const OTHERS: &str = "can_edit_other_provider_event";
const DELETE: &str = "can_delete_records";
const DELETE_VISITS: &str = "can_delete_patient_visits";
const DELETE_PATIENTS: &str = "can_delete_patient_records";
const PRESCRIBE: &str = "can_prescribe_medications";
const DISPENSE: &str = "can_dispense_medications";

/// What a call gives to whom it does not show anything.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Otherwise {
    /// A list or a count that is empty.
    Empty,
    /// 403.
    Refused,
    /// The same as to everybody: it is nobody's.
    Same,
}

use Otherwise::{Empty, Refused, Same};

struct Row {
    name: &'static str,
    /// All of these are needed.
    needs: &'static [&'static str],
    otherwise: Otherwise,
    data: fn(&Records) -> Value,
    /// Whether it is for a patient of the other site who has a visit here.
    of_visitor: bool,
}

const fn query(name: &'static str, otherwise: Otherwise, data: fn(&Records) -> Value) -> Row {
    Row {
        name,
        needs: &[VIEW],
        otherwise,
        data,
        of_visitor: true,
    }
}

const fn shared(name: &'static str, data: fn(&Records) -> Value) -> Row {
    Row {
        name,
        needs: &[],
        otherwise: Same,
        data,
        of_visitor: true,
    }
}

const fn command(name: &'static str, needs: &'static [&'static str], data: fn(&Records) -> Value) -> Row {
    Row {
        name,
        needs,
        otherwise: Refused,
        data,
        of_visitor: false,
    }
}

fn of_patient(records: &Records) -> Value {
    json!({"patient_id": records.patient, "visit_id": records.visit, "form_id": FORM})
}

fn everything(_: &Records) -> Value {
    json!({"limit": 5000})
}

const QUERIES: &[Row] = &[
    query("get_patients", Empty, everything),
    query(
        "search_patients",
        Empty,
        |records| json!({"filters": {"id": records.patient}}),
    ),
    query("get_patient", Refused, of_patient),
    query(
        "patients.similar",
        Empty,
        |_| json!({"given_name": "Samplea", "surname": "Inventa", "limit": 5000}),
    ),
    query(
        "check_government_id",
        Empty,
        |records| json!({"government_id": format!("GOV-{}", records.patient)}),
    ),
    query("get_visits", Empty, of_patient),
    query("get_visit_events", Empty, of_patient),
    query("events.by_form", Empty, of_patient),
    query("vitals.list", Empty, of_patient),
    query("problems.list", Empty, of_patient),
    query("problems.get", Refused, |records| json!({"id": records.problem})),
    query("appointments.list", Empty, everything),
    query(
        "appointments.get",
        Refused,
        |records| json!({"id": records.appointment}),
    ),
    query("appointments.by_patient", Empty, of_patient),
    query("appointments.search", Empty, everything),
    query("prescriptions.search", Empty, everything),
    query("prescriptions.by_patient_visit", Empty, of_patient),
    query(
        "prescription_items.by_prescription",
        Empty,
        |records| json!({"prescription_id": records.prescription}),
    ),
    query("prescription_items.by_patient", Empty, of_patient),
    query("dispensing.by_patient", Empty, of_patient),
    shared("drugs.search", |_| json!({})),
    shared("drugs.get", |_| json!({"id": DRUG})),
    shared("drugs.by_barcode", |_| json!({"barcode": "6291"})),
    shared("get_patient_registration_form", |_| json!({})),
    shared("registration_form.get", |_| json!({"language": "en"})),
    shared("get_all_registration_forms", |_| json!({})),
    shared("get_event_forms", |_| json!({})),
    shared("event_forms.list", |_| json!({})),
    shared("get_event_form", |_| json!({"form_id": FORM})),
    shared("clinics.list", |_| json!({})),
    shared("clinic_departments.list", |_| json!({"clinic_id": HERE})),
];

/// Of a clinic's own, not of patients.
const OF_CLINIC: &[Row] = &[
    query(
        "inventory.by_clinic",
        Empty,
        |records| json!({"clinic_id": records.clinic}),
    ),
    query(
        "inventory.search",
        Empty,
        |records| json!({"clinic_id": records.clinic, "search_term": "made"}),
    ),
    query("inventory.check_availability", Empty, |records| {
        json!({"drug_id": DRUG, "clinic_id": records.clinic,
        "required_quantity": 1})
    }),
];

const COMMANDS: &[Row] = &[
    command(
        "register_patient",
        &[EDIT],
        |records| json!({"patient": {"id": records.patient, "phone": "1"}}),
    ),
    command(
        "visits.create",
        &[EDIT],
        |records| json!({"patient_id": records.patient, "clinic_id": records.clinic}),
    ),
    command(
        "visits.update",
        &[EDIT],
        |records| json!({"id": records.visit, "provider_name": "x"}),
    ),
    command("create_event", &[EDIT], |records| {
        json!({"id": uuid::Uuid::new_v4().to_string(), "patient_id": records.patient,
        "visit_id": records.visit, "event_type": "x"})
    }),
    command(
        "events.create",
        &[EDIT],
        |records| json!({"patient_id": records.patient, "visit_id": records.visit}),
    ),
    command(
        "events.update",
        &[EDIT, OTHERS],
        |records| json!({"id": records.event, "form_data": [1]}),
    ),
    command(
        "vitals.create",
        &[EDIT],
        |records| json!({"patient_id": records.patient, "weight_kg": 61}),
    ),
    command(
        "vitals.update",
        &[EDIT],
        |records| json!({"id": records.vitals, "weight_kg": 62}),
    ),
    command("problems.create", &[EDIT], |records| {
        json!({"patient_id": records.patient, "problem_code_system": "icd10",
        "problem_code": "I11", "problem_label": "x", "clinical_status": "active", "verification_status": "confirmed"})
    }),
    command(
        "problems.update",
        &[EDIT],
        |records| json!({"id": records.problem, "problem_label": "y"}),
    ),
    command("appointments.create", &[EDIT], |records| {
        json!({"patient_id": records.patient, "clinic_id": records.clinic,
        "user_id": id_of(DIRECTOR), "current_visit_id": records.visit, "timestamp": 5})
    }),
    command(
        "appointments.update",
        &[EDIT],
        |records| json!({"id": records.appointment, "reason": "y"}),
    ),
    command(
        "appointments.cancel",
        &[EDIT],
        |records| json!({"id": records.appointment}),
    ),
    command(
        "appointments.complete",
        &[EDIT],
        |records| json!({"id": records.appointment, "user_id": id_of(DIRECTOR)}),
    ),
    command("prescriptions.create", &[PRESCRIBE], |records| {
        json!({"patient_id": records.patient,
        "provider_id": id_of(DIRECTOR), "pickup_clinic_id": records.clinic})
    }),
    command(
        "prescriptions.update",
        &[PRESCRIBE],
        |records| json!({"id": records.prescription, "notes": "y"}),
    ),
    // Either right is enough: see below.
    command(
        "prescriptions.update_status",
        &[],
        |records| json!({"id": records.prescription, "status": "prepared"}),
    ),
    command(
        "prescriptions.pickup",
        &[DISPENSE],
        |records| json!({"id": records.prescription, "provider_id": id_of(DIRECTOR)}),
    ),
    command("prescription_items.create", &[PRESCRIBE], |records| {
        json!({"prescription_id": records.prescription,
        "patient_id": records.patient, "drug_id": DRUG, "clinic_id": records.clinic, "dosage_instructions": "x",
        "quantity_prescribed": 1})
    }),
    command(
        "prescription_items.update",
        &[PRESCRIBE],
        |records| json!({"id": records.item, "notes": "y"}),
    ),
    command("prescription_items.dispense", &[DISPENSE], |records| {
        json!({"id": records.item, "provider_id": id_of(DIRECTOR),
        "batch_quantities": {records.batch.as_str(): 1}})
    }),
    command("dispensing.create", &[DISPENSE], |records| {
        json!({"patient_id": records.patient, "drug_id": DRUG,
        "clinic_id": records.clinic, "quantity_dispensed": 1, "dispensed_by": id_of(DIRECTOR)})
    }),
    // These last: there is nothing left behind them.
    command("events.delete", &[DELETE], |records| json!({"id": records.event})),
    command(
        "visits.delete",
        &[DELETE_VISITS],
        |records| json!({"id": records.visit}),
    ),
    command(
        "delete_patient",
        &[DELETE_PATIENTS],
        |records| json!({"patient_id": records.patient}),
    ),
];

/// Procedures that are about no record: other tests know what they ask for.
const OF_NO_RECORD: [&str; 7] = ["ping", "heartbeat", "login", "logout", "sync_pull", "sync_push", "held"];

#[test]
fn every_procedure_has_a_row() {
    let rows = QUERIES.iter().chain(OF_CLINIC).chain(COMMANDS);
    let tested: BTreeSet<&str> = rows.map(|row| row.name).collect();
    let all: BTreeSet<&str> = known()
        .map(|procedure| procedure.name)
        .filter(|name| !OF_NO_RECORD.contains(&name.split('.').next().unwrap_or(name)))
        .collect();
    assert_eq!(tested, all);
}

/// Whether an answer shows this patient, or anything at all where it is one patient's.
fn shows(row: &Row, answer: &Value, records: &Records) -> bool {
    if let Some(exists) = answer.get("exists") {
        return *exists == json!(true);
    }
    if let Some(total) = answer.get("total_available") {
        return *total != json!(0);
    }
    let rows = answer.get("data").unwrap_or(answer);
    let Some(rows) = rows.as_array() else { return true };
    match row.name {
        "get_patients" | "search_patients" | "patients.similar" => rows.iter().any(|row| row["id"] == *records.patient),
        "appointments.list" | "appointments.search" | "prescriptions.search" => {
            rows.iter().any(|row| row["patient_id"] == *records.patient)
        }
        _ => !rows.is_empty(),
    }
}

async fn check(online: &mut Online, row: &Row, records: &Records, allowed: bool, who: &str) {
    let data = (row.data)(records);
    let kind = known().find(|procedure| procedure.name == row.name).unwrap().kind;
    let answer = match kind {
        Kind::Command => online.command(row.name, &data).await,
        Kind::Query => online.query(row.name, &data).await,
    };
    let expected = match row.otherwise {
        _ if allowed => true,
        Same => true,
        Empty => false,
        Refused => {
            assert_eq!(answer, Err(403), "{} by {who}", row.name);
            return;
        }
    };
    let answer = answer.unwrap_or_else(|status| panic!("{} by {who}: {status}", row.name));
    assert_eq!(
        shows(row, &answer, records),
        expected,
        "{} by {who}: {answer}",
        row.name
    );
}

async fn complete(online: &mut Online, clinic: &str) -> Records {
    let records = online.records(clinic).await;
    let id = json!({"patient": {"id": records.patient, "government_id": format!("GOV-{}", records.patient)}});
    online.command("register_patient", &id).await.unwrap();
    let dispensed = json!({"patient_id": records.patient, "drug_id": DRUG, "clinic_id": clinic, "quantity_dispensed": 1,
        "dispensed_by": id_of(DIRECTOR), "batch_id": BATCH});
    online.command("dispensing.create", &dispensed).await.unwrap();
    records
}

#[tokio::test]
async fn each_right_that_is_missing_takes_its_procedures_and_no_other() {
    let mut online = Online::start().await;
    let kept = complete(&mut online, HERE).await;
    for right in RIGHTS {
        online.become_user(DIRECTOR).await;
        let records = online.records(HERE).await;
        let who = without(right);
        online.become_user(&who).await;
        for row in QUERIES.iter().chain(OF_CLINIC) {
            check(&mut online, row, &kept, !row.needs.contains(&right), &who).await;
        }
        for row in COMMANDS {
            check(&mut online, row, &records, !row.needs.contains(&right), &who).await;
        }
        let new = json!({"patient": {"given_name": "New", "surname": who}});
        let registered = online.command("register_patient", &new).await.map(drop);
        assert_eq!(registered, if right == REGISTER { Err(403) } else { Ok(()) });
    }
}

#[tokio::test]
async fn the_other_sites_records_are_neither_shown_nor_changed() {
    let mut online = Online::start().await;
    let records = complete(&mut online, THERE).await;
    online.become_user(LOCAL).await;
    let before = state(&mut online, &records).await;
    for row in QUERIES.iter().chain(OF_CLINIC) {
        check(&mut online, row, &records, false, LOCAL).await;
    }
    for row in COMMANDS {
        check(&mut online, row, &records, false, LOCAL).await;
    }
    let there = json!({"patient": {"given_name": "New", "primary_clinic_id": THERE}});
    assert_eq!(online.command("register_patient", &there).await, Err(403));
    assert_eq!(state(&mut online, &records).await, before);
}

#[tokio::test]
async fn a_patient_of_the_other_site_with_a_visit_here_is_shown_and_not_changed() {
    let mut online = Online::start().await;
    let records = complete(&mut online, THERE).await;
    let visit = json!({"patient_id": records.patient, "clinic_id": HERE});
    let visit = online.made("visits.create", visit, "id").await;
    online.become_user(LOCAL).await;
    let before = state(&mut online, &records).await;
    for row in QUERIES {
        check(&mut online, row, &records, row.of_visitor, LOCAL).await;
    }
    for row in OF_CLINIC.iter().chain(COMMANDS) {
        check(&mut online, row, &records, false, LOCAL).await;
    }
    assert_eq!(state(&mut online, &records).await, before);

    let mine = json!({"id": visit, "provider_name": "Mine"});
    online.command("visits.update", &mine).await.unwrap();
    online.command("visits.delete", &json!({"id": visit})).await.unwrap();
    assert_eq!(
        online
            .query("get_patient", &json!({"patient_id": records.patient}))
            .await,
        Err(403),
        "and no longer"
    );
}

/// What everybody's phones would get, by whom it does not matter.
async fn state(online: &mut Online, records: &Records) -> Value {
    online.become_user(DIRECTOR).await;
    let pulled = online.query("sync_pull", &json!({"lastPulledAt": 0})).await.unwrap();
    online.become_user(LOCAL).await;
    assert!(pulled["changes"].to_string().contains(&records.patient));
    pulled["changes"].clone()
}

#[tokio::test]
async fn either_of_two_rights_changes_a_prescriptions_status_and_own_events_are_ones_own() {
    let mut online = Online::start().await;
    let records = online.records(HERE).await;
    let status = json!({"id": records.prescription, "status": "prepared"});
    for right in [PRESCRIBE, DISPENSE] {
        online.become_user(&without(right)).await;
        assert_eq!(
            online.command("prescriptions.update_status", &status).await,
            Ok(json!({"ok": true})),
            "without {right}"
        );
    }
    online.become_user(&without(OTHERS)).await;
    let event = json!({"patient_id": records.patient, "visit_id": records.visit, "event_type": "own"});
    let event = online.made("events.create", event, "id").await;
    let edit = json!({"id": event, "form_data": [1]});
    assert!(online.command("events.update", &edit).await.is_ok());
    let edit = json!({"id": records.event, "form_data": [1]});
    assert_eq!(online.command("events.update", &edit).await, Err(403));
}

#[tokio::test]
async fn without_a_token_nothing_is_answered() {
    let mut online = Online::start().await;
    online.client.set_token(None);
    for procedure in known().filter(|procedure| !procedure.is_open) {
        let answer = match procedure.kind {
            Kind::Command => online.command(procedure.name, &json!({})).await,
            Kind::Query => online.query(procedure.name, &json!({})).await,
        };
        assert_eq!(answer, Err(401), "{}", procedure.name);
    }
}
