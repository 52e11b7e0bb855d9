//! A hub with two sites and a user for each way of lacking a right, all on one phone.

use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::HubClient;
use serde_json::{Map, Value, json};

/// The site where the staff of these tests work.
pub(crate) const HERE: &str = "0197f000-0000-7000-8000-00000000c001";
/// The other site.
pub(crate) const THERE: &str = "0197f000-0000-7000-8000-00000000c002";
pub(crate) const DRUG: &str = "0197f000-0000-7000-8000-000000000500";
pub(crate) const BATCH: &str = "0197f000-0000-7000-8000-000000000601";
pub(crate) const EXPIRED: &str = "0197f000-0000-7000-8000-000000000602";
pub(crate) const ENDLESS: &str = "0197f000-0000-7000-8000-000000000603";
pub(crate) const BATCH_THERE: &str = "0197f000-0000-7000-8000-000000000604";
pub(crate) const FORM: &str = "0197f000-0000-7000-8000-000000008001";
pub(crate) const VILLAGE: &str = "0197f000-0000-7000-8000-000000007010";
/// So much of each batch is there.
pub(crate) const STOCK: i64 = 100;

const PASSWORD: &str = "made-up-pass";
const AT: &str = "2025-10-09T08:53:20.000Z";

pub(crate) const RIGHTS: [&str; 10] = [
    "can_register_patients",
    "can_view_history",
    "can_edit_records",
    "can_delete_records",
    "is_clinic_admin",
    "can_edit_other_provider_event",
    "can_prescribe_medications",
    "can_dispense_medications",
    "can_delete_patient_visits",
    "can_delete_patient_records",
];

/// Who may do everything at both sites.
pub(crate) const DIRECTOR: &str = "director";
/// Who may do everything here, and nothing there.
pub(crate) const LOCAL: &str = "local";

/// A running hub and a phone that is paired with it.
pub(crate) struct Online {
    pub(crate) hub: TestHub,
    pub(crate) client: HubClient,
    tokens: Map<String, Value>,
}

impl Online {
    pub(crate) async fn start() -> Self {
        let mut hub = TestHub::empty(Log::Warnings).await.unwrap();
        let bundle = bundle();
        hub.take_in(|file| Ok(serde_json::to_writer(file, &bundle)?))
            .await
            .unwrap();
        let client = hub.pair(|client| client).await.unwrap();
        let mut online = Self {
            hub,
            client,
            tokens: Map::new(),
        };
        online.become_user(DIRECTOR).await;
        online
    }

    /// The next calls are this user's.
    pub(crate) async fn become_user(&mut self, name: &str) {
        if !self.tokens.contains_key(name) {
            // The hub keeps eight of a device, and lets the oldest go for the next.
            if self.tokens.len() == 8 {
                self.tokens.clear();
            }
            self.client
                .login(&format!("{name}@example.test"), PASSWORD)
                .await
                .unwrap();
            self.tokens.insert(name.to_owned(), json!(self.client.token()));
        }
        self.client.set_token(self.tokens[name].as_str().map(str::to_owned));
    }

    /// A phone of its own with the same user.
    pub(crate) async fn another(&self, name: &str) -> HubClient {
        let mut client = self.hub.pair(|client| client).await.unwrap();
        client.login(&format!("{name}@example.test"), PASSWORD).await.unwrap();
        client
    }

    pub(crate) async fn command(&mut self, name: &str, data: &Value) -> Result<Value, u16> {
        command(&mut self.client, name, data).await
    }

    pub(crate) async fn query(&mut self, name: &str, data: &Value) -> Result<Value, u16> {
        query(&mut self.client, name, data).await
    }

