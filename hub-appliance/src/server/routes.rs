//! The four routes, what is the same for all of them, and what stands behind them.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::task::JoinError;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::debug;

use super::body::BodyReader;
use super::gate::Gate;
use super::order::Order;
use super::places::Guest;
use super::rate::RateLimiter;
use super::reply::AnswerBudget;
use super::status::{Failure, json};
use super::unread;
use super::work::{FairLane, Lane};
use super::{Hooks, Limits, address, call, handshake};
use crate::ids::ClientId;
use crate::wire::message::Kind;

const HEARTBEAT: &str = "/rpc/heartbeat";
const HANDSHAKE: &str = "/rpc/handshake";
const COMMAND: &str = "/rpc/command";
const QUERY: &str = "/rpc/query";

/// The version of the wire contract.
const PROTOCOL: u32 = 1;

/// What the handlers share.
pub(super) struct Front {
    pub(super) gate: Arc<Gate>,
    pub(super) hooks: Arc<dyn Hooks>,
    pub(super) limits: Arc<Limits>,
    pub(super) bodies: BodyReader,
    pub(super) answers: AnswerBudget,
    pub(super) logins: FairLane,
    pub(super) store: Lane,
    pub(super) long_answers: Lane,
    pub(super) long_commands: Lane,
    pub(super) order: Order,
    /// A phone's long answers, one after the other.
    pub(super) fetching: Order,
    pub(super) new_devices: RateLimiter<IpAddr>,
    pub(super) known_devices: RateLimiter<(ClientId, IpAddr)>,
}

impl Front {
    pub(super) fn new(gate: Arc<Gate>, limits: Arc<Limits>, hooks: Arc<dyn Hooks>) -> Self {
        Self {
            gate,
            hooks,
            bodies: BodyReader::new(&limits),
            answers: AnswerBudget::new(&limits),
            logins: FairLane::new(&limits),
            store: Lane::new(limits.store_at_once, limits.connections, limits.queue_time),
            long_answers: Lane::new(limits.long_answers_at_once, limits.connections, limits.long_time),
            long_commands: Lane::new(1, limits.connections, limits.long_time),
            order: Order::default(),
            fetching: Order::default(),
            new_devices: RateLimiter::new(limits.new_device_handshakes_per_minute, limits.addresses),
            known_devices: RateLimiter::new(limits.known_device_handshakes_per_minute, limits.addresses),
            limits,
        }
    }
}

/// Where a request comes from, as the socket says, and the number that it has in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) address: IpAddr,
    pub(super) correlation: u64,
}

/// The routes, ready to answer.
pub(super) struct Site {
    router: Router,
    hooks: Arc<dyn Hooks>,
    correlation: AtomicU64,
}

impl Site {
    pub(super) fn new(front: Front) -> Self {
        let hooks = Arc::clone(&front.hooks);
        let router = Router::new()
            // axum answers HEAD wherever it answers GET, the contract doesn't.
            .route(
                HEARTBEAT,
                get(heartbeat).head(|| async { StatusCode::METHOD_NOT_ALLOWED }),
            )
            .route(HANDSHAKE, post(handshake::handshake))
            .route(
                COMMAND,
                post(|front, origin, guest, headers, body| {
                    call::call(Kind::Command, front, origin, guest, headers, body)
                }),
            )
            .route(
                QUERY,
                post(|front, origin, guest, headers, body| {
                    call::call(Kind::Query, front, origin, guest, headers, body)
                }),
            )
            .with_state(Arc::new(front));
        Self {
            router,
            hooks,
            correlation: AtomicU64::new(1),
        }
    }

    /// Answers one request from `address` that came by the connection of `guest`.
    pub(super) async fn answer(
        self: Arc<Self>,
        address: IpAddr,
        guest: Guest,
        mut request: Request<Body>,
    ) -> Result<Response, Infallible> {
        let started = Instant::now();
        let _at_work = guest.at_work();
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let route = route_name(request.uri().path());
        let response = if address::is_local(address) {
            request.extensions_mut().insert(Origin { address, correlation });
            request.extensions_mut().insert(guest);
            let (head, body) = request.into_parts();
            let (body, reading) = unread::watch(body);
            let mut response = self.router.clone().oneshot(Request::from_parts(head, body)).await?;
            reading.close_if_unread(&mut response);
            response
        } else {
            Failure::NotLocal.into_response()
        };
        debug!(
            correlation,
            route,
            status = response.status().as_u16(),
            took = bucket(started),
            "answered"
        );
        Ok(response)
    }

    /// Reports a connection that ended in a panic.
    pub(super) fn connection_ended(&self, ended: Result<(), JoinError>) {
        if ended.is_err_and(|error| error.is_panic()) {
            self.hooks.panicked(self.correlation.load(Ordering::Relaxed));
        }
    }
}

/// Answers in every state, from the moment the port is bound.
async fn heartbeat(State(front): State<Arc<Front>>) -> Response {
    let locked = !front.gate.is_open();
    json(format!(r#"{{"status":"ok","locked":{locked},"protocol":{PROTOCOL}}}"#).into_bytes())
}

/// Whether a body says that it is JSON. A page of another site can make a browser send any other type, or none, without
/// asking the hub first (Fetch standard, "CORS-safelisted request-header").
pub(super) fn must_be_json(headers: &HeaderMap) -> Result<(), Failure> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let essence = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default();
        text.split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case("application/json")
    };
    match (types.next(), types.next()) {
        (Some(only), None) if essence(only) => Ok(()),
        _ => Err(Failure::Malformed),
    }
}

/// A route's name for the log: a path is the sender's choice and may say anything.
fn route_name(path: &str) -> &'static str {
    match path {
        HEARTBEAT => "heartbeat",
        HANDSHAKE => "handshake",
        COMMAND => "command",
        QUERY => "query",
        _ => "none",
    }
}

/// How long an answer took, to an order of magnitude: enough to find what is slow, too little to guess what was read.
fn bucket(started: Instant) -> &'static str {
    match started.elapsed().as_millis() {
        0..10 => "<10ms",
        10..100 => "<100ms",
        100..1_000 => "<1s",
        1_000..10_000 => "<10s",
        _ => ">=10s",
    }
}
