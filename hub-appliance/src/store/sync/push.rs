//! A phone's push as it is read: row by row, each as far as it can be read, the same row once. [`taking`](super::taking)
//! takes it in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::generation::{self, Generation};
use super::held::HoldReason;
use super::limits::{MAX_ROW_WITH_PHOTO, MAX_ROWS, MAX_TABLES};
use super::lists::{List, Lists, rows_in};
use super::newer::MAX_NAME;
use super::sent::{SentRow, is_too_long, is_usable, read_deleted, read_row};
use crate::bounded::FewFields;
use crate::lossy::Lossy;
use crate::store::schema::TableId;
use crate::store::value::{Source, read_time};

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

/// One row of a push.
#[derive(Debug)]
pub(super) struct PushedRow {
    pub(super) table: TableId,
    pub(super) list: List,
    /// Where it stands in the parameters' text.
    pub(super) text: Range<usize>,
    /// Its id, also where the rest does not fit.
    pub(super) id: Option<Box<str>>,
    pub(super) row: Result<SentRow, HoldReason>,
    pub(super) delete: bool,
    /// The same row elsewhere in the push, where this deletes it: its last edits.
    pub(super) edits: Vec<PushedRow>,
}

/// One row of a table that this firmware does not know.
#[derive(Debug)]
pub(super) struct UnknownRow {
    pub(super) table: Box<str>,
    pub(super) list: List,
    /// Where it stands in the parameters' text.
    pub(super) text: Range<usize>,
    pub(super) id: Option<Box<str>>,
}

/// A parsed push.
#[derive(Debug)]
pub struct Push {
    pub(super) rows: Vec<PushedRow>,
    /// Rows of tables of newer apps.
    pub(super) unknown: Vec<UnknownRow>,
    /// Rows of tables that phones do not push.
    pub(super) skipped: usize,
    /// Of these, the ones that phones have: what was changed in them has to be put right there.
    pub(super) own: Vec<(TableId, SentRow)>,
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
    let number = json
        .trim_matches('"')
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite());
    #[allow(clippy::cast_precision_loss, reason = "times are within what a f64 holds exactly")]
    let time = || read_time(json).map_or(0.0, |millis| millis as f64);
    number.unwrap_or_else(time)
}
