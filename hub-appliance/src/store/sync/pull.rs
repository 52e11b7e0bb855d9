//! The change feed: what a phone gets at `sync_pull`, written straight from the rows into the bytes to seal.
//!
//! A pull belongs to one snapshot, rows and `timestamp` alike. An idle pull looks at an index, never at the rows. A
//! phone is given the rows of the clinics that its user may see; when that scope grows (another user logs in, a right is
//! granted, a patient moves to a clinic in sight), the rows that come into sight are sent once as `created`, whatever
//! their age.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Write as _;
use std::sync::LazyLock;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use super::cursors::Cursor;
use super::newer;
use super::resend;
use crate::clock::HubTime;
use crate::store::devices::{DeviceNumber, Scope};
use crate::store::error::StoreError;
use crate::store::people::clinic_of_patient;
use crate::store::schema::{TABLES, Table, TableId};
use crate::store::snapshot::Snapshot;

/// What a phone asks for.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The device that asks: it does not get back what it alone wrote.
    pub device: DeviceNumber,
    /// How far it has pulled, and whose rows.
    pub start: Cursor,
    /// Whose rows it may get now.
    pub scope: Scope,
}

/// How many rows of each table went into an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullSummary {
    /// Table and rows, deletions included; tables without any are left out.
    pub rows: Vec<(&'static str, usize)>,
    /// The answer's `timestamp`.
    pub timestamp: HubTime,
}

/// One table's query and what is needed to write its rows.
struct Feed {
    /// All rows.
    all: String,
    /// Rows changed after ?1 by others than ?2.
    changed: String,
    /// The row ?1.
    one: String,
    /// `"name":` of each column that phones have.
    names: Vec<String>,
    /// What ties a row to a clinic.
    tie: Tie,
}

/// What ties a row to a clinic or a user, as a column of the feed's query.
#[derive(Clone, Copy)]
enum Tie {
    Nothing,
    Clinic(usize),
    Patient(usize),
    ClinicOrPatient(usize, usize),
    User(usize),
}

static FEEDS: LazyLock<Vec<Option<Feed>>> = LazyLock::new(|| {
    TABLES
        .iter()
        .map(|table| (table.phone.pulls() && table.since.is_none()).then(|| Feed::new(table)))
        .collect()
});

impl Feed {
    fn new(table: &Table) -> Self {
        let phone: Vec<_> = table.columns.iter().filter(|column| column.on_phone).collect();
        let mut columns: Vec<_> = phone.iter().map(|column| column.name).collect();
        let mut place = |name: &'static str| {
            columns.iter().position(|column| *column == name).unwrap_or_else(|| {
                columns.push(name);
                columns.len() - 1
            })
        };
        let tie = match (table.clinic_column, table.hangs_on_patient()) {
            _ if table.name == "user_clinic_permissions" => Tie::User(place("user_id")),
            (Some(clinic), true) => Tie::ClinicOrPatient(place(clinic), place("patient_id")),
            (Some(clinic), false) => Tie::Clinic(place(clinic)),
            (None, true) => Tie::Patient(place("patient_id")),
            (None, false) => Tie::Nothing,
        };
        let columns: String = columns.iter().map(|column| format!(", \"{column}\"")).collect();
        let all = format!(
            "SELECT hub_created_at, hub_changed_at, hub_deleted_at IS NOT NULL, hub_origin, hub_created_by{columns} \
             FROM {}",
            table.name
        );
        Self {
            changed: format!("{all} WHERE hub_changed_at > ?1 AND hub_origin <> ?2"),
            one: format!("{all} WHERE id = ?1"),
            all,
            names: phone.iter().map(|column| format!("\"{}\":", column.name)).collect(),
            tie: tie.shifted(HUB_COLUMNS),
        }
    }
}

/// The hub's own columns, in front of the table's in the feed's query.
const HUB_COLUMNS: usize = 5;

