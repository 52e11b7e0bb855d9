//! The serial board over a real socket and a real terminal line.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::Rectangle;
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::panel::{Beacon, Brightness, Button, Frame, Input, ScreenText};

/// Long enough for any machine: a test that gets here has failed.
const PATIENCE: Duration = Duration::from_secs(30);

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panel.sock");
    Place { _folder: folder, path }
}

struct Client {
    lines: BufReader<UnixStream>,
}

impl Client {
    fn connect(place: &Place) -> Self {
        let stream = UnixStream::connect(&place.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            lines: BufReader::new(stream),
        }
    }

    fn send(&mut self, line: &str) {
        self.lines.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

fn show(board: &mut Serial, name: &'static str, brightness: Brightness) {
    let text = ScreenText {
        name,
        lines: vec![format!("This is {name}"), "\"é\"".into()],
    };
    let mut frame = Frame::new(board.resolution());
    frame
        .fill_solid(&Rectangle::new((0, 0).into(), (1, 1).into()), BinaryColor::On)
        .unwrap();
    board
        .show(&Picture {
            frame: &frame,
            text: &text,
            brightness,
            beacon: Beacon::NeedsHelp,
        })
        .unwrap();
}

fn next(board: &mut Serial) -> Input {
    match board.next_event(Some(PATIENCE)).unwrap() {
        Some(Event::Input(input)) => input,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_gets_the_picture_at_connection_and_at_each_change() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    show(&mut board, "home", Brightness::Full);
    let mut early = Client::connect(&place);
    let first = early.receive();
    assert_eq!(first["screen"], "home");
    assert_eq!(first["lines"], serde_json::json!(["This is home", "\"é\""]));
    let frame = BASE64_STANDARD.decode(first["frame"].as_str().unwrap()).unwrap();
    assert_eq!((frame.len(), frame[0], frame[1]), (1024, 0x80, 0));

    show(&mut board, "home", Brightness::Full);
    show(&mut board, "menu", Brightness::Full);
    assert_eq!(early.receive()["screen"], "menu", "the same picture is not sent twice");
    let mut late = Client::connect(&place);
    assert_eq!(late.receive()["screen"], "menu");
    show(&mut board, "home", Brightness::Off);
    for client in [&mut early, &mut late] {
        let dark = client.receive();
        assert_eq!(dark["screen"], "home");
        assert_eq!(dark["lines"][0], "This is home");
        assert!(
            BASE64_STANDARD
                .decode(dark["frame"].as_str().unwrap())
                .unwrap()
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}

#[test]
fn a_square_picture_has_2048_bytes() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Square).unwrap();
    show(&mut board, "home", Brightness::Full);
    let shown = Client::connect(&place).receive();
    let frame = BASE64_STANDARD.decode(shown["frame"].as_str().unwrap()).unwrap();
    assert_eq!((frame.len(), frame[0]), (2048, 0x80));
}

#[test]
fn two_clients_press_buttons_and_one_comes_back() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    show(&mut board, "locked", Brightness::Full);
    let (mut one, mut two) = (Client::connect(&place), Client::connect(&place));
    one.send(r#"{"press":"down"}"#);
    assert!(matches!(next(&mut board), Input::Press(Button::Down)));
    two.send("{\"type\":\"12345678\"}\r\n\n{\"hold\":\"ok\"}");
    assert!(matches!(next(&mut board), Input::Type(digits) if digits.expose() == b"12345678"));
    assert!(matches!(next(&mut board), Input::Hold(_)));
    drop(one);
    let mut again = Client::connect(&place);
    assert_eq!(again.receive()["screen"], "locked");
    again.send(r#"{"press":"ok"}"#);
    assert!(matches!(next(&mut board), Input::Press(Button::Ok)));
    assert_eq!(two.receive()["screen"], "locked");
}

#[test]
fn a_line_may_come_in_pieces() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    let mut client = Client::connect(&place);
    for piece in ["{\"pre", "ss\":", "\"ok\"}\n{\"press\":\"up\"}\n"] {
        client.lines.get_mut().write_all(piece.as_bytes()).unwrap();
    }
    assert!(matches!(next(&mut board), Input::Press(Button::Ok)));
    assert!(matches!(next(&mut board), Input::Press(Button::Up)));
}

#[test]
fn what_is_not_understood_is_answered_to_its_sender_and_ignored() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    let (mut bad, mut good) = (Client::connect(&place), Client::connect(&place));
    bad.send(r#"{"type":"1234 patient"}"#);
    let answer = bad.receive();
    assert!(answer["error"].as_str().unwrap().contains("expected"));
    assert!(!answer.to_string().contains("1234"));
    bad.send(&"x".repeat(5000));
    assert_eq!(bad.receive()["error"], "line too long");
    bad.send(r#"{"press":"left"}"#);
    assert!(matches!(next(&mut board), Input::Press(Button::Left)));
    show(&mut board, "home", Brightness::Full);
    assert_eq!(bad.receive()["screen"], "home");
    assert_eq!(good.receive()["screen"], "home");
}

#[test]
fn a_client_that_only_sends_is_served_to_the_end() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    let mut client = Client::connect(&place);
    client.send(r#"{"press":"ok"}"#);
    client.lines.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    assert!(matches!(next(&mut board), Input::Press(Button::Ok)));
    show(&mut board, "menu", Brightness::Full);
    assert_eq!(client.receive()["screen"], "menu");
}

#[test]
fn who_does_not_read_is_dropped_and_holds_up_nobody() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    let mut sleeper = Client::connect(&place);
    let mut reader = Client::connect(&place);
    let names = ["home", "menu"];
    show(&mut board, "locked", Brightness::Full);
    assert_eq!(reader.receive()["screen"], "locked");
    for turn in 0..2000 {
        let name = names[turn % 2];
        show(&mut board, name, Brightness::Full);
        assert_eq!(reader.receive()["screen"], name);
    }
    let mut kept = Vec::new();
    let ended = sleeper.lines.read_to_end(&mut kept);
    assert!(
        ended.is_ok() && kept.len() < 2000 * 1400,
        "{ended:?} after {} bytes",
        kept.len()
    );
}

#[test]
fn the_socket_is_the_owners_alone_and_goes_away() {
    let place = place();
    let board = Serial::open(&place.path, Resolution::Wide).unwrap();
    let file = fs::metadata(&place.path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.path.parent().unwrap()).unwrap().count(), 1);
    drop(board);
    assert!(!place.path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let place = place();
    drop(UnixListener::bind(&place.path).unwrap());
    assert!(place.path.exists());
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    assert!(matches!(
        Serial::open(&place.path, Resolution::Wide),
        Err(BoardError::InUse(_))
    ));
    show(&mut board, "home", Brightness::Full);
    assert_eq!(Client::connect(&place).receive()["screen"], "home");
}

#[test]
fn other_files_are_left_alone() {
    let place = place();
    fs::write(&place.path, "a letter").unwrap();
    assert!(matches!(
        Serial::open(&place.path, Resolution::Wide),
        Err(BoardError::WrongFile(_))
    ));
    assert!(matches!(
        Serial::open(place.path.parent().unwrap(), Resolution::Wide),
        Err(BoardError::WrongFile(_))
    ));
    assert_eq!(fs::read_to_string(&place.path).unwrap(), "a letter");
    let nowhere = place.path.with_file_name("no").join("panel.sock");
    assert!(matches!(
        Serial::open(&nowhere, Resolution::Wide),
        Err(BoardError::Io { .. })
    ));
}

#[test]
fn a_successors_socket_is_not_removed() {
    let place = place();
    let board = Serial::open(&place.path, Resolution::Wide).unwrap();
    fs::remove_file(&place.path).unwrap();
    let _successor = UnixListener::bind(&place.path).unwrap();
    drop(board);
    assert!(place.path.exists());
}

#[test]
fn wakes_from_another_thread_and_after_its_time() {
    let place = place();
    let mut board = Serial::open(&place.path, Resolution::Wide).unwrap();
    assert!(board.next_event(Some(Duration::ZERO)).unwrap().is_none());
    let waker = board.waker();
    let other = std::thread::spawn(move || waker.wake());
    assert!(board.next_event(None).unwrap().is_none());
    other.join().unwrap();
}

#[test]
fn a_character_device_carries_the_lines() {
    let line = nix::pty::openpty(None, None).unwrap();
    let path = nix::unistd::ttyname(&line.slave).unwrap();
    let mut board = Serial::open(&path, Resolution::Wide).unwrap();
    let mut far = BufReader::new(fs::File::from(line.master));
    show(&mut board, "home", Brightness::Full);
    let mut received = String::new();
    far.read_line(&mut received).unwrap();
    assert!(
        received.starts_with(r#"{"screen":"home""#) && !received.contains('\r'),
        "{received}"
    );
    far.get_mut().write_all(b"{\"press\":\"back\"}\n").unwrap();
    assert!(matches!(next(&mut board), Input::Press(Button::Back)));
}
