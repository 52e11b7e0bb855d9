//! How long tokens last, on a store whose clock the test moves.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::clock::{HubClock, TimeSource};
use crate::ids::ClientId;
use crate::store::Store;
use crate::store::cloud::{Bundle, BundleError};
use crate::store::devices::Devices;
use crate::wire::session::MessageId;

const HOUR: i64 = 60 * 60 * 1000;
const BEGAN: i64 = 1_800_000_000_000;

/// The time of day, and how long the system has run.
#[derive(Clone)]
struct Times(Arc<[AtomicI64; 2]>);

impl Times {
    fn at(day_time: i64, run: i64) -> Self {
        Self(Arc::new([day_time, run].map(AtomicI64::new)))
    }

    fn pass(&self, millis: i64) {
        self.step(millis);
        self.0[1].fetch_add(millis, Ordering::Relaxed);
    }

    /// As NTP does it.
    fn step(&self, millis: i64) {
        self.0[0].fetch_add(millis, Ordering::Relaxed);
    }
}

impl TimeSource for Times {
    fn millis(&self) -> i64 {
        self.0[0].load(Ordering::Relaxed)
    }

    fn running(&self) -> i64 {
        self.0[1].load(Ordering::Relaxed)
    }
}

fn start(folder: &Path, times: &Times) -> Procedures {
    start_with(folder, times, TokenKeys::new("h", &Secret::new([3; 32]), None))
}

fn start_with(folder: &Path, times: &Times, keys: TokenKeys) -> Procedures {
    let clock = Arc::new(HubClock::new(Box::new(times.clone()), HubTime::ZERO));
    let store = Arc::new(Store::open(folder, &Secret::new([1; 32]), Secret::new([2; 32]), clock).unwrap());
    let devices = Arc::new(Devices::load(Arc::clone(&store)).unwrap());
    Procedures::new(store, devices, keys, TokenPolicy::default()).unwrap()
}

fn add_user(store: &Store) -> User {
    let rows = json!({"success": true, "timestamp": BEGAN, "changes": {
        "users": {"created": [{"id": "u", "clinic_id": "c", "name": "Nurse", "role": "provider", "email": "n@c.example",
                               "hashed_password": "a hash", "created_at": BEGAN, "updated_at": BEGAN}],
                  "updated": [], "deleted": []},
        "user_clinic_permissions": {"created": [{"id": "p", "user_id": "u", "clinic_id": "c",
                                                 "can_view_history": true, "updated_at": BEGAN}],
                                    "updated": [], "deleted": []},
    }})
    .to_string();
    let taken = store.write(move |tx| Bundle::parse(&rows).map_err(BundleError::from)?.apply(tx));
    assert_eq!(taken.unwrap().held, 0);
    store.read(|snapshot| snapshot.user("u")).unwrap().unwrap()
}

fn caller(procedures: &Procedures) -> Caller {
    let client = ClientId::from(uuid::Uuid::from_u128(1));
    Caller {
        client,
        device: procedures.devices.pair(client, None).unwrap(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        message: MessageId::default(),
        correlation: 1,
    }
}

fn log_in(procedures: &Procedures, user: &User) -> SecretText {
    log_in_at(procedures, user, procedures.store.clock().peek())
}

fn log_in_at(procedures: &Procedures, user: &User, now: HubTime) -> SecretText {
    let (token, record) = procedures.issue(&caller(procedures), user, "c", now).unwrap();
    let stored = record.clone();
    procedures.store.write(move |tx| tx.insert_token(&stored)).unwrap();
    procedures.tokens.issued(record, &[]);
    token
}

fn is_good(procedures: &Procedures, token: &SecretText) -> bool {
    procedures.session(&caller(procedures), Some(token)).is_ok()
}

#[test]
fn a_step_of_the_clock_logs_nobody_out_and_hours_without_a_call_do() {
    let folder = tempfile::tempdir().unwrap();
    let times = Times::at(BEGAN, HOUR);
    let procedures = start(folder.path(), &times);
    let user = add_user(&procedures.store);
    let token = log_in(&procedures, &user);
    times.step(26 * HOUR);
    assert!(is_good(&procedures, &token), "no hour has passed");
    times.pass(23 * HOUR);
    assert!(is_good(&procedures, &token));
    times.step(-20 * HOUR);
    times.pass(25 * HOUR);
    assert!(!is_good(&procedures, &token), "25 hours, whatever the time of day is");
}

#[test]
fn a_token_is_not_taken_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let times = Times::at(BEGAN, HOUR);
    let procedures = start(folder.path(), &times);
    let user = add_user(&procedures.store);
    let token = log_in_at(&procedures, &user, HubTime::from_millis(BEGAN + 2 * HOUR));
    times.pass(HOUR);
    assert!(!is_good(&procedures, &token), "an hour too early");
    times.pass(HOUR);
    assert!(is_good(&procedures, &token));
}

