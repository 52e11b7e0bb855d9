//! `POST /rpc/command` and `POST /rpc/query`: envelope in, procedure, envelope out.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::body::Received;
use super::budget::Share;
use super::gate::Lease;
use super::order::Place;
use super::places::Guest;
use super::reply::SealedReply;
use super::routes::{Front, Origin, must_be_json};
use super::service::{DeviceRegister, Job, Run};
use super::status::Failure;
use super::work::{Turn, blocking, inline, wait_open};
use crate::ids::ClientId;
use crate::procedures::{Caller, Weight};
use crate::store::devices::{DeviceNumber, Standing};
use crate::wire::envelope::{Outgoing, Sealed};
use crate::wire::message::{EnvelopeRequest, Kind, client_in};
use crate::wire::session::Replier;

/// Answers one command or query.
pub(super) async fn call(
    kind: Kind,
    State(front): State<Arc<Front>>,
    Extension(origin): Extension<Origin>,
    Extension(guest): Extension<Guest>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    // Refused before the body is read, and not held while it comes: a slow upload must not hold up locking.
    drop(front.gate.enter()?);
    must_be_json(&headers)?;
    let knows = |head: &[u8]| {
        let client = client_in(head).ok_or(Failure::NoSession)?;
        device_of(&*front.gate.enter()?.devices, client).map(drop)
    };
    let body = front
        .bodies
        .read(body, front.limits.request_bytes, &guest, knows)
        .await?;
    let hub = front.gate.enter()?;
    let (job, exchange) = open(&front, origin, kind, &hub, body).await?;
    guest.prove(exchange.caller.client);
    match job.weight {
        Weight::Light => {
            let sealed = inline(&*front.hooks, origin.correlation, || exchange.answer(job.run))?;
            Ok(SealedReply::new(sealed, None).into_response())
        }
        Weight::Login => {
            let turn = front.logins.turn(&hub).await?;
            let sealed = work(&front, origin, hub, (turn, None), exchange, job.run).await?;
            Ok(SealedReply::new(sealed, None).into_response())
        }
        Weight::Store => {
            let place = match kind {
                Kind::Command => {
                    let client = exchange.caller.client;
                    Some(front.order.after_earlier(client, &hub, front.limits.queue_time).await?)
                }
                Kind::Query => None,
            };
            let mut share = wait_open(&hub, front.limits.queue_time, front.answers.room()).await??;
            let turn = front.store.turn(&hub).await?;
            let sealed = work(&front, origin, hub, (turn, place), exchange, job.run).await?;
            front.answers.charge(&mut share, sealed.as_bytes().len());
            Ok(SealedReply::new(sealed, Some(share)).into_response())
        }
    }
}

/// An opened request on its way to its answer.
struct Exchange {
    caller: Caller,
    replier: Replier,
    /// The request's share of the memory for bodies, until it is answered.
    _share: Option<Share>,
}

impl Exchange {
    fn answer(self, run: Run) -> Result<Sealed, Failure> {
        let mut answer = Outgoing::new();
        run(&self.caller, &mut answer)?;
        self.replier.seal(answer).map_err(|_| Failure::Unavailable)
    }
}

/// Opens the envelope and understands what is in it, on a blocking thread where there is much to decrypt.
async fn open(
    front: &Front,
    origin: Origin,
    kind: Kind,
    hub: &Lease,
    body: Received,
) -> Result<(Job, Exchange), Failure> {
    let now = tokio::time::Instant::now().into_std();
    if body.bytes.len() <= front.limits.small_body {
        return inline(&*front.hooks, origin.correlation, || {
            open_here(kind, hub, origin, body, now)
        });
    }
    let hub = hub.clone();
    blocking(Arc::clone(&front.hooks), origin.correlation, move || {
        open_here(kind, &hub, origin, body, now)
    })
    .await
}

fn open_here(
    kind: Kind,
    hub: &Lease,
    origin: Origin,
    body: Received,
    now: Instant,
) -> Result<(Job, Exchange), Failure> {
    let envelope = EnvelopeRequest::parse(body.bytes)?;
    let client = envelope.client_id;
    let device = device_of(&*hub.devices, client)?;
    let (plaintext, replier) = hub
        .sessions
        .open(client, kind.direction(), envelope.payload, now)?
        .split();
    hub.devices.seen(device);
    let job = Arc::clone(&hub.procedures).accept(kind, plaintext)?;
    let caller = Caller {
        client,
        device,
        address: origin.address,
        message: replier.message(),
        correlation: origin.correlation,
    };
    let exchange = Exchange {
        caller,
        replier,
        _share: body.share,
    };
    Ok((job, exchange))
}

fn device_of(devices: &dyn DeviceRegister, client: ClientId) -> Result<DeviceNumber, Failure> {
    match devices.standing(client) {
        Standing::Active(device) => Ok(device),
        Standing::Revoked => Err(Failure::DeviceRevoked),
        Standing::Unknown => Err(Failure::NoSession),
    }
}

/// Runs and seals on a blocking thread.
async fn work(
    front: &Front,
    origin: Origin,
    hub: Lease,
    turn: (Turn, Option<Place>),
    exchange: Exchange,
    run: Run,
) -> Result<Sealed, Failure> {
    blocking(Arc::clone(&front.hooks), origin.correlation, move || {
        let sealed = exchange.answer(run);
        // The hub last: who waits for it to be free relies on nothing being held through it.
        drop(turn);
        drop(hub);
        sealed
    })
    .await
}
