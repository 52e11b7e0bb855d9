//! Applying what the cloud sends: the answer to a pull, or the same shape in a file that is imported.
//!
//! The cloud counts as one more device: rows that the clinic edited are merged by the rules of a push. It does not say what
//! it changed, but what it gave of a row before is known from the row's history: only what differs from that is an edit of
//! the cloud's. So a bundle that is imported again, or after a newer one, undoes nothing. A stock moves by as much as the
//! cloud's own count moved, for the cloud does not count what the clinic hands out. Events and the like come from all clinics; those of patients who are not on the hub are dropped,
//! because data of other clinics has no business here (protocol, "cloud", Pull).

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::devices::DeviceNumber;
use super::error::StoreError;
use super::people::clinic_of_patient;
use super::rows::StoredRow;
use super::schema::{ColumnSet, ColumnType, TableId};
use super::staff::{self, Members, Settler, StaffChanges};
use super::sync::apply::{Applied, Applier};
use super::sync::cursors::Seen;
use super::sync::held::{self, Direction, HeldRow, HoldReason};
use super::sync::history::Author;
use super::sync::judge::held_parent;
use super::sync::lists::{List, Lists};
use super::sync::merge::means;
use super::sync::release;
use super::sync::sent::{SentRow, read_deleted, read_row};
use super::sync::stock;
use super::value::{Cell, Source, read_time};
use super::writer::WriteTx;
use crate::clock::HubTime;

/// The bundle is not the JSON of an answer of the cloud.
#[derive(Debug, thiserror::Error)]
#[error("the file is not a bundle of records{}", self.place())]
pub struct MalformedBundle {
    /// The line of the mistake, from 1, where there is one.
    pub line: Option<usize>,
}

impl MalformedBundle {
    fn place(&self) -> String {
        self.line.map_or_else(String::new, |line| format!(": line {line}"))
    }
}

/// An answer of the cloud: `{"success":true,"changes":{table:{"created":[…],"updated":[…],"deleted":[…]}},"timestamp":…}`.
#[derive(Deserialize)]
pub struct Bundle<'a> {
    #[serde(default)]
    success: Option<bool>,
    #[serde(borrow)]
    changes: HashMap<Cow<'a, str>, &'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    /// All of it.
    #[serde(skip)]
    json: &'a str,
}

/// Columns that the cloud stamps when it is asked to write a row, whether or not that changed it.
const TIMES: [&str; 3] = ["updated_at", "last_modified", "server_created_at"];

/// What became of a bundle's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleSummary {
    /// Rows written, by table; tables without any are left out.
    pub written: Vec<(&'static str, usize)>,
    /// Rows that the hub already had so.
    pub unchanged: usize,
    /// Rows of patients who are not on this hub.
    pub foreign: usize,
    /// Rows that did not fit their table.
    pub held: usize,
    /// The names of users who have one e-mail address now, in pairs.
    pub same_email: Vec<[String; 2]>,
}

impl<'a> Bundle<'a> {
    /// Parses a bundle; the rows themselves are read when they are applied.
    ///
    /// # Errors
    /// [`MalformedBundle`] if it is not the shape of an answer, or says that it failed.
    pub fn parse(json: &'a str) -> Result<Self, MalformedBundle> {
        let bundle: Self = serde_json::from_str(json).map_err(|error| MalformedBundle {
            line: Some(error.line()),
        })?;
        if bundle.success == Some(false) {
            Err(MalformedBundle { line: None })
        } else {
            Ok(Self { json, ..bundle })
        }
    }

    /// A mistake in a part of the bundle.
    fn mistake(&self, part: &RawValue, error: &serde_json::Error) -> MalformedBundle {
        MalformedBundle {
            line: Some(line_of(self.json, part.get()) + error.line() - 1),
        }
    }

    /// Applies the bundle in the open transaction. Tables that do not come from the cloud are dropped unread.
    ///
    /// # Errors
    /// [`BundleError`]; then nothing of the bundle may stay.
    pub fn apply(&self, tx: &mut WriteTx<'_>) -> Result<BundleSummary, BundleError> {
        self.apply_as(tx, None)
    }

