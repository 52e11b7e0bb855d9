//! Comparing whole databases: phones with each other, with the hub, and with the clinic that was imported.
//!
//! Promise: every row and every column is compared, never counts alone. Null equals a type's empty value, as in the
//! contract; a row with the flag `is_deleted` equals one that is gone; `updated_at` is compared as it stands and as it
//! was pushed, for the app moves its own on when it marks a row as synced. Of two generations of the app, what both have
//! is compared. What differs is named to the first column, and counted.

use std::fmt;

use serde_json::Value;

use crate::clinic::{Clinic, DemoUser};
use crate::phone::cell::Cell;
use crate::phone::database::Row;
use crate::phone::{Database, Generation, Phone, SyncError};
use crate::schema::{Column, Kind, Table, schema};

/// Whether the text of a JSON column has to be the same, or only its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonRule {
    /// The same text: between phones, which all got it from the hub.
    Text,
    /// The same value: against the clinic, whose JSON the hub spelled out.
    Value,
}

/// How two databases differ: the first difference, and how many rows differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The table of the first difference.
    pub table: &'static str,
    /// Its row.
    pub id: Box<str>,
    /// What differs in it.
    pub kind: DifferenceKind,
    /// How many rows differ in all.
    pub rows: usize,
}

/// What differs in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only the left database has it.
    OnlyLeft,
    /// Only the right database has it.
    OnlyRight,
    /// A column, with its value left and right.
    Column {
        /// The column.
        column: &'static str,
        /// Its value left.
        left: Box<str>,
        /// Its value right.
        right: Box<str>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: ", self.table, self.id)?;
        match &self.kind {
            DifferenceKind::OnlyLeft => f.write_str("only left")?,
            DifferenceKind::OnlyRight => f.write_str("only right")?,
            DifferenceKind::Column { column, left, right } => write!(f, "{column} is {left} left, {right} right")?,
        }
        write!(f, " ({} rows differ)", self.rows)
    }
}

impl std::error::Error for Difference {}

/// What is compared, and how.
#[derive(Debug, Clone)]
pub struct Comparison {
    json: JsonRule,
    without: Vec<&'static str>,
}

impl Comparison {
    /// Of everything that two phones of one user have in common.
    #[must_use]
    pub fn of_one_user() -> Self {
        Self {
            json: JsonRule::Text,
            without: Vec::new(),
        }
    }

    /// Of everything that phones of different users have in common: each gets only its own permissions.
    #[must_use]
    pub fn of_users() -> Self {
        Self::of_one_user().without("user_clinic_permissions")
    }

    /// With JSON columns compared by another rule.
    #[must_use]
    pub fn json(mut self, rule: JsonRule) -> Self {
        self.json = rule;
        self
    }

    /// Leaves a table out.
    #[must_use]
    pub fn without(mut self, table: &'static str) -> Self {
        self.without.push(table);
        self
    }

    /// Compares two databases.
    ///
    /// # Errors
    /// The first [`Difference`] in the order of tables, ids and columns.
    pub fn compare(&self, left: &Database, right: &Database) -> Result<(), Difference> {
        let mut first = None;
        let mut rows = 0;
        let on_both = |table: &&Table| [left, right].iter().all(|side| side.generation().has_table(table));
        for table in schema()
            .tables()
            .iter()
            .filter(on_both)
            .filter(|table| !self.without.contains(&table.name.as_str()))
        {
            for (id, kind) in self.differing_rows(table, left, right) {
                rows += 1;
                first.get_or_insert_with(|| (table.name.as_str(), id.into(), kind));
            }
        }
        match first {
            Some((table, id, kind)) => Err(Difference { table, id, kind, rows }),
            None => Ok(()),
        }
    }

    fn differing_rows<'a>(
        &self,
        table: &'static Table,
        left: &'a Database,
        right: &'a Database,
    ) -> Vec<(&'a str, DifferenceKind)> {
        let apps = [left.generation(), right.generation()];
        let (mut left, mut right) = (living(table, left).peekable(), living(table, right).peekable());
        let mut differing = Vec::new();
        loop {
            match (left.peek(), right.peek()) {
                (None, None) => return differing,
                (Some((id, _)), other) if other.is_none_or(|(other, _)| id < other) => {
                    differing.push((*id, DifferenceKind::OnlyLeft));
                    left.next();
                }
                (one, Some((id, _))) if one.is_none_or(|(one, _)| id < one) => {
                    differing.push((*id, DifferenceKind::OnlyRight));
                    right.next();
                }
                (Some((id, one)), Some((_, other))) => {
                    differing.extend(self.differing_column((table, apps), one, other).map(|kind| (*id, kind)));
                    left.next();
                    right.next();
                }
                // One side is at its end and the other is not: the arms above took it.
                _ => return differing,
            }
        }
    }

    fn differing_column(
        &self,
        (table, apps): (&'static Table, [Generation; 2]),
        left: &Row,
        right: &Row,
    ) -> Option<DifferenceKind> {
        table
            .phone_columns()
            .zip(left.cells().iter().zip(right.cells()))
            .filter(|(column, _)| apps.iter().all(|app| app.has_column(column)))
            .find_map(|(column, (one, other))| {
                let (pushed_one, pushed_other) = (as_pushed(column, left, one), as_pushed(column, right, other));
                let same = |one: &Cell| self.same(column, one, other) || self.same(column, one, &pushed_other);
                if same(one) || same(&pushed_one) {
                    return None;
                }
                let (left, right) = (shortened(&pushed_one), shortened(&pushed_other));
                Some(DifferenceKind::Column {
                    column: &column.name,
                    left,
                    right,
                })
            })
    }

    fn same(&self, column: &Column, left: &Cell, right: &Cell) -> bool {
        if left == right || (left.is_empty() && right.is_empty()) {
            return true;
        }
        let parse = |cell: &Cell| serde_json::from_str::<Value>(cell.as_text()?).ok();
        column.kind == Kind::Json
            && self.json == JsonRule::Value
            && parse(left).zip(parse(right)).is_some_and(|(left, right)| left == right)
    }
}

