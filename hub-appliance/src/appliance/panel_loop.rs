//! The thread that owns the board: shows what the panel draws, and turns what people do into events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::ApplianceError;
use super::life::Event;
use super::progress::Turns;
use crate::board::{Board, BoardError, Event as BoardEvent, Picture, Waker};
use crate::panel::{
    About, BackupStatus, CloudStatus, Frame, Input, KeyChange, Language, Numerals, Panel, Phase, Status, UsbStanding,
    WithdrawnClinic,
};
use crate::secret::wiping_stack;

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

    /// How the panel says that it is with the cloud; none while it says nothing of that.
    pub(super) fn cloud(&self) -> Option<(CloudStatus, Option<WithdrawnClinic>)> {
        match &self.lock().phase {
            Phase::Open(open) => Some((open.cloud, open.withdrawn.clone())),
            _ => None,
        }
    }

    /// What the panel says of the master key.
    pub(super) fn key_change(&self) -> Option<KeyChange> {
        match &self.lock().phase {
            Phase::Open(open) => open.key_change,
            _ => None,
        }
    }

    /// How the panel says that it is with the backups; none while it says nothing of that.
    pub(super) fn backup(&self) -> Option<BackupStatus> {
        match &self.lock().phase {
            Phase::Open(open) => Some(open.backup.clone()),
            _ => None,
        }
    }

    /// What the panel says is done about what is carried by hand; none while it says nothing of that.
    pub(super) fn usb(&self) -> Option<UsbStanding> {
        match &self.lock().phase {
            Phase::Open(open) => Some(open.usb.standing),
            _ => None,
        }
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
    (language, numerals): (Language, Numerals),
    events: UnboundedSender<Event>,
) -> Result<PanelLoop, ApplianceError> {
    let seed = getrandom::u64()?;
    let status = Status {
        phase: Phase::Starting,
        about,
        language,
        numerals,
        notice: None,
        answered: 0,
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
    /// The panel holds digits while they are typed, and moves them about; so its thread sleeps with a wiped stack.
    fn run(&mut self) -> Result<(), BoardError> {
        loop {
            // Before the status is looked at, so that the last one is shown.
            let is_last = self.ending.load(Ordering::Acquire);
            let wake = wiping_stack(|| self.turn())?;
            if is_last {
                return Ok(());
            }
            match self.board.next_event(wake)? {
                Some(BoardEvent::Touch) => {
                    let status = self.display.lock().clone();
                    self.panel.touch(&status, self.started.elapsed());
                }
                Some(BoardEvent::Input(input)) => wiping_stack(|| self.input(input)),
                Some(BoardEvent::Quit) => self.send(Some(Event::Quit)),
                None => {}
            }
        }
    }

    /// Shows what there is to see, and says for how long that is so.
    fn turn(&mut self) -> Result<Option<Duration>, BoardError> {
        self.turns.count();
        let status = self.display.lock().clone();
        let now = self.started.elapsed();
        let decided = self.panel.update(&status, now);
        self.send(decided.map(Event::Decided));
        let text = self.panel.render(&status, now, &mut self.frame);
        self.board.show(&Picture {
            frame: &self.frame,
            text: &text,
            brightness: self.panel.brightness(now),
            beacon: status.beacon(),
        })?;
        Ok(self.panel.next_wake(now))
    }

    fn input(&mut self, input: Input) {
        // What is on the panel by now is what the input is about.
        let status = self.display.lock().clone();
        let decided = self.panel.input(input, &status, self.started.elapsed());
        self.send(decided.map(Event::Decided));
    }

    fn send(&self, event: Option<Event>) {
        if let Some(event) = event {
            // Its receiver is gone only when the hub ends anyway.
            let _ = self.events.send(event);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;
    use crate::board::{self, BeaconSetup, BoardKind};
    use crate::panel::{Button, Digits, Lacks, Resolution};

    const PIN: &str = "28471936";

    /// Looks for the PIN in what its thread's stack holds below it, each time it is asked what happens next.
    struct Glass {
        inputs: Receiver<Input>,
        found: Sender<bool>,
        waker: Waker,
    }

    impl Board for Glass {
        fn resolution(&self) -> Resolution {
            Resolution::Wide
        }

        fn show(&mut self, _: &Picture<'_>) -> Result<(), BoardError> {
            Ok(())
        }

        fn wire(&mut self, _: BeaconSetup) {}

        fn next_event(&mut self, _: Option<Duration>) -> Result<Option<BoardEvent>, BoardError> {
            let below = stack_below();
            let is_there = below.windows(PIN.len()).any(|bytes| bytes == PIN.as_bytes());
            self.found.send(is_there).unwrap();
            Ok(self.inputs.recv().ok().map(BoardEvent::Input))
        }

        fn waker(&self) -> Waker {
            self.waker.clone()
        }
    }

    /// The 64 KiB below its own frame.
    fn stack_below() -> Vec<u8> {
        let mut below = vec![0; 64 * 1024];
        let here = 0_u8;
        let end = std::ptr::from_ref(&here).addr();
        let memory = File::open("/proc/self/mem").unwrap();
        memory.read_exact_at(&mut below, (end - 64 * 1024) as u64).unwrap();
        below
    }

    #[test]
    fn no_digit_is_left_on_the_stack_of_the_thread_that_waits() {
        let (type_in, inputs) = channel();
        let (found, looks) = channel();
        let folder = tempfile::tempdir().unwrap();
        let another = board::open(BoardKind::Serial, Some(&folder.path().join("panel")), None).unwrap();
        let (events, mut decided) = tokio::sync::mpsc::unbounded_channel();
        let glass = Box::new(Glass {
            inputs,
            found,
            waker: another.waker(),
        });
        let running = start(
            glass,
            About::default(),
            (Language::English, Numerals::default()),
            events,
        )
        .unwrap();
        running.display().set(Status {
            phase: Phase::Locked {
                wait: Duration::ZERO,
                failures: 0,
                tries_left: 4,
                lacks: Lacks::Nothing,
                fewest_digits: 8,
            },
            about: About::default(),
            language: Language::English,
            numerals: Numerals::default(),
            notice: None,
            answered: 0,
        });
        let digits = Digits::new(PIN).unwrap();
        for input in [
            Input::Type(digits),
            Input::Press(Button::Down),
            Input::Press(Button::Up),
            Input::Press(Button::Ok),
        ] {
            assert!(!looks.recv().unwrap());
            type_in.send(input).unwrap();
        }
        assert!(!looks.recv().unwrap());
        assert!(matches!(decided.try_recv(), Ok(Event::Decided(_))));
        drop(type_in);
        running.stop();
    }
}
