//! Synced rows in the database: reading one, inserting, updating, marking as deleted.

use std::sync::LazyLock;

use rusqlite::{Connection, OptionalExtension, ToSql, params_from_iter};

use super::devices::DeviceNumber;
use super::error::StoreError;
use super::schema::{TABLES, Table, TableId};
use super::value::Cell;
use crate::clock::HubTime;

/// A row as it is stored.
#[derive(Debug)]
pub struct StoredRow {
    /// One value a column of the table.
    pub cells: Vec<Cell>,
    /// When it reached the hub.
    pub created_at: HubTime,
    /// When it last changed: the change clock.
    pub changed_at: HubTime,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Who brought it to the hub.
    pub created_by: DeviceNumber,
    /// Who wrote it last.
    pub origin: DeviceNumber,
}

/// The statements of one table.
struct Statements {
    select: String,
    insert: String,
}

static STATEMENTS: LazyLock<Vec<Statements>> = LazyLock::new(|| TABLES.iter().map(Statements::new).collect());

/// The hub's own columns, behind those of the definition.
const HUB_COLUMNS: usize = 5;

impl Statements {
    fn new(table: &Table) -> Self {
        let columns = column_list(table);
        let places = vec!["?"; table.columns.len() + HUB_COLUMNS].join(", ");
        let name = table.name;
        Self {
            select: format!(
                "SELECT {columns}, hub_created_at, hub_changed_at, hub_deleted_at IS NOT NULL, hub_created_by, \
                 hub_origin \
                 FROM {name} WHERE id = ?1"
            ),
            insert: format!(
                "INSERT INTO {name} ({columns}, hub_created_at, hub_changed_at, hub_deleted_at, hub_created_by, \
                 hub_origin) VALUES ({places})"
            ),
        }
    }
}

/// The columns of the definition, quoted, in its order.
pub(super) fn column_list(table: &Table) -> String {
    let names: Vec<_> = table
        .columns
        .iter()
        .map(|column| format!("\"{}\"", column.name))
        .collect();
    names.join(", ")
}

/// Reads one row, deleted or not.
pub(super) fn find(connection: &Connection, id: TableId, row: &str) -> Result<Option<StoredRow>, StoreError> {
    let count = id.table().columns.len();
    let mut statement = connection.prepare_cached(&STATEMENTS[id.index()].select)?;
    let found = statement
        .query_row([row], |row| {
            Ok(StoredRow {
                cells: (0..count)
                    .map(|index| row.get_ref(index).map(Cell::from_sql))
                    .collect::<Result<_, _>>()?,
                created_at: HubTime::from_millis(row.get(count)?),
                changed_at: HubTime::from_millis(row.get(count + 1)?),
                deleted: row.get(count + 2)?,
                created_by: DeviceNumber(row.get(count + 3)?),
                origin: DeviceNumber(row.get(count + 4)?),
            })
        })
        .optional()?;
    Ok(found)
}

/// Whether a row is deleted; none where it is not there.
pub(super) fn find_deleted(connection: &Connection, id: TableId, row: &str) -> Result<Option<bool>, StoreError> {
    let sql = format!(
        "SELECT hub_deleted_at IS NOT NULL FROM {} WHERE id = ?1",
        id.table().name
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([row], |row| row.get(0))
        .optional()?)
}

/// Adds a row that is not there.
pub(super) fn insert(
    connection: &Connection,
    id: TableId,
    cells: &[Cell],
    at: HubTime,
    deleted: bool,
    by: DeviceNumber,
) -> Result<(), StoreError> {
    let at = at.millis();
    let deleted_at = deleted.then_some(at);
    let hub: [&dyn ToSql; HUB_COLUMNS] = [&at, &at, &deleted_at, &by.0, &by.0];
    let values = cells.iter().map(|cell| cell as &dyn ToSql).chain(hub);
    connection
        .prepare_cached(&STATEMENTS[id.index()].insert)?
        .execute(params_from_iter(values))?;
    Ok(())
}

/// Gives columns of a row new values and stamps it.
///
/// Only the columns that change are named, so that SQLite leaves the other indexes alone.
pub(super) fn update(
    connection: &Connection,
    id: TableId,
    row: &str,
    take: &[(usize, Cell)],
    at: HubTime,
    by: DeviceNumber,
) -> Result<(), StoreError> {
    let table = id.table();
    let sets: String = take
        .iter()
        .map(|(index, _)| format!("\"{}\" = ?, ", table.columns[*index].name))
        .collect();
    let sql = format!(
        "UPDATE {} SET {sets}hub_changed_at = ?, hub_origin = ? WHERE id = ?",
        table.name
    );
    let at = at.millis();
    let stamp: [&dyn ToSql; 3] = [&at, &by.0, &row];
    let empty = |index: usize| Cell::empty(table.columns[index].kind);
    // Null stands for the empty value, which is what a column that is never null takes for it.
    let filled: Vec<Option<Cell>> = take
        .iter()
        .map(|(index, cell)| (*cell == Cell::Null && table.columns[*index].required).then(|| empty(*index)))
        .collect();
    let values = take.iter().zip(&filled);
    let values = values
        .map(|((_, cell), filled)| filled.as_ref().unwrap_or(cell) as &dyn ToSql)
        .chain(stamp);
    connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

/// Makes phones get a row (or its deletion) again, without changing its values.
pub(super) fn touch(connection: &Connection, id: TableId, row: &str, at: HubTime) -> Result<(), StoreError> {
    update(connection, id, row, &[], at, DeviceNumber::HUB)
}

/// Marks a row as deleted; its values stay, apart from `is_deleted` and `deleted_at`.
pub(super) fn mark_deleted(
    connection: &Connection,
    id: TableId,
    row: &str,
    at: HubTime,
    by: DeviceNumber,
) -> Result<(), StoreError> {
    let table = id.table();
    let mut sets = String::new();
    if table.column("is_deleted").is_some() {
        sets += ", is_deleted = 1";
    }
    if table.column("deleted_at").is_some() {
        sets += ", deleted_at = coalesce(nullif(deleted_at, 0), ?1)";
    }
    let sql = format!(
        "UPDATE {} SET hub_deleted_at = ?1, hub_changed_at = ?1, hub_origin = ?2{sets} WHERE id = ?3",
        table.name
    );
    connection.prepare_cached(&sql)?.execute((at.millis(), by.0, row))?;
    Ok(())
}

/// Takes the mark of a deletion from a row.
pub(super) fn revive(
    connection: &Connection,
    id: TableId,
    row: &str,
    at: HubTime,
    by: DeviceNumber,
) -> Result<(), StoreError> {
    let table = id.table();
    let flag = |name, value| {
        table
            .column(name)
            .map_or_else(String::new, |_| format!(", {name} = {value}"))
    };
    let sql = format!(
        "UPDATE {} SET hub_deleted_at = NULL, hub_changed_at = ?1, hub_origin = ?2{}{} WHERE id = ?3",
        table.name,
        flag("is_deleted", "0"),
        flag("deleted_at", "NULL"),
    );
    connection.prepare_cached(&sql)?.execute((at.millis(), by.0, row))?;
    Ok(())
}

/// The ids of the rows that are not deleted and whose `column` is `value`.
pub(super) fn live_ids(
    connection: &Connection,
    id: TableId,
    column: &'static str,
    value: &str,
) -> Result<Vec<String>, StoreError> {
    let sql = format!(
        "SELECT id FROM {} WHERE {column} = ?1 AND hub_deleted_at IS NULL",
        id.table().name
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement
        .query_map([value], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(ids)
}
