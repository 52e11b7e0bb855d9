//! Stopping, locking, and panics.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::behind::ReleaseOnDrop;
use super::phone::Phone;
use super::{Hub, Limits, paired};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn stopping_closes_idle_connections_and_the_port() {
    let hub = Hub::closed(Limits {
        stop_time: LONG,
        ..Limits::default()
    })
    .await;
    let address = hub.server.local_addr();
    let mut idle = hub.connect().await;
    assert_eq!(idle.request("GET", "/rpc/heartbeat").await.status, 200);
    hub.server.stop().await;
    assert!(idle.until_closed().await.is_empty());
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_lets_requests_under_way_finish() {
    let hub = Hub::open(Limits {
        stop_time: LONG,
        ..Limits::default()
    })
    .await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    phone.send("query", &json!({"query": "hold"})).await;
    hub.behind.held.reached(1).await;
    let stopped = tokio::spawn(hub.server.stop());
    hub.behind.held.release();
    let response = phone.client.response().await;
    assert_eq!(phone.open("query", &response), br#"{"pong":true}"#);
    stopped.await.unwrap();
}

#[tokio::test]
async fn stopping_drops_what_does_not_finish() {
    let hub = Hub::open(Limits {
        stop_time: Duration::from_millis(1),
        ..Limits::default()
    })
    .await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    phone.send("query", &json!({"query": "hold"})).await;
    hub.behind.held.reached(1).await;
    hub.server.stop().await;
    assert!(phone.client.until_closed().await.is_empty());
}

#[tokio::test]
async fn dropping_the_handle_stops_the_server() {
    let hub = Hub::closed(Limits::default()).await;
    let mut idle = hub.connect().await;
    assert_eq!(idle.request("GET", "/rpc/heartbeat").await.status, 200);
    drop(hub);
    assert!(idle.until_closed().await.is_empty());
}

#[tokio::test]
async fn locking_refuses_at_once_and_waits_for_those_inside() {
    let hub = Hub::open(Limits::default()).await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    phone.send("query", &json!({"query": "hold"})).await;
    hub.behind.held.reached(1).await;

    let draining = hub.gate.lock().unwrap();
    assert!(!hub.gate.is_open());
    let mut other = hub.connect().await;
    other.post("/rpc/query", b"{}").await.assert_failure(423, "hub locked");

    let drained = tokio::spawn(draining.drained(LONG));
    tokio::task::yield_now().await;
    assert!(!drained.is_finished());
    hub.behind.held.release();
    let returned = drained.await.unwrap().unwrap();
    assert_eq!(returned.hub_id, "0190-hub");
    let response = phone.client.response().await;
    assert_eq!(
        phone.open("query", &response),
        br#"{"pong":true}"#,
        "it was let in before"
    );
    phone.query("anything").await.assert_failure(423, "hub locked");

    hub.gate.open(returned);
    assert_eq!(phone.query("anything").await.status, 200);
}

#[tokio::test]
async fn locking_gives_up_on_work_that_does_not_end() {
    let hub = Hub::open(Limits::default()).await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    phone.send("query", &json!({"query": "hold"})).await;
    hub.behind.held.reached(1).await;
    let draining = hub.gate.lock().unwrap();
    assert!(draining.drained(Duration::from_millis(1)).await.is_err());
}

#[tokio::test]
async fn locking_turns_away_who_waits_for_a_turn() {
    let hub = Hub::open(Limits {
        store_at_once: 1,
        queue_time: LONG,
        ..Limits::default()
    })
    .await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut first = paired(&hub).await;
    let mut second = paired(&hub).await;
    first.send("query", &json!({"query": "hold"})).await;
    hub.behind.held.reached(1).await;
    second.send("query", &json!({"query": "anything"})).await;
    let draining = hub.gate.lock().unwrap();
    second.client.response().await.assert_failure(423, "hub locked");
    hub.behind.held.release();
    assert!(draining.drained(LONG).await.is_ok());
}

#[tokio::test]
async fn a_slow_upload_does_not_hold_up_locking() {
    let hub = Hub::open(Limits::default()).await;
    let mut client = hub.connect().await;
    client
        .send(b"POST /rpc/query HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf")
        .await;
    assert_eq!(hub.connect().await.request("GET", "/rpc/heartbeat").await.status, 200);
    assert!(hub.gate.lock().unwrap().drained(LONG).await.is_ok());
    client.send(&[b'x'; 96]).await;
    client.response().await.assert_failure(423, "hub locked");
}

#[tokio::test]
async fn a_panic_is_a_503_and_is_reported() {
    let hub = Hub::open(Limits::default()).await;
    let mut phone = paired(&hub).await;
    for (index, name) in ["panic", "panic light", "panic early"].into_iter().enumerate() {
        phone.query(name).await.assert_failure(503, "temporarily unavailable");
        assert_eq!(*hub.told.panics.borrow(), index + 1);
    }
    assert_eq!(phone.query("anything").await.status, 200, "the lanes are free again");
    assert!(
        hub.gate.lock().unwrap().drained(LONG).await.is_ok(),
        "nobody holds the hub"
    );
}

#[tokio::test]
async fn a_panic_is_reported_even_if_the_phone_hung_up() {
    let hub = Hub::open(Limits::default()).await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    phone.send("query", &json!({"query": "hold then panic"})).await;
    hub.behind.held.reached(1).await;
    drop(phone);
    let draining = hub.gate.lock().unwrap();
    hub.behind.held.release();
    assert!(draining.drained(LONG).await.is_ok());
    hub.told
        .panics
        .subscribe()
        .wait_for(|panics| *panics == 1)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_hub_comes_back_unshared_however_many_are_at_it() {
    let hub = Hub::open(Limits::default()).await;
    hub.pairing.open(Instant::now().into_std());
    hub.pairing.set_keep_open(true);
    let stop = watch::Sender::new(false);
    let mut busy = JoinSet::new();
    for _ in 0..6 {
        let mut phone = Phone::new(hub.connect().await);
        assert_eq!(phone.handshake().await.status, 200);
        hub.pairing.decided();
        let stop = stop.subscribe();
        busy.spawn(async move {
            let mut served = 0;
            while !*stop.borrow() {
                match phone.query("anything").await.status {
                    200 => served += 1,
                    423 => {}
                    other => panic!("status {other}"),
                }
            }
            served
        });
    }
    for _ in 0..200 {
        let open_hub = hub.gate.lock().unwrap().drained(LONG).await.unwrap();
        assert!(!hub.gate.is_open());
        hub.gate.open(open_hub);
        assert_eq!(hub.connect().await.request("GET", "/rpc/heartbeat").await.status, 200);
    }
    stop.send_replace(true);
    let served: u32 = busy.join_all().await.into_iter().sum();
    assert!(served > 0);
}

#[tokio::test(start_paused = true)]
async fn the_server_shows_that_it_is_alive() {
    let hub = Hub::closed(Limits::default()).await;
    let beats = hub.server.beats();
    let before = beats();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(beats() >= before + 4);
}
