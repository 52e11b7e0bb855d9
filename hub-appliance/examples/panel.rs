//! The panel of a hub that runs elsewhere (`--board serial`), drawn in this terminal: `scripts/boot-image` shows that of
//! the box in QEMU by it. It looks and is worked as with `--board terminal`.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;
use hub_appliance::board::terminal::Terminal;
use hub_appliance::board::{Board, BoardError, Event, Picture, Waker};
use hub_appliance::panel::{Beacon, Brightness, Frame, Input, Resolution, ScreenText};
use serde::Deserialize;

/// Why there is no panel.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// No socket was named.
    #[error("usage: panel SOCKET")]
    Usage,
    /// The hub's socket.
    #[error("the hub's panel: {0}")]
    Hub(#[from] std::io::Error),
    /// The terminal.
    #[error(transparent)]
    Terminal(#[from] BoardError),
}

/// What the hub shows.
#[derive(Clone, Default, Deserialize)]
struct Shown {
    frame: String,
    lines: Vec<String>,
}

/// The last picture, or none any more.
type Latest = Arc<Mutex<Option<Shown>>>;

fn main() -> Result<(), Failure> {
    let socket = std::env::args_os().nth(1).ok_or(Failure::Usage)?;
    let mut hub = UnixStream::connect(socket)?;
    let from_hub = hub.try_clone()?;
    let mut terminal = Terminal::open(Resolution::Wide)?;
    let latest: Latest = Arc::new(Mutex::new(Some(Shown::default())));
    let (seen, waker) = (Arc::clone(&latest), terminal.waker());
    std::thread::spawn(move || watch(from_hub, &seen, &waker));
    loop {
        let shown = latest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(shown) = shown else {
            return Ok(());
        };
        terminal.show(&Picture {
            frame: &drawn(&shown.frame),
            text: &ScreenText {
                name: "",
                lines: shown.lines,
            },
            brightness: Brightness::Full,
            beacon: Beacon::Dark,
        })?;
        match terminal.next_event(None)? {
            Some(Event::Input(input)) => hub.write_all(&line(&input))?,
            Some(Event::Quit) => return Ok(()),
            Some(Event::Touch) | None => {}
        }
    }
}

fn watch(hub: UnixStream, latest: &Latest, waker: &Waker) {
    let mut lines = BufReader::new(hub).lines();
    while let Some(Ok(line)) = lines.next() {
        // What is no picture says that an input was not taken.
        if let Ok(shown) = serde_json::from_str(&line) {
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
            waker.wake();
        }
    }
    *latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    waker.wake();
}

/// The picture: row by row, one bit a pixel, most significant leftmost.
fn drawn(base64: &str) -> Frame {
    let mut frame = Frame::default();
    let bytes = BASE64_STANDARD.decode(base64).unwrap_or_default();
    let lit = (0_u32..).zip(&bytes).flat_map(|(place, byte)| {
        let bits = (0..8_u32).filter(move |bit| byte & (0x80 >> bit) != 0);
        bits.map(move |bit| place * 8 + bit)
    });
    let pixels = lit.filter_map(|pixel| {
        let (x, y) = (pixel % Frame::WIDTH, pixel / Frame::WIDTH);
        Some(Pixel(
            Point::new(x.try_into().ok()?, y.try_into().ok()?),
            BinaryColor::On,
        ))
    });
    match frame.draw_iter(pixels) {
        Ok(()) => frame,
        Err(never) => match never {},
    }
}

fn line(input: &Input) -> Vec<u8> {
    let (verb, what) = match input {
        Input::Press(button) => ("press", format!("{button:?}").to_lowercase()),
        Input::Hold(button) => ("hold", format!("{button:?}").to_lowercase()),
        Input::Type(digits) => ("type", String::from_utf8_lossy(digits.expose()).into_owned()),
    };
    format!("{{\"{verb}\":\"{what}\"}}\n").into_bytes()
}
