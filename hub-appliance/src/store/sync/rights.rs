//! Which right a write needs, by table and operation (protocol, "Commands"): of a push while it is taken in, and of a held
//! row whenever its user's rights change.

use super::gatekeeper::{Access, Gatekeeper, Operation};
use crate::store::people::{Right, Rights};
use crate::store::{StoreError, WriteTx};

/// The columns that whoever hands out medicines changes in prescriptions and their items.
const DISPENSING_COLUMNS: [&str; 8] = [
    "status",
    "filled_by",
    "filled_at",
    "quantity_dispensed",
    "refills_used",
    "item_status",
    "updated_at",
    "last_modified",
];

/// Checks rows against the rights of their user.
#[derive(Debug)]
pub struct UserGate {
    user: String,
    /// The user's own clinic, for rows that are tied to none.
    clinic: Option<String>,
    rights: Vec<(String, Rights)>,
}

impl UserGate {
    /// A gate for `user`, whose rights are those in force in the transaction; `clinic` is the user's own.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn new(tx: &WriteTx<'_>, user: &str, clinic: Option<String>) -> Result<Self, StoreError> {
        Ok(Self {
            user: user.to_owned(),
            clinic,
            rights: tx.rights(user)?,
        })
    }

    /// A gate for a user whose rights are known.
    #[must_use]
    pub fn of_session(user: &str, clinic: Option<String>, rights: Vec<(String, Rights)>) -> Self {
        Self {
            user: user.to_owned(),
            clinic,
            rights,
        }
    }

    /// Whether the user administers a clinic.
    #[must_use]
    pub fn administers_any(&self) -> bool {
        self.rights.iter().any(|(_, rights)| rights.has(Right::ClinicAdmin))
    }

    /// Whether the user administers all of these clinics, or the user's own where there are none.
    #[must_use]
    pub fn administers(&self, clinics: &[String]) -> bool {
        let administers = |clinic| self.rights_in(clinic).has(Right::ClinicAdmin);
        if clinics.is_empty() {
            return administers(self.clinic.as_deref());
        }
        clinics.iter().all(|clinic| administers(Some(clinic)))
    }

    /// Whether the user may write anything anywhere.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.rights.iter().any(|(_, rights)| grants_writing(*rights))
    }

    /// Whether the user has any of these rights in each of the clinics, or in the user's own where there are none.
    pub fn holds_any(&self, rights: &[Right], clinics: &[String]) -> bool {
        let any = |clinic| rights.iter().any(|right| self.rights_in(clinic).has(*right));
        if clinics.is_empty() {
            return any(self.clinic.as_deref());
        }
        clinics.iter().all(|clinic| any(Some(clinic)))
    }

    fn rights_in(&self, clinic: Option<&str>) -> Rights {
        let granted = self.rights.iter().find(|(known, _)| Some(known.as_str()) == clinic);
        granted.map(|(_, rights)| *rights).unwrap_or_default()
    }
}

/// Whether any of the rights is one to write.
fn grants_writing(rights: Rights) -> bool {
    Right::ALL
        .into_iter()
        .any(|right| !matches!(right, Right::ViewHistory | Right::ClinicAdmin) && rights.has(right))
}

impl Gatekeeper for UserGate {
    fn permits(&mut self, _: &WriteTx<'_>, access: &Access<'_>) -> Result<bool, StoreError> {
        if access.clinics.is_empty() {
            return Ok(permitted(self.rights_in(self.clinic.as_deref()), &self.user, access));
        }
        Ok(access
            .clinics
            .iter()
            .all(|clinic| permitted(self.rights_in(Some(clinic)), &self.user, access)))
    }
}

fn permitted(rights: Rights, user: &str, access: &Access<'_>) -> bool {
    let has = |right| rights.has(right);
    match (access.table.table().name, access.operation) {
        ("patients", Operation::Create) => has(Right::RegisterPatients),
        ("patients", Operation::Delete) => has(Right::DeletePatientRecords),
        ("patient_additional_attributes", Operation::Create) => has(Right::RegisterPatients) || has(Right::EditRecords),
        ("visits", Operation::Delete) => has(Right::DeletePatientVisits),
        ("events", Operation::Edit) => {
            has(Right::EditRecords) && (!is_anothers(access, user) || has(Right::EditOtherProviderEvent))
        }
        ("prescriptions" | "prescription_items", Operation::Create) => has(Right::PrescribeMedications),
        ("prescriptions" | "prescription_items", Operation::Edit) => {
            has(Right::PrescribeMedications) || (has(Right::DispenseMedications) && only_dispenses(access))
        }
        ("dispensing_records", Operation::Create | Operation::Edit) => has(Right::DispenseMedications),
        (_, Operation::Delete) => has(Right::DeleteRecords),
        (_, Operation::Create | Operation::Edit) => has(Right::EditRecords),
    }
}

