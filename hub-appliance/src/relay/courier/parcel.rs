//! A bundle at the desk, as an outbox of the relay's push: its rows, what the cloud holds of them already, and what becomes of
//! each. The rows themselves are on a shelf: there may be more of them than memory.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::{Map, Value};

use super::contents::{Row, row_line, row_of};
use super::{CourierError, MAX_ROW_BYTES, MAX_ROWS};
use crate::clock::HubTime;
use crate::relay::batch::{List as Of, Prepared, ROWS};
use crate::relay::outbox::{Outbox, Place, tables};
use crate::store::StoreError;
use crate::store::relay::{CloudRow, Delivered, Digests, Sent, Shelf, Spool, compare_cloud_row};
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

/// A row of the bundle, by its number there.
struct Piece {
    table: TableId,
    is_deletion: bool,
    /// As far as it is known.
    fate: Fate,
}

/// The rows of a bundle.
pub(super) struct Parcel {
    shelf: Shelf,
    pieces: RefCell<Vec<Piece>>,
    places: HashMap<(TableId, Box<str>), usize>,
    bytes: u64,
    /// Rows that the cloud does not have and will not get just now: what names them has to wait.
    away: RefCell<HashSet<Box<str>>>,
}

impl Parcel {
    /// Without rows.
    pub(super) fn on(shelf: Shelf) -> Self {
        Self {
            shelf,
            pieces: RefCell::default(),
            places: HashMap::new(),
            bytes: 0,
            away: RefCell::default(),
        }
    }

    /// Adds a row of the bundle.
    pub(super) fn add(&mut self, Row(row): Row) -> Result<(), CourierError> {
        let at = self.places.len();
        self.bytes += row.json.len() as u64;
        if at as u64 >= MAX_ROWS || self.bytes > MAX_ROW_BYTES {
            return Err(CourierError::TooLarge);
        }
        self.shelf.put(at, &row_line(&row)?)?;
        self.pieces.get_mut().push(Piece {
            table: row.sent.table,
            is_deletion: row.list == Of::Deleted,
            fate: Fate::Waiting,
        });
        let is_another = self.places.insert((row.sent.table, row.sent.id), at).is_some();
        if is_another { Err(CourierError::Damaged) } else { Ok(()) }
    }

    /// Looks at what the cloud has told before anything is pushed. A row that it has changed itself is for the hub to
    /// merge; one that it has as the bundle has it is not sent.
    pub(super) fn look_at(&mut self, spool: &Spool) -> Result<(), CourierError> {
        for table in tables(false) {
            let mut seen: Vec<(usize, CloudRow)> = Vec::new();
            for list in [List::Created, List::Updated] {
                spool.rows_of(table, list, |json| {
                    let like = |id: &str| match self.place(table, id) {
                        Some(at) => Ok(may_be(&self.row(at)?)),
                        None => Ok(Vec::new()),
                    };
                    let row = compare_cloud_row(table, json, like)?;
                    seen.extend(row.and_then(|(id, row)| Some((self.place(table, &id)?, row))));
                    Ok(())
                })?;
            }
            for (at, row) in seen {
                self.saw(at, row)?;
            }
            let mut gone = Vec::new();
            spool.rows_of(table, List::Deleted, |json| {
                gone.extend(serde_json::from_str::<String>(json));
                Ok(())
            })?;
            for id in gone {
                if let Some(at) = self.place(table, &id) {
                    let piece = &mut self.pieces.get_mut()[at];
                    piece.fate = if piece.is_deletion { Fate::There } else { Fate::Later };
                }
                self.away.get_mut().insert(id.into());
            }
        }
        Ok(())
    }

    fn place(&self, table: TableId, id: &str) -> Option<usize> {
        self.places.get(&(table, id.into())).copied()
    }

    /// A row as it lies there.
    fn row(&self, at: usize) -> Result<Prepared, StoreError> {
        // What was put there was read before.
        row_of(&self.shelf.get(at)?).map_err(|_| StoreError::Defect)
    }

    fn put(&self, at: usize, row: &Prepared) -> Result<(), StoreError> {
        self.shelf.put(at, &row_line(row).map_err(|_| StoreError::Defect)?)
    }

