use std::sync::atomic::{AtomicI64, Ordering};

use proptest::prelude::*;

use super::*;

const FLOOR: HubTime = HubTime::from_millis(1_795_219_200_000);
/// Half a year after the firmware.
const TRUE_TIME: i64 = FLOOR.millis() + 180 * 24 * 60 * 60 * 1000;
const NONCE: [u8; 8] = *b"by chanc";

/// A clock that stands.
struct Standing(AtomicI64);

impl TimeSource for Standing {
    fn millis(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn put(packet: &mut [u8; PACKET], at: usize, time: i64) {
    let seconds = (time.div_euclid(1000) + NTP_TO_UNIX).rem_euclid(ERA);
    let fraction = (time.rem_euclid(1000) << 32) / 1000 + 1;
    packet[at..at + 4].copy_from_slice(&u32::try_from(seconds).unwrap().to_be_bytes());
    packet[at + 4..at + 8].copy_from_slice(&u32::try_from(fraction).unwrap().to_be_bytes());
}

/// What a server says that got the request at `received` and answered at `transmitted`.
fn answer(received: i64, transmitted: i64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 0b00_100_100;
    packet[1] = 2;
    packet[24..32].copy_from_slice(&NONCE);
    put(&mut packet, 32, received);
    put(&mut packet, 40, transmitted);
    packet
}

/// A server that always says `time`.
fn server_that_says(time: i64) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut request = [0; PACKET];
        while let Ok((_, from)) = socket.recv_from(&mut request) {
            assert_eq!(request[0], CLIENT);
            let mut packet = answer(time, time);
            // What somebody sends who did not see the request comes first, and is passed over.
            socket.send_to(&packet, from).unwrap();
            packet[24..32].copy_from_slice(&request[40..]);
            socket.send_to(&packet, from).unwrap();
        }
    });
    address
}

#[test]
fn the_offset_is_the_mean_of_both_ways() {
    // Behind by an hour; 30 ms there, 10 ms in the server, 50 ms back.
    let (sent, hour) = (TRUE_TIME, 3_600_000);
    let packet = answer(sent + hour + 30, sent + hour + 40);
    assert_eq!(offset(&packet, NONCE, sent, 90, FLOOR), Ok(hour - 10));
}

#[test]
fn a_clock_that_stands_at_1970_or_far_ahead_is_put_right() {
    for sent in [0, TRUE_TIME + ERA * 2000] {
        let packet = answer(TRUE_TIME, TRUE_TIME);
        let found = offset(&packet, NONCE, sent, 0, FLOOR).unwrap();
        assert!((sent + found - TRUE_TIME).abs() <= 1);
    }
}

#[test]
fn the_era_after_2036_is_read_right() {
    let in_2040 = 2_208_988_800_000;
    let floor = HubTime::from_millis(in_2040 - 1000);
    let packet = answer(in_2040, in_2040);
    assert_eq!(offset(&packet, NONCE, in_2040, 0, floor), Ok(0));
    // From firmware of 2026 too.
    assert_eq!(offset(&packet, NONCE, in_2040, 0, FLOOR), Ok(0));
}

#[test]
fn what_is_no_answer_to_us_does_not_count() {
    let good = answer(TRUE_TIME, TRUE_TIME);
    let read = |packet: &[u8]| offset(packet, NONCE, TRUE_TIME, 10, FLOOR);
    assert!(read(&good).is_ok());
    let spoilt = |change: &dyn Fn(&mut [u8; PACKET])| {
        let mut packet = good;
        change(&mut packet);
        read(&packet)
    };
    assert_eq!(read(&good[..PACKET - 1]), Err(Unusable::NotOurs));
    assert_eq!(spoilt(&|packet| packet[31] ^= 1), Err(Unusable::NotOurs));
    assert_eq!(spoilt(&|packet| packet[0] = CLIENT), Err(Unusable::NotOurs));
    assert_eq!(spoilt(&|packet| packet[0] |= 0b1100_0000), Err(Unusable::NoTime));
    assert_eq!(spoilt(&|packet| packet[1] = 0), Err(Unusable::NoTime));
    assert_eq!(spoilt(&|packet| packet[1] = 16), Err(Unusable::NoTime));
    assert_eq!(offset(&good, NONCE, TRUE_TIME, 3_000, FLOOR), Err(Unusable::Slow));
    assert_eq!(read(&answer(TRUE_TIME + 9, TRUE_TIME)), Err(Unusable::Slow));
}

