//! Applying what is news of an answer of the cloud, which counts as one more device.

use std::collections::{HashSet, VecDeque};

use serde_json::json;

use super::answer::{AnswerSummary, News};
use super::comparison::Comparison;
use super::digest::digests;
use super::ledger::{self, CloudEntry};
use super::outgoing::note_in_step;
use crate::clock::HubTime;
use crate::store::cloud::{fill_required, hold_pulled};
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
use crate::store::sync::apply::{Applied, Applier};
use crate::store::sync::cursors::Seen;
use crate::store::sync::held::HoldReason;
use crate::store::sync::history::Author;
use crate::store::sync::judge::held_parent;
use crate::store::sync::lists::List;
use crate::store::sync::release::superseded;
use crate::store::sync::sent::{SentRow, read_deleted, read_row};
use crate::store::sync::stock;
use crate::store::value::Source;
use crate::store::writer::WriteTx;

/// A time of the cloud further ahead of the hub's than this is not taken over (see the merge).
const AHEAD_MS: i64 = 5 * 60 * 1000;

fn author() -> Author {
    Author {
        device: DeviceNumber::CLOUD,
        user: None,
    }
}

/// The fewest rows that are applied at a time, whoever waits.
const LEAST: usize = 32;

/// Applies the first of `news`, until somebody waits for the writer; takes them away. At least a few, so that it ends however many
/// come.
pub(super) fn apply_some(
    tx: &mut WriteTx<'_>,
    news: &mut VecDeque<News>,
    summary: &mut AnswerSummary,
) -> Result<(), StoreError> {
    let mut applied = 0;
    while applied < LEAST || !tx.is_waited_for() {
        let Some(one) = news.pop_front() else { break };
        apply(tx, [one], summary)?;
        applied += 1;
    }
    Ok(())
}

/// Applies all of them.
pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    news: impl IntoIterator<Item = News>,
    summary: &mut AnswerSummary,
) -> Result<(), StoreError> {
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
            Ok((row, None)) => match held_parent(tx.connection(), table.table(), &row)? {
                // What hangs on a row that is held waits with it.
                Some(parent) => (Some(row.id), parent),
                None => {
                    apply_row(tx, table, row, summary)?;
                    continue;
                }
            },
            Ok((row, Some(column))) => (Some(row.id), HoldReason::WrongType(column)),
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
        superseded(tx, table, &row.id, DeviceNumber::CLOUD)?;
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
        // It was sent before it was deleted; the deletion can follow it now.
        Some(false) if comparison.is_echo => {}
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
    if let Some((sent, version)) = &comparison.echo {
        entry.known = Some(sent.clone());
        entry.synced_at = entry.synced_at.max(*version);
        // What is under way may be a later version than a courier has brought there.
        if entry.sent.as_ref().is_none_or(|(_, under_way)| under_way <= version) {
            entry.sent = None;
            (entry.answered, entry.missed) = (false, 0);
        }
    }
    entry.cloud_updated_at = entry.cloud_updated_at.max(comparison.updated_at);
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
    let Some(stored) = rows::find(tx.connection(), table, &row.id)? else {
        return Ok(());
    };
    let mut applier = Applier::new(tx, author(), seen);
    let moved = stock::moved(&applier, table, &mut row, &stored)?;
    let applied = applier.put(table, &row, Some(&stored))?;
    match moved {
        Some(moved) => {
            stock::follow_cloud(&mut applier, table, &row.id, moved)?;
            summary.count(Applied::Updated);
        }
        None => summary.count(applied),
    }
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
pub(super) fn remove_unseen(
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
