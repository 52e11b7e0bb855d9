//! The one sign by which an app gives itself away without a push: app 1.7 answers a 401 with a login, and then sends the
//! same call again, by itself and within seconds; app 1.5 stays where it is until somebody signs in.
//!
//! A person can be quick, and app 1.5 that is taken for 1.7 is sent a table that it throws at for ever. So the login has
//! to come under the key of an earlier one: app 1.7 keeps the key of its pairing for this, and 1.5 makes a new one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::devices::DeviceNumber;
use crate::wire::session::MessageId;

/// How long the app may take for it, its handshakes and the check of the password included: less than a person needs to type
/// a password.
const WITHIN: Duration = Duration::from_secs(8);

/// What devices did after a 401.
#[derive(Default)]
pub(super) struct SecondTries(Mutex<State>);

#[derive(Default)]
struct State {
    refused: HashMap<DeviceNumber, Refused>,
    /// The message of each device's last login.
    logins: HashMap<DeviceNumber, MessageId>,
}

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
        self.with(|state| state.refused.insert(device, refused));
    }

    /// A device logged in by this message.
    pub(super) fn logged_in(&self, device: DeviceNumber, message: MessageId) {
        self.with(|state| {
            let earlier = state.logins.insert(device, message);
            let by_itself = earlier.is_some_and(|earlier| earlier.has_key_of(&message));
            if let Some(refused) = state.refused.get_mut(&device) {
                refused.logged_in = by_itself;
            }
        });
    }

    /// A call with a good token: whether it is the one that was refused, after a login in between, and soon enough.
    pub(super) fn is_one(&self, device: DeviceNumber, call: &'static str, now: Instant) -> bool {
        let refused = self.with(|state| state.refused.remove(&device));
        refused.is_some_and(|refused| {
            refused.logged_in && refused.call == call && now.saturating_duration_since(refused.at) <= WITHIN
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ClientId;
    use crate::secret::Secret;
    use crate::wire::envelope::{Direction, EnvelopeKey, Outgoing};
    use crate::wire::session::{SessionLimits, SessionTable};

    const DEVICE: DeviceNumber = DeviceNumber(1);

    /// A message under the key of that number.
    fn message(key: u8) -> MessageId {
        let table = SessionTable::new(SessionLimits::default());
        let client = ClientId::from(uuid::Uuid::nil());
        let key = Secret::new([key; 32]);
        let sealed = EnvelopeKey::new(&key)
            .seal(Direction::Command, Outgoing::new())
            .unwrap();
        table.insert(client, &key, std::net::Ipv4Addr::LOCALHOST.into(), Instant::now());
        let opened = table.open(
            client,
            std::net::Ipv4Addr::LOCALHOST.into(),
            Direction::Command,
            sealed.into_bytes(),
            Instant::now(),
        );
        opened.unwrap().split().1.message()
    }

    #[test]
    fn only_the_same_call_soon_after_a_login_is_a_second_try() {
        let start = Instant::now();
        let soon = start + Duration::from_secs(3);
        let tries = SecondTries::default();
        tries.logged_in(DEVICE, message(1));
        let refuse = || tries.refused(DEVICE, "sync_pull", start);
        let log_in = || tries.logged_in(DEVICE, message(1));

        assert!(!tries.is_one(DEVICE, "sync_pull", soon));
        refuse();
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "nobody logged in");
        refuse();
        log_in();
        assert!(!tries.is_one(DEVICE, "sync_push", soon), "another call");
        refuse();
        log_in();
        assert!(
            !tries.is_one(DEVICE, "sync_pull", start + WITHIN * 2),
            "a person did it"
        );
        refuse();
        tries.logged_in(DeviceNumber(2), message(1));
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "another device's login");
        refuse();
        log_in();
        assert!(tries.is_one(DEVICE, "sync_pull", soon));
        assert!(!tries.is_one(DEVICE, "sync_pull", soon), "it is told once");
    }

    #[test]
    fn a_login_under_a_new_key_is_a_persons_however_quick() {
        let start = Instant::now();
        let tries = SecondTries::default();
        for key in [1, 2, 3] {
            tries.refused(DEVICE, "sync_pull", start);
            tries.logged_in(DEVICE, message(key));
            assert!(!tries.is_one(DEVICE, "sync_pull", start));
        }
    }
}
