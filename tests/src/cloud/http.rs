//! The cloud's port.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::postgres::PostgresError;
use super::push::Outcome;
use super::{Call, Fault, Generation, Said, Shared, answer, iso, lock, push};

/// The header that tells which push an answer is to, for the tests' link alone.
pub(super) const PUSH: &str = "stand-in-push";

/// Why a connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("cut")]
struct Cut;

/// Serves until the process ends; gives the URL.
pub(super) async fn serve(shared: Arc<Shared>, address: &str) -> Result<String, PostgresError> {
    let listener = TcpListener::bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let shared = Arc::clone(&shared);
                    async move { handle(&shared, request).await }
                });
                // A connection that was cut is what the test wanted.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    Ok(url)
}

type Answer = Response<http_body_util::Either<Full<Bytes>, Broken>>;

async fn handle(shared: &Shared, request: Request<Incoming>) -> Result<Answer, Cut> {
    let path = request.uri().path().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let bearer = request
        .headers()
        .get("authorization")
        .and_then(|value| value.to_str().ok());
    let knows_key = bearer.and_then(|bearer| bearer.strip_prefix("Bearer ")) == Some(lock(&shared.key).as_str());
    let method = request.method().clone();
    let body = request.into_body().collect().await.map_err(|_| Cut)?.to_bytes();
    shared.count(|counts| counts.bytes_in += body.len() as u64);
    let call = match path.as_str() {
        "/api/hub/verify-key" => Call::Verify,
        _ if body.is_empty() => Call::Pull,
        _ => Call::Push,
    };
    if let Some(Fault::Says(_, said)) = shared.fault(|fault| matches!(fault, Fault::Says(of, _) if *of == call)) {
        return Ok(say(said));
    }
    match (method, path.as_str()) {
        (Method::POST, "/api/hub/verify-key") => {
            shared.count(|counts| counts.verify += 1);
            Ok(verify(shared, &body))
        }
        (_, "/api/v2/sync") => {
            if let Some(seconds) = too_many(shared) {
                let mut answer = plain(429, json!({"error": "Too many requests"}).to_string());
                answer.headers_mut().insert("retry-after", seconds.into());
                return Ok(answer);
            }
            if !knows_key {
                return Ok(plain(401, json!({"error": "Unauthorized"}).to_string()));
            }
            if shared.fault(|fault| *fault == Fault::Unavailable).is_some() {
                return Ok(plain(500, "upstream"));
            }
            if body.is_empty() {
                pull(shared, &query).await
            } else {
                take(shared, &body).await
            }
        }
        _ => Ok(plain(404, String::new())),
    }
}

fn verify(shared: &Shared, body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match body["api_key"].as_str() {
        None => plain(400, json!({"error": "api_key is required"}).to_string()),
        Some(key) if key != lock(&shared.key).as_str() => plain(401, json!({"error": "Invalid API key"}).to_string()),
        Some(_) => {
            let now = iso(shared.now());
            let device = json!({
                "id": "0195c0de-0000-7000-8000-000000000001", "name": "Clinic hub", "device_type": "sync_hub",
                "status": shared.switches().status, "clinic_ids": *lock(&shared.clinics),
                "max_pin_attempts": 5, "metadata": {}, "created_at": now, "updated_at": now,
            });
            plain(200, device.to_string())
        }
    }
}

/// One bucket for everybody: how long to stay away, in seconds.
fn too_many(shared: &Shared) -> Option<u64> {
    const MINUTE: Duration = Duration::from_secs(60);
    let rate = shared.switches().rate?;
    let mut requests = lock(&shared.requests);
    let now = Instant::now();
    requests.retain(|at| now.duration_since(*at) < MINUTE);
    if requests.len() < rate as usize {
        requests.push(now);
        return None;
    }
    let first = requests.first().copied()?;
    Some((MINUTE - now.duration_since(first)).as_secs() + 1)
}

async fn pull(shared: &Shared, query: &str) -> Result<Answer, Cut> {
    let since = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("last_pulled_at=")?.parse().ok())
        .unwrap_or(0);
    let (answer, rows) = answer::pull(shared, since).await.map_err(|_| Cut)?;
    shared.count(|counts| {
        counts.pulls += 1;
        counts.rows_pulled += rows;
        counts.bytes_out += answer.len() as u64;
    });
    if let Some(Fault::DropPullAfter(bytes)) = shared.fault(|fault| matches!(fault, Fault::DropPullAfter(_))) {
        let part = Bytes::from(answer);
        let part = part.slice(..bytes.min(part.len()));
        return Ok(Response::new(http_body_util::Either::Right(Broken(Some(part)))));
    }
    Ok(plain(200, answer))
}

async fn take(shared: &Shared, body: &[u8]) -> Result<Answer, Cut> {
    shared.count(|counts| counts.pushes += 1);
    let number = shared.pushes.fetch_add(1, Ordering::Relaxed);
    if shared.fault(|fault| *fault == Fault::CutBeforePush).is_some() {
        return Err(Cut);
    }
    let switches = shared.switches();
    let is_c2 = switches.generation == Generation::C2;
    let failed = || match (is_c2, switches.object_object) {
        (true, _) => plain(500, json!({"error": "Internal error"}).to_string()),
        (false, true) => plain(200, "[object Object]"),
        (false, false) => plain(
            500,
            json!({"status": 500, "unhandled": true, "message": "HTTPError"}).to_string(),
        ),
    };
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Ok(if is_c2 {
            plain(400, json!({"error": "Bad JSON"}).to_string())
        } else {
            failed()
        });
    };
    let most = shared.fault(|fault| matches!(fault, Fault::CutInPush(_)));
    let most = most.map_or(usize::MAX, |fault| match fault {
        Fault::CutInPush(rows) => rows,
        _ => usize::MAX,
    });
    let outcome = push::push(shared, number, &body, most).await;
    if matches!(outcome, Ok(Outcome::Cut)) {
        return Err(Cut);
    }
    if shared.fault(|fault| *fault == Fault::CutBeforeAnswer).is_some() {
        return Err(Cut);
    }
    Ok(match outcome {
        Ok(Outcome::Success) => {
            let mut answer = plain(200, json!({"success": true}).to_string());
            answer.headers_mut().insert(PUSH, number.into());
            answer
        }
        Ok(Outcome::Failed | Outcome::Cut) | Err(_) => failed(),
    })
}

fn say(said: Said) -> Answer {
    let mut answer = plain(said.status, said.body);
    if let Some((name, value)) = said.header
        && let Ok(value) = value.parse()
    {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn plain(status: u16, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(http_body_util::Either::Left(Full::new(body.into())));
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    answer
}

/// A body that ends with its connection.
struct Broken(Option<Bytes>);

impl hyper::body::Body for Broken {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Infallible>>> {
        let _ = context;
        std::task::Poll::Ready(self.0.take().map(|part| Ok(hyper::body::Frame::data(part))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        // More than will come: so hyper has nothing left but to cut the connection.
        hyper::body::SizeHint::with_exact(1 << 40)
    }
}