impl Tie {
    /// The same with `by` columns in front.
    const fn shifted(self, by: usize) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Clinic(clinic) => Self::Clinic(clinic + by),
            Self::Patient(patient) => Self::Patient(patient + by),
            Self::ClinicOrPatient(clinic, patient) => Self::ClinicOrPatient(clinic + by, patient + by),
            Self::User(user) => Self::User(user + by),
        }
    }
}

/// Which list of an answer a row goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Created,
    Updated,
    Deleted,
    Left,
}

impl Snapshot<'_> {
    /// Writes the answer to a pull behind what is in `out`.
    ///
    /// # Errors
    /// What SQLite reports; `out` then holds an unfinished answer.
    pub fn pull(&self, request: &PullRequest, out: &mut Vec<u8>) -> Result<PullSummary, StoreError> {
        let connection = self.connection()?;
        let mut summary = PullSummary {
            timestamp: self.last_change(),
            ..PullSummary::default()
        };
        let pull = Pull::new(connection, request, self.last_change())?;
        out.extend_from_slice(b"{\"changes\":{");
        let mut first = true;
        for table in TableId::all() {
            let Some(feed) = &FEEDS[table.index()] else { continue };
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
            // Writing to a vector cannot fail.
            let _ = write!(out, "\"{}\":", table.table().name);
            let rows = if pull.nothing_new {
                write_nothing(out)
            } else {
                pull.table(table, feed, out)?
            };
            if rows > 0 {
                summary.rows.push((table.table().name, rows));
            }
        }
        let _ = write!(out, "}},\"timestamp\":{}}}", summary.timestamp.millis());
        Ok(summary)
    }
}

fn write_nothing(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(b"{\"created\":[],\"updated\":[],\"deleted\":[]}");
    0
}

/// One pull under way.
struct Pull<'a> {
    connection: &'a Connection,
    request: &'a PullRequest,
    /// Every clinic that patients belong to is in sight, so a row need not be asked for its patient's clinic.
    sees_every_patient: bool,
    /// Rows are in sight now that were not at the start.
    scope_grew: bool,
    /// Rows that came from a clinic that was out of sight: (table, row) and the clinic.
    moves: HashMap<(String, String), String>,
    nothing_new: bool,
    /// Rows that go with the answer although the cursor has passed them.
    resends: RefCell<HashSet<(TableId, String)>>,
}

impl<'a> Pull<'a> {
    fn new(connection: &'a Connection, request: &'a PullRequest, last_change: HubTime) -> Result<Self, StoreError> {
        let Cursor { at, scope: had } = &request.start;
        let scope_grew =
            *at > HubTime::ZERO && (had.user != request.scope.user || !request.scope.clinics.is_subset(&had.clinics));
        let resends = resend::pending(connection, request.device, *at)?;
        let nothing_new = resends.is_empty() && !scope_grew && *at > HubTime::ZERO && *at >= last_change;
        let moves = if nothing_new || *at == HubTime::ZERO {
            HashMap::new()
        } else {
            moves_since(connection, *at, &had.clinics)?
        };
        let sees_every_patient = !nothing_new && sees_every_patient(connection, &request.scope.clinics)?;
        Ok(Self {
            connection,
            request,
            sees_every_patient,
            scope_grew,
            moves,
            nothing_new,
            resends: RefCell::new(resends),
        })
    }

