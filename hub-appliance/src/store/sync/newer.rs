//! Columns of newer apps: what a row has that this firmware does not know, kept as name and JSON value beside it.
//!
//! It promises: they are merged and kept in the history like any column, go back to phones with their row, and become the
//! row's own once a firmware knows them.

use rusqlite::Connection;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::history::Author;
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::schema::TableId;
use crate::store::value::{Source, read};
use crate::store::writer::WriteTx;

/// The longest name of a column, in bytes.
pub(super) const MAX_NAME: usize = 64;
/// So many columns of a row at most.
pub(super) const MAX_COLUMNS: usize = 64;

/// Lists and objects within each other, at most: unlike other columns these go back to phones as JSON in JSON, and no app
/// is to fail at a sync because of what another one nests.
const MAX_DEPTH: usize = 100;

/// Whether a value nests deeper than every reader of an answer can follow.
pub(super) fn nests_too_deep(json: &str) -> bool {
    let (mut depth, mut in_text, mut bytes) = (0_usize, false, json.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            // What is escaped ends no text.
            b'\\' if in_text => drop(bytes.next()),
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// A column that this firmware does not know, as it was sent.
#[derive(Debug)]
pub struct NewerColumn {
    /// Its name.
    pub name: Box<str>,
    /// Its value: JSON.
    pub value: Box<str>,
    /// Its sender says that it changed it, or says nothing of that kind.
    pub stated: bool,
}

/// What became of the newer columns of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Merged {
    /// One took another value.
    pub(super) written: bool,
    /// The sender has another value than the hub.
    pub(super) differs: bool,
}

/// Who sends a row's newer columns, and when.
#[derive(Clone, Copy)]
pub(super) struct Sender<'a> {
    pub(super) author: &'a Author,
    /// What it had seen.
    pub(super) base: HubTime,
    /// When it made its edit, epoch ms.
    pub(super) edited_at: i64,
}

/// Merges the newer columns of a row, one by one.
pub(super) fn merge(
    tx: &mut WriteTx<'_>,
    table: TableId,
    row: &str,
    columns: &[NewerColumn],
    sender: Sender<'_>,
) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    for column in columns {
        let connection = tx.connection();
        let stored = find(connection, table, row, &column.name)?;
        let is_blank = matches!(&*column.value, "null" | "\"\"" | "0" | "false");
        let takes = match &stored {
            None => !is_blank,
            Some(stored) if *stored.value == *column.value => continue,
            Some(stored) if stored.changed_at <= sender.base || stored.device == sender.author.device.0 => true,
            Some(stored) => column.stated && sender.edited_at > stored.edited_at,
        };
        let now = tx.change_time();
        if takes {
            if let Some(stored) = &stored {
                keep(
                    connection,
                    (table, row),
                    now,
                    "edit",
                    sender.author,
                    one(column, &stored.value),
                )?;
            }
            store(connection, (table, row), column, now, sender)?;
            merged.written = true;
        } else if stored.is_some() {
            merged.differs = true;
            if column.stated {
                keep(
                    connection,
                    (table, row),
                    now,
                    "lost",
                    sender.author,
                    one(column, &column.value),
                )?;
            }
        }
    }
    Ok(merged)
}

struct Stored {
    value: Box<str>,
    changed_at: HubTime,
    edited_at: i64,
    device: i64,
}

fn find(connection: &Connection, table: TableId, row: &str, name: &str) -> Result<Option<Stored>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT value, changed_at, edited_at, device FROM newer_columns WHERE table_name = ?1 AND row_id = ?2 AND name = ?3",
    )?;
    let mut rows = statement.query((table.table().name, row, name))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Stored {
        value: row.get_ref(0)?.as_str().unwrap_or_default().into(),
        changed_at: HubTime::from_millis(row.get(1)?),
        edited_at: row.get(2)?,
        device: row.get(3)?,
    }))
}

fn store(
    connection: &Connection,
    (table, row): (TableId, &str),
    column: &NewerColumn,
    now: HubTime,
    sender: Sender<'_>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO newer_columns VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute((
            table.table().name,
            row,
            &*column.name,
            &*column.value,
            now.millis(),
            sender.edited_at,
            sender.author.device.0,
        ))?;
    Ok(())
}

