-- Schema version 1, as the first firmware made it: what is released does not change.

CREATE TABLE clinics (
    "id" TEXT PRIMARY KEY NOT NULL,
    "name" TEXT,
    "updated_at" INTEGER,
    "created_at" INTEGER,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "is_archived" INTEGER NOT NULL,
    "attributes" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "address" TEXT,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX clinics_changed ON clinics (hub_changed_at);

CREATE TABLE users (
    "id" TEXT PRIMARY KEY NOT NULL,
    "clinic_id" TEXT,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "hashed_password" TEXT NOT NULL,
    "instance_url" TEXT,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX users_changed ON users (hub_changed_at);

CREATE TABLE user_clinic_permissions (
    "id" TEXT PRIMARY KEY NOT NULL,
    "user_id" TEXT NOT NULL,
    "clinic_id" TEXT NOT NULL,
    "can_register_patients" INTEGER,
    "can_view_history" INTEGER,
    "can_edit_records" INTEGER,
    "can_delete_records" INTEGER,
    "is_clinic_admin" INTEGER,
    "created_by" TEXT,
    "last_modified_by" TEXT,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "can_edit_other_provider_event" INTEGER,
    "can_download_patient_reports" INTEGER,
    "can_prescribe_medications" INTEGER,
    "can_dispense_medications" INTEGER,
    "can_delete_patient_visits" INTEGER,
    "can_delete_patient_records" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX user_clinic_permissions_changed ON user_clinic_permissions (hub_changed_at);
CREATE INDEX user_clinic_permissions_user_id ON user_clinic_permissions (user_id);

CREATE TABLE clinic_departments (
    "id" TEXT PRIMARY KEY NOT NULL,
    "clinic_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "code" TEXT,
    "description" TEXT,
    "status" TEXT,
    "can_dispense_medications" INTEGER NOT NULL,
    "can_perform_labs" INTEGER NOT NULL,
    "can_perform_imaging" INTEGER NOT NULL,
    "additional_capabilities" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    "deleted_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX clinic_departments_changed ON clinic_departments (hub_changed_at);

CREATE TABLE app_config (
    "id" TEXT PRIMARY KEY NOT NULL,
    "namespace" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "value" TEXT,
    "data_type" TEXT NOT NULL,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "last_modified" INTEGER,
    "last_modified_by" TEXT,
    "display_name" TEXT,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX app_config_changed ON app_config (hub_changed_at);

CREATE TABLE registration_forms (
    "id" TEXT PRIMARY KEY NOT NULL,
    "clinic_id" TEXT,
    "name" TEXT NOT NULL,
    "fields" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX registration_forms_changed ON registration_forms (hub_changed_at);

CREATE TABLE event_forms (
    "id" TEXT PRIMARY KEY NOT NULL,
    "name" TEXT,
    "description" TEXT,
    "language" TEXT NOT NULL,
    "is_editable" INTEGER,
    "is_snapshot_form" INTEGER,
    "form_fields" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "clinic_ids" TEXT,
    "translations" TEXT,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX event_forms_changed ON event_forms (hub_changed_at);

CREATE TABLE drug_catalogue (
    "id" TEXT PRIMARY KEY NOT NULL,
    "barcode" TEXT,
    "generic_name" TEXT NOT NULL,
    "brand_name" TEXT,
    "form" TEXT NOT NULL,
    "route" TEXT NOT NULL,
    "dosage_quantity" TEXT NOT NULL,
    "dosage_units" TEXT NOT NULL,
    "manufacturer" TEXT,
    "sale_price" TEXT NOT NULL,
    "sale_currency" TEXT,
    "min_stock_level" INTEGER,
    "max_stock_level" INTEGER,
    "is_controlled" INTEGER,
    "requires_refrigeration" INTEGER,
    "is_active" INTEGER,
    "notes" TEXT,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX drug_catalogue_changed ON drug_catalogue (hub_changed_at);

CREATE TABLE clinic_inventory (
    "id" TEXT PRIMARY KEY NOT NULL,
    "clinic_id" TEXT NOT NULL,
    "drug_id" TEXT NOT NULL,
    "batch_id" TEXT NOT NULL,
    "quantity_available" INTEGER NOT NULL,
    "reserved_quantity" INTEGER,
    "last_counted_at" INTEGER,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "batch_number" TEXT,
    "batch_expiry_date" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX clinic_inventory_changed ON clinic_inventory (hub_changed_at);
CREATE INDEX clinic_inventory_drug_id ON clinic_inventory (drug_id);

CREATE TABLE patients (
    "id" TEXT PRIMARY KEY NOT NULL,
    "given_name" TEXT,
    "surname" TEXT,
    "date_of_birth" TEXT,
    "citizenship" TEXT,
    "hometown" TEXT,
    "phone" TEXT,
    "sex" TEXT,
    "camp" TEXT,
    "additional_data" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "photo_url" TEXT,
    "image_timestamp" INTEGER,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "government_id" TEXT,
    "external_patient_id" TEXT,
    "primary_clinic_id" TEXT,
    "last_modified_by" TEXT,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX patients_changed ON patients (hub_changed_at);
CREATE INDEX patients_primary_clinic_id ON patients (primary_clinic_id);

CREATE TABLE patient_additional_attributes (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT NOT NULL,
    "attribute_id" TEXT NOT NULL,
    "attribute" TEXT NOT NULL,
    "number_value" REAL,
    "string_value" TEXT,
    "date_value" INTEGER,
    "boolean_value" INTEGER,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX patient_additional_attributes_changed ON patient_additional_attributes (hub_changed_at);
CREATE INDEX patient_additional_attributes_patient_id ON patient_additional_attributes (patient_id);

CREATE TABLE visits (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT,
    "clinic_id" TEXT,
    "provider_id" TEXT,
    "provider_name" TEXT,
    "check_in_timestamp" INTEGER,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX visits_changed ON visits (hub_changed_at);
CREATE INDEX visits_patient_id ON visits (patient_id);

CREATE TABLE events (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT,
    "form_id" TEXT,
    "visit_id" TEXT,
    "event_type" TEXT,
    "form_data" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER,
    "deleted_at" INTEGER,
    "created_at" INTEGER,
    "updated_at" INTEGER,
    "recorded_by_user_id" TEXT,
    "last_modified" INTEGER,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX events_changed ON events (hub_changed_at);
CREATE INDEX events_patient_id ON events (patient_id);
CREATE INDEX events_visit_id ON events (visit_id);

CREATE TABLE appointments (
    "id" TEXT PRIMARY KEY NOT NULL,
    "provider_id" TEXT,
    "clinic_id" TEXT NOT NULL,
    "patient_id" TEXT NOT NULL,
    "user_id" TEXT NOT NULL,
    "current_visit_id" TEXT NOT NULL,
    "fulfilled_visit_id" TEXT,
    "timestamp" INTEGER NOT NULL,
    "duration" INTEGER,
    "reason" TEXT NOT NULL,
    "notes" TEXT NOT NULL,
    "is_walk_in" INTEGER NOT NULL,
    "departments" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX appointments_changed ON appointments (hub_changed_at);
CREATE INDEX appointments_patient_id ON appointments (patient_id);

CREATE TABLE prescriptions (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT NOT NULL,
    "provider_id" TEXT NOT NULL,
    "filled_by" TEXT,
    "pickup_clinic_id" TEXT,
    "visit_id" TEXT,
    "priority" TEXT,
    "expiration_date" INTEGER,
    "prescribed_at" INTEGER NOT NULL,
    "filled_at" INTEGER,
    "status" TEXT NOT NULL,
    "items" TEXT NOT NULL,
    "notes" TEXT NOT NULL,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX prescriptions_changed ON prescriptions (hub_changed_at);
CREATE INDEX prescriptions_patient_id ON prescriptions (patient_id);

CREATE TABLE prescription_items (
    "id" TEXT PRIMARY KEY NOT NULL,
    "prescription_id" TEXT NOT NULL,
    "patient_id" TEXT NOT NULL,
    "drug_id" TEXT NOT NULL,
    "clinic_id" TEXT NOT NULL,
    "dosage_instructions" TEXT NOT NULL,
    "quantity_prescribed" INTEGER NOT NULL,
    "quantity_dispensed" INTEGER,
    "refills_authorized" INTEGER,
    "refills_used" INTEGER,
    "item_status" TEXT,
    "notes" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX prescription_items_changed ON prescription_items (hub_changed_at);
CREATE INDEX prescription_items_prescription_id ON prescription_items (prescription_id);
CREATE INDEX prescription_items_patient_id ON prescription_items (patient_id);

CREATE TABLE patient_vitals (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT NOT NULL,
    "visit_id" TEXT,
    "timestamp" INTEGER NOT NULL,
    "systolic_bp" REAL,
    "diastolic_bp" REAL,
    "bp_position" TEXT,
    "height_cm" REAL,
    "weight_kg" REAL,
    "bmi" REAL,
    "waist_circumference_cm" REAL,
    "heart_rate" REAL,
    "pulse_rate" REAL,
    "oxygen_saturation" REAL,
    "respiratory_rate" REAL,
    "temperature_celsius" REAL,
    "pain_level" REAL,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    "event_id" TEXT,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX patient_vitals_changed ON patient_vitals (hub_changed_at);
CREATE INDEX patient_vitals_patient_id ON patient_vitals (patient_id);

CREATE TABLE patient_problems (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT NOT NULL,
    "visit_id" TEXT,
    "problem_code_system" TEXT NOT NULL,
    "problem_code" TEXT NOT NULL,
    "problem_label" TEXT NOT NULL,
    "clinical_status" TEXT NOT NULL,
    "verification_status" TEXT NOT NULL,
    "severity_score" REAL,
    "onset_date" INTEGER,
    "end_date" INTEGER,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX patient_problems_changed ON patient_problems (hub_changed_at);
CREATE INDEX patient_problems_patient_id ON patient_problems (patient_id);

CREATE TABLE dispensing_records (
    "id" TEXT PRIMARY KEY NOT NULL,
    "clinic_id" TEXT NOT NULL,
    "drug_id" TEXT NOT NULL,
    "batch_id" TEXT,
    "prescription_item_id" TEXT,
    "patient_id" TEXT NOT NULL,
    "quantity_dispensed" INTEGER NOT NULL,
    "dosage_instructions" TEXT,
    "days_supply" INTEGER,
    "dispensed_by" TEXT NOT NULL,
    "dispensed_at" INTEGER NOT NULL,
    "recorded_by_user_id" TEXT,
    "metadata" TEXT NOT NULL,
    "is_deleted" INTEGER NOT NULL,
    "deleted_at" INTEGER,
    "last_modified" INTEGER NOT NULL,
    "server_created_at" INTEGER,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    hub_created_at INTEGER NOT NULL,
    hub_changed_at INTEGER NOT NULL,
    hub_deleted_at INTEGER,
    hub_created_by INTEGER NOT NULL,
    hub_origin INTEGER NOT NULL
) STRICT;
CREATE INDEX dispensing_records_changed ON dispensing_records (hub_changed_at);
CREATE INDEX dispensing_records_patient_id ON dispensing_records (patient_id);

-- The hub's own. Times are epoch milliseconds of the hub clock; `device` and `hub_origin` are device numbers.
CREATE UNIQUE INDEX users_email ON users (email COLLATE NOCASE, id);
CREATE TABLE hub_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_change INTEGER NOT NULL,
    cloud_applied_at INTEGER NOT NULL
) STRICT;
CREATE TABLE devices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL UNIQUE,
    name TEXT,
    paired_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    revoked_at INTEGER,
    given_at INTEGER NOT NULL DEFAULT 0,
    given_scope TEXT NOT NULL DEFAULT '',
    before_at INTEGER NOT NULL DEFAULT 0,
    before_scope TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE tokens (
    jti TEXT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL,
    device INTEGER NOT NULL REFERENCES devices (number) ON DELETE CASCADE,
    password_digest BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;
CREATE TABLE history (
    seq INTEGER PRIMARY KEY,
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    device INTEGER NOT NULL,
    user_id TEXT,
    cells TEXT NOT NULL
) STRICT;
CREATE INDEX history_row ON history (table_name, row_id, changed_at);
CREATE TABLE clinic_moves (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    from_clinic TEXT NOT NULL,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (moved_at, table_name, row_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
    id BLOB PRIMARY KEY NOT NULL,
    taken_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX messages_taken ON messages (taken_at);
CREATE TABLE held_rows (
    id TEXT PRIMARY KEY NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('phone', 'cloud')),
    table_name TEXT NOT NULL,
    row_id TEXT,
    list TEXT NOT NULL,
    row TEXT NOT NULL,
    reason TEXT NOT NULL,
    base INTEGER NOT NULL,
    device INTEGER NOT NULL,
    user_id TEXT,
    held_at INTEGER NOT NULL
) STRICT;
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    user_id TEXT,
    role TEXT,
    device INTEGER NOT NULL,
    address TEXT,
    correlation TEXT,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    outcome TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
