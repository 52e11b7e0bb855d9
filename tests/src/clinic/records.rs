//! Patients with their attributes, visits, and what happens at a visit.

use serde_json::json;

use super::forms::{Forms, OwnField};
use super::names::{NAMES, NameList, PROBLEMS};
use super::pharmacy::Stock;
use super::source::{Build, Source};
use super::staff::{DemoUser, Staff};
use super::{BEGIN, ClinicSize, SPAN};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// What is needed of a patient later.
struct Patient {
    id: String,
    clinic: usize,
    people: &'static NameList,
}

/// What a visit's rows have in common.
struct Visit<'a> {
    id: String,
    at: i64,
    patient: &'a Patient,
    provider: &'a DemoUser,
    clinic_id: &'a str,
}

/// The clinic's furniture that records point to.
pub(super) struct House {
    pub(super) staff: Staff,
    pub(super) forms: Forms,
    pub(super) stock: Vec<Stock>,
}

pub(super) fn build(build: &mut Build, house: &House, size: &ClinicSize) {
    let patients: Vec<Patient> = (0..size.patients)
        .map(|number| patient(build, house, moment(number, size.patients)))
        .collect();
    let mut events = 0;
    for number in 0..size.visits.min(if patients.is_empty() { 0 } else { usize::MAX }) {
        let known = (number * patients.len() / size.visits).max(1);
        let patient = &patients[build.random.below(known)];
        let visit = open_visit(build, house, patient, moment(number, size.visits));
        let until = (number + 1) * size.events / size.visits;
        for _ in events..until {
            event(build, house, &visit);
        }
        events = until;
        if number % 2 == 0 {
            vitals(build, &visit);
        }
        if number % 8 == 1 {
            problem(build, &visit);
        }
        if number % 5 == 2 {
            appointment(build, house, &visit);
        }
        if number % 3 == 0 {
            prescription(build, house, &visit);
        }
        if number % 10 == 4 {
            risk_profile(build, &visit);
        }
    }
}

