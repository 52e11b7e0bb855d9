//! The table of procedures: name, rights, what is touched and written down, handler. A new one is an entry here and a
//! function in its domain's file.

use super::fields::Fields;
use super::reading::Reading;
use super::writing::Writing;
use super::{Answer, Caller, ProcedureError, Procedures, Request, Session, Weight};
use super::{
    appointments, clinics, dispensing, drugs, events, forms, held, login, patients, ping, prescriptions, problems,
    sync, visits, vitals,
};
use crate::store::people::Right;
use crate::store::reads::Shown;
use crate::wire::envelope::Outgoing;
use crate::wire::message::Kind::{self, Command, Query};
use Right::{
    DeletePatientRecords, DeletePatientVisits, DeleteRecords, DispenseMedications, EditRecords, PrescribeMedications,
    RegisterPatients, ViewHistory,
};

/// One entry of the table of procedures.
pub(super) struct Procedure {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) weight: Weight,
    /// Any of these is needed in the clinic of each record that is touched. None: the rows decide, or nobody is asked.
    pub(super) rights: &'static [Right],
    pub(super) touches: Touches,
    pub(super) run: Handler,
}

impl Procedure {
    /// Bytes of JSON that its parameters may have. Only a push is long by nature; a registration may bring a photo.
    pub(super) fn longest(&self) -> usize {
        const MIB: usize = 1024 * 1024;
        match self.name {
            "sync_push" => usize::MAX,
            "register_patient" => 10 * MIB,
            _ => 2 * MIB,
        }
    }
}

