//! Phones and a store in one process, with everything that can happen between them in any order: whatever happened,
//! phones that sync until nothing moves hold what the hub holds, and nothing that was acknowledged is lost.
//!
//! The cases are small and quick, so that a fault shrinks to the few steps that cause it. The same with real processes
//! and time stands in `collisions.rs`.

#[path = "support/journal.rs"]
mod journal;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};

use hub_appliance::clock::{HubClock, HubTime, TimeSource};
use hub_appliance::ids::ClientId;
use hub_appliance::store::audit::AuditKey;
use hub_appliance::store::cloud::Bundle;
use hub_appliance::store::devices::{DeviceNumber, Devices, Scope};
use hub_appliance::store::sync::gatekeeper::{Access, Gatekeeper};
use hub_appliance::store::sync::held::HeldEntry;
use hub_appliance::store::sync::history::Author;
use hub_appliance::store::sync::push::Push;
use hub_appliance::store::{Store, StoreError, StoreKey, WriteTx};
use hub_tests::compare::Comparison;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::clock::PhoneClock;
use hub_tests::phone::database::Status;
use hub_tests::phone::pull::PullAnswer;
use hub_tests::phone::push::Changes;
use hub_tests::phone::{Database, Generation};
use hub_tests::schema::schema;
use journal::Journal;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

const PHONES: usize = 3;
const CLINIC: &str = "clinic-1";
const STOCK: &str = "stock-1";
const IN_STOCK: i64 = 100_000;
/// The hub's time at the beginning.
const BEGIN: i64 = 1_790_000_000_000;
/// How wrong the phones' clocks are, ms: right, three minutes slow, a day fast.
const CLOCK_ERRORS: [i64; PHONES] = [0, -3 * 60_000, 24 * 3_600_000];
/// The apps on the phones.
const APPS: [Generation; PHONES] = [Generation::V1_7, Generation::V1_5, Generation::V1_5];
/// Syncs after which phones must have come to rest.
const ROUNDS: usize = 6;

/// Tables that the steps work on, with columns of each that they edit.
const EDITED: [(&str, &[&str]); 4] = [
    ("patients", &["given_name", "surname", "camp"]),
    ("visits", &["provider_name", "metadata"]),
    ("events", &["event_type", "form_data"]),
    ("patient_problems", &["problem_label", "clinical_status"]),
];

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    /// A record is made; `parent` picks the patient or visit that it hangs on.
    Create { phone: usize, table: usize, parent: usize },
    /// A column of a record gets one of few values.
    Edit {
        phone: usize,
        table: usize,
        row: usize,
        column: usize,
        value: u8,
    },
    /// A record is deleted by its flag, or the flag is taken back.
    Flag {
        phone: usize,
        table: usize,
        row: usize,
        deleted: bool,
    },
    /// A record is marked as deleted, of which the hub never hears.
    Mark { phone: usize, table: usize, row: usize },
    /// A medicine is handed out: a record of it, and the phone's own sum of the stock.
    Dispense { phone: usize, quantity: i64 },
    /// The first half of a sync; its answer may be lost.
    Pull { phone: usize, lost: bool },
    /// The second half; its answer may be lost, and staff may go on editing while it is under way.
    Push {
        phone: usize,
        lost: bool,
        meanwhile: Option<(usize, u8)>,
    },
    /// A forced upload of what changed in the last so many of the phone's steps.
    ForceUpload { phone: usize, back: i64, lost: bool },
    /// A forced download.
    ForceDownload { phone: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let phone = 0..PHONES;
    let table = 0..EDITED.len();
    let lost = prop::bool::weighted(0.25);
    prop_oneof![
        3 => (phone.clone(), table.clone(), 0..4_usize).prop_map(|(phone, table, parent)| Step::Create { phone, table, parent }),
        8 => (phone.clone(), table.clone(), 0..4_usize, 0..3_usize, any::<u8>())
            .prop_map(|(phone, table, row, column, value)| Step::Edit { phone, table, row, column, value }),
        2 => (phone.clone(), table.clone(), 0..4_usize, prop::bool::weighted(0.7))
            .prop_map(|(phone, table, row, deleted)| Step::Flag { phone, table, row, deleted }),
        1 => (phone.clone(), table, 0..4_usize).prop_map(|(phone, table, row)| Step::Mark { phone, table, row }),
        1 => (phone.clone(), 1..9_i64).prop_map(|(phone, quantity)| Step::Dispense { phone, quantity }),
        6 => (phone.clone(), lost).prop_map(|(phone, lost)| Step::Pull { phone, lost }),
        6 => (phone.clone(), lost, prop::option::weighted(0.2, (0..4_usize, any::<u8>())))
            .prop_map(|(phone, lost, meanwhile)| Step::Push { phone, lost, meanwhile }),
        1 => (phone.clone(), 0..40_i64, lost).prop_map(|(phone, back, lost)| Step::ForceUpload { phone, back, lost }),
        1 => phone.prop_map(|phone| Step::ForceDownload { phone }),
    ]
}

