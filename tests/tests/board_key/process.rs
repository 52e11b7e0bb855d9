//! The process that works on the board's key, beside a played firmware: the same HMAC whether the firmware computes or shows the
//! key, a key programmed only where there is none, and no answer that confuses it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::UnixStream;

use super::played_mailbox::{Bench, Board, Manner, start};
use hub_appliance::system::board_key::{BoardKey, BoardKeyError, BoardKeyState, MAX_MESSAGE, Service, Through};

/// A scalar of P-256: below the order, and no row is zero.
const KEY: [u32; 8] = [
    0x7a31_90c4,
    0x0000_0001,
    0xdead_beef,
    0x1234_5678,
    0xffff_ffff,
    0x9abc_def0,
    0x8000_0000,
    0x0bad_cafe,
];
/// The order of P-256: the least number that is no scalar.
const ORDER: [u32; 8] = [
    0xffff_ffff,
    0x0000_0001,
    0xffff_ffff,
    0xffff_ffff,
    0xbce6_faad,
    0xa717_9e84,
    0xf3b9_cac2,
    0xfc63_2551,
];
const READY: [(bool, BoardKeyState); 2] = [
    (true, BoardKeyState::Ready(Through::Firmware)),
    (false, BoardKeyState::Ready(Through::Rows)),
];

fn of(bench: &Bench) -> Service {
    Service::at(bench.socket())
}

#[test]
fn the_firmwares_hmac_and_the_process_own_are_the_same() {
    let messages = [
        vec![1],
        b"a PIN, stretched, and a salt".to_vec(),
        vec![0xff; MAX_MESSAGE],
    ];
    let made = READY.map(|(has_service, state)| {
        let bench = Bench::start(Board::new(KEY, has_service));
        let key = of(&bench);
        assert_eq!(key.state(), Ok(state));
        let made = messages.each_ref().map(|message| *key.hmac(message).unwrap().expose());
        bench.firmware.set(|board| board.asked.clear());
        key.hmac(b"again").unwrap();
        let reads_rows = bench.firmware.board().asked.contains(&0x0003_0081);
        assert_eq!(
            reads_rows, !has_service,
            "where the firmware computes nobody reads the key"
        );
        made
    });
    assert_eq!(made[0], made[1]);
    assert_eq!(
        made[0],
        messages.each_ref().map(|message| Board::new(KEY, true).hmac(message))
    );
}

#[test]
fn a_firmware_that_locks_the_rows_computes_all_the_same() {
    let bench = Bench::start(Board::new(KEY, true));
    bench.firmware.set(|board| board.is_locked = true);
    let key = of(&bench);
    assert_eq!(key.state(), Ok(BoardKeyState::Ready(Through::Firmware)));
    assert_eq!(key.hmac(b"m").unwrap().expose(), &Board::new(KEY, true).hmac(b"m"));
    assert_eq!(key.program(), Err(BoardKeyError::NotBlank));
    assert_eq!(bench.firmware.board().rows, KEY);
    bench.firmware.set(|board| board.has_service = false);
    assert_eq!(
        key.state(),
        Ok(BoardKeyState::Unavailable),
        "neither shown nor computed with"
    );
    assert_eq!(key.hmac(b"m"), Err(BoardKeyError::NoKey));
    assert_eq!(key.program(), Err(BoardKeyError::NotBlank));
}

#[test]
fn without_a_way_to_the_firmware_there_is_no_key() {
    let bench = Bench::start(Board::new(KEY, true));
    bench.firmware.set(|board| board.manner = Manner::Unknown);
    assert_eq!(of(&bench).state(), Ok(BoardKeyState::Unavailable));
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let mut process = start(&socket, &folder.path().join("no-such-device"));
    let key = Service::at(socket.clone());
    assert_eq!(key.state(), Ok(BoardKeyState::Unavailable));
    assert_eq!(key.hmac(b"m"), Err(BoardKeyError::NoKey));
    assert_eq!(key.program(), Err(BoardKeyError::NotBlank));
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(key.state(), Err(BoardKeyError::Service));
}

