//! A bundle at the desk, as an outbox of the relay's push: its rows, what the cloud holds of them already, and what becomes of
//! each.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::contents::Row;
use super::{CourierError, MAX_ROW_BYTES, MAX_ROWS};
use crate::clock::HubTime;
use crate::relay::batch::{List as Of, Prepared, ROWS};
use crate::relay::outbox::{Outbox, Place, tables};
use crate::store::StoreError;
use crate::store::relay::{CloudRow, Digests, Sent, Spool, compare_cloud_row};
use crate::store::schema::TableId;
use crate::store::sync::lists::List;

/// What has become of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is to be pushed.
    Waiting,
    /// The cloud has it.
    There,
    /// The cloud said that it took it.
    Taken,
    /// The cloud refuses it.
    Refused,
    /// The hub has to hear of the cloud's own change first, or of what it belongs to; then it is packed again.
    Later,
}

struct Piece {
    row: Prepared,
    /// What the cloud's row is compared with: what it is to become, and what it may be by now.
    like: Vec<Digests>,
}

/// The rows of a bundle.
#[derive(Default)]
pub(super) struct Parcel {
    pieces: Vec<Piece>,
    places: HashMap<(TableId, Box<str>), usize>,
    bytes: u64,
    /// As far as it is known.
    fates: RefCell<Vec<Fate>>,
    /// Rows that the cloud does not have and will not get just now: what names them has to wait.
    away: RefCell<HashSet<Box<str>>>,
}

impl Parcel {
    /// Adds a row of the bundle.
    pub(super) fn add(&mut self, Row(row): Row) -> Result<(), CourierError> {
        self.bytes += row.json.len() as u64;
        if self.pieces.len() as u64 >= MAX_ROWS || self.bytes > MAX_ROW_BYTES {
            return Err(CourierError::TooLarge);
        }
        let key = (row.sent.table, row.sent.id.clone());
        if self.places.insert(key, self.pieces.len()).is_some() {
            return Err(CourierError::Damaged);
        }
        let like = row.sent.digests.iter().chain(&row.before).cloned().collect();
        self.pieces.push(Piece { row, like });
        self.fates.get_mut().push(Fate::Waiting);
        Ok(())
    }

    /// Looks at what the cloud has told before anything is pushed. A row that it has changed itself is for the hub to
    /// merge; one that it has as the bundle has it is not sent.
    pub(super) fn look_at(&mut self, spool: &Spool) -> Result<(), CourierError> {
        for table in tables(false) {
            let mut seen: Vec<(usize, CloudRow)> = Vec::new();
            for list in [List::Created, List::Updated] {
                spool.rows_of(table, list, |json| {
                    let like = |id: &str| self.place(table, id).map_or(&[][..], |at| &self.pieces[at].like);
                    let row = compare_cloud_row(table, json, like);
                    seen.extend(row.and_then(|(id, row)| Some((self.place(table, &id)?, row))));
                    Ok(())
                })?;
            }
            for (at, row) in seen {
                self.saw(at, row);
            }
            let mut gone = Vec::new();
            spool.rows_of(table, List::Deleted, |json| {
                gone.extend(serde_json::from_str::<String>(json));
                Ok(())
            })?;
            for id in gone {
                if let Some(at) = self.place(table, &id) {
                    let is_deletion = self.pieces[at].row.list == Of::Deleted;
                    self.fates.get_mut()[at] = if is_deletion { Fate::There } else { Fate::Later };
                }
                self.away.get_mut().insert(id.into());
            }
        }
        Ok(())
    }

    fn place(&self, table: TableId, id: &str) -> Option<usize> {
        self.places.get(&(table, id.into())).copied()
    }

    fn saw(&mut self, at: usize, seen: CloudRow) {
        let Piece { row, .. } = &mut self.pieces[at];
        if row.list == Of::Deleted {
            return;
        }
        self.fates.get_mut()[at] = match seen.like {
            Some(0) => Fate::There,
            Some(_) => match outlasting(&row.json, seen.updated_at) {
                Some(json) => {
                    row.json = json;
                    row.list = Of::Updated;
                    Fate::Waiting
                }
                None => Fate::Later,
            },
            None => Fate::Later,
        };
    }

