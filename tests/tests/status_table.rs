//! The status table of the wire contract, line by line, against the real hub; after each line nothing has changed.
//!
//! 404 and 409 of records belong to procedures of a later stage.

use bytes::Bytes;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Hub, Log, PIN, TestHub};
use hub_tests::phone::http::{HttpClient, Reply};
use hub_tests::phone::wire::{Curve, KeyPair, Message, Session};
use hub_tests::phone::{ClientError, HubClient, Phone};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROUTES: [&str; 4] = ["/rpc/heartbeat", "/rpc/handshake", "/rpc/command", "/rpc/query"];

/// A hub with two phones of its administrator: one that misbehaves, one that looks whether anything changed.
struct Scene {
    hub: TestHub,
    phone: Phone,
    witness: Phone,
    before: Vec<u8>,
}

impl Scene {
    async fn new(clinic: &Clinic) -> Self {
        let hub = TestHub::with_clinic(clinic, Log::Everything).await.unwrap();
        let admin = clinic.user("admin@clinic.example").unwrap();
        let mut phone = hub.phone(admin).await.unwrap();
        phone.sync().await.unwrap();
        let mut witness = hub.phone(admin).await.unwrap();
        let before = everything(&mut witness).await;
        Self {
            hub,
            phone,
            witness,
            before,
        }
    }

    async fn nothing_changed(&mut self, after: &str) {
        assert!(
            everything(&mut self.witness).await == self.before,
            "rows changed after: {after}"
        );
    }
}

/// The whole database as the hub answers a first pull: the same bytes as long as no row changes.
async fn everything(phone: &mut Phone) -> Vec<u8> {
    phone.client.handshake().await.unwrap();
    phone
        .client
        .query_bytes("sync_pull", json!({"lastPulledAt": 0}))
        .await
        .unwrap()
}

fn clinic() -> Clinic {
    let size = ClinicSize {
        patients: 8,
        visits: 16,
        events: 32,
    };
    Clinic::generate(14, size)
}

/// A failure as the contract has it: this status, and a body with a text that is not empty.
fn failed(reply: &Reply, status: u16, what: &str) {
    let text = String::from_utf8_lossy(&reply.body);
    assert_eq!(reply.status, status, "{what}: {text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&body["payload"], &body["success"]),
        (&json!(""), &json!(false)),
        "{what}"
    );
    assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{what}");
}

fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>, status: u16, what: &str) {
    assert_eq!(result.unwrap_err().status(), Some(status), "{what}");
}

#[tokio::test]
async fn not_set_up_and_locked() {
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let hub = Hub::start(&data, &socket, "127.0.0.1:0", Log::Everything)
        .await
        .unwrap();
    let mut client = HubClient::new(hub.url(), "074d3e90-0123-42a6-8b91-4226c805a24a").unwrap();
    let handshake = handshake_body(
        client.client_id(),
        &KeyPair::generate(Curve::X25519).unwrap().public_key(),
    );
    let bodies = [handshake.as_str(), "", "{}", "not json"];

    for (path, body) in all(&ROUTES[1..], &bodies) {
        failed(
            &client.http().post(path, body.to_owned()).await.unwrap(),
            503,
            "not set up",
        );
    }
    let heartbeat = client.heartbeat().await.unwrap();
    assert_eq!(
        (heartbeat.status.as_str(), heartbeat.locked, heartbeat.protocol),
        ("ok", true, 1)
    );

    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    assert!(!client.heartbeat().await.unwrap().locked);
    refused(client.handshake().await, 403, "nobody opened pairing");

    panel.lock().await.unwrap();
    for (path, body) in all(&ROUTES[1..], &bodies) {
        failed(&client.http().post(path, body.to_owned()).await.unwrap(), 423, "locked");
    }
    let heartbeat = client.heartbeat().await.unwrap();
    assert_eq!(
        (heartbeat.status.as_str(), heartbeat.locked, heartbeat.protocol),
        ("ok", true, 1)
    );
}

fn all<'a>(paths: &'a [&'a str], bodies: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    paths
        .iter()
        .flat_map(move |path| bodies.iter().map(move |body| (*path, *body)))
}

fn handshake_body(client_id: &str, key: &str) -> String {
    json!({"client_id": client_id, "client_public_key": key}).to_string()
}

#[tokio::test]
async fn what_the_open_hub_refuses() {
    let mut scene = Scene::new(&clinic()).await;
    routes_and_methods(&mut scene).await;
    scene.nothing_changed("wrong routes and methods").await;
    malformed_bodies(&mut scene).await;
    scene.nothing_changed("malformed bodies").await;
    malformed_keys(&mut scene).await;
    scene.nothing_changed("malformed keys").await;
    malformed_plaintexts(&mut scene).await;
    scene.nothing_changed("malformed plaintexts").await;
    sealed_wrongly(&mut scene).await;
    scene.nothing_changed("envelopes that do not open").await;
    too_large(&scene).await;
    scene.nothing_changed("bodies over the limit").await;
    devices_that_are_not_paired(&mut scene).await;
    scene.nothing_changed("unknown devices").await;
    replayed(&mut scene).await;
}

