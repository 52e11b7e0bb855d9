//! What answers in the cloud's place: the portal of a network that wants money first, a proxy, a machine that is broken. None of
//! it changes anything, is taken for an acknowledgement, or gets the key to somebody else.

use std::time::{Duration, Instant};

use hub_tests::cloud::{Call, Fault, Generation, Said};
use hub_tests::hub::{self, Log, PIN};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::world::{Relayed, new_patient};

const PORTAL: &str = "<!DOCTYPE html><html><body>Welcome! Buy an hour of internet</body></html>";
const EMPTY: &str = r#"{"success":true,"changes":{},"timestamp":1}"#;
/// The same by gzip.
const ZIPPED: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x2a\x2e\x4d\x4e\x4e\x2d\x2e\x56\xb2\x2a\x29\x2a\x4d\xd5\x51\x4a\xce\x48\xcc\x4b\x4f\x05\x72\xab\x6b\x75\x94\x4a\x32\x73\x53\x8b\x4b\x12\x73\x0b\x94\xac\x0c\x6b\x01\x21\xc3\x48\x90\x2b\x00\x00\x00";

fn said(status: u16, body: &str) -> Said {
    Said {
        status,
        header: None,
        body: body.into(),
    }
}

fn with(status: u16, name: &'static str, value: &str) -> Said {
    Said {
        header: Some((name, value.to_owned())),
        ..said(status, EMPTY)
    }
}

/// What may be said to anything that is asked.
fn to_all(elsewhere: &str) -> Vec<Said> {
    vec![
        said(200, PORTAL),
        said(204, ""),
        said(403, PORTAL),
        said(502, "<html>Bad Gateway</html>"),
        with(429, "retry-after", "1"),
        // To another host, and to the very same.
        with(307, "location", elsewhere),
        with(308, "location", "/api/v2/portal"),
    ]
}

