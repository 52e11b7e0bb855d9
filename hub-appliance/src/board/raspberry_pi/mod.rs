//! Display and buttons on the pins of a Raspberry Pi.
//!
//! A display that is missing or stops to answer does not stop the hub: it runs without, says so on the console, and
//! goes on looking. Buttons come as interrupts; nothing is polled.
//!
//! | file | what it does |
//! |---|---|
//! | `pins` | pins and bus, by rppal or by the kernel's character devices |
//! | `contacts` | what a person means by contacts that close and open |
//! | `oled` | the controllers: which bytes make a picture |
//! | `display` | the display that may be missing |

mod contacts;
mod display;
mod oled;
mod pins;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use embedded_hal::i2c::I2c as _;

use self::contacts::Contacts;
use self::display::Display;
use self::pins::{Access, Bus, Pins};
use super::profile::Profile;
use super::queue::{Queue, Signal};
use super::{Board, BoardError, Event, Picture, Waker};
use crate::panel::Resolution;

/// The board on a Raspberry Pi's pins.
pub struct RaspberryPi {
    resolution: Resolution,
    queue: Queue,
    display: Display<Bus, Box<dyn FnMut() -> io::Result<Bus> + Send>>,
    contacts: Contacts,
    started: Instant,
    _pins: Option<Pins>,
}

impl std::fmt::Debug for RaspberryPi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RaspberryPi").finish_non_exhaustive()
    }
}

/// Whether this is a Raspberry Pi with its I²C bus switched on.
#[must_use]
pub fn is_here() -> bool {
    let model = std::fs::read("/proc/device-tree/model").unwrap_or_default();
    model.starts_with(b"Raspberry Pi") && Path::new("/dev/i2c-1").exists()
}

impl RaspberryPi {
    /// Opens the panel of this profile, or the one that most likely is there by what answers on the bus. Neither a
    /// display nor buttons have to work for it: what does not is told on the console.
    pub(super) fn open(profile: Option<&'static Profile>) -> Self {
        let access = Access::here();
        let profile = profile.unwrap_or_else(|| detect(access));
        let queue = Queue::new();
        let pins = access.open_pins(profile, &queue.sender());
        let pins = pins.inspect_err(|error| tracing::error!(%error, "the buttons do not work"));
        let started = Instant::now();
        Self {
            resolution: profile.controller.resolution(),
            display: Display::new(profile, Box::new(move || access.open_bus()), started),
            contacts: Contacts::new(profile.buttons.iter().map(|(_, button)| *button)),
            started,
            queue,
            _pins: pins.ok(),
        }
    }

    fn until(&self, deadline: Option<Instant>) -> Option<Duration> {
        let contact = self.contacts.next().map(|due| self.started + due);
        let next = [deadline, contact, self.display.next_look()]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

/// Asks the display what it is, at the address that all have that can be told apart.
fn detect(access: Access) -> &'static Profile {
    const ADDRESS: u8 = 0x3C;
    let mut status = [0];
    let answer = access.open_bus().and_then(|mut bus| {
        let read = bus.read(ADDRESS, &mut status);
        read.map_err(|kind| io::Error::other(kind.to_string()))
    });
    Profile::of_status(answer.is_ok().then_some(status[0]))
}

impl Board for RaspberryPi {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn show(&mut self, picture: &Picture<'_>) -> Result<(), BoardError> {
        self.display.show(picture.frame, picture.brightness, Instant::now());
        Ok(())
    }

    fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, BoardError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            // What waits in the queue is older than now: only after it do the contacts mean what they mean now.
            let mut signal = self.queue.next(Some(Duration::ZERO));
            if signal.is_none() {
                let now = Instant::now();
                if let Some(input) = self.contacts.take(now.saturating_duration_since(self.started)) {
                    return Ok(Some(Event::Input(input)));
                }
                self.display.look_if_missing(now);
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return Ok(None);
                }
                signal = self.queue.next(self.until(deadline));
            }
            match signal {
                Some(Signal::Contact { index, closed, at }) => {
                    self.contacts
                        .changed(index, closed, at.saturating_duration_since(self.started));
                }
                Some(Signal::Event(event)) => return Ok(Some(event)),
                Some(Signal::Redraw | Signal::Woken) => return Ok(None),
                None => {}
            }
        }
    }

    fn waker(&self) -> Waker {
        Waker(self.queue.sender())
    }
}
