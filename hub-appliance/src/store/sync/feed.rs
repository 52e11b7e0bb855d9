//! A table as phones get it: its queries, its columns, and its rows as JSON, straight into the bytes to seal.

use std::sync::LazyLock;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::newer;
use super::sight::Tie;
use crate::store::error::StoreError;
use crate::store::schema::{TABLES, Table, TableId};

/// One table's query and what is needed to write its rows.
pub(super) struct Feed {
    /// All rows.
    pub(super) all: String,
    /// Rows changed after ?1.
    pub(super) changed: String,
    /// The row ?1.
    pub(super) one: String,
    /// Rows of the patient ?1 that did not change after ?2; none where rows have no patient.
    pub(super) of_patient: Option<String>,
    /// `"name":` of each column that phones have.
    names: Vec<String>,
    /// What ties a row to places.
    pub(super) tie: Tie,
    /// When its maker made it; none where a table does not say.
    pub(super) created_at: Option<usize>,
}

/// One entry a table; none for those that phones do not get.
pub(super) static FEEDS: LazyLock<Vec<Option<Feed>>> = LazyLock::new(|| {
    TABLES
        .iter()
        .map(|table| table.phone.pulls().then(|| Feed::new(table)))
        .collect()
});

/// The hub's own columns, in front of the table's in the feed's query.
pub(super) const HUB_COLUMNS: usize = 5;

impl Feed {
    fn new(table: &Table) -> Self {
        let phone: Vec<_> = table.columns.iter().filter(|column| column.on_phone).collect();
        let mut columns: Vec<_> = phone.iter().map(|column| column.name).collect();
        let tie = Tie::of(table, |name| {
            let known = columns.iter().position(|column| *column == name);
            let place = known.unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            });
            place + HUB_COLUMNS
        });
        let columns: String = columns.iter().map(|column| format!(", \"{column}\"")).collect();
        let all = format!(
            "SELECT hub_created_at, hub_changed_at, hub_deleted_at IS NOT NULL, hub_origin, hub_created_by{columns} \
             FROM {}",
            table.name
        );
        let patient = match table.name {
            "patients" => Some("id"),
            _ => table.hangs_on_patient().then_some("patient_id"),
        };
        Self {
            changed: format!("{all} WHERE hub_changed_at > ?1"),
            one: format!("{all} WHERE id = ?1"),
            of_patient: patient.map(|patient| format!("{all} WHERE {patient} = ?1 AND hub_changed_at <= ?2")),
            all,
            created_at: phone
                .iter()
                .position(|column| column.name == "created_at")
                .map(|place| place + HUB_COLUMNS),
            names: phone.iter().map(|column| format!("\"{}\":", column.name)).collect(),
            tie,
        }
    }
}

/// Which list of an answer a row goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Created,
    Updated,
    Deleted,
    Left,
}

/// The three lists of one table, being written.
pub(super) struct Lists<'a> {
    feed: &'a Feed,
    /// Where the table has columns of newer apps.
    newer: Option<(&'a Connection, TableId)>,
    /// Bytes that the whole answer may have.
    at_most: usize,
    out: &'a mut Vec<u8>,
    created_from: usize,
    updated: Vec<u8>,
    deleted: Vec<u8>,
    count: usize,
}

impl<'a> Lists<'a> {
    pub(super) fn new(
        feed: &'a Feed,
        newer: Option<(&'a Connection, TableId)>,
        at_most: usize,
        out: &'a mut Vec<u8>,
    ) -> Self {
        out.extend_from_slice(b"{\"created\":[");
        Self {
            feed,
            newer,
            at_most,
            created_from: out.len(),
            out,
            updated: Vec::new(),
            deleted: Vec::new(),
            count: 0,
        }
    }

    pub(super) fn write(&mut self, row: &Row<'_>, fate: Fate) -> Result<(), StoreError> {
        match fate {
            Fate::Created => write_row(self.feed, row, self.out, self.created_from, self.newer)?,
            Fate::Updated => write_row(self.feed, row, &mut self.updated, 0, self.newer)?,
            Fate::Deleted => write_deleted(row, &mut self.deleted)?,
            Fate::Left => return Ok(()),
        }
        self.count += 1;
        if self.out.len() + self.updated.len() + self.deleted.len() > self.at_most {
            return Err(StoreError::TooLong);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> usize {
        self.out.extend_from_slice(b"],\"updated\":[");
        self.out.append(&mut self.updated);
        self.out.extend_from_slice(b"],\"deleted\":[");
        self.out.append(&mut self.deleted);
        self.out.extend_from_slice(b"]}");
        self.count
    }
}

/// Writes a row as JSON, with a comma in front unless it is the first behind `from`.
/// Columns of newer apps follow, where there are any in the table.
fn write_row(
    feed: &Feed,
    row: &Row<'_>,
    out: &mut Vec<u8>,
    from: usize,
    newer: Option<(&Connection, TableId)>,
) -> Result<(), StoreError> {
    if out.len() > from {
        out.push(b',');
    }
    let mut separator = b'{';
    for (index, name) in feed.names.iter().enumerate() {
        out.push(separator);
        out.extend_from_slice(name.as_bytes());
        write_value(row.get_ref(index + HUB_COLUMNS)?, out);
        separator = b',';
    }
    if let Some((connection, table)) = newer {
        let id = row.get_ref(HUB_COLUMNS)?.as_str().unwrap_or_default();
        newer::write(connection, table, id, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Each deleted id stands twice: one generation of the app takes objects and ignores bare ids, the other the other way.
fn write_deleted(row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), StoreError> {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(b"{\"id\":");
    write_value(row.get_ref(HUB_COLUMNS)?, out);
    out.extend_from_slice(b"},");
    write_value(row.get_ref(HUB_COLUMNS)?, out);
    Ok(())
}

/// Writes one value; serialising to a vector cannot fail.
pub(in crate::store) fn write_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Integer(integer) => {
            let _ = serde_json::to_writer(out, &integer);
        }
        ValueRef::Real(real) => {
            let _ = serde_json::to_writer(out, &real);
        }
        ValueRef::Text(text) => {
            let _ = serde_json::to_writer(out, &String::from_utf8_lossy(text));
        }
        ValueRef::Null | ValueRef::Blob(_) => out.extend_from_slice(b"null"),
    }
}
