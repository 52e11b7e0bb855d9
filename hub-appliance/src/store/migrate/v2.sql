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
CREATE INDEX resends_given ON resends (device, given_at);

-- When the edit was made that replaced a value, or lost: by the clock of whoever made it. What an older firmware wrote
-- has none; there the row's `updated_at` of that time tells.
ALTER TABLE history ADD COLUMN edited_at INTEGER;

-- Stock follows the dispensing records: what each has taken, and what a stock that shows 0 owes.
CREATE TABLE stock_taken (
    record_id TEXT PRIMARY KEY NOT NULL,
    inventory_id TEXT NOT NULL,
    quantity INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE stock_owed (
    inventory_id TEXT PRIMARY KEY NOT NULL,
    owed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dispensing_records_prescription_item_id ON dispensing_records (prescription_item_id)
    WHERE prescription_item_id IS NOT NULL;
INSERT INTO stock_taken (record_id, inventory_id, quantity)
    SELECT record.id, min(stock.id), max(record.quantity_dispensed, 0)
    FROM dispensing_records AS record
    JOIN clinic_inventory AS stock ON stock.drug_id = record.drug_id AND stock.clinic_id = record.clinic_id
        AND stock.batch_id = record.batch_id AND stock.hub_deleted_at IS NULL
    WHERE record.hub_deleted_at IS NULL
    GROUP BY record.id;

-- Rows that were merged into another one, which is the same: two rows of one attribute of a patient.
CREATE TABLE merged_rows (
    row_id TEXT PRIMARY KEY NOT NULL,
    into_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The latest `timestamp` of a bundle or an answer of the cloud that was applied, by the cloud's clock.
ALTER TABLE hub_state RENAME COLUMN cloud_applied_at TO cloud_timestamp;
UPDATE hub_state SET cloud_timestamp = 0;

-- Two live rows of one attribute of a patient become one: the first that came, with the values of the latest edit.
CREATE TEMP TABLE doubles AS
    SELECT id, into_id, latest_id, (SELECT last_change + 1 FROM hub_state) AS at FROM (
        SELECT id,
            first_value(id) OVER (PARTITION BY patient_id, attribute_id ORDER BY hub_created_at, id) AS into_id,
            first_value(id) OVER (PARTITION BY patient_id, attribute_id ORDER BY updated_at DESC, hub_changed_at DESC, id)
                AS latest_id,
            count(*) OVER (PARTITION BY patient_id, attribute_id) AS alike
        FROM patient_additional_attributes
        WHERE hub_deleted_at IS NULL AND patient_id <> '' AND attribute_id <> ''
    ) WHERE alike > 1;
INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, edited_at, cells)
    SELECT 'patient_additional_attributes', first.id, doubles.at, 'merge', 0, NULL, latest.updated_at,
        json_object('attribute', first.attribute, 'number_value', first.number_value, 'string_value', first.string_value,
            'date_value', first.date_value, 'boolean_value', first.boolean_value, 'metadata', first.metadata,
            'updated_at', first.updated_at)
    FROM doubles
    JOIN patient_additional_attributes AS first ON first.id = doubles.into_id
    JOIN patient_additional_attributes AS latest ON latest.id = doubles.latest_id
    WHERE doubles.id = doubles.into_id AND doubles.latest_id <> doubles.into_id;
INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, edited_at, cells)
    SELECT 'patient_additional_attributes', other.id, doubles.at, 'delete', 0, NULL, doubles.at,
        json_object('is_deleted', other.is_deleted, 'deleted_at', other.deleted_at)
    FROM doubles JOIN patient_additional_attributes AS other ON other.id = doubles.id
    WHERE doubles.id <> doubles.into_id;
UPDATE patient_additional_attributes AS first
    SET (attribute, number_value, string_value, date_value, boolean_value, metadata, updated_at, hub_changed_at, hub_origin) = (
        SELECT latest.attribute, latest.number_value, latest.string_value, latest.date_value, latest.boolean_value,
            latest.metadata, latest.updated_at, doubles.at, 0
        FROM doubles JOIN patient_additional_attributes AS latest ON latest.id = doubles.latest_id
        WHERE doubles.id = first.id
    )
    WHERE id IN (SELECT id FROM doubles WHERE id = into_id);
UPDATE patient_additional_attributes AS other
    SET is_deleted = 1, deleted_at = coalesce(nullif(deleted_at, 0), doubles.at), hub_deleted_at = doubles.at,
        hub_changed_at = doubles.at, hub_origin = 0
    FROM doubles WHERE doubles.id = other.id AND doubles.id <> doubles.into_id;
INSERT INTO merged_rows (row_id, into_id) SELECT id, into_id FROM doubles WHERE id <> into_id;
UPDATE hub_state SET last_change = last_change + 1 WHERE EXISTS (SELECT 1 FROM doubles);
DROP TABLE doubles;

-- For how long the box has run with this store, ms, and when in that time a token was used last: a step of the clock is
-- no time that passed. Tokens from before count as used just now.
ALTER TABLE hub_state ADD COLUMN run_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tokens RENAME COLUMN last_used_at TO used_at_run;
UPDATE tokens SET used_at_run = 0;

-- Finding patients (store/search): made when the store is opened, and whenever its version is another one.
CREATE VIRTUAL TABLE patient_words USING fts5(
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
CREATE TABLE patient_words_version (version INTEGER NOT NULL) STRICT;
INSERT INTO patient_words_version (version) VALUES (0);

-- What the app's single calls look for.
CREATE INDEX patients_recent ON patients (updated_at DESC, id) WHERE hub_deleted_at IS NULL;
CREATE INDEX patients_government_id ON patients (government_id) WHERE hub_deleted_at IS NULL;
CREATE INDEX appointments_timestamp ON appointments (timestamp);
CREATE INDEX prescriptions_prescribed_at ON prescriptions (prescribed_at);
CREATE INDEX clinic_inventory_clinic_id ON clinic_inventory (clinic_id, drug_id);
CREATE TABLE recent_creates (
    digest BLOB PRIMARY KEY NOT NULL,
    row_id TEXT NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX recent_creates_made ON recent_creates (made_at);

-- Held rows: found by what was sent (a push is repeated until it is answered), by what they wait for, and by device.
ALTER TABLE held_rows ADD COLUMN digest BLOB;
ALTER TABLE held_rows ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held_rows ADD COLUMN waits TEXT CHECK (waits IN ('right', 'parent', 'table'));
ALTER TABLE held_rows ADD COLUMN parent_table TEXT;
ALTER TABLE held_rows ADD COLUMN parent_id TEXT;
UPDATE held_rows SET bytes = length(CAST(row AS BLOB)), waits = CASE reason WHEN 'not permitted' THEN 'right' END;
CREATE UNIQUE INDEX held_rows_digest ON held_rows (device, digest) WHERE digest IS NOT NULL;
CREATE INDEX held_rows_row ON held_rows (table_name, row_id);
CREATE INDEX held_rows_device ON held_rows (device, bytes);
CREATE INDEX held_rows_time ON held_rows (held_at, id);
CREATE INDEX held_rows_parent ON held_rows (parent_table, parent_id) WHERE waits = 'parent';
CREATE INDEX held_rows_user ON held_rows (user_id) WHERE waits = 'right';
CREATE INDEX held_rows_table ON held_rows (table_name) WHERE waits = 'table';
-- What each device has written today, in bytes, and when a push of it was last refused for that or for what is held.
CREATE TABLE device_writes (
    device INTEGER PRIMARY KEY,
    day INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    refused_at INTEGER
) STRICT;

-- Columns of newer apps: name and JSON value, beside their row.
CREATE TABLE newer_columns (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    changed_at INTEGER NOT NULL,
    edited_at INTEGER NOT NULL,
    device INTEGER NOT NULL,
    PRIMARY KEY (table_name, row_id, name)
) STRICT, WITHOUT ROWID;

-- Who sent a row that names somebody else as the one who wrote it.
CREATE TABLE hub_authors (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    hub_author TEXT NOT NULL,
    PRIMARY KEY (table_name, row_id)
) STRICT, WITHOUT ROWID;
