//! Applying an answer of the cloud: its rows wait in the spool, and meet the records here, parents first.
//!
//! What the cloud is known to hold already is told apart on a reader, so that the writer, whom the phones wait for, gets
//! only what is news. Up to a thousand rows of news and the cursor are one transaction. More of them come in parts of as
//! many, and the cursor with the last: a power cut between two parts has the same answer come again, and whatever is there
//! by then is no news any more.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::digest::{Digests, digests};
use super::ledger::{self, CloudEntry};
use super::outgoing::{note_in_step, release};
use super::{CloudReason, Spool, set_state};
use crate::clock::HubTime;
use crate::store::Store;
use crate::store::audit::Entry;
use crate::store::cloud::{fill_required, hold_pulled};
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::{CloudType, ColumnSet, Table, TableId};
use crate::store::snapshot::Snapshot;
use crate::store::sync::apply::{Applied, Applier};
use crate::store::sync::cursors::Seen;
use crate::store::sync::history::Author;
use crate::store::sync::push::List;
use crate::store::sync::sent::{SentRow, read_deleted, read_row};
use crate::store::value::{Cell, Source};
use crate::store::writer::WriteTx;

/// The most rows of news in one transaction.
const PART: usize = 1000;
/// The most bytes of them.
const PART_BYTES: usize = 2 * 1024 * 1024;
/// Rows that are looked at in one snapshot.
const LOOK: usize = 256;
/// A time of the cloud further ahead of the hub's than this is not taken over (see the merge).
const AHEAD_MS: i64 = 5 * 60 * 1000;
/// How often an answer may not show what the cloud said that it took.
const MISSES: u32 = 2;
/// Tables of which a row that does not come in an answer from 0 is gone.
const TOLD_WHOLE: [&str; 2] = ["user_clinic_permissions", "app_config"];

/// What came with an answer.
#[derive(Clone, Debug, Default)]
pub struct Pulled {
    /// The answer's `timestamp`: the next cursor, on the cloud's clock.
    pub timestamp: i64,
    /// It began at 0.
    pub is_whole: bool,
    /// The clinics that the cloud gave to this hub.
    pub clinics: Vec<String>,
}

/// What became of an answer's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnswerSummary {
    /// Inserted, updated or deleted.
    pub written: usize,
    /// Known already.
    pub unchanged: usize,
    /// Of patients who are not on this hub.
    pub foreign: usize,
    /// That did not fit their table.
    pub held: usize,
    /// Pushed rows that came back.
    pub acknowledged: usize,
}

/// A row of news.
struct News {
    table: TableId,
    list: List,
    json: Box<str>,
}

/// An answer that is being applied.
struct Reading<'a> {
    store: &'a Store,
    news: Vec<News>,
    bytes: usize,
    summary: AnswerSummary,
    /// Patients of the answer.
    patients: HashSet<Box<str>>,
    /// Rows of tables that are told whole.
    seen: Vec<(TableId, HashSet<Box<str>>)>,
    /// The zone of the cloud's server, where somebody named it.
    zone: Option<TimeZone>,
}

impl Store {
    /// Applies an answer.
    ///
    /// # Errors
    /// What SQLite reports; the cursor is then where it was.
    pub fn apply_answer(&self, spool: &Spool, pulled: Pulled) -> Result<AnswerSummary, StoreError> {
        let zone = self.read::<_, StoreError>(|snapshot| Ok(snapshot.cloud_state()?.time_zone))?;
        let mut reading = Reading {
            store: self,
            zone: TimeZone::get(&zone).ok(),
            news: Vec::new(),
            bytes: 0,
            summary: AnswerSummary::default(),
            patients: HashSet::new(),
            seen: told_whole(spool, &pulled),
        };
        let tables = || TableId::all().filter(|table| table.table().cloud.pulls());
        for table in tables() {
            for list in [List::Created, List::Updated] {
                spool.portions(table, list, LOOK, |rows| reading.look_at(table, list, rows))?;
            }
        }
        for table in tables() {
            spool.portions(table, List::Deleted, LOOK, |rows| {
                rows.into_iter()
                    .try_for_each(|json| reading.take(table, List::Deleted, json))
            })?;
        }
        reading.end(pulled)
    }
}

