//! The history: every value that a write replaced or that lost a merge, with who, which device, when and why.

use rusqlite::Connection;

use super::cursors::Seen;
use crate::clock::HubTime;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::rows::{self, StoredRow};
use crate::store::schema::TableId;
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;

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
    const ALL: [Self; 5] = [Self::Edit, Self::Merge, Self::Cloud, Self::Delete, Self::Lost];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }

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

/// What one write left in a row's history.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The change time of the write.
    pub at: HubTime,
    /// Why the values are here: [`Why::Lost`] are values that were sent and never stored, all others were the row's own
    /// until this write.
    pub why: Why,
    /// Who wrote.
    pub author: Author,
    /// When the edit was made, by the clock of whoever made it, epoch ms; none where an older firmware did not note it.
    pub edited_at: Option<i64>,
    /// `(column index, value)`, in no order.
    pub cells: Vec<(usize, Cell)>,
}

impl Snapshot<'_> {
    /// What happened to a row, oldest first; empty for a row that was never changed, or never here.
    ///
    /// # Errors
    /// What SQLite reports; [`StoreError::Defect`] for an entry that this firmware cannot have written.
    pub fn history(&self, table: TableId, row: &str) -> Result<Vec<HistoryEntry>, StoreError> {
        since(self.connection()?, table, row, HubTime::from_millis(i64::MIN))
    }

    /// A row as it stands, deleted or not: the newest version, which the history leads up to.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn row(&self, table: TableId, row: &str) -> Result<Option<StoredRow>, StoreError> {
        rows::find(self.connection()?, table, row)
    }
}

/// Reads what [`Keeping::keep`] wrote. Columns that the table no longer has are left out.
fn read_cells(table: TableId, json: &str) -> Result<Vec<(usize, Cell)>, StoreError> {
    let cells: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(json).map_err(|_| StoreError::Defect)?;
    cells
        .iter()
        .filter_map(|(name, value)| Some((table.table().column(name)?, value)))
        .map(|(index, value)| Ok((index, Cell::from_json(value).ok_or(StoreError::Defect)?)))
        .collect()
}

/// The entries of a row after `since`, oldest first.
pub(super) fn since(
    connection: &Connection,
    table: TableId,
    row: &str,
    since: HubTime,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT changed_at, why, device, user_id, edited_at, cells FROM history \
         WHERE table_name = ?1 AND row_id = ?2 AND changed_at > ?3 ORDER BY changed_at, seq",
    )?;
    let mut rows = statement.query((table.table().name, row, since.millis()))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(HistoryEntry {
            at: HubTime::from_millis(row.get(0)?),
            why: Why::named(row.get_ref(1)?.as_str().unwrap_or_default()).ok_or(StoreError::Defect)?,
            author: Author {
                device: DeviceNumber(row.get(2)?),
                user: row.get(3)?,
            },
            edited_at: row.get(4)?,
            cells: read_cells(table, row.get_ref(5)?.as_str().unwrap_or_default())?,
        });
    }
    Ok(entries)
}

/// Entries of a row, none of them lost, with the time of each edit, and the time of the edit before the first of them. An
/// entry of an older firmware has the row's own `updated_at` from after that write.
pub(super) fn dated(table: TableId, entries: Vec<HistoryEntry>, stored: &StoredRow) -> (Vec<(HistoryEntry, i64)>, i64) {
    let column = table.table().column("updated_at");
    let mut after = column.and_then(|index| stored.cells[index].as_integer()).unwrap_or(0);
    let mut dated: Vec<_> = entries
        .into_iter()
        .rev()
        .map(|entry| {
            let edited_at = entry.edited_at.unwrap_or(after);
            let replaced = entry.cells.iter().find(|(index, _)| Some(*index) == column);
            after = replaced.and_then(|(_, cell)| cell.as_integer()).unwrap_or(after);
            (entry, edited_at)
        })
        .collect();
    dated.reverse();
    (dated, after)
}

/// Whether others than `device` changed the row after what it had `seen`; what was written under its own number while it may
/// have been another database counts as others'.
pub(super) fn has_changes_of_others(
    connection: &Connection,
    table: TableId,
    row: &str,
    seen: Seen,
    device: DeviceNumber,
) -> Result<bool, StoreError> {
    let (base, alone_since) = (seen.base.millis(), seen.alone_since.millis());
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM history WHERE table_name = ?1 AND row_id = ?2 AND changed_at > ?3 \
             AND (device <> ?4 OR changed_at <= ?5) AND why <> 'lost')",
        )?
        .query_row((table.table().name, row, base, device.0, alone_since), |row| row.get(0))?)
}

