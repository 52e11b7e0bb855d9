//! Letting held rows go: by themselves when what they waited for is there, or because a person says so.
//!
//! It promises: whatever writes (a push, an import, the cloud, a single call), the rows that waited for it are stored in
//! the same transaction, the oldest first, with all that waits for them in turn; and it looks at an index for them, never
//! at all held rows.

use std::collections::HashMap;

use rusqlite::Connection;
use serde_json::json;

use super::apply::{Applied, Applier};
use super::cursors::Seen;
use super::gatekeeper::{Access, Gatekeeper};
use super::held::{self, Direction, HoldReason, Kept};
use super::history::Author;
use super::judge::{Verdict, judge};
use super::lists::List;
use super::newer;
use super::rights::UserGate;
use super::sent::{SentRow, read_deleted, read_row};
use super::writing::write;
use crate::clock::HubTime;
use crate::store::audit::Entry;
use crate::store::cloud::fill_required;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::people;
use crate::store::rows;
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::value::Source;
use crate::store::writer::WriteTx;

/// Tables whose rows others hang on.
const PARENTS: [&str; 4] = ["patients", "visits", "prescriptions", "prescription_items"];

/// A person's word counts as every right.
struct Anybody;

impl Gatekeeper for Anybody {
    fn permits(&mut self, _: &WriteTx<'_>, _: &Access<'_>) -> Result<bool, StoreError> {
        Ok(true)
    }
}

/// Stores the held rows that waited for what was written since `since`: the change time of this piece of work.
pub(in crate::store) fn due(tx: &mut WriteTx<'_>, since: HubTime) -> Result<(), StoreError> {
    let waits: bool = tx
        .connection()
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM held_rows WHERE waits = 'parent') \
             OR EXISTS (SELECT 1 FROM held_rows WHERE waits = 'right')",
        )?
        .query_row([], |row| row.get(0))?;
    if !waits {
        return Ok(());
    }
    let mut released = 0;
    loop {
        let candidates = candidates(tx, since)?;
        let now = let_go(tx, &candidates)?;
        if now == 0 {
            break;
        }
        released += now;
    }
    note(tx, released)
}

/// Stores the rows of tables that this firmware has come to know. Called when the store is opened.
pub(in crate::store) fn known_tables(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let mut statement = tx
        .connection()
        .prepare("SELECT id, table_name FROM held_rows WHERE waits = 'table' ORDER BY held_at, id")?;
    let waiting: Vec<(String, String)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let known = |table: &str| TableId::named(table).is_some_and(|table| table.table().phone.pushes());
    let known: Vec<String> = waiting
        .into_iter()
        .filter_map(|(id, table)| known(&table).then_some(id))
        .collect();
    let released = let_go(tx, &known)?;
    note(tx, released)
}

/// Stores what `ids` name as their senders may, and leaves the rest held.
pub(super) fn again(tx: &mut WriteTx<'_>, ids: &[String]) -> Result<usize, StoreError> {
    let released = let_go(tx, ids)?;
    note(tx, released)?;
    Ok(released)
}

fn note(tx: &mut WriteTx<'_>, released: usize) -> Result<(), StoreError> {
    if released == 0 {
        return Ok(());
    }
    tx.audit(&Entry {
        action: "held.release",
        detail: json!({ "released": released }).to_string(),
        outcome: "ok",
        ..Entry::default()
    })
}

