//! The history: every value that a write replaced or that lost a merge, with who, which device, when and why.

use rusqlite::Connection;

use super::devices::DeviceNumber;
use super::error::StoreError;
use super::schema::{ColumnSet, TableId};
use super::value::Cell;
use crate::clock::HubTime;

/// Why a value is in the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Replaced by an edit of a row that nobody else had touched.
    Edit,
    /// Replaced in a merge of two edits.
    Merge,
    /// Replaced by what the cloud sent.
    Cloud,
    /// The row was deleted.
    Delete,
    /// Never stored: it lost against the stored value.
    Lost,
}

impl Why {
    const fn name(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Merge => "merge",
            Self::Cloud => "cloud",
            Self::Delete => "delete",
            Self::Lost => "lost",
        }
    }
}

/// Who writes.
#[derive(Clone, Debug)]
pub struct Author {
    /// The device, the cloud, or the hub itself.
    pub device: DeviceNumber,
    /// The user's id.
    pub user: Option<String>,
}

/// Keeps values of a row: `(column index, value)`.
pub(super) fn keep<'a>(
    connection: &Connection,
    id: TableId,
    row: &str,
    at: HubTime,
    why: Why,
    author: &Author,
    cells: impl IntoIterator<Item = (usize, &'a Cell)>,
) -> Result<(), StoreError> {
    let columns = id.table().columns;
    let cells: serde_json::Map<_, _> = cells
        .into_iter()
        .map(|(index, cell)| (columns[index].name.to_owned(), cell.to_json()))
        .collect();
    if cells.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, cells) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(rusqlite::params![
            id.table().name,
            row,
            at.millis(),
            why.name(),
            author.device.0,
            author.user,
            serde_json::Value::Object(cells).to_string()
        ])?;
    Ok(())
}

/// The columns of a row that others than `device` changed after `since`.
pub(super) fn changed_by_others(
    connection: &Connection,
    id: TableId,
    row: &str,
    since: HubTime,
    device: DeviceNumber,
) -> Result<ColumnSet, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT cells FROM history WHERE table_name = ?1 AND row_id = ?2 AND changed_at > ?3 AND device <> ?4 \
         AND why <> 'lost'",
    )?;
    let mut rows = statement.query((id.table().name, row, since.millis(), device.0))?;
    let mut changed = ColumnSet::EMPTY;
    while let Some(row) = rows.next()? {
        let cells = row.get_ref(0)?.as_str().unwrap_or_default();
        let cells: serde_json::Map<String, serde_json::Value> = serde_json::from_str(cells).unwrap_or_default();
        for index in cells.keys().filter_map(|name| id.table().column(name)) {
            changed.insert(index);
        }
    }
    Ok(changed)
}
