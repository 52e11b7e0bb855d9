//! The status table of the wire contract, line by line, against the real hub; after each line nothing has changed.
//!
//! 404 and 409 of records belong to procedures of a later stage.

mod bodies;
mod envelopes;

use bytes::Bytes;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Hub, Log, PIN, TestHub};
use hub_tests::phone::http::{HttpClient, Reply};
use hub_tests::phone::wire::{Curve, KeyPair};
use hub_tests::phone::{ClientError, HubClient, Phone};
use hyper::Method;
use serde_json::{Value, json};

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
    bodies::malformed_bodies(&mut scene).await;
    scene.nothing_changed("malformed bodies").await;
    bodies::malformed_keys(&mut scene).await;
    scene.nothing_changed("malformed keys").await;
    envelopes::malformed_plaintexts(&mut scene).await;
    scene.nothing_changed("malformed plaintexts").await;
    envelopes::sealed_wrongly(&mut scene).await;
    scene.nothing_changed("envelopes that do not open").await;
    bodies::too_large(&scene).await;
    scene.nothing_changed("bodies over the limit").await;
    devices_that_are_not_paired(&mut scene).await;
    scene.nothing_changed("unknown devices").await;
    envelopes::replayed(&mut scene).await;
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

    // Each wait is twice the one before, so that it is met with however slow the machine is.
    let mut mistyped = 0;
    loop {
        let error = guesser.log_in(&nurse.email.to_uppercase(), "guess").await.unwrap_err();
        if error.status() != Some(401) {
            assert!(waits(error));
            break;
        }
        mistyped += 1;
        assert!(mistyped < 20);
    }
    assert!(mistyped >= 6, "{mistyped}");
    refused(
        others.log_in(&nurse.email, "guess").await,
        401,
        "the account elsewhere does not wait",
    );
    others.log_in(&nurse.email, &nurse.password).await.unwrap();
    guesser.log_in(&doctor.email, &doctor.password).await.unwrap();

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