/// What one write leaves in a row's history.
#[derive(Clone, Copy)]
pub(super) struct Keeping<'a> {
    /// The row.
    pub(super) table: TableId,
    pub(super) row: &'a str,
    /// The change time of the write.
    pub(super) at: HubTime,
    /// When the edit was made, epoch ms.
    pub(super) edited_at: i64,
    pub(super) author: &'a Author,
}

impl Keeping<'_> {
    /// Keeps values of the row: `(column index, value)`.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn keep<'a>(
        &self,
        connection: &Connection,
        why: Why,
        cells: impl IntoIterator<Item = (usize, &'a Cell)>,
    ) -> Result<(), StoreError> {
        let Some(cells) = write_cells(self.table, cells) else {
            return Ok(());
        };
        connection
            .prepare_cached(
                "INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, edited_at, cells) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(rusqlite::params![
                self.table.table().name,
                self.row,
                self.at.millis(),
                why.name(),
                self.author.device.0,
                self.author.user,
                self.edited_at,
                cells
            ])?;
        Ok(())
    }

    /// Keeps values that lost, unless this author has lost the very same before: a push is repeated until it is answered.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn keep_once<'a>(
        &self,
        connection: &Connection,
        lost: impl IntoIterator<Item = (usize, &'a Cell)>,
    ) -> Result<(), StoreError> {
        let Some(cells) = write_cells(self.table, lost) else {
            return Ok(());
        };
        connection
            .prepare_cached(
                "INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, edited_at, cells) \
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM history \
                 WHERE table_name = ?1 AND row_id = ?2 AND why = ?4 AND device = ?5 AND user_id IS ?6 AND cells = ?8)",
            )?
            .execute(rusqlite::params![
                self.table.table().name,
                self.row,
                self.at.millis(),
                Why::Lost.name(),
                self.author.device.0,
                self.author.user,
                self.edited_at,
                cells
            ])?;
        Ok(())
    }
}

/// Values as a JSON object by column, in the order of the names; none where there are no values.
fn write_cells<'a>(id: TableId, cells: impl IntoIterator<Item = (usize, &'a Cell)>) -> Option<String> {
    let columns = id.table().columns;
    let cells: serde_json::Map<_, _> = cells
        .into_iter()
        .map(|(index, cell)| (columns[index].name.to_owned(), cell.to_json()))
        .collect();
    (!cells.is_empty()).then(|| serde_json::Value::Object(cells).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_older_firmware_wrote_has_the_rows_own_time_of_then() {
        let patients = TableId::named("patients").unwrap();
        let column = |name| patients.table().column(name).unwrap();
        let entry = |edited_at, cells: &[(&'static str, Cell)]| HistoryEntry {
            at: HubTime::ZERO,
            why: Why::Edit,
            author: Author {
                device: DeviceNumber::HUB,
                user: None,
            },
            edited_at,
            cells: cells.iter().map(|(name, cell)| (column(name), cell.clone())).collect(),
        };
        let mut stored = StoredRow {
            cells: vec![Cell::Null; patients.table().columns.len()],
            created_at: HubTime::ZERO,
            changed_at: HubTime::ZERO,
            deleted: false,
            created_by: DeviceNumber::HUB,
            origin: DeviceNumber::HUB,
        };
        stored.cells[column("updated_at")] = Cell::Integer(40);
        let entries = vec![
            entry(None, &[("camp", Cell::text("a")), ("updated_at", Cell::Integer(10))]),
            entry(None, &[("phone", Cell::text("b"))]),
            entry(None, &[("camp", Cell::text("c")), ("updated_at", Cell::Integer(20))]),
            entry(Some(35), &[("camp", Cell::text("d"))]),
        ];
        let (entries, made_at) = dated(patients, entries, &stored);
        let times: Vec<_> = entries.iter().map(|(_, at)| *at).collect();
        assert_eq!((times, made_at), (vec![20, 20, 40, 35], 10));
    }
}
