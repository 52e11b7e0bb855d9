//! Waiting after failed logins: growing, per source address and per account.
//!
//! In memory only and bounded: a restart needs the PIN at the box, so it gives an attacker on the network nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

/// Failed logins without a wait: people mistype.
const FREE: u32 = 5;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten when nothing was tried for so long.
const FORGOTTEN: Duration = Duration::from_secs(60 * 60);
/// Addresses and accounts remembered at most.
const REMEMBERED: usize = 1024;

/// What failures are counted by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Address(IpAddr),
    /// SHA-256 of the e-mail address in lower case, so that no e-mail address stays in memory.
    Account([u8; 32]),
}

struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// How long to wait after the last failure: 1 s after the sixth, doubling.
    fn wait(&self) -> Duration {
        match self.count.checked_sub(FREE) {
            None | Some(0) => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << (over - 1).min(16)).min(LONGEST),
        }
    }
}

/// The failed logins of the last hour.
#[derive(Default)]
pub(super) struct LoginBackoff {
    failures: Mutex<HashMap<Key, Failures>>,
}

impl LoginBackoff {
    /// How long this address and account must wait before the next try; `None`: not at all.
    pub(super) fn wait(&self, address: IpAddr, email: &str, now: Instant) -> Option<Duration> {
        let failures = self.failures();
        keys(address, email)
            .iter()
            .filter_map(|key| failures.get(key))
            .filter_map(|failed| (failed.last + failed.wait()).checked_duration_since(now))
            .max()
            .filter(|wait| !wait.is_zero())
    }

    /// Counts a failed login.
    pub(super) fn failed(&self, address: IpAddr, email: &str, now: Instant) {
        let mut failures = self.failures();
        failures.retain(|_, failed| now.saturating_duration_since(failed.last) < FORGOTTEN);
        for key in keys(address, email) {
            if failures.len() >= REMEMBERED && !failures.contains_key(&key) {
                // Accounts first: whoever floods the table with names is known by the address.
                let by_age = |(key, failed): &(&Key, &Failures)| (matches!(key, Key::Address(_)), failed.last);
                let oldest = failures.iter().min_by_key(by_age).map(|(key, _)| *key);
                oldest.map(|oldest| failures.remove(&oldest));
            }
            let failed = failures.entry(key).or_insert(Failures { count: 0, last: now });
            failed.count = failed.count.saturating_add(1);
            failed.last = now;
        }
    }

    /// Forgets the failures of an account that has logged in. Those of its address stay: others may share it.
    pub(super) fn succeeded(&self, email: &str) {
        self.failures().remove(&account(email));
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Key, Failures>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(address: IpAddr, email: &str) -> [Key; 2] {
    [Key::Address(address), account(email)]
}

fn account(email: &str) -> Key {
    Key::Account(Sha256::digest(email.to_lowercase()).into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));

    #[test]
    fn waits_grow_and_end() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for _ in 0..FREE {
            assert_eq!(backoff.wait(HERE, "a@b", now), None);
            backoff.failed(HERE, "a@b", now);
        }
        assert_eq!(backoff.wait(HERE, "a@b", now), None);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            backoff.failed(HERE, "a@b", now);
            assert_eq!(backoff.wait(HERE, "a@b", now), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(backoff.wait(HERE, "a@b", now + LONGEST), None);
    }

    #[test]
    fn counts_by_account_from_everywhere_and_by_address_for_everybody() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for _ in 0..=FREE {
            backoff.failed(HERE, "Nurse@Example.org", now);
        }
        assert!(backoff.wait(THERE, "nurse@example.ORG", now).is_some());
        assert!(backoff.wait(HERE, "other@example.org", now).is_some());
        assert!(backoff.wait(THERE, "other@example.org", now).is_none());
        backoff.succeeded("nurse@example.org");
        assert!(backoff.wait(THERE, "nurse@example.org", now).is_none());
        assert!(backoff.wait(HERE, "nurse@example.org", now).is_some());
    }

    #[test]
    fn a_flood_of_names_does_not_fill_the_memory() {
        let backoff = LoginBackoff::default();
        let now = Instant::now();
        for number in 0..3000 {
            backoff.failed(HERE, &number.to_string(), now);
        }
        assert!(backoff.failures().len() <= REMEMBERED);
        assert!(
            backoff.wait(HERE, "0", now).is_some(),
            "the flooding address itself is not forgotten"
        );
    }
}