/// The rows of a table that are not deleted, in the order of their ids.
fn living<'a>(table: &'static Table, database: &'a Database) -> impl Iterator<Item = (&'a str, &'a Row)> {
    database
        .rows(&table.name)
        .into_iter()
        .flatten()
        .filter(|(_, row)| !row.is_deleted(table))
}

/// The cell as the hub last got it.
fn as_pushed(column: &Column, row: &Row, cell: &Cell) -> Cell {
    match row.pushed_updated_at() {
        Some(pushed) if column.name == "updated_at" => Cell::Integer(pushed),
        _ => cell.clone(),
    }
}

/// A value for people to read: long text is cut.
fn shortened(cell: &Cell) -> Box<str> {
    const LONGEST: usize = 80;
    let text = cell.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// The hub's rows as a phone sees them that pulls everything anew; `phone` is logged in and its own database is left
/// alone.
///
/// # Errors
/// [`SyncError`], as a sync.
pub async fn hub_as_seen_by(phone: &mut Phone) -> Result<Database, SyncError> {
    let empty = Database::of(phone.database.generation());
    let own = std::mem::replace(&mut phone.database, empty);
    phone.client.handshake().await?;
    let pulled = phone.pull().await;
    let seen = std::mem::replace(&mut phone.database, own);
    pulled.map(|_| seen)
}

/// What a phone of that user should have after its first pull from a hub that holds only this clinic, and that cannot
/// know yet which app asks: a table that is new is not sent then.
#[must_use]
pub fn first_pull_of(clinic: &Clinic, user: &DemoUser) -> Database {
    let mut database = Database::new();
    let sent = |table: &&Table| table.phone.pull && table.since.is_none();
    for table in schema().tables().iter().filter(sent) {
        let user_column = (table.name == "user_clinic_permissions")
            .then(|| table.phone_index("user_id"))
            .flatten();
        let user_id = Cell::text(&user.id);
        for cells in clinic.expected(&table.name) {
            if user_column.is_none_or(|column| cells[column] == user_id) {
                database.put_synced(table, cells);
            }
        }
    }
    database
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clinic::ClinicSize;

    fn database(values: &[(&str, Cell)]) -> Database {
        let mut database = Database::new();
        database.create("visits", "v", values, 5).unwrap();
        database.mark_pushed(&database.local_changes(), 9);
        database
    }

    #[test]
    fn null_equals_empty_and_deleted_equals_gone() {
        let compare = Comparison::of_one_user();
        let (null, empty) = (
            database(&[]),
            database(&[("provider_name", "".into()), ("deleted_at", 0_i64.into())]),
        );
        assert_eq!(compare.compare(&null, &empty), Ok(()));
        let mut flagged = null.clone();
        flagged.flag_deleted("visits", "v", 9).unwrap();
        assert_eq!(compare.compare(&flagged, &Database::new()), Ok(()));
    }

    #[test]
    fn the_first_difference_is_named() {
        let compare = Comparison::of_one_user();
        let (one, other) = (database(&[]), database(&[("provider_name", "Dr".into())]));
        let difference = compare.compare(&one, &other).unwrap_err();
        assert_eq!(
            difference.to_string(),
            r#"visits/v: provider_name is null left, "Dr" right (1 rows differ)"#
        );
        let difference = compare.compare(&one, &Database::new()).unwrap_err();
        assert_eq!(difference.kind, DifferenceKind::OnlyLeft);
        let difference = compare.compare(&Database::new(), &one).unwrap_err();
        assert_eq!(difference.kind, DifferenceKind::OnlyRight);
        assert_eq!(compare.without("visits").compare(&one, &other), Ok(()));
    }

    #[test]
    fn updated_at_counts_as_it_was_pushed() {
        let mut other = Database::new();
        other.create("visits", "v", &[], 5).unwrap();
        assert_eq!(Comparison::of_one_user().compare(&database(&[]), &other), Ok(()));
        other.update("visits", "v", &[], 7).unwrap();
        let difference = Comparison::of_one_user().compare(&database(&[]), &other).unwrap_err();
        assert!(matches!(
            difference.kind,
            DifferenceKind::Column {
                column: "updated_at",
                ..
            }
        ));
    }

    #[test]
    fn json_by_text_or_by_value() {
        let one = database(&[("metadata", r#"{"a":1,"b":2}"#.into())]);
        let other = database(&[("metadata", r#"{ "b": 2, "a": 1 }"#.into())]);
        assert!(Comparison::of_one_user().compare(&one, &other).is_err());
        assert_eq!(
            Comparison::of_one_user().json(JsonRule::Value).compare(&one, &other),
            Ok(())
        );
    }

    #[test]
    fn the_first_pull_of_a_clinic() {
        let clinic = Clinic::generate(
            3,
            ClinicSize {
                patients: 5,
                visits: 10,
                events: 20,
            },
        );
        let database = first_pull_of(&clinic, &clinic.users()[1]);
        assert_eq!(database.rows("patients").unwrap().len(), 5);
        assert_eq!(database.rows("users").unwrap().len(), 0);
        assert_eq!(database.rows("user_clinic_permissions").unwrap().len(), 1);
        assert!(database.local_changes().is_empty());
    }
}
