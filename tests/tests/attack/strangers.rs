//! What somebody on the Wi-Fi without a key can do.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hub_tests::hub::Hub;
use hub_tests::panel_client::Screen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::limits::{Board, in_own_network};
use super::*;

const HEARTBEAT: &[u8] = b"GET /rpc/heartbeat HTTP/1.1\r\nHost: hub\r\n\r\n";

async fn connect(url: &str, source: Ipv4Addr) -> TcpStream {
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((source, 0).into()).unwrap();
    socket.connect(address).await.unwrap()
}

/// Whether a heartbeat on this connection is answered.
async fn beats(connection: &mut TcpStream) -> bool {
    let mut answer = [0; 1024];
    connection.write_all(HEARTBEAT).await.is_ok() && connection.read(&mut answer).await.is_ok_and(|read| read > 0)
}

/// Holds every place that there is, from 8 addresses and then from 250, and opens what was closed again, until told to stop.
async fn hold_places(url: String, stop: Arc<AtomicBool>) {
    let mut held = Vec::new();
    for place in 0..400_u16 {
        let last = if place < 256 { place / 32 } else { place % 250 };
        let last = u8::try_from(last).unwrap();
        held.push((last, connect(&url, Ipv4Addr::new(10, 77, 8, last)).await));
    }
    while !stop.load(Ordering::Relaxed) {
        for (last, connection) in &mut held {
            if !beats(connection).await {
                *connection = connect(&url, Ipv4Addr::new(10, 77, 8, *last)).await;
            }
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn held_places_shut_out_neither_phones_nor_the_watchdogs_probe() {
    if !in_own_network("strangers::held_places_shut_out_neither_phones_nor_the_watchdogs_probe") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let clinic = clinic();
        let folder = tempfile::tempdir().unwrap();
        let mut hub = TestHub::with_clinic_in(folder, &clinic, Log::Warnings).await.unwrap();
        hub.hub.terminate().await.unwrap();
        // On all interfaces, as on the box: what comes from loopback is the box's own.
        let (data, socket) = (hub.data(), hub.data().with_file_name("open.sock"));
        let open = Hub::start(&data, &socket, "0.0.0.0:0", Log::Warnings).await.unwrap();
        let _board = Board::around(open.pid().unwrap());
        open.panel().await.unwrap().unlock(hub_tests::hub::PIN).await.unwrap();
        let port = open.url().rsplit_once(':').unwrap().1.to_owned();
        let (url, own) = (format!("http://10.77.0.1:{port}"), format!("http://127.0.0.1:{port}"));
        let mut panel = open.panel().await.unwrap();
        panel.open_pairing().await.unwrap();
        let mut phone = Phone::new(&url).unwrap();
        phone.client.http().call_from(Ipv4Addr::new(10, 77, 1, 1).into());
        phone.client.handshake().await.unwrap();
        panel.keep().await.unwrap();
        phone
            .log_in(&nurse(&clinic).email, &nurse(&clinic).password)
            .await
            .unwrap();

        let stop = Arc::new(AtomicBool::new(false));
        let strangers = tokio::spawn(hold_places(url.clone(), Arc::clone(&stop)));
        for _ in 0..20 {
            let mut probe = connect(&own, Ipv4Addr::LOCALHOST).await;
            assert!(beats(&mut probe).await, "the probe");
            phone.client.http().disconnect();
            phone.sync().await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        strangers.await.unwrap();
    });
}

fn head(length: &str) -> String {
    format!("POST /rpc/command HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n{length}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn announced_lengths_and_slow_bodies_hold_up_no_push() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    phone.sync().await.unwrap();
    let known = phone.client.client_id().to_owned();
    let mut slow = JoinSet::new();
    for (place, length) in [
        "Content-Length: 60000000",
        "Content-Length: 60000000",
        "Transfer-Encoding: chunked",
    ]
    .into_iter()
    .cycle()
    .take(30)
    .enumerate()
    {
        let place = u8::try_from(place).unwrap();
        let mut stream = connect(hub.hub.url(), Ipv4Addr::new(127, 0, 9, place)).await;
        let begin = format!(r#"{{"client_id":"{known}","payload":"{}"#, "A".repeat(100_000));
        let begin = if length.starts_with('T') {
            format!("{:x}\r\n{begin}\r\n", begin.len())
        } else {
            begin
        };
        stream
            .write_all(&[head(length).as_bytes(), begin.as_bytes()].concat())
            .await
            .unwrap();
        slow.spawn(async move {
            // Until the hub has had enough of it.
            let mut answer = [0; 1024];
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            loop {
                tokio::select! {
                    read = stream.read(&mut answer) => break String::from_utf8_lossy(&answer[..read.unwrap_or(0)]).into_owned(),
                    _ = ticks.tick() => if stream.write_all(b"A").await.is_err() { break String::new() },
                }
            }
        });
    }
    let before = hub.hub.resident_kib().unwrap().0;
    let rows: Vec<_> = (0..800)
        .map(|row| json!({"id": format!("no-such-{row}"), "filler": "x".repeat(200)}))
        .collect();
    for _ in 0..3 {
        let push = json!({"changes": {"nothing_known": {"created": &rows}}, "lastPulledAt": 0});
        phone.client.command_bytes("sync_push", push).await.unwrap();
    }
    let after = hub.hub.resident_kib().unwrap().0;
    assert!(after < before + 100_000, "{before} KiB became {after} KiB");
    while let Some(answer) = slow.join_next().await {
        let answer = answer.unwrap();
        // One of the chunked ones sends what is no chunk.
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{answer}");
    }

    // Of a stranger, nothing is read that does not tell who it is.
    let mut stream = connect(hub.hub.url(), Ipv4Addr::new(127, 0, 9, 200)).await;
    let begin = format!(
        r#"{{"client_id":"{}","payload":"{}"#,
        uuid::Uuid::new_v4(),
        "A".repeat(5_000)
    );
    stream
        .write_all(&[head("Content-Length: 60000000").as_bytes(), begin.as_bytes()].concat())
        .await
        .unwrap();
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 428 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_under_an_overheard_id_disturb_no_sync() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    let known = phone.client.client_id().to_owned();
    let stop = Arc::new(AtomicBool::new(false));
    let mut strangers = JoinSet::new();
    for last in 1..=40 {
        let (url, known, stop) = (hub.hub.url().to_owned(), known.clone(), Arc::clone(&stop));
        strangers.spawn(async move {
            let mut http = from(&url, [127, 0, 8, last]);
            let mut taken = 0;
            while !stop.load(Ordering::Relaxed) {
                taken += usize::from(http.post(HANDSHAKE, handshake_of(&known)).await.unwrap().status == 200);
            }
            taken
        });
    }
    for sync in 0..38 {
        phone
            .sync()
            .await
            .unwrap_or_else(|error| panic!("sync {sync}: {error}"));
    }
    stop.store(true, Ordering::Relaxed);
    let taken: usize = strangers.join_all().await.into_iter().sum();
    assert!(taken > 400, "{taken} handshakes");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_an_open_pairing_wait_for_the_person_and_leave_nothing() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut panel = hub.hub.panel().await.unwrap();
    let code = panel.open_pairing().await.unwrap();
    panel.keep_pairing_open().await.unwrap();
    let mut strangers = JoinSet::new();
    for last in 1..=250 {
        let url = code.url.clone();
        strangers.spawn(async move {
            let stranger = uuid::Uuid::new_v4().to_string();
            from(&url, [127, 0, 7, last])
                .post(HANDSHAKE, handshake_of(&stranger))
                .await
                .map(|reply| reply.status)
        });
    }
    // Those who wait get in one by one, each seen by the person at the box, or are told to come later.
    let strangers = tokio::spawn(strangers.join_all());
    let mut undone = 0;
    loop {
        let seen = |screen: &Screen| screen.name == "paired" || strangers.is_finished();
        panel.wait_until(seen).await.unwrap();
        if panel.screen().name != "paired" {
            break;
        }
        panel.undo().await.unwrap();
        undone += 1;
    }
    // More connections than there are places for strangers: those of the first are closed, some with their answer.
    let statuses: Vec<u16> = strangers.await.unwrap().into_iter().filter_map(Result::ok).collect();
    let paired = statuses.iter().filter(|status| **status == 200).count();
    // The last of them may have its answer before the panel shows it.
    while undone < paired {
        panel.wait_for("paired").await.unwrap();
        panel.undo().await.unwrap();
        undone += 1;
    }
    assert!(paired <= undone && undone <= 20, "{paired} paired, {undone} undone");
    let mut nurses = HubClient::new(&code.url, &uuid::Uuid::new_v4().to_string())
        .unwrap()
        .named("Nurse's phone");
    nurses.http().call_from(Ipv4Addr::new(127, 0, 6, 1).into());
    if panel.look().unwrap().name != "paired" {
        panel.open_pairing().await.unwrap();
    }
    let paired = tokio::spawn(async move { nurses.handshake().await.map(|_| ()) });
    // A stranger whose connection was closed before its answer may come first: the person keeps the phone that she knows.
    loop {
        let shown = panel.wait_for("paired").await.unwrap();
        if shown.lines.iter().any(|line| line.contains("Nurse's phone")) {
            break;
        }
        panel.undo().await.unwrap();
    }
    panel.keep().await.unwrap();
    paired.await.unwrap().unwrap();
    panel.choose("Phones").await.unwrap();
    panel.wait_for("phones").await.unwrap();
    let listed = panel.screen().lines.join("\n");
    assert!(
        listed.contains("Nurse's phone") && !listed.contains("Stranger"),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_is_not_heard() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let mut http = HttpClient::new(hub.hub.url()).unwrap();
    let body = Bytes::from(handshake_of(&uuid::Uuid::new_v4().to_string()));
    let plain = hyper::HeaderMap::from_iter([(hyper::header::CONTENT_TYPE, "text/plain".parse().unwrap())]);
    for headers in [plain, hyper::HeaderMap::new()] {
        let reply = http
            .send_with(Method::POST, HANDSHAKE, headers, body.clone())
            .await
            .unwrap();
        assert_eq!(reply.status, 400);
    }
    assert_eq!(http.post(HANDSHAKE, body).await.unwrap().status, 403, "JSON is");
}