    /// Rows of clinics that the cloud did not give to this hub are dropped by it without a word: they are not sent.
    pub(super) fn keep_to(&mut self, clinics: &[String]) {
        for at in 0..self.pieces.len() {
            let row = &self.pieces[at].row;
            let column = row.sent.table.table().clinic_column;
            let json = column.and_then(|_| serde_json::from_str::<Map<String, Value>>(&row.json).ok());
            let clinic = json.and_then(|json| Some(json.get(column?)?.as_str()?.to_owned()));
            if clinic.is_some_and(|clinic| !clinics.iter().any(|own| own.eq_ignore_ascii_case(&clinic))) {
                self.fates.get_mut()[at] = Fate::Later;
                let id = self.pieces[at].row.sent.id.clone();
                self.away.get_mut().insert(id);
            }
        }
    }

    /// How many rows have this fate.
    pub(super) fn count(&self, fate: Fate) -> usize {
        self.fates.borrow().iter().filter(|known| **known == fate).count()
    }

    /// What became of each row.
    pub(super) fn fates(&self) -> Vec<(&Sent, Fate)> {
        let sent = self.pieces.iter().map(|piece| &piece.row.sent);
        sent.zip(self.fates.borrow().iter().copied()).collect()
    }

    fn set(&self, rows: &[Sent], fate: Fate) {
        let mut fates = self.fates.borrow_mut();
        for row in rows {
            if let Some(at) = self.place(row.table, &row.id) {
                fates[at] = fate;
            }
        }
    }

    /// Whether the row names one that is not there.
    fn has_to_wait(&self, row: &Prepared) -> bool {
        let away = self.away.borrow();
        if away.is_empty() || row.list == Of::Deleted {
            return false;
        }
        let json: Map<String, Value> = serde_json::from_str(&row.json).unwrap_or_default();
        let named = json.values().filter_map(Value::as_str);
        named.into_iter().any(|value| away.contains(value))
    }
}

impl Outbox for Parcel {
    fn read_on(&self, queue: &mut VecDeque<Prepared>, next: &mut Place, deleted: bool) -> Result<(), StoreError> {
        let tables = tables(deleted);
        while queue.len() < ROWS && next.table < tables.len() {
            let table = tables[next.table];
            // The hub packed them in the order in which they go.
            let from = usize::try_from(next.after.1).unwrap_or(0);
            let pieces = self.pieces.iter().enumerate().skip(from).filter(|(at, piece)| {
                let row = &piece.row;
                let is_of_this = row.sent.table == table && (row.list == Of::Deleted) == deleted;
                is_of_this && self.fates.borrow()[*at] == Fate::Waiting
            });
            let found: Vec<(usize, &Prepared)> = pieces.take(ROWS).map(|(at, piece)| (at, &piece.row)).collect();
            let last = found.last().map(|(at, _)| at + 1).filter(|_| found.len() == ROWS);
            for (at, row) in found {
                if self.has_to_wait(row) {
                    self.fates.borrow_mut()[at] = Fate::Later;
                    self.away.borrow_mut().insert(row.sent.id.clone());
                } else {
                    queue.push_back(row.clone());
                }
            }
            *next = match last {
                Some(behind) => Place {
                    after: (HubTime::ZERO, i64::try_from(behind).unwrap_or(i64::MAX)),
                    table: next.table,
                },
                None => Place::at(next.table + 1),
            };
        }
        Ok(())
    }

    fn note_sent(&self, _: Vec<Sent>) -> Result<(), StoreError> {
        Ok(())
    }

    fn note_answered(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.set(&sent, Fate::Taken);
        Ok(())
    }

    fn note_not_sent(&self, _: Vec<Sent>) -> Result<(), StoreError> {
        Ok(())
    }

    fn refuse(&self, refused: Vec<Sent>) -> Result<(), StoreError> {
        self.set(&refused, Fate::Refused);
        let ids = refused.into_iter().map(|row| row.id);
        self.away.borrow_mut().extend(ids);
        Ok(())
    }
}

/// The row with an `updated_at` that is later than the cloud's own, which it keeps otherwise, without a word.
fn outlasting(json: &str, cloud_updated_at: i64) -> Option<Box<str>> {
    let mut row: Map<String, Value> = serde_json::from_str(json).ok()?;
    let own = row.get("updated_at").and_then(Value::as_str);
    let own = own.and_then(|text| text.parse::<jiff::Timestamp>().ok());
    if own.is_some_and(|own| own.as_millisecond() > cloud_updated_at) || !row.contains_key("updated_at") {
        return Some(json.into());
    }
    let later = jiff::Timestamp::from_millisecond(cloud_updated_at + 1).ok()?;
    row.insert("updated_at".into(), format!("{later:.3}").into());
    Some(Value::Object(row).to_string().into())
}