/// The tables whose rows are gone where they do not come. Users are, where the cloud plainly lists all of them.
fn told_whole(spool: &Spool, pulled: &Pulled) -> Vec<(TableId, HashSet<Box<str>>)> {
    if !pulled.is_whole {
        return Vec::new();
    }
    let has = |table, list| {
        let mut any = false;
        let looked = spool.portions(table, list, LOOK, |rows| {
            any |= !rows.is_empty();
            Ok(())
        });
        any && looked.is_ok()
    };
    let named = |name: &str| TableId::named(name).filter(|table| spool.names(*table));
    let users = named("users").filter(|users| !has(*users, List::Created) && has(*users, List::Updated));
    let others = TOLD_WHOLE.into_iter().filter_map(named);
    others.chain(users).map(|table| (table, HashSet::new())).collect()
}

impl Reading<'_> {
    /// Tells news from what is known.
    fn look_at(&mut self, table: TableId, list: List, rows: Vec<Box<str>>) -> Result<(), StoreError> {
        let rows = match &self.zone {
            Some(zone) => rows.into_iter().map(|json| with_days_of(zone, table, json)).collect(),
            None => rows,
        };
        let mut news = Vec::new();
        let store = self.store;
        store.read::<_, StoreError>(|snapshot| {
            for json in &rows {
                news.push(self.is_news(snapshot, table, json)?);
            }
            Ok(())
        })?;
        let told = rows.into_iter().zip(news).filter(|(_, is_news)| *is_news);
        for (json, _) in told {
            self.take(table, list, json)?;
        }
        Ok(())
    }

    fn is_news(&mut self, snapshot: &Snapshot<'_>, table: TableId, json: &str) -> Result<bool, StoreError> {
        let Ok((mut row, None)) = read_row(table.table(), json, Source::Cloud) else {
            return Ok(true);
        };
        if let Some((_, seen)) = self.seen.iter_mut().find(|(told, _)| *told == table) {
            seen.insert(row.id.clone());
        }
        if table.table().name == "patients" {
            self.patients.insert(row.id.clone());
        }
        let connection = snapshot.connection()?;
        let stored = rows::find(connection, table, &row.id)?;
        if stored.is_none() && self.is_foreign(connection, table, &row)? {
            self.summary.foreign += 1;
            return Ok(false);
        }
        fill_required(table, &mut row);
        let entry = ledger::find(connection, table, &row.id, stored.as_ref())?;
        let is_news = Comparison::of(table, &row, stored.as_ref(), &entry).is_news();
        self.summary.unchanged += usize::from(!is_news);
        Ok(is_news)
    }

    /// Whether the row hangs on a patient, without a clinic of its own, who is neither on the hub nor in the answer.
    fn is_foreign(&self, connection: &rusqlite::Connection, table: TableId, row: &SentRow) -> Result<bool, StoreError> {
        let definition = table.table();
        let (Some(column), None) = (definition.column("patient_id"), definition.clinic_column) else {
            return Ok(false);
        };
        let (Some(patient), Some(patients)) = (
            row.cells[column].as_ref().and_then(Cell::as_reference),
            TableId::named("patients"),
        ) else {
            return Ok(false);
        };
        Ok(!self.patients.contains(patient) && rows::find(connection, patients, patient)?.is_none())
    }

    fn take(&mut self, table: TableId, list: List, json: Box<str>) -> Result<(), StoreError> {
        if self.news.len() >= PART || self.bytes + json.len() > PART_BYTES {
            self.bytes = 0;
            let news = std::mem::take(&mut self.news);
            let mut summary = self.summary;
            self.summary = self.store.write::<_, StoreError>(move |tx| {
                apply(tx, news, &mut summary)?;
                Ok(summary)
            })?;
        }
        self.bytes += json.len();
        self.news.push(News { table, list, json });
        Ok(())
    }

    /// The last part, with the cursor.
    fn end(self, pulled: Pulled) -> Result<AnswerSummary, StoreError> {
        let Self {
            store,
            news,
            mut summary,
            seen,
            ..
        } = self;
        store.write(move |tx| {
            apply(tx, news, &mut summary)?;
            for (table, seen) in seen {
                remove_unseen(tx, table, &seen, &mut summary)?;
            }
            count_misses(tx)?;
            if summary.acknowledged > 0 {
                release(tx, "reason LIKE 'waits for%' AND held_at <= ?1", i64::MAX)?;
            }
            set_state(tx, &pulled)?;
            if summary.written > 0 || summary.held > 0 {
                let detail = json!({"written": summary.written, "held": summary.held, "foreign": summary.foreign});
                tx.audit(&Entry {
                    action: "cloud.pull",
                    detail: detail.to_string(),
                    outcome: "ok",
                    ..Entry::default()
                })?;
            }
            Ok(summary)
        })
    }
}

