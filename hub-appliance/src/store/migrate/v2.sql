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

-- Where patients are in sight, and were: the clinics of their own and those where they have something live. A stay that
-- has not ended has no `left_at`. Triggers keep it, so that it holds whoever writes.
CREATE TABLE sites (
    patient_id TEXT NOT NULL,
    clinic_id TEXT NOT NULL,
    entered_at INTEGER NOT NULL,
    left_at INTEGER,
    PRIMARY KEY (patient_id, clinic_id, entered_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX sites_entered ON sites (clinic_id, entered_at);
CREATE VIEW patient_ties (patient_id, clinic_id) AS
    SELECT id, primary_clinic_id FROM patients
    UNION ALL SELECT patient_id, clinic_id FROM visits WHERE hub_deleted_at IS NULL
    UNION ALL SELECT patient_id, clinic_id FROM appointments WHERE hub_deleted_at IS NULL
    UNION ALL SELECT patient_id, pickup_clinic_id FROM prescriptions WHERE hub_deleted_at IS NULL
    UNION ALL SELECT problem.patient_id, visit.clinic_id
        FROM patient_problems AS problem JOIN visits AS visit ON visit.id = problem.visit_id
        WHERE problem.hub_deleted_at IS NULL AND visit.hub_deleted_at IS NULL;

-- What a row was tied to before it moved: to another clinic, or to another patient.
CREATE TABLE moves (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    moved_at INTEGER NOT NULL,
    clinic_id TEXT,
    patient_id TEXT,
    PRIMARY KEY (table_name, row_id, moved_at)
) STRICT, WITHOUT ROWID;

-- Every answer that a device was given and that said anything: its timestamp, the places that it had as of then, what it
-- answered, whether it began anew for another database, and whether it seems not to have arrived.
CREATE TABLE answer_places (
    id INTEGER PRIMARY KEY,
    places TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE answers (
    device INTEGER NOT NULL,
    at INTEGER NOT NULL,
    places INTEGER NOT NULL REFERENCES answer_places (id),
    asked INTEGER NOT NULL DEFAULT 0,
    another INTEGER NOT NULL DEFAULT 1,
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (device, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_asked ON answers (device, asked);
ALTER TABLE devices ADD COLUMN asked INTEGER;
ALTER TABLE devices ADD COLUMN doubtful INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN alone_since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE devices ADD COLUMN known_since INTEGER NOT NULL DEFAULT 0;
UPDATE devices SET asked = before_at, known_since = before_at WHERE given_at > 0;
INSERT INTO answer_places (places)
    SELECT given_scope FROM devices WHERE given_at > 0 UNION SELECT before_scope FROM devices WHERE before_at > 0;
INSERT OR IGNORE INTO answers (device, at, places)
    SELECT number, given_at, id FROM devices JOIN answer_places ON places = given_scope WHERE given_at > 0;
INSERT OR IGNORE INTO answers (device, at, places)
    SELECT number, before_at, id FROM devices JOIN answer_places ON places = before_scope WHERE before_at > 0;

-- What phones get now and did not get from schema 1 is news as of a moment that none of them has pulled yet.
UPDATE hub_state SET last_change = last_change + 1;
INSERT INTO sites SELECT id, primary_clinic_id, 0, NULL FROM patients WHERE primary_clinic_id <> '';
UPDATE sites SET entered_at = moved.at
    FROM (SELECT row_id, max(moved_at) AS at FROM clinic_moves WHERE table_name = 'patients' GROUP BY row_id) AS moved
    WHERE patient_id = moved.row_id;
INSERT INTO sites SELECT row_id, from_clinic, 0, max(moved_at) FROM clinic_moves
    WHERE table_name = 'patients' GROUP BY row_id, from_clinic;
INSERT INTO sites SELECT DISTINCT patient_id, clinic_id, last_change, NULL FROM patient_ties AS tie JOIN hub_state
    WHERE patient_id <> '' AND clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites
        WHERE sites.patient_id = tie.patient_id AND sites.clinic_id = tie.clinic_id AND left_at IS NULL);
INSERT INTO moves SELECT table_name, row_id, moved_at, from_clinic, NULL FROM clinic_moves WHERE table_name <> 'patients';
DROP TABLE clinic_moves;
INSERT INTO moves SELECT 'visits', visits.id, last_change, clinic_id, NULL FROM visits JOIN hub_state
    WHERE hub_deleted_at IS NULL AND clinic_id <> '' AND EXISTS (SELECT 1 FROM patients
        WHERE patients.id = patient_id AND primary_clinic_id IS NOT clinic_id);
UPDATE visits SET hub_changed_at = last_change, hub_origin = 0 FROM hub_state, moves
    WHERE table_name = 'visits' AND row_id = visits.id AND moved_at = last_change;
INSERT INTO moves SELECT 'appointments', appointments.id, last_change, clinic_id, NULL FROM appointments JOIN hub_state
    WHERE hub_deleted_at IS NULL AND clinic_id <> '' AND EXISTS (SELECT 1 FROM patients
        WHERE patients.id = patient_id AND primary_clinic_id IS NOT clinic_id);
UPDATE appointments SET hub_changed_at = last_change, hub_origin = 0 FROM hub_state, moves
    WHERE table_name = 'appointments' AND row_id = appointments.id AND moved_at = last_change;
INSERT INTO moves SELECT 'prescriptions', prescriptions.id, last_change, pickup_clinic_id, NULL FROM prescriptions JOIN hub_state
    WHERE hub_deleted_at IS NULL AND pickup_clinic_id <> '' AND EXISTS (SELECT 1 FROM patients
        WHERE patients.id = patient_id AND primary_clinic_id IS NOT pickup_clinic_id);
UPDATE prescriptions SET hub_changed_at = last_change, hub_origin = 0 FROM hub_state, moves
    WHERE table_name = 'prescriptions' AND row_id = prescriptions.id AND moved_at = last_change;
INSERT INTO moves SELECT 'prescription_items', prescription_items.id, last_change, clinic_id, NULL FROM prescription_items JOIN hub_state
    WHERE hub_deleted_at IS NULL AND clinic_id <> '' AND EXISTS (SELECT 1 FROM patients
        WHERE patients.id = patient_id AND primary_clinic_id IS NOT clinic_id);
UPDATE prescription_items SET hub_changed_at = last_change, hub_origin = 0 FROM hub_state, moves
    WHERE table_name = 'prescription_items' AND row_id = prescription_items.id AND moved_at = last_change;
INSERT INTO moves SELECT 'dispensing_records', dispensing_records.id, last_change, clinic_id, NULL FROM dispensing_records JOIN hub_state
    WHERE hub_deleted_at IS NULL AND clinic_id <> '' AND EXISTS (SELECT 1 FROM patients
        WHERE patients.id = patient_id AND primary_clinic_id IS NOT clinic_id);
UPDATE dispensing_records SET hub_changed_at = last_change, hub_origin = 0 FROM hub_state, moves
    WHERE table_name = 'dispensing_records' AND row_id = dispensing_records.id AND moved_at = last_change;
UPDATE registration_forms SET hub_created_at = last_change, hub_changed_at = last_change, hub_origin = 0 FROM hub_state
    WHERE hub_deleted_at IS NULL;
UPDATE clinic_departments SET hub_created_at = last_change, hub_changed_at = last_change, hub_origin = 0 FROM hub_state
    WHERE hub_deleted_at IS NULL;

-- From here on the triggers keep both.
CREATE TRIGGER patients_come AFTER INSERT ON patients BEGIN
    INSERT INTO sites SELECT NEW.id, NEW.primary_clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.id <> '' AND NEW.primary_clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.id AND known.clinic_id = NEW.primary_clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER patients_go AFTER UPDATE OF primary_clinic_id ON patients WHEN OLD.primary_clinic_id IS NOT NEW.primary_clinic_id BEGIN
    UPDATE sites SET left_at = NEW.hub_changed_at
        WHERE patient_id = OLD.id AND clinic_id = OLD.primary_clinic_id AND left_at IS NULL AND NOT EXISTS (SELECT 1
            FROM patient_ties AS tie WHERE tie.patient_id = OLD.id AND tie.clinic_id = OLD.primary_clinic_id);
    INSERT INTO sites SELECT NEW.id, NEW.primary_clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.id <> '' AND NEW.primary_clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.id AND known.clinic_id = NEW.primary_clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER visits_come AFTER INSERT ON visits BEGIN
    INSERT INTO sites SELECT NEW.patient_id, NEW.clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER visits_go AFTER UPDATE OF patient_id, clinic_id, hub_deleted_at ON visits WHEN OLD.patient_id IS NOT NEW.patient_id OR OLD.clinic_id IS NOT NEW.clinic_id OR OLD.hub_deleted_at IS NOT NEW.hub_deleted_at BEGIN
    UPDATE sites SET left_at = NEW.hub_changed_at
        WHERE patient_id = OLD.patient_id AND clinic_id = OLD.clinic_id AND left_at IS NULL AND NOT EXISTS (SELECT 1
            FROM patient_ties AS tie WHERE tie.patient_id = OLD.patient_id AND tie.clinic_id = OLD.clinic_id);
    INSERT INTO sites SELECT NEW.patient_id, NEW.clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER appointments_come AFTER INSERT ON appointments BEGIN
    INSERT INTO sites SELECT NEW.patient_id, NEW.clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER appointments_go AFTER UPDATE OF patient_id, clinic_id, hub_deleted_at ON appointments WHEN OLD.patient_id IS NOT NEW.patient_id OR OLD.clinic_id IS NOT NEW.clinic_id OR OLD.hub_deleted_at IS NOT NEW.hub_deleted_at BEGIN
    UPDATE sites SET left_at = NEW.hub_changed_at
        WHERE patient_id = OLD.patient_id AND clinic_id = OLD.clinic_id AND left_at IS NULL AND NOT EXISTS (SELECT 1
            FROM patient_ties AS tie WHERE tie.patient_id = OLD.patient_id AND tie.clinic_id = OLD.clinic_id);
    INSERT INTO sites SELECT NEW.patient_id, NEW.clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER prescriptions_come AFTER INSERT ON prescriptions BEGIN
    INSERT INTO sites SELECT NEW.patient_id, NEW.pickup_clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.pickup_clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.pickup_clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER prescriptions_go AFTER UPDATE OF patient_id, pickup_clinic_id, hub_deleted_at ON prescriptions WHEN OLD.patient_id IS NOT NEW.patient_id OR OLD.pickup_clinic_id IS NOT NEW.pickup_clinic_id OR OLD.hub_deleted_at IS NOT NEW.hub_deleted_at BEGIN
    UPDATE sites SET left_at = NEW.hub_changed_at
        WHERE patient_id = OLD.patient_id AND clinic_id = OLD.pickup_clinic_id AND left_at IS NULL AND NOT EXISTS (SELECT 1
            FROM patient_ties AS tie WHERE tie.patient_id = OLD.patient_id AND tie.clinic_id = OLD.pickup_clinic_id);
    INSERT INTO sites SELECT NEW.patient_id, NEW.pickup_clinic_id, NEW.hub_changed_at, NULL
        WHERE NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND NEW.pickup_clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = NEW.pickup_clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER patient_problems_come AFTER INSERT ON patient_problems BEGIN
    INSERT INTO sites SELECT NEW.patient_id, visit.clinic_id, NEW.hub_changed_at, NULL FROM visits AS visit
        WHERE visit.id = NEW.visit_id AND visit.hub_deleted_at IS NULL AND NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND visit.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = visit.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER patient_problems_go AFTER UPDATE OF patient_id, visit_id, hub_deleted_at ON patient_problems WHEN OLD.patient_id IS NOT NEW.patient_id OR OLD.visit_id IS NOT NEW.visit_id OR OLD.hub_deleted_at IS NOT NEW.hub_deleted_at BEGIN
    UPDATE sites SET left_at = NEW.hub_changed_at
        WHERE patient_id = OLD.patient_id AND clinic_id = (SELECT clinic_id FROM visits WHERE id = OLD.visit_id)
            AND left_at IS NULL AND NOT EXISTS (SELECT 1 FROM patient_ties AS tie
            WHERE tie.patient_id = sites.patient_id AND tie.clinic_id = sites.clinic_id);
    INSERT INTO sites SELECT NEW.patient_id, visit.clinic_id, NEW.hub_changed_at, NULL FROM visits AS visit
        WHERE visit.id = NEW.visit_id AND visit.hub_deleted_at IS NULL AND NEW.hub_deleted_at IS NULL AND NEW.patient_id <> '' AND visit.clinic_id <> '' AND NOT EXISTS (SELECT 1 FROM sites AS known
            WHERE known.patient_id = NEW.patient_id AND known.clinic_id = visit.clinic_id AND known.left_at IS NULL)
        ON CONFLICT DO UPDATE SET left_at = NULL;
END;
CREATE TRIGGER visits_move AFTER UPDATE OF clinic_id, patient_id ON visits WHEN OLD.clinic_id IS NOT NEW.clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'visits', OLD.id, NEW.hub_changed_at, OLD.clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER events_move AFTER UPDATE OF patient_id ON events WHEN OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'events', OLD.id, NEW.hub_changed_at, NULL, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER appointments_move AFTER UPDATE OF clinic_id, patient_id ON appointments WHEN OLD.clinic_id IS NOT NEW.clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'appointments', OLD.id, NEW.hub_changed_at, OLD.clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER prescriptions_move AFTER UPDATE OF pickup_clinic_id, patient_id ON prescriptions WHEN OLD.pickup_clinic_id IS NOT NEW.pickup_clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'prescriptions', OLD.id, NEW.hub_changed_at, OLD.pickup_clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER prescription_items_move AFTER UPDATE OF clinic_id, patient_id ON prescription_items WHEN OLD.clinic_id IS NOT NEW.clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'prescription_items', OLD.id, NEW.hub_changed_at, OLD.clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER patient_vitals_move AFTER UPDATE OF patient_id ON patient_vitals WHEN OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'patient_vitals', OLD.id, NEW.hub_changed_at, NULL, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER patient_problems_move AFTER UPDATE OF patient_id ON patient_problems WHEN OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'patient_problems', OLD.id, NEW.hub_changed_at, NULL, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER patient_risk_profiles_move AFTER UPDATE OF clinic_id, patient_id ON patient_risk_profiles WHEN OLD.clinic_id IS NOT NEW.clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'patient_risk_profiles', OLD.id, NEW.hub_changed_at, OLD.clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER dispensing_records_move AFTER UPDATE OF clinic_id, patient_id ON dispensing_records WHEN OLD.clinic_id IS NOT NEW.clinic_id OR OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'dispensing_records', OLD.id, NEW.hub_changed_at, OLD.clinic_id, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER patient_additional_attributes_move AFTER UPDATE OF patient_id ON patient_additional_attributes WHEN OLD.patient_id IS NOT NEW.patient_id BEGIN
    INSERT INTO moves SELECT 'patient_additional_attributes', OLD.id, NEW.hub_changed_at, NULL, OLD.patient_id WHERE true ON CONFLICT DO NOTHING;
END;
CREATE TRIGGER clinic_inventory_move AFTER UPDATE OF clinic_id ON clinic_inventory WHEN OLD.clinic_id IS NOT NEW.clinic_id BEGIN
    INSERT INTO moves SELECT 'clinic_inventory', OLD.id, NEW.hub_changed_at, OLD.clinic_id, NULL WHERE true ON CONFLICT DO NOTHING;
END;

-- The relay: how far pulling (the cloud's clock) and pushing (the change clock) have come, and, by row, what the cloud is
-- known to hold and what is on its way there. The digests are store/relay/digest.rs's.
CREATE TABLE cloud_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    pull_cursor INTEGER NOT NULL,
    push_cursor INTEGER NOT NULL,
    clinics TEXT NOT NULL,
    whole_pull_at INTEGER NOT NULL,
    done_at INTEGER NOT NULL,
    ca TEXT NOT NULL,
    time_zone TEXT NOT NULL
) STRICT;
INSERT INTO cloud_state VALUES (1, 0, 0, '[]', 0, 0, '', '');
CREATE TABLE cloud_rows (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    known BLOB,
    synced_at INTEGER NOT NULL,
    cloud_updated_at INTEGER NOT NULL,
    sent BLOB,
    sent_at INTEGER,
    answered INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    held_at INTEGER,
    held_version INTEGER,
    reason TEXT,
    PRIMARY KEY (table_name, row_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cloud_rows_sent ON cloud_rows (table_name, row_id) WHERE sent_at IS NOT NULL;
CREATE INDEX cloud_rows_held ON cloud_rows (held_at) WHERE held_at IS NOT NULL;
