//! Clinics that the cloud has taken away from this hub, and getting rid of their records once a person wants that.
//!
//! A clinic whose every row the cloud has is offered; one of which a row is not there yet is kept. A patient who has
//! something live in a clinic that is left belongs there, with all that there is.
//!
//! What goes leaves an id, a clinic and times behind, so that phones that still have it hear of the deletion; nothing of
//! what stood in it, or in its history. Should the clinic come back, these marks are removed first: then the pull from 0
//! brings the records as any others.

use rusqlite::{Connection, ToSql, params_from_iter};
use serde_json::json;

use super::push_order;
use crate::store::audit::Entry;
use crate::store::devices::DeviceNumber;
use crate::store::error::StoreError;
use crate::store::schema::{Table, TableId};
use crate::store::snapshot::Snapshot;
use crate::store::value::Cell;
use crate::store::writer::WriteTx;
use crate::store::{Store, rows};

/// What a mark says in the ledger, where other rows have the reason that they are held for.
const MARK: &str = "withdrawn";
/// Patients of one transaction, which the phones wait for.
const PORTION: u32 = 20;
/// Columns that a mark keeps: what it is tied to, and when.
const KEPT: [&str; 9] = [
    "id",
    "patient_id",
    "visit_id",
    "created_at",
    "updated_at",
    "last_modified",
    "server_created_at",
    "deleted_at",
    "is_deleted",
];
/// Live patients of the clinic `?1` who have nothing live in one of the clinics `?2`, a JSON list.
const PATIENTS: &str = "SELECT p.id FROM patients AS p WHERE p.primary_clinic_id = ?1 AND p.hub_deleted_at IS NULL \
     AND NOT EXISTS (SELECT 1 FROM sites AS s WHERE s.patient_id = p.id AND s.left_at IS NULL \
     AND lower(s.clinic_id) IN (SELECT value FROM json_each(?2)))";

/// A clinic that the cloud has taken away, all of whose rows it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// The clinic's id.
    pub clinic: String,
    /// Its name, where the hub knows it.
    pub name: Option<String>,
    /// Patients who would go.
    pub patients: u32,
}

impl Snapshot<'_> {
    /// The first clinic whose records could go, but for those in `but`; none before a cloud has given the hub any clinic.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn withdrawn(&self, but: &[String]) -> Result<Option<Withdrawn>, StoreError> {
        let own = self.cloud_state()?.clinics;
        if own.is_empty() {
            return Ok(None);
        }
        let connection = self.connection()?;
        let mut statement = connection.prepare_cached("SELECT DISTINCT clinic_id FROM sites WHERE left_at IS NULL")?;
        let clinics: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let is_gone = |clinic: &String| !own.contains(&clinic.to_ascii_lowercase()) && !but.contains(clinic);
        let own = json!(own).to_string();
        for clinic in clinics.into_iter().filter(is_gone) {
            let count = format!("SELECT count(*) FROM ({PATIENTS})");
            let patients = connection
                .prepare_cached(&count)?
                .query_row((&clinic, &own), |row| row.get(0))?;
            if patients == 0 || has_unsent(connection, &clinic, &own)? {
                continue;
            }
            let name = self.clinic_name(&clinic)?;
            return Ok(Some(Withdrawn { clinic, name, patients }));
        }
        Ok(None)
    }
}