/// A row with its days, which come as the server's local midnight, spelled as that zone has them.
fn with_days_of(zone: &TimeZone, table: TableId, json: Box<str>) -> Box<str> {
    let days = || {
        table
            .table()
            .columns
            .iter()
            .filter(|column| column.cloud == CloudType::Date)
    };
    let Some(Ok(mut row)) = days()
        .next()
        .map(|_| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&json))
    else {
        return json;
    };
    for column in days() {
        let Some(text) = row
            .get(column.name)
            .and_then(|value| value.as_str())
            .filter(|text| text.contains('T'))
        else {
            continue;
        };
        if let Ok(at) = text.parse::<Timestamp>() {
            let day = at.to_zoned(zone.clone()).date().to_string();
            row.insert(column.name.to_owned(), day.into());
        }
    }
    serde_json::Value::Object(row).to_string().into()
}

/// A row of the cloud beside what is known of it.
struct Comparison {
    now: Digests,
    /// Columns that the cloud has changed.
    changed: ColumnSet,
    /// It is what was sent.
    is_echo: bool,
    /// Its `updated_at` is later than any that the cloud is known to have given it.
    is_later: bool,
    updated_at: i64,
    is_new: bool,
    is_deleted: bool,
    /// The hub has a deleted row; only what belongs to the cloud comes to life again.
    comes_to_life: Option<bool>,
    /// The hub's row has edits that the cloud does not have.
    has_edits: bool,
}

impl Comparison {
    fn of(table: TableId, row: &SentRow, stored: Option<&StoredRow>, entry: &CloudEntry) -> Self {
        let definition = table.table();
        let now = digests(definition, row.cells.iter().map(Option::as_ref), entry.known.as_ref());
        let sent = entry
            .sent
            .as_ref()
            .map(|(sent, _)| sent.changed(&now, definition, true));
        let changed = match (&entry.known, sent) {
            (Some(known), _) => known.changed(&now, definition, entry.was_pushed),
            (None, Some(changed)) => changed,
            (None, None) => ColumnSet::ALL,
        };
        let updated_at = time(definition, "updated_at", row).unwrap_or(0);
        let is_live = stored.is_some_and(|stored| !stored.deleted);
        Self {
            now,
            changed,
            is_echo: is_live && sent.is_some_and(ColumnSet::is_empty),
            is_later: definition.cloud.pushes() && updated_at > entry.cloud_updated_at,
            updated_at,
            is_new: stored.is_none(),
            is_deleted: time(definition, "is_deleted", row) == Some(1),
            comes_to_life: stored
                .filter(|stored| stored.deleted)
                .map(|_| !definition.cloud.pushes()),
            has_edits: stored
                .is_some_and(|stored| stored.origin != DeviceNumber::CLOUD && !entry.has(stored.changed_at)),
        }
    }

