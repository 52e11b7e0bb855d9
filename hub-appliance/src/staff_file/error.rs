//! What can be wrong with a table of staff, or with a file.

use super::{MAX_BYTES, MAX_LINES, MAX_PASSWORD, MIN_PASSWORD, ROLES, rights};

/// What is wrong with a table or a file.
#[derive(Debug, thiserror::Error)]
pub enum StaffFileError {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Read(#[from] std::io::Error),
    /// It is too large, or no text.
    #[error("it is no text, or larger than {} MiB", MAX_BYTES / 1024 / 1024)]
    NoText,
    /// A column is missing.
    #[error("there is no column {0:?} in the first line")]
    NoColumn(&'static str),
    /// Something on a line.
    #[error("line {line}: {what}")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong; never a password.
        what: Mistake,
    },
    /// There is nobody in it.
    #[error("there is nobody in it")]
    Empty,
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash,
}

/// What is wrong on a line.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// It has too few or too many fields, or one that is too long.
    #[error("it has too few or too many fields, or one that is too long")]
    Fields,
    /// There are too many lines.
    #[error("more than {MAX_LINES} lines")]
    TooMany,
    /// A field is empty that has to be there.
    #[error("no {0}")]
    Missing(&'static str),
    /// No e-mail address.
    #[error("no e-mail address: {0:?}")]
    Email(String),
    /// No role of the app's.
    #[error("no role: {0:?}; there are {all}", all = ROLES.join(", "))]
    Role(String),
    /// No clinic of those that were named.
    #[error("no clinic: {0:?}")]
    Clinic(String),
    /// No right.
    #[error("no right: {0:?}; there are {all}", all = rights().join(", "))]
    Right(String),
    /// The same user in the same clinic a second time.
    #[error("the same user and clinic as before")]
    Twice,
    /// Another name, role or password than on a line before, or one who leaves and stays.
    #[error("something else of this user than on a line before")]
    Differs,
    /// A password that is none.
    #[error("a password has {MIN_PASSWORD} letters or more, and at most {MAX_PASSWORD} bytes")]
    Password,
    /// No bcrypt hash of a cost of 10 to 14.
    #[error("the password is no bcrypt hash of a cost of 10 to 14")]
    Hash,
    /// Not the shape of the cloud's answer.
    #[error("not the shape of a file of staff")]
    Shape,
}

pub(super) const fn at(line: usize, what: Mistake) -> StaffFileError {
    StaffFileError::Line { line, what }
}
