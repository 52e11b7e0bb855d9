//! What every single write has in hand: one transaction, in which rows are written by the same rules as those of a push,
//! with the same rights and the same history.
//!
//! It promises: what a call writes is all there or not at all; a create without an id that is sent again within ten minutes
//! makes nothing new; a column that was not sent keeps its value.

use sha2::{Digest, Sha256};

use super::access::UserGate;
use super::fields::Fields;
use super::{Caller, ProcedureError, Session};
use crate::store::people::Right;
use crate::store::rows::StoredRow;
use crate::store::schema::{ColumnType, TableId};
use crate::store::sync::apply::{Applied, Applier};
use crate::store::sync::gatekeeper::{Access, Gatekeeper};
use crate::store::sync::held::HoldReason;
use crate::store::sync::history::Author;
use crate::store::sync::sent::SentRow;
use crate::store::sync::writing::write_row;
use crate::store::value::Cell;
use crate::store::{StoreError, WriteTx};

/// What a row of a table hangs on: such a row has to be there.
const PARENTS: [(&str, &str); 4] = [
    ("patient_id", "patients"),
    ("visit_id", "visits"),
    ("prescription_id", "prescriptions"),
    ("prescription_item_id", "prescription_items"),
];

/// Columns that no edit changes: who a row is, and what only a delete writes.
const NEVER_EDITED: [&str; 6] = [
    "id",
    "created_at",
    "is_deleted",
    "deleted_at",
    "last_modified",
    "server_created_at",
];

/// The user on whose behalf is written.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) id: String,
    pub(super) name: String,
    /// The clinic that the user works for.
    pub(super) clinic: Option<String>,
}

impl Who {
    /// The user of a session. Whose own clinic grants nothing works for the first that does, as at the login.
    pub(super) fn of(session: &Session) -> Self {
        let own = session.user.clinic.clone();
        let granted = |clinic: &String| session.rights.iter().any(|(known, _)| known == clinic);
        let first = || session.rights.first().map(|(clinic, _)| clinic.clone());
        Self {
            id: session.user.id.clone(),
            name: session.user.name.clone(),
            clinic: own.filter(granted).or_else(first),
        }
    }
}

/// A gate that asks for one of the rights of a procedure too, for the rows that the procedure is about.
struct ProcedureGate {
    user: UserGate,
    /// The table, and any of which rights.
    needs: Option<(TableId, &'static [Right])>,
}

impl Gatekeeper for ProcedureGate {
    fn permits(&mut self, tx: &WriteTx<'_>, access: &Access<'_>) -> Result<bool, StoreError> {
        let needed = self.needs.filter(|(table, _)| *table == access.table);
        let enough = needed.is_none_or(|(_, rights)| self.user.holds_any(rights, &access.clinics));
        Ok(enough && self.user.permits(tx, access)?)
    }
}

/// A write under way.
pub(super) struct Writing<'t, 'c> {
    applier: Applier<'t, 'c>,
    gate: ProcedureGate,
    pub(super) who: Who,
    procedure: &'static str,
    device: i64,
    /// What was written, for the audit log.
    written: Vec<(&'static str, String)>,
}

impl<'t, 'c> Writing<'t, 'c> {
    /// Begins in a transaction; the rights are those that hold in it.
    pub(super) fn begin(
        tx: &'t mut WriteTx<'c>,
        caller: &Caller,
        who: Who,
        procedure: &'static str,
        needs: Option<(&'static str, &'static [Right])>,
    ) -> Result<Self, ProcedureError> {
        let needs = needs.and_then(|(table, rights)| Some((TableId::named(table)?, rights)));
        let gate = ProcedureGate {
            user: UserGate::new(tx, &who.id, who.clinic.clone())?,
            needs: needs.filter(|(_, rights)| !rights.is_empty()),
        };
        let author = Author {
            device: caller.device,
            user: Some(who.id.clone()),
        };
        Ok(Self {
            applier: Applier::of_single_calls(tx, author),
            gate,
            who,
            procedure,
            device: caller.device.0,
            written: Vec::new(),
        })
    }

    /// The transaction.
    pub(super) fn tx(&mut self) -> &mut WriteTx<'c> {
        self.applier.tx()
    }

    /// The tables and ids of what was written, as JSON.
    pub(super) fn written(&self) -> String {
        let mut tables: std::collections::BTreeMap<&str, Vec<&str>> = std::collections::BTreeMap::new();
        for (table, id) in &self.written {
            tables.entry(table).or_default().push(id);
        }
        serde_json::json!(tables).to_string()
    }