/// Time that moves by a millisecond at each look.
struct Ticking(AtomicI64);

impl TimeSource for Ticking {
    fn millis(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

fn open(folder: &Path) -> Store {
    let source = Box::new(Ticking(AtomicI64::new(BEGIN)));
    let clock = Arc::new(HubClock::new(source, HubTime::ZERO));
    Store::open(folder, &StoreKey::new([1; 32]), AuditKey::new([2; 32]), clock).unwrap()
}

/// A store with a clinic, a drug in stock and a patient, made once: each case begins with a copy of it.
static TEMPLATE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bundle = json!({"success": true, "timestamp": BEGIN, "changes": {
        "clinics": one(json!({"id": CLINIC, "name": "Clinic", "is_archived": false})),
        "drug_catalogue": one(json!({"id": "drug-1", "generic_name": "Paracetamol", "form": "tablet", "route": "oral"})),
        "clinic_inventory": one(json!({"id": STOCK, "clinic_id": CLINIC, "drug_id": "drug-1", "batch_id": "batch-1",
            "quantity_available": IN_STOCK})),
        "patients": one(json!({"id": "patient-1", "given_name": "Amina", "primary_clinic_id": CLINIC})),
    }});
    let bundle = bundle.to_string();
    store
        .write(move |tx| {
            let bundle = Bundle::parse(&bundle)?;
            bundle.apply(tx)
        })
        .unwrap();
    store.close(std::time::Duration::from_secs(10));
    folder
});

fn one(row: Value) -> Value {
    json!({"created": [row], "updated": [], "deleted": []})
}

struct AllowAll;

impl Gatekeeper for AllowAll {
    fn permits(&mut self, _: &WriteTx<'_>, _: &Access<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }
}

/// A phone.
struct Phone {
    device: DeviceNumber,
    database: Database,
    clock: PhoneClock,
    /// Its cursor is its own clock, from a forced upload.
    forced: bool,
    /// A sync is under way: it has pulled, and a push is to follow.
    pulled: bool,
}

struct World {
    store: Arc<Store>,
    devices: Devices,
    phones: Vec<Phone>,
    journal: Journal,
    ids: u32,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(TEMPLATE.path().join("hub.db"), folder.path().join("hub.db")).unwrap();
        let store = Arc::new(open(folder.path()));
        let devices = Devices::load(Arc::clone(&store)).unwrap();
        let phones = CLOCK_ERRORS.into_iter().zip(APPS).zip(101..);
        let phones = phones.map(|((error, app), number)| Phone {
            device: pair(&devices, number),
            database: Database::of(app),
            clock: PhoneClock::stepping_from(BEGIN + 1_000 + error),
            forced: false,
            pulled: false,
        });
        let phones = phones.collect();
        Self {
            store,
            devices,
            phones,
            journal: Journal::default(),
            ids: 0,
            _folder: folder,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Create { phone, table, parent } => self.create(phone, EDITED[table].0, parent),
            Step::Edit {
                phone,
                table,
                row,
                column,
                value,
            } => self.phones[phone].edit(table, row, column, value),
            Step::Flag {
                phone,
                table,
                row,
                deleted,
            } => self.phones[phone].flag(EDITED[table].0, row, deleted),
            // Until its next pull, the phone may be sent anew what it has: its cursor is its own clock.
            Step::Mark { phone, .. } if self.phones[phone].forced => {}
            Step::Mark { phone, table, row } => {
                if let Some(id) = self.phones[phone].pick(EDITED[table].0, row) {
                    self.phones[phone].database.mark_deleted(EDITED[table].0, &id).unwrap();
                }
            }
            Step::Dispense { phone, quantity } => self.dispense(phone, quantity),
            // From there on the app fails by its own doing: it asks anew for rows that it has marked as deleted.
            Step::ForceUpload { phone, .. } | Step::ForceDownload { phone }
                if self.phones[phone].has_marked() || APPS[phone] == Generation::V1_7 => {}
            Step::Push { phone, .. } if !self.phones[phone].pulled => {}
            Step::Pull { phone, lost } => {
                self.pull(phone, lost);
            }
            Step::Push { phone, lost, meanwhile } => {
                self.push(phone, lost, meanwhile);
            }
            Step::ForceUpload { phone, back, lost } => self.force_upload(phone, back, lost),
            Step::ForceDownload { phone } => {
                self.phones[phone].database.set_cursor(0);
                self.pull(phone, false);
            }
        }
    }

