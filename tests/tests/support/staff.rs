//! Staff at their phones, who all work on the same few patients at once.
//!
//! Promise: a member of staff does only what the user's rights allow, so that the hub holds nothing back; every value
//! that is written is unlike any other, so that each can be looked for afterwards.

use std::collections::BTreeMap;

use hub_tests::clinic::DemoUser;
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::database::EditError;
use hub_tests::phone::edit::{AttributeValue, NewAttribute, NewPatient};
use serde_json::json;

use crate::chance::Chance;

/// So many rows of each table are worked on by everybody.
const HOT: usize = 6;

const REGISTER: &str = "can_register_patients";
const EDIT: &str = "can_edit_records";
const DELETE: &str = "can_delete_records";
const DELETE_VISITS: &str = "can_delete_patient_visits";
const DISPENSE: &str = "can_dispense_medications";
const PRESCRIBE: &str = "can_prescribe_medications";

/// Columns that staff keep correcting, with the right that it takes.
const CORRECTED: [(&str, &[&str], &str); 5] = [
    (
        "patients",
        &["given_name", "surname", "camp", "hometown", "phone"],
        EDIT,
    ),
    ("visits", &["provider_name"], EDIT),
    ("patient_problems", &["problem_label", "clinical_status"], EDIT),
    ("patient_vitals", &["pain_level", "heart_rate"], EDIT),
    ("prescription_items", &["dosage_instructions", "notes"], PRESCRIBE),
];

/// One member of staff with a phone.
pub(crate) struct Staff {
    /// The phone.
    pub(crate) phone: Phone,
    rights: BTreeMap<String, Vec<&'static str>>,
    number: usize,
    written: i64,
}

impl Staff {
    /// A user at a phone; `number` tells this one's values from everybody else's.
    pub(crate) fn new(phone: Phone, user: &DemoUser, number: usize) -> Self {
        Self {
            phone,
            rights: user.rights.iter().cloned().collect(),
            number,
            written: 0,
        }
    }

    /// Does one thing, if there is anything of its kind to do.
    pub(crate) fn work(&mut self, chance: &mut Chance) -> Result<(), EditError> {
        match chance.below(10) {
            0 => self.register(),
            1 => self.see_a_patient(chance),
            2 => self.delete(chance),
            3 => self.dispense(chance),
            _ => self.correct(chance),
        }
    }

    fn may(&self, right: &str, clinic: &str) -> bool {
        self.rights.get(clinic).is_some_and(|rights| rights.contains(&right))
    }

    /// A number that this phone has not written yet, nor any other.
    fn new_number(&mut self) -> i64 {
        self.written += 1;
        self.written * 100 + i64::try_from(self.number).unwrap_or(0)
    }

    fn new_text(&mut self) -> String {
        format!("value {}", self.new_number())
    }

    /// A row, among the first, that this user may treat so.
    fn hot(&self, table: &str, right: &str, chance: &mut Chance) -> Option<String> {
        let rows = self.phone.database.rows(table).ok()?;
        let table = hub_tests::schema::schema().table(table)?;
        let shown = rows.filter(|(id, row)| !row.is_deleted(table) && self.may_touch(&table.name, id, right));
        let hot: Vec<&str> = shown.map(|(id, _)| id).take(HOT).collect();
        pick(&hot, chance).map(|id| (*id).to_owned())
    }

    /// Whether the user has the right in every clinic that the row hangs on.
    fn may_touch(&self, table: &str, id: &str, right: &str) -> bool {
        let text = |table, id, column| self.phone.database.cell(table, id, column).and_then(Cell::as_text);
        let own = ["clinic_id", "primary_clinic_id", "pickup_clinic_id"]
            .into_iter()
            .find_map(|column| text(table, id, column));
        let patient = text(table, id, "patient_id").map(|patient| text("patients", patient, "primary_clinic_id"));
        own.is_none_or(|clinic| self.may(right, clinic))
            && patient.is_none_or(|clinic| clinic.is_some_and(|clinic| self.may(right, clinic)))
    }

