//! Patients: the list, the search, one patient as the registration form has it, and who has an id already.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::glance::Glances;
use super::{Found, Listing, Page, Shown, Sight, fits, write_json, write_numbered, write_stretch};
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::schema::{ColumnType, TableId};
use crate::store::search::{self, Terms, fold};
use crate::store::snapshot::Snapshot;
use crate::store::sync::feed::write_value;
use crate::store::value::Cell;

/// So many sets of clinics are remembered: more than a clinic's staff has kinds of rights.
const MAX_COUNTS: usize = 16;
/// The newest first.
const ORDER: &str = "t.updated_at DESC, t.id";

/// Whether an attribute of the patient `t`, its id first, has this text in either of its values.
const OF_ATTRIBUTE: &str = "EXISTS (SELECT 1 FROM patient_additional_attributes a WHERE a.patient_id = t.id \
    AND a.hub_deleted_at IS NULL AND a.attribute_id = ? \
    AND (folded_holds(a.string_value, ?) OR folded_holds(a.number_value, ?)))";

/// How many patients are in whose sight, as of when. The app asks for that with each page.
#[derive(Default)]
pub(in crate::store) struct Counts(Mutex<HashMap<BTreeSet<String>, (HubTime, u64)>>);

impl Counts {
    fn get(&self, sight: &Sight) -> Option<(HubTime, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&sight.clinics).copied()
    }

    fn set(&self, sight: &Sight, at: HubTime, count: u64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_COUNTS {
            counts.clear();
        }
        counts.insert(sight.clinics.clone(), (at, count));
    }
}