    /// Applies the bundle as a [file of staff](super::staff) in the open transaction: what it changes, and the tokens of those
    /// who leave.
    ///
    /// # Errors
    /// [`BundleError`]; then nothing of the bundle may stay.
    pub fn apply_as_staff(&self, tx: &mut WriteTx<'_>) -> Result<(StaffChanges, BundleSummary), BundleError> {
        let before = Members::take(tx)?;
        let (clinics, users) = (self.rows("clinics")?, self.rows("users")?);
        let settler = Settler::find(
            tx,
            clinics.iter().map(|row| row.get()),
            users.iter().map(|row| row.get()),
        )?;
        let summary = self.apply_as(tx, Some(settler))?;
        let of_staff = ["users", "user_clinic_permissions"];
        let others = summary.written.iter().filter(|(table, _)| !of_staff.contains(table));
        let changes = before.changes(&Members::take(tx)?, others.map(|(_, rows)| rows).sum());
        staff::end_tokens_of_leavers(tx)?;
        Ok((changes, summary))
    }

    /// The rows of a table, deleted ones by their ids aside.
    fn rows(&self, table: &str) -> Result<Vec<&'a RawValue>, MalformedBundle> {
        let Some(lists) = self.changes.get(table) else {
            return Ok(Vec::new());
        };
        let read: Option<Lists<'a>> = serde_json::from_str(lists.get()).map_err(|error| self.mistake(lists, &error))?;
        let lists = read.unwrap_or_default();
        Ok([lists.created, lists.updated].into_iter().flatten().flatten().collect())
    }

    fn apply_as(&self, tx: &mut WriteTx<'_>, staff: Option<Settler>) -> Result<BundleSummary, BundleError> {
        let latest: i64 = tx
            .connection()
            .query_row("SELECT cloud_timestamp FROM hub_state", [], |row| row.get(0))
            .map_err(StoreError::from)?;
        let timestamp = self.timestamp.and_then(|raw| read_time(raw.get()).ok());
        let author = Author {
            device: DeviceNumber::CLOUD,
            user: None,
        };
        let mut import = Import {
            // Nobody knows which of the clinic's edits it had.
            applier: Applier::new(tx, author, Seen::up_to(HubTime::ZERO)),
            is_older: timestamp.is_some_and(|timestamp| timestamp < latest),
            summary: BundleSummary::default(),
            staff,
            settled: Vec::new(),
            json: self.json,
        };
        for table in TableId::all().filter(|table| table.table().cloud.pulls()) {
            if let Some(lists) = self.changes.get(table.table().name) {
                let read: Option<Lists<'_>> =
                    serde_json::from_str(lists.get()).map_err(|error| self.mistake(lists, &error))?;
                import.table(table, read.unwrap_or_default())?;
            }
        }
        import.check_staff()?;
        let mut summary = import.summary;
        summary.same_email = tx.users_with_one_email()?;
        tx.connection()
            .execute(
                "UPDATE hub_state SET cloud_timestamp = max(cloud_timestamp, ?1)",
                [timestamp.unwrap_or(0)],
            )
            .map_err(StoreError::from)?;
        Ok(summary)
    }
}

/// The line, from 1, on which a part of `json` begins.
fn line_of(json: &str, part: &str) -> usize {
    let start = part.as_ptr().addr().saturating_sub(json.as_ptr().addr());
    let before = json.as_bytes().iter().take(start).filter(|byte| **byte == b'\n');
    before.count() + 1
}

