//! Opening one SQLCipher connection: the only place where a connection is made.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use super::error::StoreError;
use crate::secret::Secret;

/// The database's raw 256-bit key: SQLCipher uses it as it is, without a key derivation of its own at each open.
pub type StoreKey = Secret<32>;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The one that writes.
    Write,
    /// One of those that only read.
    Read,
    /// To look at a copy that nobody writes, wherever it lies: nothing is made beside it.
    Inspect,
    /// To fill a new file, which is thrown away where that is cut short.
    Fill,
}

impl Purpose {
    /// Page cache in KiB: the writer's holds what a large push touches; readers mostly stream.
    const fn cache_kib(self) -> u32 {
        match self {
            Self::Write => 8 * 1024,
            Self::Read | Self::Inspect | Self::Fill => 2 * 1024,
        }
    }
}

/// Opens the database at `path`.
///
/// WAL with `synchronous=FULL`: an acknowledged commit survives a power cut. Temporary tables stay in memory, because
/// SQLite would write them to disk unencrypted.
///
/// # Errors
/// [`StoreError::WrongKey`] if the key does not fit, or what SQLite reports.
#[allow(clippy::disallowed_methods, reason = "the one place that opens the database")]
pub(super) fn open(path: &Path, key: &StoreKey, purpose: Purpose) -> Result<Connection, StoreError> {
    let way = match purpose {
        Purpose::Write | Purpose::Fill => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Purpose::Read => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Purpose::Inspect => OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    };
    let flags = way | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match purpose {
        Purpose::Inspect => Connection::open_with_flags(still(path), flags)?,
        Purpose::Write | Purpose::Read | Purpose::Fill => Connection::open_with_flags(path, flags)?,
    };
    // SQLCipher would print to the console what this function returns as an error.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    connection.execute_batch(&key_pragma(key))?;
    // Reading the schema is what checks the key.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(&format!(
        "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{}; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
         PRAGMA synchronous = FULL;",
        purpose.cache_kib()
    ))?;
    match purpose {
        Purpose::Write => {
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 16777216;")?
        }
        Purpose::Read | Purpose::Inspect => connection.execute_batch("PRAGMA query_only = ON;")?,
        Purpose::Fill => connection.execute_batch("PRAGMA journal_mode = OFF;")?,
    }
    super::search::teach(&connection)?;
    connection.set_prepared_statement_cache_capacity(256);
    Ok(connection)
}

/// A connection to no file, for as long as there is none to be had.
///
/// # Errors
/// What SQLite reports.
#[allow(clippy::disallowed_methods, reason = "nothing is ever stored in it")]
pub(super) fn nowhere() -> Result<Connection, StoreError> {
    Ok(Connection::open_in_memory()?)
}

/// The name of a file that does not change while it is open (SQLite, "Uniform Resource Identifiers").
fn still(path: &Path) -> String {
    let mut name = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => name.push(char::from(*byte)),
            other => {
                // Writing to a string cannot fail.
                let _ = write!(name, "%{other:02x}");
            }
        }
    }
    name + "?immutable=1"
}

/// `PRAGMA key = "x'…'"` (SQLCipher, "Raw Key Data").
fn key_pragma(key: &StoreKey) -> Zeroizing<String> {
    let mut pragma = Zeroizing::new(String::with_capacity(96));
    pragma.push_str("PRAGMA key = \"x'");
    for byte in key.expose() {
        // Writing to a string cannot fail.
        let _ = write!(pragma, "{byte:02x}");
    }
    pragma.push_str("'\";");
    pragma
}
