//! A phone as the wire contract describes it, written from the contract and not from the hub's own code.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;
use x25519_dalek::{PublicKey, StaticSecret};

use super::http::{Client, Response};
use crate::ids::ClientId;

/// One phone with its connection.
pub(super) struct Phone {
    pub(super) id: Uuid,
    pub(super) client: Client,
    secret: StaticSecret,
    key: Option<[u8; 32]>,
    messages: u64,
}

impl Phone {
    pub(super) fn new(client: Client) -> Self {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).unwrap();
        Self {
            id: Uuid::new_v4(),
            client,
            secret: secret.into(),
            key: None,
            messages: 0,
        }
    }

    pub(super) fn client_id(&self) -> ClientId {
        self.id.into()
    }

    pub(super) fn handshake_body(&self) -> Value {
        let public = PublicKey::from(&self.secret);
        json!({
            "client_id": self.id.to_string(),
            "client_public_key": URL_SAFE_NO_PAD.encode(public.as_bytes()),
            "device_name": "Phone",
        })
    }

    /// Hands shakes, and keeps the session key if it went well.
    pub(super) async fn handshake(&mut self) -> Response {
        let body = self.handshake_body();
        let response = self.client.post("/rpc/handshake", body.to_string().as_bytes()).await;
        if response.status == 200 {
            let hub_key = response.json()["hub_public_key"].as_str().unwrap().to_owned();
            self.agree(&hub_key);
        }
        response
    }

    fn agree(&mut self, hub_key: &str) {
        let hub: [u8; 32] = URL_SAFE_NO_PAD.decode(hub_key).unwrap().try_into().unwrap();
        let shared = self.secret.diffie_hellman(&hub.into());
        let info = [hub, PublicKey::from(&self.secret).to_bytes()].concat();
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(b"hikma-health-pairing-v1"), shared.as_bytes())
            .expand(&info, &mut key)
            .unwrap();
        self.key = Some(key);
    }

    pub(super) fn envelope(&mut self, kind: &str, plaintext: &[u8]) -> Vec<u8> {
        self.messages += 1;
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&self.messages.to_le_bytes());
        let payload = Payload {
            msg: plaintext,
            aad: kind.as_bytes(),
        };
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).unwrap();
        let payload = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
        json!({"client_id": self.id.to_string(), "payload": payload})
            .to_string()
            .into_bytes()
    }

    /// Opens a success.
    pub(super) fn open(&self, kind: &str, response: &Response) -> Vec<u8> {
        assert_eq!(response.status, 200, "{:?}", String::from_utf8_lossy(&response.body));
        let body = response.json();
        assert_eq!(body["success"], true);
        let payload = URL_SAFE_NO_PAD.decode(body["payload"].as_str().unwrap()).unwrap();
        let (nonce, sealed) = payload.split_at(12);
        let aad = format!("{kind}_response");
        let sealed = Payload {
            msg: sealed,
            aad: aad.as_bytes(),
        };
        let nonce: [u8; 12] = nonce.try_into().unwrap();
        self.cipher().decrypt(&Nonce::from(nonce), sealed).unwrap()
    }

    /// Asks a query named `name`.
    pub(super) async fn query(&mut self, name: &str) -> Response {
        self.ask("query", &json!({"query": name})).await
    }

    pub(super) async fn ask(&mut self, kind: &str, plaintext: &Value) -> Response {
        self.send(kind, plaintext).await;
        self.client.response().await
    }

    /// Sends without waiting for the answer.
    pub(super) async fn send(&mut self, kind: &str, plaintext: &Value) {
        let body = self.envelope(kind, plaintext.to_string().as_bytes());
        self.client.send_post(&format!("/rpc/{kind}"), &body).await;
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.key.unwrap_or([9; 32]).into())
    }
}
