//! Users, their rights in each clinic, and which clinic a record belongs to.

use rusqlite::{Connection, OptionalExtension};
use unicode_normalization::UnicodeNormalization as _;

use super::error::StoreError;
use super::schema::TableId;
use super::snapshot::Snapshot;
use super::value::Cell;
use super::writer::WriteTx;
use crate::secret::SecretText;

/// Something that a user may do in a clinic: a column of `user_clinic_permissions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the column of the same name")]
pub enum Right {
    RegisterPatients,
    ViewHistory,
    EditRecords,
    DeleteRecords,
    ClinicAdmin,
    EditOtherProviderEvent,
    PrescribeMedications,
    DispenseMedications,
    DeletePatientVisits,
    DeletePatientRecords,
}

impl Right {
    /// Every right, in the order of their bits.
    pub const ALL: [Self; 10] = [
        Self::RegisterPatients,
        Self::ViewHistory,
        Self::EditRecords,
        Self::DeleteRecords,
        Self::ClinicAdmin,
        Self::EditOtherProviderEvent,
        Self::PrescribeMedications,
        Self::DispenseMedications,
        Self::DeletePatientVisits,
        Self::DeletePatientRecords,
    ];

    /// The column that grants it.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::RegisterPatients => "can_register_patients",
            Self::ViewHistory => "can_view_history",
            Self::EditRecords => "can_edit_records",
            Self::DeleteRecords => "can_delete_records",
            Self::ClinicAdmin => "is_clinic_admin",
            Self::EditOtherProviderEvent => "can_edit_other_provider_event",
            Self::PrescribeMedications => "can_prescribe_medications",
            Self::DispenseMedications => "can_dispense_medications",
            Self::DeletePatientVisits => "can_delete_patient_visits",
            Self::DeletePatientRecords => "can_delete_patient_records",
        }
    }
}

/// What a user may do in one clinic; without a permission row, nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u16);

impl Rights {
    /// Whether the right is granted.
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & (1 << right as u16) != 0
    }

    /// The same with one right more.
    #[must_use]
    pub const fn with(self, right: Right) -> Self {
        Self(self.0 | (1 << right as u16))
    }
}

/// A user who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// Id.
    pub id: String,
    /// The clinic that the user belongs to.
    pub clinic: Option<String>,
    /// Name, as the app shows it.
    pub name: String,
    /// Role.
    pub role: String,
    /// E-mail address.
    pub email: String,
    /// bcrypt hash of the password.
    pub password_hash: SecretText,
}

const USER: &str = "SELECT id, clinic_id, name, role, email, hashed_password FROM users";

fn user_from(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        clinic: row.get::<_, Option<String>>(1)?.filter(|clinic| !clinic.is_empty()),
        name: row.get(2)?,
        role: row.get(3)?,
        email: row.get(4)?,
        password_hash: SecretText::new(row.get(5)?),
    })
}

/// What a user may do in each clinic, `(clinic, rights)`.
fn all_rights(connection: &Connection, user: &str) -> Result<Vec<(String, Rights)>, StoreError> {
    let columns: String = Right::ALL.iter().map(|right| format!(", {}", right.column())).collect();
    // Where two rows speak of one clinic, the newer one counts.
    let sql = format!(
        "SELECT clinic_id{columns} FROM user_clinic_permissions WHERE user_id = ?1 AND hub_deleted_at IS NULL \
         ORDER BY updated_at, id"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([user])?;
    let mut all: Vec<(String, Rights)> = Vec::new();
    while let Some(row) = rows.next()? {
        let clinic: String = row.get(0)?;
        let mut rights = Rights::default();
        for (index, right) in Right::ALL.into_iter().enumerate() {
            if row.get::<_, Option<i64>>(index + 1)? == Some(1) {
                rights = rights.with(right);
            }
        }
        all.retain(|(known, _)| *known != clinic);
        all.push((clinic, rights));
    }
    Ok(all)
}

/// The clinic that a row is tied to: its own clinic column, or its patient's clinic. `cell` gives the row's values.
pub(super) fn clinic_of<'a>(
    connection: &Connection,
    table: TableId,
    cell: impl Fn(usize) -> Option<&'a Cell>,
) -> Result<Option<String>, StoreError> {
    let definition = table.table();
    let value = |name: &str| definition.column(name).and_then(&cell).and_then(Cell::as_reference);
    if let Some(clinic) = definition.clinic_column.and_then(value) {
        return Ok(Some(clinic.to_owned()));
    }
    match value("patient_id") {
        Some(patient) => clinic_of_patient(connection, patient),
        None => Ok(None),
    }
}