impl Relayed {
    /// A run in which something else answers to `call`; how it ended.
    async fn run_where(&self, call: Call, said: Said) -> String {
        self.cloud
            .switch(|switches| switches.faults = vec![Fault::Says(call, said)]);
        self.run().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_clouds_changes_nothing_and_the_next_run_mends_it() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = format!("http://{}/api/v2/sync", listener.local_addr().unwrap());
    let before = world.hub_content().await;

    for said in to_all(&elsewhere).into_iter().chain([
        said(413, ""),
        said(200, r#"{"id":5}"#),
        with(302, "location", &elsewhere),
    ]) {
        let told = format!("{said:?}");
        let ended = world.run_where(Call::Verify, said).await;
        assert!(ended.contains("state=Failed"), "to verify, {told}: {ended}");
    }
    let device = |clinics: &str| format!(r#"{{"id":"d","status":"active","clinic_ids":{clinics}}}"#);
    for (said, state) in [
        (said(401, ""), "Refused"),
        (said(200, r#"{"id":"d"}"#), "Inactive"),
        (said(200, &device("[]")), "NoClinic"),
        (said(200, &device("null")), "NoClinic"),
        (said(200, &device("[7]")), "Failed"),
    ] {
        let ended = world.run_where(Call::Verify, said).await;
        assert!(ended.contains(&format!("state={state}")), "{ended}");
    }

    // Rows that are whole, in an answer that is not.
    let row = json!({"id": world.patient(), "given_name": "Nobody", "surname": "Nobody", "is_deleted": true});
    let cut = format!(
        r#"{{"success":true,"changes":{{"patients":{{"created":[{row}],"deleted":["{}"]}}}}"#,
        world.patient()
    );
    let pulls = [
        said(200, &cut),
        said(200, &format!("{cut},\"timestamp\":1e30}}")),
        said(200, &format!("{cut},\"timestamp\":-5}}")),
        said(200, &format!("{cut},\"timestamp\":5}}<script>")),
        said(200, &cut.replace("true,\"changes", "false,\"changes")),
        said(200, "[object Object]"),
        said(413, ""),
        // Were it opened, it would be an answer; and a small file can be opened to any size.
        Said {
            body: ZIPPED.to_vec(),
            ..with(200, "content-encoding", "gzip")
        },
    ];
    for said in to_all(&elsewhere).into_iter().chain(pulls) {
        let told = format!("{said:?}");
        let ended = world.run_where(Call::Pull, said).await;
        assert!(ended.contains("state=Failed"), "to a pull, {told}: {ended}");
    }
    let ended = world.run_where(Call::Pull, said(401, "")).await;
    assert!(ended.contains("state=Refused"), "{ended}");
    assert_eq!(world.hub_content().await, before);
    world.run_through().await;
    assert_eq!(world.hub_content().await, before);

    // A push that somebody else answers to is none.
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    world.phone.sync().await.unwrap();
    let more = [
        said(200, &format!(r#"{{"success":true,"more":"{}"}}"#, "x".repeat(300_000))),
        said(200, r#"{"success":"true"}"#),
        said(201, r#"{"success":true}"#),
    ];
    for said in to_all(&elsewhere).into_iter().chain(more) {
        let told = format!("{said:?}");
        let ended = world.run_where(Call::Push, said).await;
        assert!(ended.contains("state=Failed"), "to a push, {told}: {ended}");
    }
    let is_there = async || {
        let rows = world.cloud.rows("patients").await.unwrap();
        rows.iter().any(|row| row["id"] == patient.as_str())
    };
    assert!(!is_there().await);
    // What these say is about the row, if it were the cloud that says it: the row is held until the cloud takes it.
    for said in [
        said(200, "[object Object]"),
        said(400, r#"{"error":"Bad JSON"}"#),
        said(401, r#"{"error":"Unauthorized"}"#),
        said(413, ""),
        said(500, r#"{"error":"duplicate"}"#),
        said(500, r#"{"status":500,"unhandled":true,"message":"HTTPError"}"#),
    ] {
        let ended = world.run_where(Call::Push, said).await;
        assert!(ended.contains("state=Waiting"), "{ended}");
        assert!(!is_there().await);
    }
    world.run_through().await;
    assert!(is_there().await);
    world.assert_alike().await;
    world.assert_quiet().await;
    let called = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(called.is_err(), "the hub went where it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_the_cloud_asks_to_be_left_alone_counts_for_a_person_too() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    for call in [Call::Verify, Call::Pull, Call::Push] {
        world.phone.register_patient(&new_patient("Amina")).unwrap();
        world.phone.sync().await.unwrap();
        let began = Instant::now();
        let ended = world.run_where(call, with(429, "retry-after", "3")).await;
        assert!(ended.contains("state=Failed"), "{call:?}: {ended}");
        // A person asks at once, and the hub keeps to what it was told.
        world.run_through().await;
        assert!(began.elapsed() >= Duration::from_secs(3), "{call:?}");
    }
    world.assert_alike().await;
}

/// A row of the cloud's with these values in place of usual ones.
fn odd(table: &str, clinic: &str, number: usize, values: &Value) -> Value {
    let id = format!("0197f000-0000-7000-8000-{number:012}");
    let at = "2026-01-02T03:04:05.678Z";
    let mut row = json!({"id": id, "created_at": at, "updated_at": at, "last_modified": at, "server_created_at": at,
        "is_deleted": false, "deleted_at": null, "metadata": {}});
    if table == "patients" {
        row["given_name"] = "Odd".into();
        row["primary_clinic_id"] = clinic.into();
        row["additional_data"] = json!({});
    }
    for (name, value) in values.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_with_odd_values_are_taken_or_held_and_stop_neither_run_nor_phone() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let clinic = world.clinic.user("admin@clinic.example").unwrap().clinic_id.clone();
    let known = world.patient();
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let deep: Value = json!({"deep": deep});
    // What can be kept as it is meant is kept.
    let taken = [
        (
            "patients",
            json!({"given_name": "A\u{0}B", "surname": "x".repeat(100_000)}),
        ),
        (
            "patients",
            json!({"date_of_birth": "1990-04-30T21:00:00.000Z", "sex": null, "colour": "red"}),
        ),
        (
            "patients",
            json!({"created_at": "0001-01-01T00:00:00Z", "updated_at": "9999-12-31T23:59:59.999Z"}),
        ),
        ("patients", json!({"additional_data": deep, "government_id": ""})),
        (
            "patient_vitals",
            json!({"patient_id": known, "weight_kg": "170.50", "timestamp": "2026-01-02 03:04:05+03"}),
        ),
        (
            "patient_vitals",
            json!({"patient_id": known, "weight_kg": "1e-400", "timestamp": "1969-12-31T23:59:59Z"}),
        ),
    ];
    // What can't be is held, the row by itself.
    let held = [
        ("patients", json!({"given_name": 5})),
        ("patients", json!({"given_name": ["A"]})),
        ("patients", json!({"is_deleted": "false"})),
        ("patients", json!({"is_deleted": 2})),
        ("patients", json!({"created_at": "infinity"})),
        ("patients", json!({"created_at": "0044-03-15 00:00:00+00 BC"})),
        ("patients", json!({"updated_at": "1e300"})),
        ("patients", json!({"id": 7})),
        ("patients", json!({"id": ""})),
        ("patients", json!({"id": "i".repeat(10_000)})),
        ("patients", json!({"id": null})),
        ("patient_vitals", json!({"patient_id": known, "weight_kg": "NaN"})),
        ("patient_vitals", json!({"patient_id": known, "bmi": "-Infinity"})),
        ("patient_vitals", json!({"patient_id": known, "weight_kg": "1e400"})),
        ("patient_vitals", json!({"patient_id": known, "weight_kg": {"kg": 5}})),
    ];
    let mut lists = json!({"patients": {"created": [null, "patient", 5, []], "updated": [], "deleted": [null, "", 5, {}]},
        "patient_vitals": {"created": [], "updated": null, "deleted": []}});
    // Of the eight that are no rows, two are the same in both lists, and held once.
    let no_rows = 6;
    let all = taken.iter().chain(&held).enumerate();
    let mut ids = Vec::new();
    for (number, (table, values)) in all {
        let row = odd(table, &clinic, number, values);
        if number < taken.len() {
            ids.push((*table, row["id"].as_str().unwrap().to_owned()));
        }
        lists[*table]["created"].as_array_mut().unwrap().push(row);
    }
    // Half an emoji, which is no text, and a name that is there twice.
    let half = odd("patients", &clinic, 900, &json!({"surname": "HALF"}));
    let half = half
        .to_string()
        .replace("HALF", "a\\ud83d")
        .replacen('{', r#"{"given_name":"Twice","#, 1);
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let changes = lists.to_string().replacen("[null,", &format!("[{half},null,"), 1);
    let body = format!(r#"{{"success":true,"changes":{changes},"timestamp":{now}}}"#);
    let ended = world.run_where(Call::Pull, said(200, &body)).await;
    assert!(ended.contains("state=Waiting"), "{ended}: {}", world.hub.hub.printed());
    world.phone.sync().await.unwrap();
    for (table, id) in ids {
        assert!(world.phone.database.row(table, &id).is_some(), "{table}/{id}");
    }
    let half = "0197f000-0000-7000-8000-000000000900";
    let cell = world.phone.database.cell("patients", half, "surname").unwrap();
    assert_eq!(
        format!("{cell:?}"),
        format!("{:?}", hub_tests::phone::cell::Cell::text("a\u{fffd}"))
    );

    // Nothing of it goes to anybody again.
    world.run_through().await;
    let _ = world.cloud.take_counts();
    world.run_through().await;
    assert_eq!(world.cloud.take_counts().rows_pushed, 0);
    let report = world.phone.pull().await.unwrap();
    assert!(
        report.iter().all(|(_, counts)| *counts == Default::default()),
        "{report:?}"
    );
    world.hub.hub.terminate().await.unwrap();
    let listed = hub::desk(&world.hub.data(), &["held", "list"], PIN).await.unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(listed.lines().count(), held.len() + no_rows, "{listed}");
}
