//! A phone of the model: the app's database with who uses it, and what its staff do.

use std::collections::BTreeSet;

use hub_tests::phone::cell::Cell;
use hub_tests::phone::clock::PhoneClock;
use hub_tests::phone::database::Status;
use hub_tests::phone::{Database, Generation};
use hub_tests::schema::schema;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{BEGIN, STOCK, USERS, User};

/// Tables that staff work on, with columns of each that they edit.
pub(crate) const EDITED: [(&str, &[&str]); 5] = [
    ("patients", &["given_name", "surname", "camp"]),
    ("visits", &["provider_name", "metadata"]),
    ("events", &["event_type", "form_data"]),
    ("patient_problems", &["problem_label", "clinical_status"]),
    ("patient_risk_profiles", &["kind", "string_value"]),
];

/// The answers to the registration form's own fields.
pub(crate) const ATTRIBUTES: &str = "patient_additional_attributes";

/// A phone.
#[derive(Clone)]
pub(crate) struct Phone {
    /// The id that its app chose; a copy of the phone has the same.
    pub(crate) client: Uuid,
    /// Who uses it, as a place in [`USERS`].
    pub(crate) user: usize,
    pub(crate) database: Database,
    pub(crate) clock: PhoneClock,
    /// Its cursor is its own clock, from a forced upload.
    pub(crate) forced: bool,
    /// A sync is under way: it has pulled, and a push is to follow.
    pub(crate) pulled: bool,
    /// It is a copy, has one, or was put back to an earlier state.
    pub(crate) went_back: bool,
    /// Rows that it pushed although its user may not write them.
    pub(crate) stamped: BTreeSet<(String, String)>,
    /// The newest point of the hub's that it has asked from.
    pub(crate) asked: i64,
    /// It has pushed since its state was put by.
    pub(crate) pushed: bool,
    /// An earlier state of it.
    pub(crate) backup: Option<Database>,
}

impl Phone {
    pub(crate) fn new(number: u128, app: Generation, user: usize, clock_error: i64) -> Self {
        Self {
            client: Uuid::from_u128(0x1000 + number),
            user,
            database: Database::of(app),
            clock: PhoneClock::stepping_from(BEGIN + 1_000 + clock_error),
            forced: false,
            pulled: false,
            went_back: false,
            stamped: BTreeSet::new(),
            asked: 0,
            pushed: false,
            backup: None,
        }
    }

    pub(crate) fn app(&self) -> Generation {
        self.database.generation()
    }