impl Snapshot<'_> {
    /// Writes a page of all patients, the newest `updated_at` first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn patients(&self, sight: &Sight, page: Page, out: &mut Vec<u8>) -> Result<Shown, StoreError> {
        let listing = Listing::of("patients", sight)?.ordered(ORDER);
        let total = self.count_patients(sight, &listing)?;
        let sql = format!(
            "SELECT t.rowid {} ORDER BY {ORDER} LIMIT {} OFFSET {}",
            listing.body(),
            page.limit,
            page.offset
        );
        let mut statement = self.connection()?.prepare_cached(&sql)?;
        let numbers: Vec<i64> = statement
            .query_map(rusqlite::params_from_iter(listing.parameters()), |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let out = (sight.at_most, out);
        write_numbered(self.connection()?, listing.table, (&numbers, total), page, out)
    }

    /// Counts only where something was written since the last time that a patient or what ties one to a clinic can be.
    fn count_patients(&self, sight: &Sight, listing: &Listing) -> Result<u64, StoreError> {
        let at = self.last_change();
        let known = self.counts().get(sight);
        if let Some((counted_at, count)) = known
            && counted_at <= at
            && (counted_at == at || !self.changed_since(counted_at)?)
        {
            self.counts().set(sight, at, count);
            return Ok(count);
        }
        let count = listing.count(self.connection()?)?;
        if known.is_none_or(|(counted_at, _)| counted_at < at) {
            self.counts().set(sight, at, count);
        }
        Ok(count)
    }

    fn changed_since(&self, since: HubTime) -> Result<bool, StoreError> {
        for table in std::iter::once("patients").chain(super::TIES.iter().map(|(table, _)| *table)) {
            let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE hub_changed_at > ?1)");
            let mut statement = self.connection()?.prepare_cached(&sql)?;
            if statement.query_row([since.millis()], |row| row.get(0))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes a page of the patients who fit all filters, `(key, text)`: the key is a text column of patients, or else the
    /// id of an attribute; the text is part of its value.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn search_patients(
        &self,
        sight: &Sight,
        filters: &[(String, String)],
        page: Page,
        out: &mut Vec<u8>,
    ) -> Result<Shown, StoreError> {
        let patients = TableId::named("patients").ok_or(StoreError::Defect)?;
        let mut terms = Terms::default();
        let (mut at_a_glance, mut of_rows) = (Vec::new(), Vec::new());
        for (key, text) in filters {
            let text = fold(text);
            if text.is_empty() {
                continue;
            }
            let column = patients
                .table()
                .column(key)
                .map(|index| &patients.table().columns[index]);
            if let Some(column) = column.filter(|column| column.kind == ColumnType::Text && column.on_phone) {
                if search::is_indexed(column.name) {
                    terms.and_text(column.name, &text);
                }
                let name = column.name;
                if search::is_glanced(name) {
                    at_a_glance.push((format!("folded_holds(g.{name}, ?)"), vec![text]));
                } else {
                    of_rows.push((format!("folded_holds(t.\"{name}\", ?)"), vec![text]));
                }
            } else {
                terms.and_text(key, &text);
                of_rows.push((OF_ATTRIBUTE.to_owned(), vec![key.clone(), text.clone(), text]));
            }
        }
        let numbers = Glances::of(sight, terms.question())
            .and_all(at_a_glance)
            .in_sight()
            .and_of_rows(of_rows)
            .read(self.connection()?, ("g.number", "g.updated_at DESC, g.number"), |row| {
                row.get(0)
            })?;
        write_stretch(self.connection()?, patients, numbers, page, (sight.at_most, out))
    }

    /// Whether a patient in sight has this id of the government's.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn has_government_id(&self, sight: &Sight, government_id: &str) -> Result<bool, StoreError> {
        let listing = Listing::of("patients", sight)?.and("t.government_id = ?", [Cell::text(government_id)]);
        Ok(listing.count(self.connection()?)? > 0)
    }

    /// Writes `{"fields":[field],"values":{field id: value}}`: the fields of the newest registration form, and what of them
    /// is known of a patient.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn registered(&self, sight: &Sight, patient: &str, out: &mut Vec<u8>) -> Result<Found, StoreError> {
        let connection = self.connection()?;
        let mut row = Vec::new();
        match super::write_one(connection, "patients", sight, ("id", patient), &mut row)? {
            Found::Shown(_) => {}
            nothing => return Ok(nothing),
        }
        let columns: HashMap<&str, &RawValue> = serde_json::from_slice(&row).map_err(|_| StoreError::Defect)?;
        let fields = newest_fields(connection)?;
        out.extend_from_slice(b"{\"fields\":");
        write_json(ColumnType::JsonList, fields.as_deref().unwrap_or_default(), out);
        out.extend_from_slice(b",\"values\":{");
        let mut separator = false;
        let fields: Vec<Map<String, Value>> = fields
            .and_then(|json| serde_json::from_str(&json).ok())
            .unwrap_or_default();
        for field in fields {
            let text = |name: &str| field.get(name).and_then(Value::as_str).unwrap_or_default();
            let is_base = field
                .get("baseField")
                .is_some_and(|base| *base == Value::Bool(true) || *base == 1);
            let value = if is_base {
                columns.get(text("column")).map(|value| value.get().to_owned())
            } else {
                attribute(connection, patient, text("id"), text("fieldType"))?
            };
            let Some(value) = value.filter(|value| value != "null") else {
                continue;
            };
            if std::mem::replace(&mut separator, true) {
                out.push(b',');
            }
            write_value(text("id").into(), out);
            out.push(b':');
            out.extend_from_slice(value.as_bytes());
            fits(out, sight.at_most)?;
        }
        out.extend_from_slice(b"}}");
        Ok(Found::Shown(Shown {
            ids: vec![patient.to_owned()],
            total: 1,
        }))
    }
}

/// The fields of the newest registration form, as JSON.
fn newest_fields(connection: &Connection) -> Result<Option<String>, StoreError> {
    let sql = format!(
        "SELECT t.fields {} ORDER BY {}",
        Listing::of("registration_forms", &Sight::default())?.body(),
        super::forms::NEWEST
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([""], |row| row.get(0)).optional()?)
}

/// What an attribute of a patient holds, as JSON, by the type of its field.
fn attribute(connection: &Connection, patient: &str, field: &str, kind: &str) -> Result<Option<String>, StoreError> {
    let column = match kind {
        "number" => "number_value",
        "date" => "date_value",
        "boolean" => "boolean_value",
        _ => "string_value",
    };
    let sql = format!(
        "SELECT {column} FROM patient_additional_attributes WHERE patient_id = ?1 AND attribute_id = ?2 \
         AND hub_deleted_at IS NULL ORDER BY hub_changed_at DESC, id LIMIT 1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let value = statement
        .query_row((patient, field), |row| {
            let mut json = Vec::new();
            write_value(row.get_ref(0)?, &mut json);
            Ok(json)
        })
        .optional()?;
    Ok(value.and_then(|json| String::from_utf8(json).ok()))
}