    fn new_id(&mut self, kind: &str) -> String {
        self.ids += 1;
        format!("{kind}-{:03}", self.ids)
    }

    fn create(&mut self, phone: usize, table: &str, parent: usize) {
        let id = self.new_id(table);
        let phone = &mut self.phones[phone];
        let now = phone.clock.now();
        // What hangs on nobody has no place, so nobody else would see it.
        let patient = || Cell::from(phone.pick("patients", parent).unwrap_or_else(|| "patient-1".to_owned()));
        let values: Vec<(&str, Cell)> = match table {
            "patients" => vec![("primary_clinic_id", CLINIC.into()), ("given_name", "New".into())],
            "visits" => vec![("clinic_id", CLINIC.into()), ("patient_id", patient())],
            "events" => vec![
                ("patient_id", patient()),
                ("visit_id", phone.pick("visits", parent).into()),
                ("form_data", "[]".into()),
            ],
            _ => vec![("patient_id", patient())],
        };
        phone.database.create(table, &id, &values, now).unwrap();
    }

    fn dispense(&mut self, phone: usize, quantity: i64) {
        let id = self.new_id("dispensed");
        let phone = &mut self.phones[phone];
        let now = phone.clock.now();
        let values = [
            ("clinic_id", CLINIC.into()),
            ("drug_id", "drug-1".into()),
            ("batch_id", "batch-1".into()),
            ("patient_id", "patient-1".into()),
            ("quantity_dispensed", quantity.into()),
            ("dispensed_by", "user-1".into()),
            ("dispensed_at", now.into()),
        ];
        phone.database.create("dispensing_records", &id, &values, now).unwrap();
        if let Some(left) = phone.stock() {
            let values = [("quantity_available", Cell::Integer(left - quantity))];
            phone.database.update("clinic_inventory", STOCK, &values, now).unwrap();
        }
    }

    /// As `sync_pull` does it; gives how many rows and deletes came.
    fn pull(&mut self, phone: usize, lost: bool) -> usize {
        let phone = &mut self.phones[phone];
        let asked = phone.database.cursor().as_f64().unwrap();
        let mut answer = Vec::new();
        let asked = self.devices.asked(phone.device, scope(), asked);
        self.devices.pull(&asked, None, &mut answer, |_| None).unwrap();
        if lost {
            return 0;
        }
        let answer = PullAnswer::read(&answer, phone.database.generation()).unwrap();
        let count = answer.len();
        phone.forced = false;
        phone.pulled = true;
        phone.database.apply_pull(answer).unwrap();
        count
    }

    /// As `sync_push` does it; gives whether there was anything to push.
    fn push(&mut self, phone: usize, lost: bool, meanwhile: Option<(usize, u8)>) -> bool {
        let changes = self.phones[phone].database.local_changes();
        if changes.is_empty() {
            return false;
        }
        let base = self.phones[phone].database.base().clone();
        self.phones[phone].pulled = false;
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
        let phone = &mut self.phones[phone];
        let parameters = json!({"changes": changes, "lastPulledAt": last_pulled_at}).to_string();
        let push = Push::parse(&parameters).unwrap();
        let author = Author {
            device: phone.device,
            user: Some("user-1".into()),
        };
        self.store
            .write(move |tx| {
                let seen = tx.seen_at_push(author.device, push.last_pulled_at())?;
                push.apply(tx, &parameters, &author, seen, &mut AllowAll)
            })
            .unwrap();
    }

    /// What waits for a patient who was deleted, or was marked so before the hub ever got that patient, and what waits for
    /// that in turn; nothing else is held, for everybody may do everything.
    fn held(&self) -> BTreeSet<(String, String)> {
        let held = self.store.read(|snapshot| snapshot.held_rows(100_000, 0)).unwrap();
        let waits = |held: HeldEntry| {
            let reason = &held.reason;
            assert!(reason.starts_with("its parent: ") || reason == "no clinic", "{reason}");
            Some((held.table, held.row_id?))
        };
        held.into_iter().filter_map(waits).collect()
    }