    pub(crate) fn user(&self) -> &'static User {
        &USERS[self.user]
    }

    /// Whether the app fails at `created` for a row that it has marked as deleted.
    pub(crate) fn is_brittle(&self) -> bool {
        self.app() == Generation::V1_5
    }

    fn text<'a>(&'a self, table: &str, id: &str, column: &str) -> Option<&'a str> {
        let cell = self.database.cell(table, id, column)?;
        cell.as_text().filter(|text| !text.is_empty())
    }

    /// Whether the user may write in every clinic that the row is tied to, as far as the phone knows.
    fn may_touch(&self, table: &str, id: &str) -> bool {
        let own = ["clinic_id", "primary_clinic_id"].map(|column| self.text(table, id, column));
        let own = own.into_iter().flatten().next();
        let patient = self.text(table, id, "patient_id");
        let of_patient = patient.map(|patient| self.text("patients", patient, "primary_clinic_id"));
        own.is_none_or(|clinic| self.user().clinics.contains(&clinic))
            && of_patient.is_none_or(|clinic| clinic.is_some_and(|clinic| self.user().clinics.contains(&clinic)))
    }

    fn shown<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a str> {
        let rows = self.database.rows(table).unwrap();
        rows.filter(|(id, row)| row.status() != Status::Deleted && self.may_touch(table, id))
            .map(|(id, _)| id)
    }

    /// One of the rows that the phone shows and its user may write.
    pub(crate) fn pick(&self, table: &str, place: usize) -> Option<String> {
        let shown: Vec<&str> = self.shown(table).collect();
        (!shown.is_empty()).then(|| shown[place % shown.len()].to_owned())
    }

    pub(crate) fn has_marked(&self) -> bool {
        let mut tables = schema()
            .tables()
            .iter()
            .filter_map(|table| self.database.rows(&table.name).ok());
        tables.any(|mut rows| rows.any(|(_, row)| row.status() == Status::Deleted))
    }

    /// Makes a record of that id; false where there is nothing that it could hang on.
    pub(crate) fn create(&mut self, table: &str, id: &str, parent: usize) -> bool {
        let clinics = self.user().clinics;
        let clinic = clinics[parent % clinics.len()];
        let patient = self.pick("patients", parent).map(Cell::from);
        let values: Vec<(&str, Cell)> = match (table, patient) {
            ("patients", _) => vec![("primary_clinic_id", clinic.into()), ("given_name", "New".into())],
            (_, None) => return false,
            ("visits", Some(patient)) => vec![("clinic_id", clinic.into()), ("patient_id", patient)],
            ("events", Some(patient)) => vec![
                ("patient_id", patient),
                ("visit_id", self.pick("visits", parent).into()),
                ("form_data", "[]".into()),
            ],
            ("patient_risk_profiles", Some(_)) if self.app() == Generation::V1_5 => return false,
            (_, Some(patient)) => vec![("patient_id", patient)],
        };
        let now = self.clock.now();
        self.database.create(table, id, &values, now).unwrap();
        true
    }

    /// Hands a medicine out: a record of it, and the phone's own sum of the stock.
    pub(crate) fn dispense(&mut self, id: &str, quantity: i64) {
        let now = self.clock.now();
        let values = [
            ("clinic_id", self.user().clinics[0].into()),
            ("drug_id", "drug-1".into()),
            ("batch_id", "batch-1".into()),
            ("patient_id", "patient-0".into()),
            ("quantity_dispensed", quantity.into()),
            ("dispensed_by", self.user().id.into()),
            ("dispensed_at", now.into()),
        ];
        self.database.create("dispensing_records", id, &values, now).unwrap();
        let left = self.database.cell("clinic_inventory", STOCK, "quantity_available");
        if let Some(left) = left.and_then(Cell::as_integer) {
            let values = [("quantity_available", Cell::Integer(left - quantity))];
            self.database.update("clinic_inventory", STOCK, &values, now).unwrap();
        }
    }

    /// Gives a column of a record another value; in a form one answer, in an object one key.
    pub(crate) fn edit(&mut self, table: usize, row: usize, column: usize, value: u8) {
        let (table, columns) = EDITED[table];
        let column = columns[column % columns.len()];
        let Some(id) = self.pick(table, row) else { return };
        let key = ["a", "b", "c"][usize::from(value) % 3];
        let text = format!("{}-{}-{}", self.client.as_u128(), self.user, value % 16);
        let stored = self
            .text(table, &id, column)
            .and_then(|json| serde_json::from_str(json).ok());
        let value = match (column, stored) {
            ("form_data", form) => answered(form.unwrap_or_else(|| json!([])), key, &text),
            ("metadata", object) => {
                let mut object: Value = object.filter(Value::is_object).unwrap_or_else(|| json!({}));
                object[key] = json!(text);
                Cell::json(&object)
            }
            _ => text.into(),
        };
        let now = self.clock.now();
        self.database.update(table, &id, &[(column, value)], now).unwrap();
    }

    /// Answers a field of the registration form for a patient: the answer that the phone has is changed, or one is made.
    pub(crate) fn answer(&mut self, new_id: &str, place: usize, field: usize, value: u8) {
        let Some(patient) = self.pick("patients", place) else {
            return;
        };
        let field = ["village", "household"][field % 2];
        let text = Cell::from(format!("{}-{}-{}", self.client.as_u128(), self.user, value % 16));
        let shown: Vec<&str> = self.shown(ATTRIBUTES).collect();
        let is_it = |id: &&&str| {
            self.text(ATTRIBUTES, id, "patient_id") == Some(&patient)
                && self.text(ATTRIBUTES, id, "attribute_id") == Some(field)
        };
        let known = shown.iter().find(is_it).map(|id| (*id).to_owned());
        let now = self.clock.now();
        if let Some(id) = known {
            self.database
                .update(ATTRIBUTES, &id, &[("string_value", text)], now)
                .unwrap();
            return;
        }
        let values = [
            ("patient_id", Cell::from(patient)),
            ("attribute_id", field.into()),
            ("attribute", field.into()),
            ("metadata", "{}".into()),
            ("string_value", text),
        ];
        self.database.create(ATTRIBUTES, new_id, &values, now).unwrap();
    }

    /// Gives columns of one of the rows that the phone shows other values.
    pub(crate) fn set(&mut self, table: &str, row: usize, values: &[(&str, Cell)]) {
        if let Some(id) = self.pick(table, row) {
            let now = self.clock.now();
            self.database.update(table, &id, values, now).unwrap();
        }
    }
}

/// A form with one field answered.
fn answered(mut form: Value, field: &str, answer: &str) -> Cell {
    let entry = json!({"fieldId": field, "value": answer});
    if let Some(fields) = form.as_array_mut() {
        match fields.iter_mut().find(|known| known["fieldId"] == field) {
            Some(known) => *known = entry,
            None => fields.push(entry),
        }
    }
    Cell::json(&form)
}