async fn routes_and_methods(scene: &mut Scene) {
    let http = scene.phone.client.http();
    for path in [
        "/",
        "/rpc",
        "/rpc/",
        "/rpc/handshake/",
        "/rpc/commands",
        "//rpc/query",
        "/RPC/QUERY",
        "/rpc/ping",
        "/rpc/../rpc/query",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let reply = http.send(method, path, Bytes::from_static(b"{}")).await.unwrap();
            assert_eq!((reply.status, &reply.body[..]), (404, &b""[..]), "{path}");
        }
    }
    for path in ROUTES {
        for method in [
            Method::GET,
            Method::POST,
            Method::HEAD,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let right = if path == ROUTES[0] { Method::GET } else { Method::POST };
            if method != right {
                let reply = http.send(method.clone(), path, Bytes::new()).await.unwrap();
                assert_eq!((reply.status, &reply.body[..]), (405, &b""[..]), "{method} {path}");
            }
        }
    }
    assert_eq!(http.get(ROUTES[0]).await.unwrap().status, 200);
}

async fn malformed_bodies(scene: &mut Scene) {
    let client_id = scene.phone.client.client_id().to_owned();
    let sealed = scene
        .phone
        .client
        .session()
        .unwrap()
        .seal(Message::Command, b"{}")
        .unwrap();
    let padded = format!("{sealed}==");
    let envelope = |id: Value, payload: Value| json!({"client_id": id, "payload": payload}).to_string();
    let envelopes = [
        envelope(json!(client_id), json!(padded)),
        envelope(json!(client_id), json!("ab+/")),
        envelope(json!(client_id), json!(" YWJj")),
        envelope(json!(client_id), json!("YWJ\n")),
        envelope(json!(client_id), json!("A")),
        envelope(json!(client_id), json!(null)),
        envelope(json!(client_id), json!(7)),
        envelope(json!(client_id), json!([sealed])),
        envelope(json!("not-a-uuid"), json!(sealed)),
        envelope(json!(""), json!(sealed)),
        envelope(json!(null), json!(sealed)),
        json!({"payload": sealed}).to_string(),
        json!({"client_id": client_id}).to_string(),
        format!(r#"{{"client_id":"{client_id}","client_id":"{client_id}","payload":"{sealed}"}}"#),
    ];
    let neither = [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"text\"",
        "[]",
        "{}",
        "{",
        "{\"client_id\"",
        "nonsense",
        "{}{}",
    ]
    .map(str::to_owned);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let http = scene.phone.client.http();
    for path in &ROUTES[1..] {
        for body in neither
            .iter()
            .chain([&deep])
            .filter(|body| *path != ROUTES[1] || body.len() < 4096)
        {
            failed(&http.post(path, body.clone()).await.unwrap(), 400, path);
        }
        failed(
            &http.post(path, &b"{\"client_id\":\"\xff\"}"[..]).await.unwrap(),
            400,
            "no UTF-8",
        );
    }
    for path in &ROUTES[2..] {
        for body in &envelopes {
            failed(&http.post(path, body.clone()).await.unwrap(), 400, body);
        }
    }
}

async fn malformed_keys(scene: &mut Scene) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/vectors.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let rejects = vectors["rejects"]["client_public_key"].as_object().unwrap();
    let client_id = scene.phone.client.client_id().to_owned();
    let good = KeyPair::generate(Curve::X25519).unwrap().public_key();
    let mut bodies: Vec<String> = rejects
        .values()
        .map(|key| handshake_body(&client_id, key.as_str().unwrap()))
        .collect();
    bodies.push(handshake_body("not-a-uuid", &good));
    bodies.push(json!({"client_id": client_id}).to_string());
    bodies.push(json!({"client_public_key": good}).to_string());
    bodies.push(json!({"client_id": client_id, "client_public_key": null}).to_string());
    bodies.push(json!({"client_id": client_id, "client_public_key": good, "device_name": 7}).to_string());
    for body in bodies {
        let reply = scene.phone.client.http().post(ROUTES[1], body.clone()).await.unwrap();
        failed(&reply, 400, &body);
    }
    // None of it has cost the phone its session.
    scene.phone.client.ping().await.unwrap();
}

