//! The registration form and the event forms, and answers to the latter in the app's shape.

use serde_json::{Value, json};

use super::names::{DRUGS, NameList, PROBLEMS};
use super::random::Random;
use super::source::Build;

/// A field of the registration form that is no column of patients: its id and its column.
pub(super) type OwnField = (String, &'static str);

/// Ids that later rows point to.
pub(super) struct Forms {
    /// `village`, `household_size`, `displaced_on`, `pregnant`, in this order.
    pub(super) own_fields: Vec<OwnField>,
    pub(super) events: Vec<EventForm>,
}

/// An event form with its fields.
pub(super) struct EventForm {
    pub(super) id: String,
    pub(super) name: &'static str,
    fields: Vec<(String, &'static Field)>,
}

/// Name, input type and field type of a form's field.
type Field = (&'static str, &'static str, &'static str);

const BASE_FIELDS: [(&str, &str); 9] = [
    ("given_name", "text"),
    ("surname", "text"),
    ("date_of_birth", "date"),
    ("sex", "select"),
    ("phone", "text"),
    ("citizenship", "text"),
    ("camp", "text"),
    ("government_id", "text"),
    ("external_patient_id", "text"),
];

const OWN_FIELDS: [(&str, &str); 4] = [
    ("village", "text"),
    ("household_size", "number"),
    ("displaced_on", "date"),
    ("pregnant", "boolean"),
];

const EVENT_FORMS: [(&str, &[Field]); 4] = [
    (
        "General consultation",
        &[
            ("Complaint", "text", "free-text"),
            ("Diagnosis", "select", "diagnosis"),
            ("Medication", "input-group", "medicine"),
        ],
    ),
    (
        "Antenatal visit",
        &[
            ("Gestational age (weeks)", "number", "free-text"),
            ("Danger signs", "checkbox", "options"),
        ],
    ),
    (
        "Child growth",
        &[
            ("Weight (kg)", "number", "free-text"),
            ("Height (cm)", "number", "free-text"),
            ("Oedema", "radio", "options"),
        ],
    ),
    (
        "Mental health follow-up",
        &[("Notes", "textarea", "free-text"), ("Next visit", "date", "date")],
    ),
];

const OPTIONS: [&str; 3] = ["none", "mild", "severe"];

pub(super) fn build(build: &mut Build, clinics: &[String; 2], at: i64) -> Forms {
    let own_fields = registration_form(build, &clinics[0], at);
    let events = EVENT_FORMS.iter().enumerate().map(|(number, form)| {
        // The last form is for the second clinic only, the others for all.
        let clinic_ids = if number + 1 == EVENT_FORMS.len() {
            json!([clinics[1]])
        } else {
            json!([])
        };
        event_form(build, form, clinic_ids, at)
    });
    Forms {
        own_fields,
        events: events.collect(),
    }
}

fn registration_form(build: &mut Build, clinic: &str, at: i64) -> Vec<OwnField> {
    let columns = BASE_FIELDS
        .iter()
        .map(|field| (field, true))
        .chain(OWN_FIELDS.iter().map(|field| (field, false)));
    let columns: Vec<(String, &(&str, &str), bool)> = columns
        .map(|(field, base)| (build.random.id(at), field, base))
        .collect();
    let fields: Vec<Value> = columns
        .iter()
        .enumerate()
        .map(|(place, (id, (column, kind), base))| registration_field(id, place + 1, column, kind, *base))
        .collect();
    build.add(
        "registration_forms",
        at,
        &[
            ("clinic_id", clinic.into()),
            ("name", "Patient registration".into()),
            ("fields", Value::from(fields).into()),
        ],
    );
    columns
        .into_iter()
        .filter(|(_, _, base)| !base)
        .map(|(id, (column, _), _)| (id, *column))
        .collect()
}

fn registration_field(id: &str, position: usize, column: &str, kind: &str, base: bool) -> Value {
    let options = if column == "sex" {
        json!([{"label": {"en": "Female", "fr": "Femme", "ar": "أنثى"}, "value": "female"},
               {"label": {"en": "Male", "fr": "Homme", "ar": "ذكر"}, "value": "male"}])
    } else {
        json!([])
    };
    json!({
        "id": id, "position": position, "column": column, "label": {"en": column.replace('_', " ")}, "fieldType": kind,
        "options": options, "required": base && position <= 4, "baseField": base, "visible": true,
        "isSearchField": matches!(column, "given_name" | "surname" | "village"), "deleted": false,
    })
}

fn event_form(build: &mut Build, form: &'static (&str, &[Field]), clinic_ids: Value, at: i64) -> EventForm {
    let (name, fields) = form;
    let fields: Vec<(String, &'static Field)> = fields.iter().map(|field| (build.random.id(at), field)).collect();
    let described: Vec<Value> = fields
        .iter()
        .map(|(id, (name, input, kind))| {
            let options = if *kind == "options" { json!(OPTIONS) } else { json!([]) };
            json!({"id": id, "name": name, "description": "", "inputType": input, "fieldType": kind, "required": false,
                   "options": options})
        })
        .collect();
    let id = build.add(
        "event_forms",
        at,
        &[
            ("name", (*name).into()),
            ("description", format!("{name}, demo").into()),
            ("language", "en".into()),
            ("is_editable", true.into()),
            ("is_snapshot_form", (*name == "Child growth").into()),
            ("form_fields", Value::from(described).into()),
            ("clinic_ids", clinic_ids.into()),
        ],
    );
    EventForm { id, name, fields }
}

impl EventForm {
    /// Answers as the app stores them.
    pub(super) fn filled_in(&self, random: &mut Random, people: &NameList) -> Value {
        let answers = self.fields.iter().map(|(id, (name, input, kind))| {
            let value = answer(random, people, input, kind);
            json!({"fieldId": id, "name": name, "inputType": input, "fieldType": kind, "value": value})
        });
        answers.collect()
    }
}

fn answer(random: &mut Random, people: &NameList, input: &str, kind: &str) -> Value {
    match (kind, input) {
        ("diagnosis", _) => {
            let (code, label) = random.pick(PROBLEMS);
            json!([{"code": code, "desc": label}])
        }
        ("medicine", _) => {
            let drug = random.pick(DRUGS);
            let (dose, unit) = drug.dosage;
            json!([{"name": drug.generic_name, "form": drug.form, "route": drug.route, "dose": dose, "doseUnits": unit}])
        }
        ("options", "checkbox") => json!([random.pick(&OPTIONS)]),
        ("options", _) => json!(random.pick(&OPTIONS)),
        (_, "number") => json!(random.between(3, 180)),
        (_, "date") => json!(format!(
            "2025-{:02}-{:02}",
            random.between(1, 12),
            random.between(1, 28)
        )),
        _ => json!(random.pick(people.complaints)),
    }
}