/// In the history a newer column stands under its name, as the others do; its value is JSON in a text.
fn one(column: &NewerColumn, value: &str) -> Map<String, Value> {
    Map::from_iter([(column.name.to_string(), value.into())])
}

/// Keeps values of a row that were replaced, or that never came to be stored: these once.
pub(super) fn keep(
    connection: &Connection,
    (table, row): (TableId, &str),
    now: HubTime,
    why: &str,
    author: &Author,
    cells: Map<String, Value>,
) -> Result<(), StoreError> {
    let cells = Value::Object(cells).to_string();
    connection
        .prepare_cached(
            "INSERT INTO history (table_name, row_id, changed_at, why, device, user_id, cells) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 WHERE ?4 <> 'lost' OR NOT EXISTS (SELECT 1 FROM history \
             WHERE table_name = ?1 AND row_id = ?2 AND why = ?4 AND device = ?5 AND user_id IS ?6 AND cells = ?7)",
        )?
        .execute((
            table.table().name,
            row,
            now.millis(),
            why,
            author.device.0,
            &author.user,
            cells,
        ))?;
    Ok(())
}

/// Whether rows of this table have newer columns: most have none, and are not looked for.
pub(super) fn any(connection: &Connection, table: TableId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM newer_columns WHERE table_name = ?1)")?
        .query_row([table.table().name], |row| row.get(0))?)
}

/// Writes `,"name":value` for each newer column of a row.
pub(super) fn write(connection: &Connection, table: TableId, row: &str, out: &mut Vec<u8>) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT name, value FROM newer_columns WHERE table_name = ?1 AND row_id = ?2 ORDER BY name")?;
    let mut rows = statement.query((table.table().name, row))?;
    while let Some(column) = rows.next()? {
        let name = column.get_ref(0)?.as_str().unwrap_or_default();
        out.push(b',');
        // Serialising to a vector cannot fail.
        let _ = serde_json::to_writer(&mut *out, name);
        out.push(b':');
        out.extend_from_slice(column.get_ref(1)?.as_bytes().unwrap_or(b"null"));
    }
    Ok(())
}

/// Gives rows the columns that this firmware has come to know. What does not fit its column stays beside the row.
pub(in crate::store) fn adopt(tx: &mut WriteTx<'_>) -> Result<(), StoreError> {
    let connection = tx.connection();
    let names: Vec<(String, String)> = connection
        .prepare("SELECT DISTINCT table_name, name FROM newer_columns")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (table, name) in names {
        let Some(id) = TableId::named(&table) else { continue };
        let Some(index) = id
            .table()
            .column(&name)
            .filter(|index| id.table().columns[*index].on_phone)
        else {
            continue;
        };
        let now = tx.change_time();
        let rows: Vec<(String, String)> = connection
            .prepare("SELECT row_id, value FROM newer_columns WHERE table_name = ?1 AND name = ?2")?
            .query_map((&table, &name), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (row, value) in rows {
            let read = RawValue::from_string(value)
                .ok()
                .and_then(|raw| read(&id.table().columns[index], &raw, Source::Phone).ok());
            let Some(read) = read else { continue };
            tx.step();
            tx.begin_part()?;
            let take = [(index, read.cell)];
            let hub = crate::store::devices::DeviceNumber::HUB;
            match crate::store::rows::update(connection, id, &row, &take, now, hub) {
                Ok(()) => {
                    connection
                        .prepare_cached(
                            "DELETE FROM newer_columns WHERE table_name = ?1 AND row_id = ?2 AND name = ?3",
                        )?
                        .execute((&table, &row, &name))?;
                    tx.keep_part()?;
                }
                Err(error) if error.is_of_the_values() => tx.undo_part()?,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nests_counts_as_depth() {
        let nested = |depth: usize| format!("{}{}", "[{\"a\":".repeat(depth / 2), "1}]".repeat(depth / 2));
        assert!(!nests_too_deep(&nested(MAX_DEPTH)) && nests_too_deep(&nested(MAX_DEPTH + 2)));
        let beside = format!("[{}[]]", "[],".repeat(5 * MAX_DEPTH));
        let in_text = serde_json::Value::from("\"[\\".repeat(5 * MAX_DEPTH)).to_string();
        assert!(!nests_too_deep(&beside) && !nests_too_deep(&in_text) && !nests_too_deep("1e400"));
    }
}
