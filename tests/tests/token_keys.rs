//! Another key signs tokens every thirty days, and nobody is logged out by that.

#[path = "support/opened.rs"]
mod opened;

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hub_appliance::clock::HubTime;
use hub_appliance::store::StoreError;
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use serde_json::Value;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Has the hub's clock show this time, as its records tell it, and starts it anew.
async fn go_to(hub: &mut TestHub, millis: i64) {
    hub.hub.terminate().await.unwrap();
    let store = opened::open(&hub.data(), HubTime::from_millis(millis));
    store.write(|tx| Ok::<_, StoreError>(tx.change_time())).unwrap();
    assert!(store.close(Duration::from_secs(60)));
    drop(store);
    hub.start_again().await.unwrap();
}

/// The name of the key that signed a phone's token.
fn key_of(phone: &Phone) -> String {
    let header = phone.client.token().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// How often another key began to sign.
async fn turns(hub: &mut TestHub) -> usize {
    hub.hub.terminate().await.unwrap();
    let store = opened::open(&hub.data(), HubTime::ZERO);
    let entries = store.read(|snapshot| snapshot.audit_since(HubTime::ZERO)).unwrap();
    assert!(store.close(Duration::from_secs(60)));
    drop(store);
    hub.start_again().await.unwrap();
    entries.iter().filter(|entry| entry.action == "tokens.key").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_signs_each_month_and_who_is_logged_in_stays_so() {
    let size = ClinicSize {
        patients: 5,
        visits: 5,
        events: 5,
    };
    let clinic = Clinic::generate(3, size);
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let begin = jiff::Timestamp::now().as_millisecond();

    go_to(&mut hub, begin + 29 * DAY).await;
    let mut before = hub.phone(doctor).await.unwrap();
    before.sync().await.unwrap();
    let first = key_of(&before);
    assert_eq!(turns(&mut hub).await, 0);

    go_to(&mut hub, begin + 31 * DAY).await;
    before.sync().await.unwrap();
    let mut after = hub.phone(doctor).await.unwrap();
    after.sync().await.unwrap();
    let second = key_of(&after);
    assert_ne!(first, second);
    // A clock that stays where it jumped to brings no more keys.
    assert_eq!(turns(&mut hub).await, 1);
    for phone in [&mut before, &mut after] {
        phone.sync().await.unwrap();
    }

    go_to(&mut hub, begin + 60 * DAY).await;
    let mut late = hub.phone(doctor).await.unwrap();
    assert_eq!(key_of(&late), second);
    go_to(&mut hub, begin + 62 * DAY).await;
    late.sync().await.unwrap();
    let last = hub.phone(doctor).await.unwrap();
    assert!(![first, second].contains(&key_of(&last)));
    assert_eq!(turns(&mut hub).await, 2);
}
