//! The panel: 128 × 64 or 128 × 128 pixels and a few buttons, the person's whole view of the hub.
//!
//! Pure: the view model and a person's input go in, a picture and decisions come out. There is no input or output here
//! and no clock; who owns the panel tells it how much time has passed. It holds no patient's data.
//!
//! | screen | when | ok · back |
//! |---|---|---|
//! | `splash` | at the start: the version | on |
//! | `notice` | after the splash, if the owner's setup file has a mistake; once open, if the file of records has, or is still on the card; left alone for a minute it passes | on |
//! | `setup-pin` | never set up: the language, then the PIN twice; after the recovery code: a new PIN | on · a step back |
//! | `setup-way`, `setup-no-way` | then how it is to be unlocked, one way after the other; why one of them can't be had | choose · a step back |
//! | `setting-up` | keys and store are being made | |
//! | `setup-recovery` | what the recovery code is for, the code, then two of its groups typed back; left alone for 15 minutes it is hidden | on · the code again |
//! | `locked` | PIN pad; with nothing typed the delete key is that of the languages | press the key · delete, languages; held with nothing typed: recovery code |
//! | `recovery` | recovery code instead of the PIN, also during a wait | press the key · delete, group before |
//! | `wait` | too many wrong PINs | – · recovery code |
//! | `unlocking`, `checking`, `saving`, `locking` | the hub is at work | |
//! | `home` | open; if the address has changed, that, until every phone called there or a person hides it | menu · hide it |
//! | `menu`, `status`, `language`, `lock`, `power-off`, `about` | left alone for a minute they go home | choose · home |
//! | `help`, `help-one` | what phones sent and the hub could not take, why, and trying it again | |
//! | `keys`, `key` | the ways to unlock, and one of them; as above | choose · a step back |
//! | `backup`, `backup-stick` | how old the newest backup is, one now, and whether a stick is to be the one for backups; as above | choose · home, a step back |
//! | `usb` | what is carried by hand: what the office sent is taken in, what is to be sent is written; as above | choose · home |
//! | `phones`, `phone`, `revoke` | the paired phones, one of them, and whether to refuse it; as above | choose · a step back |
//! | `change-pin` | the present PIN, then the new one twice; left alone it ends, and says so | press the key · delete, give up |
//! | `ask-pin`, `staff`, `errand` | the PIN for something else; what a file of staff changes; how it ended | press the key, choose · give up |
//! | `set-clock` | the date and time, a field after the other | the next field, set it · the field before, give up |
//! | `emergency` | how long staff may still read any record, and ending that | choose · home |
//! | `emergency-over` | who read by it, and how often; comes up by itself until it was seen | on · on |
//! | `which-disk` | there are several data disks: whose each is, one after the other | choose · the next |
//! | `erase-disk`, `use-card`, `repair`, `put-back`, `move-data`, `larger-disk`, `go-on-moving`, `other-cloud`, `other-office`, `other-key`, `withdrawn-clinic` | a person has to decide; no is chosen | choose · no |
//! | `off`, `unplug` | locked, and about to lose power; nothing is written any more | |
//! | `restore` | there is no hub yet and a stick with backups is in; then `recovery`, for the code of its day | choose · no |
//! | `formatting`, `moving`, `repairing`, `restoring` | the data disk is being made, or repaired; the records are being moved to it, or taken out of a backup | |
//! | `no-network` | pairing was asked for without a network | home · home |
//! | `pair` | new phones may pair | keep open or not · close |
//! | `paired` | a phone has paired; left alone for a minute it is kept | choose · keep |
//! | `news` | something about phones did not come about, or came to an end | on · on |
//! | `error` | stopped by a fault | |
//!
//! Up, down and ok are enough; holding ok is back. What decides something and comes up by itself takes no press at first.
//!
//! What the hub was asked to do is known by its number: [`Status::answered`] says how far the hub has come, so that no
//! outcome is missed, however quickly it passed.
#![forbid(unsafe_code)]

mod canvas;
mod clock_entry;
mod frame;
mod icons;
mod input;
mod layout;
mod names;
mod pin_pad;
mod qr;
mod screens;
mod script;
mod state;
mod strings;
mod text;
mod transitions;
mod view;

#[cfg(test)]
mod tests;

use std::time::Duration;

use embedded_graphics::prelude::Point;

pub use self::frame::{Frame, Resolution, half_block};
pub use self::input::{Action, Button, Digits, HeldButton, Input};
pub use self::script::Numerals;
pub use self::strings::Language;
pub use self::view::{
    About, BackupStanding, BackupStatus, Beacon, Clock, CloudStanding, CloudStatus, EmergencyReader, EmergencyStatus,
    Errand, ErrandEnd, ErrandStep, Fault, HeldReason, HeldRow, Identity, ImportFile, KeyChange, KnownDisk, Lacks, News,
    Notice, Obstacle, OfferedStick, OpenStatus, PairedPhone, PairingStatus, Phase, Phone, PhoneStanding, PinChange,
    Question, RecordKind, RecoveryCode, SetUp, StaffFigures, Status, Supply, Unlocking, UsbStanding, UsbStatus,
    UsbTrouble, Ways, WithdrawnClinic,
};