/// Whether the cloud lacks a row of the clinic, or the hub holds one of a phone's.
fn has_unsent(connection: &Connection, clinic: &str, own: &str) -> Result<bool, StoreError> {
    for table in push_order() {
        let Table {
            name, clinic_column, ..
        } = table.table();
        let of_clinic = clinic_column.map_or("false".to_owned(), |column| format!("t.{column} = ?1"));
        let patient = if *name == "patients" { "id" } else { "patient_id" };
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {name} AS t LEFT JOIN cloud_rows AS c \
             ON c.table_name = '{name}' AND c.row_id = t.id \
             WHERE t.hub_origin <> {cloud} AND coalesce(c.synced_at, 0) < t.hub_changed_at \
             AND ({of_clinic} OR t.{patient} IN ({PATIENTS})))",
            cloud = DeviceNumber::CLOUD.0,
        );
        if connection
            .prepare_cached(&sql)?
            .query_row((clinic, own), |row| row.get(0))?
        {
            return Ok(true);
        }
    }
    let held = format!(
        "SELECT EXISTS (SELECT 1 FROM held_rows WHERE direction = 'phone' AND \
         (patient_id IN ({PATIENTS}) OR (table_name = 'patients' AND row_id IN ({PATIENTS}))))"
    );
    Ok(connection
        .prepare_cached(&held)?
        .query_row((clinic, own), |row| row.get(0))?)
}

impl Store {
    /// Deletes some of what the cloud has taken away with the clinic, history included; false once nothing of it is left. A
    /// person has to have allowed it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn delete_withdrawn(&self, clinic: &str) -> Result<bool, StoreError> {
        let clinic = clinic.to_owned();
        self.write(move |tx| {
            // It may have come back, or been written to, since the person was asked.
            let (own, is_own): (String, bool) = tx.connection().query_row(
                "SELECT clinics, lower(?1) IN (SELECT value FROM json_each(clinics)) FROM cloud_state",
                [&clinic],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            if is_own || has_unsent(tx.connection(), &clinic, &own)? {
                return Ok(false);
            }
            let sql = format!("{PATIENTS} LIMIT {PORTION}");
            let patients = ids(tx.connection(), &sql, (&clinic, &own))?;
            for patient in &patients {
                delete_patient(tx, patient)?;
            }
            if !patients.is_empty() {
                return Ok(true);
            }
            delete_rest(tx, &clinic)?;
            tx.audit(&Entry {
                action: "cloud.clinic_deleted",
                detail: json!({"clinic": clinic}).to_string(),
                outcome: "ok",
                ..Entry::default()
            })?;
            Ok(false)
        })
    }

    /// Removes the marks of what was deleted with its clinic: a clinic has come back.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn forget_withdrawn(&self) -> Result<(), StoreError> {
        self.write(|tx| forget_marks(tx))
    }
}

/// Removes all marks, so that the rows can come anew.
pub(super) fn forget_marks(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    for table in TableId::all().filter(|table| table.table().cloud.pulls()) {
        let name = table.table().name;
        let marked = format!("SELECT row_id FROM cloud_rows WHERE table_name = '{name}' AND reason = '{MARK}'");
        let run = |sql: String| tx.connection().prepare_cached(&sql)?.execute([]);
        run(format!("DELETE FROM {name} WHERE id IN ({marked})"))?;
        run(format!(
            "DELETE FROM moves WHERE table_name = '{name}' AND row_id IN ({marked})"
        ))?;
        if name == "patients" {
            run(format!("DELETE FROM sites WHERE patient_id IN ({marked})"))?;
        }
        run(format!(
            "DELETE FROM cloud_rows WHERE table_name = '{name}' AND reason = '{MARK}'"
        ))?;
    }
    Ok(())
}

