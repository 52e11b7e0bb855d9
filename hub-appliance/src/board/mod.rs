//! The hardware around the panel: a display to show pictures on, and buttons or keys.
//!
//! One panel loop owns the board: it shows a picture, waits for what happens next, and can be woken by others through a
//! [`Waker`]. A board never blocks on a person or a peer that does not listen.
//!
//! | board | for |
//! |---|---|
//! | [`terminal`] | a desk: the picture in half blocks, the keyboard as buttons |
//! | [`raspberry_pi`] | the box: a display on the I²C bus, buttons on pins |
//! | [`serial`] | tests and virtual machines: lines of JSON over a socket or a device |
//!
//! Beside it there may be a light or a buzzer: see `beacon`.
#![forbid(unsafe_code)]

mod beacon;
mod profile;
mod queue;
pub mod raspberry_pi;
pub mod serial;
pub mod terminal;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub use self::beacon::{BeaconKind, BeaconSetup};
pub use self::queue::Waker;

use self::profile::{PROFILES, Profile};
use crate::panel::{Beacon, Brightness, Frame, Input, Resolution, ScreenText};

/// A display with buttons.
pub trait Board: Send {
    /// How many pixels its display has. It shows no other pictures.
    fn resolution(&self) -> Resolution;

    /// Shows a picture. Shown twice in a row, the same one costs nothing.
    ///
    /// # Errors
    /// [`BoardError::Io`] if the display does not take it.
    fn show(&mut self, picture: &Picture<'_>) -> Result<(), BoardError>;

    /// There is a light or a buzzer, which shows the beacon of each picture from now on. What does not work is told on the
    /// console; a board without pins shows what it would do.
    fn wire(&mut self, beacon: BeaconSetup);

    /// Waits for what happens next, for at most `timeout` (for ever if none). `None` says that the time is over or that
    /// a [`Waker`] was used.
    ///
    /// # Errors
    /// [`BoardError::Io`] if the buttons can't be read, or what was to happen can't be shown.
    fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, BoardError>;

    /// Something that makes [`Self::next_event`] return early, from any thread.
    fn waker(&self) -> Waker;
}

/// What a board shows.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// The pixels.
    pub frame: &'a Frame,
    /// The same as text.
    pub text: &'a ScreenText,
    /// How bright.
    pub brightness: Brightness,
    /// What is told across the room, where something is wired for that.
    pub beacon: Beacon,
}

impl Picture<'_> {
    /// The pixels as they are seen: none is lit on a dark display.
    fn visible(&self) -> Frame {
        if self.brightness == Brightness::Off {
            Frame::new(self.frame.resolution())
        } else {
            self.frame.clone()
        }
    }
}

/// What happens at a board.
#[derive(Clone, Debug)]
pub enum Event {
    /// A finger came to a button; what it means may be told only when it goes. A board whose buttons can't be held in fact
    /// need not tell.
    Touch,
    /// A person did something.
    Input(Input),
    /// A person at the desk wants the program to end.
    Quit,
}

/// Which board there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoardKind {
    /// [`terminal`].
    Terminal,
    /// [`serial`].
    Serial,
    /// [`raspberry_pi`].
    RaspberryPi,
}

impl BoardKind {
    /// All kinds, by name.
    pub const ALL: [Self; 3] = [Self::Terminal, Self::Serial, Self::RaspberryPi];

    /// The name in the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Serial => "serial",
            Self::RaspberryPi => "raspberry-pi",
        }
    }
}

impl fmt::Display for BoardKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for BoardKind {
    type Err = UnknownBoard;

    fn from_str(name: &str) -> Result<Self, UnknownBoard> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownBoard)
    }
}

/// The name is none of a board's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such board; there are terminal, serial and raspberry-pi")]
pub struct UnknownBoard;

/// Why a board can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The terminal board was asked for, and standard input or output is no terminal.
    #[error("board terminal needs a terminal as standard input and output")]
    NoTerminal,
    /// The serial board was asked for without a path.
    #[error("board serial needs the path of a socket or a device")]
    NoPath,
    /// The path of the serial board is taken by a file that is neither socket nor character device.
    #[error("{} is neither a socket nor a character device", .0.display())]
    WrongFile(PathBuf),
    /// Another program listens on the path of the serial board.
    #[error("another program listens on {}", .0.display())]
    InUse(PathBuf),
    /// No panel has this profile's name.
    #[error("no such panel profile; there are {}", profile_names().collect::<Vec<_>>().join(", "))]
    NoProfile,
    /// The display or the buttons do not work.
    #[error("the panel's {what} does not work: {source}")]
    Io {
        /// Which part.
        what: &'static str,
        /// What the operating system says.
        source: io::Error,
    },
}

impl BoardError {
    /// For `map_err`: the part `what` failed.
    fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }
}

/// Opens the board `kind`. `path` is the serial board's socket or device. `profile` names the panel: on a Raspberry Pi
/// what is wired, where that is not to be guessed; on the other boards the display that is shown, else one of 128 × 64.
///
/// # Errors
/// Any [`BoardError`].
pub fn open(kind: BoardKind, path: Option<&Path>, profile: Option<&str>) -> Result<Box<dyn Board>, BoardError> {
    let profile = match profile {
        Some(name) => Some(Profile::named(name).ok_or(BoardError::NoProfile)?),
        None => None,
    };
    let resolution = profile.map_or_else(Resolution::default, |profile| profile.controller.resolution());
    match kind {
        BoardKind::Terminal => Ok(Box::new(terminal::Terminal::open(resolution)?)),
        BoardKind::Serial => {
            let path = path.ok_or(BoardError::NoPath)?;
            Ok(Box::new(serial::Serial::open(path, resolution)?))
        }
        BoardKind::RaspberryPi => Ok(Box::new(raspberry_pi::RaspberryPi::open(profile))),
    }
}

/// The names of the panels that are known.
pub fn profile_names() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.name)
}

/// The board that is there if none is named: a Raspberry Pi's panel, else the terminal.
#[must_use]
pub fn detect() -> BoardKind {
    if raspberry_pi::is_here() {
        BoardKind::RaspberryPi
    } else {
        BoardKind::Terminal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_known_by_name() {
        for kind in BoardKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("Terminal".parse::<BoardKind>(), Err(UnknownBoard));
    }

    #[test]
    fn a_board_that_cannot_be_opened_says_why() {
        let why = |kind, profile| open(kind, None, profile).err().unwrap().to_string();
        assert!(
            why(BoardKind::RaspberryPi, Some("other"))
                .contains("there are adafruit-bonnet, waveshare-1.3, four-buttons, four-buttons-128")
        );
        assert!(why(BoardKind::Serial, Some("other")).contains("no such panel profile"));
        assert!(why(BoardKind::Serial, None).contains("needs the path"));
    }
}
