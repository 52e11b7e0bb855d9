//! What no peer can do: send too much, too slowly, too often, or hold too many connections.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::behind::ReleaseOnDrop;
use super::phone::Phone;
use super::{Hub, Limits, paired};
use crate::server::status::Failure;
use crate::server::work::Lane;
use crate::store::Refusal;

#[tokio::test]
async fn a_declared_length_over_the_limit_is_refused_without_its_body() {
    let hub = Hub::open(Limits::default()).await;
    for (path, length) in [
        ("handshake", 4 * 1024 + 1),
        ("command", 64 * 1024 * 1024 + 1),
        ("query", u64::from(u32::MAX) * 1024),
    ] {
        let mut client = hub.connect().await;
        let head = format!(
            "POST /rpc/{path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        client.send(head.as_bytes()).await;
        client.response().await.assert_failure(413, "request too large");
    }
}

#[tokio::test]
async fn a_peer_that_sends_all_of_a_too_large_body_still_reads_the_refusal() {
    let limits = Limits {
        request_bytes: 100_000,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    let mut client = hub.connect().await;
    client.send_post("/rpc/command", &vec![b'x'; 20_000_000]).await;
    client.response().await.assert_failure(413, "request too large");
}

#[tokio::test]
async fn a_chunked_body_is_stopped_at_the_limit() {
    let limits = Limits {
        request_bytes: 100_000,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    let phone = paired(&hub).await;
    for (path, limit) in [("handshake", 4 * 1024), ("query", 100_000)] {
        let mut client = hub.connect().await;
        client
            .send(
                format!(
                    "POST /rpc/{path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n\
                     Transfer-Encoding: chunked\r\n\r\n"
                )
                .as_bytes(),
            )
            .await;
        let begin = format!(r#"{{"client_id":"{}","payload":""#, phone.id);
        client
            .send(format!("{:x}\r\n{begin}\r\n", begin.len()).as_bytes())
            .await;
        let chunk = [&b"400\r\n"[..], &[b'x'; 1024], b"\r\n"].concat();
        for _ in 0..=limit / 1024 {
            client.send(&chunk).await;
        }
        client.response().await.assert_failure(413, "request too large");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_head_and_an_idle_connection_are_closed() {
    let limits = Limits::default();
    let header_time = limits.header_time;
    let hub = Hub::closed(limits).await;
    for head in ["", "POST /rpc/query HTTP/1.1\r\nHost: h"] {
        let mut client = hub.connect().await;
        let start = Instant::now();
        client.send(head.as_bytes()).await;
        client.until_closed().await;
        assert!(start.elapsed() >= header_time && start.elapsed() < header_time * 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stops_coming_is_given_up() {
    let hub = Hub::open(Limits::default()).await;
    let mut client = hub.connect().await;
    client
        .send(
            b"POST /rpc/query HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf",
        )
        .await;
    let response = client.response().await;
    response.assert_failure(408, "request too slow");
    assert_eq!(response.headers["connection"], "close");
    assert!(client.until_closed().await.is_empty());
}

#[tokio::test]
async fn for_one_connection_too_many_the_one_idle_longest_is_closed() {
    let limits = Limits {
        connections_per_address: 2,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    let mut phone = paired(&hub).await;
    assert_eq!(phone.query("ping").await.status, 200);
    let mut first = hub.connect().await;
    assert_eq!(first.request("GET", "/rpc/heartbeat").await.status, 200);
    let mut second = hub.connect().await;
    assert_eq!(second.request("GET", "/rpc/heartbeat").await.status, 200);
    assert_eq!(first.request("GET", "/rpc/heartbeat").await.status, 200);
    let mut newcomer = hub.connect().await;
    assert_eq!(newcomer.request("GET", "/rpc/heartbeat").await.status, 200);
    assert!(second.until_closed().await.is_empty());
    assert_eq!(first.request("GET", "/rpc/heartbeat").await.status, 200);
    assert_eq!(phone.query("ping").await.status, 200, "it has proved itself");
}

#[tokio::test(start_paused = true)]
async fn no_connection_lives_for_ever() {
    let limits = Limits::default();
    let life = limits.connection_time;
    let hub = Hub::open(limits).await;
    let mut phone = paired(&hub).await;
    let start = Instant::now();
    let mut asked = 0;
    loop {
        let body = phone.envelope("query", br#"{"query":"ping"}"#);
        let head = format!(
            "POST /rpc/query HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut some = [0; 4096];
        let sent = phone.client.0.write_all(&[head.as_bytes(), &body].concat()).await;
        if sent.is_err() || phone.client.0.read(&mut some).await.unwrap_or(0) == 0 {
            break;
        }
        asked += 1;
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
    assert!(asked > 10, "{asked}");
    assert!(start.elapsed() <= life, "{:?}", start.elapsed());
}

#[tokio::test]
async fn of_a_strangers_body_no_more_is_read_than_tells_who_it_is() {
    let hub = Hub::open(Limits::default()).await;
    let known = paired(&hub).await;
    let stranger = Phone::new(hub.connect().await);
    for (id, refusal) in [
        (stranger.id.to_string(), "no session"),
        ("nobody".into(), "malformed request"),
        (known.id.to_string(), ""),
    ] {
        let mut client = hub.connect().await;
        let begin = format!(r#"{{"client_id":"{id}","payload":"{}"#, "A".repeat(5_000));
        let head = "POST /rpc/command HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: 6000000\r\n\r\n";
        client.send(&[head.as_bytes(), begin.as_bytes()].concat()).await;
        if !refusal.is_empty() {
            let status = if refusal == "no session" { 428 } else { 400 };
            client.response().await.assert_failure(status, refusal);
        } else {
            let answered = tokio::time::timeout(std::time::Duration::from_millis(1), client.response());
            assert!(answered.await.is_err(), "the rest is waited for");
        }
    }
}

#[tokio::test]
async fn handshakes_of_new_devices_are_few_and_of_known_ones_many() {
    let hub = Hub::open(Limits::default()).await;
    hub.pairing.open(Instant::now().into_std());
    let mut known = Phone::new(hub.connect().await);
    assert_eq!(known.handshake().await.status, 200);

    for _ in 0..9 {
        let refused = Phone::new(hub.connect().await).handshake().await;
        refused.assert_failure(403, "pairing is not open");
    }
    let refused = Phone::new(hub.connect().await).handshake().await;
    refused.assert_failure(429, "too many requests");
    let wait: u64 = refused.headers["retry-after"].parse().unwrap();
    assert!((1..=6).contains(&wait));

    for _ in 0..100 {
        assert_eq!(known.handshake().await.status, 200);
    }
    let strangers = hub.behind.refused.lock().unwrap();
    assert_eq!(
        strangers
            .iter()
            .filter(|(refusal, _)| *refusal == Refusal::Stranger)
            .count(),
        9
    );
}

#[tokio::test]
async fn a_known_device_has_a_limit_too() {
    let limits = Limits {
        known_device_handshakes_per_minute: 3,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    hub.pairing.open(Instant::now().into_std());
    let mut phone = Phone::new(hub.connect().await);
    for _ in 0..4 {
        assert_eq!(phone.handshake().await.status, 200, "one new, three known");
    }
    phone.handshake().await.assert_failure(429, "too many requests");
    hub.pairing.decided();
    let mut neighbour = paired(&hub).await;
    assert_eq!(
        neighbour.handshake().await.status,
        200,
        "each phone has its own, behind one address too"
    );
}

#[tokio::test]
async fn logins_queue_in_a_lane_of_their_own() {
    let limits = Limits {
        logins_waiting: 1,
        ..Limits::default()
    };
    let hub = Hub::open(limits).await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    hub.pairing.open(Instant::now().into_std());
    hub.pairing.set_keep_open(true);
    let mut phones = Vec::new();
    for _ in 0..5 {
        let mut phone = Phone::new(hub.connect().await);
        assert_eq!(phone.handshake().await.status, 200);
        hub.pairing.decided();
        phones.push(phone);
    }
    let login = json!({"command": "hold login"});
    for (index, phone) in phones[..2].iter_mut().enumerate() {
        phone.send("command", &login).await;
        hub.behind.held.reached(index + 1).await;
    }
    // Two are at work, so of the next two one waits and the other is one too many, whichever comes first.
    let [third, fourth] = &mut phones[2..4] else {
        unreachable!()
    };
    third.send("command", &login).await;
    fourth.send("command", &login).await;
    let (turned_away, waiting) = tokio::select! {
        response = third.client.response() => (response, fourth),
        response = fourth.client.response() => (response, third),
    };
    turned_away.assert_failure(429, "too many requests");
    assert_eq!(phones_query(&hub).await, 200, "the store's lane is free");
    hub.behind.held.release();
    assert_eq!(waiting.client.response().await.status, 200);
}

async fn phones_query(hub: &Hub) -> u16 {
    let mut phone = Phone::new(hub.connect().await);
    assert_eq!(phone.handshake().await.status, 200);
    hub.pairing.decided();
    phone.query("anything").await.status
}

#[tokio::test]
async fn a_phone_that_logs_in_by_the_dozen_waits_for_itself() {
    let hub = Hub::open(Limits {
        new_device_handshakes_per_minute: 100,
        ..Limits::default()
    })
    .await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut greedy = paired(&hub).await;
    let mut others = Vec::new();
    for _ in 0..14 {
        others.push(paired(&hub).await);
    }
    let login = json!({"command": "hold login"});
    let mut connections = Vec::new();
    for number in 0..24 {
        greedy.client = hub.connect().await;
        greedy.send("command", &login).await;
        if number >= 2 {
            greedy.client.response().await.assert_failure(429, "too many requests");
        } else {
            hub.behind.held.reached(number + 1).await;
        }
        connections.push(std::mem::replace(&mut greedy.client, hub.connect().await));
    }
    for other in &mut others {
        other.send("command", &login).await;
    }
    hub.behind.held.release();
    for other in &mut others {
        assert_eq!(other.client.response().await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_for_a_turn_is_told_so() {
    let hub = Hub::open(Limits::default()).await;
    let lease = hub.gate.enter().unwrap();
    let lane = Lane::new(1, 1, Duration::from_secs(3));
    let turn = lane.turn(&lease).await.unwrap();
    let (waiting, one_too_many) = tokio::join!(lane.turn(&lease), lane.turn(&lease));
    assert_eq!(waiting.unwrap_err(), Failure::Unavailable);
    assert!(matches!(one_too_many.unwrap_err(), Failure::TooMany { .. }));
    drop(turn);
    assert!(lane.turn(&lease).await.is_ok());
}

#[tokio::test]
async fn a_phones_command_waits_for_its_earlier_one_even_if_the_phone_hung_up() {
    let hub = Hub::open(Limits {
        queue_time: Duration::from_millis(1),
        ..Limits::default()
    })
    .await;
    let _release = ReleaseOnDrop(hub.behind.clone());
    let mut phone = paired(&hub).await;
    let mut other = paired(&hub).await;
    phone.send("command", &json!({"command": "hold"})).await;
    hub.behind.held.reached(1).await;
    phone.client = hub.connect().await;
    let newer = json!({"command": "anything"});
    phone
        .ask("command", &newer)
        .await
        .assert_failure(503, "temporarily unavailable");
    assert_eq!(phone.query("anything").await.status, 200, "reading waits for nothing");
    assert_eq!(other.ask("command", &newer).await.status, 200, "nor do other phones");
    assert_eq!(hub.behind.callers.lock().unwrap().len(), 3);

    hub.behind.held.release();
    hub.behind.held.reached(0).await;
    let mut again = phone.ask("command", &newer).await;
    while again.status == 503 {
        again = phone.ask("command", &newer).await;
    }
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn an_answer_that_turns_out_long_is_built_anew_with_more_room_up_to_the_longest() {
    const MIB: usize = 1024 * 1024;
    let hub = Hub::open(Limits {
        longest_answer: 3 * MIB,
        ..Limits::default()
    })
    .await;
    let mut phone = paired(&hub).await;
    for (size, built) in [(200_000, 1), (300_000, 2), (2_900_000, 3)] {
        let before = hub.behind.callers.lock().unwrap().len();
        let response = phone.ask("query", &json!({"query": "surprise", "size": size})).await;
        assert_eq!(phone.open("query", &response).len(), size + 2);
        let ran = hub.behind.callers.lock().unwrap().len() - before;
        assert_eq!(ran, built, "{size}");
    }
    let before = hub.behind.callers.lock().unwrap().len();
    let endless = phone.ask("query", &json!({"query": "surprise", "size": 4 * MIB})).await;
    endless.assert_failure(503, "temporarily unavailable");
    let endless = phone.ask("query", &json!({"query": "big", "size": 4 * MIB})).await;
    endless.assert_failure(503, "temporarily unavailable");
    assert_eq!(hub.behind.callers.lock().unwrap().len() - before, 4);
    assert_eq!(phone.query("anything").await.status, 200);
}
