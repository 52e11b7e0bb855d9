//! The hub of the model with all its phones, and what can happen to them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use hub_appliance::procedures::ProcedureError;
use hub_appliance::store::schema::TableId;
use hub_appliance::wire::message::Kind;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::database::Status;
use hub_tests::phone::pull::{PullAnswer, PullCounts};
use hub_tests::phone::push::Changes;
use hub_tests::phone::{Database, Generation};
use hub_tests::schema::schema;
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::Step;
use crate::hub::{Ask, Hub};
use crate::journal::Journal;
use crate::phone::{EDITED, Phone};

pub(crate) const CLINICS: [&str; 2] = ["clinic-a", "clinic-b"];
pub(crate) const STOCK: &str = "stock-1";
pub(crate) const IN_STOCK: i64 = 100_000;
/// The hub's time at the beginning.
pub(crate) const BEGIN: i64 = 1_790_000_000_000;
const PASSWORD: &str = "pass";
const YEAR: i64 = 365 * 86_400_000;

/// Somebody who may log in, with all rights in some clinics.
pub(crate) struct User {
    pub(crate) id: &'static str,
    pub(crate) clinics: &'static [&'static str],
}

pub(crate) const USERS: [User; 4] = [
    User {
        id: "admin",
        clinics: &CLINICS,
    },
    User {
        id: "doctor",
        clinics: &CLINICS,
    },
    User {
        id: "nurse-a",
        clinics: &["clinic-a"],
    },
    User {
        id: "nurse-b",
        clinics: &["clinic-b"],
    },
];
/// A right that comes and goes.
#[derive(Clone, Copy)]
enum Right {
    View,
    Edit,
}

/// The user who sees everything, always.
pub(crate) const ADMIN: usize = 0;
pub(crate) const PHONES: usize = 4;

/// The phones at the beginning: app, user, and how wrong the clock is.
const AT_FIRST: [(Generation, usize, i64); PHONES] = [
    (Generation::V1_7, ADMIN, 0),
    (Generation::V1_5, 1, -2 * YEAR),
    (Generation::V1_7, 2, 3 * YEAR),
    (Generation::V1_5, 3, -3 * 60_000),
];
/// Syncs after which phones must have come to rest.
const ROUNDS: usize = 8;

/// A store with two clinics, their users, a drug in stock and patients, and with tokens for the phones of the
/// beginning. Made once: each case begins with a copy of it.
static TEMPLATE: LazyLock<(TempDir, Tokens, i64)> = LazyLock::new(|| {
    let hub = Hub::open(tempfile::tempdir().unwrap(), BEGIN);
    let list = |rows: Vec<Value>| json!({"created": rows, "updated": [], "deleted": []});
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    let users = USERS.iter().map(|user| {
        json!({"id": user.id, "clinic_id": user.clinics[0], "name": user.id, "role": "provider",
               "email": user.id, "hashed_password": hash})
    });
    let rights = USERS.iter().enumerate().flat_map(|(place, user)| {
        user.clinics
            .iter()
            .map(move |clinic| rights_row(place, clinic, &[], BEGIN))
    });
    let clinic = |id| json!({"id": id, "name": id, "is_archived": false, "address": "Route 1", "city": "B"});
    let patient = |id, clinic| json!({"id": id, "given_name": "Amina", "primary_clinic_id": clinic});
    hub.import(&json!({"success": true, "timestamp": BEGIN, "changes": {
        "clinics": list(CLINICS.map(clinic).to_vec()),
        "users": list(users.collect()),
        "user_clinic_permissions": list(rights.collect()),
        "drug_catalogue": list(vec![json!({"id": "drug-1", "generic_name": "Paracetamol", "form": "tablet",
                                           "route": "oral"})]),
        "clinic_inventory": list(vec![json!({"id": STOCK, "clinic_id": CLINICS[0], "drug_id": "drug-1",
                                             "batch_id": "batch-1", "quantity_available": IN_STOCK})]),
        "patients": list(vec![patient("patient-0", CLINICS[0]), patient("patient-1", CLINICS[0]),
                              patient("patient-2", CLINICS[1])]),
    }}));
    let mut tokens = Tokens::new();
    for (number, _) in (0..).zip(AT_FIRST) {
        let client = Phone::new(number, Generation::V1_7, 0, 0).client;
        hub.pair(client);
        for (place, user) in USERS.iter().enumerate() {
            tokens.insert((client, place), hub.log_in(client, user.id, PASSWORD));
        }
    }
    let time = hub.time();
    (hub.close(), tokens, time)
});

