//! What a person means by contacts that open and close: a state machine without a clock or a pin.
//!
//! A contact counts once it has been quiet for [`QUIET`]. Each that closes is a touch. Up, down, left and right then mean
//! something when they close, and again while they stay closed; ok and back when they open, because held long enough they
//! mean something else.

use std::collections::VecDeque;
use std::time::Duration;

use crate::board::Event;
use crate::panel::{Button, HeldButton, Input};

/// How long a contact has to be quiet: contacts bounce for a few milliseconds, and cables pick up shorter pulses.
pub(super) const QUIET: Duration = Duration::from_millis(12);
/// How long ok or back is held to mean something else.
pub(super) const HOLD: Duration = Duration::from_secs(1);
/// How long a direction is held before it repeats, and how often it then does.
pub(super) const REPEAT_AFTER: Duration = Duration::from_millis(500);
pub(super) const REPEAT_EVERY: Duration = Duration::from_millis(150);

/// More than a person means while nobody takes it. What is more is forgotten: a line that picks up noise is not to fill
/// the memory.
const MOST_MEANT: usize = 64;

/// All contacts of a panel. Times are durations since some start, and never go back.
#[derive(Debug)]
pub(super) struct Contacts {
    contacts: Vec<Contact>,
    /// What was meant and has not been taken: at most [`MOST_MEANT`].
    meant: VecDeque<Event>,
}

#[derive(Debug)]
struct Contact {
    button: Button,
    /// As the pin says, and since when.
    raw: bool,
    raw_since: Duration,
    /// As it counts.
    closed: bool,
    /// When a closed contact means something again: a repetition, or a hold.
    next: Option<Duration>,
}

impl Contacts {
    /// Contacts that are all open.
    pub(super) fn new(buttons: impl IntoIterator<Item = Button>) -> Self {
        let contact = |button| Contact {
            button,
            raw: false,
            raw_since: Duration::ZERO,
            closed: false,
            next: None,
        };
        Self {
            contacts: buttons.into_iter().map(contact).collect(),
            meant: VecDeque::new(),
        }
    }

    /// A contact closed or opened at `at`. One that does not exist is ignored.
    ///
    /// Whoever is told late must get to the same end: what the contacts meant until then is settled first, so that a
    /// press whose opening waits to be told never becomes a hold.
    pub(super) fn changed(&mut self, index: usize, closed: bool, at: Duration) {
        self.settle(at);
        if let Some(contact) = self.contacts.get_mut(index) {
            contact.raw = closed;
            contact.raw_since = at;
        }
    }

    /// What is meant by `now`; to be called until there is nothing more, once all changes so far have been told.
    pub(super) fn take(&mut self, now: Duration) -> Option<Event> {
        self.settle(now);
        self.meant.pop_front()
    }

    /// When [`Self::take`] may have something, if nothing changes before.
    pub(super) fn next(&self) -> Option<Duration> {
        if self.meant.is_empty() {
            self.contacts.iter().filter_map(Contact::due).min()
        } else {
            Some(Duration::ZERO)
        }
    }

    fn settle(&mut self, now: Duration) {
        let is_due = |contact: &Contact| contact.due().is_some_and(|due| due <= now);
        while let Some(contact) = self.contacts.iter_mut().find(|contact| is_due(contact)) {
            let was_closed = contact.closed;
            let input = contact.take(now).map(Event::Input);
            let touch = (contact.closed && !was_closed).then_some(Event::Touch);
            for event in [touch, input].into_iter().flatten() {
                if self.meant.len() < MOST_MEANT {
                    self.meant.push_back(event);
                }
            }
        }
    }
}

impl Contact {
    fn settles_at(&self) -> Option<Duration> {
        (self.raw != self.closed).then(|| self.raw_since + QUIET)
    }

    fn due(&self) -> Option<Duration> {
        // While it is unsettled nothing repeats: it may be open already.
        self.settles_at().or(self.next)
    }

