//! Who may hand shakes, and when.

use serde_json::Value;
use tokio::time::Instant;

use super::phone::Phone;
use super::{Hub, Limits};
use crate::store::StoreError;
use crate::store::devices::{DeviceNumber, PairError, Standing};

fn open_pairing(hub: &Hub) {
    hub.pairing.open(Instant::now().into_std());
}

fn is_open(hub: &Hub) -> bool {
    hub.pairing.status(Instant::now().into_std()).is_some()
}

#[tokio::test]
async fn a_new_phone_needs_the_box_and_a_known_one_does_not() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = Phone::new(hub.connect().await);
    phone.handshake().await.assert_failure(403, "pairing is not open");
    assert!(hub.told.paired.lock().unwrap().is_empty());

    open_pairing(&hub);
    let response = phone.handshake().await;
    let body = response.json();
    assert_eq!(response.status, 200);
    assert_eq!(
        (&body["hub_id"], &body["hub_name"]),
        (&"0190-hub".into(), &"Clinic".into())
    );
    assert_eq!(body["success"], true);
    assert!(!is_open(&hub), "one phone has paired");
    {
        let told = hub.told.paired.lock().unwrap();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].client, told[0].device), (phone.client_id(), DeviceNumber(1)));
        assert_eq!(told[0].name.as_deref(), Some("Phone"));
    }

    assert_eq!(phone.handshake().await.status, 200);
    assert_eq!(hub.told.paired.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn of_phones_racing_for_one_place_exactly_one_pairs() {
    let hub = Hub::open(Limits::default()).await;
    open_pairing(&hub);
    let mut racing = tokio::task::JoinSet::new();
    // As many as may wait from one address.
    for _ in 0..4 {
        let mut phone = Phone::new(hub.connect().await);
        racing.spawn(async move { phone.handshake().await.status });
    }
    let mut statuses = racing.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403, 403, 403]);
    assert_eq!(hub.behind.devices.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn one_phone_that_tries_twice_at_once_is_stored_once() {
    let hub = Hub::open(Limits::default()).await;
    open_pairing(&hub);
    hub.pairing.set_keep_open(true);
    let mut phone = Phone::new(hub.connect().await);
    let mut again = Phone::new(hub.connect().await);
    again.id = phone.id;
    let (first, second) = tokio::join!(phone.handshake(), again.handshake());
    assert_eq!((first.status, second.status), (200, 200));
    assert_eq!(hub.told.paired.lock().unwrap().len(), 1);
    assert!(is_open(&hub), "kept open");
}

#[tokio::test]
async fn a_place_is_given_back_when_storing_fails() {
    let hub = Hub::open(Limits::default()).await;
    open_pairing(&hub);
    let mut phone = Phone::new(hub.connect().await);
    let errors: [fn() -> PairError; 2] = [|| PairError::Full, || PairError::Store(StoreError::Closed)];
    for error in errors {
        *hub.behind.pair_error.lock().unwrap() = Some(error);
        phone.handshake().await.assert_failure(503, "temporarily unavailable");
        assert!(is_open(&hub));
    }
    assert_eq!(*hub.told.not_paired.lock().unwrap(), 2);
    *hub.behind.pair_error.lock().unwrap() = None;
    assert_eq!(phone.handshake().await.status, 200);
    assert!(!is_open(&hub));
}

#[tokio::test]
async fn a_revoked_phone_is_refused_although_pairing_is_open() {
    let hub = Hub::open(Limits::default()).await;
    open_pairing(&hub);
    let mut phone = Phone::new(hub.connect().await);
    hub.behind
        .devices
        .lock()
        .unwrap()
        .insert(phone.client_id(), Standing::Revoked);
    phone.handshake().await.assert_failure(403, "device revoked");
    assert!(is_open(&hub));
}

#[tokio::test]
async fn a_malformed_handshake_leaves_nothing_behind() {
    let hub = Hub::open(Limits::default()).await;
    open_pairing(&hub);
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/protocol/vectors.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(vectors).unwrap()).unwrap();
    let mut client = hub.connect().await;
    let rejected = vectors["rejects"]["client_public_key"].as_object().unwrap();
    assert!(!rejected.is_empty());
    for key in rejected.values() {
        let mut body = Phone::new(hub.connect().await).handshake_body();
        body["client_public_key"] = key.clone();
        let response = client.post("/rpc/handshake", body.to_string().as_bytes()).await;
        response.assert_failure(400, "malformed request");
    }
    for body in ["", "{}", "null", "[1]", "{\"client_id\":\"x\"}", "\u{7f}"] {
        let response = client.post("/rpc/handshake", body.as_bytes()).await;
        response.assert_failure(400, "malformed request");
    }
    assert!(hub.behind.devices.lock().unwrap().is_empty());
    assert!(is_open(&hub));
}
