//! Patients at a glance: which of them fit, by the entries that the search index has of them, each a tenth of a patient's row.

use rusqlite::{Connection, Row, params_from_iter};

use super::{SEEN, Sight, TIED_TO_SIGHT};
use crate::store::error::StoreError;

/// A question under way: entries `g` with more and more conditions, the first sieve first.
pub(super) struct Glances {
    conditions: Vec<String>,
    values: Vec<String>,
}

impl Glances {
    /// Entries that the index names for this question; all where there is none.
    pub(super) fn of(sight: &Sight, question: Option<String>) -> Self {
        let glances = Self {
            conditions: vec!["?1 IS NOT NULL".to_owned()],
            values: vec![sight.as_json()],
        };
        let named = "g.number IN (SELECT rowid FROM patient_words WHERE patient_words MATCH ?)";
        glances.and_all(question.map(|question| (named.to_owned(), vec![question])))
    }

    /// Only those where all of this holds; each `?` in it is one of the values.
    pub(super) fn and_all(mut self, conditions: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        for (condition, values) in conditions {
            self.conditions.push(condition);
            self.values.extend(values);
        }
        self
    }

    /// Only those that are in sight. Asked late: it reads a patient's row where only a visit or the like can be the reason.
    pub(super) fn in_sight(mut self) -> Self {
        self.conditions.push(format!(
            "(g.clinic IS NULL OR g.clinic IN (SELECT number FROM patient_clinics WHERE id IN {SEEN}) \
             OR EXISTS (SELECT 1 FROM patients t WHERE t.rowid = g.number AND ({})))",
            *TIED_TO_SIGHT
        ));
        self
    }

    /// Only those whose patients `t` fit, which reads their rows.
    pub(super) fn and_of_rows(self, conditions: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        self.and_all(conditions.into_iter().map(|(condition, values)| {
            let of_row = format!("EXISTS (SELECT 1 FROM patients t WHERE t.rowid = g.number AND {condition})");
            (of_row, values)
        }))
    }

    /// What is selected of them, in this order.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn read<T>(
        &self,
        connection: &Connection,
        (select, order): (&str, &str),
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let sql = format!(
            "SELECT {select} FROM patient_glances g WHERE {} ORDER BY {order}",
            self.conditions.join(" AND ")
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(&self.values), read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