    fn take(&mut self, now: Duration) -> Option<Input> {
        let due = self.due().filter(|due| *due <= now)?;
        if self.settles_at().is_some() {
            self.closed = self.raw;
            return if self.closed { self.close(due) } else { self.open() };
        }
        self.next = None;
        match held(self.button) {
            Some(held) => Some(Input::Hold(held)),
            None => {
                self.next = Some(now.max(due) + REPEAT_EVERY);
                Some(Input::Press(self.button))
            }
        }
    }

    fn close(&mut self, at: Duration) -> Option<Input> {
        if held(self.button).is_some() {
            self.next = Some(at + HOLD);
            None
        } else {
            self.next = Some(at + REPEAT_AFTER);
            Some(Input::Press(self.button))
        }
    }

    /// Ok or back that has not become a hold is a press.
    fn open(&mut self) -> Option<Input> {
        let was_waiting = self.next.take().is_some();
        (held(self.button).is_some() && was_waiting).then_some(Input::Press(self.button))
    }
}

const fn held(button: Button) -> Option<HeldButton> {
    match button {
        Button::Ok => Some(HeldButton::Ok),
        Button::Back => Some(HeldButton::Back),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn said_of(event: &Event) -> String {
        match event {
            Event::Input(input) => format!("{input:?}"),
            other => format!("{other:?}"),
        }
    }

    /// Plays changes (time in ms, contact, closed) and lets time pass up to `end`, looking whenever something is due.
    fn play(buttons: &[Button], changes: &[(u64, usize, bool)], end: u64) -> Vec<(u64, String)> {
        let mut contacts = Contacts::new(buttons.iter().copied());
        let mut meant = Vec::new();
        let mut run_to = |contacts: &mut Contacts, until: Duration| {
            while let Some(due) = contacts.next().filter(|due| *due <= until) {
                while let Some(event) = contacts.take(due) {
                    meant.push((u64::try_from(due.as_millis()).unwrap(), said_of(&event)));
                }
            }
        };
        for (at, index, closed) in changes {
            let at = Duration::from_millis(*at);
            run_to(&mut contacts, at);
            contacts.changed(*index, *closed, at);
        }
        run_to(&mut contacts, Duration::from_millis(end));
        meant
    }

    /// What is meant, without the touches.
    fn meant(changes: &[(u64, usize, bool)], end: u64) -> Vec<(u64, String)> {
        let mut meant = play(&[Button::Up, Button::Ok], changes, end);
        meant.retain(|(_, said)| said != "Touch");
        meant
    }

    fn said(at: u64, input: &str) -> (u64, String) {
        (at, input.to_owned())
    }

    #[test]
    fn a_direction_counts_once_when_it_closes() {
        assert_eq!(
            meant(&[(100, 0, true), (200, 0, false)], 5000),
            [said(112, "Press(Up)")]
        );
    }

    #[test]
    fn a_touch_comes_with_the_closing_and_only_then() {
        let changes = [(100, 0, true), (1000, 0, false), (2000, 1, true), (4000, 1, false)];
        let touches = play(&[Button::Up, Button::Ok], &changes, 9000);
        let touches = touches.iter().filter(|(_, said)| said == "Touch");
        assert_eq!(touches.map(|(at, _)| *at).collect::<Vec<_>>(), [112, 2012]);
        assert_eq!(
            play(&[Button::Up], &changes[..1], 200),
            [said(112, "Touch"), said(112, "Press(Up)")]
        );
    }

    #[test]
    fn a_direction_repeats_while_it_is_held() {
        let times: Vec<u64> = meant(&[(0, 0, true), (1000, 0, false)], 5000)
            .iter()
            .map(|(at, _)| *at)
            .collect();
        assert_eq!(times, [12, 512, 662, 812, 962]);
    }

    #[test]
    fn ok_counts_when_it_opens_unless_it_was_held() {
        assert_eq!(meant(&[(0, 1, true), (300, 1, false)], 5000), [said(312, "Press(Ok)")]);
        assert_eq!(meant(&[(0, 1, true), (3000, 1, false)], 5000), [said(1012, "Hold(Ok)")]);
    }

    #[test]
    fn bouncing_counts_once() {
        let changes = [
            (0, 1, true),
            (3, 1, false),
            (5, 1, true),
            (100, 1, false),
            (104, 1, true),
            (106, 1, false),
        ];
        assert_eq!(meant(&changes, 5000), [said(118, "Press(Ok)")]);
    }

    /// The same changes, told all at once long after they happened.
    fn meant_late(button: Button, changes: &[(u64, usize, bool)], end: u64) -> Vec<String> {
        let mut contacts = Contacts::new([button]);
        for (at, index, closed) in changes {
            contacts.changed(*index, *closed, Duration::from_millis(*at));
        }
        let end = Duration::from_millis(end);
        let events = std::iter::from_fn(|| contacts.take(end)).map(|event| said_of(&event));
        events.filter(|said| said != "Touch").collect()
    }

    #[test]
    fn a_press_that_is_told_late_is_no_hold() {
        assert_eq!(
            meant_late(Button::Ok, &[(0, 0, true), (300, 0, false)], 5000),
            ["Press(Ok)"]
        );
        assert_eq!(
            meant_late(Button::Ok, &[(0, 0, true), (1500, 0, false)], 5000),
            ["Hold(Ok)"]
        );
    }

    #[test]
    fn what_nobody_takes_is_bounded_and_ends_with_the_contact_open() {
        let mut contacts = Contacts::new([Button::Ok]);
        for at in (0..1_000_000).step_by(100) {
            contacts.changed(0, at % 200 == 0, Duration::from_millis(at));
        }
        let late = Duration::from_secs(2000);
        let taken = std::iter::from_fn(|| contacts.take(late)).count();
        assert_eq!(taken, MOST_MEANT);
        assert_eq!(contacts.next(), None);
    }

    proptest! {
        /// A direction's repetitions are not made up for, so only buttons without them are compared.
        #[test]
        fn what_is_told_late_means_the_same(
            steps in prop::collection::vec((1_u64..3000, any::<bool>()), 0..40),
        ) {
            let mut at = 0;
            let changes: Vec<_> = steps.iter().map(|(gap, closed)| { at += gap; (at, 0, *closed) }).collect();
            let in_time = play(&[Button::Ok], &changes, at + 5000).into_iter().map(|(_, said)| said);
            let in_time: Vec<String> = in_time.filter(|said| said != "Touch").collect();
            prop_assert_eq!(meant_late(Button::Ok, &changes, at + 5000), in_time);
        }

        #[test]
        fn short_pulses_mean_nothing(starts in prop::collection::vec((0_u64..1000, 1_u64..12), 0..20)) {
            let mut at = 0;
            let mut changes = Vec::new();
            for (gap, width) in starts {
                at += gap + 12;
                changes.extend([(at, 0, true), (at + width, 0, false)]);
                at += width;
            }
            prop_assert_eq!(meant(&changes, at + 5000), []);
        }

        /// However a contact behaves: one meaning at most for each time that ok closes, and all of it ends when it is open.
        #[test]
        fn never_more_than_one_meaning_for_a_closing(
            steps in prop::collection::vec((1_u64..3000, any::<bool>()), 0..40),
        ) {
            let mut at = 0;
            let changes: Vec<_> = steps.iter().map(|(gap, closed)| { at += gap; (at, 1, *closed) }).collect();
            let closings = changes.iter().filter(|(_, _, closed)| *closed).count();
            prop_assert!(meant(&changes, at + 5000).len() <= closings);
            let mut contacts = Contacts::new([Button::Up]);
            for (at, _, closed) in &changes {
                contacts.changed(0, *closed, *at as u32 * MS);
            }
            contacts.changed(0, false, at as u32 * MS);
            let late = Duration::from_secs(1_000_000);
            while contacts.take(late).is_some() {}
            prop_assert_eq!(contacts.next(), None);
        }
    }
}
