//! Reading a table of staff.

use std::collections::{BTreeMap, BTreeSet};

use super::error::at;
use super::{
    Clinics, MAX_FIELD, MAX_LINES, MAX_PASSWORD, MIN_PASSWORD, Mistake, ROLES, StaffFileError, right_columns, short,
};
use crate::secret::SecretText;
use crate::store::people::folded_email;
use crate::store::staff::is_email;

/// One user of a table.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) role: String,
    pub(super) clinic: String,
    pub(super) password: Option<SecretText>,
    pub(super) leaves: bool,
    pub(super) rights: BTreeMap<String, BTreeSet<&'static str>>,
}

/// The users of a table by their addresses.
pub(super) fn members(table: &str, clinics: &Clinics) -> Result<BTreeMap<String, Member>, StaffFileError> {
    let separator = table.lines().next().map_or(b',', separator);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .trim(csv::Trim::All)
        .flexible(false)
        .from_reader(table.as_bytes());
    let headings: Vec<String> = reader
        .headers()
        .map_err(|_| at(1, Mistake::Fields))?
        .iter()
        .map(|heading| heading.to_lowercase().replace('-', ""))
        .collect();
    let column = |name: &'static str| {
        let found = headings.iter().position(|heading| heading == name);
        found.ok_or(StaffFileError::NoColumn(name))
    };
    let [name, email, role, clinic, granted, password] =
        ["name", "email", "role", "clinic", "rights", "password"].map(column);
    let (name, email, role) = (name?, email?, role?);
    let (clinic, granted, password) = (clinic?, granted?, password?);
    let leaves = column("leaves").ok();
    let mut members: BTreeMap<String, Member> = BTreeMap::new();
    for (count, record) in reader.records().enumerate() {
        let record = record.map_err(|error| {
            let line = error
                .position()
                .map_or(count + 2, |position| usize::try_from(position.line()).unwrap_or(0));
            at(line, Mistake::Fields)
        })?;
        let line = record
            .position()
            .map_or(count + 2, |position| usize::try_from(position.line()).unwrap_or(0));
        let wrong = |what| at(line, what);
        if count >= MAX_LINES {
            return Err(wrong(Mistake::TooMany));
        }
        if record.iter().any(|field| field.len() > MAX_FIELD) {
            return Err(wrong(Mistake::Fields));
        }
        if record.iter().all(str::is_empty) {
            continue;
        }
        let field = |column: usize| record.get(column).unwrap_or_default();
        let leaves = leaves
            .map(field)
            .is_some_and(|text| !matches!(text.to_lowercase().as_str(), "" | "no" | "0"));
        let address = field(email).to_owned();
        if !is_email(&address) {
            return Err(wrong(Mistake::Email(address)));
        }
        let member = if leaves {
            Member {
                name: String::new(),
                role: String::new(),
                clinic: String::new(),
                password: None,
                leaves,
                rights: BTreeMap::new(),
            }
        } else {
            let found = clinics.find(field(clinic)).filter(|clinic| !clinic.is_empty());
            let home = found.ok_or_else(|| wrong(Mistake::Clinic(field(clinic).to_owned())))?;
            Member {
                name: field(name).to_owned(),
                role: read_role(field(role)).map_err(wrong)?,
                clinic: home.clone(),
                password: read_password(field(password)).map_err(wrong)?,
                leaves,
                rights: BTreeMap::from([(home, read_rights(field(granted)).map_err(wrong)?)]),
            }
        };
        if !leaves && member.name.is_empty() {
            return Err(wrong(Mistake::Missing("name")));
        }
        let key = members
            .keys()
            .find(|known| folded_email(known) == folded_email(&address))
            .cloned();
        match key.and_then(|key| members.get_mut(&key)) {
            None => {
                members.insert(address, member);
            }
            Some(known) => known.join(member).map_err(wrong)?,
        }
    }
    Ok(members)
}

impl Member {
    /// A further line of the same user: rights in another clinic.
    fn join(&mut self, other: Self) -> Result<(), Mistake> {
        if self.leaves || other.leaves {
            return Err(if self.leaves == other.leaves {
                Mistake::Twice
            } else {
                Mistake::Differs
            });
        }
        if self.name != other.name
            || self.role != other.role
            || other
                .password
                .is_some_and(|other| self.password.as_ref() != Some(&other))
        {
            return Err(Mistake::Differs);
        }
        for (clinic, rights) in other.rights {
            if self.rights.insert(clinic, rights).is_some() {
                return Err(Mistake::Twice);
            }
        }
        Ok(())
    }
}

/// Spreadsheets of many countries part fields by semicolons.
fn separator(headings: &str) -> u8 {
    let most = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|mark| headings.bytes().filter(|byte| byte == mark).count());
    most.unwrap_or(b',')
}

fn read_role(text: &str) -> Result<String, Mistake> {
    let role = text.to_lowercase().replace([' ', '-'], "_");
    let is_known = ROLES.contains(&role.as_str());
    is_known.then_some(role).ok_or_else(|| Mistake::Role(text.to_owned()))
}

fn read_password(text: &str) -> Result<Option<SecretText>, Mistake> {
    if text.is_empty() {
        return Ok(None);
    }
    let fits = text.chars().count() >= MIN_PASSWORD && text.len() <= MAX_PASSWORD && !text.contains('\0');
    fits.then(|| Some(SecretText::new(text.to_owned())))
        .ok_or(Mistake::Password)
}

/// Names of rights, parted by spaces, commas or the like; `all` is every one.
fn read_rights(text: &str) -> Result<BTreeSet<&'static str>, Mistake> {
    let columns = right_columns();
    let mut granted = BTreeSet::new();
    let words = text.split(|mark: char| mark.is_whitespace() || [',', ';', '|', '+'].contains(&mark));
    for word in words.filter(|word| !word.is_empty()) {
        let wanted = word.to_lowercase();
        if wanted == "all" {
            granted.extend(&columns);
            continue;
        }
        let found = columns
            .iter()
            .find(|column| **column == wanted || short(column) == wanted);
        granted.insert(*found.ok_or_else(|| Mistake::Right(word.to_owned()))?);
    }
    Ok(granted)
}
