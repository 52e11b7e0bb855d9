//! A display that may be missing: errors are tried again, then the hub goes on without it, and looks for it now and then.
//!
//! One that lost its power between two pictures acknowledges the next as if nothing had been, and stays dark. So it is
//! started anew whenever it is to be lit again, and every few minutes while it is lit.

use std::io;
use std::time::{Duration, Instant};

use embedded_hal::i2c::I2c;

use super::oled::Oled;
use crate::board::profile::{ADDRESSES, PROFILES, Profile};
use crate::panel::{Brightness, Frame};

/// How often a missing display is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often a display that is lit is started anew: that takes a picture's time on the bus, some 30 ms.
const START_EVERY: Duration = Duration::from_secs(5 * 60);

/// A display on a bus that `open` opens.
pub(super) struct Display<B, O> {
    profile: &'static Profile,
    /// Whether somebody named the profile, or a display said what it is.
    is_known: bool,
    open: O,
    state: State<B>,
    /// What is to be on the glass.
    wanted: Option<(Frame, Brightness)>,
    /// Whether the console knows that the display is missing.
    is_told: bool,
}

enum State<B> {
    There {
        oled: Oled<B>,
        started: Instant,
    },
    /// To be looked for at this time.
    Missing(Instant),
}

impl<B: I2c, O: FnMut() -> io::Result<B>> Display<B, O> {
    /// The display of the panel that was named, else of one that it tells itself. It is looked for at the first picture.
    pub(super) fn new(named: Option<&'static Profile>, open: O, now: Instant) -> Self {
        Self {
            profile: named.unwrap_or(Profile::LIKELY),
            is_known: named.is_some(),
            open,
            state: State::Missing(now),
            wanted: None,
            is_told: false,
        }
    }

    /// The panel that it belongs to: the likeliest, as long as nobody named one and no display has answered.
    pub(super) const fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// Asks the display what it is, unless that is known.
    pub(super) fn identify(&mut self) {
        if self.is_known {
            return;
        }
        let status = ADDRESSES.iter().find_map(|address| {
            let mut status = [0];
            (self.open)().ok()?.read(*address, &mut status).ok()?;
            Some(status[0])
        });
        if let Some(status) = status {
            self.profile = Profile::of_status(status);
            self.is_known = true;
            tracing::info!(profile = self.profile.name, "the display says what it is");
        }
    }

