//! `sync_pull` and `sync_push`.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, json};

use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::clock::HubTime;
use crate::store::devices::Scope;
use crate::store::people::Right;
use crate::store::sync::cursors::{Cursor, Cursors};
use crate::store::sync::history::Author;
use crate::store::sync::pull::{PullRequest, PullSummary};
use crate::store::sync::push::{Push, UnusablePush, last_pulled_at};
use crate::store::sync::rights::UserGate;
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

    let cursors = procedures.devices.cursors(caller.device).at_pull(asked);
    let start = cursors.start(asked);
    let scope = scope_of(session);
    let pull = PullRequest {
        device: caller.device,
        start: start.clone(),
        scope: scope.clone(),
    };
    let message = caller.message;
    let summary = procedures.store.read(|snapshot| {
        if snapshot.knows_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        Ok(snapshot.pull(&pull, answer.buffer())?)
    })?;

    procedures.devices.note_start(caller.device, start.at);
    let after = Cursors::after(
        asked,
        start,
        Cursor {
            at: summary.timestamp,
            scope,
        },
    );
    note_pull(procedures, caller, session, &summary, cursors, after)
}

/// About how many bytes a pull will give; one that will be refused gives none.
pub(super) fn expected(procedures: &Procedures, caller: &Caller, request: &Request) -> Result<usize, ProcedureError> {
    let parameters = request.parameters();
    let session = procedures.session(caller, request.token.as_ref());
    let (Ok(session), Ok(parameters)) = (session, parameters.read::<PullParameters<'_>>()) else {
        return Ok(0);
    };
    let asked = last_pulled_at(parameters.last_pulled_at.or(parameters.last_pulled_at_snake));
    let start = procedures.devices.cursors(caller.device).at_pull(asked).start(asked);
    let has_all_in_sight = start.scope == scope_of(&session);
    let since = if has_all_in_sight { start.at } else { HubTime::ZERO };
    Ok(procedures.store.read(|snapshot| snapshot.expected_pull(since))?)
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

/// Writes down what was given, before it is given. A pull that gave nothing and moved no cursor costs no write.
fn note_pull(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    summary: &PullSummary,
    before: Cursors,
    after: Cursors,
) -> Result<(), ProcedureError> {
    let moved = before.given != after.given;
    if !moved && summary.rows.is_empty() {
        procedures.devices.set_cursors(caller.device, before);
        return Ok(());
    }
    let counts: Map<_, _> = summary
        .rows
        .iter()
        .map(|(table, rows)| ((*table).to_owned(), json!(rows)))
        .collect();
    let deed = Deed {
        action: "sync_pull",
        detail: json!(counts).to_string(),
        outcome: "ok",
    };
    let entry = (!summary.rows.is_empty()).then(|| session.entry(caller, deed));
    let device = caller.device;
    let stored = after.clone();
    let arrived = after.before.at;
    let message = caller.message;
    procedures.store.write(move |tx| {
        if !tx.admit_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        tx.set_cursors(device, &stored)?;
        tx.note_resent(device, arrived, stored.given.at)?;
        entry.iter().try_for_each(|entry| tx.audit(entry))?;
        Ok::<_, ProcedureError>(())
    })?;
    procedures.devices.set_cursors(device, after);
    Ok(())
}

pub(super) fn push(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let parameters = request.parameters();
    let push = Push::parse(parameters.json()).map_err(|unusable| match unusable {
        UnusablePush::Malformed => ProcedureError::BadParameters,
        UnusablePush::TooLarge => ProcedureError::TooLarge,
    })?;
    if let Some(sign) = push.sign() {
        procedures.devices.learn_generation(caller.device, sign)?;
    }
    let cursors = procedures.devices.cursors(caller.device).at_push(push.last_pulled_at());
    let seen = cursors.seen(push.last_pulled_at());
    procedures.devices.set_cursors(caller.device, cursors);
    let author = Author {
        device: caller.device,
        user: Some(session.user.id.clone()),
    };
    let clinic = session.user.clinic.clone();
    let (device, message) = (caller.device, caller.message);
    let mut entry = session.entry(
        caller,
        Deed {
            action: "sync_push",
            detail: String::new(),
            outcome: "ok",
        },
    );
    let taken = procedures.store.write(move |tx| {
        let user = author.user.clone().unwrap_or_default();
        if !tx.admit_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        let mut gate = UserGate::new(tx, &user, clinic)?;
        if !gate.may_write() {
            return Err(ProcedureError::NotPermitted);
        }
        let summary = push.apply(tx, parameters.json(), &author, seen, &mut gate)?;
        entry.detail = json!({
            "written": summary.written,
            "unchanged": summary.unchanged,
            "held": summary.held,
            "skipped": summary.skipped,
        })
        .to_string();
        tx.audit(&entry)?;
        Ok(())
    });
    if taken == Err(ProcedureError::OverQuota) {
        // For the panel, which says which phone that is.
        procedures.store.write(move |tx| tx.note_over_quota(device))?;
    }
    taken?;
    reply(answer, &json!({}))
}
