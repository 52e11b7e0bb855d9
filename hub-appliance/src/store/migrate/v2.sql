-- Schema version 2: the columns and the table that phones have since their schema 12.

ALTER TABLE clinics ADD COLUMN "country" TEXT;
ALTER TABLE clinics ADD COLUMN "city" TEXT;
ALTER TABLE patient_additional_attributes ADD COLUMN "unique_reference" TEXT;
ALTER TABLE app_config ADD COLUMN "clinic_ids" TEXT;

CREATE TABLE patient_risk_profiles (
    "id" TEXT PRIMARY KEY NOT NULL,
    "patient_id" TEXT NOT NULL,
    "clinic_id" TEXT,
    "kind" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "target" TEXT,
    "version" TEXT NOT NULL,
    "value_type" TEXT NOT NULL,
    "string_value" TEXT,
    "boolean_value" INTEGER,
    "numerical_value" TEXT,
    "datetime_value" INTEGER,
    "json_value" TEXT,
    "metadata" TEXT,
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
CREATE INDEX patient_risk_profiles_changed ON patient_risk_profiles (hub_changed_at);
CREATE INDEX patient_risk_profiles_patient_id ON patient_risk_profiles (patient_id);

-- Which generation of the app a device runs: 15, 17, or 0 while that is unknown.
ALTER TABLE devices ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- Rows that one device has to get again; `given_at` is the timestamp of the answer that they last went with.
CREATE TABLE resends (
    device INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    given_at INTEGER,
    PRIMARY KEY (device, table_name, row_id)
) STRICT, WITHOUT ROWID;
