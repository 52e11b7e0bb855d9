//! Which of a hub's rows a user's phone may hold: the contract's "What is in sight", read a second time.
//!
//! Promise: it is reckoned row by row from whole databases and from nothing else, so that it can be slow and plain.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::phone::Database;
use crate::phone::cell::Cell;
use crate::phone::database::Row;
use crate::schema::{Table, schema};

/// The clinic columns of rows that bring their patient into sight.
const BRINGS_PATIENT: [(&str, &str); 3] = [
    ("visits", "clinic_id"),
    ("appointments", "clinic_id"),
    ("prescriptions", "pickup_clinic_id"),
];
/// Tables with a clinic's column that are nobody's data: every phone has them all.
const FURNITURE: [&str; 2] = ["registration_forms", "clinic_departments"];

/// What a user sees who may look into some clinics.
#[derive(Debug)]
pub struct Sight {
    user: String,
    clinics: BTreeSet<String>,
    patients: BTreeSet<String>,
}

impl Sight {
    /// The sight of a user, over all rows that the hub has.
    #[must_use]
    pub fn of(hub: &Database, user: &str, clinics: BTreeSet<String>) -> Self {
        let mut sight = Self {
            user: user.to_owned(),
            clinics,
            patients: BTreeSet::new(),
        };
        let mut patients = BTreeSet::new();
        for (id, row) in living(hub, "patients") {
            if sight.has_clinic(text(hub_table("patients"), row, "primary_clinic_id")) {
                patients.insert(id.to_owned());
            }
        }
        for (name, column) in BRINGS_PATIENT {
            for (_, row) in living(hub, name) {
                if let Some(patient) = sight.brought_by(hub_table(name), row, column) {
                    patients.insert(patient);
                }
            }
        }
        let visits = hub_table("visits");
        let problems = hub_table("patient_problems");
        for (_, row) in living(hub, "patient_problems") {
            let visit = text(problems, row, "visit_id").and_then(|visit| hub.row("visits", visit));
            let there = visit.is_some_and(|visit| sight.has_clinic(text(visits, visit, "clinic_id")));
            if let Some(patient) = text(problems, row, "patient_id").filter(|_| there) {
                patients.insert(patient.to_owned());
            }
        }
        sight.patients = patients;
        sight
    }

    /// The rows in sight.
    #[must_use]
    pub fn rows(&self, hub: &Database) -> Database {
        let mut seen = Database::of(hub.generation());
        for table in schema().tables().iter().filter(|table| table.phone.pull) {
            for (id, row) in living(hub, &table.name) {
                if self.has(table, id, row) {
                    seen.put_synced(table, row.cells().to_vec());
                }
            }
        }
        seen
    }

    /// Whether a row is in sight.
    #[must_use]
    pub fn has(&self, table: &Table, id: &str, row: &Row) -> bool {
        match table.name.as_str() {
            "patients" => self.patients.contains(id),
            "user_clinic_permissions" => text(table, row, "user_id") == Some(&self.user),
            "event_forms" => self.is_among(table, row, true),
            "app_config" => self.is_among(table, row, false),
            name if FURNITURE.contains(&name) => true,
            _ => {
                let clinic = table.clinic_column.as_deref();
                let patient = table.phone_index("patient_id").map(|_| "patient_id");
                let of_clinic = clinic.is_some_and(|column| self.has_clinic(text(table, row, column)));
                let of_patient = patient
                    .and_then(|column| text(table, row, column))
                    .is_some_and(|patient| self.patients.contains(patient));
                (clinic.is_none() && patient.is_none()) || of_clinic || of_patient
            }
        }
    }

    fn has_clinic(&self, clinic: Option<&str>) -> bool {
        clinic.is_some_and(|clinic| self.clinics.contains(clinic))
    }

    fn brought_by(&self, table: &Table, row: &Row, clinic: &str) -> Option<String> {
        let patient = text(table, row, "patient_id")?;
        self.has_clinic(text(table, row, clinic)).then(|| patient.to_owned())
    }

    /// Whether a list of clinics names one in sight, or is no list, which means all of them.
    fn is_among(&self, table: &Table, row: &Row, empty_is_all: bool) -> bool {
        let listed = text(table, row, "clinic_ids").and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok());
        match listed {
            None => true,
            Some(clinics) if clinics.is_empty() => empty_is_all,
            Some(clinics) => clinics.iter().any(|clinic| self.has_clinic(clinic.as_str())),
        }
    }
}

fn hub_table(name: &str) -> &'static Table {
    schema().table(name).expect("a table of the contract")
}

fn living<'a>(hub: &'a Database, table: &str) -> impl Iterator<Item = (&'a str, &'a Row)> {
    let definition = hub_table(table);
    let rows = hub.rows(table).into_iter().flatten();
    rows.filter(move |(_, row)| !row.is_deleted(definition))
}

/// A text that is there and not empty.
fn text<'a>(table: &Table, row: &'a Row, column: &str) -> Option<&'a str> {
    row.get(table, column)
        .and_then(Cell::as_text)
        .filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::{Clinic, ClinicSize};
    use crate::compare::first_pull_of;

    #[test]
    fn a_visit_elsewhere_brings_the_whole_patient() {
        let mut hub = Database::new();
        let put = |hub: &mut Database, table: &str, id: &str, values: &[(&str, Cell)]| {
            hub.create(table, id, values, 1).unwrap();
        };
        put(&mut hub, "patients", "p", &[("primary_clinic_id", "a".into())]);
        put(&mut hub, "patients", "q", &[("primary_clinic_id", "a".into())]);
        put(&mut hub, "patients", "nobody's", &[]);
        put(&mut hub, "patient_vitals", "of-p", &[("patient_id", "p".into())]);
        put(&mut hub, "events", "of-q", &[("patient_id", "q".into())]);
        put(&mut hub, "events", "of-nobody", &[("patient_id", "unknown".into())]);
        let visit = [("patient_id", "p".into()), ("clinic_id", "b".into())];
        put(&mut hub, "visits", "v", &visit);
        put(&mut hub, "app_config", "none", &[("clinic_ids", "[]".into())]);
        put(&mut hub, "event_forms", "all", &[("clinic_ids", "[]".into())]);
        let seen = |hub: &Database, clinic: &str| {
            let clinics = [clinic.to_owned()].into();
            Sight::of(hub, "u", clinics).rows(hub).counts()
        };
        let patient = [("patients", 1), ("visits", 1), ("patient_vitals", 1)];
        let mut at_b = seen(&hub, "b");
        at_b.sort_unstable();
        let mut expected = patient.to_vec();
        expected.push(("event_forms", 1));
        expected.sort_unstable();
        assert_eq!(at_b, expected);
        hub.flag_deleted("visits", "v", 2).unwrap();
        assert_eq!(seen(&hub, "b"), [("event_forms", 1)]);
        assert_eq!(
            Sight::of(&hub, "u", ["a".to_owned()].into())
                .rows(&hub)
                .rows("patients")
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn who_may_look_into_both_clinics_sees_all() {
        let size = ClinicSize {
            patients: 8,
            visits: 16,
            events: 16,
        };
        let clinic = Clinic::generate(5, size);
        let user = &clinic.users()[0];
        let hub = first_pull_of(&clinic, user);
        let clinics = user.rights.iter().map(|(clinic, _)| clinic.clone()).collect();
        assert_eq!(Sight::of(&hub, &user.id, clinics).rows(&hub), hub);
    }
}
