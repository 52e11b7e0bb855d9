//! Honest mornings that are as bad as an attack: many first pulls at once, readers that hardly
//! read. `HUB_ATTACK_PATIENTS` and `HUB_ATTACK_STORMS` make them larger than every run of the tests has time for.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};

use hub_tests::effort::number;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::wire::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::limits::Board;
use super::*;

const PHONES: usize = 20;

/// A clinic of some size, 12 rows a patient, and a hub on a small board that holds it.
async fn large_clinic() -> (Clinic, TestHub, Board) {
    let patients = number("HUB_ATTACK_PATIENTS", 1_000);
    let size = ClinicSize {
        patients,
        visits: patients * 3,
        events: patients * 6,
    };
    let clinic = Clinic::generate(8, size);
    let mut hub = hub(&clinic).await;
    // From its start, so that all its memory counts.
    hub.hub.terminate().await.unwrap();
    hub.start_locked().await.unwrap();
    let board = Board::of_memory(hub.hub.pid().unwrap());
    hub.hub
        .panel()
        .await
        .unwrap()
        .unlock(hub_tests::hub::PIN)
        .await
        .unwrap();
    (clinic, hub, board)
}

#[tokio::test(flavor = "multi_thread")]
async fn first_pulls_by_the_dozen_all_finish_while_others_work() {
    let (clinic, hub, _board) = large_clinic().await;
    let nurse = nurse(&clinic);
    let mut phones = Vec::new();
    for _ in 0..PHONES {
        phones.push(hub.phone(nurse).await.unwrap());
    }
    let mut worker = hub.phone(nurse).await.unwrap();
    worker.sync().await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let working = {
        let done = Arc::clone(&done);
        tokio::spawn(async move {
            let patient = worker
                .database
                .rows("patients")
                .unwrap()
                .next()
                .map(|(id, _)| id.to_owned());
            let patient = patient.unwrap();
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                let camp: [(&str, Cell); 1] = [("camp", format!("{rounds}").into())];
                worker.edit("patients", &patient, &camp).unwrap();
                worker.pull().await.unwrap();
                worker.push().await.unwrap();
                rounds += 1;
            }
            rounds
        })
    };
    let mut lengths = Vec::new();
    for storm in 0..number("HUB_ATTACK_STORMS", 1) {
        let begun = std::time::Instant::now();
        let mut pulls = JoinSet::new();
        for mut phone in phones {
            pulls.spawn(async move {
                phone.client.handshake().await.unwrap();
                let first = json!({"lastPulledAt": 0});
                let length = phone.client.query_bytes("sync_pull", first).await.unwrap().len();
                (phone, length)
            });
        }
        let (back, pulled): (Vec<_>, Vec<_>) = pulls.join_all().await.into_iter().unzip();
        phones = back;
        lengths.extend(pulled);
        let (_, highest) = hub.hub.resident_kib().unwrap();
        eprintln!("storm {storm}: {:?}, {highest} KiB at the highest", begun.elapsed());
    }
    done.store(true, Ordering::Relaxed);
    assert!(working.await.unwrap() > 0);
    let [shortest, longest] = [lengths.iter().min(), lengths.iter().max()].map(Option::unwrap);
    eprintln!("{} pulls of {shortest} to {longest} bytes", lengths.len());
    assert!(*shortest > 1_000_000, "{shortest}");
    assert!(hub.hub.resident_kib().unwrap().1 < 400 * 1024);
}

/// A first pull of `phone` on a connection of its own that takes in next to nothing by itself.
async fn ask_for_everything(hub: &TestHub, phone: &Phone, source: Ipv4Addr) -> TcpStream {
    let pull = json!({"query": "sync_pull", "params": {"lastPulledAt": 0}, "token": phone.client.token()});
    let session = phone.client.session().unwrap();
    let payload = session.seal(Message::Query, pull.to_string().as_bytes()).unwrap();
    let body = json!({"client_id": phone.client.client_id(), "payload": payload}).to_string();
    let head = format!(
        "POST /rpc/query HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.bind((source, 0).into()).unwrap();
    let address = hub.hub.url().strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream
        .write_all(&[head.as_bytes(), body.as_bytes()].concat())
        .await
        .unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_hardly_read_leave_room_for_others() {
    let (clinic, hub, _board) = large_clinic().await;
    let nurse = nurse(&clinic);
    let mut readers = Vec::new();
    for phone in 0..3 {
        let mut slow = hub.phone(nurse).await.unwrap();
        slow.client.handshake().await.unwrap();
        for last in 1..=8 {
            readers.push(ask_for_everything(&hub, &slow, Ipv4Addr::new(127, 0, 5, phone * 8 + last)).await);
        }
    }
    // The first of a phone has its answer, and takes one byte of it.
    readers[0].read_u8().await.unwrap();

    let mut honest = hub.phone(nurse).await.unwrap();
    honest.sync().await.unwrap();
    drop(readers);
    let (_, highest) = hub.hub.resident_kib().unwrap();
    assert!(highest < 400 * 1024, "{highest} KiB");
}