    fn saw(&mut self, at: usize, seen: CloudRow) -> Result<(), CourierError> {
        if self.pieces.get_mut()[at].is_deletion {
            return Ok(());
        }
        let mut row = self.row(at)?;
        let fate = match seen.like {
            Some(0) => Fate::There,
            Some(1) if row.take_instead() => {
                self.put(at, &row)?;
                Fate::There
            }
            Some(_) => match outlasting(&row.json, seen.updated_at) {
                Some(json) => {
                    row.json = json;
                    if let Some((json, _)) = &mut row.instead {
                        *json = outlasting(json, seen.updated_at).unwrap_or_else(|| json.clone());
                    }
                    row.list = Of::Updated;
                    self.put(at, &row)?;
                    Fate::Waiting
                }
                None => Fate::Later,
            },
            None => Fate::Later,
        };
        self.pieces.get_mut()[at].fate = fate;
        Ok(())
    }

    /// Rows of clinics that the cloud did not give to this hub are dropped by it without a word: they are not sent.
    pub(super) fn keep_to(&mut self, clinics: &[String]) -> Result<(), CourierError> {
        for at in 0..self.places.len() {
            let column = self.pieces.get_mut()[at].table.table().clinic_column;
            let Some(column) = column else { continue };
            let row = self.row(at)?;
            let json = serde_json::from_str::<Map<String, Value>>(&row.json).ok();
            let clinic = json.and_then(|json| Some(json.get(column)?.as_str()?.to_owned()));
            if clinic.is_some_and(|clinic| !clinics.iter().any(|own| own.eq_ignore_ascii_case(&clinic))) {
                self.pieces.get_mut()[at].fate = Fate::Later;
                self.away.get_mut().insert(row.sent.id);
            }
        }
        Ok(())
    }

    /// How many rows have this fate.
    pub(super) fn count(&self, fate: Fate) -> usize {
        self.pieces.borrow().iter().filter(|piece| piece.fate == fate).count()
    }

    /// Hands out what became of each row that the cloud has got or refuses.
    pub(super) fn fates(
        &self,
        mut take: impl FnMut(&Delivered) -> Result<(), CourierError>,
    ) -> Result<(), CourierError> {
        for (at, piece) in self.pieces.borrow().iter().enumerate() {
            let refused = match piece.fate {
                Fate::There | Fate::Taken => false,
                Fate::Refused => true,
                Fate::Waiting | Fate::Later => continue,
            };
            let sent = self.row(at)?.sent;
            take(&Delivered { sent, refused })?;
        }
        Ok(())
    }

    fn set(&self, rows: &[Sent], fate: Fate) {
        let mut pieces = self.pieces.borrow_mut();
        for row in rows {
            if let Some(at) = self.place(row.table, &row.id) {
                pieces[at].fate = fate;
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

/// What the cloud's row is compared with: what it is to become, what goes instead of that, and what it may be by now.
fn may_be(row: &Prepared) -> Vec<Digests> {
    let instead = row.instead.iter().map(|(_, digests)| digests);
    let wanted = row.sent.digests.iter().chain(instead);
    wanted.chain(&row.before).cloned().collect()
}

impl Outbox for Parcel {
    fn read_on(&self, queue: &mut VecDeque<Prepared>, next: &mut Place, deleted: bool) -> Result<(), StoreError> {
        let tables = tables(deleted);
        while queue.len() < ROWS && next.table < tables.len() {
            let table = tables[next.table];
            // The hub packed them in the order in which they go.
            let from = usize::try_from(next.after.1).unwrap_or(0);
            let found: Vec<usize> = {
                let pieces = self.pieces.borrow();
                let pieces = pieces.iter().enumerate().skip(from).filter(|(_, piece)| {
                    piece.table == table && piece.is_deletion == deleted && piece.fate == Fate::Waiting
                });
                pieces.map(|(at, _)| at).take(ROWS).collect()
            };
            let behind = found.last().map(|at| at + 1).filter(|_| found.len() == ROWS);
            for at in found {
                let row = self.row(at)?;
                if self.has_to_wait(&row) {
                    self.pieces.borrow_mut()[at].fate = Fate::Later;
                    self.away.borrow_mut().insert(row.sent.id);
                } else {
                    queue.push_back(row);
                }
            }
            *next = match behind {
                Some(behind) => Place {
                    after: (HubTime::ZERO, i64::try_from(behind).unwrap_or(i64::MAX)),
                    table: next.table,
                },
                None => Place::at(next.table + 1),
            };
        }
        Ok(())
    }

    /// What went instead of a row is what the hub hears of.
    fn note_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        for sent in sent {
            let Some(at) = self.place(sent.table, &sent.id) else {
                continue;
            };
            let mut row = self.row(at)?;
            if row.sent.digests != sent.digests && row.take_instead() {
                self.put(at, &row)?;
            }
        }
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
