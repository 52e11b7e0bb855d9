//! A light or a buzzer that tells across a room how it is with the hub, for those who do not stand at the panel.
//!
//! | | light | buzzer |
//! |---|---|---|
//! | open | steady | two short tones when it opens |
//! | locked | a short flash every three seconds | one long tone when it locks |
//! | needs help | blinks twice a second | three short tones, again every five minutes |
//! | off, starting | dark | silent |

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::panel::Beacon;

/// What is wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeaconKind {
    /// A light, which may blink for hours.
    Light,
    /// A buzzer, which nobody bears for long.
    Buzzer,
}

/// A light or a buzzer, and where it is wired: it is on while the pin is high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeaconSetup {
    /// Which of them.
    pub kind: BeaconKind,
    /// The pin, by its BCM number.
    pub pin: u8,
}

impl BeaconSetup {
    /// The pins that it can have: those of the header, without the bus that the display is on.
    pub const PINS: std::ops::RangeInclusive<u8> = 4..=27;
}

/// What it does, milliseconds on and off in turn; then it stays off, or begins again after so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern {
    Steady(bool),
    Steps(&'static [u64], Option<u64>),
}

impl Pattern {
    const fn of(kind: BeaconKind, beacon: Beacon) -> Self {
        match (beacon, kind) {
            (Beacon::Dark, _) => Self::Steady(false),
            (Beacon::Open, BeaconKind::Light) => Self::Steady(true),
            (Beacon::Locked, BeaconKind::Light) => Self::Steps(&[150], Some(3_000)),
            (Beacon::NeedsHelp, BeaconKind::Light) => Self::Steps(&[250], Some(500)),
            (Beacon::Open, BeaconKind::Buzzer) => Self::Steps(&[120, 120, 120], None),
            (Beacon::Locked, BeaconKind::Buzzer) => Self::Steps(&[700], None),
            (Beacon::NeedsHelp, BeaconKind::Buzzer) => Self::Steps(&[120, 120, 120, 120, 120], Some(300_000)),
        }
    }

    /// Whether it is on after so long, and for how long that stays so; none for ever.
    fn at(self, since: Duration) -> (bool, Option<Duration>) {
        let (steps, again) = match self {
            Self::Steady(on) => return (on, None),
            Self::Steps(steps, again) => (steps, again),
        };
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let at = again.map_or(since, |again| since % again);
        let mut end = 0;
        for (index, step) in steps.iter().enumerate() {
            end += step;
            if at < end {
                return (index % 2 == 0, Some(Duration::from_millis(end - at)));
            }
        }
        (false, again.map(|again| Duration::from_millis(again - at)))
    }
}

/// What drives the pin.
pub(super) trait Wire: Send + 'static {
    /// Makes it high or low.
    fn set(&mut self, high: bool) -> io::Result<()>;
}

/// The running light or buzzer; off when dropped.
#[derive(Debug)]
pub(super) struct Lamp {
    told: Option<Beacon>,
    beacons: Option<Sender<Beacon>>,
    thread: Option<JoinHandle<()>>,
}

impl Lamp {
    /// Lights it from a thread of its own, so that it keeps its time whatever the panel does.
    pub(super) fn start(kind: BeaconKind, wire: impl Wire) -> io::Result<Self> {
        let (beacons, inbox) = channel();
        let mut wire = wire;
        let thread = std::thread::Builder::new().name("panel-beacon".into()).spawn(move || {
            let mut shown = (Beacon::Dark, Instant::now());
            loop {
                let (on, left) = Pattern::of(kind, shown.0).at(shown.1.elapsed());
                if let Err(error) = wire.set(on) {
                    return tracing::error!(%error, "the signal does not work");
                }
                let next = match left {
                    Some(left) => inbox.recv_timeout(left),
                    None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                };
                match next {
                    Ok(beacon) => shown = (beacon, Instant::now()),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // There is nobody any more to tell of a pin that does not go low.
            let _ = wire.set(false);
        })?;
        Ok(Self {
            told: None,
            beacons: Some(beacons),
            thread: Some(thread),
        })
    }

    /// Shows this from now on. The same again changes nothing.
    pub(super) fn show(&mut self, beacon: Beacon) {
        if self.told != Some(beacon) {
            self.told = Some(beacon);
            // One that failed has said so.
            let _ = self.beacons.as_ref().map(|beacons| beacons.send(beacon));
        }
    }
}

impl Drop for Lamp {
    fn drop(&mut self) {
        self.beacons = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to tidy up.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::SyncSender;

    use super::*;

    const KINDS: [BeaconKind; 2] = [BeaconKind::Light, BeaconKind::Buzzer];
    const BEACONS: [Beacon; 4] = [Beacon::Dark, Beacon::Locked, Beacon::Open, Beacon::NeedsHelp];

    /// What it is in each tenth of a second of ten seconds.
    fn seen(kind: BeaconKind, beacon: Beacon) -> Vec<bool> {
        let pattern = Pattern::of(kind, beacon);
        (0..100)
            .map(|tenth| pattern.at(Duration::from_millis(100 * tenth)).0)
            .collect()
    }

    #[test]
    fn each_is_told_from_the_others_across_a_room() {
        for kind in KINDS {
            for (index, beacon) in BEACONS.into_iter().enumerate() {
                assert!(
                    BEACONS[..index]
                        .iter()
                        .all(|other| seen(kind, *other) != seen(kind, beacon))
                );
            }
            assert!(seen(kind, Beacon::Dark).iter().all(|on| !on));
        }
        assert!(seen(BeaconKind::Light, Beacon::Open).iter().all(|on| *on));
        // A light that is locked is not one that is broken, and a buzzer is not heard all day.
        let flashes = seen(BeaconKind::Light, Beacon::Locked).iter().filter(|on| **on).count();
        assert!((3..=8).contains(&flashes));
        assert!(seen(BeaconKind::Buzzer, Beacon::Open)[10..].iter().all(|on| !on));
    }

    #[test]
    fn a_pattern_says_how_long_it_stays_as_it_is() {
        for (kind, beacon) in KINDS.into_iter().flat_map(|kind| BEACONS.map(|beacon| (kind, beacon))) {
            let pattern = Pattern::of(kind, beacon);
            let mut now = Duration::ZERO;
            for _ in 0..20 {
                let (on, left) = pattern.at(now);
                let Some(left) = left else { break };
                assert!(!left.is_zero());
                assert_eq!(pattern.at(now + left - Duration::from_millis(1)).0, on);
                assert_ne!(pattern.at(now + left).0, on, "{kind:?} {beacon:?} at {now:?}");
                now += left;
            }
        }
    }

    /// A pin that tells what it is made.
    struct Pin(SyncSender<bool>);

    impl Wire for Pin {
        fn set(&mut self, high: bool) -> io::Result<()> {
            self.0.send(high).map_err(|_| io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn the_pin_goes_with_what_is_shown_and_is_low_at_the_end() {
        let (sender, pin) = std::sync::mpsc::sync_channel(64);
        let mut lamp = Lamp::start(BeaconKind::Light, Pin(sender)).unwrap();
        assert!(!pin.recv().unwrap());
        lamp.show(Beacon::Open);
        assert!(pin.recv().unwrap());
        lamp.show(Beacon::NeedsHelp);
        let blinks: Vec<bool> = pin.iter().take(4).collect();
        assert_eq!(blinks, [true, false, true, false]);
        drop(lamp);
        assert_eq!(pin.iter().last(), Some(false));
    }
}