#[test]
fn a_key_is_programmed_once_and_reads_back() {
    for (has_service, ready) in READY {
        let bench = Bench::start(Board::new(Board::BLANK, has_service));
        let key = of(&bench);
        assert_eq!(key.state(), Ok(BoardKeyState::Blank));
        assert_eq!(key.hmac(b"m"), Err(BoardKeyError::NoKey));
        assert_eq!(key.program(), Ok(()));
        assert_eq!(key.state(), Ok(ready));
        let board = bench.firmware.board();
        assert!(p256::SecretKey::from_slice(&board.key()).is_ok());
        assert!(!board.rows.contains(&0));
        assert_eq!(key.hmac(b"m").unwrap().expose(), &board.hmac(b"m"));
        assert_eq!(key.program(), Err(BoardKeyError::NotBlank));
        assert_eq!(bench.firmware.board().rows, board.rows);
        let other = Bench::start(Board::new(Board::BLANK, has_service));
        of(&other).program().unwrap();
        assert_ne!(other.firmware.board().rows, board.rows);
    }
}

#[test]
fn what_is_no_key_or_only_a_part_of_one_is_neither_used_nor_written_over() {
    let mut part = KEY;
    part[5] = 0;
    let mut one_bit = Board::BLANK;
    one_bit[7] = 1;
    for rows in [[u32::MAX; 8], ORDER, part, one_bit] {
        for has_service in [true, false] {
            let bench = Bench::start(Board::new(rows, has_service));
            // What its service says of a number that is no scalar.
            bench.firmware.set(|board| board.fails = Some(7));
            let key = of(&bench);
            assert_eq!(key.state(), Ok(BoardKeyState::Unusable), "{rows:x?}");
            assert_eq!(key.hmac(b"m"), Err(BoardKeyError::NoKey));
            assert_eq!(key.program(), Err(BoardKeyError::NotBlank));
            assert_eq!(bench.firmware.board().rows, rows);
        }
    }
    // A part of a key, with which a service would compute.
    let bench = Bench::start(Board::new(part, true));
    assert_eq!(of(&bench).state(), Ok(BoardKeyState::Unusable));
}

#[test]
fn what_only_looks_blank_is_not_programmed() {
    // Locked, so that what is read says nothing.
    for (shows_zeros, fails) in [(false, None), (false, Some(6)), (true, None), (true, Some(6))] {
        let bench = Bench::start(Board::new(KEY, true));
        bench.firmware.set(|board| {
            board.is_locked = true;
            board.shows_zeros = shows_zeros;
            board.fails = fails;
        });
        assert_eq!(of(&bench).program(), Err(BoardKeyError::NotBlank));
        assert_eq!(bench.firmware.board().rows, KEY);
    }
    // The service knows of a key where the rows show none.
    for code in [4, 7] {
        let bench = Bench::start(Board::new(Board::BLANK, true));
        bench.firmware.set(|board| board.fails = Some(code));
        assert_eq!(of(&bench).program(), Err(BoardKeyError::NotBlank), "{code}");
        assert_eq!(bench.firmware.board().rows, Board::BLANK);
    }
}

#[test]
fn a_key_that_does_not_read_back_is_told() {
    for has_service in [true, false] {
        let bench = Bench::start(Board::new(Board::BLANK, has_service));
        bench.firmware.set(|board| board.stuck = 0x0000_ffff);
        assert_eq!(of(&bench).program(), Err(BoardKeyError::NotProgrammed));
    }
}

#[test]
fn each_error_of_the_firmware_has_its_meaning() {
    use BoardKeyError::{Firmware, NoKey};
    let unusable = Ok(BoardKeyState::Unusable);
    for (code, state, failure) in [
        (3, unusable, NoKey),
        (4, unusable, NoKey),
        (5, Err(Firmware), Firmware),
        (6, unusable, NoKey),
        (7, unusable, NoKey),
        (9, Err(Firmware), Firmware),
        (10, Err(Firmware), Firmware),
        (0, Err(Firmware), Firmware),
        (u32::MAX, Err(Firmware), Firmware),
    ] {
        let bench = Bench::start(Board::new(KEY, true));
        bench.firmware.set(|board| board.fails = Some(code));
        let key = of(&bench);
        assert_eq!(key.state(), state, "{code}");
        assert_eq!(key.hmac(b"m"), Err(failure), "{code}");
    }
    // A service that does not support it is none: the rows are read.
    let bench = Bench::start(Board::new(KEY, true));
    bench.firmware.set(|board| board.fails = Some(8));
    assert_eq!(of(&bench).state(), Ok(BoardKeyState::Ready(Through::Rows)));
    assert_eq!(
        of(&bench).hmac(b"m").unwrap().expose(),
        &bench.firmware.board().hmac(b"m")
    );
}