    /// Asks again while each display that has a reset pin is out of its reset, for there are hats that don't answer before:
    /// `reset` sees to that for as long as what it returns lives. Does nothing where the panel is known.
    pub(super) fn identify_by_reset<R>(&mut self, mut reset: impl FnMut(&'static Profile) -> io::Result<R>) {
        for profile in PROFILES.iter().filter(|profile| profile.reset.is_some()) {
            if self.is_known {
                return;
            }
            // Where the pins are somebody else's, or there are none, there is nothing more to try.
            if let Ok(_held) = reset(profile) {
                self.identify();
            }
        }
    }

    /// Whether a display is looked for at this time of which nobody knows what it is.
    pub(super) fn is_sought(&self, now: Instant) -> bool {
        !self.is_known && matches!(self.state, State::Missing(at) if at <= now)
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
            State::There { oled, started } => {
                let is_old = *brightness != Brightness::Off && now.saturating_duration_since(*started) >= START_EVERY;
                if is_old || oled.is_woken_by(*brightness) {
                    oled.forget();
                    *started = now;
                }
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
                self.state = State::There { oled, started: now };
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
            State::There { .. } => None,
            State::Missing(at) => Some(at),
        }
    }

    fn find(&mut self) -> Option<Oled<B>> {
        self.identify();
        let (frame, brightness) = self.wanted.as_ref()?;
        ADDRESSES.iter().find_map(|address| {
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

    const SH1106: u8 = 0x48;

    /// A bus whose display, an SH1106, is plugged in or not, and which counts transfers.
    #[derive(Clone)]
    struct Bus {
        address: u8,
        is_plugged: Rc<Cell<bool>>,
        transfers: Rc<Cell<u32>>,
    }

    impl Default for Bus {
        fn default() -> Self {
            Self::with_display_at(0x3C)
        }
    }

    impl Bus {
        fn with_display_at(address: u8) -> Self {
            Self {
                address,
                is_plugged: Rc::default(),
                transfers: Rc::default(),
            }
        }
    }

    impl ErrorType for Bus {
        type Error = ErrorKind;
    }

    impl I2c for Bus {
        fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
            if address != self.address {
                return Err(ErrorKind::Bus);
            }
            self.transfers.set(self.transfers.get() + 1);
            for operation in operations {
                if let Operation::Read(status) = operation {
                    status.fill(SH1106);
                }
            }
            self.is_plugged.get().then_some(()).ok_or(ErrorKind::Bus)
        }
    }

    #[test]
    fn a_display_that_is_plugged_in_later_is_found_and_one_that_goes_is_missed() {
        let bus = Bus::default();
        let start = Instant::now();
        let mut display = Display::new(Some(&PROFILES[0]), || Ok(bus.clone()), start);
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
    fn a_display_that_is_plugged_in_later_says_what_it_is_unless_somebody_named_it() {
        let start = Instant::now();
        for (named, found) in [(None, "waveshare-1.3"), (Some(&PROFILES[2]), "four-buttons")] {
            let bus = Bus::default();
            let mut display = Display::new(named, || Ok(bus.clone()), start);
            display.show(&Frame::default(), Brightness::Full, start);
            assert_eq!(display.profile(), named.unwrap_or(&PROFILES[0]));
            bus.is_plugged.set(true);
            display.look_if_missing(start + LOOK_EVERY);
            assert_eq!(display.profile().name, found);
            assert_eq!(display.next_look(), None);
        }
    }

    #[test]
    fn a_display_that_answers_only_when_it_was_reset_is_found() {
        let bus = Bus::default();
        let start = Instant::now();
        let mut display = Display::new(None, || Ok(bus.clone()), start);
        display.show(&Frame::default(), Brightness::Full, start);
        assert!(!display.is_sought(start) && display.is_sought(start + LOOK_EVERY));
        display.identify_by_reset(|_| Err::<(), _>(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(display.profile(), Profile::LIKELY);
        display.identify_by_reset(|profile| {
            bus.is_plugged.set(profile.name == "waveshare-1.3");
            Ok(())
        });
        assert_eq!(display.profile().name, "waveshare-1.3");
        assert!(!display.is_sought(start + LOOK_EVERY));
        display.identify_by_reset(|_| -> io::Result<()> { panic!("it is known") });
        display.look_if_missing(start + LOOK_EVERY);
        assert_eq!(display.next_look(), None);
    }

    #[test]
    fn a_display_is_found_at_either_address_whatever_the_panel() {
        let start = Instant::now();
        for address in [0x3C, 0x3D] {
            let profiles = PROFILES.iter().map(Some).chain([None]);
            for named in profiles {
                let bus = Bus::with_display_at(address);
                bus.is_plugged.set(true);
                let mut display = Display::new(named, || Ok(bus.clone()), start);
                let resolution = display.profile().controller.resolution();
                display.show(&Frame::new(resolution), Brightness::Full, start);
                let panel = named.map_or("waveshare-1.3", |profile| profile.name);
                assert_eq!(display.profile().name, panel, "{address:x}");
                assert_eq!(display.next_look(), None, "{panel} at {address:x}");
                assert!(bus.transfers.get() > 8, "a picture went there");
            }
        }
    }

    #[test]
    fn a_display_that_may_have_lost_its_power_is_started_anew() {
        let bus = Bus::default();
        bus.is_plugged.set(true);
        let start = Instant::now();
        let mut display = Display::new(Some(&PROFILES[0]), || Ok(bus.clone()), start);
        let mut cost = |brightness, after| {
            let before = bus.transfers.get();
            display.show(&Frame::default(), brightness, start + after);
            bus.transfers.get() - before
        };
        let whole = cost(Brightness::Full, Duration::ZERO);
        assert!(whole > 8, "all of its pages");
        assert_eq!(cost(Brightness::Full, START_EVERY - Duration::from_secs(1)), 0);
        assert_eq!(cost(Brightness::Full, START_EVERY), whole);
        assert_eq!(cost(Brightness::Full, 2 * START_EVERY - Duration::from_secs(1)), 0);

        assert!(cost(Brightness::Off, 2 * START_EVERY - Duration::from_secs(1)) < whole);
        assert_eq!(cost(Brightness::Off, 9 * START_EVERY), 0, "a dark one is left alone");
        assert_eq!(cost(Brightness::Full, 9 * START_EVERY), whole, "and started to be lit");
        assert_eq!(cost(Brightness::Full, 10 * START_EVERY - Duration::from_secs(1)), 0);
    }

    #[test]
    fn a_bus_that_is_not_there_is_a_display_that_is_not_there() {
        let start = Instant::now();
        let mut display = Display::new(
            Some(&PROFILES[0]),
            || Err::<Bus, _>(io::ErrorKind::NotFound.into()),
            start,
        );
        display.show(&Frame::default(), Brightness::Full, start);
        assert!(display.next_look().is_some());
    }
}