#[test]
fn hours_without_a_call_count_over_a_start_but_not_while_the_box_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let before = Times::at(BEGAN, HOUR);
    let procedures = start(folder.path(), &before);
    let user = add_user(&procedures.store);
    let token = log_in(&procedures, &user);
    before.pass(20 * HOUR);
    procedures.store.save_run_time().unwrap();
    assert!(procedures.store.close(Duration::from_secs(5)));
    drop(procedures);

    // Off for two days, without a clock chip: the time of day is told later.
    let times = Times::at(BEGAN, HOUR / 60);
    let procedures = start(folder.path(), &times);
    times.step(48 * HOUR);
    times.pass(3 * HOUR);
    assert!(is_good(&procedures, &token), "23 hours");
    assert!(procedures.store.close(Duration::from_secs(5)));
    drop(procedures);

    // That call was written down.
    let procedures = start(folder.path(), &times);
    times.pass(23 * HOUR);
    assert!(is_good(&procedures, &token));
    times.pass(25 * HOUR);
    assert!(!is_good(&procedures, &token));
}

/// A token as a firmware made it that named no keys.
fn without_name(procedures: &Procedures, token: &SecretText, key: &Secret<32>) -> SecretText {
    let claims = procedures.keys.check(token.expose()).unwrap();
    let signing = EncodingKey::from_secret(key.expose());
    SecretText::new(encode(&Header::new(Algorithm::HS256), &claims, &signing).unwrap())
}

#[test]
fn a_token_is_good_as_long_as_the_key_that_signed_it_is_one_of_the_two() {
    let folder = tempfile::tempdir().unwrap();
    let times = Times::at(BEGAN, HOUR);
    let procedures = start(folder.path(), &times);
    let user = add_user(&procedures.store);
    let [first, second, third] = [3, 4, 5].map(|byte| Secret::new([byte; 32]));
    let token = log_in(&procedures, &user);
    let unnamed = without_name(&procedures, &token, &first);
    assert!(is_good(&procedures, &unnamed), "of a firmware before");
    let keys = procedures.token_keys();
    keys.replace(&second, Some(&first));
    let later = log_in(&procedures, &user);
    for token in [&token, &unnamed, &later] {
        assert!(is_good(&procedures, token));
    }
    let named = |token: &SecretText| decode_header(token.expose()).unwrap().kid.unwrap();
    assert_ne!(named(&token), named(&later));
    keys.replace(&third, Some(&second));
    assert!(is_good(&procedures, &later));
    assert!(!is_good(&procedures, &token) && !is_good(&procedures, &unnamed));
}

#[test]
fn a_token_that_names_another_key_than_the_one_that_signed_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let times = Times::at(BEGAN, HOUR);
    let [first, second] = [3, 4].map(|byte| Secret::new([byte; 32]));
    let keys = TokenKeys::new("h", &second, Some(&first));
    let procedures = start_with(folder.path(), &times, keys);
    let user = add_user(&procedures.store);
    let token = log_in(&procedures, &user);
    let claims = procedures.keys.check(token.expose()).unwrap();
    let naming = |named: &str| {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(named.to_owned());
        SecretText::new(encode(&header, &claims, &EncodingKey::from_secret(first.expose())).unwrap())
    };
    assert!(is_good(&procedures, &naming(&name(&first))));
    assert!(!is_good(&procedures, &naming(&name(&second))));
    assert!(!is_good(&procedures, &naming("")));
}