async fn malformed_plaintexts(scene: &mut Scene) {
    let client = &mut scene.phone.client;
    let token = client.token().unwrap().to_owned();
    let plaintexts = [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "text".to_owned(),
        json!({"command": 7, "data": {}}).to_string(),
        json!({"command": "ping", "data": []}).to_string(),
        json!({"command": "ping", "data": "x"}).to_string(),
        json!({"command": "ping", "data": {}, "token": 7}).to_string(),
        json!({"query": "ping", "params": {}}).to_string(),
        json!({"command": "no_such_procedure", "data": {}, "token": token}).to_string(),
        json!({"command": "sync_pull", "data": {}, "token": token}).to_string(),
        json!({"command": "", "data": {}}).to_string(),
        json!({"command": "login", "data": {}}).to_string(),
        json!({"command": "login", "data": {"email": "a@b.example"}}).to_string(),
        json!({"command": "login", "data": {"email": 7, "password": "x"}}).to_string(),
        json!({"command": "login", "data": {"email": "a@b.example", "password": null}}).to_string(),
        json!({"command": "sync_push", "data": {}, "token": token}).to_string(),
        json!({"command": "sync_push", "data": {"changes": null}, "token": token}).to_string(),
        json!({"command": "sync_push", "data": {"changes": []}, "token": token}).to_string(),
        json!({"command": "sync_push", "data": {"changes": {"patients": []}}, "token": token}).to_string(),
        json!({"command": "sync_push", "data": {"changes": {"patients": {"created": {}}}}, "token": token}).to_string(),
        json!({"command": "sync_push", "data": {"changes": {"patients": {"deleted": "x"}}}, "token": token})
            .to_string(),
    ];
    for plaintext in &plaintexts {
        let answer = client.exchange(
            ROUTES[2],
            Message::Command,
            Message::CommandResponse,
            plaintext.as_bytes(),
        );
        refused(answer.await, 400, plaintext);
    }
    for name in ["no_such_procedure", "login", "sync_push", ""] {
        refused(client.query_bytes(name, json!({})).await, 400, name);
    }
    client.set_token(None);
    for name in ["logout", "sync_push"] {
        refused(client.command_bytes(name, json!({"changes": {}})).await, 401, name);
    }
    refused(client.query_bytes("sync_pull", json!({})).await, 401, "no token");
    client.set_token(Some(token));
}

async fn sealed_wrongly(scene: &mut Scene) {
    let client = &mut scene.phone.client;
    let ping = br#"{"command":"ping","data":{}}"#;
    let session = client.session().unwrap().clone();
    let other = Session::from_key(&[7; 32]);
    let mut payloads = vec![
        other.seal(Message::Command, ping).unwrap(),
        session.seal(Message::Query, ping).unwrap(),
        session.seal(Message::CommandResponse, ping).unwrap(),
        session.seal(Message::QueryResponse, ping).unwrap(),
        String::new(),
        "AAAA".to_owned(),
    ];
    let good = session.seal(Message::Command, ping).unwrap();
    // A changed letter in nonce, ciphertext and tag; a tag cut short; something behind it.
    for place in [0, 8, 20, 30, good.len() - 8] {
        let other = if good.as_bytes()[place] == b'A' { "B" } else { "A" };
        let mut tampered = good.clone();
        tampered.replace_range(place..=place, other);
        payloads.push(tampered);
    }
    payloads.push(good[..good.len() / 4 * 4 - 8].to_owned());
    payloads.push(format!("{good}AAAA"));
    for payload in &payloads {
        refused(
            client
                .exchange_sealed(ROUTES[2], Message::CommandResponse, payload)
                .await,
            428,
            payload,
        );
    }
    // What was only tampered with has not used the message up.
    client
        .exchange_sealed(ROUTES[2], Message::CommandResponse, &good)
        .await
        .unwrap();
}

