//! Pairing, and what people decide about phones.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Life, State, blocking};
use crate::appliance::ApplianceError;
use crate::panel::{Action, News, Obstacle, PairedPhone};
use crate::server::PairedPhone as Paired;
use crate::store::StoreError;
use crate::store::devices::{DeviceNumber, Devices, PairError};

/// How long pairing that a person keeps open goes on at most.
const PAIRING_KEPT: Duration = Duration::from_secs(15 * 60);

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

    /// Opens once more what a person keeps open, or says that it was long enough.
    pub(super) fn pairing_runs_out(&mut self) {
        let State::Open(serving) = &mut self.state else { return };
        let pairing = &serving.sources.pairing;
        if serving.pairing_since.elapsed() < PAIRING_KEPT {
            pairing.open(Instant::now());
            pairing.set_keep_open(true);
        } else {
            pairing.close();
            self.tell(News::PairingEnded);
        }
    }

    pub(super) fn paired(&mut self, phone: &Paired) {
        let State::Open(serving) = &mut self.state else { return };
        serving.paired.push_back(PairedPhone {
            number: panel_number(phone.device),
            name: phone.name.clone(),
        });
        self.show();
    }

    pub(super) fn settle_phone(&mut self, number: u32) {
        if let State::Open(serving) = &mut self.state {
            let before = serving.paired.len();
            serving.paired.retain(|phone| phone.number != number);
            if serving.paired.len() == before {
                return;
            }
            serving.sources.pairing.decided();
        }
        self.note_facts();
    }

    /// Whoever was sent away stays out: what can't be forgotten is refused.
    pub(super) async fn undo_phone(&mut self, number: u32) {
        self.shut_out(number, Devices::unpair).await;
        self.settle_phone(number);
    }

    pub(super) async fn revoke_phone(&mut self, number: u32) {
        self.shut_out(number, Devices::revoke).await;
    }

    async fn shut_out(&mut self, number: u32, write: fn(&Devices, DeviceNumber) -> Result<(), StoreError>) {
        let State::Open(serving) = &self.state else { return };
        let device = DeviceNumber(i64::from(number));
        let devices = Arc::clone(&serving.sources.devices);
        let written = blocking(move || Ok(write(&devices, device)?)).await;
        let (State::Open(serving), Err(error)) = (&mut self.state, written) else {
            return;
        };
        tracing::error!(%error, "that a phone is shut out could not be written down");
        serving.sources.devices.refuse(device);
        serving.refused.push(device);
        self.tell(News::RefusedForNow(obstacle(&error)));
    }

    /// Tries once more to write down who is refused.
    pub(super) async fn write_refusals(&mut self) {
        let State::Open(serving) = &self.state else { return };
        let (devices, refused) = (Arc::clone(&serving.sources.devices), serving.refused.clone());
        let write = move || Ok(refused.into_iter().try_for_each(|device| devices.revoke(device))?);
        if !serving.refused.is_empty()
            && blocking(write).await.is_ok()
            && let State::Open(serving) = &mut self.state
        {
            serving.refused.clear();
            serving.news.retain(|news| !matches!(news, News::RefusedForNow(_)));
        }
    }

    /// Shows `news` until a person has seen it, once for any number of the same.
    pub(super) fn tell(&mut self, news: News) {
        let State::Open(serving) = &mut self.state else { return };
        if !serving.news.contains(&news) {
            serving.news.push_back(news);
        }
        self.show();
    }

    /// Tells of records that can't be read, once for as long as the hub is open: each phone that asks meets with them again.
    pub(super) fn tell_of_damage(&mut self) {
        if let State::Open(serving) = &mut self.state {
            serving.told_of_damage = true;
        }
        self.tell(News::Damaged);
    }

    pub(super) fn news_seen(&mut self, seen: News) {
        if let State::Open(serving) = &mut self.state {
            serving.news.retain(|news| *news != seen);
        }
    }
}

fn panel_number(device: DeviceNumber) -> u32 {
    u32::try_from(device.0).unwrap_or(0)
}

pub(super) fn obstacle_to_pairing(error: &PairError) -> Obstacle {
    match error {
        PairError::Full => Obstacle::TooManyPhones,
        PairError::Store(error) => obstacle_of_the_store(error),
    }
}

fn obstacle(error: &ApplianceError) -> Obstacle {
    match error {
        ApplianceError::Store(error) => obstacle_of_the_store(error),
        _ => Obstacle::NotWritten,
    }
}

fn obstacle_of_the_store(error: &StoreError) -> Obstacle {
    match error {
        StoreError::Full => Obstacle::DiskFull,
        StoreError::Disk(error) if error.kind() == io::ErrorKind::StorageFull => Obstacle::DiskFull,
        _ => Obstacle::NotWritten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_full_table() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        for (error, expected) in [
            (PairError::Full, Obstacle::TooManyPhones),
            (PairError::Store(StoreError::Full), Obstacle::DiskFull),
            (PairError::Store(full().into()), Obstacle::DiskFull),
            (PairError::Store(StoreError::Closed), Obstacle::NotWritten),
        ] {
            assert_eq!(obstacle_to_pairing(&error), expected);
        }
        assert_eq!(obstacle(&StoreError::Full.into()), Obstacle::DiskFull);
        assert_eq!(obstacle(&ApplianceError::Panicked), Obstacle::NotWritten);
    }
}
