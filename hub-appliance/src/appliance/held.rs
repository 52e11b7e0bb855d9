//! Held rows on a desk: seen, stored or dropped by a technician who has the PIN, and what the cloud does not have. Each of
//! these is in the audit log.

use std::fmt;

use jiff::Timestamp;
use serde_json::json;

use super::desk::DeskError;
use crate::clock::HubTime;
use crate::store::audit::Entry;
use crate::store::relay::Unacknowledged;
use crate::store::sync::retry::HeldSummary;
use crate::store::{Store, StoreError, WriteTx};

/// Why nothing was done about a held row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// Nothing of that id is held.
    #[error("nothing of that id is held")]
    NotHeld,
    /// It goes on being held.
    #[error("it can't be stored as it is, and goes on being held")]
    DoesNotFit,
}

/// A line of the list.
#[derive(Debug)]
pub struct Line(HeldSummary);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HeldSummary {
            id,
            table,
            reason,
            user_name,
            device,
            held_at,
            ..
        } = &self.0;
        let at = spelled(*held_at);
        // A name that is nobody's own choice of a line's end or of colours.
        let user = user_name.as_deref().unwrap_or("-").replace(char::is_control, "?");
        write!(f, "{id}\t{at}\t{table}\t{reason}\t{user}\tphone {}", device.0)
    }
}

/// A line of the list of what the cloud does not have.
#[derive(Debug)]
pub struct CloudLine(Unacknowledged);

impl fmt::Display for CloudLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unacknowledged {
            table,
            row_id,
            since,
            reason,
        } = &self.0;
        let reason = reason.as_deref().unwrap_or("on its way");
        write!(f, "{}\t{table}\t{row_id}\t{reason}", spelled(*since))
    }
}

fn spelled(at: HubTime) -> String {
    Timestamp::from_millisecond(at.millis()).map_or_else(|_| "?".into(), |at| at.to_string())
}

/// Every row that the cloud has not acknowledged as it is here, and why.
///
/// # Errors
/// What the store reports.
pub fn list_of_cloud(store: &Store) -> Result<Vec<CloudLine>, DeskError> {
    let rows = store.read(|snapshot| snapshot.cloud_unacknowledged())?;
    note(store, "held.cloud", json!({"rows": rows.len()}))?;
    Ok(rows.into_iter().map(CloudLine).collect())
}

/// Every held row, oldest first; those that wait for a newer firmware are not among them.
///
/// # Errors
/// What the store reports.
pub fn list(store: &Store) -> Result<Vec<Line>, DeskError> {
    let rows = store.read(|snapshot| snapshot.held_summaries(u32::MAX))?;
    note(store, "held.list", json!({"rows": rows.len()}))?;
    Ok(rows.into_iter().map(Line).collect())
}

/// What was sent, whole.
///
/// # Errors
/// [`HeldError::NotHeld`], or what the store reports.
pub fn show(store: &Store, id: &str) -> Result<String, DeskError> {
    let row = store.read(|snapshot| snapshot.held_row(id))?;
    let row = row.ok_or(HeldError::NotHeld)?;
    note(store, "held.show", json!({"id": id, row.table: [row.row_id]}))?;
    Ok(row.row)
}

/// Stores it, whatever its sender may.
///
/// # Errors
/// [`HeldError`], or what the store reports; then it is held as before.
pub fn release(store: &Store, id: &str) -> Result<(), DeskError> {
    settle(store, "held.release", id, |tx, id| {
        Ok(usize::from(tx.release_held(id)?))
    })?;
    Ok(())
}

/// Removes it for good, and what is held only because it is; returns how many rows that were.
///
/// # Errors
/// [`HeldError::NotHeld`], or what the store reports.
pub fn drop(store: &Store, id: &str) -> Result<usize, DeskError> {
    settle(store, "held.drop", id, |tx, id| tx.drop_held(id))
}

fn settle(
    store: &Store,
    action: &'static str,
    id: &str,
    work: fn(&mut WriteTx<'_>, &str) -> Result<usize, StoreError>,
) -> Result<usize, DeskError> {
    if store.read(|snapshot| snapshot.held_row(id))?.is_none() {
        return Err(HeldError::NotHeld.into());
    }
    let id = id.to_owned();
    let rows = store.write(move |tx| {
        let rows = work(tx, &id)?;
        if rows > 0 {
            tx.audit(&entry(action, &json!({"id": id, "rows": rows})))?;
        }
        Ok::<_, StoreError>(rows)
    })?;
    if rows == 0 {
        return Err(HeldError::DoesNotFit.into());
    }
    Ok(rows)
}

fn note(store: &Store, action: &'static str, detail: serde_json::Value) -> Result<(), DeskError> {
    Ok(store.write(move |tx| tx.audit(&entry(action, &detail)))?)
}

fn entry(action: &'static str, detail: &serde_json::Value) -> Entry {
    Entry {
        action,
        detail: detail.to_string(),
        outcome: "ok",
        ..Entry::default()
    }
}
