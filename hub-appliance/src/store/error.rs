//! What can go wrong in the store.

/// What it is with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is full, but for what is kept back.
    Full,
    /// It failed to read or write, so that nothing more can be expected of it.
    Failed,
    /// A page on it is not what was written there. The others can be read.
    Damaged,
}

/// An error of the store. None of them carries a value of a record.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened with this key: the key is another one's, or the file is damaged.
    #[error("the database does not open with this key")]
    WrongKey,
    /// The database was written by newer firmware.
    #[error("the database has schema version {found}, this firmware knows up to {supported}")]
    TooNew {
        /// The database's schema version.
        found: i64,
        /// The newest schema version that this firmware knows.
        supported: i64,
    },
    /// Another process holds the store.
    #[error("the store is in use by another process")]
    InUse,
    /// The disk is full, but for what is kept back.
    #[error("the disk is full")]
    Full,
    /// The disk has too little room for a copy that would have to lie on it, so nothing was changed.
    #[error("the disk has {free} bytes to spare, a copy needs {needed}")]
    NoRoom {
        /// What the copy needs, with what is done to it.
        needed: u64,
        /// What is free beyond what is kept back.
        free: u64,
    },
    /// The device has written more today, or has more rows held, than one may.
    #[error("the device has used up what it may write or have held")]
    OverQuota,
    /// The answer would be longer than there is room for now.
    #[error("the answer is longer than it may be")]
    TooLong,
    /// The log was let go, for it grew too long or the disk filled up: a copy that follows it has to begin anew.
    #[error("the log of changes was let go before all of it was copied")]
    Overrun,
    /// It was broken off before it was done, and everything is as it was.
    #[error("broken off")]
    Stopped,
    /// The store was closed while the work waited.
    #[error("the store is closed")]
    Closed,
    /// SQLite reported an error.
    #[error("the database reported an error: {0:?}")]
    Database(rusqlite::ErrorCode),
    /// The database was used in a way that its schema does not fit: a defect of this program.
    #[error("a statement does not fit the database")]
    Defect,
    /// The disk reported an error.
    #[error("the disk reported an error: {0}")]
    Disk(#[from] std::io::Error),
    /// The random source failed.
    #[error("the random source failed")]
    Random(#[from] getrandom::Error),
}

impl StoreError {
    /// Whether it is of the values that were to be written, and not of the database: a constraint that bit, a text over
    /// SQLite's bound.
    #[must_use]
    pub const fn is_of_the_values(&self) -> bool {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        matches!(self, Self::Database(ConstraintViolation | TooBig | TypeMismatch))
    }

    /// What it says of the disk, if it says anything of that.
    #[must_use]
    pub const fn trouble(&self) -> Option<Trouble> {
        use rusqlite::ErrorCode::{DatabaseCorrupt, ReadOnly, SystemIoFailure};
        match self {
            Self::Full => Some(Trouble::Full),
            Self::Disk(_) | Self::Database(ReadOnly | SystemIoFailure) => Some(Trouble::Failed),
            // Of a database that is open the key is known to be the right one.
            Self::WrongKey | Self::Database(DatabaseCorrupt) => Some(Trouble::Damaged),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // The full error can hold a statement's text or a value, so only its code goes on.
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(rusqlite::ErrorCode::NotADatabase) => Self::WrongKey,
            Some(code) => Self::Database(code),
            None => Self::Defect,
        }
    }
}