/// Announced, and coming without being announced.
async fn too_large(scene: &Scene) {
    const LIMIT: usize = 64 * 1024 * 1024;
    let address = scene.hub.hub.url().trim_start_matches("http://").to_owned();
    for (path, announced) in [
        (ROUTES[2], Some(LIMIT + 1)),
        (ROUTES[3], Some(LIMIT * LIMIT)),
        (ROUTES[2], None),
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let length = announced.map_or("Transfer-Encoding: chunked".to_owned(), |length| {
            format!("Content-Length: {length}")
        });
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        if announced.is_none() {
            let chunk = [b"100000\r\n".to_vec(), vec![b' '; 0x10_0000], b"\r\n".to_vec()].concat();
            for _ in 0..=LIMIT / 0x10_0000 {
                // The hub may answer and close before all has come.
                if stream.write_all(&chunk).await.is_err() {
                    break;
                }
            }
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413", "{path} {announced:?}");
    }
}

async fn devices_that_are_not_paired(scene: &mut Scene) {
    let unknown = Phone::new(scene.hub.hub.url()).unwrap().client.client_id().to_owned();
    let mut client = HubClient::new(scene.hub.hub.url(), &unknown).unwrap();
    refused(client.handshake().await, 403, "pairing is not open");
    client.set_session(scene.phone.client.session().cloned());
    refused(client.ping().await, 428, "a session belongs to one client");

    // A phone that a person sends away at once.
    let mut panel = scene.hub.hub.panel().await.unwrap();
    panel.open_pairing().await.unwrap();
    client.handshake().await.unwrap();
    client.ping().await.unwrap();
    panel.undo().await.unwrap();
    refused(client.ping().await, 428, "sent away");
    refused(client.handshake().await, 403, "sent away, and pairing has closed");
}

async fn replayed(scene: &mut Scene) {
    let patient = {
        let mut patients = scene.phone.database.rows("patients").unwrap();
        patients.next().unwrap().0.to_owned()
    };
    let client = &mut scene.phone.client;
    let row = json!({"id": patient, "camp": "Once", "updated_at": 1, "_changed": "camp"});
    let data = json!({"changes": {"patients": {"updated": [row]}}, "lastPulledAt": scene.phone.database.cursor()});
    let push = json!({"command": "sync_push", "data": data, "token": client.token()}).to_string();
    let payload = client
        .session()
        .unwrap()
        .seal(Message::Command, push.as_bytes())
        .unwrap();
    client
        .exchange_sealed(ROUTES[2], Message::CommandResponse, &payload)
        .await
        .unwrap();
    scene.before = everything(&mut scene.witness).await;

    let client = &mut scene.phone.client;
    refused(
        client
            .exchange_sealed(ROUTES[2], Message::CommandResponse, &payload)
            .await,
        428,
        "at once",
    );
    refused(
        client
            .exchange_sealed(ROUTES[3], Message::QueryResponse, &payload)
            .await,
        428,
        "elsewhere",
    );
    client.ping().await.unwrap();
    scene.nothing_changed("a replay").await;

    let mut panel = scene.hub.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    let client = &mut scene.phone.client;
    refused(
        client
            .exchange_sealed(ROUTES[2], Message::CommandResponse, &payload)
            .await,
        423,
        "locked",
    );
    panel.unlock(PIN).await.unwrap();
    refused(
        client
            .exchange_sealed(ROUTES[2], Message::CommandResponse, &payload)
            .await,
        428,
        "unlocked again",
    );
    refused(client.ping().await, 428, "locking ends sessions");
    client.handshake().await.unwrap();
    client.ping().await.unwrap();
    refused(
        client
            .exchange_sealed(ROUTES[2], Message::CommandResponse, &payload)
            .await,
        428,
        "a new session",
    );
    scene.nothing_changed("a replay after a lock").await;
}

#[tokio::test]
async fn too_many_attempts_are_told_to_wait() {
    let clinic = clinic();
    let mut scene = Scene::new(&clinic).await;
    let [nurse, doctor] = ["nurse", "doctor"].map(|name| clinic.user(&format!("{name}@clinic.example")).unwrap());
    let mut guesser = Phone::with_client(scene.hub.pair(|client| client).await.unwrap());
    let mut others = Phone::with_client(scene.hub.pair(|client| client).await.unwrap());
    let waits = |error: ClientError| {
        matches!(
            error,
            ClientError::Refused {
                status: 429,
                retry_after: Some(1..),
                ..
            }
        )
    };

    for _ in 0..6 {
        refused(guesser.log_in(&nurse.email, "guess").await, 401, "mistyped");
    }
    assert!(waits(guesser.log_in(&nurse.email, "guess").await.unwrap_err()));
    assert!(
        waits(others.log_in(&nurse.email.to_uppercase(), "guess").await.unwrap_err()),
        "the account, from elsewhere"
    );
    assert!(
        waits(guesser.log_in(&doctor.email, &doctor.password).await.unwrap_err()),
        "from here, any account"
    );
    others.log_in(&doctor.email, &doctor.password).await.unwrap();

    // Unknown devices, from an address of their own.
    let mut http = HttpClient::new(scene.hub.hub.url()).unwrap();
    http.call_from([127, 0, 2, 1].into());
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let unknown = Phone::new(scene.hub.hub.url()).unwrap();
        let key = KeyPair::generate(Curve::X25519).unwrap().public_key();
        let body = handshake_body(unknown.client.client_id(), &key);
        let reply = http.post(ROUTES[1], body).await.unwrap();
        assert_eq!(
            reply.status == 429,
            reply.retry_after.is_some_and(|seconds| seconds > 0)
        );
        statuses.push(reply.status);
    }
    assert_eq!(statuses[..10], [403; 10]);
    assert!(statuses[10..].contains(&429), "{statuses:?}");
    scene.nothing_changed("too many attempts").await;
}