    fn is_news(&self) -> bool {
        match self.comes_to_life {
            _ if self.is_new => true,
            Some(comes_to_life) => comes_to_life != self.is_deleted || (self.is_deleted && self.has_edits),
            None => self.is_deleted || self.is_echo || self.is_later || !self.changed.is_empty(),
        }
    }
}

fn time(table: &Table, column: &str, row: &SentRow) -> Option<i64> {
    row.cells[table.column(column)?].as_ref()?.as_integer()
}

fn author() -> Author {
    Author {
        device: DeviceNumber::CLOUD,
        user: None,
    }
}

fn apply(tx: &mut WriteTx<'_>, news: Vec<News>, summary: &mut AnswerSummary) -> Result<(), StoreError> {
    for News { table, list, json } in news {
        tx.take_row()?;
        let read = match list {
            List::Deleted => read_deleted(table.table(), &json, Source::Cloud).map(|row| (row, None)),
            _ => read_row(table.table(), &json, Source::Cloud),
        };
        let reason = match read {
            Ok((row, None)) if list == List::Deleted => {
                summary.count(delete(tx, table, &row)?);
                continue;
            }
            Ok((row, None)) => {
                apply_row(tx, table, row, summary)?;
                continue;
            }
            Ok((row, Some(column))) => (Some(row.id), crate::store::sync::held::HoldReason::WrongType(column)),
            Err(reason) => (None, reason),
        };
        hold_pulled(tx, table, list, reason.0.as_deref(), &json, reason.1)?;
        summary.held += 1;
    }
    Ok(())
}

impl AnswerSummary {
    fn count(&mut self, applied: Applied) {
        match applied {
            Applied::Inserted | Applied::Updated | Applied::Deleted => self.written += 1,
            _ => self.unchanged += 1,
        }
    }
}

fn apply_row(
    tx: &mut WriteTx<'_>,
    table: TableId,
    mut row: SentRow,
    summary: &mut AnswerSummary,
) -> Result<(), StoreError> {
    fill_required(table, &mut row);
    let stored = rows::find(tx.connection(), table, &row.id)?;
    let mut entry = ledger::find(tx.connection(), table, &row.id, stored.as_ref())?;
    let comparison = Comparison::of(table, &row, stored.as_ref(), &entry);
    if comparison.is_deleted {
        summary.count(delete(tx, table, &row)?);
        return Ok(());
    }
    let Some(stored) = stored else {
        summary.count(Applier::new(tx, author(), Seen::up_to(HubTime::ZERO)).put(table, &row, None)?);
        note_time_ahead(tx, table, &row.id, &comparison)?;
        if table.table().name == "patient_additional_attributes" {
            settle_twins(tx, table, &row)?;
        }
        return Ok(());
    };
    match comparison.comes_to_life {
        Some(true) => {
            let change = tx.change_time();
            rows::revive(tx.connection(), table, &row.id, change, DeviceNumber::CLOUD)?;
        }
        Some(false) => {
            summary.unchanged += 1;
            return Ok(());
        }
        None => {}
    }
    entry.cloud_updated_at = entry.cloud_updated_at.max(comparison.updated_at);
    if comparison.is_echo {
        acknowledge(tx, table, &row.id, entry, &comparison)?;
        summary.acknowledged += 1;
        return Ok(());
    }
    if comparison.changed.is_empty() && comparison.comes_to_life.is_none() {
        summary.unchanged += 1;
        if table.table().cloud.pushes() {
            entry.was_pushed |= entry.is_written;
            ledger::put(tx, table, &row.id, &entry)?;
        }
        return Ok(());
    }
    merge(tx, table, row, &stored, entry, comparison, summary)
}