fn ids(connection: &Connection, sql: &str, of: impl rusqlite::Params) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let ids = statement.query_map(of, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Deletes a patient with all that hangs on one, and what stood in it.
fn delete_patient(tx: &mut WriteTx<'_>, patient: &str) -> Result<(), StoreError> {
    let mut all: Vec<(TableId, String, bool)> = Vec::new();
    for table in push_order() {
        let name = table.table().name;
        let column = if name == "patients" { "id" } else { "patient_id" };
        let of_patient = format!("SELECT id, hub_deleted_at IS NULL FROM {name} WHERE {column} = ?1");
        let mut statement = tx.connection().prepare_cached(&of_patient)?;
        let rows = statement.query_map([patient], |row| Ok((table, row.get(0)?, row.get(1)?)))?;
        for row in rows {
            all.push(row?);
        }
    }
    for (table, id, was_live) in all {
        if was_live {
            delete(tx, table, &id)?;
            mark(tx, table, &id)?;
        }
        empty(tx, table, &id)?;
    }
    tx.connection()
        .prepare_cached("DELETE FROM held_rows WHERE patient_id = ?1")?
        .execute([patient])?;
    Ok(())
}

/// What else is the clinic's: its stock, its departments and forms, and people who work nowhere else.
fn delete_rest(tx: &mut WriteTx<'_>, clinic: &str) -> Result<(), StoreError> {
    let tables = TableId::all().filter(|table| table.table().cloud.pulls() && !table.table().cloud.pushes());
    for (table, column) in tables.filter_map(|table| Some((table, table.table().clinic_column?))) {
        let name = table.table().name;
        let still_works = if name == "users" {
            "AND NOT EXISTS (SELECT 1 FROM user_clinic_permissions AS right WHERE right.user_id = users.id \
             AND right.clinic_id <> ?1 AND right.hub_deleted_at IS NULL)"
        } else {
            ""
        };
        let sql = format!("SELECT id FROM {name} WHERE {column} = ?1 AND hub_deleted_at IS NULL {still_works}");
        for id in ids(tx.connection(), &sql, [clinic])? {
            delete(tx, table, &id)?;
            mark(tx, table, &id)?;
            empty(tx, table, &id)?;
        }
    }
    Ok(())
}

/// Deletes a row, as the cloud. Nothing else follows from that: what was handed out of a stock stays handed out.
fn delete(tx: &mut WriteTx<'_>, table: TableId, id: &str) -> Result<(), StoreError> {
    let at = tx.change_time();
    rows::mark_deleted(tx.connection(), table, id, at, DeviceNumber::CLOUD)
}

/// Empties a deleted row, and removes what is kept of it elsewhere.
fn empty(tx: &WriteTx<'_>, table: TableId, id: &str) -> Result<(), StoreError> {
    let Table {
        name,
        columns,
        clinic_column,
        ..
    } = table.table();
    let emptied = columns
        .iter()
        .filter(|column| !KEPT.contains(&column.name) && *clinic_column != Some(column.name));
    let (mut sets, mut values) = (Vec::new(), Vec::new());
    for column in emptied {
        sets.push(format!("\"{}\" = ?", column.name));
        values.push(if column.required {
            Cell::empty(column.kind)
        } else {
            Cell::Null
        });
    }
    let values = values.iter().map(|cell| cell as &dyn ToSql).chain([&id as &dyn ToSql]);
    tx.connection()
        .prepare_cached(&format!("UPDATE {name} SET {} WHERE id = ?", sets.join(", ")))?
        .execute(params_from_iter(values))?;
    for kept in ["history", "newer_columns", "hub_authors", "held_rows", "courier_rows"] {
        tx.connection()
            .prepare_cached(&format!("DELETE FROM {kept} WHERE table_name = ?1 AND row_id = ?2"))?
            .execute((name, id))?;
    }
    Ok(())
}

/// Notes in the ledger why the row is gone. The cloud has to hear nothing of it.
fn mark(tx: &WriteTx<'_>, table: TableId, id: &str) -> Result<(), StoreError> {
    let name = table.table().name;
    tx.connection()
        .prepare_cached(&format!(
            "INSERT INTO cloud_rows (table_name, row_id, synced_at, cloud_updated_at, answered, missed, reason) \
             SELECT '{name}', id, hub_changed_at, 0, 0, 0, '{MARK}' FROM {name} WHERE id = ?1 \
             ON CONFLICT (table_name, row_id) DO UPDATE SET known = NULL, synced_at = excluded.synced_at, sent = NULL, \
             sent_at = NULL, answered = 0, missed = 0, held_at = NULL, held_version = NULL, reason = '{MARK}'"
        ))?
        .execute([id])?;
    Ok(())
}
