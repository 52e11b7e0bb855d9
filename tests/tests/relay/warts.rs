//! The stand-in does what the cloud does that it should not: each of its warts bites, and is gone when its switch is off.

use hub_tests::clinic::Clinic;
use hub_tests::cloud::{Cloud, Fault, Generation, Switches};
use hub_tests::phone::http::HttpClient;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::world::SIZE;

/// A hub's conversation with the cloud, by hand.
struct Talk {
    cloud: Cloud,
    http: HttpClient,
    clinic: String,
    user: String,
}

impl Talk {
    async fn new() -> Self {
        let clinic = Clinic::generate(31, SIZE);
        let cloud = Cloud::start(&clinic).await.unwrap();
        let http = HttpClient::new(cloud.url()).unwrap();
        let user = &clinic.users()[0];
        Self {
            http,
            clinic: user.clinic_id.clone(),
            user: user.id.clone(),
            cloud,
        }
    }

    fn only(&self, turn: impl FnOnce(&mut Switches)) {
        self.cloud.switch(|switches| {
            *switches = Switches {
                generation: Generation::C1,
                object_object: false,
                invents_visits: false,
                poorer_echoes: false,
                stamps: false,
                drops_silently: false,
                local_midnight: false,
                ..Switches::default()
            };
            turn(switches);
        });
    }

    async fn ask(&mut self, method: Method, since: i64, body: String) -> (u16, String) {
        let key = HeaderValue::from_str(&format!("Bearer {}", self.cloud.key())).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, key)]);
        let path = format!("/api/v2/sync?last_pulled_at={since}&peerType=sync_hub");
        let reply = self.http.send_with(method, &path, headers, body.into()).await.unwrap();
        (reply.status, String::from_utf8(reply.body.to_vec()).unwrap())
    }

    async fn push(&mut self, changes: Value) -> (u16, String) {
        self.ask(Method::POST, 0, changes.to_string()).await
    }

    async fn pull(&mut self, since: i64) -> Value {
        let (status, answer) = self.ask(Method::GET, since, String::new()).await;
        assert_eq!(status, 200);
        serde_json::from_str(&answer).unwrap()
    }

    async fn row(&self, table: &str, id: &str) -> Option<Value> {
        let rows = self.cloud.rows(table).await.unwrap();
        rows.into_iter().find(|row| row["id"] == id).map(Value::Object)
    }

    fn patient(&self, id: &str, name: &str, updated_at: &str) -> Value {
        json!({"id": id, "given_name": name, "primary_clinic_id": self.clinic, "date_of_birth": "1990-05-01",
            "additional_data": {}, "metadata": {}, "created_at": "2026-01-01T00:00:00.000Z", "updated_at": updated_at})
    }
}

fn id(number: u8) -> String {
    format!("0197f000-0000-7000-8000-0000000000{number:02x}")
}

fn created(table: &str, rows: Value) -> Value {
    json!({table: {"created": rows, "updated": [], "deleted": []}})
}

const EARLY: &str = "2026-01-02T00:00:00.000Z";
const LATE: &str = "2026-01-03T00:00:00.000Z";

#[tokio::test(flavor = "multi_thread")]
async fn each_wart_of_the_stand_in_bites_and_has_a_switch() {
    let mut talk = Talk::new().await;
    bad_rows(&mut talk).await;
    visits_and_echoes(&mut talk).await;
    stamps_and_drops(&mut talk).await;
    days_and_open_transactions(&mut talk).await;
    history_and_clock(&mut talk).await;
    one_bucket(&mut talk).await;
}

/// A row that breaks a rule ends the older cloud's push with an error that names nothing, or a 200 that says nothing; the
/// newer one skips it behind a success.
async fn bad_rows(talk: &mut Talk) {
    let batch = |talk: &Talk, first: u8| {
        let long = "x".repeat(60);
        let mut bad = talk.patient(&id(first + 1), "Bad", EARLY);
        bad["camp"] = long.into();
        json!([
            talk.patient(&id(first), "Before", EARLY),
            bad,
            talk.patient(&id(first + 2), "Behind", EARLY)
        ])
    };
    talk.only(|_| {});
    let (status, answer) = talk.push(created("patients", batch(talk, 1))).await;
    assert_eq!((status, answer.contains("unhandled")), (500, true), "{answer}");
    assert!(
        talk.row("patients", &id(1)).await.is_some(),
        "rows before it are stored"
    );
    assert!(
        talk.row("patients", &id(3)).await.is_none(),
        "rows behind it are not looked at"
    );
    talk.only(|switches| switches.object_object = true);
    let (status, answer) = talk.push(created("patients", batch(talk, 11))).await;
    assert_eq!((status, answer.as_str()), (200, "[object Object]"));
    talk.only(|switches| switches.generation = Generation::C2);
    let (status, answer) = talk.push(created("patients", batch(talk, 21))).await;
    assert_eq!((status, answer.contains("\"success\":true")), (200, true));
    assert!(talk.row("patients", &id(22)).await.is_none() && talk.row("patients", &id(23)).await.is_some());
}