/// Whether the stored event was recorded by somebody else.
fn is_anothers(access: &Access<'_>, user: &str) -> bool {
    let Some(column) = access.table.table().column("recorded_by_user_id") else {
        return false;
    };
    let recorder = access.stored.and_then(|stored| stored.cells[column].as_reference());
    recorder.is_some_and(|recorder| recorder != user)
}

/// Whether nothing but what dispensing changes would change.
fn only_dispenses(access: &Access<'_>) -> bool {
    let mut columns = access.table.table().columns.iter().enumerate();
    columns.all(|(index, column)| DISPENSING_COLUMNS.contains(&column.name) || !access.changes(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::HubTime;
    use crate::store::devices::DeviceNumber;
    use crate::store::rows::StoredRow;
    use crate::store::schema::TableId;
    use crate::store::sync::sent::SentRow;
    use crate::store::value::Cell;

    fn rights(granted: &[Right]) -> Rights {
        granted
            .iter()
            .fold(Rights::default(), |rights, right| rights.with(*right))
    }

    fn asks(table: &str, operation: Operation, granted: &[Right]) -> bool {
        let table = TableId::named(table).unwrap();
        let sent = SentRow {
            id: "1".into(),
            cells: vec![None; table.table().columns.len()],
            changed: None,
            converted: false,
            newer: Vec::new(),
        };
        let access = Access {
            table,
            operation,
            stored: None,
            sent: &sent,
            clinics: Vec::new(),
            base: HubTime::ZERO,
        };
        permitted(rights(granted), "me", &access)
    }

    #[test]
    fn each_write_needs_its_right_and_no_other_grants_it() {
        use Operation::{Create, Delete, Edit};
        for (table, operation, sufficient) in [
            ("patients", Create, &[Right::RegisterPatients][..]),
            ("patients", Edit, &[Right::EditRecords]),
            ("patients", Delete, &[Right::DeletePatientRecords]),
            (
                "patient_additional_attributes",
                Create,
                &[Right::RegisterPatients, Right::EditRecords],
            ),
            ("patient_additional_attributes", Edit, &[Right::EditRecords]),
            ("visits", Create, &[Right::EditRecords]),
            ("visits", Delete, &[Right::DeletePatientVisits]),
            ("events", Create, &[Right::EditRecords]),
            ("events", Delete, &[Right::DeleteRecords]),
            ("patient_vitals", Edit, &[Right::EditRecords]),
            ("patient_problems", Delete, &[Right::DeleteRecords]),
            ("appointments", Create, &[Right::EditRecords]),
            ("prescriptions", Create, &[Right::PrescribeMedications]),
            ("prescriptions", Delete, &[Right::DeleteRecords]),
            ("dispensing_records", Create, &[Right::DispenseMedications]),
            ("dispensing_records", Delete, &[Right::DeleteRecords]),
        ] {
            assert!(!asks(table, operation, &[]), "{table} {operation:?} without rights");
            for right in Right::ALL {
                assert_eq!(
                    asks(table, operation, &[right]),
                    sufficient.contains(&right),
                    "{table} {operation:?} with {right:?}"
                );
            }
        }
    }

    #[test]
    fn who_dispenses_changes_nothing_else_and_may_not_have_heard_of_what_others_changed() {
        let table = TableId::named("prescription_items").unwrap();
        let column = |name| table.table().column(name).unwrap();
        let stored = StoredRow {
            cells: vec![Cell::text("by the doctor"); table.table().columns.len()],
            created_at: HubTime::from_millis(1),
            changed_at: HubTime::from_millis(5),
            deleted: false,
            created_by: DeviceNumber::HUB,
            origin: DeviceNumber::HUB,
        };
        let asks = |changed: &[&str], base| {
            let mut cells = vec![None; table.table().columns.len()];
            cells[column("item_status")] = Some(Cell::text("completed"));
            cells[column("dosage_instructions")] = Some(Cell::text("as it was before"));
            let sent = SentRow {
                id: "1".into(),
                cells,
                changed: Some(table.table().column_set(changed.iter().copied())),
                converted: false,
                newer: Vec::new(),
            };
            let access = Access {
                table,
                operation: Operation::Edit,
                stored: Some(&stored),
                sent: &sent,
                clinics: Vec::new(),
                base: HubTime::from_millis(base),
            };
            permitted(rights(&[Right::DispenseMedications]), "me", &access)
        };
        assert!(asks(&["item_status"], 4));
        assert!(!asks(&["item_status", "dosage_instructions"], 4));
        assert!(
            !asks(&["item_status"], 5),
            "the row is as the phone has seen it, so all that differs counts"
        );
    }

    #[test]
    fn seeing_and_administering_are_no_rights_to_write() {
        assert!(!grants_writing(rights(&[Right::ViewHistory, Right::ClinicAdmin])));
        assert!(grants_writing(rights(&[Right::RegisterPatients])));
    }
}
