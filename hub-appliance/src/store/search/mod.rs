//! Finding patients: an index of the parts of their texts, in words that stand for these parts.
//!
//! It promises: the index follows every write of a patient or an attribute, whoever made it, in the same transaction;
//! what it finds is more than was asked for, never less, so whoever uses it looks at the rows it names. A patient's entry
//! has the row's number in `patients`, which copying and compacting the database keep.
//!
//! Beside the words stands what is asked of nearly every row that they name ([`GLANCED`], the clinic, and when it was
//! written last), so that many can be looked at without reading, and decrypting, a page for each.
//!
//! A text's parts are all three letters in a row of it ([`of_text`]), and for names each word with any one letter left
//! out ([`of_names`]): two words with one letter missing, added, changed or swapped have one of these in common.

mod fold;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

pub(super) use fold::fold;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};

use super::error::StoreError;
use super::pulse::Pulse;
use super::schema::{ColumnType, TableId};

/// The version of folding and words: an index of another one is made anew.
const VERSION: i64 = 2;
/// The columns of patients that are names: an entry holds them, folded, beside their words.
const GLANCED: [&str; 2] = ["given_name", "surname"];
/// Letters of a text's part.
const PART: usize = 3;
/// Letters of a text whose parts are in the index. Rows with longer ones are looked at whatever is asked.
const MAX_TEXT: usize = 200;
/// The word of rows with longer texts.
const LONG: &str = "toolong";
/// Words of a name, and letters of each, that are looked at.
const MAX_NAMES: usize = 8;
const MAX_NAME: usize = 24;

/// Texts of a patient that are not looked for by their parts: long, or references.
const NOT_INDEXED: [&str; 4] = ["id", "photo_url", "primary_clinic_id", "last_modified_by"];

/// The indexed columns of patients, quoted.
static COLUMNS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let columns = TableId::named("patients").map_or(&[][..], |patients| patients.table().columns);
    columns
        .iter()
        .filter(|column| column.kind == ColumnType::Text)
        .map(|column| column.name)
        .filter(|name| !NOT_INDEXED.contains(name))
        .collect()
});

/// Whether the index knows this column of patients.
pub(super) fn is_indexed(column: &str) -> bool {
    COLUMNS.contains(&column)
}

/// Whether an entry in `patient_glances` has this column of patients, folded.
pub(super) fn is_glanced(column: &str) -> bool {
    GLANCED.contains(&column)
}

/// FNV-1a: words have to be the same with every firmware, and need not withstand anybody.
struct Hash(u64);

impl Hash {
    fn of(kind: &str) -> Self {
        Self(0xcbf2_9ce4_8422_2325).and(kind)
    }

    fn and(mut self, text: &str) -> Self {
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
        self
    }

    /// Writes it as a word of 7 letters and digits.
    fn write(&self, words: &mut String) {
        const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut rest = self.0 ^ (self.0 >> 35);
        for _ in 0..7 {
            words.push(char::from(DIGITS[usize::try_from(rest & 31).unwrap_or(0)]));
            rest >>= 5;
        }
        words.push(' ');
    }
}

/// The words of all parts of a folded text that stands in `place`, which is a column or an attribute.
fn of_text(place: &str, folded: &str, words: &mut String) {
    let place = Hash::of("part").and(place);
    let mut ends = folded.char_indices().map(|(at, _)| at).chain([folded.len()]);
    let starts: Vec<usize> = ends.by_ref().take(MAX_TEXT + 1).collect();
    for part in starts.windows(PART + 1) {
        Hash(place.0).and(&folded[part[0]..part[PART]]).write(words);
    }
    if ends.next().is_some() {
        words.push_str(LONG);
        words.push(' ');
    }
}

/// The words of a folded name's words, each word's in a line of its own.
fn of_names(folded: &str) -> Vec<String> {
    let names = folded
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|name| !name.is_empty());
    names
        .take(MAX_NAMES)
        .map(|name| {
            let letters: Vec<char> = name.chars().take(MAX_NAME).collect();
            let mut words = String::new();
            let mut word = |letters: &mut dyn Iterator<Item = &char>| {
                Hash::of("name").and(&letters.collect::<String>()).write(&mut words);
            };
            word(&mut letters.iter());
            for left_out in 0..letters.len() {
                // Of two like letters it is the same which one is left out.
                if left_out + 1 < letters.len() && letters[left_out] == letters[left_out + 1] {
                    continue;
                }
                let (before, after) = letters.split_at(left_out);
                word(&mut before.iter().chain(&after[1..]));
            }
            words
        })
        .collect()
}

