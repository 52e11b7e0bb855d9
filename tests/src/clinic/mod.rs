//! A believable clinic, made up: two clinics, six users with different rights, patients with names in several scripts,
//! and everything that happened to them.
//!
//! Promise: the same seed and size give the same bundle, byte for byte, on every machine. The bundle has the shape and
//! the values of the cloud's pull answer (`cloud.md`), for `hub-appliance import`; [`Clinic::expected`] gives the same
//! rows as phones should end up with them.

mod forms;
mod names;
mod pharmacy;
mod random;
mod records;
mod source;
mod staff;

use std::io;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::phone::cell::Cell;
use crate::schema::{Table, schema};
use records::House;
use source::{Build, CloudRow, SourceRow, as_phone};
pub use staff::{DemoUser, RIGHTS};

/// 2024-01-01T00:00Z: the clinic opens.
const BEGIN: i64 = 1_704_067_200_000;
/// Two years of records.
const SPAN: i64 = 2 * 365 * 86_400_000;

/// How much of a clinic to make. Attributes, vitals, problems, appointments and prescriptions come with it: about 26
/// rows a patient where visits are 4 and events 12 a patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClinicSize {
    /// Patients.
    pub patients: usize,
    /// Visits, spread over the patients.
    pub visits: usize,
    /// Events, spread over the visits.
    pub events: usize,
}

impl ClinicSize {
    /// The demo: 500 patients, 2,000 visits, 6,000 events.
    pub const DEMO: Self = Self {
        patients: 500,
        visits: 2_000,
        events: 6_000,
    };

    /// Only the clinic's furniture: users, forms, drugs, stock.
    pub const EMPTY: Self = Self {
        patients: 0,
        visits: 0,
        events: 0,
    };

    /// A clinic of about so many rows, within a few percent from 10,000 on.
    #[must_use]
    pub const fn about_rows(rows: usize) -> Self {
        let patients = rows * 2 / 53;
        Self {
            patients,
            visits: patients * 4,
            events: patients * 12,
        }
    }
}

/// A clinic.
#[derive(Debug)]
pub struct Clinic {
    users: Vec<DemoUser>,
    /// In the order of [`crate::schema::Schema::tables`].
    tables: Vec<Vec<SourceRow>>,
}

impl Clinic {
    /// The seed of the demo.
    pub const DEMO_SEED: u64 = 2026;

    /// Makes a clinic. The six bcrypt hashes take most of the time of a small one.
    #[must_use]
    pub fn generate(seed: u64, size: ClinicSize) -> Self {
        let mut build = Build::new(seed);
        let staff = staff::build(&mut build, BEGIN);
        let forms = forms::build(&mut build, &staff.clinics, BEGIN);
        let stock = pharmacy::build(&mut build, &staff.clinics, BEGIN);
        let house = House { staff, forms, stock };
        records::build(&mut build, &house, &size);
        Self {
            users: house.staff.users,
            tables: build.tables,
        }
    }

    /// The demo that `scripts/run` shows.
    #[must_use]
    pub fn demo() -> Self {
        Self::generate(Self::DEMO_SEED, ClinicSize::DEMO)
    }

    /// Who can log in.
    #[must_use]
    pub fn users(&self) -> &[DemoUser] {
        &self.users
    }

    /// The user of that e-mail.
    #[must_use]
    pub fn user(&self, email: &str) -> Option<&DemoUser> {
        self.users.iter().find(|user| user.email == email)
    }

    /// How many rows each table has.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        schema()
            .tables()
            .iter()
            .zip(&self.tables)
            .map(|(table, rows)| (table.name.as_str(), rows.len()))
            .collect()
    }

    /// The rows of a table as phones should have them: the cells of [`Table::phone_columns`], the id first.
    pub fn expected(&self, table: &str) -> impl Iterator<Item = Vec<Cell>> {
        let index = schema().index_of(table);
        index.into_iter().flat_map(move |index| {
            let table = &schema().tables()[index];
            self.tables[index].iter().map(move |row| phone_row(table, row))
        })
    }

    /// Writes the bundle.
    ///
    /// # Errors
    /// What the writer gives.
    pub fn write_bundle(&self, writer: impl io::Write) -> io::Result<()> {
        serde_json::to_writer(writer, &Bundle(self)).map_err(io::Error::from)
    }
}

fn phone_row(table: &Table, row: &SourceRow) -> Vec<Cell> {
    let columns = table.columns.iter().zip(row);
    columns
        .filter(|(column, _)| column.phone)
        .map(|(column, value)| as_phone(column, value))
        .collect()
}

/// The pull answer: `{"success":true,"changes":{table:{created,updated,deleted}},"timestamp"}`.
struct Bundle<'a>(&'a Clinic);

impl Serialize for Bundle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("success", &true)?;
        map.serialize_entry("changes", &BundleTables(self.0))?;
        map.serialize_entry("timestamp", &(BEGIN + SPAN))?;
        map.end()
    }
}

struct BundleTables<'a>(&'a Clinic);

impl Serialize for BundleTables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tables = schema().tables().iter().zip(&self.0.tables);
        serializer.collect_map(tables.map(|(table, rows)| (&table.name, BundleTable(table, rows))))
    }
}

struct BundleTable<'a>(&'a Table, &'a [SourceRow]);

impl Serialize for BundleTable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("created", &BundleRows(self.0, self.1))?;
        map.serialize_entry("updated", &[(); 0])?;
        map.serialize_entry("deleted", &[(); 0])?;
        map.end()
    }
}

struct BundleRows<'a>(&'a Table, &'a [SourceRow]);

impl Serialize for BundleRows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.1.iter().map(|row| CloudRow { table: self.0, row }))
    }
}

#[cfg(test)]
mod tests;
