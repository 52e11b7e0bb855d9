//! What a phone or an account can do to the others, and what a recorded message is good for.

use std::path::Path;

use hub_appliance::clock::HubTime;
use hub_tests::phone::ClientError;
use hub_tests::phone::wire::{Message, Session};
use tokio::task::JoinSet;

use super::limits::Board;
use super::*;

#[path = "../support/opened.rs"]
mod opened;

async fn paired(hub: &TestHub) -> Phone {
    Phone::with_client(hub.pair(|client| client).await.unwrap())
}

/// A pull of everything, without what the app does when it is refused.
async fn first_pull(phone: &mut Phone) -> Result<(), ClientError> {
    let everything = json!({"lastPulledAt": 0});
    phone.client.query_bytes("sync_pull", everything).await.map(drop)
}

fn sealed(session: &Session, kind: Message, plaintext: &serde_json::Value, client: &str) -> String {
    let payload = session.seal(kind, plaintext.to_string().as_bytes()).unwrap();
    json!({"client_id": client, "payload": payload}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_by_the_dozen_keeps_nobody_from_logging_in() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let nurse = nurse(&clinic);
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut greedy = paired(&hub).await;
    greedy.client.handshake().await.unwrap();
    let mut others = Vec::new();
    for _ in 0..13 {
        others.push(paired(&hub).await);
    }
    let _board = Board::around(hub.hub.pid().unwrap());
    let session = greedy.client.session().unwrap();
    let mut logins = JoinSet::new();
    for last in 1..=24 {
        let login = json!({"command": "login", "data": {"email": nurse.email, "password": nurse.password}});
        let body = sealed(session, Message::Command, &login, greedy.client.client_id());
        let mut http = from(hub.hub.url(), [127, 0, 5, last]);
        logins.spawn(async move { http.post("/rpc/command", body).await.map(|reply| reply.status) });
    }
    let mut honest = JoinSet::new();
    for mut other in others {
        let (email, password) = (doctor.email.clone(), doctor.password.clone());
        honest.spawn(async move { other.log_in(&email, &password).await.map(drop) });
    }
    for login in honest.join_all().await {
        login.unwrap();
    }
    // A phone that opens connections by the dozen loses the oldest, with what it asked for there.
    let answered: Vec<u16> = logins.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert!(
        answered.contains(&200) && answered.iter().all(|status| [200, 429].contains(status)),
        "{answered:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_mistypes_behind_one_address_gets_in_and_a_guesser_locks_out_nobody() {
    let clinic = clinic();
    let hub = hub(&clinic).await;
    let nurse = nurse(&clinic);
    // A phone that never had a good login guesses at the account.
    let mut guesser = paired(&hub).await;
    guesser.client.http().call_from([127, 0, 4, 1].into());
    let mut refused = 0;
    while guesser.log_in(&nurse.email, "guess").await.unwrap_err().status() == Some(401) {
        refused += 1;
        assert!(refused < 20, "it has to wait in the end");
    }
    for _ in 0..20 {
        let mut person = paired(&hub).await;
        person.client.http().call_from([127, 0, 4, 1].into());
        let mistyped = person.log_in(&nurse.email, "mistyped").await;
        assert_eq!(mistyped.unwrap_err().status(), Some(401));
        person.log_in(&nurse.email, &nurse.password).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_thirty_tokens_a_phone_keeps_the_newest_eight() {
    let clinic = clinic();
    let mut hub = hub(&clinic).await;
    let nurse = nurse(&clinic);
    let mut phone = hub.phone(nurse).await.unwrap();
    let mut other = hub.phone(nurse).await.unwrap();
    let mut tokens = vec![phone.client.token().unwrap().to_owned()];
    for _ in 1..30 {
        phone.log_in(&nurse.email, &nurse.password).await.unwrap();
        tokens.push(phone.client.token().unwrap().to_owned());
    }
    for restarted in [false, true] {
        if restarted {
            hub.hub.kill9().await.unwrap();
            hub.start_again().await.unwrap();
            phone.client.handshake().await.unwrap();
            other.client.handshake().await.unwrap();
        }
        for (number, token) in tokens.iter().enumerate() {
            phone.client.set_token(Some(token.clone()));
            let status = first_pull(&mut phone).await.map_err(|error| error.status());
            let expected = if number < 22 { Err(Some(401)) } else { Ok(()) };
            assert_eq!(status, expected, "token {number}, restarted: {restarted}");
        }
        first_pull(&mut other).await.unwrap();
    }
}

/// A login and a pull as somebody on the Wi-Fi recorded them, with the handshake before.
struct Recorded {
    handshake: String,
    login: String,
    pull: String,
}

async fn record(hub: &TestHub, phone: &mut Phone, user: &DemoUser) -> Recorded {
    let key = KeyPair::generate(Curve::X25519).unwrap();
    let client = phone.client.client_id().to_owned();
    let handshake = json!({"client_id": client, "client_public_key": key.public_key()}).to_string();
    let mut http = HttpClient::new(hub.hub.url()).unwrap();
    let answer = http.post(HANDSHAKE, handshake.clone()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let session = key.agree(answer["hub_public_key"].as_str().unwrap()).unwrap();
    let login = json!({"command": "login", "data": {"email": user.email, "password": user.password}});
    let login = sealed(&session, Message::Command, &login, &client);
    let answer = http.post("/rpc/command", login.clone()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let answer = session
        .open(Message::CommandResponse, answer["payload"].as_str().unwrap())
        .unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    let pull = json!({"query": "sync_pull", "params": {"lastPulledAt": 0}, "token": answer["token"]});
    let pull = sealed(&session, Message::Query, &pull, &client);
    assert_eq!(http.post("/rpc/query", pull.clone()).await.unwrap().status, 200);
    Recorded { handshake, login, pull }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_login_and_pull_are_refused_after_a_restart_too() {
    let clinic = clinic();
    let mut hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    let recorded = record(&hub, &mut phone, nurse(&clinic)).await;
    for restarts in 0..2 {
        if restarts > 0 {
            hub.hub.kill9().await.unwrap();
            hub.start_again().await.unwrap();
        }
        let mut http = from(hub.hub.url(), [127, 0, 3, 1]);
        assert_eq!(
            http.post(HANDSHAKE, recorded.handshake.clone()).await.unwrap().status,
            200
        );
        for (path, body) in [("/rpc/command", &recorded.login), ("/rpc/query", &recorded.pull)] {
            let reply = http.post(path, body.clone()).await.unwrap();
            assert_eq!(reply.status, 428, "{path} after {restarts} restarts");
        }
    }
    phone.client.handshake().await.unwrap();
    phone.sync().await.unwrap();
}

/// What the audit log of a hub that has ended says was refused: (action, device, how often).
fn refusals(data: &Path) -> Vec<(String, i64, u64)> {
    let store = opened::open(data, HubTime::ZERO);
    let entries = store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
    entries
        .into_iter()
        .filter(|entry| entry.action.starts_with("refused"))
        .map(|entry| {
            let detail: serde_json::Value = serde_json::from_str(&entry.detail).unwrap();
            (entry.action, entry.device.0, detail["count"].as_u64().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_written_down_and_a_flood_of_it_is_not() {
    let clinic = clinic();
    let mut hub = hub(&clinic).await;
    let mut phone = hub.phone(nurse(&clinic)).await.unwrap();
    let recorded = record(&hub, &mut phone, nurse(&clinic)).await;
    let mut panel = hub.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    let wrong: Result<(), _> = panel.unlock("27182818").await;
    assert!(wrong.is_err());
    panel.unlock(hub_tests::hub::PIN).await.unwrap();

    phone.client.handshake().await.unwrap();
    phone.client.set_token(Some("no.such.token".into()));
    for _ in 0..3 {
        let refused = first_pull(&mut phone).await.unwrap_err();
        assert_eq!(refused.status(), Some(401));
    }
    let mut http = from(hub.hub.url(), [127, 0, 2, 200]);
    http.post(HANDSHAKE, recorded.handshake.clone()).await.unwrap();
    assert_eq!(
        http.post("/rpc/command", recorded.login.clone()).await.unwrap().status,
        428
    );
    for last in 1..=100 {
        let mut http = from(hub.hub.url(), [127, 0, 2, last]);
        for _ in 0..10 {
            let stranger = uuid::Uuid::new_v4().to_string();
            assert_eq!(http.post(HANDSHAKE, handshake_of(&stranger)).await.unwrap().status, 403);
        }
    }
    hub.hub.terminate().await.unwrap();
    let written = refusals(&hub.data());
    assert!(written.len() < 30, "{written:?}");
    assert!(written.contains(&("refused.pin".into(), 0, 1)), "{written:?}");
    assert!(written.contains(&("refused.token".into(), 1, 3)), "{written:?}");
    assert!(written.contains(&("refused.replay".into(), 1, 1)), "{written:?}");
    let strangers = written
        .iter()
        .filter(|(action, ..)| ["refused.stranger", "refused.others"].contains(&action.as_str()));
    assert_eq!(strangers.map(|(.., count)| count).sum::<u64>(), 1000);
}