    /// Every phone syncs until two rounds bring nothing and leave nothing to push.
    fn come_to_rest(&mut self) {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let mut moved = false;
            for phone in 0..PHONES {
                moved |= self.pull(phone, false) > 0;
                moved |= self.push(phone, false, None);
            }
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet == 2 {
                return;
            }
        }
        panic!("the phones do not come to rest");
    }

    /// The hub's rows as a phone sees them that has never synced.
    fn hub(&mut self) -> Database {
        self.phones.push(Phone {
            device: pair(&self.devices, 999),
            database: Database::new(),
            clock: PhoneClock::stepping_from(BEGIN),
            forced: false,
            pulled: false,
        });
        self.pull(PHONES, false);
        self.phones.remove(PHONES).database
    }

    fn check(&mut self) {
        self.come_to_rest();
        let hub = self.hub();
        let held = self.held();
        for (number, phone) in self.phones.iter().enumerate() {
            // What waits is on the phone that made it, and nowhere else.
            let mut own = phone.database.clone();
            for (table, id) in held.iter().filter(|(table, id)| hub.row(table, id).is_none()) {
                let _ = own.mark_deleted(table, id);
            }
            // What a phone has marked as deleted it never shows again, and the hub never hears of it.
            let mut seen = hub.clone();
            for table in schema().tables() {
                let marked = phone.database.rows(&table.name).unwrap();
                for (id, _) in marked.filter(|(_, row)| row.status() == Status::Deleted) {
                    // The hub may not have it: it was never pushed.
                    let _ = seen.mark_deleted(&table.name, id);
                }
            }
            if let Err(difference) = Comparison::of_one_user().compare(&own, &seen) {
                panic!("phone {number} left, the hub right: {difference}");
            }
        }
        let left = hub.cell("clinic_inventory", STOCK, "quantity_available");
        // A record that was deleted, if only with its patient, has taken nothing.
        let records = hub.rows("dispensing_records").unwrap();
        let taken = records.map(|(id, _)| hub.cell("dispensing_records", id, "quantity_dispensed"));
        let taken: i64 = taken.filter_map(|cell| cell?.as_integer()).sum();
        assert_eq!(left, Some(&Cell::Integer(IN_STOCK - taken)));
        let mut missing = self.store.read(|snapshot| self.journal.missing_in(snapshot)).unwrap();
        missing.retain(|missing| !held.contains(&missing.row()));
        assert!(missing.is_empty(), "{}", missing[0]);
    }
}

fn pair(devices: &Devices, client: u128) -> DeviceNumber {
    let client = ClientId::from(uuid::Uuid::from_u128(client));
    devices.pair(client, None).unwrap()
}

fn scope() -> Scope {
    Scope {
        user: "user-1".into(),
        clinics: [CLINIC.to_owned()].into(),
    }
}

impl Phone {
    /// One of the rows that the phone shows.
    fn pick(&self, table: &str, place: usize) -> Option<String> {
        let rows = self.database.rows(table).unwrap();
        let shown: Vec<&str> = rows
            .filter(|(_, row)| row.status() != Status::Deleted)
            .map(|(id, _)| id)
            .collect();
        (!shown.is_empty()).then(|| shown[place % shown.len()].to_owned())
    }

    fn has_marked(&self) -> bool {
        let mut tables = EDITED.iter().filter_map(|(table, _)| self.database.rows(table).ok());
        tables.any(|mut rows| rows.any(|(_, row)| row.status() == Status::Deleted))
    }

    fn stock(&self) -> Option<i64> {
        self.database
            .cell("clinic_inventory", STOCK, "quantity_available")?
            .as_integer()
    }

    fn edit(&mut self, table: usize, row: usize, column: usize, value: u8) {
        let (table, columns) = EDITED[table];
        let Some(id) = self.pick(table, row) else { return };
        let column = columns[column % columns.len()];
        let value = Cell::text(&format!("{}-{}", self.device.0, value % 16));
        let now = self.clock.now();
        self.database.update(table, &id, &[(column, value)], now).unwrap();
    }

    fn flag(&mut self, table: &str, row: usize, deleted: bool) {
        let Some(id) = self.pick(table, row) else { return };
        let now = self.clock.now();
        self.database
            .update(table, &id, &[("is_deleted", deleted.into())], now)
            .unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn phones_that_come_to_rest_hold_what_the_hub_holds(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for phone in 0..PHONES {
            world.pull(phone, false);
        }
        for step in &steps {
            world.take(step);
        }
        world.check();
    }
}
