//! The promises of the session table, one test each.

use std::net::Ipv4Addr;
use std::sync::Barrier;

use super::*;
use crate::wire::envelope::tests::outgoing;

mod promises;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn stranger(number: u16) -> IpAddr {
    Ipv4Addr::from(0x0A00_0000 + u32::from(number)).into()
}

fn client(number: u128) -> ClientId {
    ClientId::from(uuid::Uuid::from_u128(number))
}

fn key(number: u16) -> Secret<32> {
    let mut key = Secret::new([1; 32]);
    key.expose_mut()[..2].copy_from_slice(&number.to_be_bytes());
    key
}

/// A payload of a phone that holds the key of this number.
fn payload(number: u16) -> Vec<u8> {
    EnvelopeKey::new(&key(number))
        .seal(Direction::Command, outgoing(b"{}"))
        .unwrap()
        .into_bytes()
}

fn table(limits: SessionLimits) -> (SessionTable, Instant) {
    (SessionTable::new(limits), Instant::now())
}

fn open(table: &SessionTable, payload: Vec<u8>, now: Instant) -> Result<Vec<u8>, SessionError> {
    table
        .open(client(1), HERE, Direction::Command, payload, now)
        .map(|exchange| exchange.plaintext.to_vec())
}

fn opens(table: &SessionTable, number: u16, now: Instant) -> bool {
    open(table, payload(number), now).is_ok()
}

#[test]
fn the_answer_is_sealed_under_the_key_and_direction_of_the_request() {
    let (table, now) = table(SessionLimits::default());
    for number in 0..3 {
        table.insert(client(1), &key(number), HERE, now);
    }
    for (request, response) in [
        (Direction::Command, Direction::CommandResponse),
        (Direction::Query, Direction::QueryResponse),
    ] {
        let phone = EnvelopeKey::new(&key(1));
        let payload = phone.seal(request, outgoing(b"question")).unwrap().into_bytes();
        let (question, replier) = table.open(client(1), HERE, request, payload, now).unwrap().split();
        assert_eq!(&*question, b"question");
        let answer = replier.seal(outgoing(b"answer")).unwrap().into_bytes();
        assert_eq!(&*phone.open(response, answer).unwrap(), b"answer");
    }
}

#[test]
fn nothing_opens_without_a_session_of_that_client_for_that_direction() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    let refused = |client, direction, payload| table.open(client, HERE, direction, payload, now).unwrap_err();
    assert_eq!(
        refused(client(2), Direction::Command, payload(1)),
        SessionError::NoSession
    );
    assert_eq!(
        refused(client(1), Direction::Command, payload(2)),
        SessionError::NoSession
    );
    assert_eq!(
        refused(client(1), Direction::Query, payload(1)),
        SessionError::NoSession
    );
    assert_eq!(
        refused(client(1), Direction::Command, Vec::new()),
        SessionError::NoSession
    );
    assert_eq!(
        refused(client(1), Direction::Command, vec![0; 27]),
        SessionError::NoSession
    );
}

#[test]
fn a_message_is_taken_once() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    let first = payload(1);
    assert_eq!(open(&table, first.clone(), now).unwrap(), b"{}");
    assert_eq!(open(&table, first.clone(), now), Err(SessionError::Replayed));
    assert!(opens(&table, 1, now));
    assert_eq!(open(&table, first, now), Err(SessionError::Replayed));
}

#[test]
fn a_forged_message_does_not_use_up_its_nonce() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    let genuine = payload(1);
    let mut forged = genuine.clone();
    forged[NONCE_LEN] ^= 1;
    assert_eq!(open(&table, forged, now), Err(SessionError::NoSession));
    assert!(open(&table, genuine, now).is_ok());
}

#[test]
fn a_repeated_handshake_does_not_open_the_window_again() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    let recorded = payload(1);
    open(&table, recorded.clone(), now).unwrap();

    table.insert(client(1), &key(1), HERE, now);
    assert_eq!(open(&table, recorded.clone(), now), Err(SessionError::Replayed));

    table.clear();
    table.insert(client(1), &key(1), HERE, now);
    assert_eq!(open(&table, recorded.clone(), now), Err(SessionError::Replayed));

    let tomorrow = now + SessionLimits::default().lifetime;
    table.insert(client(1), &key(1), HERE, tomorrow);
    assert_eq!(open(&table, recorded.clone(), tomorrow), Err(SessionError::Replayed));

    table.insert(client(2), &key(1), HERE, now);
    let elsewhere = table.open(client(2), HERE, Direction::Command, recorded, now);
    assert_eq!(elsewhere.unwrap_err(), SessionError::Replayed);

    assert!(opens(&table, 1, tomorrow), "a phone whose key stays the same goes on");
}

