//! What a row went through since somebody saw it last: who set which column, and when that edit was made.
//!
//! The history holds each value that was replaced, so the versions of a column stand in it, and behind them the row.

use rusqlite::Connection;

use super::cursors::Seen;
use super::history::{self, Why};
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::TableId;
use crate::store::value::Cell;

/// One write that gave a column another value.
#[derive(Debug)]
pub(super) struct Step {
    /// What stood there before.
    pub(super) before: Cell,
    /// Somebody else than the sender wrote.
    pub(super) by_others: bool,
    /// When the edit was made, by the clock of whoever made it, epoch ms.
    pub(super) edited_at: i64,
}

/// What a row went through since its sender saw it last.
#[derive(Debug)]
pub(super) enum Past {
    /// Nothing: what is sent is applied as it is.
    Unchanged,
    /// It changed.
    Changed(Changes),
}

/// The changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// By column, oldest first.
    pub(super) steps: Vec<(usize, Step)>,
    /// Somebody else made the row, and its sender has never seen it: when that was, epoch ms.
    pub(super) made_by_others: Option<i64>,
    /// The row came to the hub after its sender had seen anything of it, so all that is sent of it is the sender's own.
    pub(super) is_unseen: bool,
}

impl Changes {
    /// The writes that gave the column another value, oldest first.
    pub(super) fn of(&self, column: usize) -> impl DoubleEndedIterator<Item = &Step> + Clone {
        self.steps
            .iter()
            .filter(move |(index, _)| *index == column)
            .map(|(_, step)| step)
    }

    /// When the edit was made that last set a column that others changed; none where nobody else did.
    pub(super) fn changed_by_others(&self, column: usize) -> Option<i64> {
        let steps = self.of(column);
        let by_others = self.made_by_others.is_some() || steps.clone().any(|step| step.by_others);
        let last = steps.last().map(|step| step.edited_at).or(self.made_by_others);
        last.filter(|_| by_others)
    }
}

/// Reads what happened to a stored row since `device` saw it last.
///
/// # Errors
/// What SQLite reports.
pub(super) fn since(
    connection: &Connection,
    table: TableId,
    row: &str,
    stored: &StoredRow,
    seen: Seen,
    device: DeviceNumber,
) -> Result<Past, StoreError> {
    if stored.changed_at <= seen.base {
        return Ok(Past::Unchanged);
    }
    // What was written under its number while it may have been another database is somebody else's.
    let is_own = |by: DeviceNumber, at: HubTime| by == device && at > seen.alone_since;
    let came_after = stored.created_at > seen.base;
    let is_new = came_after && !is_own(stored.created_by, stored.created_at);
    let mut changes = Changes {
        // There are copies of phones alone; what the cloud leaves as it was is known by what it showed before.
        is_unseen: came_after && device > DeviceNumber::HUB,
        ..Changes::default()
    };
    if !is_new && !history::has_changes_of_others(connection, table, row, seen, device)? {
        return Ok(Past::Changed(changes));
    }
    let mut entries = history::since(connection, table, row, seen.base)?;
    entries.retain(|entry| entry.why != Why::Lost);
    let (entries, made_at) = history::dated(table, entries, stored);
    changes.made_by_others = is_new.then_some(made_at);
    for (entry, edited_at) in entries {
        let by_others = !is_own(entry.author.device, entry.at);
        changes.steps.extend(entry.cells.into_iter().map(|(index, before)| {
            let step = Step {
                before,
                by_others,
                edited_at,
            };
            (index, step)
        }));
    }
    Ok(Past::Changed(changes))
}

/// What a device gave of a row, when it last did.
#[derive(Debug)]
pub(in crate::store) struct Given {
    /// Its value of each column; none where it is not known.
    pub(in crate::store) cells: Vec<Option<Cell>>,
    /// When its latest edit of the row was made, epoch ms.
    pub(in crate::store) edited_at: Option<i64>,
}

/// Reads out of the history what `device` gave of a stored row, whether it was stored or lost.
///
/// # Errors
/// What SQLite reports.
pub(in crate::store) fn given(
    connection: &Connection,
    table: TableId,
    row: &str,
    stored: &StoredRow,
    device: DeviceNumber,
) -> Result<Given, StoreError> {
    let count = stored.cells.len();
    let mut cells: Vec<Option<Cell>> = vec![None; count];
    // What the device gave stands in the row until somebody else replaces it, who leaves it in the history.
    let mut stands = vec![stored.created_by == device; count];
    let mut edited_at = None;
    for entry in history::since(connection, table, row, HubTime::from_millis(i64::MIN))? {
        let by_device = entry.author.device == device;
        edited_at = edited_at.max(entry.edited_at.filter(|_| by_device));
        for (index, cell) in entry.cells {
            if entry.why == Why::Lost {
                if by_device {
                    (cells[index], stands[index]) = (Some(cell), false);
                }
            } else {
                if stands[index] {
                    cells[index] = Some(cell);
                }
                stands[index] = by_device;
            }
        }
    }
    for (index, cell) in cells.iter_mut().enumerate().filter(|(index, _)| stands[*index]) {
        *cell = Some(stored.cells[index].clone());
    }
    let updated_at = table.table().column("updated_at");
    let updated_at = updated_at.and_then(|index| cells[index].as_ref()?.as_integer());
    Ok(Given {
        edited_at: edited_at.max(updated_at),
        cells,
    })
}
