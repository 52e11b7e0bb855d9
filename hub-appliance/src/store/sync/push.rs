//! A phone's push: parsed row by row, then applied in one transaction.
//!
//! One bad row does not stop a phone: what does not fit its table, or what the user may not write, is held; the rest
//! lands (protocol, "Sync").

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::apply::{Applied, Applier};
use super::cursors::Seen;
use super::gatekeeper::Gatekeeper;
use super::generation::{self, Generation};
use super::held::{self, Direction, HeldRow, HoldReason};
use super::history::Author;
use super::judge::{self, Verdict, judge};
use super::limits::{MAX_ROW_WITH_PHOTO, MAX_ROWS, MAX_TABLES};
use super::newer::{self, MAX_NAME};
use super::quota::Quota;
use super::release;
use super::sent::{SentRow, is_too_long, is_usable, read_deleted, read_row};
use crate::bounded::FewFields;
use crate::lossy::Lossy;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::{ColumnSet, TableId};
use crate::store::value::{Cell, Source, read_time};
use crate::store::writer::WriteTx;

/// Why a push is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusablePush {
    /// The body is not the shape of a push.
    #[error("the push is malformed")]
    Malformed,
    /// It has more rows than a push may have.
    #[error("the push has too many rows")]
    TooLarge,
}

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

/// One row of a table that this firmware does not know.
#[derive(Debug)]
struct UnknownRow {
    table: Box<str>,
    list: List,
    /// Where it stands in the parameters' text.
    text: Range<usize>,
    id: Option<Box<str>>,
}

/// A parsed push.
#[derive(Debug)]
pub struct Push {
    rows: Vec<PushedRow>,
    /// Rows of tables of newer apps.
    unknown: Vec<UnknownRow>,
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
    changes: FewFields<'a, MAX_TABLES>,
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
    fn parse(raw: &'a RawValue) -> Result<Self, UnusablePush> {
        match raw.get() {
            "null" => Ok(Self::default()),
            json if json.starts_with('{') => serde_json::from_str(json).map_err(|_| UnusablePush::Malformed),
            _ => Err(UnusablePush::Malformed),
        }
    }
}

impl Push {
    /// Parses the parameters of `sync_push`.
    ///
    /// # Errors
    /// [`UnusablePush`] if they are not the shape of a push, or have too many rows. A row that does not fit its table is no error here.
    pub fn parse(parameters: &str) -> Result<Self, UnusablePush> {
        let body: Body<'_> = serde_json::from_str(parameters).map_err(|_| UnusablePush::Malformed)?;
        let rows: usize = body.changes.0.values().map(|lists| rows_in(lists)).sum();
        if rows > MAX_ROWS {
            return Err(UnusablePush::TooLarge);
        }
        let start = parameters.as_ptr() as usize;
        let mut push = Self {
            rows: Vec::new(),
            unknown: Vec::new(),
            skipped: 0,
            own: Vec::new(),
            last_pulled_at: last_pulled_at(body.last_pulled_at.or(body.last_pulled_at_snake)),
            sign: None,
        };
        for (name, lists) in body.changes.0 {
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
                let place = |raw: &RawValue| {
                    let from = raw.get().as_ptr() as usize - start;
                    from..from + raw.get().len()
                };
                if known.is_none() && name.0.len() <= MAX_NAME {
                    push.unknown.extend(rows.into_iter().map(|raw| UnknownRow {
                        table: (*name.0).into(),
                        list,
                        text: place(raw),
                        id: id_of(raw),
                    }));
                    continue;
                }
                let Some(table) = table else {
                    push.skipped += rows.len();
                    push.own.extend(own.into_iter().flat_map(|own| read_own(own, &rows)));
                    continue;
                };
                push.rows.extend(
                    rows.into_iter()
                        .map(|raw| PushedRow::read(table, list, raw, place(raw))),
                );
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

    /// Whether it is a forced upload, as far as its text tells; `parameters` is what it was parsed from.
    #[must_use]
    pub fn is_forced(&self, parameters: &str) -> bool {
        self.sign == Some(Generation::V15) && parameters.contains(&format!("\"{}\":", generation::OF_FORCED_UPLOAD))
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
                    } else if pushed.row.is_err() && earlier.row.is_ok() {
                        // What can't be stored takes the place of nothing: it is held beside what can.
                        settled.push(pushed);
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

/// How many rows the lists of a table have, counted before any of them takes memory.
fn rows_in(lists: &RawValue) -> usize {
    /// Of a list.
    struct Elements(usize);
    impl<'de> Deserialize<'de> for Elements {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Count;
            impl<'de> Visitor<'de> for Count {
                type Value = Elements;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list")
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Elements, A::Error> {
                    let mut count = 0;
                    while rows.next_element::<IgnoredAny>()?.is_some() {
                        count += 1;
                    }
                    Ok(Elements(count))
                }
            }
            deserializer.deserialize_seq(Count)
        }
    }
    /// Of all lists, whatever they are called.
    struct Rows(usize);
    impl<'de> Deserialize<'de> for Rows {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Sum;
            impl<'de> Visitor<'de> for Sum {
                type Value = Rows;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("lists by name")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut lists: A) -> Result<Rows, A::Error> {
                    let mut sum = 0;
                    while lists.next_key::<IgnoredAny>()?.is_some() {
                        let list: &RawValue = lists.next_value()?;
                        sum += serde_json::from_str(list.get()).map_or(0, |Elements(rows)| rows);
                    }
                    Ok(Rows(sum))
                }
            }
            deserializer.deserialize_map(Sum)
        }
    }
    // What is no map of lists is told apart when it is read.
    serde_json::from_str(lists.get()).map_or(0, |Rows(rows)| rows)
}

/// The id of a row of which nothing else is known.
fn id_of(raw: &RawValue) -> Option<Box<str>> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        id: Lossy<'a>,
    }
    let Lossy(id) = if raw.get().starts_with('"') {
        serde_json::from_str(raw.get()).ok()?
    } else {
        serde_json::from_str::<Id<'_>>(raw.get()).ok()?.id
    };
    is_usable(&id).then(|| id.into())
}

