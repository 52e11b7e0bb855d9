//! A phone's push: parsed row by row, then applied in one transaction.
//!
//! One bad row does not stop a phone: what does not fit its table, or what the user may not write, is held; the rest
//! lands (protocol, "Sync").

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::apply::{Applied, Applier};
use super::cursors::Seen;
use super::gatekeeper::{Access, Gatekeeper, Operation};
use super::generation::{self, Generation};
use super::held::{self, Direction, HeldRow, HoldReason};
use super::history::Author;
use super::sent::{SentRow, read_deleted, read_row};
use crate::lossy::Lossy;
use crate::store::error::StoreError;
use crate::store::people;
use crate::store::rows::StoredRow;
use crate::store::schema::{Table, TableId};
use crate::store::value::Source;
use crate::store::writer::WriteTx;

/// The body is not the shape of a push.
#[derive(Debug, thiserror::Error)]
#[error("the push is malformed")]
pub struct MalformedPush;

/// Which list of a push a row stood in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `created`
    Created,
    /// `updated`
    Updated,
    /// `deleted`
    Deleted,
}

impl List {
    /// Its name in a push.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// One row of a push.
#[derive(Debug)]
struct PushedRow {
    table: TableId,
    list: List,
    /// Where it stands in the parameters' text.
    text: Range<usize>,
    /// Its id, also where the rest does not fit.
    id: Option<Box<str>>,
    row: Result<SentRow, HoldReason>,
    delete: bool,
    /// The same row elsewhere in the push, where this deletes it: its last edits.
    edits: Vec<PushedRow>,
}

/// A parsed push.
#[derive(Debug)]
pub struct Push {
    rows: Vec<PushedRow>,
    /// Rows of tables that phones do not push.
    skipped: usize,
    /// Of these, the ones that phones have: what was changed in them has to be put right there.
    own: Vec<(TableId, SentRow)>,
    last_pulled_at: f64,
    /// Which generation of the app it gives away.
    sign: Option<Generation>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    changes: BTreeMap<Lossy<'a>, &'a RawValue>,
    #[serde(borrow, rename = "lastPulledAt")]
    last_pulled_at: Option<&'a RawValue>,
    #[serde(borrow, rename = "last_pulled_at")]
    last_pulled_at_snake: Option<&'a RawValue>,
}

/// The lists of one table, as phones and the cloud send them.
#[derive(Default, Deserialize)]
pub(in crate::store) struct Lists<'a> {
    #[serde(borrow, default)]
    pub(in crate::store) created: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(in crate::store) updated: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(in crate::store) deleted: Option<Vec<&'a RawValue>>,
}

impl<'a> Lists<'a> {
    /// Lists that are missing or null are empty.
    fn parse(raw: &'a RawValue) -> Result<Self, MalformedPush> {
        match raw.get() {
            "null" => Ok(Self::default()),
            json if json.starts_with('{') => serde_json::from_str(json).map_err(|_| MalformedPush),
            _ => Err(MalformedPush),
        }
    }
}

impl Push {
    /// Parses the parameters of `sync_push`.
    ///
    /// # Errors
    /// [`MalformedPush`] if they are not the shape of a push. A row that does not fit its table is no error here.
    pub fn parse(parameters: &str) -> Result<Self, MalformedPush> {
        let body: Body<'_> = serde_json::from_str(parameters).map_err(|_| MalformedPush)?;
        let start = parameters.as_ptr() as usize;
        let mut push = Self {
            rows: Vec::new(),
            skipped: 0,
            own: Vec::new(),
            last_pulled_at: last_pulled_at(body.last_pulled_at.or(body.last_pulled_at_snake)),
            sign: None,
        };
        for (name, lists) in body.changes {
            let lists = Lists::parse(lists)?;
            let known = TableId::named(&name.0);
            let table = known.filter(|table| table.table().phone.pushes());
            let own = known.filter(|table| table.table().phone.pulls());
            push.sign = generation::sign(known.map(TableId::table), &lists).or(push.sign);
            for (list, rows) in [
                (List::Created, lists.created),
                (List::Updated, lists.updated),
                (List::Deleted, lists.deleted),
            ] {
                let rows = rows.unwrap_or_default();
                let Some(table) = table else {
                    push.skipped += rows.len();
                    push.own.extend(own.into_iter().flat_map(|own| read_own(own, &rows)));
                    continue;
                };
                push.rows.extend(rows.into_iter().map(|raw| {
                    let from = raw.get().as_ptr() as usize - start;
                    PushedRow::read(table, list, raw, from..from + raw.get().len())
                }));
            }
        }
        push.settle_repeats();
        Ok(push)
    }

    /// What the phone sent as `lastPulledAt`: 0 where it is missing or no number.
    #[must_use]
    pub const fn last_pulled_at(&self) -> f64 {
        self.last_pulled_at
    }

    /// Which generation of the app it gives away, if any.
    #[must_use]
    pub const fn sign(&self) -> Option<Generation> {
        self.sign
    }