#[test]
fn threads_racing_with_one_payload_get_it_opened_once() {
    const THREADS: usize = 8;
    let (table, now) = table(SessionLimits::default());
    for round in 0..50 {
        table.insert(client(1), &key(round), HERE, now);
        let payload = payload(round);
        let start = Barrier::new(THREADS);
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        open(&table, payload.clone(), now)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let replayed = |result: &&Result<_, _>| **result == Err(SessionError::Replayed);
        assert_eq!(results.iter().filter(replayed).count(), THREADS - 1);
    }
}

#[test]
fn a_flood_of_handshakes_evicts_no_key_in_use() {
    let (table, now) = table(SessionLimits::default());
    for number in 0..8 {
        table.insert(client(1), &key(number), HERE, now);
        assert!(opens(&table, number, now));
    }
    for rogue in 100..1100 {
        table.insert(client(1), &key(rogue), HERE, now);
    }
    for number in 0..8 {
        assert!(opens(&table, number, now), "{number}");
    }
}

#[test]
fn the_newest_keys_of_each_sort_are_kept() {
    let (table, now) = table(SessionLimits::default());
    for number in 0..5 {
        table.insert(client(1), &key(number), HERE, now);
    }
    assert!(!opens(&table, 0, now), "the fifth unproven key pushes out the oldest");
    for number in 1..5 {
        assert!(opens(&table, number, now));
    }
    for number in 5..9 {
        table.insert(client(1), &key(number), HERE, now);
    }
    for number in 5..9 {
        assert!(opens(&table, number, now));
    }
    table.insert(client(1), &key(9), HERE, now);
    assert!(opens(&table, 1, now), "an unproven key pushes out no proven one");
    assert!(opens(&table, 9, now));
    assert!(!opens(&table, 1, now), "the ninth proven key pushes out the oldest");
    assert!(opens(&table, 2, now));
}

#[test]
fn keys_that_opened_nothing_are_counted_by_the_address_that_they_came_from() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    assert!(opens(&table, 1, now));
    table.insert(client(1), &key(2), HERE, now);
    for rogue in 100..1100 {
        table.insert(client(1), &key(rogue), stranger(rogue % 250), now);
    }
    assert!(opens(&table, 2, now), "however many strangers there are");
    assert!(table.state().clients[&client(1)].sessions.len() <= 8 + 64);
}

#[test]
fn the_key_of_pairing_and_that_of_the_last_login_stay() {
    let (table, now) = table(SessionLimits::default());
    let rush = |from: u16| {
        for number in from..from + 20 {
            table.insert(client(1), &key(number), HERE, now);
            assert!(opens(&table, number, now));
        }
    };
    let log_in = |number: u16| {
        let exchange = table
            .open(client(1), HERE, Direction::Command, payload(number), now)
            .unwrap();
        table.logged_in(client(1), exchange.split().1.message());
    };
    table.insert_paired(client(1), &key(1), HERE, now);
    rush(100);
    table.insert(client(1), &key(2), HERE, now);
    log_in(2);
    rush(200);
    assert!(opens(&table, 1, now) && opens(&table, 2, now));
    log_in(219);
    table.insert_paired(client(1), &key(3), HERE, now);
    rush(300);
    assert!(!opens(&table, 1, now) && !opens(&table, 2, now), "one of each");
    assert!(opens(&table, 219, now) && opens(&table, 3, now));
    assert!(!opens(&table, 3, now + SessionLimits::default().lifetime));
}

#[test]
fn a_long_payload_is_tried_with_no_strangers_keys() {
    let (table, now) = table(SessionLimits::default());
    let long = |number: u16| {
        let text = vec![b' '; LONG];
        EnvelopeKey::new(&key(number))
            .seal(Direction::Command, outgoing(&text))
            .unwrap()
            .into_bytes()
    };
    table.insert(client(1), &key(1), HERE, now);
    table.insert(client(1), &key(2), stranger(1), now);
    assert!(open(&table, long(2), now).is_err());
    assert!(open(&table, long(1), now).is_ok());
    assert!(opens(&table, 2, now), "a short one is");
    assert!(open(&table, long(2), now).is_ok(), "and then it is the phone's");
}

#[test]
fn a_session_ends_with_its_lifetime() {
    let (table, now) = table(SessionLimits::default());
    let lifetime = SessionLimits::default().lifetime;
    table.insert(client(1), &key(1), HERE, now);
    assert!(opens(&table, 1, now + lifetime - Duration::from_nanos(1)));
    assert!(!opens(&table, 1, now + lifetime));
    table.insert(client(1), &key(2), HERE, now + lifetime);
    assert!(opens(&table, 2, now + lifetime));
}

#[test]
fn keys_of_phones_that_stay_away_are_swept() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    table.insert(client(2), &key(2), HERE, now + SessionLimits::default().lifetime);
    assert!(table.state().clients.keys().eq([&client(2)]));

    let later = now + 2 * SessionLimits::default().lifetime;
    assert_eq!(open(&table, payload(1), later), Err(SessionError::NoSession));
    assert!(table.state().clients.is_empty());
}

