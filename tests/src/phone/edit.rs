//! What staff do on a phone, written into its database as the app writes it.
//!
//! Promise: records come about with the columns, empty values and `_changed` of the recorded samples; the hub is not
//! asked, a later sync pushes them.

use serde_json::{Value, json};

use super::cell::Cell;
use super::client::Login;
use super::database::EditError;
use super::generation::Generation;
use super::sync::Phone;

/// A patient as the registration screen takes one; what is not asked for stays empty.
#[derive(Debug, Clone, Default)]
pub struct NewPatient {
    /// Given name.
    pub given_name: String,
    /// Surname.
    pub surname: String,
    /// `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// `female` or `male`.
    pub sex: String,
    /// Citizenship.
    pub citizenship: String,
    /// Telephone number.
    pub phone: String,
    /// Camp.
    pub camp: String,
    /// Number of an identity document.
    pub government_id: String,
    /// Answers to the form's own fields.
    pub attributes: Vec<NewAttribute>,
}

/// An answer to one field of the registration form that is no column of patients.
#[derive(Debug, Clone)]
pub struct NewAttribute {
    /// The form field's id.
    pub attribute_id: String,
    /// The form field's column, `village` for example.
    pub attribute: String,
    /// The answer.
    pub value: AttributeValue,
}

/// An answer by the field's type.
#[derive(Debug, Clone)]
pub enum AttributeValue {
    /// Into `number_value`.
    Number(f64),
    /// Into `string_value`.
    Text(String),
    /// Into `date_value`, in ms.
    Date(i64),
    /// Into `boolean_value`.
    Boolean(bool),
}

impl Phone {
    /// Registers a patient with attributes; gives the patient's id.
    ///
    /// # Errors
    /// [`EditError::NoUser`].
    pub fn register_patient(&mut self, patient: &NewPatient) -> Result<String, EditError> {
        let user = self.logged_in()?;
        let id = self.clock.new_id();
        let text = |text: &str| Cell::text(text);
        self.create(
            "patients",
            &id,
            &[
                ("given_name", text(&patient.given_name)),
                ("surname", text(&patient.surname)),
                ("date_of_birth", text(&patient.date_of_birth)),
                ("citizenship", text(&patient.citizenship)),
                ("hometown", text("")),
                ("phone", text(&patient.phone)),
                ("sex", text(&patient.sex)),
                ("camp", text(&patient.camp)),
                ("additional_data", text("{}")),
                ("metadata", text("{}")),
                ("photo_url", text("")),
                ("government_id", text(&patient.government_id)),
                ("external_patient_id", text("")),
                ("primary_clinic_id", text(&user.clinic_id)),
                ("last_modified_by", text(&user.user_id)),
            ],
        )?;
        for attribute in &patient.attributes {
            self.add_attribute(&id, attribute)?;
        }
        Ok(id)
    }

    /// Adds an attribute to a patient; gives its id.
    ///
    /// # Errors
    /// None with the contract's schema.
    pub fn add_attribute(&mut self, patient_id: &str, attribute: &NewAttribute) -> Result<String, EditError> {
        let id = self.clock.new_id();
        let value = match &attribute.value {
            AttributeValue::Number(number) => ("number_value", Cell::number(*number)),
            AttributeValue::Text(text) => ("string_value", Cell::text(text)),
            AttributeValue::Date(date) => ("date_value", Cell::Integer(*date)),
            AttributeValue::Boolean(truth) => ("boolean_value", Cell::Boolean(*truth)),
        };
        self.create(
            "patient_additional_attributes",
            &id,
            &[
                ("patient_id", patient_id.into()),
                ("attribute_id", Cell::text(&attribute.attribute_id)),
                ("attribute", Cell::text(&attribute.attribute)),
                ("metadata", "{}".into()),
                value,
            ],
        )?;
        Ok(id)
    }

    /// Opens a visit for a patient; gives its id.
    ///
    /// # Errors
    /// [`EditError::NoUser`].
    pub fn open_visit(&mut self, patient_id: &str) -> Result<String, EditError> {
        let user = self.logged_in()?;
        let id = self.clock.new_id();
        let now = self.clock.now();
        self.create(
            "visits",
            &id,
            &[
                ("patient_id", patient_id.into()),
                ("clinic_id", user.clinic_id.into()),
                ("provider_id", user.user_id.into()),
                ("provider_name", user.provider_name.into()),
                ("check_in_timestamp", now.into()),
                ("metadata", Cell::json(&json!({"startTime": now}))),
            ],
        )?;
        Ok(id)
    }

