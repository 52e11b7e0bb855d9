//! The app's online mode: a handshake and a single call for everything that staff do, and nothing kept on the phone.

use serde::Serialize;
use serde_json::{Value, json};

use super::client::{ClientError, HubClient, Login};

/// The procedures that are commands, by name or by what it ends with; all others are queries.
const COMMANDS: [&str; 17] = [
    "ping",
    "login",
    "logout",
    "sync_push",
    "register_patient",
    "delete_patient",
    "create_event",
    ".create",
    ".update",
    ".delete",
    ".cancel",
    ".complete",
    ".update_status",
    ".pickup",
    ".dispense",
    ".release",
    ".drop",
];

/// Whether a procedure goes to the hub as a command.
#[must_use]
pub fn is_command(procedure: &str) -> bool {
    COMMANDS.iter().any(|command| match command.strip_prefix('.') {
        Some(_) => procedure.ends_with(command),
        None => procedure == *command,
    })
}

/// What a day at a clinic left at the hub.
#[derive(Clone, Debug, Serialize)]
pub struct Day {
    /// The patient who was registered.
    pub patient: String,
    /// The patient's visit.
    pub visit: String,
    /// What was filled in at it.
    pub event: String,
    /// The vital signs.
    pub vitals: String,
    /// The diagnosis.
    pub problem: String,
    /// The prescription.
    pub prescription: String,
    /// Its one item.
    pub item: String,
    /// How much of it was handed out.
    pub dispensed: i64,
    /// The next appointment.
    pub appointment: String,
}

impl HubClient {
    /// Shakes hands and makes one call, as the app does.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn call(&mut self, procedure: &str, data: &Value) -> Result<Value, ClientError> {
        self.handshake().await?;
        if is_command(procedure) {
            self.command(procedure, data).await
        } else {
            self.query(procedure, data).await
        }
    }

    async fn create(&mut self, procedure: &str, data: Value, id: &str) -> Result<String, ClientError> {
        let answer = self.call(procedure, &data).await?;
        answer[id].as_str().map(str::to_owned).ok_or(ClientError::NotAnAnswer)
    }

    /// A patient comes for the first time: is looked for, registered, seen, measured, diagnosed, gets a medicine, and an
    /// appointment for the next time. The user needs the rights for all of it.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn day(&mut self, user: &Login) -> Result<Day, ClientError> {
        let (given, surname) = ("Samplea", "Inventa");
        let name = json!({"given_name": given, "surname": surname});
        self.call("patients.similar", &name).await?;
        let form = self.call("get_patient_registration_form", &json!({})).await?;
        let fields = form["fields"].as_array().cloned().unwrap_or_default();
        let own = fields
            .iter()
            .find(|field| field["baseField"] != true && field["fieldType"] == "text");
        let attributes: Vec<Value> = own
            .map(|field| {
                json!({"id": field["id"], "patient_id": "", "attribute_id": field["id"], "attribute": field["column"],
                "string_value": "Madeupville", "metadata": {}, "is_deleted": false})
            })
            .into_iter()
            .collect();
        let patient = json!({"patient": {"given_name": given, "surname": surname, "date_of_birth": "1987-03-04",
            "sex": "female", "phone": "000", "additional_data": {}, "metadata": {}, "photo_url": ""},
            "additional_attributes": attributes});
        let patient = self.create("register_patient", patient, "patient_id").await?;

        let now = jiff::Timestamp::now().to_string();
        let visit = json!({"patient_id": patient, "clinic_id": user.clinic_id, "provider_id": user.user_id,
            "provider_name": user.provider_name, "check_in_timestamp": now, "metadata": {}});
        let visit = self.create("visits.create", visit, "id").await?;
        let forms = self.call("get_event_forms", &json!({})).await?;
        let event = json!({"patient_id": patient, "visit_id": visit, "event_type": forms["data"][0]["name"],
            "form_id": forms["data"][0]["id"], "form_data": [{"fieldId": "note", "name": "Note", "value": "made up ü 漢"}],
            "metadata": {}, "recorded_by_user_id": user.user_id});
        let event = self.create("events.create", event, "id").await?;
        let vitals = json!({"patient_id": patient, "visit_id": visit, "timestamp": now, "systolic_bp": 120, "weight_kg": 65.5,
            "metadata": {}, "is_deleted": false});
        let vitals = self.create("vitals.create", vitals, "id").await?;
        let problem = json!({"patient_id": patient, "visit_id": visit, "problem_code_system": "icd10", "problem_code": "I10",
            "problem_label": "Hypertension", "clinical_status": "active", "verification_status": "confirmed",
            "onset_date": now, "metadata": {}, "is_deleted": false});
        let problem = self.create("problems.create", problem, "id").await?;

        let stock = self
            .call("inventory.by_clinic", &json!({"clinic_id": user.clinic_id}))
            .await?;
        let rows = stock["data"].as_array().cloned().unwrap_or_default();
        let batch = rows
            .iter()
            .find(|row| row["quantity_available"].as_i64() > Some(10))
            .ok_or(ClientError::NotAnAnswer)?;
        let prescription = json!({"patient_id": patient, "provider_id": user.user_id, "pickup_clinic_id": user.clinic_id,
            "visit_id": visit, "prescribed_at": now, "status": "pending", "items": [], "notes": "", "metadata": {}});
        let prescription = self
            .create("prescriptions.create", prescription, "prescription_id")
            .await?;
        let item = json!({"prescription_id": prescription, "patient_id": patient, "drug_id": batch["drug_id"],
            "clinic_id": user.clinic_id, "dosage_instructions": "1-0-1", "quantity_prescribed": 10, "metadata": {}});
        let item = self.create("prescription_items.create", item, "id").await?;
        let batch = batch["batch_id"].as_str().unwrap_or_default();
        let dispense = json!({"id": item, "provider_id": user.user_id, "batch_quantities": {batch: 6}});
        let dispensed = self.call("prescription_items.dispense", &dispense).await?;
        let picked_up = json!({"id": prescription, "provider_id": user.user_id});
        self.call("prescriptions.pickup", &picked_up).await?;

        let appointment = json!({"patient_id": patient, "clinic_id": user.clinic_id, "provider_id": user.user_id,
            "user_id": user.user_id, "current_visit_id": visit, "timestamp": now, "duration": 20, "reason": "follow-up",
            "notes": "", "is_walk_in": false, "departments": [], "status": "pending", "metadata": {}});
        let appointment = self
            .create("appointments.create", appointment, "appointment_id")
            .await?;
        Ok(Day {
            patient,
            visit,
            event,
            vitals,
            problem,
            prescription,
            item,
            dispensed: dispensed["total_dispensed"].as_i64().unwrap_or(0),
            appointment,
        })
    }
}
