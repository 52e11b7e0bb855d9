//! `login` and `logout`.

use std::ops::RangeInclusive;
use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::backoff::Attempt;
use super::{Caller, Deed, ProcedureError, Procedures, Request, Session, reply};
use crate::lossy::Lossy;
use crate::secret::SecretText;
use crate::store::audit::Entry;
use crate::store::people::{User, folded_email};
use crate::wire::envelope::Outgoing;

/// An e-mail address or password longer than this is not looked at.
const MAX_LENGTH: usize = 1024;

/// The costs of bcrypt that are reckoned with; a hash of any other is none.
const COSTS: RangeInclusive<u32> = 4..=16;
/// The cost that is reckoned with where no user has a hash.
const USUAL_COST: u32 = 10;

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
    let attempt = Attempt {
        address: caller.address,
        device: caller.device,
        email,
    };
    if let Some(retry_after) = procedures.backoff.wait(&attempt, now) {
        return Err(ProcedureError::Backoff { retry_after });
    }
    match find_user(procedures, email, &password)? {
        Ok(user) => {
            procedures.backoff.succeeded(&attempt);
            welcome(procedures, caller, &user, answer)
        }
        Err(known) => {
            procedures.backoff.failed(&attempt, now);
            note_refusal(procedures, caller, known)?;
            Err(ProcedureError::LoginRefused)
        }
    }
}

/// The user with this address and password, or the id of the user whose password it is not.
///
/// Whether there is such a user, with a hash or without, and at which cost, does not show in the time that a refusal takes.
fn find_user(
    procedures: &Procedures,
    email: &str,
    password: &SecretText,
) -> Result<Result<User, Option<String>>, ProcedureError> {
    let (users, highest) = procedures.store.read(|snapshot| {
        let costs = snapshot.password_costs()?;
        let highest = costs.into_iter().filter(|cost| COSTS.contains(cost)).max();
        Ok::<_, ProcedureError>((snapshot.users_by_email(email)?, highest.unwrap_or(USUAL_COST)))
    })?;
    let known = users.first().map(|user| user.id.clone());
    let mut spent = None;
    for user in users {
        let hash = user.password_hash.expose();
        let Some(cost) = cost_of(hash) else { continue };
        if bcrypt::verify(password.expose(), hash).unwrap_or(false) {
            return Ok(Ok(user));
        }
        spent = spent.max(Some(cost));
    }
    for cost in left_to_spend(spent, highest) {
        // Its result is of no interest, only its time.
        let _ = bcrypt::hash_with_salt(password.expose(), cost, [0; 16]);
    }
    Ok(Err(known))
}

/// The cost of a hash, if it is one.
fn cost_of(hash: &str) -> Option<u32> {
    let parts: bcrypt::HashParts = hash.parse().ok()?;
    Some(parts.get_cost()).filter(|cost| COSTS.contains(cost))
}

/// What is still to be reckoned so that all of it is as much as one hash of the `highest` cost: each cost is twice the work
/// of the one below it.
fn left_to_spend(spent: Option<u32>, highest: u32) -> Vec<u32> {
    match spent {
        None => vec![highest],
        Some(spent) => (spent..highest).collect(),
    }
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
    let (stored, message) = (record.clone(), caller.message);
    let ended = procedures.store.write(move |tx| {
        if !tx.admit_message(message.as_bytes())? {
            return Err(ProcedureError::Replayed);
        }
        let ended = tx.insert_token(&stored)?;
        tx.audit(&entry)?;
        Ok(ended)
    })?;
    procedures.tokens.issued(record, &ended);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn work(costs: &[u32]) -> u64 {
        costs.iter().map(|cost| 1 << cost).sum()
    }

    #[test]
    fn every_refusal_is_the_same_work() {
        for highest in COSTS {
            assert_eq!(work(&left_to_spend(None, highest)), 1 << highest, "nobody, or no hash");
            for cost in 4..=highest {
                let spent = work(&left_to_spend(Some(cost), highest)) + work(&[cost]);
                assert_eq!(spent, 1 << highest, "a wrong password at {cost} of {highest}");
            }
        }
    }

    #[test]
    fn a_hash_is_known_by_its_form() {
        let hash = bcrypt::hash("secret", 5).unwrap();
        assert_eq!(cost_of(&hash), Some(5));
        for none in [
            "",
            "$2b$05$",
            "$2b$31$5ojaw.WrDYWXSe.9Zkzr.Ogo6NXoYl8zewt7ClVbL.RE5G2aSs/Qq",
            "plain",
        ] {
            assert_eq!(cost_of(none), None, "{none}");
        }
    }
}