#[test]
fn short_and_garbled_answers_are_told_and_the_next_right_one_is_taken() {
    for has_service in [true, false] {
        let bench = Bench::start(Board::new(KEY, has_service));
        let key = of(&bench);
        for manner in [Manner::Short, Manner::Garbage, Manner::Few] {
            bench.firmware.set(|board| board.manner = manner);
            // An old firmware's silence about its service stays silence.
            assert_eq!(key.state(), Err(BoardKeyError::Firmware), "{manner:?}");
            assert_eq!(key.hmac(b"m"), Err(BoardKeyError::Firmware), "{manner:?}");
            assert_eq!(key.program(), Err(BoardKeyError::Firmware), "{manner:?}");
            bench.firmware.set(|board| board.manner = Manner::Right);
            assert_eq!(key.hmac(b"m").unwrap().expose(), &bench.firmware.board().hmac(b"m"));
        }
        assert_eq!(bench.firmware.board().rows, KEY);
    }
}

#[test]
fn only_what_has_a_meaning_is_answered_and_nobody_but_the_group_may_ask() {
    let bench = Bench::start(Board::new(KEY, false));
    assert_eq!(fs::metadata(bench.socket()).unwrap().mode() & 0o777, 0o660);
    let longest = [&[2, 65][..], &[7; 65]].concat();
    for request in [&[0][..], &[2, 0], &longest, b"{\"read\":56}"] {
        let mut stream = UnixStream::connect(bench.socket()).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        // It hangs up on what it did not read to the end.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{request:?}");
    }
    assert_eq!(of(&bench).hmac(&[]), Err(BoardKeyError::Length));
    assert_eq!(of(&bench).hmac(&[1; MAX_MESSAGE + 1]), Err(BoardKeyError::Length));
    assert_eq!(of(&bench).state(), Ok(BoardKeyState::Ready(Through::Rows)));
}

/// Every page that the process can write to.
fn memory_of(pid: u32) -> Vec<u8> {
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut found = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines() {
        let (range, rights) = line.split_once(' ').unwrap();
        let [from, to] = range
            .split_once('-')
            .map(|(from, to)| [from, to].map(|address| u64::from_str_radix(address, 16).unwrap()))
            .unwrap();
        let mut pages = vec![0; usize::try_from(to - from).unwrap()];
        if rights.starts_with("rw") && memory.read_exact_at(&mut pages, from).is_ok() {
            found.extend(pages);
        }
    }
    found
}

#[test]
fn the_process_keeps_neither_the_key_nor_what_it_made_of_it() {
    let bench = Bench::start(Board::new(Board::BLANK, false));
    let key = of(&bench);
    key.program().unwrap();
    let message = b"a message that tells of a PIN";
    let made = key.hmac(message).unwrap();
    key.state().unwrap();
    let board = bench.firmware.board();
    // After an answer its stack is wiped: with the next question it is done.
    let mut stream = UnixStream::connect(bench.socket()).unwrap();
    stream.write_all(&[0]).unwrap();
    let _ = stream.read(&mut [0]);
    let memory = memory_of(bench.pid());
    let holds = |wanted: &[u8]| memory.windows(wanted.len()).any(|there| there == wanted);
    assert!(holds(b"RUST_LOG"), "the memory was read");
    for half in [0..4, 4..8] {
        let rows = &board.rows[half];
        assert!(!holds(
            &rows.iter().flat_map(|row| row.to_be_bytes()).collect::<Vec<_>>()
        ));
        assert!(!holds(
            &rows.iter().flat_map(|row| row.to_le_bytes()).collect::<Vec<_>>()
        ));
    }
    assert!(!holds(&made.expose()[..16]));
    assert!(!holds(message));
}