    /// The same row may stand in several lists: a delete wins, with the others as its edits, else the last. Parents come
    /// before children.
    fn settle_repeats(&mut self) {
        let mut places: HashMap<(TableId, Box<str>), usize> = HashMap::with_capacity(self.rows.len());
        let mut settled: Vec<PushedRow> = Vec::with_capacity(self.rows.len());
        for mut pushed in std::mem::take(&mut self.rows) {
            let Some(id) = pushed.id.clone() else {
                settled.push(pushed);
                continue;
            };
            match places.entry((pushed.table, id)) {
                Entry::Vacant(place) => {
                    place.insert(settled.len());
                    settled.push(pushed);
                }
                Entry::Occupied(place) => {
                    let earlier = &mut settled[*place.get()];
                    if earlier.delete && !pushed.delete {
                        earlier.edits.push(pushed);
                    } else {
                        pushed.edits = std::mem::take(&mut earlier.edits);
                        let superseded = std::mem::replace(earlier, pushed);
                        if earlier.delete {
                            earlier.edits.push(superseded);
                        }
                    }
                }
            }
        }
        settled.sort_by_key(|pushed| pushed.table);
        self.rows = settled;
    }
}

/// The rows of a table that phones have and do not push. Those that are no rows do not matter to anybody.
fn read_own(table: TableId, rows: &[&RawValue]) -> impl Iterator<Item = (TableId, SentRow)> {
    let read = move |raw: &&RawValue| read_deleted(table.table(), raw.get(), Source::Phone).ok();
    rows.iter().filter_map(read).map(move |row| (table, row))
}

impl PushedRow {
    fn read(table: TableId, list: List, raw: &RawValue, text: Range<usize>) -> Self {
        let read = match list {
            List::Created | List::Updated => read_row(table.table(), raw.get(), Source::Phone),
            List::Deleted => read_deleted(table.table(), raw.get(), Source::Phone).map(|row| (row, None)),
        };
        let (id, row) = match read {
            Ok((row, None)) => (Some(row.id.clone()), Ok(row)),
            Ok((row, Some(misfit))) => (Some(row.id), Err(HoldReason::WrongType(misfit))),
            Err(reason) => (None, Err(reason)),
        };
        let flagged = row.as_ref().is_ok_and(|row| row.is_flagged_deleted(table.table()));
        Self {
            table,
            list,
            text,
            id,
            row,
            delete: flagged || list == List::Deleted,
            edits: Vec::new(),
        }
    }
}

/// A phone's idea of when it pulled last: a number or a numeric string, else 0.
#[must_use]
pub fn last_pulled_at(raw: Option<&RawValue>) -> f64 {
    let text = raw.map_or("0", |raw| raw.get().trim_matches('"'));
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
        .unwrap_or(0.0)
}

/// How many rows of a push went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushSummary {
    /// Inserted, updated or deleted.
    pub written: usize,
    /// Already so, or lost against a deletion.
    pub unchanged: usize,
    /// Held for a person.
    pub held: usize,
    /// Of tables that phones do not push.
    pub skipped: usize,
}

impl PushSummary {
    const fn count(&mut self, applied: &Result<Applied, HoldReason>) {
        match applied {
            Ok(Applied::Inserted | Applied::Updated | Applied::Deleted) => self.written += 1,
            Ok(Applied::Unchanged | Applied::LostToDelete | Applied::NothingToDelete) => self.unchanged += 1,
            Err(_) => self.held += 1,
        }
    }
}

impl Push {
    /// Applies the push in the open transaction. `parameters` is the text that it was parsed from.
    ///
    /// # Errors
    /// What SQLite reports; then nothing of the push may stay.
    pub fn apply(
        self,
        tx: &mut WriteTx<'_>,
        parameters: &str,
        author: &Author,
        seen: Seen,
        gate: &mut dyn Gatekeeper,
    ) -> Result<PushSummary, StoreError> {
        let mut summary = PushSummary {
            skipped: self.skipped,
            ..PushSummary::default()
        };
        let mut applier = Applier::new(tx, author.clone(), seen);
        for mut pushed in self.rows {
            applier.tx().take_row()?;
            let applied = apply_or_undo(&mut applier, &mut pushed, gate)?;
            // Who may not delete a row may have edited it all the same.
            let edits = if applied.is_err() {
                std::mem::take(&mut pushed.edits)
            } else {
                Vec::new()
            };
            summary.count(&applied);
            if let Err(reason) = applied {
                hold(&mut applier, &pushed, parameters, reason)?;
            }
            for mut edit in edits {
                let applied = apply_or_undo(&mut applier, &mut edit, gate)?;
                summary.count(&applied);
                if let Err(reason) = applied {
                    hold(&mut applier, &edit, parameters, reason)?;
                }
            }
        }
        for (table, row) in &self.own {
            applier.tx().take_row()?;
            put_right(&mut applier, *table, row)?;
        }
        Ok(summary)
    }
}

