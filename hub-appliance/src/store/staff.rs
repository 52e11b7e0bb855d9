//! A file of staff: an answer of the cloud, like the one that a clinic begins with, brought later by a person who knows the
//! PIN. It means the same, with these differences, for nobody who makes one on a computer knows the hub's ids:
//!
//! - A user with an unknown id and a known e-mail address is that user. A clinic with an unknown id and a known name is that
//!   clinic, and in the place of its id its name will do. What a user may do in a clinic is one row, whatever its id.
//! - A user leaves by being marked as deleted, never by not being in the file: a file for one new nurse must not put
//!   everybody else out. One who left and is in a later file comes back under a new id, for what is deleted stays so.
//! - A row that does not fit is a mistake with its line, and nothing is taken in; the cloud's would be held.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::error::StoreError;
use super::new_id;
use super::people::folded_email;
use super::value::read_time;
use super::writer::WriteTx;
use crate::secret::SecretText;

/// bcrypt's costs that a login takes (protocol, "Commands").
pub const COSTS: std::ops::RangeInclusive<u32> = 10..=14;
/// Letters of a bcrypt hash.
const HASH_LENGTH: usize = 60;

/// What a file of staff changes, or would.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StaffChanges {
    /// Users who are new.
    pub joins: u32,
    /// Users who are users no more.
    pub leaves: u32,
    /// Users who have another password.
    pub passwords: u32,
    /// Users of whom something else is otherwise: name, role, address, clinic, rights.
    pub others: u32,
    /// Rows of other tables.
    pub rows: u32,
}

impl StaffChanges {
    /// Whether anything is otherwise.
    #[must_use]
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// Whether `text` is a bcrypt hash of a cost that a login takes.
#[must_use]
pub fn is_password_hash(text: &str) -> bool {
    let cost = text.strip_prefix("$2").and_then(|rest| rest.get(1..5));
    let cost = cost.and_then(|cost| cost.strip_prefix('$')?.strip_suffix('$')?.parse().ok());
    text.len() == HASH_LENGTH
        && text.is_ascii()
        && matches!(text.as_bytes()[2], b'a' | b'b' | b'y')
        && cost.is_some_and(|cost| COSTS.contains(&cost))
}

/// Whether `text` can be an e-mail address: as far as that can be told without sending anything there.
#[must_use]
pub fn is_email(text: &str) -> bool {
    const LONGEST: usize = 254;
    let text = text.trim();
    let plain = text.len() <= LONGEST && !text.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    let parts = text.split_once('@');
    plain
        && parts.is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.contains('@')
                && host.contains('.')
                && !host.starts_with('.')
                && !host.ends_with('.')
        })
}

/// A user as a file can change one.
#[derive(PartialEq, Eq)]
struct Member {
    password: SecretText,
    /// Name, role, address, clinic, and the rights in each clinic.
    others: Vec<String>,
}

/// The users who are not deleted, by id.
pub(super) struct Members(BTreeMap<String, Member>);

impl Members {
    /// As they are now.
    pub(super) fn take(tx: &WriteTx<'_>) -> Result<Self, StoreError> {
        let mut statement = tx.connection().prepare_cached(
            "SELECT id, hashed_password, name, role, email, ifnull(clinic_id, '') FROM users WHERE hub_deleted_at IS NULL",
        )?;
        let users = statement.query_map([], |row| {
            let others = (2..6).map(|column| row.get(column)).collect::<Result<_, _>>()?;
            let password = SecretText::new(row.get(1)?);
            Ok((row.get(0)?, Member { password, others }))
        })?;
        let mut members: BTreeMap<String, Member> = users.collect::<Result<_, _>>()?;
        for (id, member) in &mut members {
            let mut rights: Vec<String> = tx.rights(id)?.iter().map(|rights| format!("{rights:?}")).collect();
            rights.sort_unstable();
            member.others.append(&mut rights);
        }
        Ok(Self(members))
    }