/// What the index is asked.
#[derive(Debug, Default)]
pub(super) struct Terms(String);

impl Terms {
    /// Asks for a folded text in `place` too. Texts of fewer letters than a part has can't be asked for.
    pub(super) fn and_text(&mut self, place: &str, folded: &str) {
        let letters: String = folded.chars().take(MAX_TEXT).collect();
        let mut words = String::new();
        of_text(place, &letters, &mut words);
        for word in words.split_whitespace() {
            self.and(word);
        }
    }

    fn and(&mut self, condition: &str) {
        let and = if self.0.is_empty() { "" } else { " AND " };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{and}{condition}");
    }

    /// For patients with names like each of these, or, the second, like any of these.
    pub(super) fn for_names(folded: &str) -> (Self, Self) {
        let (mut all, mut any) = (Self::default(), String::new());
        for words in of_names(folded) {
            let alternatives = words.split_whitespace().collect::<Vec<_>>().join(" OR ");
            all.and(&format!("({alternatives})"));
            let or = if any.is_empty() { "" } else { " OR " };
            let _ = write!(any, "{or}{alternatives}");
        }
        (all, Self(any))
    }

    /// The question in FTS5's language; none where there is nothing to ask.
    pub(super) fn question(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| format!("({}) OR {LONG}", self.0))
    }
}

/// Rows that changed and whose entries have not followed yet.
#[derive(Debug, Default)]
struct Behind {
    patients: BTreeSet<i64>,
    attributes: BTreeSet<i64>,
}

/// Takes notice of what a connection writes.
#[derive(Clone, Default)]
pub(super) struct Follower(Arc<Mutex<Behind>>);

impl Follower {
    /// Watches every write of this connection from now on.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn watch(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let behind = Arc::clone(&self.0);
        connection.update_hook(Some(move |_, _: &str, table: &str, row| {
            let mut behind = behind.lock().unwrap_or_else(PoisonError::into_inner);
            match table {
                "patients" => drop(behind.patients.insert(row)),
                "patient_additional_attributes" => drop(behind.attributes.insert(row)),
                _ => {}
            }
        }))?;
        Ok(())
    }

    /// Brings the entries of all that was written up to it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn catch_up(&self, connection: &Connection, pulse: &Pulse) -> Result<(), StoreError> {
        let Behind {
            mut patients,
            attributes,
        } = self.take();
        if !attributes.is_empty() {
            let mut patient_of = connection.prepare_cached(
                "SELECT p.rowid FROM patient_additional_attributes a JOIN patients p ON p.id = a.patient_id WHERE a.rowid = ?1",
            )?;
            for attribute in attributes {
                pulse.step();
                patients.extend(
                    patient_of
                        .query_row([attribute], |row| row.get::<_, i64>(0))
                        .optional()?,
                );
            }
        }
        for patient in patients {
            pulse.step();
            enter(connection, patient)?;
        }
        Ok(())
    }

    /// Forgets what was written: it was rolled back.
    pub(super) fn forget(&self) {
        drop(self.take());
    }

    fn take(&self) -> Behind {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes the index anew where there is none of this version: after an update.
///
/// # Errors
/// What SQLite reports.
pub(super) fn make_unless_there(connection: &mut Connection, pulse: &Pulse) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("SELECT version FROM patient_words_version", [], |row| row.get(0))?;
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "INSERT INTO patient_words (patient_words) VALUES ('delete-all'); DELETE FROM patient_glances; \
         DELETE FROM patient_clinics;",
    )?;
    let patients: Vec<i64> = transaction
        .prepare("SELECT rowid FROM patients ORDER BY rowid")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for patient in patients {
        pulse.step();
        enter(&transaction, patient)?;
    }
    transaction.execute("UPDATE patient_words_version SET version = ?1", [VERSION])?;
    Ok(pulse.unseen(|| transaction.commit())?)
}

static PATIENT: LazyLock<String> = LazyLock::new(|| {
    let columns: String = COLUMNS.iter().map(|column| format!("\"{column}\", ")).collect();
    format!(
        "SELECT {columns} id, coalesce(updated_at, 0), nullif(primary_clinic_id, ''), coalesce(is_deleted, 0) FROM patients \
         WHERE rowid = ?1 AND hub_deleted_at IS NULL"
    )
});