#[test]
fn a_time_before_the_firmware_or_long_after_is_not_believed() {
    let read = |time| offset(&answer(time, time), NONCE, TRUE_TIME, 0, FLOOR);
    assert!(read(FLOOR.millis() + BELIEVED_MS).is_ok());
    assert_eq!(read(FLOOR.millis() + BELIEVED_MS + 1000), Err(Unusable::Unbelievable));
    // Read as of the era after, which is too late.
    assert_eq!(read(FLOOR.millis() - 1000), Err(Unusable::Unbelievable));
}

#[test]
fn one_wrong_server_of_three_does_not_matter() {
    let clock = Standing(AtomicI64::new(TRUE_TIME - 5_000));
    let of_one_kind = || {
        vec![
            server_that_says(TRUE_TIME + 1_000_000),
            server_that_says(TRUE_TIME),
            server_that_says(TRUE_TIME - 500),
        ]
    };
    let none = Vec::new;
    for (named, usual) in [(none(), of_one_kind()), (of_one_kind(), none())] {
        let found = middle_offset(&Servers { named, usual }, &clock, FLOOR).unwrap();
        assert!((4_900..=5_000).contains(&found), "{found}");
    }
}

#[test]
fn the_networks_own_servers_outvote_nobody() {
    let clock = Standing(AtomicI64::new(TRUE_TIME - 5_000));
    let that_say = |times: &[i64]| times.iter().map(|ahead| server_that_says(TRUE_TIME + ahead)).collect();
    let day = 24 * 60 * 60 * 1000;
    for usual in [&[0][..], &[0, 100], &[0, -100, day]] {
        let servers = Servers {
            named: that_say(&[day, day, day]),
            usual: that_say(usual),
        };
        let found = middle_offset(&servers, &clock, FLOOR).unwrap();
        assert!((4_800..=5_100).contains(&found), "{found} with {usual:?}");
    }
}

#[test]
fn nobody_there_is_said() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let clock = Standing(AtomicI64::new(TRUE_TIME));
    let silent = Servers {
        named: Vec::new(),
        usual: vec![silent],
    };
    for servers in [silent, Servers::default()] {
        assert!(matches!(set_clock(&servers, &clock, FLOOR), Err(NtpError::NoAnswer)));
    }
}

#[test]
fn servers_are_told_apart_by_who_named_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servers");
    let usual = ["192.0.2.1".to_owned()];
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let of = |named: &[&str]| Servers {
        named: addresses(named),
        usual: addresses(&["192.0.2.1:123"]),
    };
    assert_eq!(servers(&file, &usual), of(&[]));
    std::fs::write(&file, "10.0.0.1\nnonsense\n10.0.0.2\n10.0.0.3\n10.0.0.4\n").unwrap();
    assert_eq!(
        servers(&file, &usual),
        of(&["10.0.0.1:123", "10.0.0.2:123", "10.0.0.3:123"])
    );
}

proptest! {
    #[test]
    fn no_answer_panics(packet in proptest::collection::vec(any::<u8>(), 0..64), sent: i32, took in 0_i64..5_000) {
        let _ = offset(&packet, NONCE, i64::from(sent), took, FLOOR);
    }

    #[test]
    fn any_answer_to_us_gives_a_time_in_bounds(times: [u8; 16], sent in 0_i64..1 << 43, took in 0_i64..5_000) {
        let mut packet = answer(TRUE_TIME, TRUE_TIME);
        packet[32..].copy_from_slice(&times);
        if let Ok(offset) = offset(&packet, NONCE, sent, took, FLOOR) {
            let set_to = sent + took + offset;
            prop_assert!(set_to >= FLOOR.millis() - 3_000);
            prop_assert!(set_to <= FLOOR.millis() + BELIEVED_MS + 3_000);
        }
    }
}
