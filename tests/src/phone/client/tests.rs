//! The client and the sync over real sockets, against a stand-in for a hub.

use serde_json::{Value, json};

use super::super::clock::PhoneClock;
use super::super::generation::Generation;
use super::super::stand_in::{Answer, StandIn, public_key};
use super::super::sync::{Phone, SyncError};
use super::*;

const CLIENT_ID: &str = "074d3e90-0123-42a6-8b91-4226c805a24a";

fn sample(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/samples/sync/");
    serde_json::from_slice(&std::fs::read(format!("{folder}{name}")).unwrap()).unwrap()
}

async fn client(answers: Vec<Answer>) -> (HubClient, StandIn) {
    let hub = StandIn::start(answers).await;
    let mut client = HubClient::new(&hub.url, CLIENT_ID)
        .unwrap()
        .paired_with(Some(public_key()));
    client.handshake().await.unwrap();
    (client, hub)
}

#[tokio::test]
async fn a_sync_sends_what_the_app_sends() {
    let login = sample("02-command-login.json")["result"].clone();
    let answers = vec![
        Answer::Result(login),
        Answer::Result(sample("03b-sync_pull-response-used.json")),
        Answer::Result(json!({})),
        Answer::Result(json!({"changes": {}, "timestamp": 1_795_225_486_548_i64})),
    ];
    let (client, hub) = client(answers).await;
    let mut phone = Phone::with_client(client).with_app(Generation::V1_5);
    phone.clock = PhoneClock::stepping_from(1_795_225_486_600);
    phone.log_in("dr@example.test", "made-up-pass").await.unwrap();
    let patient = "0197f000-0000-7000-8000-000000100003";
    let table_row = sample("03b-sync_pull-response-used.json")["changes"]["patients"]["created"][2].clone();
    assert_eq!(table_row["id"], patient);

    phone.client.handshake().await.unwrap();
    phone.pull().await.unwrap();
    phone.delete("patients", patient).unwrap();
    phone.push().await.unwrap();
    let report = phone.sync().await.unwrap();
    assert!(report.pushed.is_empty(), "nothing is left to push");

    let seen = hub.seen.lock().unwrap();
    assert_eq!(seen[0], sample("02-command-login.json")["plain"]);
    assert_eq!(seen[1], sample("03-query-sync_pull-first.json")["plain"]);
    let mut recorded = sample("07-command-sync_push-soft-delete-flag.json")["plain"].clone();
    let mut sent = seen[2].clone();
    for push in [&mut recorded, &mut sent] {
        push["data"]["lastPulledAt"] = json!(0);
        push["data"]["changes"]["patients"]["updated"][0]["updated_at"] = json!(0);
    }
    assert_eq!(sent, recorded);
    assert_eq!(seen[3]["params"]["lastPulledAt"], json!(1_795_225_486_547_i64));
    assert_eq!(phone.client.http().statuses().get(&200), Some(&8));
}

#[tokio::test]
async fn a_push_that_is_refused_is_pushed_again() {
    let pull = || Answer::Result(json!({"changes": {}, "timestamp": 5}));
    let answers = vec![pull(), Answer::Status(503), pull(), Answer::Result(json!({}))];
    let (client, hub) = client(answers).await;
    let mut phone = Phone::with_client(client);
    phone.database.create("visits", "v", &[], 1).unwrap();
    let refused = phone.sync().await.unwrap_err();
    assert_eq!(refused.status(), Some(503));
    assert_eq!(phone.sync().await.unwrap().pushed, [("visits", 1)]);
    let seen = hub.seen.lock().unwrap();
    assert_eq!(seen[1]["data"]["changes"], seen[3]["data"]["changes"]);
}

#[tokio::test]
async fn a_bad_answer_leaves_the_cursor() {
    let answers = vec![Answer::Result(json!({"changes": {"users": {}}, "timestamp": 5}))];
    let (client, _hub) = client(answers).await;
    let mut phone = Phone::with_client(client);
    assert!(matches!(phone.sync().await, Err(SyncError::Pull(_))));
    assert_eq!(phone.database.cursor(), &json!(0));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let answers = vec![
        Answer::Status(401),
        Answer::Status(429),
        Answer::Body(r#"{"payload":"","success":false,"error":"x"}"#.to_owned()),
        Answer::Body(r#"{"payload":"AAAA","success":true}"#.to_owned()),
        Answer::Body("null".to_owned()),
        Answer::Result(Value::Null),
    ];
    let (mut client, _hub) = client(answers).await;
    let refused = client.login("a", "b").await.unwrap_err();
    assert!(matches!(&refused, ClientError::Refused { status: 401, retry_after: None, error } if error == "refused"));
    let limited = client.ping().await.unwrap_err();
    assert!(matches!(
        limited,
        ClientError::Refused {
            status: 429,
            retry_after: Some(30),
            ..
        }
    ));
    assert!(matches!(client.ping().await, Err(ClientError::FailureInSuccess)));
    assert!(matches!(client.ping().await, Err(ClientError::Wire(WireError::Sealed))));
    assert!(matches!(client.ping().await, Err(ClientError::Shape(_))));
    assert!(matches!(client.ping().await, Err(ClientError::NotAnAnswer)));
    assert_eq!(client.http().statuses().get(&401), Some(&1));
}

#[tokio::test]
async fn another_hub_is_not_talked_to() {
    let hub = StandIn::start(Vec::new()).await;
    let other_key = "ZrP_QgCFgmgq9HriZT430s6oLUiCBgfdgamB74qqk0s".to_owned();
    let mut client = HubClient::new(&hub.url, CLIENT_ID)
        .unwrap()
        .paired_with(Some(other_key));
    assert!(matches!(client.handshake().await, Err(ClientError::OtherHub)));
    assert!(matches!(client.ping().await, Err(ClientError::NoSession)));
}

#[tokio::test]
async fn a_closed_connection_is_opened_again() {
    let answers = vec![
        Answer::ResultAndClose(json!({"pong": true})),
        Answer::Result(json!({"pong": true})),
    ];
    let (mut client, _hub) = client(answers).await;
    client.ping().await.unwrap();
    client.heartbeat().await.unwrap();
    client.ping().await.unwrap();
}

#[test]
fn only_plain_addresses() {
    for url in [
        "https://127.0.0.1:4001",
        "http://127.0.0.1",
        "http://:4001",
        "http://host:x",
        "http://host:1/path",
    ] {
        assert!(HubClient::new(url, CLIENT_ID).is_err(), "{url}");
    }
}
