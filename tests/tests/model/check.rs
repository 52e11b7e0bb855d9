//! What must hold when all phones have come to rest.

use std::collections::BTreeSet;

use hub_appliance::store::schema::TableId;
use hub_appliance::store::sync::held::HeldEntry;
use hub_tests::compare::Comparison;
use hub_tests::phone::database::Status;
use hub_tests::phone::{Database, Generation};
use hub_tests::schema::{Table, schema};
use hub_tests::sight::Sight;
use serde_json::Value;

use crate::phone::{ATTRIBUTES, Phone};
use crate::world::{IN_STOCK, USERS, World, left_in_stock};

/// A table since 12, which goes only to phones that are known to have it.
const NEW_TABLE: &str = "patient_risk_profiles";

impl World {
    /// Lets the phones come to rest and looks at every row of every phone, and for every value that was acknowledged.
    pub(crate) fn check(&mut self) {
        self.come_to_rest();
        let hub = self.all_of_the_hub();
        let held: Vec<HeldEntry> = self
            .hub()
            .store
            .read(|snapshot| snapshot.held_rows(100_000, 0))
            .unwrap();
        for entry in &held {
            self.check_held(entry, &held);
        }
        let held: BTreeSet<(String, String)> = held
            .into_iter()
            .filter_map(|held| Some((held.table.clone(), held.row_id?)))
            .collect();

        for (number, phone) in self.phones.iter().enumerate() {
            let sight = Sight::of(&hub, phone.user().id, self.clinics_of(phone));
            let seen = self.expected(phone, &sight.rows(&hub));
            let mut own = phone.database.clone();
            self.set_aside(&mut own, &seen, phone, &held);
            for (table, id) in &phone.stamped {
                let stamp = seen.cell(table, id, "updated_at").cloned();
                if let (Some(stamp), Some(_)) = (stamp, own.row(table, id)) {
                    let _ = own.update(table, id, &[("updated_at", stamp)], 0);
                }
            }
            let compared = self.comparison(phone).compare(&own, &seen);
            if let Err(difference) = compared {
                panic!("phone {number} ({}) left, the hub right: {difference}", phone.app());
            }
        }
        let dispensed = hub.rows("dispensing_records").unwrap();
        let table = schema().table("dispensing_records").unwrap();
        let quantity = |row: &hub_tests::phone::database::Row| row.get(table, "quantity_dispensed")?.as_integer();
        let dispensed: i64 = dispensed.filter_map(|(_, row)| quantity(row)).sum();
        assert_eq!(left_in_stock(&hub), Some(IN_STOCK - dispensed));

        let answers = hub.rows(ATTRIBUTES).unwrap().map(|(id, _)| {
            ["patient_id", "attribute_id"].map(|column| hub.cell(ATTRIBUTES, id, column).map(ToString::to_string))
        });
        let answers: Vec<_> = answers.collect();
        let fields: BTreeSet<_> = answers.iter().collect();
        assert_eq!(answers.len(), fields.len(), "a field of a patient has one answer");

        let missing = self
            .hub()
            .store
            .read(|snapshot| self.journal.missing_in(snapshot))
            .unwrap();
        let missing: Vec<_> = missing
            .into_iter()
            .filter(|missing| !held.contains(&missing.row()))
            .filter(|missing| !self.may_hold || !missing.is_unborn())
            .collect();
        assert!(missing.is_empty(), "{}", missing[0]);
    }

    /// A row is held for a reason that is still there.
    fn check_held(&self, entry: &HeldEntry, all: &[HeldEntry]) {
        let sent: Value = serde_json::from_str(&entry.row).unwrap();
        let is_held = |table: &str, id: &str| {
            let mut rows = all.iter().filter(|other| other.id != entry.id);
            rows.any(|other| other.table == table && other.row_id.as_deref() == Some(id))
        };
        let stored = |table: &str, id: &str| {
            let table = TableId::named(table).unwrap();
            self.hub().store.read(|snapshot| snapshot.row(table, id)).unwrap()
        };
        let parent = |table: &str, column: &str| {
            let id = sent[column].as_str().unwrap_or_default();
            match stored(table, id) {
                Some(row) => row.deleted,
                None => is_held(table, id),
            }
        };
        let patient = sent["patient_id"].as_str().unwrap_or_default();
        let row_id = entry.row_id.as_deref().unwrap();
        let stands = match entry.reason.as_str() {
            "no clinic" => stored("patients", patient).is_none(),
            reason if reason.starts_with("not permitted") => self.may_hold && !self.may_write(entry, &sent),
            reason => match reason.strip_prefix("its parent: ") {
                Some(table) if table == entry.table && is_held(table, row_id) => true,
                Some("patients") => parent("patients", "patient_id"),
                Some("visits") => parent("visits", "visit_id"),
                _ => false,
            },
        };
        assert!(stands, "held without a reason: {entry:?}");
    }

