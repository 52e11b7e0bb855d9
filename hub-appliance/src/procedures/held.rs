//! `held.list`, `held.release`, `held.drop`: what a person does about the rows that are held.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::lossy::Lossy;
use crate::store::sync::rights::UserGate;
use crate::wire::envelope::Outgoing;

/// Entries of a list where none are asked for, and at most.
const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 5_000;
/// Entries looked at together.
const STRETCH: u32 = 200;

#[derive(Deserialize)]
struct Page {
    limit: Option<u32>,
    offset: Option<u32>,
}

/// The held rows of the clinics that the user administers, oldest first.
pub(super) fn list(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let page: Page = request.parameters().read()?;
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let offset = page.offset.unwrap_or(0);
    let gate = UserGate::of_session(&session.user.id, session.user.clinic.clone(), session.rights.clone());
    if !gate.administers_any() {
        return Err(ProcedureError::NotPermitted);
    }
    let data = procedures.store.read(|snapshot| {
        let (mut data, mut before, mut from) = (Vec::new(), offset, 0);
        loop {
            let rows = snapshot.held_rows(STRETCH, from)?;
            let is_last = rows.len() < STRETCH as usize;
            for held in rows {
                if !gate.administers(&snapshot.held_clinics(&held.id)?.unwrap_or_default()) {
                    continue;
                }
                if before > 0 {
                    before -= 1;
                    continue;
                }
                let row: Value = serde_json::from_str(&held.row).unwrap_or(Value::String(held.row));
                data.push(json!({
                    "id": held.id, "table": held.table, "row_id": held.row_id, "reason": held.reason,
                    "device": held.device.0, "user_id": held.user, "held_at": held.held_at.millis(), "row": row,
                }));
                if data.len() >= limit as usize {
                    return Ok(data);
                }
            }
            if is_last {
                return Ok::<_, ProcedureError>(data);
            }
            from += STRETCH;
        }
    })?;
    let deed = Deed {
        action: "held.list",
        detail: json!({"rows": data.len()}).to_string(),
        outcome: "ok",
    };
    let entry = session.entry(caller, deed);
    procedures
        .store
        .write(move |tx| tx.audit(&entry).map_err(ProcedureError::from))?;
    reply(answer, &json!({"data": data, "limit": limit, "offset": offset}))
}

#[derive(Deserialize)]
struct Which<'a> {
    #[serde(borrow)]
    id: Lossy<'a>,
}

/// Stores a held row, whatever its sender may; 409 where it can't be stored as it is.
pub(super) fn release(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let (id, _) = settle(procedures, caller, session, request, "held.release", |tx, id| {
        let released = tx.release_held(id)?;
        released.then_some(1).ok_or(ProcedureError::Conflict)
    })?;
    reply(answer, &json!({"ok": true, "id": id}))
}

/// Drops a held row for good, and what is held only because it is.
pub(super) fn drop(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let (id, dropped) = settle(procedures, caller, session, request, "held.drop", |tx, id| {
        Ok(tx.drop_held(id)?)
    })?;
    reply(answer, &json!({"ok": true, "id": id, "dropped": dropped}))
}

/// Does something about one held row, if the user administers its clinics; returns its id and how many rows it was.
fn settle(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    action: &'static str,
    work: impl FnOnce(&mut crate::store::WriteTx<'_>, &str) -> Result<usize, ProcedureError> + Send + 'static,
) -> Result<(String, usize), ProcedureError> {
    let parameters = request.parameters();
    let Which { id } = parameters.read()?;
    let (id, user, clinic) = (id.0.into_owned(), session.user.id.clone(), session.user.clinic.clone());
    let mut entry = session.entry(
        caller,
        Deed {
            action,
            detail: String::new(),
            outcome: "ok",
        },
    );
    let message = caller.message;
    procedures.store.write(move |tx| {
        if !tx.admit_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        let gate = UserGate::new(tx, &user, clinic)?;
        if !gate.administers_any() {
            return Err(ProcedureError::NotPermitted);
        }
        let clinics = tx.held_clinics(&id)?.ok_or(ProcedureError::NotFound)?;
        if !gate.administers(&clinics) {
            return Err(ProcedureError::NotPermitted);
        }
        let rows = work(tx, &id)?;
        entry.detail = json!({"id": id, "rows": rows}).to_string();
        tx.audit(&entry)?;
        Ok((id, rows))
    })
}
