//! The panel on a desk: the picture in a terminal, two pixels a character, and the keyboard as buttons.
//!
//! | key | is |
//! |---|---|
//! | arrows | up, down, left, right |
//! | Enter, space | ok |
//! | Esc, backspace | back |
//! | 0 to 9 | that digit, into the field that has the focus |
//! | o, b | ok held, back held |
//! | q, Ctrl-C | asks to end |
//!
//! The terminal is as it was before when the board is dropped, and before the message of a panic is printed.

mod keys;
mod painter;

use std::io::{self, IsTerminal, Stdout, Write};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event as TerminalEvent};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, is_raw_mode_enabled, size,
};

use self::painter::Painter;
use super::queue::{Notifier, Queue, Signal};
use super::{BeaconSetup, Board, BoardError, Event, Picture, Waker};
use crate::panel::Resolution;

/// How often the keyboard thread looks whether the board is still there.
const LOOK_UP: Duration = Duration::from_millis(200);

/// The terminal board.
#[derive(Debug)]
pub struct Terminal {
    resolution: Resolution,
    queue: Queue,
    painter: Painter<Stdout>,
    is_open: Arc<AtomicBool>,
    keyboard: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Takes over the terminal that is standard input and output, for pictures of `resolution`.
    ///
    /// # Errors
    /// [`BoardError::NoTerminal`] or [`BoardError::Io`].
    pub fn open(resolution: Resolution) -> Result<Self, BoardError> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(BoardError::NoTerminal);
        }
        restore_before_panic_messages();
        let queue = Queue::new();
        let is_open = Arc::new(AtomicBool::new(true));
        let mut board = Self {
            resolution,
            queue,
            painter: Painter::new(io::stdout()),
            is_open,
            keyboard: None,
        };
        // From here on dropping the board restores the terminal.
        enable_raw_mode().map_err(BoardError::io("terminal"))?;
        execute!(io::stdout(), EnterAlternateScreen, Hide).map_err(BoardError::io("terminal"))?;
        let (events, is_open) = (board.queue.sender(), Arc::clone(&board.is_open));
        let keyboard = std::thread::Builder::new().name("panel-keyboard".into());
        let keyboard = keyboard
            .spawn(move || read_keys(&events, &is_open))
            .map_err(BoardError::io("keyboard"))?;
        board.keyboard = Some(keyboard);
        Ok(board)
    }
}

impl Board for Terminal {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn show(&mut self, picture: &Picture<'_>) -> Result<(), BoardError> {
        let size = size().map_err(BoardError::io("terminal"))?;
        self.painter.show(picture, size).map_err(BoardError::io("terminal"))
    }

    fn wire(&mut self, _: BeaconSetup) {
        self.painter.wire();
    }

    fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, BoardError> {
        match self.queue.next(timeout) {
            Some(Signal::Event(event)) => Ok(Some(event)),
            Some(Signal::Redraw) => {
                let size = size().map_err(BoardError::io("terminal"))?;
                self.painter.redraw(size).map_err(BoardError::io("terminal"))?;
                Ok(None)
            }
            Some(Signal::Woken) | None => Ok(None),
        }
    }

    fn waker(&self) -> Waker {
        Waker(self.queue.sender())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.is_open.store(false, Ordering::Release);
        if let Some(keyboard) = self.keyboard.take() {
            // A keyboard thread that panicked has nothing left to tidy up.
            let _ = keyboard.join();
        }
        restore();
    }
}

fn read_keys(events: &Notifier, is_open: &AtomicBool) {
    while is_open.load(Ordering::Acquire) {
        let read = event::poll(LOOK_UP).and_then(|is_there| is_there.then(event::read).transpose());
        match read {
            Ok(Some(TerminalEvent::Key(key))) => {
                // A full queue means that the hub is busy: keys are dropped rather than acted on much later.
                keys::meaning(key).map(|event| events.notify(Signal::Event(event)));
            }
            Ok(Some(TerminalEvent::Resize(..))) => {
                events.notify(Signal::Redraw);
            }
            Ok(_) => {}
            Err(_) => {
                // The terminal is gone, and with it the person.
                events.notify(Signal::Event(Event::Quit));
                return;
            }
        }
    }
}

/// Gives the terminal back, if it is taken.
fn restore() {
    if is_raw_mode_enabled().unwrap_or(true) {
        // Where the terminal is gone there is nothing to restore.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
        let _ = io::stdout().flush();
    }
}

fn restore_before_panic_messages() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |message| {
        restore();
        print(message);
    }));
}