    fn table(&self, table: TableId, feed: &Feed, out: &mut Vec<u8>) -> Result<usize, StoreError> {
        let whole = self.scope_grew || self.request.start.at == HubTime::ZERO;
        let mut statement = self
            .connection
            .prepare_cached(if whole { &feed.all } else { &feed.changed })?;
        let mut rows = if whole {
            statement.query([])?
        } else {
            statement.query((self.request.start.at.millis(), self.request.device.0))?
        };
        let mut count = 0;
        let (mut updated, mut deleted) = (Vec::new(), Vec::new());
        out.extend_from_slice(b"{\"created\":[");
        let created_from = out.len();
        let newer = newer::any(self.connection, table)?.then_some((self.connection, table));
        let mut write = |row: &Row<'_>, fate: Fate| -> Result<(), StoreError> {
            match fate {
                Fate::Created => write_row(feed, row, out, created_from, newer)?,
                Fate::Updated => write_row(feed, row, &mut updated, 0, newer)?,
                Fate::Deleted => write_deleted(row, &mut deleted)?,
                Fate::Left => return Ok(()),
            }
            count += 1;
            Ok(())
        };
        while let Some(row) = rows.next()? {
            let fate = self.fate(table.table(), feed, row)?;
            if fate != Fate::Left {
                self.goes_anyway(table, row)?;
            }
            write(row, fate)?;
        }
        for id in self.left_to_resend(table) {
            let mut statement = self.connection.prepare_cached(&feed.one)?;
            let mut rows = statement.query([id])?;
            if let Some(row) = rows.next()?
                && self.in_sight(&self.request.scope, feed.tie, row)?
            {
                let deleted: bool = row.get(2)?;
                write(row, if deleted { Fate::Deleted } else { Fate::Updated })?;
            }
        }
        out.extend_from_slice(b"],\"updated\":[");
        out.append(&mut updated);
        out.extend_from_slice(b"],\"deleted\":[");
        out.append(&mut deleted);
        out.extend_from_slice(b"]}");
        Ok(count)
    }

    /// A row that goes with the answer need not be sent again for its own sake.
    fn goes_anyway(&self, table: TableId, row: &Row<'_>) -> Result<(), StoreError> {
        let mut resends = self.resends.borrow_mut();
        if !resends.is_empty() {
            let id = row.get_ref(HUB_COLUMNS)?.as_str().unwrap_or_default();
            resends.remove(&(table, id.to_owned()));
        }
        Ok(())
    }

    fn left_to_resend(&self, table: TableId) -> Vec<String> {
        let of_table = |(_, id): (TableId, String)| id;
        let mut resends = self.resends.borrow_mut();
        resends.extract_if(|(of, _)| *of == table).map(of_table).collect()
    }

    fn fate(&self, table: &Table, feed: &Feed, row: &Row<'_>) -> Result<Fate, StoreError> {
        let start = self.request.start.at;
        let created_at = HubTime::from_millis(row.get(0)?);
        let changed_at = HubTime::from_millis(row.get(1)?);
        let deleted: bool = row.get(2)?;
        let origin = DeviceNumber(row.get(3)?);
        if !self.in_sight(&self.request.scope, feed.tie, row)? {
            return Ok(Fate::Left);
        }
        let came_into_sight = start > HubTime::ZERO && self.was_out_of_sight(table, feed.tie, row)?;
        if came_into_sight {
            return Ok(if deleted { Fate::Left } else { Fate::Created });
        }
        if start > HubTime::ZERO && (changed_at <= start || origin == self.request.device) {
            return Ok(Fate::Left);
        }
        // A phone has the rows that it made, if only to have marked them as deleted: `created` would break it then.
        let made_here = DeviceNumber(row.get(4)?) == self.request.device && start > HubTime::ZERO;
        Ok(match (deleted, created_at > start && !made_here) {
            (true, _) => Fate::Deleted,
            (false, true) => Fate::Created,
            (false, false) => Fate::Updated,
        })
    }

    /// Whether a row belongs to a clinic of `scope`, or to none.
    fn in_sight(&self, scope: &Scope, tie: Tie, row: &Row<'_>) -> Result<bool, StoreError> {
        let text = |index| row.get_ref(index).map(|value| value.as_str().unwrap_or_default());
        let (clinic, patient) = match tie {
            Tie::Nothing => return Ok(true),
            Tie::User(user) => return Ok(text(user)? == scope.user),
            Tie::Clinic(clinic) => (text(clinic)?, ""),
            Tie::Patient(patient) => ("", text(patient)?),
            Tie::ClinicOrPatient(clinic, patient) => (text(clinic)?, text(patient)?),
        };
        if !clinic.is_empty() {
            return Ok(scope.clinics.contains(clinic));
        }
        if patient.is_empty() || (self.sees_every_patient && std::ptr::eq(scope, &raw const self.request.scope)) {
            return Ok(true);
        }
        let clinic = clinic_of_patient(self.connection, patient)?;
        Ok(clinic.is_none_or(|clinic| scope.clinics.contains(&clinic)))
    }

    fn was_out_of_sight(&self, table: &Table, tie: Tie, row: &Row<'_>) -> Result<bool, StoreError> {
        if !self.moves.is_empty() {
            let moved = |table: &str, id: &str| self.moves.contains_key(&(table.to_owned(), id.to_owned()));
            let id = row.get_ref(HUB_COLUMNS)?.as_str().unwrap_or_default();
            let patient = match tie {
                Tie::Patient(patient) => row.get_ref(patient)?.as_str().unwrap_or_default(),
                _ => "",
            };
            if moved(table.name, id) || moved("patients", patient) {
                return Ok(true);
            }
        }
        Ok(self.scope_grew && !self.in_sight(&self.request.start.scope, tie, row)?)
    }
}

