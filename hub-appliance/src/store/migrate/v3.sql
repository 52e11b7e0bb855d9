-- Schema version 3.

-- Whether the clock could be trusted when an entry was written; none in those from before.
ALTER TABLE audit ADD COLUMN clock_trusted INTEGER;
-- What a day's check, what was dropped, and the days of use are found by.
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_drops ON audit (seq) WHERE action = 'audit.drop';
CREATE INDEX audit_days ON audit (seq) WHERE action = 'audit.day';
-- When the whole log was checked last, and the entry where it was found not to be whole.
ALTER TABLE hub_state ADD COLUMN audit_checked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hub_state ADD COLUMN audit_broken INTEGER;

-- Phones of a hub that was restored from a backup: `restored_at` is when, until it is known that the phone got nothing from
-- the hub after that backup; `ahead_of` is how far the backup knew it, where it did, until it has uploaded all; `rewind_to`
-- is when to go back to with it once it has.
ALTER TABLE devices ADD COLUMN restored_at INTEGER;
ALTER TABLE devices ADD COLUMN ahead_of INTEGER;
ALTER TABLE devices ADD COLUMN rewind_to INTEGER;

-- Held rows are told apart by their values, without what the app writes beside them: the digests are made anew.
UPDATE held_rows SET digest = NULL;
-- Whose record a held row is: it is tried again when that patient comes to another clinic.
ALTER TABLE held_rows ADD COLUMN patient_id TEXT;
UPDATE held_rows SET patient_id = json_extract(row, '$.patient_id') WHERE json_valid(row);
CREATE INDEX held_rows_patient ON held_rows (patient_id) WHERE waits = 'right';
-- The firmware that tried all held rows last.
ALTER TABLE hub_state ADD COLUMN held_tried_by TEXT;

-- What a search asks of most patients, close together: a name in every tenth page of the patients' own rows would be as many
-- pages to decrypt. Made with the index, which is made anew for it.
CREATE TABLE patient_glances (
    number INTEGER PRIMARY KEY, updated_at INTEGER NOT NULL, clinic INTEGER, given_name TEXT, surname TEXT
) STRICT;
CREATE TABLE patient_clinics (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;

-- Carrying by hand: whom the bundles are for, who signs the answers, the key that answers are sealed to, the number of the
-- last bundle, when the last was packed and an answer taken, and which cloud the ledger is about.
CREATE TABLE courier (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    recipient TEXT NOT NULL,
    desk TEXT NOT NULL,
    identity TEXT NOT NULL,
    number INTEGER NOT NULL,
    packed_at INTEGER NOT NULL,
    taken_at INTEGER NOT NULL,
    cloud TEXT NOT NULL
) STRICT;
INSERT INTO courier VALUES (1, '', '', '', 0, 0, 0, '');
-- Versions of rows that are in some bundle and that no cloud has shown yet: they may be there by now.
CREATE TABLE courier_rows (
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    digests BLOB NOT NULL,
    PRIMARY KEY (table_name, row_id, version, digests)
) STRICT, WITHOUT ROWID;

-- A row that one device has to get again may be out of sight of who uses it: whether it was kept back from an answer for
-- that, and if so, the timestamps of the answers that it went with.
ALTER TABLE resends ADD COLUMN kept_back INTEGER NOT NULL DEFAULT 0;
CREATE TABLE resent_with (
    device INTEGER NOT NULL,
    table_name TEXT NOT NULL,
    row_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, table_name, row_id, at)
) STRICT, WITHOUT ROWID;
