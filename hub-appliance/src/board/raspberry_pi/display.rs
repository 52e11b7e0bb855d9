//! A display that may be missing: errors are tried again, then the hub goes on without it, and looks for it now and then.

use std::io;
use std::time::{Duration, Instant};

use embedded_hal::i2c::I2c;

use super::oled::Oled;
use crate::board::profile::Profile;
use crate::panel::{Brightness, Frame};

/// How often a missing display is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A display on a bus that `open` opens.
pub(super) struct Display<B, O> {
    profile: &'static Profile,
    open: O,
    state: State<B>,
    /// What is to be on the glass.
    wanted: Option<(Frame, Brightness)>,
    /// Whether the console knows that the display is missing.
    is_told: bool,
}

enum State<B> {
    There(Oled<B>),
    /// To be looked for at this time.
    Missing(Instant),
}

impl<B: I2c, O: FnMut() -> io::Result<B>> Display<B, O> {
    /// A display that is looked for at the first picture.
    pub(super) fn new(profile: &'static Profile, open: O, now: Instant) -> Self {
        Self {
            profile,
            open,
            state: State::Missing(now),
            wanted: None,
            is_told: false,
        }
    }

    /// Shows a picture, or keeps it until there is a display again.
    pub(super) fn show(&mut self, frame: &Frame, brightness: Brightness, now: Instant) {
        self.wanted = Some((frame.clone(), brightness));
        self.look(now);
    }

    /// Looks for a missing display, if it is time to.
    pub(super) fn look_if_missing(&mut self, now: Instant) {
        if matches!(self.state, State::Missing(_)) {
            self.look(now);
        }
    }

    /// Brings what is wanted onto the glass, if the display is there or it is time to look for it.
    fn look(&mut self, now: Instant) {
        let Some((frame, brightness)) = &self.wanted else {
            return;
        };
        match &mut self.state {
            State::There(oled) => {
                // The second try starts the display anew: a glitch on the bus can leave it in any state.
                if oled.show(frame, *brightness).is_ok() || oled.show(frame, *brightness).is_ok() {
                    return;
                }
            }
            State::Missing(at) if *at > now => return,
            State::Missing(_) => {}
        }
        match self.find() {
            Some(oled) => {
                if std::mem::take(&mut self.is_told) {
                    tracing::warn!("the display answers again");
                }
                self.state = State::There(oled);
            }
            None => {
                if !std::mem::replace(&mut self.is_told, true) {
                    tracing::error!("the display does not answer; the hub runs without it and keeps looking");
                }
                self.state = State::Missing(now + LOOK_EVERY);
            }
        }
    }

    /// When a missing display is looked for next.
    pub(super) const fn next_look(&self) -> Option<Instant> {
        match self.state {
            State::There(_) => None,
            State::Missing(at) => Some(at),
        }
    }

    fn find(&mut self) -> Option<Oled<B>> {
        let (frame, brightness) = self.wanted.as_ref()?;
        self.profile.addresses.iter().find_map(|address| {
            let bus = (self.open)().ok()?;
            let mut oled = Oled::new(bus, self.profile.controller, *address);
            oled.show(frame, *brightness).ok()?;
            Some(oled)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use embedded_hal::i2c::{ErrorKind, ErrorType, Operation};

    use super::*;
    use crate::board::profile::PROFILES;

    /// A bus whose display is plugged in or not, and which counts transfers.
    #[derive(Clone, Default)]
    struct Bus {
        is_plugged: Rc<Cell<bool>>,
        transfers: Rc<Cell<u32>>,
    }

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, _: u8, _: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            self.transfers.set(self.transfers.get() + 1);
            self.is_plugged.get().then_some(()).ok_or(ErrorKind::Bus)
        }
    }

    #[test]
    fn a_display_that_is_plugged_in_later_is_found_and_one_that_goes_is_missed() {
        let bus = Bus::default();
        let start = Instant::now();
        let mut display = Display::new(&PROFILES[0], || Ok(bus.clone()), start);
        display.show(&Frame::default(), Brightness::Full, start);
        let next = display.next_look().unwrap();
        assert_eq!(next, start + LOOK_EVERY);
        let tried = bus.transfers.get();
        display.show(&Frame::default(), Brightness::Full, start + LOOK_EVERY / 2);
        assert_eq!(bus.transfers.get(), tried, "not before its time");

        bus.is_plugged.set(true);
        display.look(next);
        assert_eq!(display.next_look(), None);
        assert!(bus.transfers.get() > tried + 64, "the whole picture went out");

        bus.is_plugged.set(false);
        display.show(&Frame::default(), Brightness::Dim, next);
        assert!(display.next_look().is_some());
    }

    #[test]
    fn a_bus_that_is_not_there_is_a_display_that_is_not_there() {
        let start = Instant::now();
        let mut display = Display::new(&PROFILES[0], || Err::<Bus, _>(io::ErrorKind::NotFound.into()), start);
        display.show(&Frame::default(), Brightness::Full, start);
        assert!(display.next_look().is_some());
    }
}