/// What is known of a patient beside the words.
struct Glance {
    id: String,
    updated_at: i64,
    clinic: Option<String>,
    is_deleted: bool,
    given_name: Option<String>,
    surname: Option<String>,
}

impl Glance {
    /// Of a row of [`PATIENT`], and its folded [`GLANCED`] columns.
    fn of(row: &Row<'_>, [given_name, surname]: [Option<String>; 2]) -> rusqlite::Result<Self> {
        let after = COLUMNS.len();
        Ok(Self {
            id: row.get(after)?,
            updated_at: row.get(after + 1)?,
            clinic: row.get(after + 2)?,
            is_deleted: row.get(after + 3)?,
            given_name,
            surname,
        })
    }

    fn write(&self, connection: &Connection, patient: i64) -> Result<(), StoreError> {
        let clinic = match &self.clinic {
            Some(clinic) => Some(number_of(connection, clinic)?),
            None => None,
        };
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO patient_glances (number, updated_at, clinic, given_name, surname) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((patient, self.updated_at, clinic, &self.given_name, &self.surname))?;
        Ok(())
    }
}

/// The number that stands for a clinic in the entries.
fn number_of(connection: &Connection, clinic: &str) -> Result<i64, StoreError> {
    let known = connection
        .prepare_cached("SELECT number FROM patient_clinics WHERE id = ?1")?
        .query_row([clinic], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => {
            connection
                .prepare_cached("INSERT INTO patient_clinics (id) VALUES (?1)")?
                .execute([clinic])?;
            Ok(connection.last_insert_rowid())
        }
    }
}

/// Writes a patient's entry; one who is deleted has none.
fn enter(connection: &Connection, patient: i64) -> Result<(), StoreError> {
    let mut words = String::with_capacity(1024);
    let glance = connection
        .prepare_cached(&PATIENT)?
        .query_row([patient], |row| {
            let names = words_of_patient(row, &mut words)?;
            Glance::of(row, names)
        })
        .optional()?;
    let Some(glance) = glance.filter(|glance| !glance.is_deleted) else {
        for table in [
            "DELETE FROM patient_words WHERE rowid = ?1",
            "DELETE FROM patient_glances WHERE number = ?1",
        ] {
            connection.prepare_cached(table)?.execute([patient])?;
        }
        return Ok(());
    };
    let mut attributes = connection.prepare_cached(
        "SELECT attribute_id, string_value, number_value FROM patient_additional_attributes \
         WHERE patient_id = ?1 AND hub_deleted_at IS NULL",
    )?;
    let mut rows = attributes.query([&glance.id])?;
    while let Some(row) = rows.next()? {
        let place = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
        for value in [row.get_ref(1)?, row.get_ref(2)?] {
            if let Some(text) = folded(value) {
                of_text(&place, &text, &mut words);
            }
        }
    }
    connection
        .prepare_cached("INSERT OR REPLACE INTO patient_words (rowid, words) VALUES (?1, ?2)")?
        .execute((patient, words))?;
    glance.write(connection, patient)
}

/// Adds the words of a row of [`PATIENT`]; gives its [`GLANCED`] columns, folded.
fn words_of_patient(row: &Row<'_>, words: &mut String) -> rusqlite::Result<[Option<String>; 2]> {
    let mut glanced = [None, None];
    for (index, column) in COLUMNS.iter().enumerate() {
        let Some(text) = folded(row.get_ref(index)?) else {
            continue;
        };
        of_text(column, &text, words);
        if let Some(at) = GLANCED.iter().position(|name| name == column) {
            words.extend(of_names(&text));
            glanced[at] = Some(text);
        }
    }
    Ok(glanced)
}

/// A value as text, folded; a number as people write it. None for null.
fn folded(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Text(text) => Some(fold(&String::from_utf8_lossy(text))),
        ValueRef::Integer(integer) => Some(integer.to_string()),
        ValueRef::Real(real) => Some(real.to_string()),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// Gives a connection `folded_holds(value, folded text)`: whether a value holds a text, both folded.
///
/// # Errors
/// What SQLite reports.
pub(super) fn teach(connection: &Connection) -> Result<(), StoreError> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("folded_holds", 2, flags, |context| {
        let term = context.get_raw(1).as_str().unwrap_or_default();
        Ok(folded(context.get_raw(0)).is_some_and(|text| text.contains(term)))
    })?;
    Ok(())
}