async fn visits_and_echoes(talk: &mut Talk) {
    let event = |number: u8| {
        json!([{"id": id(number), "patient_id": id(1), "visit_id": null, "event_type": "E", "form_data": [], "metadata": {},
            "created_at": EARLY, "updated_at": EARLY}])
    };
    let before = talk.cloud.rows("visits").await.unwrap().len();
    talk.only(|_| {});
    talk.push(created("events", event(31))).await;
    assert_eq!(talk.cloud.rows("visits").await.unwrap().len(), before);
    talk.only(|switches| switches.invents_visits = true);
    for _ in 0..2 {
        talk.push(created("events", event(32))).await;
    }
    assert_eq!(
        talk.cloud.rows("visits").await.unwrap().len(),
        before + 2,
        "a new one at each push"
    );

    let prescription = |talk: &Talk, number: u8| {
        json!([{"id": id(number), "patient_id": id(1), "provider_id": talk.user, "pickup_clinic_id": talk.clinic,
            "status": "pending", "items": [{"drug": 1}], "metadata": {"a": 1}, "created_at": EARLY, "updated_at": EARLY}])
    };
    talk.only(|_| {});
    talk.push(created("prescriptions", prescription(talk, 33))).await;
    assert_eq!(
        talk.row("prescriptions", &id(33)).await.unwrap()["items"],
        json!([{"drug": 1}])
    );
    talk.only(|switches| switches.poorer_echoes = true);
    talk.push(created("prescriptions", prescription(talk, 34))).await;
    let poorer = talk.row("prescriptions", &id(34)).await.unwrap();
    assert_eq!((&poorer["items"], &poorer["metadata"]), (&json!([]), &json!({})));
}

async fn stamps_and_drops(talk: &mut Talk) {
    let visit = |talk: &Talk, number: u8, name: &str, updated_at: &str| {
        json!([{"id": id(number), "patient_id": id(1), "clinic_id": talk.clinic, "provider_name": name, "metadata": {},
            "created_at": EARLY, "updated_at": updated_at}])
    };
    talk.only(|_| {});
    for at in [EARLY, LATE] {
        talk.push(created("visits", visit(talk, 41, at, at))).await;
    }
    let stamp = |row: Value| row["updated_at"].as_str().unwrap()[..10].to_owned();
    assert_eq!(stamp(talk.row("visits", &id(41)).await.unwrap()), "2026-01-03");
    talk.only(|switches| switches.stamps = true);
    for at in [EARLY, LATE] {
        talk.push(created("visits", visit(talk, 42, at, at))).await;
    }
    assert_ne!(
        stamp(talk.row("visits", &id(42)).await.unwrap()),
        "2026-01-03",
        "the cloud's own time"
    );

    let name = |row: Value| row["given_name"].as_str().unwrap().to_owned();
    talk.only(|_| {});
    for (name, at) in [("Later", LATE), ("Earlier", EARLY)] {
        talk.push(created("patients", json!([talk.patient(&id(43), name, at)])))
            .await;
    }
    assert_eq!(name(talk.row("patients", &id(43)).await.unwrap()), "Earlier");
    talk.only(|switches| switches.drops_silently = true);
    for (name, at) in [("Later", LATE), ("Earlier", EARLY)] {
        let (status, answer) = talk
            .push(created("patients", json!([talk.patient(&id(44), name, at)])))
            .await;
        assert_eq!((status, answer.contains("true")), (200, true));
    }
    assert_eq!(name(talk.row("patients", &id(44)).await.unwrap()), "Later");
    let mut foreign = talk.patient(&id(45), "Foreign", LATE);
    foreign["primary_clinic_id"] = id(99).into();
    let (status, _) = talk.push(created("patients", json!([foreign]))).await;
    assert_eq!((status, talk.row("patients", &id(45)).await), (200, None));
}

