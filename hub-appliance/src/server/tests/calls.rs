//! Commands and queries: the status table of the wire contract, line by line, and envelopes of every size.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::phone::Phone;
use super::{Hub, Limits, paired};
use crate::store::Refusal;
use crate::store::devices::{DeviceNumber, Standing};

#[tokio::test]
async fn an_answer_comes_back_sealed_for_its_direction() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    for kind in ["command", "query"] {
        for name in ["ping", "anything"] {
            let response = phone.ask(kind, &json!({kind: name})).await;
            assert_eq!(phone.open(kind, &response), br#"{"pong":true}"#);
        }
    }
    let callers = hub.behind.callers.lock().unwrap();
    assert_eq!(callers.len(), 4);
    for caller in callers.iter() {
        assert_eq!((caller.client, caller.device), (phone.client_id(), DeviceNumber(1)));
        assert_eq!(caller.address, IpAddr::from(Ipv4Addr::LOCALHOST));
    }
    assert_eq!(*hub.behind.seen.lock().unwrap(), [DeviceNumber(1); 4]);
}

#[tokio::test]
async fn each_failure_of_a_procedure_has_its_status() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    let table = [
        ("no such thing", 400, "unknown procedure"),
        ("parameters", 400, "parameters do not fit the procedure"),
        ("login", 401, "login refused"),
        ("token", 401, "token refused"),
        ("permission", 403, "not permitted"),
        ("missing", 404, "not found"),
        ("conflict", 409, "conflict"),
        ("half", 409, "conflict"),
        ("back-off", 429, "too many requests"),
        ("unavailable", 503, "temporarily unavailable"),
    ];
    for (name, status, text) in table {
        let response = phone.query(name).await;
        response.assert_failure(status, text);
        if status == 429 {
            assert_eq!(response.headers["retry-after"], "31");
        }
    }
    phone
        .ask("query", &json!("not a call"))
        .await
        .assert_failure(400, "malformed request");
}

#[tokio::test]
async fn a_body_that_is_no_envelope_is_malformed() {
    let hub = Hub::open(Limits::default()).await;
    let phone = paired(&hub).await;
    let mut client = hub.connect().await;
    let id = phone.id.to_string();
    let bodies = [
        String::new(),
        "{}".into(),
        "null".into(),
        json!({"client_id": id}).to_string(),
        json!({"client_id": id, "payload": null}).to_string(),
        json!({"client_id": id, "payload": "+/+/"}).to_string(),
        json!({"client_id": id, "payload": "AAAA="}).to_string(),
        json!({"client_id": "somebody", "payload": "AAAA"}).to_string(),
    ];
    for path in ["/rpc/command", "/rpc/query"] {
        for body in &bodies {
            client
                .post(path, body.as_bytes())
                .await
                .assert_failure(400, "malformed request");
        }
    }
}

#[tokio::test]
async fn what_no_session_opens_asks_for_a_handshake() {
    let hub = Hub::open(Limits::default()).await;
    Phone::new(hub.connect().await)
        .query("ping")
        .await
        .assert_failure(428, "no session");

    let mut phone = paired(&hub).await;
    let mut impostor = Phone::new(hub.connect().await);
    impostor.id = phone.id;
    impostor.query("ping").await.assert_failure(428, "no session");

    let body = phone.envelope("query", br#"{"query":"ping"}"#);
    let other_direction = phone.client.post("/rpc/command", &body).await;
    other_direction.assert_failure(428, "no session");
    assert_eq!(phone.client.post("/rpc/query", &body).await.status, 200);
    let replayed = phone.client.post("/rpc/query", &body).await;
    replayed.assert_failure(428, "no session");
    assert_eq!(
        *hub.behind.refused.lock().unwrap(),
        [(Refusal::Replay, Some(phone.client_id()))]
    );
}

#[tokio::test]
async fn a_device_revoked_since_its_handshake_is_refused() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    hub.behind
        .devices
        .lock()
        .unwrap()
        .insert(phone.client_id(), Standing::Revoked);
    phone.query("ping").await.assert_failure(403, "device revoked");
    hub.behind.devices.lock().unwrap().remove(&phone.client_id());
    phone.query("ping").await.assert_failure(428, "no session");
}

#[tokio::test]
async fn answers_of_every_length_arrive_whole() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    // Around the piece in which an answer is encoded (48 KiB), less nonce, tag and quotes.
    let piece = 48 * 1024 - 30;
    for size in [0, 1, 2, piece - 1, piece, piece + 1, 2 * piece + 30, 3_000_000] {
        let response = phone.ask("query", &json!({"query": "big", "size": size})).await;
        let plaintext = phone.open("query", &response);
        assert_eq!(plaintext.len(), size + 2);
        assert!(plaintext[1..=size].iter().all(|byte| *byte == b'x'));
    }
}

#[tokio::test]
async fn a_large_request_is_opened_too() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    let large = json!({"command": "anything", "data": "x".repeat(5_000_000)});
    let response = phone.ask("command", &large).await;
    assert_eq!(phone.open("command", &response), br#"{"pong":true}"#);
    let rubbish = json!({"no": "x".repeat(200_000)});
    phone
        .ask("command", &rubbish)
        .await
        .assert_failure(400, "malformed request");
}

#[tokio::test]
async fn more_answers_than_fit_in_memory_are_still_all_given() {
    let limits = Limits {
        answers_in_memory: 100 * 1024,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    let mut phone = paired(&hub).await;
    for _ in 0..4 {
        let response = phone.ask("query", &json!({"query": "big", "size": 300_000})).await;
        assert_eq!(phone.open("query", &response).len(), 300_002);
    }
}

/// What the log of this thread says.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_says_what_happened_and_to_nobody() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let subscriber = tracing::Dispatch::new(subscriber);
    // With one dispatcher only, `tracing` lets whichever thread comes first decide whether a callsite is of interest,
    // and the other tests' threads have none.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::dispatcher::set_default(&subscriber);

    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    phone.query("ping").await;
    phone.query("missing").await;
    phone.client.request("GET", "/patients/Amina?token=secret").await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in [
        "route=\"handshake\" status=200",
        "route=\"query\" status=404",
        "route=\"none\" status=404",
    ] {
        assert!(log.contains(said), "{said} is not in:\n{log}");
    }
    for unsaid in [
        &phone.id.to_string(),
        "Phone",
        "Amina",
        "secret",
        "missing",
        "pong",
        "127.0.0.1",
    ] {
        assert!(!log.contains(unsaid), "{unsaid} is in:\n{log}");
    }
}
