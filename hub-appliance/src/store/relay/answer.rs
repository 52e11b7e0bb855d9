//! Applying an answer of the cloud: its rows wait in the spool, and meet the records here, parents first.
//!
//! What the cloud is known to hold already is told apart on a reader, so that the writer, whom the phones wait for, gets
//! only what is news. Some hundred rows of news and the cursor are one transaction. More of them come in parts, each of which
//! ends as soon as a phone waits, and the cursor with the last: a power cut between two parts has the same answer come again, and
//! whatever is there by then is no news any more.

use std::collections::{HashSet, VecDeque};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::applying::{apply, apply_some, remove_unseen};
use super::comparison::Comparison;
use super::settling::{count_misses, release};
use super::{Spool, ledger, set_state};
use crate::store::Store;
use crate::store::audit::Entry;
use crate::store::cloud::fill_required;
use crate::store::error::StoreError;
use crate::store::rows;
use crate::store::schema::{CloudType, TableId};
use crate::store::snapshot::Snapshot;
use crate::store::sync::held;
use crate::store::sync::lists::List;
use crate::store::sync::sent::{SentRow, read_row};
use crate::store::value::Source;
use crate::store::writer::WriteTx;

/// The most rows of news in one transaction: what a phone may wait for that comes while they are committed.
const PART: usize = 250;
/// The most bytes of them.
const PART_BYTES: usize = 512 * 1024;
/// Rows that are looked at in one snapshot.
const LOOK: usize = 256;
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

impl AnswerSummary {
    fn add(&mut self, part: &Self) {
        self.written += part.written;
        self.unchanged += part.unchanged;
        self.foreign += part.foreign;
        self.held += part.held;
        self.acknowledged += part.acknowledged;
    }
}

/// A row of news.
pub(super) struct News {
    pub(super) table: TableId,
    pub(super) list: List,
    pub(super) json: Box<str>,
}

/// An answer that is being applied.
struct Reading<'a> {
    store: &'a Store,
    news: VecDeque<News>,
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
            news: VecDeque::new(),
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
        let Ok((mut row, misfit)) = read_row(table.table(), json, Source::Cloud) else {
            return Ok(true);
        };
        if let Some((_, seen)) = self.seen.iter_mut().find(|(told, _)| *told == table) {
            seen.insert(row.id.clone());
        }
        if table.table().name == "patients" {
            self.patients.insert(row.id.clone());
        }
        // It will be held, and what hangs on it with it.
        if misfit.is_some() {
            return Ok(true);
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

    /// Whether the row hangs on a patient, without a clinic of its own, who is neither on the hub or held nor in the answer. One who
    /// was deleted here is not on it: the cloud goes on telling what hung on them.
    fn is_foreign(&self, connection: &rusqlite::Connection, table: TableId, row: &SentRow) -> Result<bool, StoreError> {
        let (Some(patient), Some(patients)) = (row.follows_patient(table.table()), TableId::named("patients")) else {
            return Ok(false);
        };
        match rows::find(connection, patients, patient)? {
            Some(patient) => Ok(patient.deleted),
            None => Ok(!self.patients.contains(patient) && !held::is_held(connection, patients, patient)?),
        }
    }

    fn take(&mut self, table: TableId, list: List, json: Box<str>) -> Result<(), StoreError> {
        while self.news.len() >= PART || (self.bytes + json.len() > PART_BYTES && !self.news.is_empty()) {
            self.apply_part()?;
        }
        self.bytes += json.len();
        self.news.push_back(News { table, list, json });
        Ok(())
    }

    /// Applies as much of the news as nobody has to wait for.
    fn apply_part(&mut self) -> Result<(), StoreError> {
        let mut news = std::mem::take(&mut self.news);
        let foreign = std::mem::take(&mut self.summary.foreign);
        let (summary, rest) = self.store.write::<_, StoreError>(move |tx| {
            let mut summary = AnswerSummary {
                foreign,
                ..AnswerSummary::default()
            };
            apply_some(tx, &mut news, &mut summary)?;
            finish(tx, &summary)?;
            Ok((summary, news))
        })?;
        self.summary.add(&summary);
        self.bytes = rest.iter().map(|row| row.json.len()).sum();
        self.news = rest;
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
        let foreign = std::mem::take(&mut summary.foreign);
        let last = store.write::<_, StoreError>(move |tx| {
            let mut last = AnswerSummary {
                foreign,
                ..AnswerSummary::default()
            };
            apply(tx, news, &mut last)?;
            for (table, seen) in seen {
                remove_unseen(tx, table, &seen, &mut last)?;
            }
            count_misses(tx, pulled.timestamp)?;
            set_state(tx, &pulled)?;
            finish(tx, &last)?;
            Ok(last)
        })?;
        summary.add(&last);
        Ok(summary)
    }
}

/// What every part does at its end, for there may be no later one: what waits for rows that have arrived can go, and the
/// audit log has it.
fn finish(tx: &mut WriteTx<'_>, summary: &AnswerSummary) -> Result<(), StoreError> {
    if summary.acknowledged > 0 {
        release(tx, "reason LIKE 'waits for%' AND held_at <= ?1", i64::MAX)?;
    }
    if summary.written > 0 || summary.held > 0 {
        let detail = json!({"written": summary.written, "held": summary.held, "foreign": summary.foreign});
        tx.audit(&Entry {
            action: "cloud.pull",
            detail: detail.to_string(),
            outcome: "ok",
            ..Entry::default()
        })?;
    }
    Ok(())
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