/// Why a bundle was not applied.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Its shape is wrong.
    #[error(transparent)]
    Malformed(#[from] MalformedBundle),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

struct Import<'t, 'c> {
    applier: Applier<'t, 'c>,
    /// A bundle from after this one was applied before.
    is_older: bool,
    summary: BundleSummary,
    /// For a file of staff, in which a row that does not fit is a mistake.
    staff: Option<Settler>,
    /// Rows of staff with the hub's ids: their table, and where they begin.
    settled: Vec<(&'static str, String, usize)>,
    /// All of the bundle.
    json: &'t str,
}

impl Import<'_, '_> {
    fn table(&mut self, table: TableId, lists: Lists<'_>) -> Result<(), BundleError> {
        let mut written = 0;
        for (list, rows) in [(List::Created, lists.created), (List::Updated, lists.updated)] {
            for raw in rows.unwrap_or_default() {
                written += usize::from(self.settled_row(table, list, raw.get())?);
            }
        }
        for raw in lists.deleted.unwrap_or_default() {
            let held = self.summary.held;
            written += usize::from(self.delete(table, raw.get())?);
            self.no_mistake(held, raw.get())?;
        }
        if written > 0 {
            self.summary.written.push((table.table().name, written));
        }
        Ok(())
    }

    /// The same for a row as the hub knows it.
    fn settled_row(&mut self, table: TableId, list: List, json: &str) -> Result<bool, BundleError> {
        let Some(settler) = &self.staff else {
            return Ok(self.row(table, list, json)?);
        };
        let (name, held) = (table.table().name, self.summary.held);
        let settled = settler.settle(self.applier.tx(), name, json)?;
        let is_written = self.row(table, list, &settled)?;
        self.no_mistake(held, json)?;
        if ["users", "user_clinic_permissions"].contains(&name) {
            self.settled
                .push((name, settled.into_owned(), line_of(self.json, json)));
        }
        Ok(is_written)
    }

    /// In a file of staff nothing may be held: `held` is how much was before the row at `json`.
    fn no_mistake(&self, held: usize, json: &str) -> Result<(), MalformedBundle> {
        if self.staff.is_some() && self.summary.held > held {
            let line = Some(line_of(self.json, json));
            return Err(MalformedBundle { line });
        }
        Ok(())
    }

    /// Looks at the users of a file of staff once all of it is there.
    fn check_staff(&mut self) -> Result<(), BundleError> {
        for (table, row, line) in std::mem::take(&mut self.settled) {
            if staff::is_mistaken(self.applier.tx(), table, &row)? {
                return Err(MalformedBundle { line: Some(line) }.into());
            }
        }
        Ok(())
    }

    /// Whether the row changed the store.
    fn row(&mut self, table: TableId, list: List, json: &str) -> Result<bool, StoreError> {
        self.applier.tx().take_row()?;
        let mut row = match read_row(table.table(), json, Source::Cloud) {
            Ok((row, None)) => row,
            Ok((row, Some(column))) => {
                return self.hold(table, list, Some(&row.id), json, HoldReason::WrongType(column));
            }
            Err(reason) => return self.hold(table, list, None, json, reason),
        };
        // What hangs on a row that is held belongs here, and waits with it.
        if let Some(parent) = held_parent(self.applier.tx().connection(), table.table(), &row)? {
            return self.hold(table, list, Some(&row.id), json, parent);
        }
        if self.is_foreign(table, &row)? {
            self.summary.foreign += 1;
            return Ok(false);
        }
        fill_required(table, &mut row);
        let stored = self.applier.stored(table, &row.id)?;
        let flag = table
            .table()
            .column("is_deleted")
            .and_then(|index| row.cells[index].as_ref()?.as_integer());
        let id = row.id.clone();
        let applied = match &stored {
            _ if flag == Some(1) => self.applier.delete(table, &row, stored.as_ref())?,
            Some(stored) if !stored.deleted => self.merge(table, row, stored)?,
            _ => self.applier.put(table, &row, stored.as_ref())?,
        };
        if applied == Applied::Inserted {
            release::superseded(self.applier.tx(), table, &id, DeviceNumber::CLOUD)?;
        }
        Ok(self.count(applied))
    }

    /// Whether an edit is later than the last that the cloud gave of a row; what the hub's clock can't tell is not.
    fn is_later(&self, updated_at: Option<i64>, known: Option<i64>) -> bool {
        known.is_none_or(|known| updated_at.is_some_and(|time| time > known && !self.applier.is_ahead(time)))
    }

    /// Merges what is new in the cloud's version of a row.
    fn merge(&mut self, table: TableId, mut row: SentRow, stored: &StoredRow) -> Result<Applied, StoreError> {
        let columns = table.table().columns;
        let differs = |row: &SentRow, index: usize, known: &Cell| {
            let sent = row.cells[index].as_ref();
            sent.is_some_and(|sent| !means(&columns[index], sent, known))
        };
        if !stored
            .cells
            .iter()
            .enumerate()
            .any(|(index, known)| differs(&row, index, known))
        {
            return Ok(Applied::Unchanged);
        }
        let given = self.applier.given(table, &row.id, stored, DeviceNumber::CLOUD)?;
        let updated_at = table.table().column("updated_at");
        let updated_at = updated_at.and_then(|index| row.cells[index].as_ref()?.as_integer());
        if self.is_older && !self.is_later(updated_at, given.edited_at) {
            return Ok(Applied::Unchanged);
        }
        let mut news = ColumnSet::EMPTY;
        for (index, known) in given.cells.iter().enumerate() {
            if known.as_ref().is_none_or(|known| differs(&row, index, known)) {
                news.insert(index);
            }
        }
        if !(0..columns.len()).any(|index| news.contains(index) && !TIMES.contains(&columns[index].name)) {
            return Ok(Applied::Unchanged);
        }
        let moved = match stock::column(table).filter(|column| news.contains(*column)) {
            Some(_) => stock::moved(&self.applier, table, &mut row, stored)?,
            None => None,
        };
        row.changed = Some(news);
        let applied = self.applier.put(table, &row, Some(stored))?;
        let Some(moved) = moved else {
            return Ok(applied);
        };
        stock::follow_cloud(&mut self.applier, table, &row.id, moved)?;
        Ok(Applied::Updated)
    }

    fn delete(&mut self, table: TableId, json: &str) -> Result<bool, StoreError> {
        self.applier.tx().take_row()?;
        let row = match read_deleted(table.table(), json, Source::Cloud) {
            Ok(row) => row,
            Err(reason) => return self.hold(table, List::Deleted, None, json, reason),
        };
        let stored = self.applier.stored(table, &row.id)?;
        let applied = self.applier.delete(table, &row, stored.as_ref())?;
        Ok(self.count(applied))
    }

    fn count(&mut self, applied: Applied) -> bool {
        let written = matches!(applied, Applied::Inserted | Applied::Updated | Applied::Deleted);
        self.summary.unchanged += usize::from(!written);
        written
    }

    /// Whether the row hangs on a patient, without a clinic of its own, who is not on the hub.
    fn is_foreign(&mut self, table: TableId, row: &SentRow) -> Result<bool, StoreError> {
        let (Some(patient), Some(patients)) = (row.follows_patient(table.table()), TableId::named("patients")) else {
            return Ok(false);
        };
        if clinic_of_patient(self.applier.tx().connection(), patient)?.is_some() {
            return Ok(false);
        }
        Ok(self.applier.stored(patients, patient)?.is_none())
    }

    fn hold(
        &mut self,
        table: TableId,
        list: List,
        row_id: Option<&str>,
        row: &str,
        reason: HoldReason,
    ) -> Result<bool, StoreError> {
        hold_pulled(self.applier.tx(), table, list, row_id, row, reason)?;
        self.summary.held += 1;
        Ok(false)
    }
}

/// Holds a row of the cloud that does not fit its table.
pub(super) fn hold_pulled(
    tx: &WriteTx<'_>,
    table: TableId,
    list: List,
    row_id: Option<&str>,
    row: &str,
    reason: HoldReason,
) -> Result<(), StoreError> {
    let author = Author {
        device: DeviceNumber::CLOUD,
        user: None,
    };
    let held = HeldRow {
        direction: Direction::Cloud,
        table,
        row_id,
        list,
        row,
        reason,
        base: HubTime::ZERO,
        author: &author,
        held_at: tx.now(),
    };
    held::hold(tx, &held)?;
    Ok(())
}

/// A required column that is null gets its type's empty value; a required time the row's `created_at`. A password that is
/// blank is one that was not told: what the hub knows of it stays.
pub(super) fn fill_required(table: TableId, row: &mut SentRow) {
    let definition = table.table();
    if let Some(password) = definition.column("hashed_password") {
        row.cells[password].take_if(|cell| cell.is_blank());
    }
    let created_at = definition
        .column("created_at")
        .and_then(|index| row.cells[index].clone());
    for (cell, column) in row.cells.iter_mut().zip(definition.columns) {
        if column.required && *cell == Some(Cell::Null) {
            *cell = match (column.kind, &created_at) {
                (ColumnType::EpochMs, Some(Cell::Integer(time))) => Some(Cell::Integer(*time)),
                (kind, _) => Some(Cell::empty(kind)),
            };
        }
    }
}