/// Tokens by device and user.
type Tokens = BTreeMap<(Uuid, usize), String>;

/// A permission row as the cloud sends it: all rights but those that are withheld.
fn rights_row(user: usize, clinic: &str, withheld: &[&str], at: i64) -> Value {
    let id = USERS[user].id;
    let mut row = json!({"id": format!("{id}-in-{clinic}"), "user_id": id, "clinic_id": clinic, "updated_at": at});
    for right in hub_tests::clinic::RIGHTS {
        row[right] = json!(!withheld.contains(&right));
    }
    row
}

/// The hub and its phones.
pub(crate) struct World {
    hub: Option<Hub>,
    pub(crate) phones: Vec<Phone>,
    tokens: Tokens,
    pub(crate) journal: Journal,
    /// Which clinics each user may look into.
    views: [BTreeSet<&'static str>; USERS.len()],
    /// Where each user may edit records.
    pub(crate) edits: [BTreeSet<&'static str>; USERS.len()],
    /// Devices that have shown that they run app 1.7.
    pub(crate) shown: BTreeSet<Uuid>,
    /// Rows may have changed hands: from here on what a user pushes may not be the user's to write.
    pub(crate) may_hold: bool,
    moved: bool,
    marked: bool,
    ids: u32,
    /// What came or went last, for people to read.
    last_move: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let (template, tokens, time) = &*TEMPLATE;
        let phones = (0..).zip(AT_FIRST);
        let phones = phones.map(|(number, (app, user, error))| Phone::new(number, app, user, error));
        Self {
            hub: Some(Hub::copy_of(Path::new(template.path()), *time)),
            phones: phones.collect(),
            tokens: tokens.clone(),
            journal: Journal::default(),
            views: USERS.map(|user| user.clinics.iter().copied().collect()),
            edits: USERS.map(|user| user.clinics.iter().copied().collect()),
            shown: BTreeSet::new(),
            may_hold: false,
            moved: false,
            marked: false,
            ids: 0,
            last_move: String::new(),
        }
    }

    pub(crate) fn hub(&self) -> &Hub {
        self.hub.as_ref().unwrap()
    }

    /// The clinics that a phone's user may look into.
    pub(crate) fn clinics_of(&self, phone: &Phone) -> BTreeSet<String> {
        self.views[phone.user]
            .iter()
            .map(|clinic| (*clinic).to_owned())
            .collect()
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let count = self.phones.len();
        match *step {
            Step::Create { phone, table, parent } => {
                let id = self.new_id(EDITED[table].0);
                self.phones[phone % count].create(EDITED[table].0, &id, parent);
            }
            Step::Edit {
                phone,
                table,
                row,
                column,
                value,
            } => self.phones[phone % count].edit(table, row, column, value),
            Step::Flag {
                phone,
                table,
                row,
                deleted,
            } => self.phones[phone % count].set(EDITED[table].0, row, &[("is_deleted", deleted.into())]),
            Step::Mark { phone, table, row } => self.mark(phone % count, EDITED[table].0, row),
            Step::Answer {
                phone,
                row,
                field,
                value,
            } => {
                let id = self.new_id("answer");
                self.phones[phone % count].answer(&id, row, field, value);
            }
            Step::Dispense { phone, quantity } => {
                let id = self.new_id("dispensed");
                let phone = &mut self.phones[phone % count];
                if phone.user().clinics[0] == CLINICS[0] {
                    phone.dispense(&id, quantity);
                }
            }
            Step::Move { phone, row, clinic } => self.move_patient(phone % count, row, CLINICS[clinic]),
            Step::Rehang { phone, row, parent } => {
                let phone = &mut self.phones[phone % count];
                if let Some(patient) = phone.pick("patients", parent) {
                    self.moved = true;
                    self.may_hold = true;
                    phone.set("events", row, &[("patient_id", patient.into())]);
                }
            }
            Step::Pull { phone, lost } => drop(self.pull(phone % count, lost)),
            Step::Push { phone, lost, meanwhile } => drop(self.push(phone % count, lost, meanwhile)),
            Step::ForceUpload { phone, back, lost } => self.force_upload(phone % count, back, lost),
            Step::ForceDownload { phone } => {
                if self.has_buttons(phone % count) {
                    self.phones[phone % count].database.set_cursor(0);
                    self.pull(phone % count, false);
                }
            }
            Step::Switch { phone, user } => {
                self.may_hold = true;
                let phone = &mut self.phones[phone % count];
                phone.user = user;
                phone.pulled = false;
            }
            Step::Rights { user, clinic, view } => self.give(user, CLINICS[clinic], Right::View, view),
            Step::Edits { user, clinic, may } => {
                self.may_hold = true;
                self.give(user, CLINICS[clinic], Right::Edit, may);
            }
            Step::Backup { phone } => {
                let phone = &mut self.phones[phone % count];
                phone.backup = Some(phone.database.clone());
                phone.pushed = false;
            }
            Step::Restore { phone } => self.restore(phone % count),
            Step::Copy { phone } => self.copy(phone % count),
            Step::Lock => self.hub = self.hub.take().map(Hub::locked_and_unlocked),
            Step::Kill => self.hub = self.hub.take().map(Hub::killed),
            Step::Clock { by } => self.hub().set_clock(by),
        }
    }

    fn new_id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}-{:03}", self.ids)
    }

    /// A record is marked as deleted, of which the hub never hears. Where the hub can't know that a phone has a row, and
    /// sends it as a new one, app 1.5 fails by its own doing: it is not marked there.
    fn mark(&mut self, phone: usize, table: &str, row: usize) {
        let phone = &mut self.phones[phone];
        let sent_anew = phone.forced || phone.went_back || self.moved;
        if phone.is_brittle() && sent_anew {
            return;
        }
        if let Some(id) = phone.pick(table, row) {
            // What hangs on a row that the hub never gets has no place there.
            self.may_hold |= phone.database.row(table, &id).unwrap().status() == Status::Created;
            phone.database.mark_deleted(table, &id).unwrap();
            self.marked |= phone.is_brittle();
        }
    }

    fn move_patient(&mut self, phone: usize, row: usize, clinic: &str) {
        let phone = &mut self.phones[phone];
        if phone.user().clinics.len() == CLINICS.len() && !self.marked {
            self.moved = true;
            self.may_hold = true;
            phone.set("patients", row, &[("primary_clinic_id", clinic.into())]);
        }
    }

    fn give(&mut self, user: usize, clinic: &'static str, right: Right, given: bool) {
        if user == ADMIN || !USERS[user].clinics.contains(&clinic) {
            return;
        }
        let of_user = match right {
            Right::View => &mut self.views[user],
            Right::Edit => &mut self.edits[user],
        };
        if given {
            of_user.insert(clinic);
        } else {
            of_user.remove(clinic);
        }
        let mut withheld = Vec::new();
        withheld.extend((!self.views[user].contains(clinic)).then_some("can_view_history"));
        withheld.extend((!self.edits[user].contains(clinic)).then_some("can_edit_records"));
        let at = self.hub().time();
        let row = rights_row(user, clinic, &withheld, at);
        let lists = json!({"created": [], "updated": [row], "deleted": []});
        self.hub()
            .import(&json!({"success": true, "timestamp": at, "changes": {"user_clinic_permissions": lists}}));
    }

    /// The app of the phone has forced uploads and downloads, and does not fail by its own doing: it would ask anew for
    /// rows that it has marked as deleted. After an upload it asks from its own clock, by which nobody can tell two copies
    /// of it apart.
    fn has_buttons(&self, phone: usize) -> bool {
        let phone = &self.phones[phone];
        phone.app() == Generation::V1_5 && !phone.has_marked() && !phone.went_back
    }

    /// A phone is put back. Nobody can tell that it was while it has never asked from a later point than it does then; of
    /// what it pushed in between it would not hear.
    fn restore(&mut self, phone: usize) {
        let phone = &mut self.phones[phone];
        let unfit = phone.is_brittle() && (phone.has_marked() || phone.forced);
        let backup = phone.backup.clone().filter(|backup| {
            let goes_back = backup.cursor().as_i64().is_some_and(|cursor| cursor < phone.asked);
            goes_back || !phone.pushed
        });
        if let (Some(backup), false) = (backup, unfit) {
            phone.database = backup;
            phone.pulled = false;
            phone.forced = false;
            phone.went_back = true;
        }
    }

    /// A second phone is made from a phone, with everything that it has.
    fn copy(&mut self, phone: usize) {
        let first = &self.phones[phone];
        if self.phones.len() > PHONES || first.forced || (first.is_brittle() && first.has_marked()) {
            return;
        }
        self.phones[phone].went_back = true;
        let mut copy = self.phones[phone].clone();
        copy.pulled = false;
        self.phones.push(copy);
    }

    /// A call of a phone; where its token has ended, somebody signs in again.
    fn call(&mut self, phone: usize, kind: Kind, name: &str, data: impl Serialize) -> Vec<u8> {
        let (client, user) = (self.phones[phone].client, self.phones[phone].user);
        for _ in 0..2 {
            let token = self.tokens.get(&(client, user)).map(String::as_str);
            let ask = Ask {
                kind,
                name,
                data: &data,
                token,
            };
            match self.hub().call(client, ask) {
                Err(ProcedureError::TokenRefused) => {}
                answer => return answer.unwrap(),
            }
            let token = self.hub().log_in(client, USERS[user].id, PASSWORD);
            self.tokens.insert((client, user), token);
        }
        panic!("a new token is refused");
    }

    /// The first half of a sync; gives how many rows and deletes came.
    pub(crate) fn pull(&mut self, phone: usize, lost: bool) -> usize {
        let asking = &mut self.phones[phone];
        if !asking.forced {
            asking.asked = asking.asked.max(asking.database.cursor().as_i64().unwrap_or(0));
        }
        let params = json!({"lastPulledAt": asking.database.cursor()});
        let answer = self.call(phone, Kind::Query, "sync_pull", params);
        if lost {
            return 0;
        }
        let number = phone;
        let phone = &mut self.phones[phone];
        let answer = PullAnswer::read(&answer, phone.app()).unwrap();
        let count = answer.len();
        phone.forced = false;
        phone.pulled = true;
        let counts = phone.database.apply_pull(answer).unwrap();
        if count > 0 {
            let some = counts
                .into_iter()
                .filter(|(_, counts)| *counts != PullCounts::default());
            self.last_move = format!("phone {number} pulled {:?}", some.collect::<Vec<_>>());
        }
        count
    }

    /// The second half; gives whether there was anything to push.
    pub(crate) fn push(&mut self, phone: usize, lost: bool, meanwhile: Option<(usize, u8)>) -> bool {
        if !std::mem::take(&mut self.phones[phone].pulled) {
            return false;
        }
        let changes = self.phones[phone].database.local_changes();
        if changes.is_empty() {
            return false;
        }
        let base = self.phones[phone].database.base().clone();
        self.last_move = format!("phone {phone} pushed {:?}", changes.counts());
        self.send(phone, &changes, &base);
        if let Some((row, value)) = meanwhile {
            self.phones[phone].edit(0, row, 0, value);
        }
        if !lost {
            self.journal.note(&changes);
            let phone = &mut self.phones[phone];
            let now = phone.clock.now();
            phone.database.mark_pushed(&changes, now);
        }
        true
    }

    fn force_upload(&mut self, phone: usize, back: i64, lost: bool) {
        if !self.has_buttons(phone) {
            return;
        }
        let since = self.phones[phone].clock.now() - back;
        let changes = self.phones[phone].database.forced_changes(since);
        self.send(phone, &changes, &Value::from(since));
        if !lost {
            self.journal.note(&changes);
            let phone = &mut self.phones[phone];
            phone.database.note_forced(&changes);
            let now = phone.clock.now();
            phone.database.set_cursor(now);
            phone.forced = true;
        }
    }

    fn send(&mut self, phone: usize, changes: &Changes, last_pulled_at: &Value) {
        if shows_app_1_7(&serde_json::to_value(changes).unwrap()) {
            self.shown.insert(self.phones[phone].client);
        }
        self.phones[phone].pushed = true;
        self.note_stamps(phone, changes);
        let data = json!({"changes": changes, "lastPulledAt": last_pulled_at});
        let answer = self.call(phone, Kind::Command, "sync_push", data);
        assert_eq!(answer, b"{}");
    }

    /// Notes the pushed rows that the user may not write. Where such a row asks for nothing it is neither written nor sent
    /// back, and `updated_at` stays on the phone as its app moved it.
    fn note_stamps(&mut self, phone: usize, changes: &Changes) {
        let changes = serde_json::to_value(changes).unwrap();
        let mut stamped = BTreeSet::new();
        for (table, lists) in changes.as_object().into_iter().flatten() {
            let rows = ["created", "updated"].map(|list| lists[list].as_array().into_iter().flatten());
            for row in rows.into_iter().flatten() {
                let id = row["id"].as_str().unwrap();
                let clinic = self.clinic_of(table, id);
                if clinic.is_some_and(|clinic| !self.edits[self.phones[phone].user].contains(clinic.as_str())) {
                    stamped.insert((table.clone(), id.to_owned()));
                }
            }
        }
        self.phones[phone].stamped.append(&mut stamped);
    }

    /// The clinic that a stored row is tied to.
    pub(crate) fn clinic_of(&self, table: &str, id: &str) -> Option<String> {
        let text = |table: &str, id: &str, column: &str| -> Option<String> {
            let table = TableId::named(table)?;
            let row = self.hub().store.read(|snapshot| snapshot.row(table, id)).unwrap()?;
            let cell = row.cells[table.table().column(column)?].to_json();
            cell.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let own = schema().table(table)?.clinic_column.as_deref();
        let own = own.and_then(|column| text(table, id, column));
        own.or_else(|| text("patients", &text(table, id, "patient_id")?, "primary_clinic_id"))
    }

    /// Every phone syncs until two rounds bring nothing and leave nothing to push.
    pub(crate) fn come_to_rest(&mut self) {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut moved = false;
            for phone in 0..self.phones.len() {
                moved |= self.pull(phone, false) > 0;
                moved |= self.push(phone, false, None);
            }
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet == 2 {
                return;
            }
        }
        panic!("the phones do not come to rest; the last: {}", self.last_move);
    }

    /// All that the hub has, as a new phone of somebody who sees everything gets it.
    pub(crate) fn all_of_the_hub(&mut self) -> Database {
        let phone = Phone::new(999, Generation::V1_7, ADMIN, 0);
        self.hub().pair(phone.client);
        self.phones.push(phone);
        let place = self.phones.len() - 1;
        let sign =
            json!({"changes": {"visits": {"created": [], "updated": [], "deleted": ["none"]}}, "lastPulledAt": 0});
        self.call(place, Kind::Command, "sync_push", sign);
        self.pull(place, false);
        self.phones.remove(place).database
    }
}

/// Whether a push says that its phone runs app 1.7: by a row of a new table, or an event that nobody is known to have
/// recorded.
fn shows_app_1_7(changes: &Value) -> bool {
    let rows = |table: &str| {
        let lists = ["created", "updated"].map(|list| changes[table][list].as_array().cloned());
        lists.into_iter().flatten().flatten()
    };
    rows("patient_risk_profiles").next().is_some() || rows("events").any(|row| row["recorded_by_user_id"].is_null())
}

/// The quantity that is left of the stock.
pub(crate) fn left_in_stock(hub: &Database) -> Option<i64> {
    hub.cell("clinic_inventory", STOCK, "quantity_available")
        .and_then(Cell::as_integer)
}