/// What a procedure has to do with records, and what the audit log names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touches {
    /// Nothing that one call could name, or it writes its own entry.
    Nothing,
    /// It reads what is no patient's: that is not written down.
    Looks,
    /// It reads patients' data: rows of this table are named.
    Reads(&'static str),
    /// It writes: all rows are named. These are the rows that its rights are for.
    Writes(&'static str),
}

/// A handler: open to everybody who has paired, or only to a user with a good token.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Open(fn(&Procedures, &Caller, &Request, &mut Outgoing) -> Result<(), ProcedureError>),
    User(fn(&Procedures, &Caller, &Session, &Request, &mut Outgoing) -> Result<(), ProcedureError>),
    /// Reads in one snapshot.
    Read(fn(&mut Reading<'_>, &Fields<'_>) -> Result<Shown, ProcedureError>),
    /// Writes in one transaction.
    Write(fn(&mut Writing<'_, '_>, &Fields<'_>) -> Result<serde_json::Value, ProcedureError>),
    /// The same, and answers with a row as it stands then.
    WriteRow(fn(&mut Writing<'_, '_>, &Fields<'_>) -> Result<Answer, ProcedureError>),
}

const fn entry(kind: Kind, name: &'static str, weight: Weight, run: Handler) -> Procedure {
    Procedure {
        kind,
        name,
        weight,
        rights: &[],
        touches: Touches::Nothing,
        run,
    }
}

const fn single(kind: Kind, name: &'static str, rights: &'static [Right], touches: Touches, run: Handler) -> Procedure {
    Procedure {
        kind,
        name,
        weight: Weight::Store,
        rights,
        touches,
        run,
    }
}

type Read = fn(&mut Reading<'_>, &Fields<'_>) -> Result<Shown, ProcedureError>;
type Write = fn(&mut Writing<'_, '_>, &Fields<'_>) -> Result<serde_json::Value, ProcedureError>;
type WriteRow = fn(&mut Writing<'_, '_>, &Fields<'_>) -> Result<Answer, ProcedureError>;

/// A query of patients' data.
const fn reads(name: &'static str, table: &'static str, run: Read) -> Procedure {
    single(Query, name, &[ViewHistory], Touches::Reads(table), Handler::Read(run))
}

/// A query of what every phone has.
const fn looks(name: &'static str, run: Read) -> Procedure {
    single(Query, name, &[], Touches::Looks, Handler::Read(run))
}

/// A command.
const fn writes(name: &'static str, table: &'static str, rights: &'static [Right], run: Write) -> Procedure {
    single(Command, name, rights, Touches::Writes(table), Handler::Write(run))
}

/// A command that answers with the row.
const fn rewrites(name: &'static str, table: &'static str, rights: &'static [Right], run: WriteRow) -> Procedure {
    single(Command, name, rights, Touches::Writes(table), Handler::WriteRow(run))
}

const PATIENTS: &str = "patients";
const VISITS: &str = "visits";
const EVENTS: &str = "events";
const VITALS: &str = "patient_vitals";
const PROBLEMS: &str = "patient_problems";
const APPOINTMENTS: &str = "appointments";
const PRESCRIPTIONS: &str = "prescriptions";
const ITEMS: &str = "prescription_items";
const RECORDS: &str = "dispensing_records";

/// Every procedure.
pub(super) const PROCEDURES: &[Procedure] = &[
    // The connection
    entry(Command, "ping", Weight::Light, Handler::Open(ping::ping)),
    entry(Query, "ping", Weight::Light, Handler::Open(ping::ping)),
    entry(Query, "heartbeat", Weight::Light, Handler::Open(ping::heartbeat)),
    entry(Command, "login", Weight::Login, Handler::Open(login::login)),
    entry(Command, "logout", Weight::Store, Handler::User(login::logout)),
    // Syncing
    entry(Query, "sync_pull", Weight::Store, Handler::User(sync::pull)),
    entry(Command, "sync_push", Weight::Store, Handler::User(sync::push)),
    entry(Query, "held.list", Weight::Store, Handler::User(held::list)),
    entry(Command, "held.release", Weight::Store, Handler::User(held::release)),
    entry(Command, "held.drop", Weight::Store, Handler::User(held::drop)),
    // Patients
    reads("get_patients", PATIENTS, patients::list),
    reads("search_patients", PATIENTS, patients::search),
    reads("get_patient", PATIENTS, patients::get),
    reads("patients.similar", PATIENTS, patients::similar),
    reads("check_government_id", PATIENTS, patients::check_government_id),
    writes(
        "register_patient",
        PATIENTS,
        &[RegisterPatients, EditRecords],
        patients::register,
    ),
    writes("delete_patient", PATIENTS, &[DeletePatientRecords], patients::delete),
    // Visits
    reads("get_visits", VISITS, visits::of_patient),
    writes("visits.create", VISITS, &[EditRecords], visits::create),
    rewrites("visits.update", VISITS, &[EditRecords], visits::update),
    writes("visits.delete", VISITS, &[DeletePatientVisits], visits::delete),
    // Events
    reads("get_visit_events", EVENTS, events::of_visit),
    reads("events.by_form", EVENTS, events::by_form),
    writes("create_event", EVENTS, &[EditRecords], events::create_with_id),
    writes("events.create", EVENTS, &[EditRecords], events::create),
    rewrites("events.update", EVENTS, &[EditRecords], events::update),
    writes("events.delete", EVENTS, &[DeleteRecords], events::delete),
    // Vitals
    reads("vitals.list", VITALS, vitals::list),
    writes("vitals.create", VITALS, &[EditRecords], vitals::create),
    writes("vitals.update", VITALS, &[EditRecords], vitals::update),
    // Problems
    reads("problems.list", PROBLEMS, problems::list),
    reads("problems.get", PROBLEMS, problems::get),
    writes("problems.create", PROBLEMS, &[EditRecords], problems::create),
    rewrites("problems.update", PROBLEMS, &[EditRecords], problems::update),
    // Appointments
    reads("appointments.list", APPOINTMENTS, appointments::list),
    reads("appointments.get", APPOINTMENTS, appointments::get),
    reads("appointments.by_patient", APPOINTMENTS, appointments::by_patient),
    reads("appointments.search", APPOINTMENTS, appointments::search),
    writes(
        "appointments.create",
        APPOINTMENTS,
        &[EditRecords],
        appointments::create,
    ),
    rewrites(
        "appointments.update",
        APPOINTMENTS,
        &[EditRecords],
        appointments::update,
    ),
    writes(
        "appointments.cancel",
        APPOINTMENTS,
        &[EditRecords],
        appointments::cancel,
    ),
    writes(
        "appointments.complete",
        APPOINTMENTS,
        &[EditRecords],
        appointments::complete,
    ),
    // Prescriptions
    reads("prescriptions.search", PRESCRIPTIONS, prescriptions::search),
    reads("prescriptions.by_patient_visit", PRESCRIPTIONS, prescriptions::by_visit),
    reads(
        "prescription_items.by_prescription",
        ITEMS,
        prescriptions::items_of_prescription,
    ),
    reads("prescription_items.by_patient", ITEMS, prescriptions::items_of_patient),
    writes(
        "prescriptions.create",
        PRESCRIPTIONS,
        &[PrescribeMedications],
        prescriptions::create,
    ),
    rewrites(
        "prescriptions.update",
        PRESCRIPTIONS,
        &[PrescribeMedications],
        prescriptions::update,
    ),
    writes(
        "prescriptions.update_status",
        PRESCRIPTIONS,
        &[PrescribeMedications, DispenseMedications],
        prescriptions::update_status,
    ),
    writes(
        "prescriptions.pickup",
        PRESCRIPTIONS,
        &[DispenseMedications],
        prescriptions::pick_up,
    ),
    writes(
        "prescription_items.create",
        ITEMS,
        &[PrescribeMedications],
        prescriptions::create_item,
    ),
    rewrites(
        "prescription_items.update",
        ITEMS,
        &[PrescribeMedications],
        prescriptions::update_item,
    ),
    // Dispensing
    reads("dispensing.by_patient", RECORDS, dispensing::of_patient),
    writes(
        "prescription_items.dispense",
        ITEMS,
        &[DispenseMedications],
        dispensing::dispense,
    ),
    writes("dispensing.create", RECORDS, &[DispenseMedications], dispensing::create),
    // Drugs and stock
    looks("drugs.search", drugs::search),
    looks("drugs.get", drugs::get),
    looks("drugs.by_barcode", drugs::by_barcode),
    looks("inventory.by_clinic", drugs::inventory),
    looks("inventory.search", drugs::search_inventory),
    looks("inventory.check_availability", drugs::check_availability),
    // Forms
    looks("get_patient_registration_form", forms::registration),
    looks("registration_form.get", forms::registration),
    looks("get_all_registration_forms", forms::registrations),
    looks("get_event_forms", forms::events),
    looks("event_forms.list", forms::events),
    looks("get_event_form", forms::event),
    // Clinics
    looks("clinics.list", clinics::list),
    looks("clinic_departments.list", clinics::departments),
];

/// A procedure as others may know it.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Command or query.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// Any of which columns of a user's permissions grants it; empty: it asks for none of its own.
    pub rights: &'static [Right],
    /// Whether it answers without a token.
    pub is_open: bool,
}

/// Every procedure, in the order of the table.
pub fn known() -> impl Iterator<Item = Known> {
    PROCEDURES.iter().map(|procedure| Known {
        kind: procedure.kind,
        name: procedure.name,
        rights: procedure.rights,
        is_open: matches!(procedure.run, Handler::Open(_)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_call_with_a_token_says_what_it_touches() {
        for (index, procedure) in PROCEDURES.iter().enumerate() {
            let same = |other: &&Procedure| (other.kind, other.name) == (procedure.kind, procedure.name);
            assert_eq!(
                PROCEDURES.iter().position(|other| same(&other)),
                Some(index),
                "{}",
                procedure.name
            );
            let is_single = matches!(
                procedure.run,
                Handler::Read(_) | Handler::Write(_) | Handler::WriteRow(_)
            );
            assert_eq!(is_single, procedure.touches != Touches::Nothing, "{}", procedure.name);
        }
    }

    #[test]
    fn the_readme_tells_of_every_procedure_and_of_no_other() {
        let readme = include_str!("../../../README.md");
        let section = readme.split("## What a phone can ask for").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let mut told = Vec::new();
        for line in section.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.split('|').collect();
            for (kind, cell) in [(Query, cells[2]), (Command, cells[3])] {
                told.extend(cell.split('`').skip(1).step_by(2).map(|name| (kind == Command, name)));
            }
        }
        let mut table: Vec<_> = PROCEDURES
            .iter()
            .map(|procedure| (procedure.kind == Command, procedure.name))
            .collect();
        told.sort_unstable();
        table.sort_unstable();
        assert_eq!(told, table);
    }

    #[test]
    fn commands_write_and_queries_do_not() {
        for procedure in PROCEDURES {
            match procedure.touches {
                Touches::Writes(_) => assert_eq!(procedure.kind, Command, "{}", procedure.name),
                Touches::Reads(_) | Touches::Looks => assert_eq!(procedure.kind, Query, "{}", procedure.name),
                Touches::Nothing => {}
            }
        }
    }
}
