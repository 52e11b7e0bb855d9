//! `login` and `logout`.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::lossy::Lossy;
use crate::secret::SecretText;
use crate::store::audit::Entry;
use crate::store::people::{User, folded_email};
use crate::wire::envelope::Outgoing;

/// An e-mail address or password longer than this is not looked at.
const MAX_LENGTH: usize = 1024;

/// A hash that no password is known for: checked where there is no such user, so that the time does not tell.
const NOBODY: &str = "$2b$10$5ojaw.WrDYWXSe.9Zkzr.Ogo6NXoYl8zewt7ClVbL.RE5G2aSs/Qq";

#[derive(Deserialize)]
struct Credentials<'a> {
    #[serde(borrow)]
    email: Lossy<'a>,
    #[serde(borrow)]
    password: Lossy<'a>,
}

pub(super) fn login(
    procedures: &Procedures,
    caller: &Caller,
    request: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let parameters = request.parameters();
    let Credentials { email, password } = parameters.read()?;
    let password = SecretText::new(password.0.into_owned());
    let email = email.0.trim();
    if email.len() > MAX_LENGTH || password.expose().len() > MAX_LENGTH {
        return Err(ProcedureError::BadParameters);
    }
    let email = folded_email(email);
    let email = email.as_str();
    let now = Instant::now();
    if let Some(retry_after) = procedures.backoff.wait(caller.address, email, now) {
        return Err(ProcedureError::Backoff { retry_after });
    }
    match find_user(procedures, email, &password)? {
        Ok(user) => {
            procedures.backoff.succeeded(email);
            welcome(procedures, caller, &user, answer)
        }
        Err(known) => {
            procedures.backoff.failed(caller.address, email, now);
            note_refusal(procedures, caller, known)?;
            Err(ProcedureError::LoginRefused)
        }
    }
}

/// The user with this address and password, or the id of the user whose password it is not.
fn find_user(
    procedures: &Procedures,
    email: &str,
    password: &SecretText,
) -> Result<Result<User, Option<String>>, ProcedureError> {
    let users = procedures.store.read(|snapshot| snapshot.users_by_email(email))?;
    if users.is_empty() {
        // Its result is of no interest, only its time.
        let _ = bcrypt::verify(password.expose(), NOBODY);
    }
    let known = users.first().map(|user| user.id.clone());
    let user = users
        .into_iter()
        .find(|user| bcrypt::verify(password.expose(), user.password_hash.expose()).unwrap_or(false));
    Ok(user.ok_or(known))
}

fn welcome(procedures: &Procedures, caller: &Caller, user: &User, answer: &mut Outgoing) -> Result<(), ProcedureError> {
    let (clinic, clinic_name) = procedures.store.read(|snapshot| {
        let rights = snapshot.rights(&user.id)?;
        // A user works for the clinic that is the user's own; where that grants nothing, for the first that does.
        let clinic = user
            .clinic
            .clone()
            .filter(|clinic| rights.iter().any(|(granted, _)| granted == clinic))
            .or_else(|| rights.first().map(|(clinic, _)| clinic.clone()))
            .ok_or(ProcedureError::NotPermitted)?;
        let name = snapshot.clinic_name(&clinic)?.unwrap_or_default();
        Ok::<_, ProcedureError>((clinic, name))
    })?;

    let (token, record) = procedures.issue(caller, user, &clinic, procedures.store.clock().peek())?;
    let entry = Entry {
        user: Some(user.id.clone()),
        role: Some(user.role.clone()),
        device: caller.device,
        address: Some(caller.address),
        correlation: Some(caller.correlation),
        action: "login",
        outcome: "ok",
        ..Entry::default()
    };
    let stored = record.clone();
    procedures.store.write(move |tx| {
        tx.insert_token(&stored)?;
        tx.audit(&entry)?;
        Ok::<_, ProcedureError>(())
    })?;
    procedures.tokens.issued(record);
    procedures.second_tries.logged_in(caller.device, caller.message);
    reply(
        answer,
        &json!({
            "token": token.expose(),
            "user_id": user.id,
            "clinic_id": clinic,
            "role": user.role,
            "provider_name": user.name,
            "clinic_name": clinic_name,
            "email": user.email,
        }),
    )
}

fn note_refusal(procedures: &Procedures, caller: &Caller, user: Option<String>) -> Result<(), ProcedureError> {
    let entry = Entry {
        user,
        device: caller.device,
        address: Some(caller.address),
        correlation: Some(caller.correlation),
        action: "login",
        outcome: "refused",
        ..Entry::default()
    };
    procedures
        .store
        .write(move |tx| tx.audit(&entry).map_err(ProcedureError::from))
}

pub(super) fn logout(
    procedures: &Procedures,
    caller: &Caller,
    session: &Session,
    _: &Request,
    answer: &mut Outgoing,
) -> Result<(), ProcedureError> {
    let entry = session.entry(
        caller,
        Deed {
            action: "logout",
            detail: String::new(),
            outcome: "ok",
        },
    );
    let jti = session.jti.clone();
    procedures.store.write(move |tx| {
        tx.delete_token(&jti)?;
        tx.audit(&entry)?;
        Ok::<_, ProcedureError>(())
    })?;
    procedures.tokens.revoked(&session.jti);
    reply(answer, &json!({"ok": true}))
}