/// What was sent has come back.
fn acknowledge(
    tx: &mut WriteTx<'_>,
    table: TableId,
    id: &str,
    mut entry: CloudEntry,
    comparison: &Comparison,
) -> Result<(), StoreError> {
    if let Some((sent, version)) = entry.sent.take() {
        entry.known = Some(sent);
        entry.synced_at = entry.synced_at.max(version);
    }
    entry.cloud_updated_at = entry.cloud_updated_at.max(comparison.updated_at);
    (entry.answered, entry.missed) = (false, 0);
    ledger::put(tx, table, id, &entry)
}

/// The cloud counts as one more device, which has seen the hub's rows up to the version that it had last.
fn merge(
    tx: &mut WriteTx<'_>,
    table: TableId,
    mut row: SentRow,
    stored: &StoredRow,
    mut entry: CloudEntry,
    comparison: Comparison,
    summary: &mut AnswerSummary,
) -> Result<(), StoreError> {
    let definition = table.table();
    let mut changed = comparison.changed;
    if let Some(index) = definition.column("updated_at") {
        changed.insert(index);
    }
    row.changed = Some(changed);
    if !comparison.has_edits {
        // What the cloud lost of the row is none of its doing, and everything else is as it is here.
        for (index, cell) in row.cells.iter_mut().enumerate().skip(1) {
            if !changed.contains(index) {
                *cell = None;
            }
        }
    }
    let seen = Seen {
        base: if comparison.has_edits {
            entry.synced_at
        } else {
            stored.changed_at
        },
        // It gets what it needs by the push that follows.
        given: HubTime::ZERO,
        alone_since: HubTime::ZERO,
        another: false,
    };
    let stored = rows::find(tx.connection(), table, &row.id)?;
    summary.count(Applier::new(tx, author(), seen).put(table, &row, stored.as_ref())?);
    if !definition.cloud.pushes() {
        return Ok(());
    }
    if !comparison.has_edits && !entry.is_written {
        return note_time_ahead(tx, table, &row.id, &comparison);
    }
    let after = rows::find(tx.connection(), table, &row.id)?;
    if let Some(after) = &after {
        let is_alike = digests(definition, after.cells.iter().map(Some), None)
            .changed(&comparison.now, definition, entry.was_pushed)
            .is_empty();
        if is_alike || !comparison.has_edits {
            entry.synced_at = after.changed_at;
        }
    }
    entry.known = Some(comparison.now);
    entry.sent = None;
    (entry.answered, entry.missed) = (false, 0);
    ledger::put(tx, table, &row.id, &entry)
}

/// A time ahead of the hub's clock is not in the row; the cloud keeps its own row against earlier ones all the same.
fn note_time_ahead(tx: &mut WriteTx<'_>, table: TableId, id: &str, comparison: &Comparison) -> Result<(), StoreError> {
    if !table.table().cloud.pushes() || comparison.updated_at <= tx.now().plus_millis(AHEAD_MS).millis() {
        return Ok(());
    }
    let Some(stored) = rows::find(tx.connection(), table, id)? else {
        return Ok(());
    };
    let entry = CloudEntry {
        known: Some(comparison.now.clone()),
        synced_at: stored.changed_at,
        cloud_updated_at: comparison.updated_at,
        ..CloudEntry::default()
    };
    ledger::put(tx, table, id, &entry)
}

/// Applies a deletion, with all that hangs on the row. None of that goes back to the cloud.
fn delete(tx: &mut WriteTx<'_>, table: TableId, row: &SentRow) -> Result<Applied, StoreError> {
    let stored = rows::find(tx.connection(), table, &row.id)?;
    let applied = Applier::new(tx, author(), Seen::up_to(HubTime::ZERO)).delete(table, row, stored.as_ref())?;
    if !table.table().cloud.pushes() {
        return Ok(applied);
    }
    let Some(after) = rows::find(tx.connection(), table, &row.id)?.filter(|after| after.deleted) else {
        return Ok(applied);
    };
    note_in_step(tx, table, &row.id, after.changed_at)?;
    settle_children(tx, table, &row.id)?;
    Ok(applied)
}

