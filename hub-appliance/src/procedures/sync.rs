//! `sync_pull` and `sync_push`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::store::StoreError;
use crate::store::devices::Scope;
use crate::store::people::Right;
use crate::store::sync::history::Author;
use crate::store::sync::pull::PullSummary;
use crate::store::sync::push::{Push, UnusablePush, last_pulled_at};
use crate::store::sync::rights::UserGate;
use crate::store::sync::taking::Trial;
use crate::wire::envelope::Outgoing;

#[derive(Deserialize)]
struct PullParameters<'a> {
    #[serde(borrow, rename = "lastPulledAt")]
    last_pulled_at: Option<&'a RawValue>,
    #[serde(borrow, rename = "last_pulled_at")]
    last_pulled_at_snake: Option<&'a RawValue>,
}

pub(super) fn pull(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let parameters = request.parameters();
    let parameters: PullParameters<'_> = parameters.read()?;
    let asked = last_pulled_at(parameters.last_pulled_at.or(parameters.last_pulled_at_snake));

    // What was given is written down before it is given.
    let note = |summary: &PullSummary| {
        let rows = summary.rows.iter();
        let counts: Map<_, _> = rows.map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        let deed = Deed {
            action: "sync_pull",
            detail: json!(counts).to_string(),
            outcome: "ok",
        };
        (!counts.is_empty()).then(|| session.entry(caller, deed))
    };
    let asked = procedures.devices.asked(caller.device, scope_of(session), asked);
    let asked = asked.within(answer.at_most());
    procedures
        .devices
        .pull(&asked, Some(caller.message.as_bytes()), answer.buffer(), note)?
        .map(drop)
        .ok_or(ProcedureError::Replayed)
}

/// About how many bytes a pull will give; one that will be refused gives none.
pub(super) fn expected(procedures: &Procedures, caller: &Caller, request: &Request) -> Result<usize, ProcedureError> {
    let parameters = request.parameters();
    let session = procedures.session(caller, request.token.as_ref());
    let (Ok(session), Ok(parameters)) = (session, parameters.read::<PullParameters<'_>>()) else {
        return Ok(0);
    };
    let asked = last_pulled_at(parameters.last_pulled_at.or(parameters.last_pulled_at_snake));
    let asked = procedures.devices.asked(caller.device, scope_of(&session), asked);
    Ok(procedures.store.expected_pull(&asked)?)
}

/// Whose rows a user's phone may hold: those of the clinics that the user may look into.
fn scope_of(session: &Session) -> Scope {
    let seen = session
        .rights
        .iter()
        .filter(|(_, rights)| rights.has(Right::ViewHistory));
    Scope {
        user: session.user.id.clone(),
        clinics: seen.map(|(clinic, _)| clinic.clone()).collect(),
    }
}

pub(super) fn push(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let taken = match take_in(procedures, caller, session, request, Trial::Whole) {
        Err(Untaken::RowRefused) => take_in(procedures, caller, session, request, Trial::ByRow),
        taken => taken,
    };
    taken.map_err(|untaken| match untaken {
        Untaken::RowRefused => ProcedureError::Unavailable,
        Untaken::Failed(error) => error,
    })?;
    reply(answer, &json!({}))
}

/// Why nothing of a push was taken in.
enum Untaken {
    /// The database did not take the values of one of its rows.
    RowRefused,
    Failed(ProcedureError),
}

impl From<StoreError> for Untaken {
    fn from(error: StoreError) -> Self {
        if error.is_of_the_values() {
            Self::RowRefused
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<ProcedureError> for Untaken {
    fn from(error: ProcedureError) -> Self {
        Self::Failed(error)
    }
}

fn take_in(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    trial: Trial,
) -> Result<(), Untaken> {
    let parameters = request.parameters();
    let push = Push::parse(parameters.json()).map_err(|unusable| match unusable {
        UnusablePush::Malformed => ProcedureError::BadParameters,
        UnusablePush::TooLarge => ProcedureError::TooLarge,
    })?;
    if let Some(sign) = push.sign() {
        procedures.devices.learn_generation(caller.device, sign)?;
    }
    let author = Author {
        device: caller.device,
        user: Some(session.user.id.clone()),
    };
    let clinic = session.user.clinic.clone();
    let message = caller.message;
    let mut entry = session.entry(
        caller,
        Deed {
            action: "sync_push",
            detail: String::new(),
            outcome: "ok",
        },
    );
    procedures.store.write(move |tx| {
        let user = author.user.clone().unwrap_or_default();
        if !tx.admit_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed.into());
        }
        let mut gate = UserGate::new(tx, &user, clinic)?;
        if !gate.may_write() {
            return Err(ProcedureError::NotPermitted.into());
        }
        if push.is_forced(parameters.json()) {
            tx.note_forced_upload(author.device, push.last_pulled_at())?;
        }
        let seen = tx.seen_at_push(author.device, push.last_pulled_at())?;
        let summary = push.apply(tx, parameters.json(), &author, seen, &mut gate, trial)?;
        entry.detail = json!({
            "written": summary.written,
            "unchanged": summary.unchanged,
            "held": summary.held,
            "skipped": summary.skipped,
        })
        .to_string();
        tx.audit(&entry)?;
        Ok(())
    })
}
