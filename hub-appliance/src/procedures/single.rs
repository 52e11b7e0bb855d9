//! The app's single calls: how each is begun, written down and ended.
//!
//! It promises: a read is one snapshot, a write one transaction; every read of a patient's data and every write is in the
//! audit log, with the ids of the records, before its answer goes out.

use serde_json::{Value, json};

use super::fields::Fields;
use super::reading::Reading;
use super::table::{Handler, Touches};
use super::writing::{Who, Writing};
use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::store::reads::Shown;
use crate::store::sync::generation::Generation;
use crate::wire::envelope::Outgoing;

/// Ids that one entry of the audit log names; of longer lists it has the first ones and their number.
const MAX_NAMED: usize = 100;

/// Runs a single read or write to its end.
pub(super) fn call(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    match request.procedure.run {
        Handler::Read(run) => {
            let parameters = request.parameters();
            let fields = Fields::parse(parameters.json())?;
            let now = procedures.store.clock().peek();
            let expects_arrays = procedures.devices.generation(caller.device) == Generation::V15;
            // Whatever is not written down one by one shows no more than ever.
            let is_emergency = matches!(request.procedure.touches, Touches::Reads(_))
                && procedures.emergency.left(procedures.store.clock().run_time()).is_some();
            let mut sees_more = false;
            let at_most = answer.at_most();
            let shown = procedures.store.read(|snapshot| {
                let out = (at_most, answer.buffer());
                let mut reading = Reading::new(snapshot, session, now, expects_arrays, out);
                if is_emergency {
                    sees_more = reading.see_all()?;
                }
                run(&mut reading, &fields)
            })?;
            match request.procedure.touches {
                Touches::Reads(table) => {
                    let mut detail = detail_of(table, &fields, &shown)?;
                    if sees_more {
                        detail["emergency"] = true.into();
                    }
                    note_read(procedures, caller, session, request, &detail)
                }
                _ => Ok(()),
            }
        }
        Handler::Write(run) => {
            let value = write(procedures, caller, session, request, run)?;
            reply(answer, &value)
        }
        Handler::WriteRow(run) => {
            let row = write(procedures, caller, session, request, run)?;
            answer.buffer().extend_from_slice(&row);
            Ok(())
        }
        Handler::Open(_) | Handler::User(_) => Err(ProcedureError::UnknownProcedure),
    }
}

fn write<T: Send + 'static>(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    run: fn(&mut Writing<'_, '_>, &Fields<'_>) -> Result<T, ProcedureError>,
) -> Result<T, ProcedureError> {
    let (parameters, procedure) = (request.parameters(), request.procedure);
    let (caller, who) = (*caller, Who::of(session));
    let mut entry = session.entry(&caller, deed(procedure.name, String::new()));
    let needs = match procedure.touches {
        Touches::Writes(table) => Some((table, procedure.rights)),
        _ => None,
    };
    procedures.store.write(move |tx| {
        if !tx.admit_message(caller.message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        let json = parameters.json();
        tx.within_quota(caller.device, json.len(), |tx| {
            let fields = Fields::parse(json)?;
            let mut writing = Writing::begin(tx, &caller, who, procedure.name, needs)?;
            let done = run(&mut writing, &fields)?;
            entry.detail = writing.written();
            tx.audit(&entry)?;
            Ok(done)
        })
    })
}

/// Writes down whom somebody has looked at.
fn note_read(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    detail: &Value,
) -> Result<(), ProcedureError> {
    let entry = session.entry(caller, deed(request.procedure.name, detail.to_string()));
    procedures
        .store
        .write(move |tx| tx.audit(&entry).map_err(ProcedureError::from))
}

/// The patient who was asked for, and the rows that were shown.
fn detail_of(table: &'static str, fields: &Fields<'_>, shown: &Shown) -> Result<Value, ProcedureError> {
    let mut detail = json!({table: shown.ids.iter().take(MAX_NAMED).collect::<Vec<_>>()});
    if shown.ids.len() > MAX_NAMED {
        detail["rows"] = shown.ids.len().into();
    }
    if let Some(patient) = fields.text("patient_id")? {
        detail["patient_id"] = patient.into();
    }
    Ok(detail)
}

const fn deed(action: &'static str, detail: String) -> Deed {
    Deed {
        action,
        detail,
        outcome: "ok",
    }
}