#[test]
fn a_session_ends_with_its_last_message() {
    let (table, now) = table(SessionLimits {
        messages: 3,
        ..SessionLimits::default()
    });
    table.insert(client(1), &key(1), HERE, now);
    for _ in 0..3 {
        assert!(opens(&table, 1, now));
    }
    assert!(!opens(&table, 1, now));
    table.insert(client(1), &key(2), HERE, now);
    assert!(opens(&table, 2, now));
}

#[test]
fn the_oldest_sessions_end_when_too_much_is_to_be_remembered() {
    let (table, now) = table(SessionLimits {
        nonces: 4,
        ..SessionLimits::default()
    });
    for number in [1, 2, 3] {
        table.insert(client(1), &key(number), HERE, now);
    }
    let recorded = payload(1);
    open(&table, recorded.clone(), now).unwrap();
    for _ in 0..3 {
        assert!(opens(&table, 2, now));
    }
    assert_eq!(open(&table, recorded.clone(), now), Err(SessionError::Replayed));
    assert!(opens(&table, 3, now), "now the message under key 1 is forgotten");
    assert_eq!(open(&table, recorded, now), Err(SessionError::NoSession));
    assert!(
        opens(&table, 2, now),
        "the last under key 2, whose first is forgotten with it"
    );
    assert!(!opens(&table, 2, now));
    assert!(opens(&table, 3, now));
    assert_eq!(table.state().window.len(), 4);
}

#[test]
fn a_repeated_handshake_leaves_a_key_in_use_what_it_was() {
    let (table, now) = table(SessionLimits {
        nonces: 2,
        ..SessionLimits::default()
    });
    table.insert(client(1), &key(1), HERE, now);
    let recorded = payload(1);
    open(&table, recorded.clone(), now).unwrap();
    table.insert(client(1), &key(1), HERE, now);
    for rogue in 100..108 {
        table.insert(client(1), &key(rogue), HERE, now);
    }
    assert!(opens(&table, 1, now), "it is still a proven key");
    assert!(opens(&table, 1, now), "with this the recorded message is forgotten");
    assert_eq!(open(&table, recorded, now), Err(SessionError::NoSession));
}

#[test]
fn clients_are_bounded_and_unproven_ones_go_first() {
    let (table, now) = table(SessionLimits {
        clients: 3,
        ..SessionLimits::default()
    });
    let opens = |number: u16| {
        table
            .open(client(number.into()), HERE, Direction::Command, payload(number), now)
            .is_ok()
    };
    for number in 1..=3 {
        table.insert(client(number.into()), &key(number), HERE, now);
    }
    assert!(opens(1) && opens(2));
    table.insert(client(4), &key(4), HERE, now);
    assert!(opens(1) && opens(2) && !opens(3) && opens(4));
    assert!(opens(1));
    table.insert(client(5), &key(5), HERE, now);
    assert!(!opens(2), "all were proven, this one was not seen for longest");
    assert!(opens(1) && opens(4) && opens(5));
}

#[test]
fn forgetting_ends_one_client_and_clearing_all() {
    let (table, now) = table(SessionLimits::default());
    for number in 1..=3 {
        table.insert(client(number.into()), &key(number), HERE, now);
    }
    let opens = |number: u16| {
        table
            .open(client(number.into()), HERE, Direction::Command, payload(number), now)
            .is_ok()
    };
    table.forget(client(1));
    assert!(!opens(1) && opens(2) && opens(3));
    table.clear();
    assert!(!opens(2) && !opens(3));
}

#[test]
fn ended_sessions_drop_their_keys() {
    let (table, now) = table(SessionLimits::default());
    let weak = |table: &SessionTable| Arc::downgrade(&table.state().clients[&client(1)].sessions[0].key);

    table.insert(client(1), &key(1), HERE, now);
    let cleared = weak(&table);
    table.clear();
    assert!(cleared.upgrade().is_none());

    table.insert(client(1), &key(1), HERE, now);
    let waiting = weak(&table);
    let (_, replier) = table
        .open(client(1), HERE, Direction::Command, payload(1), now)
        .unwrap()
        .split();
    table.clear();
    assert!(
        replier.seal(outgoing(b"{}")).is_ok(),
        "an answer under way is still sealed"
    );
    drop(replier);
    assert!(waiting.upgrade().is_none());
}

#[test]
fn prints_only_counts() {
    let (table, now) = table(SessionLimits::default());
    table.insert(client(1), &key(1), HERE, now);
    assert_eq!(format!("{table:?}"), "SessionTable { clients: 1, remembered: 0, .. }");
    let exchange = table
        .open(client(1), HERE, Direction::Command, payload(1), now)
        .unwrap();
    assert_eq!(
        format!("{exchange:?}"),
        "Exchange { plaintext: [secret], replier: Replier { key: [secret], direction: CommandResponse, message: MessageId(..) } }"
    );
}
