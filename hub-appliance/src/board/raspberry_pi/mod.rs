//! Display and buttons on the pins of a Raspberry Pi.
//!
//! A display that is missing or stops to answer does not stop the hub: it runs without, says so on the console, and
//! goes on looking. Buttons come as interrupts; nothing is polled.
//!
//! | file | what it does |
//! |---|---|
//! | `pins` | pins and bus, by rppal or by the kernel's character devices |
//! | `contacts` | what a person means by contacts that close and open |
//! | `hands` | the contacts as those who hear them and the panel loop share them |
//! | `oled` | the controllers: which bytes make a picture |
//! | `display` | the display that may be missing |

mod contacts;
mod display;
mod hands;
mod oled;
mod pins;

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use self::display::Display;
use self::hands::Hands;
use self::pins::{Access, Bus, Pins};
use super::beacon::Lamp;
use super::profile::Profile;
use super::queue::{Queue, Signal};
use super::{BeaconSetup, Board, BoardError, Event, Picture, Waker};
use crate::panel::Resolution;

/// The board on a Raspberry Pi's pins.
pub struct RaspberryPi {
    access: Access,
    resolution: Resolution,
    queue: Queue,
    display: Display<Bus, Box<dyn FnMut() -> io::Result<Bus> + Send>>,
    /// The panel whose pins are taken.
    profile: &'static Profile,
    hands: Hands,
    pins: Option<Pins>,
    lamp: Option<Lamp>,
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
    pub(super) fn open(named: Option<&'static Profile>) -> Self {
        let access = Access::here();
        let queue = Queue::new();
        let open_bus: Box<dyn FnMut() -> io::Result<Bus> + Send> = Box::new(move || access.open_bus());
        let mut display = Display::new(named, open_bus, Instant::now());
        display.identify();
        display.identify_by_reset(|profile| access.reset(profile));
        let profile = display.profile();
        let (hands, pins) = take_pins(access, profile, &queue);
        Self {
            access,
            resolution: profile.controller.resolution(),
            queue,
            display,
            profile,
            hands,
            pins,
            lamp: None,
        }
    }

    /// Looks for a missing display, if it is time to. One that says what it is may bring other buttons than were assumed.
    fn look(&mut self) {
        let now = Instant::now();
        if self.display.is_sought(now) {
            self.display.identify();
            // No panel has a button on these pins.
            self.display.identify_by_reset(|profile| self.access.reset(profile));
        }
        self.display.look_if_missing(now);
        let profile = self.display.profile();
        if profile != self.profile {
            // Given back first: panels share pins.
            self.pins = None;
            (self.hands, self.pins) = take_pins(self.access, profile, &self.queue);
            self.profile = profile;
        }
    }

    /// How long until there is something to do, if nothing happens before.
    fn until(&self, deadline: Option<Instant>) -> Option<Duration> {
        let contact = self.hands.next().map(|due| due.saturating_sub(hands::now()));
        let others = [deadline, self.display.next_look()].into_iter().flatten();
        let other = others.map(|at| at.saturating_duration_since(Instant::now()));
        other.chain(contact).min()
    }
}

/// The buttons of a panel; without them the hub goes on.
fn take_pins(access: Access, profile: &Profile, queue: &Queue) -> (Hands, Option<Pins>) {
    let hands = Hands::new(profile.buttons.iter().map(|(_, button)| *button), queue.sender());
    let pins = access.open_pins(profile, &hands);
    let pins = pins.inspect_err(|error| tracing::error!(%error, panel = profile.name, "the buttons do not work"));
    (hands, pins.ok())
}

impl Board for RaspberryPi {
    fn resolution(&self) -> Resolution {
        self.resolution
    }

    fn show(&mut self, picture: &Picture<'_>) -> Result<(), BoardError> {
        self.display.show(picture.frame, picture.brightness, Instant::now());
        if let Some(lamp) = &mut self.lamp {
            lamp.show(picture.beacon);
        }
        Ok(())
    }

    fn wire(&mut self, beacon: BeaconSetup) {
        if self.profile.takes(beacon.pin) {
            tracing::error!(
                pin = beacon.pin,
                panel = self.profile.name,
                "the panel has the signal's pin"
            );
            return;
        }
        let output = self.access.open_output(beacon.pin);
        let lamp = output.and_then(|output| Lamp::start(beacon.kind, output));
        self.lamp = lamp
            .inspect_err(|error| tracing::error!(%error, pin = beacon.pin, "the signal does not work"))
            .ok();
    }

    fn next_event(&mut self, timeout: Option<Duration>) -> Result<Option<Event>, BoardError> {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            if let Some(event) = self.hands.take(hands::now()) {
                return Ok(Some(event));
            }
            self.look();
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
            match self.queue.next(self.until(deadline)) {
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