async fn days_and_open_transactions(talk: &mut Talk) {
    let birth = |answer: &Value| {
        let rows = answer["changes"]["patients"]["created"].as_array().unwrap().iter();
        let mut row = rows.filter(|row| row["id"] == id(1).as_str());
        row.next().unwrap()["date_of_birth"].as_str().unwrap().to_owned()
    };
    talk.only(|_| {});
    assert_eq!(birth(&talk.pull(1).await), "1990-05-01");
    talk.only(|switches| switches.local_midnight = true);
    assert_eq!(birth(&talk.pull(1).await), "1990-04-30T21:00:00.000Z");

    // Somebody's transaction is open while the hub pulls: its row is stamped before the pull's time.
    let mut elsewhere = talk.cloud.elsewhere().await.unwrap();
    let transaction = elsewhere.transaction().await.unwrap();
    let sql = format!(
        "INSERT INTO patients (id, given_name, primary_clinic_id, last_modified, server_created_at) \
         VALUES ('{}', 'Open', '{}', now(), now())",
        id(51),
        talk.clinic
    );
    transaction.execute(&sql, &[]).await.unwrap();
    let timestamp = talk.pull(1).await["timestamp"].as_i64().unwrap();
    transaction.commit().await.unwrap();
    let tells = |answer: Value| answer["changes"]["patients"].to_string().contains(&id(51));
    assert!(
        !tells(talk.pull(timestamp + 1).await),
        "missed for ever by who goes on from there"
    );
    assert!(tells(talk.pull(timestamp - 600_000).await));
    talk.only(|switches| switches.faults = vec![Fault::MissNewest]);
    let visits = |answer: Value| answer["changes"]["visits"]["created"].as_array().unwrap().len();
    let missed = visits(talk.pull(1).await);
    assert_eq!(visits(talk.pull(1).await), missed + 1);
}

/// The newer cloud's organisation may set how old a row may be to be told; and its clock may be wrong.
async fn history_and_clock(talk: &mut Talk) {
    talk.only(|switches| switches.generation = Generation::C2);
    let now = jiff::Timestamp::now();
    let at = format!("{now:.3}");
    let mut young = talk.patient(&id(61), "Young", &at);
    young["created_at"] = at.as_str().into();
    talk.push(created("patients", json!([young]))).await;
    for since in [0, 1] {
        talk.only(|switches| switches.generation = Generation::C2);
        let told = |answer: Value, number: u8| answer["changes"]["patients"].to_string().contains(&id(number));
        // The first is from the beginning of the year.
        assert!(told(talk.pull(since).await, 1) && told(talk.pull(since).await, 61));
        talk.cloud.switch(|switches| switches.history_days = Some(7));
        assert!(!told(talk.pull(since).await, 1) && told(talk.pull(since).await, 61));
        let users = talk.pull(since).await["changes"]["users"]["updated"]
            .as_array()
            .unwrap()
            .len();
        assert!(users > 0, "users are told whatever their age");
    }

    const DAY_MS: i64 = 86_400_000;
    talk.only(|switches| switches.clock_off = DAY_MS);
    let tomorrow = now.as_millisecond() + DAY_MS;
    assert!(talk.pull(1).await["timestamp"].as_i64().unwrap() >= tomorrow);
    talk.push(created("patients", json!([talk.patient(&id(62), "Ahead", EARLY)])))
        .await;
    let stamped = talk.row("patients", &id(62)).await.unwrap()["last_modified"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        stamped.parse::<jiff::Timestamp>().unwrap().as_millisecond() >= tomorrow,
        "{stamped}"
    );
    talk.only(|_| {});
    assert!(talk.pull(1).await["timestamp"].as_i64().unwrap() < tomorrow);
}

async fn one_bucket(talk: &mut Talk) {
    talk.only(|switches| switches.rate = Some(3));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(talk.ask(Method::GET, i64::MAX / 1_000_000, String::new()).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
    talk.only(|_| {});
    assert_eq!(talk.ask(Method::GET, i64::MAX / 1_000_000, String::new()).await.0, 200);
}