/// The clinic that a user belongs to.
pub(super) fn clinic_of_user(connection: &Connection, user: &str) -> Result<Option<String>, StoreError> {
    let clinic: Option<Option<String>> = connection
        .prepare_cached("SELECT clinic_id FROM users WHERE id = ?1")?
        .query_row([user], |row| row.get(0))
        .optional()?;
    Ok(clinic.flatten().filter(|clinic| !clinic.is_empty()))
}

/// The clinic of a patient, deleted or not.
pub(super) fn clinic_of_patient(connection: &Connection, patient: &str) -> Result<Option<String>, StoreError> {
    let clinic: Option<Option<String>> = connection
        .prepare_cached("SELECT primary_clinic_id FROM patients WHERE id = ?1")?
        .query_row([patient], |row| row.get(0))
        .optional()?;
    Ok(clinic.flatten().filter(|clinic| !clinic.is_empty()))
}

/// An e-mail address as people tell it from others: without spaces and marks that nobody sees around it, and in small
/// letters, which count as the same whether an accent stands in its letter or behind it.
#[must_use]
pub fn folded_email(email: &str) -> String {
    let email = email.trim_matches(|c: char| c.is_whitespace() || c.is_control() || INVISIBLE.contains(&c));
    // Letter by letter: whether a sigma ends a word says nothing of whose address it is.
    email.chars().flat_map(char::to_lowercase).nfc().collect()
}

/// What comes along when an address is copied out of a message: marks of the direction of writing, joiners, a byte-order
/// mark.
const INVISIBLE: [char; 16] = [
    '\u{ad}', '\u{61c}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}',
    '\u{202c}', '\u{2060}', '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{feff}',
];

/// The ids of the users who are not deleted, with their addresses as people tell them apart. A clinic has some dozens.
fn addresses(connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id, email FROM users WHERE hub_deleted_at IS NULL ORDER BY id")?;
    let users = statement.query_map([], |row| {
        let email: String = row.get(1)?;
        Ok((row.get(0)?, folded_email(&email)))
    })?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// The user with this id who is not deleted.
fn user_by_id(connection: &Connection, id: &str) -> Result<Option<User>, StoreError> {
    let sql = format!("{USER} WHERE id = ?1 AND hub_deleted_at IS NULL");
    Ok(connection.prepare_cached(&sql)?.query_row([id], user_from).optional()?)
}

impl WriteTx<'_> {
    /// The names of users who have one e-mail address, in pairs: each with the one before. Who of them logs in there is
    /// told by the password alone.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn users_with_one_email(&self) -> Result<Vec<[String; 2]>, StoreError> {
        let mut addresses = addresses(self.connection())?;
        addresses.sort_by(|(_, one), (_, other)| one.cmp(other));
        let pairs = addresses.windows(2).filter(|pair| pair[0].1 == pair[1].1);
        let name = |id: &str| {
            Ok::<_, StoreError>(user_by_id(self.connection(), id)?.map_or_else(String::new, |user| user.name))
        };
        pairs.map(|pair| Ok([name(&pair[0].0)?, name(&pair[1].0)?])).collect()
    }

    /// What a user may do in each clinic, as of this transaction.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn rights(&self, user: &str) -> Result<Vec<(String, Rights)>, StoreError> {
        all_rights(self.connection(), user)
    }
}

impl Snapshot<'_> {
    /// What a user may do in each clinic.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn rights(&self, user: &str) -> Result<Vec<(String, Rights)>, StoreError> {
        all_rights(self.connection()?, user)
    }

    /// The users with this e-mail address, as people tell it from others, who are not deleted: at most 4. The cloud keeps
    /// addresses unique, letter by letter; the hub does not rely on it.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn users_by_email(&self, email: &str) -> Result<Vec<User>, StoreError> {
        const MOST: usize = 4;
        let connection = self.connection()?;
        let wanted = folded_email(email);
        let all = addresses(connection)?;
        let ids = all.iter().filter(|(_, address)| *address == wanted).take(MOST);
        let users = ids.filter_map(|(id, _)| user_by_id(connection, id).transpose());
        users.collect()
    }

    /// Which costs the bcrypt hashes of the users have who are not deleted; what is no hash gives none, or any.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn password_costs(&self) -> Result<Vec<u32>, StoreError> {
        let mut statement = self.connection()?.prepare_cached(
            "SELECT DISTINCT CAST(substr(hashed_password, 5, 2) AS INTEGER) FROM users \
             WHERE hub_deleted_at IS NULL AND length(hashed_password) = 60",
        )?;
        let costs = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(costs)
    }

    /// A user who is not deleted.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn user(&self, id: &str) -> Result<Option<User>, StoreError> {
        user_by_id(self.connection()?, id)
    }

    /// A clinic's name.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn clinic_name(&self, id: &str) -> Result<Option<String>, StoreError> {
        let name: Option<Option<String>> = self
            .connection()?
            .prepare_cached("SELECT name FROM clinics WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        Ok(name.flatten())
    }
}
