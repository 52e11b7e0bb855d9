//! Waiting after failed logins: growing, by account on each device, by device, and far more leniently by source address.
//!
//! An account waits only where it was guessed at, so a phone can lock out nobody but itself; behind an access point that
//! translates addresses a whole clinic is one address, so that one has room for many who mistype, and a good login relieves
//! it. In memory only and bounded: a restart needs the PIN at the box, so it gives an attacker on the network nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::store::devices::DeviceNumber;

/// Failures are forgotten when nothing was tried for so long.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// What failures are counted by is remembered at most so often.
const REMEMBERED: usize = 4096;

/// One try to log in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    /// Where it came from.
    pub(super) address: IpAddr,
    /// The device.
    pub(super) device: DeviceNumber,
    /// The account.
    pub(super) email: &'a str,
}

impl Attempt<'_> {
    fn keys(&self) -> [Key; 3] {
        // SHA-256, so that no e-mail address stays in memory.
        let account = Sha256::digest(self.email.to_lowercase()).into();
        [
            Key::Account(self.device, account),
            Key::Device(self.device),
            Key::Address(self.address),
        ]
    }
}

/// What failures are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(DeviceNumber, [u8; 32]),
    Device(DeviceNumber),
    Address(IpAddr),
}

impl Key {
    /// Failures without a wait, for people mistype: one person, all who share a phone, all behind one address.
    const fn free(&self) -> u32 {
        match self {
            Self::Account(..) => 5,
            Self::Device(_) => 30,
            Self::Address(_) => 200,
        }
    }

    /// The longest wait.
    const fn longest(&self) -> Duration {
        match self {
            Self::Account(..) | Self::Device(_) => Duration::from_secs(15 * 60),
            Self::Address(_) => Duration::from_secs(30),
        }
    }

    /// How long to wait after the last of `count` failures: 1 s after the first that is not free, doubling.
    fn wait(&self, count: u32) -> Duration {
        match count.checked_sub(self.free()) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << (over - 1).min(16)).min(self.longest()),
        }
    }
}

struct Failures {
    count: u32,
    last: Instant,
}

/// The failed logins of the last hour.
#[derive(Default)]
pub(super) struct LoginBackoff {
    failures: Mutex<HashMap<Key, Failures>>,
}

impl LoginBackoff {
    /// How long this attempt has to wait; `None`: not at all.
    pub(super) fn wait(&self, attempt: &Attempt<'_>, now: Instant) -> Option<Duration> {
        let failures = self.failures();
        attempt
            .keys()
            .iter()
            .filter_map(|key| failures.get(key).map(|failed| failed.last + key.wait(failed.count)))
            .filter_map(|until| until.checked_duration_since(now))
            .max()
            .filter(|wait| !wait.is_zero())
    }

    /// Counts a failed login.
    pub(super) fn failed(&self, attempt: &Attempt<'_>, now: Instant) {
        let mut failures = self.failures();
        failures.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGOTTEN);
        for key in attempt.keys() {
            if failures.len() >= REMEMBERED && !failures.contains_key(&key) {
                // Accounts first: whoever floods the table with names is known by the device.
                let by_age = |(key, failed): &(&Key, &Failures)| (!matches!(key, Key::Account(..)), failed.last);
                let oldest = failures.iter().min_by_key(by_age).map(|(key, _)| *key);
                oldest.map(|oldest| failures.remove(&oldest));
            }
            let failed = failures.entry(key).or_insert(Failures { count: 0, last: now });
            failed.count = failed.count.saturating_add(1);
            failed.last = now;
        }
    }

    /// Forgets the failures of an account on the device where it has logged in, and those of the device and its address.
    pub(super) fn succeeded(&self, attempt: &Attempt<'_>) {
        let mut failures = self.failures();
        for key in attempt.keys() {
            failures.remove(&key);
        }
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn attempt(device: i64, email: &str) -> Attempt<'_> {
        Attempt {
            address: HERE,
            device: DeviceNumber(device),
            email,
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        let guess = attempt(1, "a@b");
        for _ in 0..5 {
            assert_eq!(backoff.wait(&guess, now), None);
            backoff.failed(&guess, now);
        }
        assert_eq!(backoff.wait(&guess, now), None);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            backoff.failed(&guess, now);
            assert_eq!(backoff.wait(&guess, now), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(backoff.wait(&guess, now + Duration::from_secs(900)), None);
    }

    #[test]
    fn a_device_locks_out_nobody_but_itself() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for _ in 0..20 {
            backoff.failed(&attempt(1, "Nurse@Example.org"), now);
        }
        assert!(backoff.wait(&attempt(1, "nurse@example.ORG"), now).is_some());
        assert!(backoff.wait(&attempt(2, "nurse@example.org"), now).is_none());
        assert!(
            backoff.wait(&attempt(1, "other@example.org"), now).is_none(),
            "a shared phone"
        );
        for number in 0..20 {
            backoff.failed(&attempt(1, &number.to_string()), now);
        }
        assert!(
            backoff.wait(&attempt(1, "other@example.org"), now).is_some(),
            "by name after name"
        );
        assert!(backoff.wait(&attempt(2, "other@example.org"), now).is_none());
    }

    #[test]
    fn people_behind_one_address_may_mistype_and_a_good_login_relieves_it() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for round in 0..20 {
            for device in 1..=20 {
                let person = device.to_string();
                let person = attempt(device, &person);
                assert_eq!(backoff.wait(&person, now), None, "{round}");
                backoff.failed(&person, now);
                assert_eq!(backoff.wait(&person, now), None, "{round}");
                backoff.succeeded(&person);
            }
        }
        for device in 0..300 {
            backoff.failed(&attempt(1000 + device, "x"), now);
        }
        let slowed = backoff.wait(&attempt(1, "a@b"), now);
        assert_eq!(
            slowed,
            Some(Duration::from_secs(30)),
            "a crowd of guessers behind one address"
        );
    }

    #[test]
    fn a_flood_of_names_does_not_fill_the_memory() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for number in 0..6000 {
            backoff.failed(&attempt(1, &number.to_string()), now);
        }
        assert!(backoff.failures().len() <= REMEMBERED);
        assert!(
            backoff.wait(&attempt(1, "0"), now).is_some(),
            "the flooding device itself is not forgotten"
        );
    }
}
