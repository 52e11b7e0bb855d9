//! The worked examples of the contract, `vectors.json`, every entry of it.

use serde_json::{Map, Value};

use super::base64url;
use super::envelope::{Direction, EnvelopeKey, NONCE_LEN, Nonce, tests::seal_with_nonce};
use super::handshake::{ClientPublicKey, IdentityKeys};
use super::message::EnvelopeRequest;
use crate::secret::Secret;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/protocol/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    let list = value[name].as_array().unwrap();
    assert!(!list.is_empty(), "{name}");
    list
}

fn rejects<'a>(vectors: &'a Value, name: &str) -> &'a Map<String, Value> {
    let rejects = vectors["rejects"][name].as_object().unwrap();
    assert!(!rejects.is_empty(), "{name}");
    rejects
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

fn hex<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    let digits = text(value, name);
    assert_eq!(digits.len(), 2 * N);
    std::array::from_fn(|place| u8::from_str_radix(&digits[2 * place..][..2], 16).unwrap())
}

fn direction(aad: &str) -> Direction {
    [
        Direction::Command,
        Direction::CommandResponse,
        Direction::Query,
        Direction::QueryResponse,
    ]
    .into_iter()
    .find(|direction| direction.aad() == aad.as_bytes())
    .unwrap()
}

/// The hub with the private key of one agreement, and some other key on the other curve.
fn hub(agreement: &Value) -> IdentityKeys {
    let private = Secret::new(hex(agreement, "hub_private"));
    let other = Secret::new([1; 32]);
    match text(agreement, "curve") {
        "x25519" => IdentityKeys::new(&private, &other),
        "p256" => IdentityKeys::new(&other, &private),
        curve => panic!("unknown curve {curve}"),
    }
    .unwrap()
}

#[test]
fn agreements() {
    for agreement in list(&vectors(), "agreements") {
        let client = ClientPublicKey::parse(text(agreement, "client_public_key")).unwrap();
        let agreed = hub(agreement).agree(&client).unwrap();
        assert_eq!(agreed.hub_public_key, text(agreement, "hub_public_key"));
        assert_eq!(agreed.session_key.expose(), &hex(agreement, "key"));
    }
}

#[test]
fn envelopes() {
    for envelope in list(&vectors(), "envelopes") {
        let key = EnvelopeKey::new(&Secret::new(hex(envelope, "key")));
        let direction = direction(text(envelope, "aad"));
        let nonce: Nonce = hex::<NONCE_LEN>(envelope, "nonce");
        let plaintext = text(envelope, "plaintext").as_bytes();
        let payload = base64url::decode(text(envelope, "payload")).unwrap();
        assert_eq!(seal_with_nonce(&key, direction, plaintext, nonce), payload);
        assert_eq!(&*key.open(direction, payload).unwrap(), plaintext);
    }
}

#[test]
fn rejected_public_keys() {
    let vectors = vectors();
    let hub = hub(&vectors["agreements"][0]);
    for (name, key) in rejects(&vectors, "client_public_key") {
        let agreed = ClientPublicKey::parse(key.as_str().unwrap()).and_then(|client| hub.agree(&client));
        assert!(agreed.is_err(), "{name}");
    }
}

#[test]
fn rejected_payloads() {
    let vectors = vectors();
    let key = EnvelopeKey::new(&Secret::new(hex(&vectors["envelopes"][0], "key")));
    for (name, payload) in rejects(&vectors, "payload_under_command") {
        let body = serde_json::json!({"client_id": "00000000-0000-4000-8000-000000000001", "payload": payload});
        let opened = EnvelopeRequest::parse(body.to_string().as_bytes())
            .ok()
            .and_then(|request| key.open(Direction::Command, request.payload).ok());
        assert!(opened.is_none(), "{name}");
    }
}
