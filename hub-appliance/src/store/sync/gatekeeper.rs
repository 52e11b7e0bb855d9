//! Who decides whether the author of a push may write a row, and what they are told about it.

use super::sent::SentRow;
use crate::clock::HubTime;
use crate::store::error::StoreError;
use crate::store::rows::StoredRow;
use crate::store::schema::TableId;
use crate::store::writer::WriteTx;

/// What a row asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A row that the hub does not have.
    Create,
    /// Another version of a row that the hub has.
    Edit,
    /// The deletion of a row.
    Delete,
}

/// What a gatekeeper is asked: may the author do this to this row?
#[derive(Debug)]
pub struct Access<'a> {
    /// The table.
    pub table: TableId,
    /// What is to be done.
    pub operation: Operation,
    /// The row as stored.
    pub stored: Option<&'a StoredRow>,
    /// The row as sent.
    pub sent: &'a SentRow,
    /// The clinics it belongs to and is to belong to; none: it is tied to no clinic.
    pub clinics: Vec<String>,
    /// The change time up to which the author had seen the stored row.
    pub base: HubTime,
}

impl Access<'_> {
    /// Whether the author asks for another value in this column. What a phone merely has not heard of yet is no such
    /// wish: of a row that has changed since, only the columns that it says it changed count.
    #[must_use]
    pub fn changes(&self, column: usize) -> bool {
        let Some(sent) = &self.sent.cells[column] else {
            return false;
        };
        let Some(stored) = self.stored else { return true };
        let stated = || self.sent.changed.is_none_or(|changed| changed.contains(column));
        !sent.means(&stored.cells[column]) && (stored.changed_at <= self.base || stated())
    }
}

/// Decides whether the author may write a row.
pub trait Gatekeeper {
    /// Whether it is allowed.
    ///
    /// # Errors
    /// What SQLite reports.
    fn permits(&mut self, tx: &WriteTx<'_>, access: &Access<'_>) -> Result<bool, StoreError>;
}
