//! Envelopes and what is in them: malformed, sealed by somebody else, sent again.

use hub_tests::hub::PIN;
use hub_tests::phone::wire::{Message, Session};
use hub_tests::phone::{ClientError, HubClient};
use serde_json::json;

use super::{ROUTES, Scene, everything, refused};

/// Sends a payload that was sealed before.
async fn send_command(client: &mut HubClient, payload: &str) -> Result<Vec<u8>, ClientError> {
    client
        .exchange_sealed(ROUTES[2], Message::CommandResponse, payload)
        .await
}

pub(super) async fn malformed_plaintexts(scene: &mut Scene) {
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

pub(super) async fn sealed_wrongly(scene: &mut Scene) {
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
        refused(send_command(client, payload).await, 428, payload);
    }
    // What was only tampered with has not used the message up.
    send_command(client, &good).await.unwrap();
}

pub(super) async fn replayed(scene: &mut Scene) {
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
    send_command(client, &payload).await.unwrap();
    scene.before = everything(&mut scene.witness).await;

    let client = &mut scene.phone.client;
    refused(send_command(client, &payload).await, 428, "at once");
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
    refused(send_command(client, &payload).await, 423, "locked");
    panel.unlock(PIN).await.unwrap();
    refused(send_command(client, &payload).await, 428, "unlocked again");
    refused(client.ping().await, 428, "locking ends sessions");
    client.handshake().await.unwrap();
    client.ping().await.unwrap();
    refused(send_command(client, &payload).await, 428, "a new session");
    scene.nothing_changed("a replay after a lock").await;
}