    /// What is otherwise `now`; `rows` of other tables were written.
    pub(super) fn changes(&self, now: &Self, rows: usize) -> StaffChanges {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let kept = || self.0.iter().filter_map(|(id, was)| Some((was, now.0.get(id)?)));
        let missing = |from: &Self, to: &Self| from.0.keys().filter(|id| !to.0.contains_key(*id)).count();
        StaffChanges {
            joins: count(missing(now, self)),
            leaves: count(missing(self, now)),
            passwords: count(kept().filter(|(was, is)| was.password != is.password).count()),
            others: count(kept().filter(|(was, is)| was.others != is.others).count()),
            rows: count(rows),
        }
    }
}

/// Ends the tokens of those who are users no more: their next call is refused.
pub(super) fn end_tokens_of_leavers(tx: &WriteTx<'_>) -> Result<(), StoreError> {
    tx.connection()
        .prepare_cached("DELETE FROM tokens WHERE user_id NOT IN (SELECT id FROM users WHERE hub_deleted_at IS NULL)")?
        .execute([])?;
    Ok(())
}

/// Which rows of the hub those of a file are.
#[derive(Default)]
pub(super) struct Settler {
    /// The hub's id of a user or a clinic of the file, where it is another. A clinic may stand there by its name too.
    ids: HashMap<String, String>,
}

impl Settler {
    /// Finds the clinics and users of a file among those of the hub.
    pub(super) fn find<'a>(
        tx: &WriteTx<'_>,
        clinics: impl Iterator<Item = &'a str>,
        users: impl Iterator<Item = &'a str>,
    ) -> Result<Self, StoreError> {
        let connection = tx.connection();
        let mut settler = Self::default();
        let live = connection
            .prepare_cached("SELECT id, ifnull(name, '') FROM clinics WHERE hub_deleted_at IS NULL")?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(String, String)>, _>>()?;
        for (id, name) in &live {
            // The name of one clinic and no other.
            settler.note(name.trim(), name.trim(), &live);
            settler.ids.remove(id);
        }
        for row in clinics.filter_map(fields) {
            let (Some(id), Some(name)) = (text(&row, "id"), text(&row, "name")) else {
                continue;
            };
            settler.note(id, name.trim(), &live);
        }
        let live = connection
            .prepare_cached("SELECT id, email FROM users WHERE hub_deleted_at IS NULL")?
            .query_map([], |row| Ok((row.get(0)?, folded_email(&row.get::<_, String>(1)?))))?
            .collect::<Result<Vec<(String, String)>, _>>()?;
        for row in users.filter_map(fields) {
            let (Some(id), Some(email)) = (text(&row, "id"), text(&row, "email")) else {
                continue;
            };
            settler.note(id, &folded_email(email), &live);
            if !settler.ids.contains_key(id) && comes_back(connection, &row)? {
                settler.ids.insert(id.to_owned(), new_id(tx.now()).to_string());
            }
        }
        Ok(settler)
    }

    /// `id` is the one of `live` with the same key, if it is none of them itself.
    fn note(&mut self, id: &str, key: &str, live: &[(String, String)]) {
        let mut same = live.iter().filter(|(_, known)| known.trim() == key);
        if let (Some((known, _)), None) = (same.next(), same.next())
            && !live.iter().any(|(known, _)| known == id)
        {
            self.ids.insert(id.to_owned(), known.clone());
        }
    }

    /// A row of the file with the hub's ids.
    pub(super) fn settle<'j>(&self, tx: &WriteTx<'_>, table: &str, json: &'j str) -> Result<Cow<'j, str>, StoreError> {
        let columns: &[&str] = match table {
            "users" => &["id", "clinic_id"],
            "clinics" => &["id"],
            "user_clinic_permissions" => &["user_id", "clinic_id"],
            _ => return Ok(Cow::Borrowed(json)),
        };
        let Some(mut row) = fields(json) else {
            return Ok(Cow::Borrowed(json));
        };
        let mut differs = false;
        for column in columns {
            if let Some(known) = text(&row, column).and_then(|id| self.ids.get(id)) {
                row.insert((*column).to_owned(), known.as_str().into());
                differs = true;
            }
        }
        if table == "user_clinic_permissions"
            && let Some(known) = permission(tx.connection(), &row)?
        {
            row.insert("id".to_owned(), known.into());
            differs = true;
        }
        Ok(if differs {
            Cow::Owned(Value::Object(row).to_string())
        } else {
            Cow::Borrowed(json)
        })
    }
}

