//! The address that the phones know, and another one that the hub may have.

use super::{Life, State};

impl Life {
    /// Notes where the hub is, and whether a phone is left that looks for it elsewhere.
    pub(super) fn follow_address(&mut self) {
        let State::Open(serving) = &self.state else { return };
        let Some(address) = serving.sources.address() else {
            return;
        };
        let phones = serving.sources.devices.list().into_iter();
        let heard = phones.filter(|phone| !phone.revoked).map(|phone| phone.last_seen_at);
        if self.facts.follow_address(*address.ip(), self.clock.peek(), heard) {
            self.save_facts();
        }
    }

    /// Whether the hub is elsewhere than at the last look.
    pub(super) fn address_has_changed(&mut self) -> bool {
        let State::Open(serving) = &mut self.state else {
            return false;
        };
        let address = serving.sources.address();
        std::mem::replace(&mut serving.address, address) != address
    }

    /// A person takes care of the phones.
    pub(super) fn address_seen(&mut self) {
        let State::Open(serving) = &self.state else { return };
        if let Some(address) = serving.sources.address() {
            (self.facts.address, self.facts.moved) = (Some(*address.ip()), None);
            self.save_facts();
        }
    }
}