/// The cloud lists a deleted patient or visit alone: what went with it here went with it there.
fn settle_children(tx: &WriteTx<'_>, parent: TableId, id: &str) -> Result<(), StoreError> {
    let column = match parent.table().name {
        "patients" => "patient_id",
        "visits" => "visit_id",
        _ => return Ok(()),
    };
    for child in super::push_order().filter(|child| child.table().column(column).is_some()) {
        let name = child.table().name;
        tx.connection()
            .prepare_cached(&format!(
                "INSERT INTO cloud_rows (table_name, row_id, synced_at, cloud_updated_at, answered, missed) \
                 SELECT '{name}', id, hub_changed_at, 0, 0, 0 FROM {name} \
                 WHERE {column} = ?1 AND hub_deleted_at IS NOT NULL AND hub_origin <> {cloud} \
                 ON CONFLICT (table_name, row_id) DO UPDATE SET synced_at = excluded.synced_at, known = NULL, sent = NULL, \
                 sent_at = NULL, held_at = NULL, held_version = NULL, reason = NULL",
                cloud = DeviceNumber::CLOUD.0,
            ))?
            .execute([id])?;
    }
    Ok(())
}

/// The cloud keeps one attribute of a kind for a patient, under an id of its own, which the hub takes over: what was the
/// same attribute under another id has gone into it, and there is nothing of that to tell the cloud.
fn settle_twins(tx: &WriteTx<'_>, table: TableId, row: &SentRow) -> Result<(), StoreError> {
    let definition = table.table();
    let value = |name| row.cells[definition.column(name)?].as_ref()?.as_reference();
    let (Some(patient), Some(attribute)) = (value("patient_id"), value("attribute_id")) else {
        return Ok(());
    };
    let twins: Vec<(String, i64)> = tx
        .connection()
        .prepare_cached(
            "SELECT id, hub_changed_at FROM patient_additional_attributes WHERE patient_id = ?1 AND attribute_id = ?2 \
             AND id <> ?3 AND hub_deleted_at IS NOT NULL",
        )?
        .query_map((patient, attribute, &*row.id), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (twin, version) in twins {
        note_in_step(tx, table, &twin, HubTime::from_millis(version))?;
    }
    Ok(())
}

/// Deletes the rows of a table that the cloud lists whole and that it did not list.
fn remove_unseen(
    tx: &mut WriteTx<'_>,
    table: TableId,
    seen: &HashSet<Box<str>>,
    summary: &mut AnswerSummary,
) -> Result<(), StoreError> {
    let sql = format!("SELECT id FROM {} WHERE hub_deleted_at IS NULL", table.table().name);
    let ids: Vec<String> = tx
        .connection()
        .prepare_cached(&sql)?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in ids.into_iter().filter(|id| !seen.contains(id.as_str())) {
        let Ok(row) = read_deleted(table.table(), &json!(id).to_string(), Source::Cloud) else {
            continue;
        };
        summary.count(delete(tx, table, &row)?);
    }
    Ok(())
}

/// What was sent and is not in this answer: without an answer to the push it is sent again; else it is held once it was
/// missed too often.
fn count_misses(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    let connection = tx.connection();
    connection.execute(
        "UPDATE cloud_rows SET sent = NULL, sent_at = NULL WHERE sent_at IS NOT NULL AND answered = 0",
        [],
    )?;
    let mut statement = connection
        .prepare_cached("SELECT table_name, row_id, sent_at, missed FROM cloud_rows WHERE sent_at IS NOT NULL")?;
    let missing: Vec<(String, String, i64, u32)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    for (table, id, version, missed) in missing {
        let Some(table) = TableId::named(&table) else { continue };
        if missed + 1 >= MISSES {
            let version = HubTime::from_millis(version);
            ledger::hold(tx, table, &id, version, CloudReason::NotTaken)?;
        } else {
            connection
                .prepare_cached("UPDATE cloud_rows SET missed = missed + 1 WHERE table_name = ?1 AND row_id = ?2")?
                .execute((table.table().name, id))?;
        }
    }
    Ok(())
}
