//! The tables and columns that travel between phone, hub and cloud, in the order of the contract's `tables.json`.
//!
//! Promise: `protocol/` holds the contract's own files, byte for byte (a test compares them), so that this crate builds
//! and its programs run without the contract beside them. Order matters: the app pushes tables and columns in it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// The contract's file.
pub(crate) const TABLES_JSON: &str = include_str!("../protocol/tables.json");

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| serde_json::from_str(TABLES_JSON).expect("protocol/tables.json is part of this crate"));

/// All tables, in the contract's order.
#[must_use]
pub fn schema() -> &'static Schema {
    &SCHEMA
}

/// All tables that travel.
#[derive(Debug, serde::Deserialize)]
#[serde(from = "RawSchema")]
pub struct Schema {
    tables: Vec<Table>,
}

/// One table.
#[derive(Debug)]
pub struct Table {
    /// Its name on every side.
    pub name: String,
    /// All its columns, those that only the hub and the cloud have included.
    pub columns: Vec<Column>,
    /// Which way it travels between phone and hub.
    pub phone: Travel,
    /// Which way it travels between hub and cloud.
    pub cloud: Travel,
    /// The column that ties a row to a clinic.
    pub clinic_column: Option<String>,
    /// The version of the phone's schema that brought the table; none where all have it.
    pub since: Option<u8>,
    phone_columns: Vec<usize>,
}

/// Directions that a table travels in, as seen from the outer side (phone or cloud).
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub struct Travel {
    /// Between phone and hub: sent to phones. Between hub and cloud: taken from the cloud.
    pub pull: bool,
    /// Between phone and hub: taken from phones. Between hub and cloud: sent to the cloud.
    pub push: bool,
}

/// One column.
#[derive(Debug)]
pub struct Column {
    /// Its name on every side.
    pub name: String,
    /// Its type on the hub and on the phone.
    pub kind: Kind,
    /// Whether it is never null on the hub, and never null on a phone either.
    pub required: bool,
    /// Whether the phone's schema has it.
    pub phone: bool,
    /// Its type in the cloud's PostgreSQL, `timestamptz` for example.
    pub cloud: String,
    /// The version of the phone's schema that brought the column; none where all have it.
    pub since: Option<u8>,
}

/// Types of columns, by the names in `tables.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text.
    Text,
    /// JSON that is kept and sent to phones as text.
    Json,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Real,
    /// A decimal number that is kept as text.
    Decimal,
    /// 0 or 1 on the way to a phone; true or false in what a phone sends.
    Boolean,
    /// Milliseconds since 1970-01-01T00:00Z.
    EpochMs,
}

impl Schema {
    /// All tables in order.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The table of that name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.index_of(name).map(|index| &self.tables[index])
    }

    /// Where the table of that name stands in [`Schema::tables`].
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }
}

impl Table {
    /// The columns of the phone's schema in order; the first is `id`.
    pub fn phone_columns(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.phone_columns.iter().map(|&index| &self.columns[index])
    }

    /// Where the column of that name stands among [`Table::phone_columns`].
    #[must_use]
    pub fn phone_index(&self, name: &str) -> Option<usize> {
        self.phone_columns().position(|column| column.name == name)
    }

    /// The column of the phone's schema at that place among [`Table::phone_columns`].
    #[must_use]
    pub fn phone_column(&self, index: usize) -> &Column {
        &self.columns[self.phone_columns[index]]
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[derive(serde::Deserialize)]
struct RawSchema {
    tables: Ordered<RawTable>,
}

#[derive(serde::Deserialize)]
struct RawTable {
    phone: Travel,
    cloud: Travel,
    columns: Ordered<RawColumn>,
    clinic_column: Option<String>,
    since: Option<u8>,
}

#[derive(serde::Deserialize)]
struct RawColumn {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: bool,
    #[serde(default)]
    phone: bool,
    cloud: String,
    since: Option<u8>,
}

impl From<RawSchema> for Schema {
    fn from(raw: RawSchema) -> Self {
        Self {
            tables: raw
                .tables
                .0
                .into_iter()
                .map(|(name, table)| table.named(name))
                .collect(),
        }
    }
}

impl RawTable {
    fn named(self, name: String) -> Table {
        let columns: Vec<Column> = self
            .columns
            .0
            .into_iter()
            .map(|(name, column)| column.named(name))
            .collect();
        let phone_columns = columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.phone)
            .map(|(index, _)| index)
            .collect();
        Table {
            name,
            columns,
            phone: self.phone,
            cloud: self.cloud,
            clinic_column: self.clinic_column,
            since: self.since,
            phone_columns,
        }
    }
}

impl RawColumn {
    fn named(self, name: String) -> Column {
        Column {
            name,
            kind: self.kind,
            required: self.required,
            phone: self.phone,
            cloud: self.cloud,
            since: self.since,
        }
    }
}

/// A JSON object with its members in the order of the text; `serde_json`'s own map sorts them.
struct Ordered<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Beside a checkout without the contract there is nothing to compare with, and the copies are all there is.
    #[test]
    fn the_copies_are_the_contract() {
        let copies = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol");
        let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/protocol");
        let mut folders = vec![std::path::PathBuf::new()];
        let mut compared = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(Path::new(copies).join(&folder)).unwrap() {
                let entry = entry.unwrap();
                let name = folder.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    folders.push(name);
                    continue;
                }
                let copy = std::fs::read(entry.path()).unwrap();
                let theirs = Path::new(contract).join(&name);
                assert!(
                    !Path::new(contract).exists() || std::fs::read(theirs).unwrap() == copy,
                    "{}",
                    name.display()
                );
                compared += 1;
            }
        }
        assert!(compared >= 12, "tables, vectors and the samples of the sync");
    }

    #[test]
    fn order_is_the_order_of_the_file() {
        let names: Vec<&str> = schema().tables().iter().map(|table| table.name.as_str()).collect();
        assert_eq!(names.len(), 20);
        assert_eq!(names[..4], ["patients", "users", "clinics", "events"]);
        assert!(schema().tables().iter().all(|table| table.phone_column(0).name == "id"));
    }
}
