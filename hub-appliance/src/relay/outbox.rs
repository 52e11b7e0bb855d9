//! Where the rows of a push come from, and where it is written down what becomes of them: the hub's own records, or a
//! bundle that a courier brought (`courier/`).

use std::collections::{HashSet, VecDeque};

use super::batch::{List, Prepared, ROWS};
use super::fit::{References, fit, is_uuid};
use crate::clock::HubTime;
use crate::store::relay::{CloudReason, Outgoing, Sent, Waiting, push_order};
use crate::store::schema::TableId;
use crate::store::{Snapshot, Store, StoreError};

/// A place in the change feed of the tables: the table's number among those that are pushed, and behind which row of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) table: usize,
    pub(super) after: (HubTime, i64),
}

impl Place {
    pub(super) fn at(table: usize) -> Self {
        Self {
            table,
            after: (HubTime::ZERO, 0),
        }
    }
}

/// The tables of a push in their order. Deletions come last: children before parents, and after everything that may still
/// name them.
pub(super) fn tables(deleted: bool) -> Vec<TableId> {
    if deleted {
        push_order().rev().collect()
    } else {
        push_order().collect()
    }
}

/// What a push is made from.
pub(super) trait Outbox {
    /// Adds rows (or deletions) from `next` on, until the queue holds a whole request or there are no more.
    fn read_on(&self, queue: &mut VecDeque<Prepared>, next: &mut Place, deleted: bool) -> Result<(), StoreError>;
    /// These are about to be sent.
    fn note_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError>;
    /// The cloud said that it took them.
    fn note_answered(&self, sent: Vec<Sent>) -> Result<(), StoreError>;
    /// They did not get there.
    fn note_not_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError>;
    /// The cloud refuses each of them.
    fn refuse(&self, refused: Vec<Sent>) -> Result<(), StoreError>;
}

/// The hub's records as far as the cloud does not have them.
pub(super) struct Records<'a> {
    pub(super) store: &'a Store,
    /// The clinics of this hub.
    pub(super) clinics: &'a [String],
    /// Everything up to here is acknowledged or held.
    pub(super) cursor: HubTime,
}

impl Outbox for Records<'_> {
    fn read_on(&self, queue: &mut VecDeque<Prepared>, next: &mut Place, deleted: bool) -> Result<(), StoreError> {
        let tables = tables(deleted);
        while queue.len() < ROWS && next.table < tables.len() {
            let table = tables[next.table];
            let mut pending: HashSet<(TableId, Box<str>)> =
                queue.iter().map(|row| (row.sent.table, row.sent.id.clone())).collect();
            let (sorted, last, count) = self.store.read::<_, StoreError>(|snapshot| {
                let found = snapshot.outgoing(Waiting::AtHome, (table, deleted), self.cursor, next.after, ROWS)?;
                let last = found.last().map(Outgoing::place);
                let count = found.len();
                Ok((sort(snapshot, found, &mut pending, self.clinics)?, last, count))
            })?;
            self.store.hold_from_cloud(sorted.held)?;
            self.store.note_in_step(sorted.in_step)?;
            queue.extend(sorted.prepared);
            *next = match last {
                Some(after) if count == ROWS => Place {
                    after,
                    table: next.table,
                },
                _ => Place::at(next.table + 1),
            };
        }
        Ok(())
    }

    fn note_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.store.note_sent(sent)
    }

    fn note_answered(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.store.note_answered(sent)
    }

    fn note_not_sent(&self, sent: Vec<Sent>) -> Result<(), StoreError> {
        self.store.note_not_sent(sent)
    }

    fn refuse(&self, refused: Vec<Sent>) -> Result<(), StoreError> {
        let held = refused
            .into_iter()
            .map(|row| (row.table, row.id, row.version, CloudReason::Refused));
        self.store.hold_from_cloud(held.collect())
    }
}

/// What is to become of rows.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) prepared: Vec<Prepared>,
    pub(super) held: Vec<(TableId, Box<str>, HubTime, CloudReason)>,
    pub(super) in_step: Vec<(TableId, Box<str>, HubTime)>,
}

