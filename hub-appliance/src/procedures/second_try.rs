//! The one sign by which an app gives itself away without a push: app 1.7 answers a 401 with a login, and then sends the
//! same call again, by itself and within seconds; app 1.5 stays where it is until somebody signs in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::devices::DeviceNumber;

/// How long the app may take for it, its handshakes and the check of the password included.
const WITHIN: Duration = Duration::from_secs(20);

/// What devices did after a 401.
#[derive(Default)]
pub(super) struct SecondTries(Mutex<HashMap<DeviceNumber, Refused>>);

struct Refused {
    at: Instant,
    /// The call that was refused.
    call: &'static str,
    logged_in: bool,
}

impl SecondTries {
    /// A call met with a 401.
    pub(super) fn refused(&self, device: DeviceNumber, call: &'static str, at: Instant) {
        let refused = Refused {
            at,
            call,
            logged_in: false,
        };
        self.with(|tries| tries.insert(device, refused));
    }

    /// A device logged in.
    pub(super) fn logged_in(&self, device: DeviceNumber) {
        self.with(|tries| {
            if let Some(refused) = tries.get_mut(&device) {
                refused.logged_in = true;
            }
        });
    }

    /// A call with a good token: whether it is the one that was refused, after a login in between, and soon enough.
    pub(super) fn is_one(&self, device: DeviceNumber, call: &'static str, now: Instant) -> bool {
        let refused = self.with(|tries| tries.remove(&device));
        refused.is_some_and(|refused| {
            refused.logged_in && refused.call == call && now.saturating_duration_since(refused.at) <= WITHIN
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<DeviceNumber, Refused>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_call_soon_after_a_login_is_a_second_try() {
        const DEVICE: DeviceNumber = DeviceNumber(1);
        let start = Instant::now();
        let soon = start + Duration::from_secs(3);
        let tries = SecondTries::default();
        let refuse = || tries.refused(DEVICE, "sync_pull", start);

        assert!(!tries.is_one(DEVICE, "sync_pull", soon));
        refuse();
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "nobody logged in");
        refuse();
        tries.logged_in(DEVICE);
        assert!(!tries.is_one(DEVICE, "sync_push", soon), "another call");
        refuse();
        tries.logged_in(DEVICE);
        assert!(
            !tries.is_one(DEVICE, "sync_pull", start + WITHIN * 2),
            "a person did it"
        );
        refuse();
        tries.logged_in(DeviceNumber(2));
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "another device's login");
        refuse();
        tries.logged_in(DEVICE);
        assert!(tries.is_one(DEVICE, "sync_pull", soon));
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "it is told once");
    }
}