    fn register(&mut self) -> Result<(), EditError> {
        let home = self.phone.user.as_ref().map(|user| user.clinic_id.clone());
        if !home.is_some_and(|clinic| self.may(REGISTER, &clinic)) {
            return Ok(());
        }
        let attribute = NewAttribute {
            attribute_id: "field-1".into(),
            attribute: "village".into(),
            value: AttributeValue::Text(self.new_text()),
        };
        let patient = NewPatient {
            given_name: self.new_text(),
            attributes: vec![attribute],
            ..NewPatient::default()
        };
        self.phone.register_patient(&patient).map(drop)
    }

    fn see_a_patient(&mut self, chance: &mut Chance) -> Result<(), EditError> {
        let Some(patient) = self.hot("patients", EDIT, chance) else {
            return Ok(());
        };
        let visit = self.phone.open_visit(&patient)?;
        let form = json!([{"fieldId": "a", "value": self.new_text()}]);
        self.phone
            .record_event(&patient, &visit, ("form-1", "Consultation"), &form)?;
        let measured = [("weight_kg", Cell::Integer(self.new_number()))];
        self.phone.record_vitals(&patient, &visit, &measured).map(drop)
    }

    fn correct(&mut self, chance: &mut Chance) -> Result<(), EditError> {
        // Most hands are on the patients themselves.
        let table = if chance.below(2) == 0 {
            chance.below(CORRECTED.len())
        } else {
            0
        };
        let (table, columns, right) = CORRECTED[table];
        let (Some(id), Some(column)) = (self.hot(table, right, chance), pick(columns, chance)) else {
            return Ok(());
        };
        let value = match table {
            "patient_vitals" => self.new_number().into(),
            _ => self.new_text().into(),
        };
        self.phone.edit(table, &id, &[(column, value)])
    }

    fn delete(&mut self, chance: &mut Chance) -> Result<(), EditError> {
        let kinds = [
            ("patient_vitals", DELETE),
            ("patient_problems", DELETE),
            ("visits", DELETE_VISITS),
        ];
        let Some((table, right)) = pick(&kinds, chance).copied() else {
            return Ok(());
        };
        match self.hot(table, right, chance) {
            Some(id) => self.phone.delete(table, &id),
            None => Ok(()),
        }
    }

    /// Hands a medicine out as the app does: a record, the item's own count, and the phone's sum of what is left.
    fn dispense(&mut self, chance: &mut Chance) -> Result<(), EditError> {
        let (Some(stock), Some(patient)) = (
            self.hot("clinic_inventory", DISPENSE, chance),
            self.hot("patients", DISPENSE, chance),
        ) else {
            return Ok(());
        };
        let id = self.phone.clock.new_id();
        let now = self.phone.clock.now();
        let of_stock = |column| self.phone.database.cell("clinic_inventory", &stock, column).cloned();
        let left = of_stock("quantity_available")
            .and_then(|left| left.as_integer())
            .unwrap_or(0);
        let values = [
            ("clinic_id", of_stock("clinic_id").unwrap_or(Cell::Null)),
            ("drug_id", of_stock("drug_id").unwrap_or(Cell::Null)),
            ("batch_id", of_stock("batch_id").unwrap_or(Cell::Null)),
            ("patient_id", patient.into()),
            ("quantity_dispensed", 1.into()),
            (
                "dispensed_by",
                self.phone.user.as_ref().map(|user| user.user_id.clone()).into(),
            ),
            ("dispensed_at", now.into()),
            ("metadata", "{}".into()),
        ];
        self.phone.database.create("dispensing_records", &id, &values, now)?;
        self.phone.edit(
            "clinic_inventory",
            &stock,
            &[("quantity_available", Cell::Integer(left - 1))],
        )?;
        match self.hot("prescription_items", DISPENSE, chance) {
            Some(item) => {
                let dispensed = self.new_number();
                self.phone
                    .edit("prescription_items", &item, &[("quantity_dispensed", dispensed.into())])
            }
            None => Ok(()),
        }
    }
}

/// One of them by chance; none where there is none.
fn pick<'a, T>(of: &'a [T], chance: &mut Chance) -> Option<&'a T> {
    (!of.is_empty()).then(|| &of[chance.below(of.len())])
}