    /// The time of the hub clock, epoch ms.
    pub(super) fn now(&mut self) -> i64 {
        self.tx().now().millis()
    }

    /// A row that is there and not deleted.
    pub(super) fn stored(&self, table: &'static str, id: &str) -> Result<StoredRow, ProcedureError> {
        self.find(table, id)?.ok_or(ProcedureError::NotFound)
    }

    /// A row that is not deleted, if there is one.
    pub(super) fn find(&self, table: &'static str, id: &str) -> Result<Option<StoredRow>, ProcedureError> {
        let stored = self.applier.stored(named(table)?, id)?;
        Ok(stored.filter(|stored| !stored.deleted))
    }

    /// The row that the same create made a moment ago, if this is that one again. An id says by itself which row is meant.
    pub(super) fn repeated(
        &mut self,
        table: &'static str,
        fields: &Fields<'_>,
    ) -> Result<Option<String>, ProcedureError> {
        if fields.text("id")?.is_some() {
            return Ok(None);
        }
        let digest = self.digest(fields);
        let Some(id) = self.tx().recent_create(&digest)? else {
            return Ok(None);
        };
        Ok(self.find(table, &id)?.map(|_| id))
    }

    /// Makes a row of the fields, or edits the one with their id, unless the same was made a moment ago; `given` fills what
    /// was not sent. Returns its id.
    pub(super) fn create(
        &mut self,
        table: &'static str,
        fields: &Fields<'_>,
        given: &[(&str, Cell)],
    ) -> Result<String, ProcedureError> {
        if let Some(id) = self.repeated(table, fields)? {
            return Ok(id);
        }
        let id = self.insert(table, fields, given)?;
        if fields.text("id")?.is_none() {
            self.note(fields, &id)?;
        }
        Ok(id)
    }

    /// The same, whatever was made before.
    pub(super) fn insert(
        &mut self,
        table: &'static str,
        fields: &Fields<'_>,
        given: &[(&str, Cell)],
    ) -> Result<String, ProcedureError> {
        let id = match fields.text("id")? {
            Some(id) => id,
            None => self.tx().new_id(),
        };
        let mut row = fields.row(named(table)?.table(), &id)?;
        if self.find(table, &id)?.is_none() {
            for (name, cell) in given {
                fill(&mut row, named(table)?, name, cell);
            }
        }
        self.put(table, row)?;
        Ok(id)
    }

    /// Remembers which row a create made, for [`Self::repeated`].
    pub(super) fn note(&mut self, fields: &Fields<'_>, id: &str) -> Result<(), ProcedureError> {
        let digest = self.digest(fields);
        Ok(self.tx().note_create(&digest, id)?)
    }

    /// Makes a row of these values, whatever was sent. Returns its id.
    pub(super) fn make(&mut self, table: &'static str, cells: &[(&str, Cell)]) -> Result<String, ProcedureError> {
        self.insert(table, &Fields::default(), cells)
    }

    /// What a row that is there holds in a column.
    pub(super) fn cell(&self, table: &'static str, id: &str, column: &str) -> Result<Cell, ProcedureError> {
        let mut stored = self.stored(table, id)?;
        let index = named(table)?
            .table()
            .column(column)
            .ok_or(ProcedureError::Unavailable)?;
        Ok(stored.cells.swap_remove(index))
    }

    /// The clinic that the user works for.
    pub(super) fn own_clinic(&self) -> Cell {
        self.who.clinic.as_deref().map_or(Cell::Null, Cell::text)
    }

