//! The generations of the app that are in the field, and in what they differ.
//!
//! Both sync with the same hub, and nothing in a request names them: a hub learns from what a phone does. What each has
//! of the contract's tables and columns follows from the version of its schema.

use std::fmt;
use std::str::FromStr;

use crate::schema::{Column, Table};

/// A generation of the app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Generation {
    /// Schema 9: takes deletes as objects, skips changes of rows that it lacks, and fails at what it does not know.
    #[serde(rename = "1.5")]
    V1_5,
    /// Schema 12, what the stores hold now: takes deletes as bare ids, and makes rows that it lacks.
    #[default]
    #[serde(rename = "1.7")]
    V1_7,
}

/// The text names no generation.
#[derive(Debug, thiserror::Error)]
#[error("there is no such app: 1.5 or 1.7")]
pub struct NoSuchApp;

impl Generation {
    /// The version of the phone's schema.
    #[must_use]
    pub const fn schema_version(self) -> u8 {
        match self {
            Self::V1_5 => 9,
            Self::V1_7 => 12,
        }
    }

    /// Whether its schema has the table.
    #[must_use]
    pub fn has_table(self, table: &Table) -> bool {
        table.since.is_none_or(|since| since <= self.schema_version())
    }

    /// Whether its schema has the column, in a table that it has.
    #[must_use]
    pub fn has_column(self, column: &Column) -> bool {
        column.phone && column.since.is_none_or(|since| since <= self.schema_version())
    }
}

impl FromStr for Generation {
    type Err = NoSuchApp;

    fn from_str(text: &str) -> Result<Self, NoSuchApp> {
        [Self::V1_5, Self::V1_7]
            .into_iter()
            .find(|generation| generation.to_string() == text)
            .ok_or(NoSuchApp)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_5 => "1.5",
            Self::V1_7 => "1.7",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;

    #[test]
    fn each_has_what_its_schema_has() {
        let profiles = schema().table("patient_risk_profiles").unwrap();
        assert!(!Generation::V1_5.has_table(profiles) && Generation::V1_7.has_table(profiles));
        let newer: Vec<String> = schema()
            .tables()
            .iter()
            .filter(|table| Generation::V1_5.has_table(table))
            .flat_map(|table| table.phone_columns().map(move |column| (table, column)))
            .filter(|(_, column)| !Generation::V1_5.has_column(column))
            .map(|(table, column)| format!("{}.{}", table.name, column.name))
            .collect();
        assert_eq!(
            newer,
            [
                "clinics.address",
                "clinics.country",
                "clinics.city",
                "app_config.clinic_ids"
            ]
        );
        assert_eq!("1.5".parse::<Generation>().unwrap(), Generation::V1_5);
        assert!("1.6".parse::<Generation>().is_err());
    }
}