    /// The id in the answer of a create.
    pub(crate) async fn made(&mut self, name: &str, data: Value, field: &str) -> String {
        let answer = self.command(name, &data).await;
        answer.unwrap_or_else(|status| panic!("{name}: {status}"))[field]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A patient with all that can hang on one, at a site.
    pub(crate) async fn records(&mut self, clinic: &str) -> Records {
        let user = id_of(DIRECTOR);
        let patient = json!({"patient": {"given_name": "Samplea", "surname": "Inventa", "primary_clinic_id": clinic},
            "additional_attributes": [{"attribute_id": VILLAGE, "attribute": "village", "string_value": "Madeupville"}],
            "hint": self.client.client_id(), "number": uuid::Uuid::new_v4().to_string()});
        let patient = self.made("register_patient", patient, "patient_id").await;
        let visit = json!({"patient_id": patient, "clinic_id": clinic, "provider_id": user});
        let visit = self.made("visits.create", visit, "id").await;
        let batch = if clinic == HERE { BATCH } else { BATCH_THERE };
        let event =
            json!({"patient_id": patient, "visit_id": visit, "event_type": "x", "form_id": FORM, "form_data": []});
        let event = self.made("events.create", event, "id").await;
        let vitals = self
            .made("vitals.create", json!({"patient_id": patient, "weight_kg": 60}), "id")
            .await;
        let problem = json!({"patient_id": patient, "problem_code_system": "icd10", "problem_code": "I10",
            "problem_label": "x", "clinical_status": "active", "verification_status": "confirmed"});
        let problem = self.made("problems.create", problem, "id").await;
        let appointment = json!({"patient_id": patient, "clinic_id": clinic, "user_id": user, "current_visit_id": visit,
            "timestamp": AT});
        let appointment = self.made("appointments.create", appointment, "appointment_id").await;
        let prescription =
            json!({"patient_id": patient, "provider_id": user, "pickup_clinic_id": clinic, "visit_id": visit});
        let prescription = self.made("prescriptions.create", prescription, "prescription_id").await;
        let item = json!({"prescription_id": prescription, "patient_id": patient, "drug_id": DRUG, "clinic_id": clinic,
            "dosage_instructions": "1-0-1", "quantity_prescribed": 1000});
        let item = self.made("prescription_items.create", item, "id").await;
        Records {
            clinic: clinic.to_owned(),
            patient,
            visit,
            event,
            vitals,
            problem,
            appointment,
            prescription,
            item,
            batch: batch.to_owned(),
        }
    }
}

/// The ids of a patient's records.
pub(crate) struct Records {
    pub(crate) clinic: String,
    pub(crate) patient: String,
    pub(crate) visit: String,
    pub(crate) event: String,
    pub(crate) vitals: String,
    pub(crate) problem: String,
    pub(crate) appointment: String,
    pub(crate) prescription: String,
    pub(crate) item: String,
    pub(crate) batch: String,
}

pub(crate) async fn command(client: &mut HubClient, name: &str, data: &Value) -> Result<Value, u16> {
    client
        .command(name, data)
        .await
        .map_err(|error| error.status().unwrap_or_else(|| panic!("{name}: {error}")))
}

pub(crate) async fn query(client: &mut HubClient, name: &str, data: &Value) -> Result<Value, u16> {
    client
        .query(name, data)
        .await
        .map_err(|error| error.status().unwrap_or_else(|| panic!("{name}: {error}")))
}

/// The id of a user.
pub(crate) fn id_of(name: &str) -> String {
    let number = users().iter().position(|(known, _)| *known == name).unwrap();
    format!("0197f000-0000-7000-8000-0000000001{number:02}")
}

/// The name of the user who may do all but this at both sites.
pub(crate) fn without(right: &str) -> String {
    format!("without-{}", right.replace('_', "-"))
}

/// A site, and the one right that is lacking there.
type Place = (&'static str, Option<&'static str>);

/// Names, and where each works.
fn users() -> Vec<(String, Vec<Place>)> {
    let mut users = vec![
        (DIRECTOR.to_owned(), vec![(HERE, None), (THERE, None)]),
        (LOCAL.to_owned(), vec![(HERE, None)]),
    ];
    users.extend(RIGHTS.map(|right| (without(right), vec![(HERE, Some(right)), (THERE, Some(right))])));
    users
}

fn bundle() -> Value {
    let hash = bcrypt::hash(PASSWORD, 10).unwrap();
    let (mut staff, mut permissions) = (Vec::new(), Vec::new());
    for (name, clinics) in users() {
        let id = id_of(&name);
        staff.push(json!({"id": id, "clinic_id": HERE, "name": name, "role": "provider",
            "email": format!("{name}@example.test"), "hashed_password": hash, "created_at": AT, "updated_at": AT, "is_deleted": false}));
        for (clinic, lacking) in clinics {
            let mut row = json!({"id": uuid::Uuid::new_v4().to_string(), "user_id": id, "clinic_id": clinic, "created_at": AT, "updated_at": AT});
            for right in RIGHTS {
                row[right] = json!(Some(right) != lacking);
            }
            permissions.push(row);
        }
    }
    let clinic = |id: &str, name: &str| {
        json!({"id": id, "name": name, "is_archived": false, "is_deleted": false,
        "created_at": AT, "updated_at": AT})
    };
    let stock = |number: u8, clinic: &str, batch: &str, expiry: Option<&str>| {
        json!({
        "id": format!("0197f000-0000-7000-8000-0000000004{number:02}"), "clinic_id": clinic, "drug_id": DRUG, "batch_id": batch,
        "quantity_available": STOCK, "reserved_quantity": 10, "batch_number": format!("BN-{number}"),
        "batch_expiry_date": expiry, "is_deleted": false, "created_at": AT, "updated_at": AT, "last_modified": AT})
    };
    let field = |id: &str, column: &str, base: bool, kind: &str| {
        json!({"id": id, "position": 1, "column": column,
        "label": {"en": column}, "fieldType": kind, "options": [], "required": base, "baseField": base, "visible": true,
        "isSearchField": true, "deleted": false})
    };
    let table = |rows: Value| json!({"created": rows, "updated": [], "deleted": []});
    json!({"success": true, "timestamp": 1, "changes": {
        "clinics": table(json!([clinic(HERE, "Here"), clinic(THERE, "There")])),
        "users": table(json!(staff)),
        "user_clinic_permissions": table(json!(permissions)),
        "clinic_departments": table(json!([{"id": "0197f000-0000-7000-8000-000000000700", "clinic_id": HERE, "name": "Ward",
            "is_deleted": false, "created_at": AT, "updated_at": AT}])),
        "drug_catalogue": table(json!([{"id": DRUG, "barcode": "6291", "generic_name": "Paracétamol", "brand_name": "Made-up",
            "form": "tablet", "route": "oral", "dosage_quantity": "500", "dosage_units": "mg", "sale_price": "1.50",
            "is_active": true, "is_deleted": false, "created_at": AT, "updated_at": AT, "last_modified": AT}])),
        "clinic_inventory": table(json!([stock(1, HERE, BATCH, Some("2200-01-01")), stock(2, HERE, EXPIRED, Some("2020-01-01")),
            stock(3, HERE, ENDLESS, None), stock(4, THERE, BATCH_THERE, Some("2200-01-01"))])),
        "registration_forms": table(json!([{"id": "0197f000-0000-7000-8000-000000007000", "name": "Registration", "fields": [
                field("0197f000-0000-7000-8000-000000007001", "given_name", true, "text"),
                field(VILLAGE, "village", false, "text")],
            "is_deleted": false, "created_at": AT, "updated_at": AT}])),
        "event_forms": table(json!([{"id": FORM, "name": "Consultation", "language": "en", "form_fields": [], "clinic_ids": [],
                "is_editable": true, "is_snapshot_form": false, "is_deleted": false, "created_at": AT, "updated_at": AT},
            {"id": "0197f000-0000-7000-8000-000000008002", "name": "Only there", "language": "en", "form_fields": [],
                "clinic_ids": [THERE], "is_deleted": false, "created_at": AT, "updated_at": AT}])),
    }})
}
