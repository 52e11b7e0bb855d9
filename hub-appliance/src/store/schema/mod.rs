//! The shape of the records: tables, columns, types, and which way each travels.
//!
//! Everything that needs a list of columns (DDL, validation, conversion, the JSON of a row) derives it from [`TABLES`].
//! A new table is one entry in `tables.rs` and one migration.

mod tables;
#[cfg(test)]
mod tests;

use std::fmt;

pub use tables::TABLES;

/// How a column's values are kept, and what they look like on the way in and out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// JSON kept as text; its empty value is `{}`.
    Json,
    /// JSON kept as text; its empty value is `[]`.
    JsonList,
    /// A whole number.
    Integer,
    /// A floating-point number.
    Real,
    /// A decimal number kept as text.
    Decimal,
    /// 0 or 1.
    Boolean,
    /// Milliseconds since 1970.
    EpochMs,
}

impl ColumnType {
    /// Whether it is one of the two kinds of JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::JsonList)
    }
}

/// A column's type in the cloud's PostgreSQL, for conversion on the way in and fitting on the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudType {
    /// `uuid`
    Uuid,
    /// `text`, or `varchar` without a length
    Text,
    /// `varchar(n)`
    Varchar(u16),
    /// `date`
    Date,
    /// `jsonb`
    Jsonb,
    /// `text[]`
    TextArray,
    /// `boolean`
    Boolean,
    /// `timestamptz`
    Timestamptz,
    /// `int2`
    Int2,
    /// `integer`
    Integer,
    /// `float8`
    Float8,
    /// `numeric(precision, scale)`
    Numeric(u8, u8),
    /// The cloud's own enumeration of what a risk profile's value is.
    ProfileValueType,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name, the same on phone, hub and cloud.
    pub name: &'static str,
    /// Its type on the hub.
    pub kind: ColumnType,
    /// Never null on the hub.
    pub required: bool,
    /// In the phone's schema.
    pub on_phone: bool,
    /// The version of the phone's schema that brought it, where not every app in the field has it.
    pub since: Option<u8>,
    /// Its type in the cloud.
    pub cloud: CloudType,
    /// NOT NULL in the cloud, without a default.
    pub cloud_required: bool,
    /// The cloud's table that it must point into.
    pub cloud_ref: Option<&'static str>,
}

impl Column {
    const fn new(name: &'static str, kind: ColumnType, cloud: CloudType) -> Self {
        Self {
            name,
            kind,
            required: false,
            on_phone: false,
            since: None,
            cloud,
            cloud_required: false,
            cloud_ref: None,
        }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn on_phone(mut self) -> Self {
        self.on_phone = true;
        self
    }

    const fn since(mut self, version: u8) -> Self {
        self.since = Some(version);
        self
    }

    const fn cloud_required(mut self) -> Self {
        self.cloud_required = true;
        self
    }

    const fn cloud_ref(mut self, table: &'static str) -> Self {
        self.cloud_ref = Some(table);
        self
    }
}

const fn text(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Text, cloud)
}

const fn json(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Json, cloud)
}

const fn json_list(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::JsonList, cloud)
}

const fn integer(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Integer, cloud)
}

const fn real(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Real, cloud)
}

const fn decimal(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Decimal, cloud)
}

const fn boolean(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::Boolean, cloud)
}

const fn epoch_ms(name: &'static str, cloud: CloudType) -> Column {
    Column::new(name, ColumnType::EpochMs, cloud)
}

/// Which way a table's rows travel between the hub and one side (phones, or the cloud).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// Pulled and pushed.
    Both,
    /// Only pulled.
    PullOnly,
    /// Neither.
    Never,
}

impl Travel {
    /// Rows go from the hub to a phone, or from the cloud to the hub.
    #[must_use]
    pub const fn pulls(self) -> bool {
        matches!(self, Self::Both | Self::PullOnly)
    }

    /// Rows go from a phone to the hub, or from the hub to the cloud.
    #[must_use]
    pub const fn pushes(self) -> bool {
        matches!(self, Self::Both)
    }
}

/// One table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// How its rows travel between phones and hub.
    pub phone: Travel,
    /// How its rows travel between hub and cloud.
    pub cloud: Travel,
    /// The column that ties a row to a clinic.
    pub clinic_column: Option<&'static str>,
    /// The version of the phone's schema that brought it, where not every app in the field has it.
    pub since: Option<u8>,
    /// Its columns; `id` is the first.
    pub columns: &'static [Column],
}

/// A set of columns of one table: bit `n` is the column at index `n`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ColumnSet(u64);

impl ColumnSet {
    /// No column.
    pub const EMPTY: Self = Self(0);
    /// Every column.
    pub const ALL: Self = Self(u64::MAX);

    /// Adds the column at `index`.
    pub const fn insert(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    /// Whether the column at `index` is in the set.
    #[must_use]
    pub const fn contains(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// The columns that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether no column is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// One of [`TABLES`]: a table name that has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(usize);

impl TableId {
    /// All tables, in the order in which rows must be applied.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..TABLES.len()).map(Self)
    }

    /// The table of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TABLES.iter().position(|table| table.name == name).map(Self)
    }

    /// Its definition.
    #[must_use]
    pub fn table(self) -> &'static Table {
        &TABLES[self.0]
    }

    /// Its place among the tables, for arrays with one entry a table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Debug for TableId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table().name)
    }
}

impl Table {
    /// The index of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The index of a column, where the caller reads fields in about the order of the definition: looks at `hint` and
    /// onwards first.
    #[must_use]
    pub fn column_near(&self, name: &str, hint: usize) -> Option<usize> {
        let hint = hint.min(self.columns.len());
        let (before, after) = self.columns.split_at(hint);
        after
            .iter()
            .position(|column| column.name == name)
            .map(|index| index + hint)
            .or_else(|| before.iter().position(|column| column.name == name))
    }

    /// The set of the named columns; names that the table does not have are passed over.
    #[must_use]
    pub fn column_set<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> ColumnSet {
        let mut set = ColumnSet::EMPTY;
        for index in names.into_iter().filter_map(|name| self.column(name)) {
            set.insert(index);
        }
        set
    }

    /// Whether rows hang on a patient.
    #[must_use]
    pub fn hangs_on_patient(&self) -> bool {
        self.column("patient_id").is_some()
    }
}