    /// Records a filled-in form as an event of a visit, and notes its time in the visit, as the app does; gives the
    /// event's id.
    ///
    /// # Errors
    /// [`EditError::NoUser`], or [`EditError::Row`] when the phone does not have the visit.
    pub fn record_event(
        &mut self,
        patient_id: &str,
        visit_id: &str,
        form: (&str, &str),
        form_data: &Value,
    ) -> Result<String, EditError> {
        let user = self.logged_in()?;
        let id = self.clock.new_id();
        let (form_id, event_type) = form;
        // The app encodes an event's metadata twice.
        let metadata = json!({"providerId": user.user_id, "providerName": user.provider_name}).to_string();
        let recorder = match self.database.generation() {
            Generation::V1_5 => Cell::from(user.user_id),
            Generation::V1_7 => Cell::Null,
        };
        self.create(
            "events",
            &id,
            &[
                ("patient_id", patient_id.into()),
                ("form_id", form_id.into()),
                ("visit_id", visit_id.into()),
                ("event_type", event_type.into()),
                ("form_data", Cell::json(form_data)),
                ("metadata", Cell::json(&Value::from(metadata))),
                ("recorded_by_user_id", recorder),
            ],
        )?;
        let now = self.clock.now();
        let metadata = json!({"startTime": now, "lastEventAddedTimestamp": iso(now)});
        self.database
            .update("visits", visit_id, &[("metadata", Cell::json(&metadata))], now)?;
        Ok(id)
    }

    /// Records measurements, columns of `patient_vitals` with their values; gives the row's id.
    ///
    /// # Errors
    /// [`EditError::NoUser`], or [`EditError::Column`] for what is no such column.
    pub fn record_vitals(
        &mut self,
        patient_id: &str,
        visit_id: &str,
        measured: &[(&str, Cell)],
    ) -> Result<String, EditError> {
        let user = self.logged_in()?;
        let id = self.clock.new_id();
        let now = self.clock.now();
        let mut values: Vec<(&str, Cell)> = vec![
            ("patient_id", patient_id.into()),
            ("visit_id", visit_id.into()),
            ("timestamp", now.into()),
            ("recorded_by_user_id", user.user_id.into()),
            ("metadata", "{}".into()),
        ];
        values.extend_from_slice(measured);
        self.create("patient_vitals", &id, &values)?;
        Ok(id)
    }

    /// Writes down what the app reckoned of a patient's risk, as app 1.7 does: a score, tied to no clinic; gives the
    /// row's id.
    ///
    /// # Errors
    /// [`EditError::Table`] on app 1.5, which has no such table.
    pub fn record_risk(&mut self, patient_id: &str, kind: &str, score: &str) -> Result<String, EditError> {
        let id = self.clock.new_id();
        self.create(
            "patient_risk_profiles",
            &id,
            &[
                ("patient_id", patient_id.into()),
                ("kind", kind.into()),
                ("source", "device".into()),
                ("version", "1".into()),
                ("value_type", "numeric".into()),
                ("numerical_value", score.into()),
            ],
        )?;
        Ok(id)
    }

    /// Edits columns of a record.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn edit(&mut self, table: &str, id: &str, values: &[(&str, Cell)]) -> Result<(), EditError> {
        let now = self.clock.now();
        self.database.update(table, id, values, now)
    }

    /// Deletes a record by its flag.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn delete(&mut self, table: &str, id: &str) -> Result<(), EditError> {
        let now = self.clock.now();
        self.database.flag_deleted(table, id, now)
    }

    fn create(&mut self, table: &str, id: &str, values: &[(&str, Cell)]) -> Result<(), EditError> {
        let now = self.clock.now();
        self.database.create(table, id, values, now)
    }

    fn logged_in(&self) -> Result<Login, EditError> {
        self.user.clone().ok_or(EditError::NoUser)
    }
}

/// A time as the app writes it into JSON: ISO 8601 with milliseconds.
fn iso(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map(|at| format!("{at:.3}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
