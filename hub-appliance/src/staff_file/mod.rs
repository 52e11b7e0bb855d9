//! A file of staff, made on a desk from a table that a spreadsheet saved, and checked.
//!
//! The table is CSV with a line of headings: `name`, `email`, `role`, `clinic`, `rights`, `password`, `leaves`, in any order.
//! A user with rights in two clinics has two lines; the first one's clinic is the user's own. A line without a password
//! keeps the one that the user has. `leaves` with anything but nothing or `no` puts the user out.
//!
//! The file is an answer of the cloud, one row a line, which a hub takes in as
//! [`store::staff`](crate::store::staff) says. Ids follow from e-mail addresses and names of clinics, so the same table gives
//! the same ones; whose they are on a hub, the hub finds out.

mod error;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use self::error::at;
pub use self::error::{Mistake, StaffFileError};
use self::table::members;
use crate::clock::HubTime;
use crate::store::people::folded_email;
use crate::store::schema::{ColumnType, TableId};
use crate::store::staff::{is_email, is_password_hash};
use crate::system::owner_file;

/// The largest table or file that is read, bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most lines of a table. A clinic has some dozens of staff.
const MAX_LINES: usize = 2000;
/// The longest field, bytes.
const MAX_FIELD: usize = 4096;
/// The fewest letters of a password.
const MIN_PASSWORD: usize = 8;
/// What bcrypt reads of a password, bytes: more would be ignored without a word.
const MAX_PASSWORD: usize = 72;
/// bcrypt's cost: the hub takes 10 to 14, and has a small board's processor.
const COST: u32 = 11;
/// What the app knows of roles.
pub const ROLES: [&str; 4] = ["provider", "registrar", "admin", "super_admin"];
/// Of the ids that are made here.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_8f0b_77a0_4c86_9d0f_3a1e_5b7c_2e94);

/// How many users a file is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// Users who are there afterwards.
    pub stay: usize,
    /// Users who leave.
    pub leave: usize,
    /// Passwords in it.
    pub passwords: usize,
}

/// What a right is called: its column without `can_` or `is_`.
#[must_use]
pub fn rights() -> Vec<&'static str> {
    right_columns().into_iter().map(short).collect()
}

fn right_columns() -> Vec<&'static str> {
    let table = TableId::named("user_clinic_permissions");
    let columns = table.into_iter().flat_map(|table| table.table().columns);
    let of_rights = columns.filter(|column| column.kind == ColumnType::Boolean && column.name != "is_deleted");
    of_rights.map(|column| column.name).collect()
}