    /// Whether who sent a held row may write it by now: in each clinic that it is tied to, as it is and as it is to be.
    fn may_write(&self, entry: &HeldEntry, sent: &Value) -> bool {
        let user = USERS.iter().position(|user| Some(user.id) == entry.user.as_deref());
        let patient = sent["patient_id"].as_str().unwrap_or_default();
        let own = ["clinic_id", "primary_clinic_id"].map(|column| sent[column].as_str().map(str::to_owned));
        let to_be = own
            .into_iter()
            .flatten()
            .next()
            .or_else(|| self.clinic_of("patients", patient));
        let is = self.clinic_of(&entry.table, entry.row_id.as_deref().unwrap_or_default());
        let mut tied = [is, to_be].into_iter().flatten().peekable();
        tied.peek().is_some() && tied.all(|clinic| self.edits[user.unwrap()].contains(clinic.as_str()))
    }

    /// Rows of permissions are the user's own: the hub's, as somebody else sees it, has others.
    fn comparison(&self, phone: &Phone) -> Comparison {
        let comparison = Comparison::of_users();
        if self.shown.contains(&phone.client) && phone.app() == Generation::V1_7 {
            comparison
        } else {
            comparison.without(NEW_TABLE)
        }
    }

    /// What is in sight, without what the phone has marked as deleted: it never shows that again.
    fn expected(&self, phone: &Phone, in_sight: &Database) -> Database {
        let mut seen = in_sight.clone();
        for table in schema().tables() {
            let marked = phone.database.rows(&table.name).unwrap();
            for (id, _) in marked.filter(|(_, row)| row.status() == Status::Deleted) {
                // The hub may not have it: it was never pushed.
                let _ = seen.mark_deleted(&table.name, id);
            }
        }
        seen
    }

    /// Sets aside what a phone may have besides: rows that came out of sight, which it keeps as they were, and rows that
    /// the hub holds back.
    fn set_aside(&self, own: &mut Database, seen: &Database, phone: &Phone, held: &BTreeSet<(String, String)>) {
        for table in schema().tables() {
            let more: Vec<String> = own
                .rows(&table.name)
                .unwrap()
                .filter(|(id, row)| row.status() != Status::Deleted && seen.row(&table.name, id).is_none())
                .map(|(id, _)| id.to_owned())
                .collect();
            for id in more {
                let is_held = held.contains(&(table.name.clone(), id.clone()));
                if is_held || self.is_out_of_sight(table, &id, phone) {
                    own.mark_deleted(&table.name, &id).unwrap();
                }
            }
        }
    }

    /// Whether a row that is not in sight as a living one may be on the phone: it lives elsewhere, or was deleted there.
    fn is_out_of_sight(&self, table: &Table, id: &str, phone: &Phone) -> bool {
        let clinics = self.clinics_of(phone);
        let text = |table: &str, id: &str, column: &str| -> Option<String> {
            let table = TableId::named(table)?;
            let row = self.hub().store.read(|snapshot| snapshot.row(table, id)).unwrap()?;
            let cell = row.cells[table.table().column(column)?].to_json();
            cell.as_str().map(str::to_owned)
        };
        let named = TableId::named(&table.name).unwrap();
        let Some(row) = self.hub().store.read(|snapshot| snapshot.row(named, id)).unwrap() else {
            return false;
        };
        let own_clinic = table
            .clinic_column
            .as_deref()
            .and_then(|column| text(&table.name, id, column));
        let patient = text(&table.name, id, "patient_id");
        let of_patient = patient.and_then(|patient| text("patients", &patient, "primary_clinic_id"));
        let in_clinic = |clinic: Option<String>| clinic.is_some_and(|clinic| clinics.contains(&clinic));
        !row.deleted || !(in_clinic(own_clinic) || in_clinic(of_patient))
    }
}