use self::canvas::Canvas;
use self::pin_pad::PadMaker;
use self::screens::{HINT_FOR, Moment};
use self::state::{Event, SETTLE, State};

/// The text of a picture, for those who read the panel as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScreenText {
    /// The screen's name, as in the table of this module.
    pub name: &'static str,
    /// What it says, top to bottom: at most 8 lines (9 on 128 rows) of at most 21 characters.
    pub lines: Vec<String>,
}

/// How bright the display is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Brightness {
    /// Dark: nobody has touched the panel for five minutes. The next button only lights it.
    Off,
    /// Nobody has touched the panel for a minute.
    Dim,
    /// In use, or showing something that has to be read or scanned.
    Full,
}

/// How often the content moves by a pixel, so that no pixel of an OLED is lit for ever.
const SHIFT_EVERY: Duration = Duration::from_secs(60);
const SHIFTS: [Point; 4] = [Point::new(0, 0), Point::new(1, 0), Point::new(1, 1), Point::new(0, 1)];
/// How often a bar without a known end moves.
const ANIMATE_EVERY: Duration = Duration::from_millis(250);

/// The panel. All its times are durations since some start that the owner chose, and never go back.
#[derive(Debug)]
pub struct Panel {
    pads: PadMaker,
    state: State,
    /// When this screen came up.
    shown_at: Duration,
    /// When somebody touched the panel, or the hub brought up another screen.
    active_at: Duration,
    /// Whether the finger that touched last lit the panel.
    is_waking: bool,
    /// Since when the screen's time limit runs.
    limit_from: Duration,
    /// How many actions it has given so far.
    asked: u64,
    countdown: Countdown,
    /// Whether the home screen has more to say than fits at once.
    home_turns: bool,
    /// The same of the status.
    status_turns: bool,
    /// Whether the panel's script is one of few lines.
    is_tall: bool,
}