/// Makes rows fit, or says why they don't go. `pending` are rows that go before these; those that go are added.
pub(super) fn sort(
    snapshot: &Snapshot<'_>,
    found: Vec<Outgoing>,
    pending: &mut HashSet<(TableId, Box<str>)>,
    clinics: &[String],
) -> Result<Sorted, StoreError> {
    let mut sorted = Sorted::default();
    for row in found {
        let key = (row.table, row.id.clone(), row.version);
        match prepare(snapshot, pending, clinics, row)? {
            Fate::Send(row) => {
                pending.insert((key.0, key.1));
                sorted.prepared.push(*row);
            }
            Fate::Hold(reason) => sorted.held.push((key.0, key.1, key.2, reason)),
            Fate::InStep => sorted.in_step.push(key),
        }
    }
    Ok(sorted)
}

enum Fate {
    Send(Box<Prepared>),
    Hold(CloudReason),
    InStep,
}

fn prepare(
    snapshot: &Snapshot<'_>,
    pending: &HashSet<(TableId, Box<str>)>,
    clinics: &[String],
    row: Outgoing,
) -> Result<Fate, StoreError> {
    let table = row.table.table();
    let clinic = table
        .clinic_column
        .and_then(|name| row.cells[table.column(name)?].as_reference());
    let has_no_clinic = table.clinic_column.is_some() && clinic.is_none();
    if row.deleted {
        let is_unknown = row.entry.known.is_none() && !row.entry.is_written && row.entry.packed.is_empty();
        // One that is no id of the cloud's never got there, and makes it fail.
        if is_unknown || !is_uuid(&row.id) {
            return Ok(Fate::InStep);
        }
        let is_untold = has_no_clinic || table.name == "prescription_items";
        return Ok(Fate::Send(Box::new(Prepared {
            json: serde_json::Value::from(&*row.id).to_string().into(),
            instead: None,
            list: List::Deleted,
            sent: Sent {
                table: row.table,
                id: row.id,
                version: row.version,
                digests: None,
                on_answer: is_untold.then_some(None),
            },
            before: row.entry.before(),
        })));
    }
    let named = Named {
        snapshot,
        pending,
        clinics,
    };
    let fitted = match fit(&row, &named)? {
        Ok(fitted) => fitted,
        Err(reason) => return Ok(Fate::Hold(reason)),
    };
    let known = row.entry.known.as_ref();
    if known.is_some_and(|known| known.changed(&fitted.digests, table, false).is_empty()) {
        return Ok(Fate::InStep);
    }
    Ok(Fate::Send(Box::new(Prepared {
        json: fitted.json,
        instead: fitted.instead,
        list: if known.is_some() { List::Updated } else { List::Created },
        before: row.entry.before(),
        sent: Sent {
            table: row.table,
            id: row.id,
            version: row.version,
            digests: Some(fitted.digests),
            on_answer: fitted.has_no_clinic.then_some(Some(CloudReason::NoClinic)),
        },
    })))
}

struct Named<'a> {
    snapshot: &'a Snapshot<'a>,
    /// Rows that go before this one.
    pending: &'a HashSet<(TableId, Box<str>)>,
    clinics: &'a [String],
}

impl References for Named<'_> {
    fn named(&self, table: TableId, id: &str) -> Result<Option<bool>, StoreError> {
        if self.pending.contains(&(table, id.into())) {
            return Ok(Some(true));
        }
        self.snapshot.cloud_can_name(table, id)
    }

    fn knows_batch(&self, batch: &str) -> Result<bool, StoreError> {
        self.snapshot.cloud_knows_batch(batch)
    }

    fn is_own_clinic(&self, clinic: &str) -> bool {
        // A hub that no cloud has answered yet does not know its clinics: whoever brings its bundle there looks.
        self.clinics.is_empty() || self.clinics.iter().any(|own| own.eq_ignore_ascii_case(clinic))
    }
}
