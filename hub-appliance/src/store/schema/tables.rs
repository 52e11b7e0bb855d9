//! The definition of the 20 tables: the only list of columns in the hub.
//!
//! Source: the protocol's `tables.json`, which a test compares with this file. The order is that in which rows must be
//! applied: what others refer to comes first.

use super::CloudType::{
    Boolean, Date, Float8, Int2, Integer, Jsonb, Numeric, ProfileValueType, Text, TextArray, Timestamptz, Uuid, Varchar,
};
use super::{Table, Travel, boolean, decimal, epoch_ms, integer, json, json_list, real, text};

/// Every table that travels between phone, hub and cloud.
pub static TABLES: [Table; 20] = [
    Table {
        name: "clinics",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("name", Text).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            boolean("is_archived", Boolean).required().on_phone(),
            json_list("attributes", TextArray).required(),
            json("metadata", Jsonb).required(),
            text("address", Text).on_phone().since(10),
            text("country", Text).on_phone().since(10),
            text("city", Text).on_phone().since(10),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "users",
        phone: Travel::Never,
        cloud: Travel::PullOnly,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("clinic_id", Uuid).on_phone().cloud_ref("clinics"),
            text("name", Text).required().on_phone().cloud_required(),
            text("role", Text).required().on_phone().cloud_required(),
            text("email", Text).required().on_phone().cloud_required(),
            text("hashed_password", Text).required().cloud_required(),
            text("instance_url", Text),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "user_clinic_permissions",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("user_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("users"),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            boolean("can_register_patients", Boolean).on_phone(),
            boolean("can_view_history", Boolean).on_phone(),
            boolean("can_edit_records", Boolean).on_phone(),
            boolean("can_delete_records", Boolean).on_phone(),
            boolean("is_clinic_admin", Boolean).on_phone(),
            text("created_by", Uuid).on_phone().cloud_ref("users"),
            text("last_modified_by", Uuid).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            boolean("can_edit_other_provider_event", Boolean).on_phone(),
            boolean("can_download_patient_reports", Boolean).on_phone(),
            boolean("can_prescribe_medications", Boolean).on_phone(),
            boolean("can_dispense_medications", Boolean).on_phone(),
            boolean("can_delete_patient_visits", Boolean).on_phone(),
            boolean("can_delete_patient_records", Boolean).on_phone(),
        ],
    },
    Table {
        name: "clinic_departments",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("name", Text).required().on_phone().cloud_required(),
            text("code", Text).on_phone(),
            text("description", Text).on_phone(),
            text("status", Text).on_phone(),
            boolean("can_dispense_medications", Boolean).required().on_phone(),
            boolean("can_perform_labs", Boolean).required().on_phone(),
            boolean("can_perform_imaging", Boolean).required().on_phone(),
            json_list("additional_capabilities", Jsonb).on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).on_phone(),
            epoch_ms("server_created_at", Timestamptz).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "app_config",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("namespace", Varchar(128)).required().on_phone().cloud_required(),
            text("key", Varchar(128)).required().on_phone().cloud_required(),
            text("value", Text).on_phone(),
            text("data_type", Varchar(32)).required().on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).on_phone(),
            text("last_modified_by", Uuid).on_phone().cloud_ref("users"),
            text("display_name", Varchar(255)).on_phone(),
            json_list("clinic_ids", Jsonb).on_phone().since(11),
        ],
    },
    Table {
        name: "registration_forms",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("clinic_id", Uuid).cloud_ref("clinics"),
            text("name", Text).required().on_phone(),
            json_list("fields", Jsonb).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "event_forms",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("name", Text).on_phone(),
            text("description", Text).on_phone(),
            text("language", Text).required().on_phone(),
            boolean("is_editable", Boolean).on_phone(),
            boolean("is_snapshot_form", Boolean).on_phone(),
            json_list("form_fields", Jsonb).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            json_list("clinic_ids", Jsonb).on_phone(),
            json_list("translations", Jsonb).on_phone(),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "drug_catalogue",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("barcode", Varchar(50)).on_phone(),
            text("generic_name", Varchar(255))
                .required()
                .on_phone()
                .cloud_required(),
            text("brand_name", Varchar(255)).on_phone(),
            text("form", Varchar(100)).required().on_phone().cloud_required(),
            text("route", Varchar(100)).required().on_phone().cloud_required(),
            decimal("dosage_quantity", Numeric(10, 4))
                .required()
                .on_phone()
                .cloud_required(),
            text("dosage_units", Varchar(20)).required().on_phone().cloud_required(),
            text("manufacturer", Varchar(255)).on_phone(),
            decimal("sale_price", Numeric(10, 2)).required().on_phone(),
            text("sale_currency", Varchar(3)).on_phone(),
            integer("min_stock_level", Integer).on_phone(),
            integer("max_stock_level", Integer).on_phone(),
            boolean("is_controlled", Boolean).on_phone(),
            boolean("requires_refrigeration", Boolean).on_phone(),
            boolean("is_active", Boolean).on_phone(),
            text("notes", Text).on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
        ],
    },
    Table {
        name: "clinic_inventory",
        phone: Travel::PullOnly,
        cloud: Travel::PullOnly,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("drug_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("drug_catalogue"),
            text("batch_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("drug_batches"),
            integer("quantity_available", Integer)
                .required()
                .on_phone()
                .cloud_required(),
            integer("reserved_quantity", Integer).on_phone(),
            epoch_ms("last_counted_at", Timestamptz).on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            text("batch_number", Varchar(100)).on_phone(),
            epoch_ms("batch_expiry_date", Date).on_phone(),
        ],
    },
    Table {
        name: "patients",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("primary_clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("given_name", Text).on_phone(),
            text("surname", Text).on_phone(),
            text("date_of_birth", Date).on_phone(),
            text("citizenship", Text).on_phone(),
            text("hometown", Text).on_phone(),
            text("phone", Text).on_phone(),
            text("sex", Varchar(24)).on_phone(),
            text("camp", Varchar(50)).on_phone(),
            json("additional_data", Jsonb).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            text("photo_url", Text).on_phone(),
            epoch_ms("image_timestamp", Timestamptz),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            text("government_id", Varchar(100)).on_phone(),
            text("external_patient_id", Varchar(100)).on_phone(),
            text("primary_clinic_id", Uuid).on_phone().cloud_ref("clinics"),
            text("last_modified_by", Uuid).on_phone().cloud_ref("users"),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "patient_additional_attributes",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid).required().on_phone().cloud_required(),
            text("attribute_id", Text).required().on_phone().cloud_required(),
            text("attribute", Text).required().on_phone(),
            real("number_value", Float8).on_phone(),
            text("string_value", Text).on_phone(),
            epoch_ms("date_value", Timestamptz).on_phone(),
            boolean("boolean_value", Boolean).on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            text("unique_reference", Text),
        ],
    },
    Table {
        name: "visits",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid).on_phone().cloud_ref("patients"),
            text("clinic_id", Uuid).on_phone().cloud_ref("clinics"),
            text("provider_id", Uuid).on_phone().cloud_ref("users"),
            text("provider_name", Text).on_phone(),
            epoch_ms("check_in_timestamp", Timestamptz).on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "events",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid).on_phone().cloud_ref("patients"),
            text("form_id", Uuid).on_phone().cloud_ref("event_forms"),
            text("visit_id", Uuid).on_phone().cloud_ref("visits"),
            text("event_type", Text).on_phone(),
            json_list("form_data", Jsonb).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).on_phone(),
            epoch_ms("updated_at", Timestamptz).on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            epoch_ms("last_modified", Timestamptz),
            epoch_ms("server_created_at", Timestamptz),
        ],
    },
    Table {
        name: "appointments",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("provider_id", Uuid).on_phone().cloud_ref("users"),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            text("user_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("users"),
            text("current_visit_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("visits"),
            text("fulfilled_visit_id", Uuid).on_phone().cloud_ref("visits"),
            epoch_ms("timestamp", Timestamptz)
                .required()
                .on_phone()
                .cloud_required(),
            integer("duration", Int2).on_phone(),
            text("reason", Text).required().on_phone(),
            text("notes", Text).required().on_phone(),
            boolean("is_walk_in", Boolean).required().on_phone(),
            json_list("departments", Jsonb).required().on_phone(),
            text("status", Text).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required(),
            epoch_ms("server_created_at", Timestamptz).required(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "prescriptions",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("pickup_clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            text("provider_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("users"),
            text("filled_by", Uuid).on_phone().cloud_ref("users"),
            text("pickup_clinic_id", Uuid)
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("visit_id", Uuid).on_phone().cloud_ref("visits"),
            text("priority", Text).on_phone(),
            epoch_ms("expiration_date", Timestamptz).on_phone(),
            epoch_ms("prescribed_at", Timestamptz).required().on_phone(),
            epoch_ms("filled_at", Timestamptz).on_phone(),
            text("status", Text).required().on_phone(),
            json_list("items", Jsonb).required().on_phone(),
            text("notes", Text).required().on_phone(),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required(),
            epoch_ms("server_created_at", Timestamptz).required(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "prescription_items",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("prescription_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("prescriptions"),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            text("drug_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("drug_catalogue"),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("dosage_instructions", Text).required().on_phone().cloud_required(),
            integer("quantity_prescribed", Integer)
                .required()
                .on_phone()
                .cloud_required(),
            integer("quantity_dispensed", Integer).on_phone(),
            integer("refills_authorized", Integer).on_phone(),
            integer("refills_used", Integer).on_phone(),
            text("item_status", Varchar(50)).on_phone(),
            text("notes", Text).on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "patient_vitals",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            text("visit_id", Uuid).on_phone().cloud_ref("visits"),
            epoch_ms("timestamp", Timestamptz)
                .required()
                .on_phone()
                .cloud_required(),
            real("systolic_bp", Integer).on_phone(),
            real("diastolic_bp", Integer).on_phone(),
            text("bp_position", Varchar(50)).on_phone(),
            real("height_cm", Numeric(5, 2)).on_phone(),
            real("weight_kg", Numeric(5, 2)).on_phone(),
            real("bmi", Numeric(4, 2)).on_phone(),
            real("waist_circumference_cm", Numeric(5, 2)).on_phone(),
            real("heart_rate", Integer).on_phone(),
            real("pulse_rate", Integer).on_phone(),
            real("oxygen_saturation", Numeric(5, 2)).on_phone(),
            real("respiratory_rate", Integer).on_phone(),
            real("temperature_celsius", Numeric(4, 2)).on_phone(),
            real("pain_level", Integer).on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required(),
            epoch_ms("server_created_at", Timestamptz).required(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            text("event_id", Uuid).on_phone().cloud_ref("events"),
        ],
    },
    Table {
        name: "patient_problems",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: None,
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            text("visit_id", Uuid).on_phone().cloud_ref("visits"),
            text("problem_code_system", Varchar(50))
                .required()
                .on_phone()
                .cloud_required(),
            text("problem_code", Varchar(100))
                .required()
                .on_phone()
                .cloud_required(),
            text("problem_label", Varchar(255))
                .required()
                .on_phone()
                .cloud_required(),
            text("clinical_status", Varchar(50))
                .required()
                .on_phone()
                .cloud_required(),
            text("verification_status", Varchar(50))
                .required()
                .on_phone()
                .cloud_required(),
            real("severity_score", Integer).on_phone(),
            epoch_ms("onset_date", Date).on_phone(),
            epoch_ms("end_date", Date).on_phone(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "patient_risk_profiles",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("clinic_id"),
        since: Some(12),
        columns: &[
            text("id", Uuid).required().on_phone().cloud_required(),
            text("patient_id", Uuid).required().on_phone().cloud_required(),
            text("clinic_id", Uuid).on_phone().cloud_ref("clinics"),
            text("kind", Text).required().on_phone().cloud_required(),
            text("source", Text).required().on_phone().cloud_required(),
            text("target", Text).on_phone(),
            text("version", Text).required().on_phone().cloud_required(),
            text("value_type", ProfileValueType)
                .required()
                .on_phone()
                .cloud_required(),
            text("string_value", Text).on_phone(),
            boolean("boolean_value", Boolean).on_phone(),
            decimal("numerical_value", Numeric(31, 10)).on_phone(),
            epoch_ms("datetime_value", Timestamptz).on_phone(),
            json("json_value", Jsonb).on_phone(),
            json("metadata", Jsonb).on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
        ],
    },
    Table {
        name: "dispensing_records",
        phone: Travel::Both,
        cloud: Travel::Both,
        clinic_column: Some("clinic_id"),
        since: None,
        columns: &[
            text("id", Uuid).required().on_phone(),
            text("clinic_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("clinics"),
            text("drug_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("drug_catalogue"),
            text("batch_id", Uuid).on_phone().cloud_ref("drug_batches"),
            text("prescription_item_id", Uuid)
                .on_phone()
                .cloud_ref("prescription_items"),
            text("patient_id", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("patients"),
            integer("quantity_dispensed", Integer)
                .required()
                .on_phone()
                .cloud_required(),
            text("dosage_instructions", Text).on_phone(),
            integer("days_supply", Integer).on_phone(),
            text("dispensed_by", Uuid)
                .required()
                .on_phone()
                .cloud_required()
                .cloud_ref("users"),
            epoch_ms("dispensed_at", Timestamptz)
                .required()
                .on_phone()
                .cloud_required(),
            text("recorded_by_user_id", Uuid).on_phone().cloud_ref("users"),
            json("metadata", Jsonb).required().on_phone(),
            boolean("is_deleted", Boolean).required().on_phone(),
            epoch_ms("deleted_at", Timestamptz).on_phone(),
            epoch_ms("last_modified", Timestamptz).required().on_phone(),
            epoch_ms("server_created_at", Timestamptz).on_phone(),
            epoch_ms("created_at", Timestamptz).required().on_phone(),
            epoch_ms("updated_at", Timestamptz).required().on_phone(),
        ],
    },
];