impl PushedRow {
    fn read(table: TableId, list: List, raw: &RawValue, text: Range<usize>) -> Self {
        let read = match list {
            _ if text.len() > MAX_ROW_WITH_PHOTO => Err(HoldReason::TooLarge),
            List::Created | List::Updated => read_row(table.table(), raw.get(), Source::Phone),
            List::Deleted => read_deleted(table.table(), raw.get(), Source::Phone).map(|row| (row, None)),
        };
        let (id, row) = match read {
            Ok((row, _)) if is_too_long(table.table(), &row, text.len()) => (Some(row.id), Err(HoldReason::TooLarge)),
            Ok((row, None)) => (Some(row.id.clone()), Ok(row)),
            // Of a row that is deleted only the id has to fit, in whichever list it stands.
            Ok((row, Some(_))) if row.is_flagged_deleted(table.table()) => (Some(row.id.clone()), Ok(row)),
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

/// A phone's idea of when it pulled last: a number, a numeric string or ISO 8601, else 0.
#[must_use]
pub fn last_pulled_at(raw: Option<&RawValue>) -> f64 {
    let json = raw.map_or("0", RawValue::get);
    // Beyond what a time can be it is a number all the same, and counts as one that the hub never gave.
    let number = json.trim_matches('"').parse().ok().filter(|number: &f64| number.is_finite());
    #[allow(clippy::cast_precision_loss, reason = "times are within what a f64 holds exactly")]
    let time = || read_time(json).map_or(0.0, |millis| millis as f64);
    number.unwrap_or_else(time)
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
    const fn count(&mut self, applied: Applied) {
        match applied {
            Applied::Inserted | Applied::Updated | Applied::Deleted => self.written += 1,
            Applied::Unchanged | Applied::LostToDelete | Applied::NothingToDelete => self.unchanged += 1,
        }
    }
}

impl Push {
    /// Applies the push in the open transaction. `parameters` is the text that it was parsed from.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`], or what SQLite reports; then nothing of the push may stay.
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
        let quota = Quota::of(tx, author.device)?;
        let mut taking = Taking {
            applier: Applier::new(tx, author.clone(), seen),
            author,
            quota,
            summary: &mut summary,
        };
        for pushed in self.rows {
            taking.row(pushed, parameters, gate)?;
        }
        for row in &self.unknown {
            taking.unknown(row, &parameters[row.text.clone()])?;
        }
        for (table, row) in &self.own {
            taking.applier.tx().take_row()?;
            put_right(&mut taking.applier, *table, row)?;
        }
        let Taking { mut applier, quota, .. } = taking;
        quota.settle(applier.tx())?;
        Ok(summary)
    }
}

/// A push that is being taken in.
struct Taking<'t, 'c, 'a> {
    applier: Applier<'t, 'c>,
    author: &'a Author,
    quota: Quota,
    summary: &'a mut PushSummary,
}

impl Taking<'_, '_, '_> {
    /// Takes one row in; `parameters` is the text of the whole push.
    fn row(&mut self, mut pushed: PushedRow, parameters: &str, gate: &mut dyn Gatekeeper) -> Result<(), StoreError> {
        self.applier.tx().take_row()?;
        let text = &parameters[pushed.text.clone()];
        let (table, list) = (pushed.table, pushed.list);
        let outcome = apply_or_undo(&mut self.applier, &mut pushed, gate)?;
        match outcome.applied {
            Ok(applied) => {
                let before = self.summary.written;
                self.summary.count(applied);
                if self.summary.written > before {
                    self.quota.write(text.len());
                }
                if let Ok(row) = &pushed.row {
                    if applied == Applied::Inserted {
                        self.applier.note_author(table, row)?;
                        if self.quota.holds_any() {
                            release::superseded(self.applier.tx(), table, &row.id, self.author.device)?;
                        }
                    }
                    if row.converted {
                        self.applier.resend(table, &row.id)?;
                    }
                }
            }
            Err(reason) => {
                self.hold(table, list, pushed.id.as_deref(), text, reason)?;
                // Who may not delete a row may have edited it all the same.
                for edit in std::mem::take(&mut pushed.edits) {
                    self.row(edit, parameters, gate)?;
                }
            }
        }
        if let (Some((columns, reason)), Ok(row)) = (outcome.apart, &pushed.row) {
            let columns = part_of(table, row, columns);
            self.hold(table, List::Updated, Some(&row.id), &columns, reason)?;
        }
        Ok(())
    }

