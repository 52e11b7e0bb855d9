//! The thread that owns the board: shows what the panel draws, and turns what people do into events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::mpsc::UnboundedSender;

use super::ApplianceError;
use super::life::Event;
use super::progress::Turns;
use crate::board::{Board, BoardError, Event as BoardEvent, Picture, Waker};
use crate::panel::{About, Frame, Language, Panel, Phase, Status};

/// Where the life of the box says what the panel is to show. Cheap to clone.
#[derive(Clone)]
pub(super) struct Display {
    status: Arc<Mutex<Status>>,
    waker: Waker,
}

impl Display {
    /// Shows `status` from now on.
    pub(super) fn set(&self, status: Status) {
        *self.lock() = status;
        self.wake();
    }

    /// Makes the loop come round.
    pub(super) fn wake(&self) {
        self.waker.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running loop.
pub(super) struct PanelLoop {
    display: Display,
    ending: Arc<AtomicBool>,
    turns: Turns,
    thread: JoinHandle<()>,
}

/// Starts the loop.
pub(super) fn start(
    board: Box<dyn Board>,
    about: About,
    language: Language,
    events: UnboundedSender<Event>,
) -> Result<PanelLoop, ApplianceError> {
    let seed = getrandom::u64()?;
    let status = Status {
        phase: Phase::Starting,
        about,
        language,
        notice: None,
    };
    let display = Display {
        status: Arc::new(Mutex::new(status)),
        waker: board.waker(),
    };
    let ending = Arc::new(AtomicBool::new(false));
    let turns = Turns::default();
    let mut running = Running {
        frame: Frame::new(board.resolution()),
        board,
        turns: turns.clone(),
        panel: Panel::new(seed),
        display: display.clone(),
        ending: Arc::clone(&ending),
        events,
        started: Instant::now(),
    };
    let thread = std::thread::Builder::new()
        .name("panel".into())
        .spawn(move || {
            if let Err(error) = running.run() {
                tracing::error!(%error, "the panel ended");
                // Its receiver is gone only when the hub ends anyway.
                let _ = running.events.send(Event::Quit);
            }
        })
        .map_err(ApplianceError::System)?;
    Ok(PanelLoop {
        display,
        ending,
        turns,
        thread,
    })
}

impl PanelLoop {
    pub(super) fn display(&self) -> Display {
        self.display.clone()
    }

    /// How often the loop came round.
    pub(super) fn turns(&self) -> Turns {
        self.turns.clone()
    }

    /// Ends the loop and gives the board back to whoever had it before.
    pub(super) fn stop(self) {
        self.ending.store(true, Ordering::Release);
        self.display.wake();
        // A panic of the loop has been reported as one.
        let _ = self.thread.join();
    }
}

struct Running {
    board: Box<dyn Board>,
    turns: Turns,
    panel: Panel,
    frame: Frame,
    display: Display,
    ending: Arc<AtomicBool>,
    events: UnboundedSender<Event>,
    started: Instant,
}

impl Running {
    fn run(&mut self) -> Result<(), BoardError> {
        loop {
            self.turns.count();
            // Before the status is looked at, so that the last one is shown.
            let is_last = self.ending.load(Ordering::Acquire);
            let status = self.display.lock().clone();
            let now = self.started.elapsed();
            let decided = self.panel.update(&status, now);
            self.send(decided.map(Event::Decided));
            let text = self.panel.render(&status, now, &mut self.frame);
            let brightness = self.panel.brightness(now);
            self.board.show(&Picture {
                frame: &self.frame,
                text: &text,
                brightness,
            })?;
            if is_last {
                return Ok(());
            }
            match self.board.next_event(self.panel.next_wake(now))? {
                Some(BoardEvent::Input(input)) => {
                    // What is on the panel by now is what the input is about.
                    let status = self.display.lock().clone();
                    let decided = self.panel.input(input, &status, self.started.elapsed());
                    self.send(decided.map(Event::Decided));
                }
                Some(BoardEvent::Quit) => self.send(Some(Event::Quit)),
                None => {}
            }
        }
    }

    fn send(&self, event: Option<Event>) {
        if let Some(event) = event {
            // Its receiver is gone only when the hub ends anyway.
            let _ = self.events.send(event);
        }
    }
}