/// Writes one row of somebody who waits for how it ends, by the rules of a pushed one.
///
/// # Errors
/// What SQLite reports; then nothing of the row may stay.
pub fn write_row(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: SentRow,
    delete: bool,
    gate: &mut dyn Gatekeeper,
) -> Result<Result<Applied, HoldReason>, StoreError> {
    applier.tx().take_row()?;
    let mut pushed = PushedRow {
        table,
        list: List::Updated,
        text: 0..0,
        edits: Vec::new(),
        id: Some(row.id.clone()),
        row: Ok(row),
        delete,
    };
    apply_row(applier, &mut pushed, gate)
}

/// Makes the phone get the hub's version of a row that it changed and may not push.
fn put_right(applier: &mut Applier<'_, '_>, table: TableId, row: &SentRow) -> Result<(), StoreError> {
    let Some(stored) = applier.stored(table, &row.id)? else {
        return Ok(());
    };
    let mut cells = row.cells.iter().zip(&stored.cells);
    let as_stored = cells.all(|(sent, stored)| sent.as_ref().is_none_or(|sent| sent.means(stored)));
    if stored.deleted || !as_stored {
        applier.resend(table, &row.id)?;
    }
    Ok(())
}

/// No row makes the others fail: what the database does not take of one is undone, and the row held.
fn apply_or_undo(
    applier: &mut Applier<'_, '_>,
    pushed: &mut PushedRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Result<Applied, HoldReason>, StoreError> {
    if let Err(reason) = &pushed.row {
        return Ok(Err(reason.clone()));
    }
    applier.tx().begin_part()?;
    match apply_row(applier, pushed, gate) {
        Err(error) if error.is_of_the_values() => {
            applier.tx().undo_part()?;
            Ok(Err(HoldReason::DoesNotFit))
        }
        applied => {
            applier.tx().keep_part()?;
            applied
        }
    }
}

fn apply_row(
    applier: &mut Applier<'_, '_>,
    pushed: &mut PushedRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Result<Applied, HoldReason>, StoreError> {
    let row = match &mut pushed.row {
        Ok(row) => row,
        Err(reason) => return Ok(Err(reason.clone())),
    };
    let table = pushed.table;
    let stored = applier.stored(table, &row.id)?;
    row.settle_nulls(table.table(), stored.as_ref());
    let row = &*row;
    let operation = match (&stored, pushed.delete) {
        (_, true) => Operation::Delete,
        (None, false) => Operation::Create,
        (Some(_), false) => Operation::Edit,
    };
    let clinics = clinics_of(applier.tx(), table, stored.as_ref(), row)?;
    let access = Access {
        table,
        operation,
        stored: stored.as_ref(),
        sent: row,
        clinics,
        base: applier.seen().base,
    };
    if !gate.permits(applier.tx(), &access)? {
        return Ok(Err(HoldReason::NotPermitted));
    }
    if operation == Operation::Delete {
        let edits = pushed.edits.iter().filter_map(|edit| edit.row.as_ref().ok());
        return applier.delete_after(table, row, edits, stored.as_ref()).map(Ok);
    }
    if stored.is_none()
        && let Some(column) = missing_value(table.table(), row)
    {
        return Ok(Err(HoldReason::MissingValue(column)));
    }
    applier.put(table, row, stored.as_ref()).map(Ok)
}

/// The first column that a new row must have and that was not sent. (A null stands for the empty value.)
fn missing_value(table: &'static Table, row: &SentRow) -> Option<&'static str> {
    let mut columns = table.columns.iter().zip(&row.cells);
    columns
        .find(|(column, sent)| column.required && column.on_phone && sent.is_none())
        .map(|(column, _)| column.name)
}

/// The clinics that a row is tied to: as it is stored and as it is to be.
fn clinics_of(
    tx: &WriteTx<'_>,
    table: TableId,
    stored: Option<&StoredRow>,
    row: &SentRow,
) -> Result<Vec<String>, StoreError> {
    let mut clinics = Vec::with_capacity(2);
    if let Some(stored) = stored {
        clinics.extend(people::clinic_of(tx.connection(), table, |index| {
            Some(&stored.cells[index])
        })?);
    }
    let after = |index: usize| {
        row.cells[index]
            .as_ref()
            .or_else(|| stored.map(|stored| &stored.cells[index]))
    };
    clinics.extend(people::clinic_of(tx.connection(), table, after)?);
    clinics.dedup();
    Ok(clinics)
}

/// Holds a row; `parameters` is the text of the whole push.
fn hold(
    applier: &mut Applier<'_, '_>,
    pushed: &PushedRow,
    parameters: &str,
    reason: HoldReason,
) -> Result<(), StoreError> {
    let id = pushed.id.clone();
    let held_at = applier.tx().now();
    let author = &applier.author().clone();
    let held = HeldRow {
        direction: Direction::Phone,
        table: pushed.table,
        row_id: id.as_deref(),
        list: pushed.list,
        row: &parameters[pushed.text.clone()],
        reason,
        base: applier.seen().base,
        author,
        held_at,
    };
    held::hold(applier.tx(), &held)?;
    // A phone whose edit is held gets the hub's version back at its next pull.
    if let Some(id) = id
        && applier.stored(pushed.table, &id)?.is_some()
    {
        applier.resend(pushed.table, &id)?;
    }
    Ok(())
}
