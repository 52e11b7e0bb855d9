//! What was refused, for the audit log: counted in memory and written down now and then, so that refusals can't fill the
//! disk, however many there are.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::Store;
use super::audit::Entry;
use super::devices::DeviceNumber;
use super::error::StoreError;
use crate::clock::HubTime;

/// Who is told apart between two writings; all others are counted together.
const TOLD_APART: usize = 16;
/// Entries a day in which they are told apart; after that there is one at each writing.
const ENTRIES_A_DAY: u32 = 256;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// What kind of request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// A token that is missing, malformed, expired, revoked, or another device's.
    Token,
    /// A right was missing.
    Right,
    /// A device that was never paired.
    Stranger,
    /// A device that was revoked.
    Revoked,
    /// A message that was taken before.
    Replay,
}

impl Refusal {
    const fn action(self) -> &'static str {
        match self {
            Self::Token => "refused.token",
            Self::Right => "refused.right",
            Self::Stranger => "refused.stranger",
            Self::Revoked => "refused.revoked",
            Self::Replay => "refused.replay",
        }
    }
}

/// Who was refused what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Who {
    refusal: Refusal,
    device: DeviceNumber,
    address: IpAddr,
}

/// The refusals that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_who: HashMap<Who, u64>,
    others: u64,
    since: Option<HubTime>,
    day: i64,
    entries: u32,
}

impl Refusals {
    /// Counts one; `device` is [`DeviceNumber::HUB`] where none is known.
    pub(super) fn note(&self, refusal: Refusal, device: DeviceNumber, address: IpAddr, now: HubTime) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.since.get_or_insert(now);
        let who = Who {
            refusal,
            device,
            address,
        };
        let has_room = counts.by_who.len() < TOLD_APART;
        match counts.by_who.get_mut(&who) {
            Some(count) => *count += 1,
            None if has_room => {
                counts.by_who.insert(who, 1);
            }
            None => counts.others += 1,
        }
    }

    fn take(&self, now: HubTime) -> Vec<Entry> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = counts.since.take().map_or(0, HubTime::millis);
        let detail = |count: u64| json!({"count": count, "since": since}).to_string();
        let day = now.millis() / DAY;
        if day != counts.day {
            (counts.day, counts.entries) = (day, 0);
        }
        let told_apart = std::mem::take(&mut counts.by_who);
        let mut others = std::mem::take(&mut counts.others);
        let mut entries = Vec::new();
        for (who, count) in told_apart {
            if counts.entries >= ENTRIES_A_DAY {
                others += count;
                continue;
            }
            counts.entries += 1;
            entries.push(Entry {
                device: who.device,
                address: Some(who.address),
                action: who.refusal.action(),
                detail: detail(count),
                outcome: "refused",
                ..Entry::default()
            });
        }
        if others > 0 {
            entries.push(Entry {
                action: "refused.others",
                detail: detail(others),
                outcome: "refused",
                ..Entry::default()
            });
        }
        entries
    }

    /// Writes down what was counted since the last time.
    ///
    /// # Errors
    /// What the store reports; what could not be written is not told again.
    pub(super) fn write(&self, store: &Store) -> Result<(), StoreError> {
        let entries = self.take(store.clock().peek());
        if entries.is_empty() {
            return Ok(());
        }
        store.write(move |tx| entries.iter().try_for_each(|entry| tx.audit(entry)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn note(refusals: &Refusals, number: u32, times: usize) {
        let address = Ipv4Addr::from(number).into();
        for _ in 0..times {
            refusals.note(Refusal::Stranger, DeviceNumber::HUB, address, HubTime::from_millis(5));
        }
    }

    #[test]
    fn the_same_are_one_entry_and_a_crowd_is_one_more() {
        let refusals = Refusals::default();
        let now = HubTime::from_millis(10);
        assert!(refusals.take(now).is_empty());
        note(&refusals, 1, 1000);
        let entries = refusals.take(now);
        assert_eq!(entries.len(), 1);
        assert_eq!(
            (entries[0].action, entries[0].detail.as_str()),
            ("refused.stranger", r#"{"count":1000,"since":5}"#)
        );
        assert!(refusals.take(now).is_empty());
        for number in 0..300 {
            note(&refusals, number, 2);
        }
        let entries = refusals.take(now);
        assert_eq!(entries.len(), TOLD_APART + 1);
        let crowd = entries.last().unwrap();
        assert_eq!(
            (crowd.action, crowd.detail.as_str()),
            ("refused.others", r#"{"count":568,"since":5}"#)
        );
    }

    #[test]
    fn a_day_of_refusals_is_a_bounded_number_of_entries() {
        let refusals = Refusals::default();
        let mut written = 0;
        for round in 0..144 {
            for number in 0..300 {
                note(&refusals, number, 1);
            }
            written += refusals.take(HubTime::from_millis(round)).len();
        }
        assert_eq!(written, ENTRIES_A_DAY as usize + 144);
        note(&refusals, 1, 1);
        assert_eq!(
            refusals.take(HubTime::from_millis(DAY)).len(),
            1,
            "the next day they are told apart again"
        );
    }
}