/// The rows that moved after `since` out of a clinic that is not among `clinics`.
fn moves_since(
    connection: &Connection,
    since: HubTime,
    clinics: &BTreeSet<String>,
) -> Result<HashMap<(String, String), String>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT table_name, row_id, from_clinic FROM clinic_moves WHERE moved_at > ?1")?;
    let mut rows = statement.query([since.millis()])?;
    let mut moves = HashMap::new();
    while let Some(row) = rows.next()? {
        let from: String = row.get(2)?;
        if !clinics.contains(&from) {
            moves.insert((row.get(0)?, row.get(1)?), from);
        }
    }
    Ok(moves)
}

/// Whether every patient belongs to one of `clinics` or to none: one index look-up a clinic, not a scan.
fn sees_every_patient(connection: &Connection, clinics: &BTreeSet<String>) -> Result<bool, StoreError> {
    let mut next =
        connection.prepare_cached("SELECT min(primary_clinic_id) FROM patients WHERE primary_clinic_id > ?1")?;
    let mut last = String::new();
    while let Some(clinic) = next.query_row([&last], |row| row.get::<_, Option<String>>(0))? {
        if !clinics.contains(&clinic) {
            return Ok(false);
        }
        last = clinic;
    }
    Ok(true)
}

/// Writes a row as JSON, with a comma in front unless it is the first behind `from`.
/// Columns of newer apps follow, where there are any in the table.
fn write_row(
    feed: &Feed,
    row: &Row<'_>,
    out: &mut Vec<u8>,
    from: usize,
    newer: Option<(&Connection, TableId)>,
) -> Result<(), StoreError> {
    if out.len() > from {
        out.push(b',');
    }
    let mut separator = b'{';
    for (index, name) in feed.names.iter().enumerate() {
        out.push(separator);
        out.extend_from_slice(name.as_bytes());
        write_value(row.get_ref(index + HUB_COLUMNS)?, out);
        separator = b',';
    }
    if let Some((connection, table)) = newer {
        let id = row.get_ref(HUB_COLUMNS)?.as_str().unwrap_or_default();
        newer::write(connection, table, id, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Each deleted id stands twice: one generation of the app takes objects and ignores bare ids, the other the other way.
fn write_deleted(row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), StoreError> {
    if !out.is_empty() {
        out.push(b',');
    }
    out.extend_from_slice(b"{\"id\":");
    write_value(row.get_ref(HUB_COLUMNS)?, out);
    out.extend_from_slice(b"},");
    write_value(row.get_ref(HUB_COLUMNS)?, out);
    Ok(())
}

/// Writes one value; serialising to a vector cannot fail.
pub(in crate::store) fn write_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Integer(integer) => {
            let _ = serde_json::to_writer(out, &integer);
        }
        ValueRef::Real(real) => {
            let _ = serde_json::to_writer(out, &real);
        }
        ValueRef::Text(text) => {
            let _ = serde_json::to_writer(out, &String::from_utf8_lossy(text));
        }
        ValueRef::Null | ValueRef::Blob(_) => out.extend_from_slice(b"null"),
    }
}
