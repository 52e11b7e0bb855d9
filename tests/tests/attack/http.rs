//! What can be done to the hub by HTTP itself, below all routes: odd heads, odd bodies, connections that hang half-way.

use std::net::Ipv4Addr;
use std::time::Duration;

use hub_tests::hub::Hub;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::limits::{Board, in_own_network};
use super::*;

/// Above all that the hub waits for of one request.
const PATIENCE: Duration = Duration::from_secs(60);

async fn connect(hub: &TestHub, last: u8) -> TcpStream {
    let address = hub.hub.url().strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 10, last), 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// What comes of a request and its connection until the hub ends it.
async fn said(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    let reading = async {
        while let Ok(read) = stream.read(&mut piece).await {
            answer.extend_from_slice(&piece[..read]);
            if read == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the hub ends it");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(path: &str, more: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n{more}\r\n{body}")
}

/// Requests, and what their answers begin with; nothing: the connection ends without one.
fn odd_requests(known: &str) -> Vec<(&'static str, String, Option<&'static str>)> {
    let handshake = handshake_of(known);
    let length = format!("Content-Length: {}\r\n", handshake.len());
    let chunk = format!("{:x}\r\n{handshake}\r\n", handshake.len());
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    vec![
        (
            "HTTP/1.0",
            "GET /rpc/heartbeat HTTP/1.0\r\n\r\n".into(),
            Some("HTTP/1.0 200"),
        ),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), None),
        (
            "no HTTP",
            "\u{16}\u{3}\u{1}\0\u{2}hello\r\n\r\n".into(),
            Some("HTTP/1.1 400"),
        ),
        (
            "a head without end",
            format!("GET /rpc/heartbeat HTTP/1.1\r\nX: {}", "y".repeat(1 << 20)),
            Some("HTTP/1.1 431"),
        ),
        (
            "many headers",
            post(HANDSHAKE, &format!("{length}{many}"), &handshake),
            Some("HTTP/1.1 431"),
        ),
        (
            "two lengths",
            post(HANDSHAKE, &format!("{length}Content-Length: 3\r\n"), &handshake),
            Some("HTTP/1.1 400"),
        ),
        (
            "no number",
            post(HANDSHAKE, "Content-Length: -1\r\n", ""),
            Some("HTTP/1.1 400"),
        ),
        (
            "a length without end",
            post(HANDSHAKE, "Content-Length: 99999999999999999999\r\n", ""),
            Some("HTTP/1.1 400"),
        ),
        (
            "a chunk without end",
            post(HANDSHAKE, chunked, "ffffffffffffffffff\r\n"),
            Some("HTTP/1.1 400"),
        ),
        (
            "an extension without end",
            post(HANDSHAKE, chunked, &format!("1;{}", "x".repeat(1 << 20))),
            Some("HTTP/1.1 400"),
        ),
        (
            "trailers without end",
            post(
                HANDSHAKE,
                chunked,
                &format!("{chunk}0\r\n{}", "X: y\r\n".repeat(100_000)),
            ),
            Some("HTTP/1.1 400"),
        ),
        (
            "chunks",
            post(HANDSHAKE, chunked, &format!("{chunk}0\r\n\r\n")),
            Some("HTTP/1.1 200"),
        ),
        (
            "more than is waited for",
            post(
                "/rpc/command",
                "Expect: 100-continue\r\nContent-Length: 67108865\r\n",
                "",
            ),
            Some("HTTP/1.1 413"),
        ),
        (
            "another protocol",
            "GET /rpc/heartbeat HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
                .into(),
            Some("HTTP/1.1 200"),
        ),
        (
            "a way through",
            "CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".into(),
            Some("HTTP/1.1 404"),
        ),
        (
            "another host",
            "GET http://elsewhere.example/rpc/heartbeat HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".into(),
            Some("HTTP/1.1 200"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_ends_in_a_status_or_a_closed_connection_and_phones_go_on() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let known = phone.client.client_id().to_owned();
    let _board = Board::around(hub.hub.pid().unwrap());
    for (number, (what, request, expected)) in odd_requests(&known).into_iter().enumerate() {
        let mut stream = connect(&hub, u8::try_from(number).unwrap() + 1).await;
        // The hub may end it in the middle of what is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        let answer = said(&mut stream).await;
        match expected {
            // What was not read when it ended can take the answer with it.
            Some(status) => assert!(
                answer.starts_with(status) || answer.is_empty() && request.len() > 100_000,
                "{what}: {answer}"
            ),
            None => assert_eq!(answer, "", "{what}"),
        }
        assert!(
            !answer.contains("\r\nHTTP/1.1 200"),
            "{what}: one request, two answers: {answer}"
        );
    }
    phone.sync().await.unwrap();
    let (_, highest) = hub.hub.resident_kib().unwrap();
    assert!(highest < 150 * 1024, "{highest} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_half_way_is_not_waited_for() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let known = phone.client.client_id().to_owned();
    let handshake = handshake_of(&known);
    let whole = post(
        HANDSHAKE,
        &format!("Connection: close\r\nContent-Length: {}\r\n", handshake.len()),
        &handshake,
    );

    // Half-closed behind a whole request: it is answered, unless who is gone is seen first, for a phone that waits to be paired
    // is not waited for when it leaves; in the middle of one: nobody waits for the rest.
    let mut stream = connect(&hub, 1).await;
    stream.write_all(whole.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = said(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut stream = connect(&hub, 1).await;
    stream.write_all(&whole.as_bytes()[..whole.len() - 10]).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = said(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");

    // By the dozen, from as many addresses: heads that drip, bodies that drip, nothing at all, a wait for leave to send.
    let expects = post(
        "/rpc/command",
        "Expect: 100-continue\r\nContent-Length: 60000000\r\n",
        "",
    );
    let begun = format!(r#"{{"client_id":"{known}","payload":""#);
    let slow = post("/rpc/command", "Content-Length: 60000000\r\n", &begun);
    let beginnings = ["", "GET /rpc/heartbeat HTTP/1.1\r\nX: ", &expects, &slow];
    let mut waiting = JoinSet::new();
    for last in 1..=200_u8 {
        let mut stream = connect(&hub, last).await;
        let beginning = beginnings[usize::from(last) % beginnings.len()].to_owned();
        waiting.spawn(async move {
            stream.write_all(beginning.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let mut piece = [0; 1024];
            let mut drips = tokio::time::interval(Duration::from_secs(1));
            loop {
                tokio::select! {
                    read = stream.read(&mut piece) => match read {
                        Ok(read) if read > 0 => answer += &String::from_utf8_lossy(&piece[..read]),
                        _ => break answer,
                    },
                    _ = drips.tick() => if !beginning.is_empty() && stream.write_all(b"y").await.is_err() { break answer },
                }
            }
        });
    }
    for _ in 0..5 {
        phone.client.http().disconnect();
        phone.sync().await.unwrap();
    }
    while let Some(answer) = tokio::time::timeout(PATIENCE, waiting.join_next())
        .await
        .expect("the hub ends them")
    {
        let answer = answer.unwrap();
        let last = answer.rsplit("HTTP/1.1 ").next().unwrap_or_default();
        assert!(
            answer.is_empty() || last.starts_with('4') || last.starts_with("100"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_by_the_thousand_in_one_go_are_answered_in_turn_or_not_at_all() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let _board = Board::of_memory(hub.hub.pid().unwrap());
    let heartbeat = "GET /rpc/heartbeat HTTP/1.1\r\nHost: hub\r\n\r\n";
    let mut stream = connect(&hub, 1).await;
    let last = heartbeat.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let sent = format!("{}{last}", heartbeat.repeat(5_000));
    let (mut reader, mut writer) = stream.split();
    let reading = async {
        let mut answers = String::new();
        tokio::time::timeout(PATIENCE, reader.read_to_string(&mut answers))
            .await
            .unwrap()
            .unwrap();
        answers
    };
    let writing = async { writer.write_all(sent.as_bytes()).await };
    let (answers, _) = tokio::join!(reading, writing);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 5_001);

    // Nobody reads these answers: no more is read from who does not.
    let mut deaf = connect(&hub, 2).await;
    let flood = heartbeat.repeat(200_000);
    let refused = tokio::time::timeout(PATIENCE, deaf.write_all(flood.as_bytes())).await;
    assert!(refused.is_ok_and(|written| written.is_err()), "it is cut off");
    phone.client.http().disconnect();
    phone.sync().await.unwrap();
    let (_, highest) = hub.hub.resident_kib().unwrap();
    assert!(highest < 150 * 1024, "{highest} KiB");
}

#[test]
fn the_other_internet_protocol_gets_no_more_than_this_one() {
    if !in_own_network("http::the_other_internet_protocol_gets_no_more_than_this_one") {
        return;
    }
    let shell = |command: &str| {
        let status = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(status.success(), "{command}");
    };
    // One like any out on the internet, and one of a network's own (RFC 4193).
    shell("ip addr add 2001:db8::1/128 dev lo && ip addr add fd00::1/128 dev lo");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
        let hub = Hub::start(&data, &socket, "[::]:0", Log::Warnings).await.unwrap();
        let port = hub.url().rsplit_once(':').unwrap().1.to_owned();
        for (address, status) in [
            ("[::1]", "HTTP/1.1 200"),
            ("127.0.0.1", "HTTP/1.1 200"),
            ("[fd00::1]", "HTTP/1.1 200"),
            ("[2001:db8::1]", "HTTP/1.1 403"),
        ] {
            // From the address that it goes to.
            let mut stream = TcpStream::connect(format!("{address}:{port}")).await.unwrap();
            let request = "GET /rpc/heartbeat HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = said(&mut stream).await;
            assert!(answer.starts_with(status), "{address}: {answer}");
        }
    });
}