/// The time of the `number`th of `count` evenly spread happenings.
fn moment(number: usize, count: usize) -> i64 {
    let share = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    BEGIN + SPAN / share(count).max(1) * share(number)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn tenths(build: &mut Build, low: i64, high: i64) -> Source {
    (build.random.between(low * 10, high * 10) as f64 / 10.0).into()
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn whole(build: &mut Build, low: i64, high: i64) -> Source {
    (build.random.between(low, high) as f64).into()
}

fn patient(build: &mut Build, house: &House, at: i64) -> Patient {
    let people = build.random.pick(NAMES);
    let clinic = usize::from(build.random.percent(40));
    let female = build.random.percent(55);
    let given = if female { people.female } else { people.male };
    let age_days = build.random.between(1, 90 * 365);
    let values = [
        ("given_name", (*build.random.pick(given)).into()),
        ("surname", (*build.random.pick(people.surnames)).into()),
        ("date_of_birth", Source::Date(at / DAY - age_days)),
        ("citizenship", people.citizenship.into()),
        ("hometown", (*build.random.pick(people.hometowns)).into()),
        ("phone", format!("+2217{:07}", build.random.below(10_000_000)).into()),
        ("sex", if female { "female" } else { "male" }.into()),
        ("camp", build.random.percent(30).then_some("Camp B").into()),
        ("additional_data", json!({}).into()),
        ("metadata", json!({}).into()),
        (
            "government_id",
            build.random.percent(60).then(|| format!("GOV-{at}")).into(),
        ),
        ("external_patient_id", Source::from("")),
        ("primary_clinic_id", (&house.staff.clinics[clinic]).into()),
        ("last_modified_by", (&house.staff.users[1].id).into()),
    ];
    let id = build.add("patients", at, &values);
    for (number, field) in house.forms.own_fields.iter().enumerate() {
        let asked = match number {
            0 => true,
            1 => build.random.percent(60),
            2 => build.random.percent(30),
            _ => female && build.random.percent(20),
        };
        if asked {
            attribute(build, &id, field, people, at);
        }
    }
    Patient { id, clinic, people }
}

fn attribute(build: &mut Build, patient_id: &str, field: &OwnField, people: &NameList, at: i64) {
    let (attribute_id, attribute) = field;
    let value: (&str, Source) = match *attribute {
        "household_size" => ("number_value", whole(build, 1, 14)),
        "displaced_on" => ("date_value", Source::Time(at - build.random.between(30, 900) * DAY)),
        "pregnant" => ("boolean_value", build.random.percent(50).into()),
        _ => ("string_value", (*build.random.pick(people.hometowns)).into()),
    };
    build.add(
        "patient_additional_attributes",
        at,
        &[
            ("patient_id", patient_id.into()),
            ("attribute_id", attribute_id.into()),
            ("attribute", (*attribute).into()),
            ("unique_reference", format!("{patient_id}/{attribute}").into()),
            value,
        ],
    );
}

fn open_visit<'a>(build: &mut Build, house: &'a House, patient: &'a Patient, at: i64) -> Visit<'a> {
    let doctor = if patient.clinic == 0 { build.random.below(2) } else { 4 };
    let provider = &house.staff.users[doctor];
    let clinic_id = &house.staff.clinics[patient.clinic];
    let id = build.add(
        "visits",
        at,
        &[
            ("patient_id", (&patient.id).into()),
            ("clinic_id", clinic_id.into()),
            ("provider_id", (&provider.id).into()),
            ("provider_name", (&provider.name).into()),
            ("check_in_timestamp", Source::Time(at - MINUTE)),
            ("metadata", json!({"startTime": at}).into()),
        ],
    );
    Visit {
        id,
        at,
        patient,
        provider,
        clinic_id,
    }
}

fn event(build: &mut Build, house: &House, visit: &Visit<'_>) {
    let at = visit.at + build.random.between(1, 40) * MINUTE;
    let forms = &house.forms.events;
    let open_to_clinic = if visit.patient.clinic == 1 {
        forms.len()
    } else {
        forms.len() - 1
    };
    let form = &forms[build.random.below(open_to_clinic)];
    let form_data = form.filled_in(&mut build.random, visit.patient.people);
    build.add(
        "events",
        at,
        &[
            ("patient_id", (&visit.patient.id).into()),
            ("form_id", (&form.id).into()),
            ("visit_id", (&visit.id).into()),
            ("event_type", form.name.into()),
            ("form_data", form_data.into()),
            (
                "metadata",
                json!({"startTime": at, "providerId": visit.provider.id}).into(),
            ),
            ("recorded_by_user_id", (&visit.provider.id).into()),
        ],
    );
}

fn vitals(build: &mut Build, visit: &Visit<'_>) {
    let at = visit.at + 2 * MINUTE;
    let values = [
        ("patient_id", (&visit.patient.id).into()),
        ("visit_id", (&visit.id).into()),
        ("timestamp", Source::Time(at)),
        ("systolic_bp", whole(build, 95, 185)),
        ("diastolic_bp", whole(build, 55, 115)),
        ("bp_position", "sitting".into()),
        ("height_cm", tenths(build, 50, 195)),
        ("weight_kg", tenths(build, 3, 120)),
        ("heart_rate", whole(build, 50, 150)),
        ("oxygen_saturation", tenths(build, 85, 100)),
        ("temperature_celsius", tenths(build, 35, 41)),
        ("pain_level", whole(build, 0, 10)),
        ("recorded_by_user_id", (&visit.provider.id).into()),
    ];
    build.add("patient_vitals", at, &values);
}

fn problem(build: &mut Build, visit: &Visit<'_>) {
    let (code, label) = build.random.pick(PROBLEMS);
    let resolved = build.random.percent(30);
    let today = visit.at / DAY;
    let values = [
        ("patient_id", (&visit.patient.id).into()),
        ("visit_id", (&visit.id).into()),
        ("problem_code_system", "icd10".into()),
        ("problem_code", (*code).into()),
        ("problem_label", (*label).into()),
        ("clinical_status", if resolved { "resolved" } else { "active" }.into()),
        ("verification_status", "confirmed".into()),
        ("severity_score", whole(build, 1, 10)),
        ("onset_date", Source::Date(today - build.random.between(1, 900))),
        ("end_date", if resolved { Source::Date(today) } else { Source::Null }),
        ("recorded_by_user_id", (&visit.provider.id).into()),
    ];
    build.add("patient_problems", visit.at + 5 * MINUTE, &values);
}

/// What an app or a clinic reckoned of a patient's risk; an app's is tied to no clinic.
fn risk_profile(build: &mut Build, visit: &Visit<'_>) {
    let by_app = build.random.percent(50);
    let value: [(&str, Source); 2] = match build.random.below(4) {
        0 => [
            ("value_type", "numeric".into()),
            ("numerical_value", tenths(build, 0, 1)),
        ],
        1 => [("value_type", "string".into()), ("string_value", "high".into())],
        2 => [("value_type", "boolean".into()), ("boolean_value", true.into())],
        _ => [
            ("value_type", "json".into()),
            ("json_value", json!({"score": 3, "of": 9}).into()),
        ],
    };
    let mut values = vec![
        ("patient_id", (&visit.patient.id).into()),
        ("clinic_id", (!by_app).then_some(visit.clinic_id).into()),
        ("kind", "hers".into()),
        ("source", if by_app { "device" } else { "clinic" }.into()),
        ("version", "1".into()),
        ("json_value", Source::Null),
    ];
    values.extend(value);
    build.add("patient_risk_profiles", visit.at + 6 * MINUTE, &values);
}

fn appointment(build: &mut Build, house: &House, visit: &Visit<'_>) {
    let own = house.staff.departments.len() / 2;
    let (department, name) = &house.staff.departments[visit.patient.clinic * own + build.random.below(own)];
    let values = [
        ("provider_id", (&visit.provider.id).into()),
        ("clinic_id", visit.clinic_id.into()),
        ("patient_id", (&visit.patient.id).into()),
        ("user_id", (&visit.provider.id).into()),
        ("current_visit_id", (&visit.id).into()),
        ("timestamp", Source::Time(visit.at + build.random.between(7, 60) * DAY)),
        ("duration", 15.into()),
        ("reason", "follow-up".into()),
        ("notes", (*build.random.pick(visit.patient.people.complaints)).into()),
        ("is_walk_in", build.random.percent(20).into()),
        (
            "departments",
            json!([{"id": department, "name": name, "seen_at": null, "seen_by": null, "status": "pending"}]).into(),
        ),
        (
            "status",
            (*build.random.pick(&["pending", "confirmed", "completed", "cancelled"])).into(),
        ),
    ];
    build.add("appointments", visit.at + 10 * MINUTE, &values);
}

fn prescription(build: &mut Build, house: &House, visit: &Visit<'_>) {
    let at = visit.at + 12 * MINUTE;
    let filled = build.random.percent(50);
    let pharmacist = &house.staff.users[if visit.patient.clinic == 0 { 2 } else { 4 }].id;
    let prescription = build.add(
        "prescriptions",
        at,
        &[
            ("patient_id", (&visit.patient.id).into()),
            ("provider_id", (&visit.provider.id).into()),
            ("filled_by", filled.then_some(pharmacist).into()),
            ("pickup_clinic_id", visit.clinic_id.into()),
            ("visit_id", (&visit.id).into()),
            ("priority", "normal".into()),
            ("expiration_date", Source::Time(at + 90 * DAY)),
            ("prescribed_at", Source::Time(at)),
            (
                "filled_at",
                if filled {
                    Source::Time(at + 30 * MINUTE)
                } else {
                    Source::Null
                },
            ),
            ("status", if filled { "picked-up" } else { "pending" }.into()),
            ("notes", Source::from("")),
        ],
    );
    let shelf: Vec<&Stock> = house
        .stock
        .iter()
        .filter(|stock| stock.clinic == visit.patient.clinic)
        .collect();
    for _ in 0..build.random.between(1, 2) {
        let stock = shelf[build.random.below(shelf.len())];
        let quantity = whole(build, 5, 60);
        let item = build.add(
            "prescription_items",
            at,
            &[
                ("prescription_id", (&prescription).into()),
                ("patient_id", (&visit.patient.id).into()),
                ("drug_id", (&stock.drug_id).into()),
                ("clinic_id", visit.clinic_id.into()),
                ("dosage_instructions", "1 × 3 / jour pendant 7 jours".into()),
                ("quantity_prescribed", quantity.clone()),
                ("quantity_dispensed", if filled { quantity.clone() } else { 0.into() }),
                ("refills_authorized", 1.into()),
                ("refills_used", 0.into()),
                ("item_status", if filled { "completed" } else { "active" }.into()),
                ("notes", Source::from("")),
                ("recorded_by_user_id", (&visit.provider.id).into()),
            ],
        );
        if filled {
            build.add(
                "dispensing_records",
                at + 30 * MINUTE,
                &[
                    ("clinic_id", visit.clinic_id.into()),
                    ("drug_id", (&stock.drug_id).into()),
                    ("batch_id", (&stock.batch_id).into()),
                    ("prescription_item_id", (&item).into()),
                    ("patient_id", (&visit.patient.id).into()),
                    ("quantity_dispensed", quantity),
                    ("days_supply", 7.into()),
                    ("dispensed_by", pharmacist.into()),
                    ("dispensed_at", Source::Time(at + 30 * MINUTE)),
                    ("recorded_by_user_id", pharmacist.into()),
                ],
            );
        }
    }
}
