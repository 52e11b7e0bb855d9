//! `ping` and `heartbeat` inside the envelope: does the session work?

use serde_json::json;

use super::{Caller, ProcedureError, Procedures, Request, reply};
use crate::wire::envelope::Outgoing;

pub(super) fn ping(_: &Procedures, _: &Caller, _: &Request, answer: &mut Outgoing) -> Result<(), ProcedureError> {
    reply(answer, &json!({"pong": true}))
}

pub(super) fn heartbeat(_: &Procedures, _: &Caller, _: &Request, answer: &mut Outgoing) -> Result<(), ProcedureError> {
    reply(answer, &json!({"status": "ok"}))
}
