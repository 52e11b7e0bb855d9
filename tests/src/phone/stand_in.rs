//! A stand-in for a hub in this crate's own tests: real sockets and envelopes, answers from a list.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::wire::{Message, Session, session_key};

/// What the stand-in does with the next sealed request.
pub(super) enum Answer {
    /// Seals this result.
    Result(Value),
    /// Refuses with this status.
    Status(u16),
    /// Answers 200 with this body.
    Body(String),
    /// Closes the connection after this result.
    ResultAndClose(Value),
}

/// A hub that takes one connection at a time.
pub(super) struct StandIn {
    pub(super) url: String,
    /// Opened plaintexts of the sealed requests so far.
    pub(super) seen: Arc<Mutex<Vec<Value>>>,
}

const HUB_PRIVATE: [u8; 32] = [7; 32];

/// The stand-in's X25519 key, base64url.
pub(super) fn public_key() -> String {
    let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(HUB_PRIVATE));
    URL_SAFE_NO_PAD.encode(public.as_bytes())
}

impl StandIn {
    pub(super) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            let mut answers = answers.into_iter();
            let mut session = None;
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                while let Some((path, body)) = read_request(&mut stream).await {
                    let (response, close) = match path.as_str() {
                        "/rpc/heartbeat" => (ok(&json!({"status": "ok", "locked": false, "protocol": 1})), false),
                        "/rpc/handshake" => (shake_hands(&body, &mut session), false),
                        path => answer(path, &body, session.as_ref().unwrap(), answers.next().unwrap(), &noted),
                    };
                    stream.write_all(response.as_bytes()).await.unwrap();
                    if close {
                        break;
                    }
                }
            }
        });
        Self { url, seen }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    Some((path, serde_json::from_slice(&bytes[end..]).unwrap_or_default()))
}

fn response(status: u16, body: &str) -> String {
    let retry = if status == 429 { "retry-after: 30\r\n" } else { "" };
    format!(
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{retry}\r\n{body}",
        body.len()
    )
}

fn ok(body: &Value) -> String {
    response(200, &body.to_string())
}

fn shake_hands(request: &Value, session: &mut Option<Session>) -> String {
    let client = URL_SAFE_NO_PAD
        .decode(request["client_public_key"].as_str().unwrap())
        .unwrap();
    let client: [u8; 32] = client.try_into().unwrap();
    let secret = x25519_dalek::StaticSecret::from(HUB_PRIVATE);
    let hub = x25519_dalek::PublicKey::from(&secret);
    let shared = secret.diffie_hellman(&client.into());
    *session = Some(Session::from_key(&session_key(
        shared.as_bytes(),
        &[hub.as_bytes(), &client],
    )));
    ok(&json!({"hub_public_key": public_key(), "hub_id": "hub-1", "hub_name": "Stand-in", "success": true}))
}

fn answer(path: &str, request: &Value, session: &Session, answer: Answer, seen: &Mutex<Vec<Value>>) -> (String, bool) {
    let (asked, answered) = match path {
        "/rpc/command" => (Message::Command, Message::CommandResponse),
        _ => (Message::Query, Message::QueryResponse),
    };
    let plaintext = session.open(asked, request["payload"].as_str().unwrap()).unwrap();
    seen.lock().unwrap().push(serde_json::from_slice(&plaintext).unwrap());
    let sealed = |result: &Value| {
        let payload = session.seal(answered, result.to_string().as_bytes()).unwrap();
        ok(&json!({"payload": payload, "success": true}))
    };
    match answer {
        Answer::Result(result) => (sealed(&result), false),
        Answer::ResultAndClose(result) => (sealed(&result), true),
        Answer::Body(body) => (response(200, &body), false),
        Answer::Status(status) => {
            let body = json!({"payload": "", "success": false, "error": "refused"});
            (response(status, &body.to_string()), false)
        }
    }
}