/// Held rows that wait for a row, or for a right, that was written since.
fn candidates(tx: &WriteTx<'_>, since: HubTime) -> Result<Vec<String>, StoreError> {
    let mut found: Vec<(i64, String)> = Vec::new();
    let mut look = |sql: &str| -> Result<(), StoreError> {
        let mut statement = tx.connection().prepare_cached(sql)?;
        let rows = statement.query_map([since.millis()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for row in rows {
            found.push(row?);
        }
        Ok(())
    };
    for parent in PARENTS {
        look(&format!(
            "SELECT held.held_at, held.id FROM {parent} AS parent CROSS JOIN held_rows AS held \
             ON held.waits = 'parent' AND held.parent_table = '{parent}' AND held.parent_id = parent.id \
             WHERE parent.hub_changed_at >= ?1 AND parent.hub_deleted_at IS NULL"
        ))?;
    }
    look(
        "SELECT held.held_at, held.id FROM user_clinic_permissions AS granted CROSS JOIN held_rows AS held \
         ON held.waits = 'right' AND held.user_id = granted.user_id WHERE granted.hub_changed_at >= ?1",
    )?;
    // A patient who has come to another clinic, where their sender may have the right.
    for patient in [
        "held.patient_id = patient.id",
        "held.table_name = 'patients' AND held.row_id = patient.id",
    ] {
        look(&format!(
            "SELECT held.held_at, held.id FROM patients AS patient CROSS JOIN held_rows AS held \
             ON held.waits = 'right' AND {patient} WHERE patient.hub_changed_at >= ?1"
        ))?;
    }
    found.sort_unstable();
    found.dedup();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

/// Stores these, or says why each goes on being held; returns how many were stored.
fn let_go(tx: &mut WriteTx<'_>, ids: &[String]) -> Result<usize, StoreError> {
    let mut gates: HashMap<Option<String>, UserGate> = HashMap::new();
    let mut released = 0;
    for id in ids {
        let Some(kept) = held::find(tx.connection(), id)? else {
            continue;
        };
        tx.take_row()?;
        let user = kept.author.user.clone();
        if !gates.contains_key(&user) {
            let gate = gate_of(tx, user.as_deref())?;
            gates.insert(user.clone(), gate);
        }
        let Some(gate) = gates.get_mut(&user) else { continue };
        match store(tx, &kept, gate, false)? {
            Ok(()) => released += 1 + its_deletions(tx, &kept, gate)?,
            Err(reason) => held::wait_for(tx.connection(), id, &reason)?,
        }
    }
    Ok(released)
}

/// Takes out what was stored, and lets its own deletions go behind it; returns how many those were.
fn its_deletions(tx: &mut WriteTx<'_>, stored: &Kept, gate: &mut dyn Gatekeeper) -> Result<usize, StoreError> {
    held::remove(tx.connection(), &stored.id)?;
    let Some(row) = &stored.row_id else { return Ok(0) };
    let mut released = 0;
    for deletion in held::deletions_of(tx.connection(), &stored.table, row)? {
        tx.step();
        if store(tx, &deletion, gate, false)?.is_ok() {
            held::remove(tx.connection(), &deletion.id)?;
            released += 1;
        }
    }
    Ok(released)
}

fn gate_of(tx: &WriteTx<'_>, user: Option<&str>) -> Result<UserGate, StoreError> {
    let user = user.unwrap_or_default();
    UserGate::new(tx, user, people::clinic_of_user(tx.connection(), user)?)
}

/// Stores a held row, or says why it can't be. Nothing of a row that can't be stays.
fn store(
    tx: &mut WriteTx<'_>,
    kept: &Kept,
    gate: &mut dyn Gatekeeper,
    by_person: bool,
) -> Result<Result<(), HoldReason>, StoreError> {
    let Some(table) = TableId::named(&kept.table) else {
        return Ok(Err(HoldReason::UnknownTable));
    };
    tx.begin_part()?;
    let stored = try_store(tx, table, kept, gate, by_person);
    match stored {
        Ok(Ok(())) => {
            tx.keep_part()?;
            Ok(Ok(()))
        }
        Ok(Err(reason)) => {
            tx.undo_part()?;
            Ok(Err(reason))
        }
        Err(error) if error.is_of_the_values() => {
            tx.undo_part()?;
            Ok(Err(HoldReason::DoesNotFit))
        }
        Err(error) => Err(error),
    }
}

fn try_store(
    tx: &mut WriteTx<'_>,
    table: TableId,
    kept: &Kept,
    gate: &mut dyn Gatekeeper,
    by_person: bool,
) -> Result<Result<(), HoldReason>, StoreError> {
    let mut row = match read(table, kept) {
        Ok(row) => row,
        Err(reason) => return Ok(Err(reason)),
    };
    let delete = kept.list == List::Deleted || row.is_flagged_deleted(table.table());
    let stored = rows::find(tx.connection(), table, &row.id)?;
    // Of a row that the hub has, its sender was sent the hub's version: what it wrote since is another's like anybody's. One
    // that the hub never had is still on that phone, and is that phone's.
    let author = match &stored {
        Some(_) if kept.direction == Direction::Phone => Author {
            device: DeviceNumber::HUB,
            ..kept.author.clone()
        },
        _ => kept.author.clone(),
    };
    let deletion: Option<&[&SentRow]> = delete.then_some(&[]);
    let mut applier = Applier::new(tx, author, Seen::up_to(kept.base));
    if kept.direction == Direction::Cloud {
        fill_required(table, &mut row);
        write(&mut applier, table, &row, stored.as_ref(), deletion, &mut Anybody)?;
        return Ok(Ok(()));
    }
    row.settle_nulls(table.table(), stored.as_ref());
    match judge(&mut applier, table, &row, stored.as_ref(), delete, gate)? {
        Verdict::Nothing => return Ok(Ok(())),
        Verdict::Write => {}
        Verdict::Hold(HoldReason::Parent(parent, id)) | Verdict::WriteWithout(_, HoldReason::Parent(parent, id))
            if by_person =>
        {
            // A person may file a row under a patient who was deleted, but under none that is not there.
            if applier.stored(parent, &id)?.is_none() {
                return Ok(Err(HoldReason::Parent(parent, id)));
            }
        }
        Verdict::WriteWithout(_, reason) | Verdict::Hold(reason) => return Ok(Err(reason)),
    }
    let applied = write(&mut applier, table, &row, stored.as_ref(), deletion, gate)?;
    if applied == Applied::Inserted {
        applier.note_author(table, &row)?;
    }
    Ok(Ok(()))
}

fn read(table: TableId, kept: &Kept) -> Result<SentRow, HoldReason> {
    let source = match kept.direction {
        Direction::Phone => Source::Phone,
        Direction::Cloud => Source::Cloud,
    };
    if kept.list == List::Deleted {
        return read_deleted(table.table(), &kept.row, source);
    }
    match read_row(table.table(), &kept.row, source)? {
        (row, None) => Ok(row),
        (_, Some(column)) => Err(HoldReason::WrongType(column)),
    }
}

/// Takes out what was held of a row that has come whole since; its values go to the history.
pub(in crate::store) fn superseded(
    tx: &mut WriteTx<'_>,
    table: TableId,
    row: &str,
    device: DeviceNumber,
) -> Result<(), StoreError> {
    for kept in held::of_row(tx.connection(), table, row, device)? {
        if let Ok(old) = read(table, &kept) {
            let columns = table.table().columns.iter().zip(&old.cells);
            let cells: serde_json::Map<_, _> = columns
                .filter_map(|(column, cell)| Some((column.name.to_owned(), cell.as_ref()?.to_json())))
                .collect();
            newer::keep(tx.connection(), (table, row), tx.now(), "lost", &kept.author, cells)?;
        }
        held::remove(tx.connection(), &kept.id)?;
    }
    Ok(())
}

/// The clinics that a held row is tied to, as stored and as it is to be; none where it has none, or is no row. `None` where
/// nothing of that id is held.
fn clinics(connection: &Connection, id: &str) -> Result<Option<Vec<String>>, StoreError> {
    let Some(kept) = held::find(connection, id)? else {
        return Ok(None);
    };
    let Some(table) = TableId::named(&kept.table) else {
        return Ok(Some(Vec::new()));
    };
    let mut clinics = Vec::new();
    let stored = match &kept.row_id {
        Some(row) => rows::find(connection, table, row)?,
        None => None,
    };
    if let Some(stored) = stored {
        clinics.extend(people::clinic_of(connection, table, |index| {
            Some(&stored.cells[index])
        })?);
    }
    if let Ok(row) = read(table, &kept) {
        clinics.extend(people::clinic_of(connection, table, |index| row.cells[index].as_ref())?);
    }
    clinics.dedup();
    Ok(Some(clinics))
}

impl Snapshot<'_> {
    /// The clinics that a held row is tied to, as stored and as it is to be; none where it has none, or is no row. `None`
    /// where nothing of that id is held.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_clinics(&self, id: &str) -> Result<Option<Vec<String>>, StoreError> {
        clinics(self.connection()?, id)
    }
}

impl WriteTx<'_> {
    /// As [`Snapshot::held_clinics`].
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn held_clinics(&self, id: &str) -> Result<Option<Vec<String>>, StoreError> {
        clinics(self.connection(), id)
    }

    /// Stores a held row because a person says so, whatever its sender may; what waits for it goes with it. `false` where
    /// it can't be stored as it is: it goes on being held.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn release_held(&mut self, id: &str) -> Result<bool, StoreError> {
        let Some(kept) = held::find(self.connection(), id)? else {
            return Ok(false);
        };
        match store(self, &kept, &mut Anybody, true)? {
            Ok(()) => its_deletions(self, &kept, &mut Anybody).map(|_| true),
            Err(_) => Ok(false),
        }
    }

    /// Drops a held row, and what is held only because it is; returns how many rows that were.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn drop_held(&mut self, id: &str) -> Result<usize, StoreError> {
        let Some(kept) = held::find(self.connection(), id)? else {
            return Ok(0);
        };
        held::remove(self.connection(), id)?;
        let still_held = match (TableId::named(&kept.table), &kept.row_id) {
            (Some(table), Some(row)) => held::is_held(self.connection(), table, row)?,
            _ => false,
        };
        match &kept.row_id {
            Some(row) if !still_held => Ok(1 + held::remove_children(self.connection(), &kept.table, row)?),
            _ => Ok(1),
        }
    }
}
