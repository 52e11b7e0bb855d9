//! Bodies that are none of the contract's: malformed, with malformed keys, too large.

use hub_tests::phone::wire::{Curve, KeyPair, Message};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ROUTES, Scene, failed, handshake_body};

pub(super) async fn malformed_bodies(scene: &mut Scene) {
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

pub(super) async fn malformed_keys(scene: &mut Scene) {
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

/// Announced, and coming without being announced.
pub(super) async fn too_large(scene: &Scene) {
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
            // Of a phone that the hub knows; of others it would not read so much.
            let begin = format!(r#"{{"client_id":"{}","payload":""#, scene.phone.client.client_id());
            let begin = format!("{:x}\r\n{begin}\r\n", begin.len());
            stream.write_all(begin.as_bytes()).await.unwrap();
            let chunk = [b"100000\r\n".to_vec(), vec![b'A'; 0x10_0000], b"\r\n".to_vec()].concat();
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
