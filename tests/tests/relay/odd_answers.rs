//! What answers in the cloud's place: the portal of a network that wants money first, a proxy, a machine that is broken. None of
//! it changes anything, is taken for an acknowledgement, or gets the key to somebody else.

use hub_tests::cloud::{Call, Fault, Generation, Said};
use hub_tests::hub::Log;
use serde_json::json;
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
