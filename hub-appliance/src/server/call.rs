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
use super::places::Guest;
use super::reply::{AnswerBudget, SealedReply};
use super::routes::{Front, Origin, must_be_json};
use super::service::{DeviceRegister, Job, Run};
use super::status::Failure;
use super::work::{blocking, inline, wait_open};
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
        let client = client_in(head).ok_or(Failure::Malformed)?;
        device_of(&*front.gate.enter()?.devices, client).map(drop)
    };
    let body = front
        .bodies
        .read(body, front.limits.request_bytes, &guest, knows)
        .await?;
    let hub = front.gate.enter()?;
    let devices = Arc::clone(&hub.devices);
    let client = client_in(&body.bytes[..body.bytes.len().min(front.limits.stranger_bytes)]);
    let answered = answer(&front, origin, &guest, kind, hub, body).await;
    if let Err(failure) = &answered
        && let Some(refusal) = failure.refusal()
    {
        devices.refused(refusal, client, origin.address);
    }
    answered
}

async fn answer(
    front: &Front,
    origin: Origin,
    guest: &Guest,
    kind: Kind,
    hub: Lease,
    body: Received,
) -> Result<Response, Failure> {
    let (job, exchange) = open(front, origin, kind, &hub, body).await?;
    let client = exchange.caller.client;
    guest.prove(client);
    match job.weight {
        Weight::Light => {
            let sealed = inline(&*front.hooks, origin.correlation, || {
                exchange.answer(&job.run, usize::MAX)
            })?;
            Ok(SealedReply::new(sealed).into_response())
        }
        Weight::Login => {
            let turn = front.logins.turn(client, &hub).await?;
            let sessions = Arc::clone(&hub.sessions);
            let run: Run = Arc::new(move |caller, answer| {
                (job.run)(caller, answer)?;
                sessions.logged_in(caller.client, caller.message);
                Ok(())
            });
            let sealed = work(front, origin, hub, turn, Arc::new(exchange), (run, usize::MAX)).await?;
            Ok(SealedReply::new(sealed).into_response())
        }
        Weight::Store if kind == Kind::Command => {
            let limits = &front.limits;
            let place = front.order.after_earlier(client, &hub, limits.queue_time).await?;
            let long = if exchange.length > limits.long_command {
                Some(front.long_commands.turn(&hub).await?)
            } else {
                None
            };
            let share = wait_open(&hub, limits.queue_time, front.answers.room(0)).await??;
            let turn = front.store.turn(&hub).await?;
            let (holds, run) = ((turn, place, long), (job.run, usize::MAX));
            let sealed = work(front, origin, hub, holds, Arc::new(exchange), run).await?;
            Ok(SealedReply::charged(sealed, &front.answers, guest, share, ()).into_response())
        }
        Weight::Store => read(front, origin, guest, hub, job, exchange).await,
    }
}

/// Answers a query from the store, when there is room for its answer.
async fn read(
    front: &Front,
    origin: Origin,
    guest: &Guest,
    hub: Lease,
    mut job: Job,
    exchange: Exchange,
) -> Result<Response, Failure> {
    let limits = &front.limits;
    let expected = match job.expected.take() {
        Some(expected) => {
            let turn = front.store.turn(&hub).await?;
            let caller = exchange.caller;
            blocking(Arc::clone(&front.hooks), origin.correlation, move || {
                let expected = expected(&caller);
                drop(turn);
                Ok(expected?)
            })
            .await?
        }
        None => 0,
    };
    let client = exchange.caller.client;
    let exchange = Arc::new(exchange);
    let (mut room, mut place) = (front.answers.first(expected), None);
    loop {
        let (mut share, turn) = if AnswerBudget::is_long(room) {
            if place.is_none() {
                place = Some(front.fetching.after_earlier(client, &hub, limits.long_time).await?);
            }
            let share = wait_open(&hub, limits.long_time, front.answers.room(room)).await??;
            (share, front.long_answers.turn(&hub).await?)
        } else {
            let share = wait_open(&hub, limits.queue_time, front.answers.room(room)).await??;
            (share, front.store.turn(&hub).await?)
        };
        let (again, run) = (Arc::clone(&exchange), Arc::clone(&job.run));
        match work(front, origin, hub.clone(), turn, again, (run, room)).await {
            Err(Failure::AnswerTooLong) => room = front.answers.next(room).ok_or(Failure::AnswerTooLong)?,
            sealed => {
                let sealed = sealed?;
                front.answers.settle(&mut share, sealed.as_bytes().len());
                return Ok(SealedReply::charged(sealed, &front.answers, guest, share, place).into_response());
            }
        }
    }
}

/// An opened request on its way to its answer.
struct Exchange {
    caller: Caller,
    replier: Replier,
    /// Bytes of its body.
    length: usize,
    /// The request's share of the memory for bodies, until it is answered.
    _share: Option<Share>,
}

impl Exchange {
    fn answer(&self, run: &Run, at_most: usize) -> Result<Sealed, Failure> {
        let mut answer = Outgoing::within(at_most);
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
    let length = body.bytes.len();
    let envelope = EnvelopeRequest::parse(body.bytes)?;
    let client = envelope.client_id;
    let device = device_of(&*hub.devices, client)?;
    let (plaintext, replier) = hub
        .sessions
        .open(client, origin.address, kind.direction(), envelope.payload, now)?
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
        length,
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

/// Runs and seals on a blocking thread, an answer of at most so many bytes.
async fn work(
    front: &Front,
    origin: Origin,
    hub: Lease,
    turn: impl Send + 'static,
    exchange: Arc<Exchange>,
    (run, at_most): (Run, usize),
) -> Result<Sealed, Failure> {
    blocking(Arc::clone(&front.hooks), origin.correlation, move || {
        let sealed = exchange.answer(&run, at_most);
        drop(exchange);
        // The hub last: who waits for it to be free relies on nothing being held through it.
        drop(turn);
        drop(hub);
        sealed
    })
    .await
}