    fn digest(&self, fields: &Fields<'_>) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [
            self.procedure,
            &self.who.id,
            &self.device.to_string(),
            &fields.without(&["id"]).canonical(),
        ] {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// Gives columns of a row that is there new values: those that were sent, among `columns` where only these may be.
    /// Returns the row as the queries show it.
    pub(super) fn update(
        &mut self,
        table: &'static str,
        fields: &Fields<'_>,
        columns: Option<&[&str]>,
    ) -> Result<Vec<u8>, ProcedureError> {
        let id = fields.required("id")?;
        self.stored(table, &id)?;
        let fields = match columns {
            Some(columns) => fields.only(columns),
            None => fields.without(&NEVER_EDITED),
        };
        let row = fields.row(named(table)?.table(), &id)?;
        self.put(table, row)?;
        self.shown(table, &id)
    }

    /// Gives columns of a row that is there these values.
    pub(super) fn set(&mut self, table: &'static str, id: &str, cells: &[(&str, Cell)]) -> Result<(), ProcedureError> {
        self.stored(table, id)?;
        let mut row = Fields::default().row(named(table)?.table(), id)?;
        for (name, cell) in cells {
            fill(&mut row, named(table)?, name, cell);
        }
        self.put(table, row)
    }

    /// A row as the queries show it.
    pub(super) fn shown(&mut self, table: &'static str, id: &str) -> Result<Vec<u8>, ProcedureError> {
        self.tx().shown(table, id)?.ok_or(ProcedureError::NotFound)
    }

    /// Inserts a row, or merges it with the one that has its id.
    pub(super) fn put(&mut self, table: &'static str, mut row: SentRow) -> Result<(), ProcedureError> {
        let id = named(table)?;
        let stored = self.applier.stored(id, &row.id)?;
        self.check_parents(id, &row)?;
        let now = self.now();
        fill(&mut row, id, "updated_at", &Cell::Integer(now));
        if stored.is_none() {
            complete(&mut row, id, now)?;
            let patient = id.table().column("patient_id");
            let is_nobodys = patient.is_some_and(|patient| row.cells[patient].as_ref().is_none_or(Cell::is_blank));
            if is_nobodys {
                return Err(ProcedureError::BadParameters);
            }
        }
        let flag = id.table().column("is_deleted");
        let delete = flag.is_some_and(|flag| row.cells[flag].as_ref().and_then(Cell::as_integer) == Some(1));
        self.write(table, row, delete)
    }

    /// Deletes a row that is there, with what hangs on it.
    pub(super) fn delete(&mut self, table: &'static str, id: &str) -> Result<(), ProcedureError> {
        self.stored(table, id)?;
        let row = Fields::default().row(named(table)?.table(), id)?;
        self.write(table, row, true)
    }

    fn write(&mut self, table: &'static str, row: SentRow, delete: bool) -> Result<(), ProcedureError> {
        let id = row.id.to_string();
        match write_row(&mut self.applier, named(table)?, row, delete, &mut self.gate)? {
            Ok(Applied::LostToDelete) => Err(ProcedureError::NotFound),
            Ok(_) => {
                self.written.push((table, id));
                Ok(())
            }
            Err(HoldReason::NotPermitted | HoldReason::ColumnNotPermitted(_)) => Err(ProcedureError::NotPermitted),
            Err(HoldReason::Parent(..) | HoldReason::NoClinic(Some(_))) => Err(ProcedureError::NotFound),
            Err(_) => Err(ProcedureError::BadParameters),
        }
    }

    fn check_parents(&self, table: TableId, row: &SentRow) -> Result<(), ProcedureError> {
        for (column, parent) in PARENTS {
            let sent = table.table().column(column).and_then(|index| row.cells[index].as_ref());
            if let Some(parent_id) = sent.and_then(Cell::as_reference) {
                self.stored(parent, parent_id)?;
            }
        }
        Ok(())
    }
}

fn named(table: &str) -> Result<TableId, StoreError> {
    TableId::named(table).ok_or(StoreError::Defect)
}

/// Gives a column a value that was not sent, or sent as nothing.
pub(super) fn fill(row: &mut SentRow, table: TableId, name: &str, cell: &Cell) {
    let Some(index) = table.table().column(name) else {
        return;
    };
    if row.cells[index].as_ref().is_none_or(Cell::is_blank) {
        row.cells[index] = Some(cell.clone());
    }
}

/// Gives a new row what the app leaves to the hub: times, flags and what may be empty. What the cloud has to know of it the
/// app has to send.
fn complete(row: &mut SentRow, table: TableId, now: i64) -> Result<(), ProcedureError> {
    for (index, column) in table
        .table()
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.on_phone)
    {
        let is_missing = matches!(row.cells[index], None | Some(Cell::Null));
        if is_missing && column.cloud_required {
            return Err(ProcedureError::BadParameters);
        }
        let is_of_every_row = matches!(column.name, "created_at" | "updated_at" | "is_deleted");
        if is_missing && (column.required || is_of_every_row) {
            row.cells[index] = Some(match column.kind {
                ColumnType::EpochMs => Cell::Integer(now),
                kind => Cell::empty(kind),
            });
        }
    }
    Ok(())
}