fn short(column: &'static str) -> &'static str {
    column
        .strip_prefix("can_")
        .or_else(|| column.strip_prefix("is_"))
        .unwrap_or(column)
}

/// Which clinics there are.
#[derive(Clone, Debug, Default)]
pub struct Clinics {
    /// Id by name.
    known: HashMap<String, String>,
    /// Names of those that the file brings itself.
    new: Vec<String>,
}

impl Clinics {
    /// Those of a file that a clinic began with, by their names and ids.
    ///
    /// # Errors
    /// [`StaffFileError`] if it is none.
    pub fn of_file(file: impl Read) -> Result<Self, StaffFileError> {
        let json = read(file)?;
        let mut known = HashMap::new();
        for (_, row) in rows(&json, "clinics")? {
            if let (Some(id), Some(name)) = (text(&row, "id"), text(&row, "name")) {
                known.insert(name.trim().to_owned(), id.to_owned());
                known.insert(id.to_owned(), id.to_owned());
            }
        }
        Ok(Self { known, new: Vec::new() })
    }

    /// One that no hub knows yet.
    #[must_use]
    pub fn with_new(mut self, name: &str) -> Self {
        let name = name.trim().to_owned();
        self.known.insert(name.clone(), id_of("clinic", &name));
        self.new.push(name);
        self
    }

    /// What stands for a clinic in the file; by its name alone where nobody said which there are, for the hub knows them.
    fn find(&self, name: &str) -> Option<String> {
        if self.known.is_empty() {
            return Some(name.to_owned());
        }
        self.known.get(name).cloned()
    }
}

/// Makes a file of staff from a table.
///
/// # Errors
/// [`StaffFileError`] with the first line that is wrong.
pub fn make(table: impl Read, clinics: &Clinics, now: HubTime) -> Result<(String, Staff), StaffFileError> {
    let members = members(&read(table)?, clinics)?;
    if members.is_empty() {
        return Err(StaffFileError::Empty);
    }
    let at = now.millis();
    let mut staff = Staff::default();
    let (mut users, mut permissions) = (Vec::new(), Vec::new());
    for (email, member) in members {
        let id = id_of("user", &folded_email(&email));
        if member.leaves {
            staff.leave += 1;
            users.push(json!({"id": id, "email": email, "is_deleted": true, "deleted_at": at, "updated_at": at}));
            continue;
        }
        staff.stay += 1;
        let mut user = json!({
            "id": id, "name": member.name, "email": email, "role": member.role, "clinic_id": member.clinic,
            "created_at": at, "updated_at": at, "is_deleted": false,
        });
        if let Some(password) = &member.password {
            staff.passwords += 1;
            let hash = bcrypt::hash(password.expose(), COST).map_err(|_| StaffFileError::Hash)?;
            user["hashed_password"] = hash.into();
        }
        users.push(user);
        for (clinic, granted) in member.rights {
            let mut row = json!({
                "id": id_of("permission", &format!("{id} {clinic}")), "user_id": id, "clinic_id": clinic,
                "created_at": at, "updated_at": at,
            });
            for right in right_columns() {
                row[right] = granted.contains(right).into();
            }
            permissions.push(row);
        }
    }
    let new = clinics.new.iter().map(|name| {
        json!({"id": id_of("clinic", name), "name": name, "is_archived": false, "attributes": [], "metadata": {},
            "created_at": at, "updated_at": at, "is_deleted": false})
    });
    let tables = [
        ("clinics", new.collect()),
        ("users", users),
        ("user_clinic_permissions", permissions),
    ];
    let lists = tables.map(|(table, rows): (&str, Vec<Value>)| {
        let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
        format!(
            "{}:{{\"created\":[\n{}\n],\"updated\":[],\"deleted\":[]}}",
            json!(table),
            rows.join(",\n")
        )
    });
    let file = format!(
        "{{\"success\":true,\"timestamp\":{at},\"changes\":{{\n{}\n}}}}\n",
        lists.join(",\n")
    );
    Ok((file, staff))
}

/// Checks a file of staff, as far as that can be done without the hub.
///
/// # Errors
/// [`StaffFileError`] with the first line that is wrong.
pub fn check(file: impl Read) -> Result<Staff, StaffFileError> {
    let json = read(file)?;
    let mut staff = Staff::default();
    let mut known = BTreeSet::new();
    for (line, row) in rows(&json, "users")? {
        let wrong = |what| StaffFileError::Line { line, what };
        let email = text(&row, "email").unwrap_or_default();
        if text(&row, "id").is_none_or(str::is_empty) {
            return Err(wrong(Mistake::Missing("id")));
        }
        if row
            .get("is_deleted")
            .is_some_and(|flag| *flag == json!(true) || *flag == json!(1))
        {
            staff.leave += 1;
            continue;
        }
        if !is_email(email) {
            return Err(wrong(Mistake::Email(email.to_owned())));
        }
        if !known.insert(folded_email(email)) {
            return Err(wrong(Mistake::Twice));
        }
        if let Some(hash) = row.get("hashed_password") {
            staff.passwords += 1;
            if !hash.as_str().is_some_and(is_password_hash) {
                return Err(wrong(Mistake::Hash));
            }
        }
        staff.stay += 1;
    }
    for (line, row) in rows(&json, "user_clinic_permissions")? {
        for column in ["user_id", "clinic_id"] {
            if text(&row, column).is_none_or(str::is_empty) {
                let what = Mistake::Missing(column);
                return Err(StaffFileError::Line { line, what });
            }
        }
    }
    if staff == Staff::default() {
        return Err(StaffFileError::Empty);
    }
    Ok(staff)
}

fn read(file: impl Read) -> Result<String, StaffFileError> {
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(StaffFileError::NoText);
    }
    owner_file::text(bytes).map_err(|_| StaffFileError::NoText)
}

/// A row and its line, from 1.
type Row = (usize, Map<String, Value>);

/// The rows of a table of a bundle that are not deletes by id, each with its line.
fn rows(json: &str, table: &str) -> Result<Vec<Row>, StaffFileError> {
    #[derive(serde::Deserialize)]
    struct Bundle<'a> {
        #[serde(borrow)]
        changes: HashMap<String, &'a RawValue>,
    }
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct Lists<'a> {
        #[serde(borrow)]
        created: Option<Vec<&'a RawValue>>,
        #[serde(borrow)]
        updated: Option<Vec<&'a RawValue>>,
    }
    let line_of = |part: &str| {
        let start = part.as_ptr().addr().saturating_sub(json.as_ptr().addr());
        json.as_bytes()
            .iter()
            .take(start)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    };
    let bundle: Bundle<'_> = serde_json::from_str(json).map_err(|error| at(error.line(), Mistake::Shape))?;
    let Some(lists) = bundle.changes.get(table) else {
        return Ok(Vec::new());
    };
    let read: Lists<'_> = serde_json::from_str(lists.get())
        .map_err(|error| at(line_of(lists.get()) + error.line() - 1, Mistake::Shape))?;
    let all = [read.created, read.updated].into_iter().flatten().flatten();
    all.map(|raw| {
        let line = line_of(raw.get());
        let row = serde_json::from_str(raw.get()).map_err(|_| at(line, Mistake::Shape))?;
        Ok((line, row))
    })
    .collect()
}

fn text<'r>(row: &'r Map<String, Value>, column: &str) -> Option<&'r str> {
    row.get(column).and_then(Value::as_str)
}

fn id_of(kind: &str, name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, format!("{kind} {name}").as_bytes()).to_string()
}

#[cfg(test)]
mod tests;
