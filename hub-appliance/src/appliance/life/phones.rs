//! Pairing, and what people decide about phones.

use std::sync::Arc;
use std::time::Instant;

use super::{Life, State, blocking};
use crate::panel::{Action, PairedPhone};
use crate::server::PairedPhone as Paired;
use crate::store::devices::DeviceNumber;

impl Life {
    pub(super) fn change_pairing(&mut self, action: &Action) {
        let State::Open(serving) = &mut self.state else { return };
        let pairing = &serving.sources.pairing;
        match action {
            Action::OpenPairing => {
                pairing.open(Instant::now());
                serving.pairing_since = Instant::now();
            }
            Action::KeepPairingOpen(keep) => pairing.set_keep_open(*keep),
            _ => pairing.close(),
        }
    }

    pub(super) fn paired(&mut self, phone: &Paired) {
        let State::Open(serving) = &mut self.state else { return };
        let number = panel_number(phone.device);
        serving.paired = Some(PairedPhone {
            number,
            name: phone.name.clone(),
        });
        let address = serving.sources.look().address.map(|address| *address.ip());
        if self.facts.address != address {
            self.facts.address = address;
            self.save_facts();
        }
        self.show();
    }

    pub(super) fn settle_phone(&mut self, number: u32) {
        if let State::Open(serving) = &mut self.state {
            serving.paired.take_if(|phone| phone.number == number);
        }
    }

    pub(super) async fn undo_phone(&mut self, number: u32) {
        let State::Open(serving) = &self.state else { return };
        let devices = Arc::clone(&serving.sources.devices);
        let undone = blocking(move || Ok(devices.unpair(DeviceNumber(i64::from(number)))?)).await;
        if let Err(error) = undone {
            tracing::error!(%error, "a pairing could not be taken back");
            return;
        }
        self.settle_phone(number);
    }

    pub(super) async fn revoke_phone(&mut self, number: u32) {
        let State::Open(serving) = &self.state else { return };
        let devices = Arc::clone(&serving.sources.devices);
        let revoked = blocking(move || Ok(devices.revoke(DeviceNumber(i64::from(number)))?)).await;
        if let Err(error) = revoked {
            tracing::error!(%error, "a phone could not be revoked");
        }
    }
}

fn panel_number(device: DeviceNumber) -> u32 {
    u32::try_from(device.0).unwrap_or(0)
}