impl Panel {
    /// A panel that shows its splash. `seed` is random: it decides which digit a PIN pad starts on.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            pads: PadMaker::new(seed),
            state: State::Splash,
            shown_at: Duration::ZERO,
            active_at: Duration::ZERO,
            is_waking: false,
            limit_from: Duration::ZERO,
            asked: 0,
            countdown: Countdown {
                left: Duration::ZERO,
                at: Duration::ZERO,
            },
            home_turns: false,
            status_turns: false,
            is_tall: false,
        }
    }

    /// What a person does, in the light of `status`. A button wakes a dark panel and does nothing else.
    pub fn input(&mut self, input: Input, status: &Status, now: Duration) -> Option<Action> {
        self.follow(status, now);
        let was_dark = self.is_waking || self.brightness(now) == Brightness::Off;
        self.active_at = now;
        // Pressing does not make the hub any quicker.
        if !matches!(self.state, State::Working(_)) {
            self.limit_from = now;
        }
        let is_mistaken = self.settles_at(now).is_some() && self.state.mistakes(&input);
        if (was_dark || is_mistaken) && !matches!(input, Input::Type(_)) {
            return None;
        }
        let event = Event::of(input, &mut self.state);
        self.step(event, status, now)
    }

    /// A finger came to a button, before anybody knows what it will mean. It lights a dark panel; then neither its press nor
    /// its hold nor a repetition means anything, for they are about a screen that nobody saw.
    pub fn touch(&mut self, status: &Status, now: Duration) {
        self.follow(status, now);
        self.is_waking = self.brightness(now) == Brightness::Off;
        self.active_at = now;
    }

    /// To be called when `status` has changed and when [`Self::next_wake`] has passed.
    pub fn update(&mut self, status: &Status, now: Duration) -> Option<Action> {
        self.follow(status, now);
        let limit = self.state.time_limit()?;
        if now < self.limit_from + limit {
            return None;
        }
        // What is said now, or asked of the hub, has the same time again.
        self.limit_from = now;
        let active_at = self.active_at;
        let action = self.step(Event::TimedOut, status, now);
        // Nobody is there to light another screen for.
        self.active_at = active_at;
        action
    }

    /// Draws the screen into `frame` and says what it says.
    pub fn render(&self, status: &Status, now: Duration, frame: &mut Frame) -> ScreenText {
        self.draw(status, now, frame).0
    }

    /// How bright the display is to be.
    #[must_use]
    pub fn brightness(&self, now: Duration) -> Brightness {
        let idle = now.saturating_sub(self.active_at);
        match self.state.light() {
            Some((_, dark)) if idle >= dark => Brightness::Off,
            Some((dim, _)) if idle >= dim => Brightness::Dim,
            _ => Brightness::Full,
        }
    }

    /// How long from `now` until the panel has to be updated and drawn again, if nothing else happens.
    #[must_use]
    pub fn next_wake(&self, now: Duration) -> Option<Duration> {
        let every = |period| next_multiple(now, period);
        let dark = self.brightness(now) == Brightness::Off;
        let shift = (!dark).then(|| every(SHIFT_EVERY));
        let (dim, off) = self.state.light().unzip();
        let light = [dim, off].map(|after| after.map(|after| self.active_at + after));
        let limit = self.state.time_limit().map(|limit| self.limit_from + limit);
        // Stepping with the screen's own time keeps the hints on their turn.
        let hint = self.shown_at + next_multiple(now.saturating_sub(self.shown_at), HINT_FOR);
        let moving = match self.state {
            State::Working(_) => Some(every(ANIMATE_EVERY)),
            State::Wait | State::PinWait => self.countdown.next_second(now),
            State::Home if self.home_turns => Some(hint),
            State::Facts if self.status_turns => Some(hint),
            _ if self.is_tall && self.state.takes_turns() => Some(hint),
            State::Pairing => Some(self.countdown.next_second(now).map_or(hint, |second| second.min(hint))),
            _ => None,
        };
        let moving = moving.filter(|_| !dark);
        let all = [shift, light[0], light[1], limit, moving, self.settles_at(now)];
        let next = all.into_iter().flatten().filter(|at| *at > now).min()?;
        Some(next - now)
    }

    /// As [`Self::render`], and whether all the text fitted its place.
    fn draw(&self, status: &Status, now: Duration, frame: &mut Frame) -> (ScreenText, bool) {
        let turn = usize::try_from(now.as_secs() / SHIFT_EVERY.as_secs()).unwrap_or(0);
        let writing = status.language.writing(status.numerals);
        let mut canvas = Canvas::new(frame, SHIFTS[turn % SHIFTS.len()], writing);
        let moment = Moment {
            shown_for: now.saturating_sub(self.shown_at),
            left: self.countdown.left(now),
            is_settled: self.settles_at(now).is_none(),
        };
        if !moment.is_settled {
            canvas.hide_buttons();
        }
        let name = screens::draw(&mut canvas, &self.state, status, moment);
        let (lines, fits) = canvas.finish();
        (ScreenText { name, lines }, fits)
    }

    fn follow(&mut self, status: &Status, now: Duration) {
        self.countdown.observe(&status.phase, now);
        self.home_turns = transitions::has_moved(&status.phase)
            || matches!(&status.phase, Phase::Open(open) if screens::home_turns(open));
        self.status_turns = matches!(&status.phase, Phase::Open(open) if screens::status_turns(open));
        self.is_tall = status.language.writing(status.numerals).is_tall();
        self.change(now, |state, pads, _| (transitions::follow(state, status, pads), None));
    }

    fn step(&mut self, event: Event, status: &Status, now: Duration) -> Option<Action> {
        self.change(now, |state, pads, request| {
            transitions::step(state, event, status, pads, request)
        })
    }

    fn change(
        &mut self,
        now: Duration,
        transition: impl FnOnce(State, &mut PadMaker, u64) -> (State, Option<Action>),
    ) -> Option<Action> {
        let before = self.state.screen();
        let state = std::mem::replace(&mut self.state, State::Home);
        let (state, action) = transition(state, &mut self.pads, self.asked + 1);
        self.state = state;
        self.asked += u64::from(action.is_some());
        if self.state.screen() != before {
            self.shown_at = now;
            self.active_at = now;
            self.limit_from = now;
        }
        action
    }

    /// When the screen begins to take presses, if it does not yet.
    fn settles_at(&self, now: Duration) -> Option<Duration> {
        let at = self.shown_at + SETTLE;
        (self.state.is_brought_up() && now < at).then_some(at)
    }
}

/// The time left that the hub told last, counted down from when it told it.
#[derive(Clone, Copy, Debug)]
struct Countdown {
    left: Duration,
    at: Duration,
}

impl Countdown {
    fn observe(&mut self, phase: &Phase, now: Duration) {
        let left = match phase {
            Phase::Locked { wait, .. }
            | Phase::Open(OpenStatus {
                pin_change: Some(PinChange::Ask { wait, .. }),
                ..
            }) => *wait,
            Phase::Open(OpenStatus {
                pairing: Some(pairing), ..
            }) => Duration::from_secs(pairing.seconds_left.into()),
            _ => Duration::ZERO,
        };
        if left != self.left {
            *self = Self { left, at: now };
        }
    }

    fn left(self, now: Duration) -> Duration {
        self.left.saturating_sub(now.saturating_sub(self.at))
    }

    /// When the seconds left change next.
    fn next_second(self, now: Duration) -> Option<Duration> {
        let left = self.left(now);
        let to_next = match left.subsec_nanos() {
            0 => Duration::from_secs(1),
            part => Duration::from_nanos(part.into()),
        };
        (!left.is_zero()).then(|| now + to_next)
    }
}

/// The first multiple of `period` after `time`.
fn next_multiple(time: Duration, period: Duration) -> Duration {
    let over = u64::try_from(time.as_nanos() % period.as_nanos()).unwrap_or(0);
    time + period - Duration::from_nanos(over)
}
