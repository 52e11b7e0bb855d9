//! Keeping a phone in a file between runs of a program.
//!
//! Promise: what is loaded equals what was saved; the file is replaced whole, so a cut leaves the old one. It holds
//! patient data and a token in the clear: it is for made-up clinics only.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cell::Cell;
use super::client::{ClientError, HubClient, HubIdentity, Login};
use super::database::{Database, Row, Rows, Status};
use super::generation::Generation;
use super::push::{PushedRow, Spelling};
use super::sync::Phone;
use crate::schema::{Table, schema};

/// Why a phone could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file can't be read or written.
    #[error("the phone's file")]
    File(#[from] io::Error),
    /// It is not a file that this program wrote.
    #[error("not a phone's file")]
    Shape(#[from] serde_json::Error),
    /// A row in it is not one of this schema.
    #[error("a row of {0} is not of this schema")]
    Row(String),
    /// The address in it is not of the form `http://HOST:PORT`.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The file: everything that the app keeps.
#[derive(Serialize, Deserialize)]
struct Saved {
    client_id: String,
    url: String,
    paired_key: Option<String>,
    hub: Option<HubIdentity>,
    token: Option<String>,
    user: Option<Login>,
    #[serde(default)]
    app: Generation,
    cursor: Value,
    #[serde(default)]
    base: Value,
    tables: Map<String, Value>,
}

/// Where a phone found its hub: the address and, from a full code, the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    /// `http://HOST:PORT`.
    pub url: String,
    /// The hub's X25519 key, base64url.
    pub key: Option<String>,
}

impl Phone {
    /// Writes the phone to a file.
    ///
    /// # Errors
    /// [`StateError::File`] or [`StateError::Shape`].
    pub fn save(&self, path: &Path, pairing: &Pairing) -> Result<(), StateError> {
        let mut tables = Map::new();
        for (table, rows) in schema()
            .tables()
            .iter()
            .zip(&self.database.tables)
            .filter(|(_, rows)| !rows.is_empty())
        {
            tables.insert(
                table.name.clone(),
                rows.values()
                    .map(|row| save_row(table, row, self.database.generation()))
                    .collect::<Result<_, _>>()?,
            );
        }
        let saved = Saved {
            client_id: self.client.client_id().to_owned(),
            url: pairing.url.clone(),
            paired_key: pairing.key.clone(),
            hub: self.client.hub().cloned(),
            token: self.client.token().map(str::to_owned),
            user: self.user.clone(),
            app: self.database.generation(),
            cursor: self.database.cursor().clone(),
            base: self.database.base().clone(),
            tables,
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(io::BufWriter::new(&mut file), &saved)?;
        file.flush()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Reads a phone back from its file.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn load(path: &Path) -> Result<(Self, Pairing), StateError> {
        let saved: Saved = serde_json::from_slice(&fs::read(path)?)?;
        let pairing = Pairing {
            url: saved.url,
            key: saved.paired_key,
        };
        let mut client = HubClient::new(&pairing.url, &saved.client_id)?.paired_with(pairing.key.clone());
        client.remember_hub(saved.hub);
        client.set_token(saved.token);
        let mut phone = Self::with_client(client);
        phone.user = saved.user;
        phone.database = load_database(saved.app, saved.tables)?;
        phone.database.set_cursor(saved.cursor);
        phone.database.set_base(saved.base);
        Ok((phone, pairing))
    }
}

fn save_row(table: &Table, row: &Row, generation: Generation) -> Result<Value, StateError> {
    let mut value = serde_json::to_value(PushedRow {
        table,
        row,
        spelling: Spelling {
            generation,
            forced: false,
        },
    })?;
    value["_pushed_updated_at"] = row.pushed_updated_at.into();
    Ok(value)
}

fn load_database(app: Generation, mut tables: Map<String, Value>) -> Result<Database, StateError> {
    let mut database = Database::of(app);
    for (table, rows) in schema().tables().iter().zip(&mut database.tables) {
        if let Some(saved) = tables.remove(&table.name) {
            *rows = load_rows(table, saved).ok_or_else(|| StateError::Row(table.name.clone()))?;
        }
    }
    match tables.into_iter().next() {
        Some((unknown, _)) => Err(StateError::Row(unknown)),
        None => Ok(database),
    }
}

fn load_rows(table: &Table, saved: Value) -> Option<Rows> {
    let Value::Array(saved) = saved else { return None };
    saved.into_iter().map(|row| load_row(table, row)).collect()
}

fn load_row(table: &Table, mut saved: Value) -> Option<(Box<str>, Row)> {
    let saved = saved.as_object_mut()?;
    let cells: Box<[Cell]> = table
        .phone_columns()
        .map(|column| {
            let cell = saved.remove(&column.name).map(Cell::from_own);
            // The phone's app wrote it, perhaps before it knew the column.
            cell.or_else(|| column.since.map(|_| Cell::Null))
        })
        .collect::<Option<_>>()?;
    let status = [Status::Created, Status::Updated, Status::Deleted, Status::Synced]
        .into_iter()
        .find(|status| saved.get("_status").and_then(Value::as_str) == Some(status.as_str()))?;
    let changed = saved
        .get("_changed")?
        .as_str()?
        .split(',')
        .filter(|column| !column.is_empty());
    let changed = changed.map(|column| table.phone_index(column)).collect::<Option<_>>()?;
    let pushed_updated_at = saved.get("_pushed_updated_at").and_then(Value::as_i64);
    Some((
        cells[0].as_text()?.into(),
        Row {
            cells,
            status,
            changed,
            pushed_updated_at,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_what_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.json");
        let pairing = Pairing {
            url: "http://127.0.0.1:4001".to_owned(),
            key: Some("k".to_owned()),
        };
        let mut phone = Phone::new(&pairing.url).unwrap().with_app(Generation::V1_5);
        let values = [("diastolic_bp", 80.5.into()), ("metadata", "{\"a\":\"漢\"}".into())];
        phone.database.create("patient_vitals", "v", &values, 5).unwrap();
        phone.database.mark_pushed(&phone.database.local_changes(), 9);
        phone
            .database
            .update("patient_vitals", "v", &[("pain_level", 3.0.into())], 7)
            .unwrap();
        phone.database.create("visits", "w", &[], 5).unwrap();
        phone.database.mark_deleted("visits", "w").unwrap();
        phone.database.set_cursor(1_795_225_486_547_i64);
        phone.database.set_base(1_795_225_486_540_i64);
        phone.save(&path, &pairing).unwrap();
        let (loaded, loaded_pairing) = Phone::load(&path).unwrap();
        assert_eq!(loaded.database, phone.database);
        assert_eq!(loaded.client.client_id(), phone.client.client_id());
        assert_eq!(loaded_pairing, pairing);
    }

    #[test]
    fn another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phone.json");
        fs::write(&path, "{}").unwrap();
        assert!(matches!(Phone::load(&path), Err(StateError::Shape(_))));
        assert!(matches!(
            Phone::load(&folder.path().join("none")),
            Err(StateError::File(_))
        ));
    }
}