    /// Holds a row; a phone whose edit is held gets the hub's version back at its next pull.
    fn hold(
        &mut self,
        table: TableId,
        list: List,
        row_id: Option<&str>,
        row: &str,
        reason: HoldReason,
    ) -> Result<(), StoreError> {
        let held = self.held(table, list, row_id, row, reason);
        let bytes = held::hold(self.applier.tx(), &held)?;
        self.quota.hold(bytes)?;
        self.summary.held += 1;
        if let Some(id) = row_id
            && self.applier.stored(table, id)?.is_some()
        {
            self.applier.resend(table, id)?;
        }
        Ok(())
    }

    fn unknown(&mut self, row: &UnknownRow, text: &str) -> Result<(), StoreError> {
        self.applier.tx().take_row()?;
        // The table is named beside it.
        let Some(any) = TableId::all().next() else {
            return Ok(());
        };
        let held = self.held(any, row.list, row.id.as_deref(), text, HoldReason::UnknownTable);
        let bytes = held::hold_as(self.applier.tx(), &row.table, &held)?;
        self.quota.hold(bytes)?;
        self.summary.held += 1;
        Ok(())
    }

    fn held<'r>(
        &mut self,
        table: TableId,
        list: List,
        row_id: Option<&'r str>,
        row: &'r str,
        reason: HoldReason,
    ) -> HeldRow<'r>
    where
        Self: 'r,
    {
        HeldRow {
            direction: Direction::Phone,
            table,
            row_id,
            list,
            row,
            reason,
            base: self.applier.seen().base,
            author: self.author,
            held_at: self.applier.tx().now(),
        }
    }
}