/// Whether what became of a row of the file can't be right, though its columns are of their types; `row` has the hub's ids.
/// What the file does not say of a user stays as it was.
pub(super) fn is_mistaken(tx: &WriteTx<'_>, table: &str, row: &str) -> Result<bool, StoreError> {
    let Some(row) = fields(row) else { return Ok(true) };
    if is_deleted(&row) {
        return Ok(false);
    }
    let of = match table {
        "users" => "SELECT clinic_id, name, role, email, hashed_password FROM users",
        _ => "SELECT clinic_id FROM user_clinic_permissions",
    };
    let stored = tx
        .connection()
        .prepare_cached(&format!("{of} WHERE id = ?1 AND hub_deleted_at IS NULL"))?
        .query_row([text(&row, "id")], |row| {
            let columns = row.as_ref().column_count();
            (0..columns)
                .map(|column| row.get::<_, Option<String>>(column))
                .collect()
        })
        .optional()?;
    // One that left later than the file was made.
    let Some(stored): Option<Vec<Option<String>>> = stored else {
        return Ok(false);
    };
    let clinic = stored.first().cloned().flatten();
    let has_clinic = tx
        .connection()
        .prepare_cached("SELECT 1 FROM clinics WHERE id = ?1 AND hub_deleted_at IS NULL")?
        .exists([clinic])?;
    let is_wrong = match &stored[1..] {
        [Some(name), Some(role), Some(email), Some(hash)] => {
            name.trim().is_empty() || role.trim().is_empty() || !is_email(email) || !is_password_hash(hash)
        }
        rest => !rest.is_empty(),
    };
    Ok(!has_clinic || is_wrong)
}

/// Whether a user of this id left the hub before the file was made, in which nothing says so.
fn comes_back(connection: &Connection, row: &serde_json::Map<String, Value>) -> Result<bool, StoreError> {
    if is_deleted(row) {
        return Ok(false);
    }
    let left_at: Option<Option<i64>> = connection
        .prepare_cached("SELECT max(ifnull(updated_at, 0), ifnull(deleted_at, 0)) FROM users WHERE id = ?1 AND hub_deleted_at IS NOT NULL")?
        .query_row([text(row, "id")], |row| row.get(0))
        .optional()?;
    let made_at = row.get("updated_at").and_then(|time| read_time(&time.to_string()).ok());
    Ok(matches!((left_at, made_at), (Some(left), Some(made)) if left.is_none_or(|left| made > left)))
}

/// The row that says what a user may do in a clinic, where the file has another id for it.
fn permission(connection: &Connection, row: &serde_json::Map<String, Value>) -> Result<Option<String>, StoreError> {
    let mut known = connection.prepare_cached(
        "SELECT id FROM user_clinic_permissions WHERE user_id = ?1 AND clinic_id = ?2 AND hub_deleted_at IS NULL \
         ORDER BY updated_at DESC, id DESC LIMIT 1",
    )?;
    let known = known.query_row((text(row, "user_id"), text(row, "clinic_id")), |row| row.get(0));
    Ok(known.optional()?)
}

fn fields(json: &str) -> Option<serde_json::Map<String, Value>> {
    serde_json::from_str(json).ok()
}

fn text<'r>(row: &'r serde_json::Map<String, Value>, column: &str) -> Option<&'r str> {
    row.get(column).and_then(Value::as_str)
}

fn is_deleted(row: &serde_json::Map<String, Value>) -> bool {
    matches!(row.get("is_deleted"), Some(Value::Bool(true))) || row.get("is_deleted").and_then(Value::as_i64) == Some(1)
}