/// Columns of a row as a row of their own, to be held.
fn part_of(table: TableId, row: &SentRow, columns: ColumnSet) -> String {
    let definition = table.table().columns;
    let mut part = serde_json::Map::new();
    let mut names = Vec::new();
    for (index, column) in definition.iter().enumerate() {
        let wanted = columns.contains(index);
        if let Some(cell) = row.cells[index]
            .as_ref()
            .filter(|_| wanted || matches!(column.name, "id" | "updated_at"))
        {
            part.insert(column.name.into(), cell.to_json());
            names.extend(wanted.then_some(column.name));
        }
    }
    part.insert("_changed".into(), names.join(",").into());
    serde_json::Value::Object(part).to_string()
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
    let outcome = apply_row(applier, &mut pushed, gate)?;
    // Nobody who waits for an answer is told of half a row.
    Ok(outcome.apart.map_or(outcome.applied, |(_, reason)| Err(reason)))
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

/// What became of a pushed row, and what of it is held apart.
struct Outcome {
    applied: Result<Applied, HoldReason>,
    apart: Option<(ColumnSet, HoldReason)>,
}

impl From<Result<Applied, HoldReason>> for Outcome {
    fn from(applied: Result<Applied, HoldReason>) -> Self {
        Self { applied, apart: None }
    }
}

/// No row makes the others fail: what the database does not take of one is undone, and the row held.
fn apply_or_undo(
    applier: &mut Applier<'_, '_>,
    pushed: &mut PushedRow,
    gate: &mut dyn Gatekeeper,
) -> Result<Outcome, StoreError> {
    if let Err(reason) = &pushed.row {
        return Ok(Err(reason.clone()).into());
    }
    applier.tx().begin_part()?;
    match apply_row(applier, pushed, gate) {
        Err(error) if error.is_of_the_values() => {
            applier.tx().undo_part()?;
            Ok(Err(HoldReason::DoesNotFit).into())
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
) -> Result<Outcome, StoreError> {
    let row = match &mut pushed.row {
        Ok(row) => row,
        Err(reason) => return Ok(Err(reason.clone()).into()),
    };
    let table = pushed.table;
    let stored = applier.stored(table, &row.id)?;
    row.settle_nulls(table.table(), stored.as_ref());
    let edits: Vec<&SentRow> = pushed.edits.iter().filter_map(|edit| edit.row.as_ref().ok()).collect();
    // A bare id says nothing of a row that the hub never had; what was edited last does.
    let whole = std::iter::once(&*row)
        .chain(edits.iter().rev().copied())
        .find(|row| row.is_whole());
    let judged = whole.unwrap_or(row);
    let verdict = judge(applier, table, judged, stored.as_ref(), pushed.delete, gate)?;
    let apart = match verdict {
        Verdict::Hold(reason) => return Ok(Err(reason).into()),
        Verdict::Nothing => {
            if let Some(stored) = &stored
                && !pushed.delete
                && judge::differs(table, row, stored)
            {
                applier.resend(table, &row.id)?;
            }
            return Ok(Ok(Applied::Unchanged).into());
        }
        Verdict::WriteWithout(columns, reason) => Some((columns, reason)),
        Verdict::Write => None,
    };
    let kept = row.cells.clone();
    if let Some((columns, _)) = apart {
        let cells = row.cells.iter_mut().enumerate();
        cells
            .filter(|(index, _)| columns.contains(*index))
            .for_each(|(_, cell)| *cell = None);
    }
    let deletion = pushed.delete.then_some(&*edits);
    let applied = write(applier, table, row, stored.as_ref(), deletion, gate)?;
    row.cells = kept;
    Ok(Outcome {
        applied: Ok(applied),
        apart,
    })
}

/// Writes a row that was judged, with the columns of newer apps. A deletion comes with the row's last edits, the oldest
/// first, and takes along what hangs on it.
pub(super) fn write(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
    deletion: Option<&[&SentRow]>,
    gate: &mut dyn Gatekeeper,
) -> Result<Applied, StoreError> {
    if let Some(edits) = deletion {
        if let Some(stored) = stored.filter(|stored| !stored.deleted) {
            let spared = judge::spared(applier, table, row, stored, gate)?;
            applier.spare(spared);
        }
        return applier.delete_after(table, row, edits.iter().copied(), stored);
    }
    let applied = applier.put(table, row, stored)?;
    if row.newer.is_empty() || applied == Applied::LostToDelete {
        return Ok(applied);
    }
    write_newer(applier, table, row, stored, applied)
}

fn write_newer(
    applier: &mut Applier<'_, '_>,
    table: TableId,
    row: &SentRow,
    stored: Option<&StoredRow>,
    applied: Applied,
) -> Result<Applied, StoreError> {
    let edited_at = table
        .table()
        .column("updated_at")
        .and_then(|index| row.cells[index].as_ref());
    let (author, base) = (applier.author().clone(), applier.seen().base);
    let sender = newer::Sender {
        author: &author,
        base,
        edited_at: edited_at.and_then(Cell::as_integer).unwrap_or(0),
    };
    let merged = newer::merge(applier.tx(), table, &row.id, &row.newer, sender)?;
    if merged.differs {
        applier.resend(table, &row.id)?;
    }
    match (merged.written, applied, stored) {
        (true, Applied::Unchanged, Some(stored)) => {
            applier.stamp(table, &row.id, stored)?;
            Ok(Applied::Updated)
        }
        _ => Ok(applied),
    }
}
