//! A hub out of a backup, at the first start: a stick with backups is in, a person takes one, types the recovery code that
//! the hub had on that day, and chooses a new PIN. Nothing is written before the new recovery code is on paper too; then the
//! disk is made and the records are laid out, and the key slots come last, so that one that was cut short is begun again.

use std::sync::Arc;

use super::unlocking::groups;
use super::{Life, State, blocking};
use crate::appliance::ApplianceError;
use crate::appliance::facts::Facts;
use crate::appliance::restore::lay_out;
use crate::backup::{BackupError, Folder, Found};
use crate::keys::{KdfCost, KeysError, MasterKey, Pin, Prepared, RecoveryCode};
use crate::panel::{self, Fault, News, Phase, Question};
use crate::secret::SecretText;
use crate::system::sticks::{Access, Mounted, Sticks};

/// The backups on a stick, as a person is asked about them.
pub(super) struct Restorable {
    /// Those that were not refused yet, the newest first. There is one at least.
    found: Vec<Found>,
    /// They can be read for as long.
    _mounted: Mounted,
}

impl Restorable {
    /// What a person is asked.
    pub(super) fn question(&self) -> Question {
        Question::Restore {
            made_at: self.found.first().map_or(0, |found| found.made_at().millis()),
        }
    }
}

impl Life {
    /// Looks for a stick with backups as long as there is no hub and somebody stands at the panel. Whether there is one to be
    /// asked about.
    pub(super) async fn look_for_backup(&mut self) -> bool {
        if !matches!(self.state, State::SetUp) || self.facts.language().is_none() {
            return false;
        }
        let (sticks, mut looked_at) = (Arc::clone(&self.config.sticks), std::mem::take(&mut self.looked_at));
        let found = blocking(move || {
            let found = find(&*sticks, &mut looked_at);
            Ok((found, looked_at))
        });
        match found.await {
            Ok((Ok(found), looked_at)) => {
                self.looked_at = looked_at;
                let Some(found) = found else { return false };
                self.state = State::OfferingRestore(Box::new(found));
            }
            Ok((Err(error), _)) => self.fail(&error.into()),
            Err(error) => self.fail(&error),
        }
        true
    }

    /// The next older one is asked about, or a new hub is set up.
    pub(super) fn answer_restore(&mut self, yes: bool) {
        let State::OfferingRestore(mut offered) = std::mem::replace(&mut self.state, State::SetUp) else {
            return;
        };
        if yes {
            self.state = State::RestoreCode(offered);
            return;
        }
        offered.found.remove(0);
        if !offered.found.is_empty() {
            self.state = State::OfferingRestore(offered);
        }
    }

    /// Back to the question.
    pub(super) fn leave_restore(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::SetUp) {
            State::RestoreCode(offered) => State::OfferingRestore(offered),
            other => other,
        };
    }

    /// Opens the backup, if it is the right code.
    pub(super) async fn open_backup(&mut self, code: &panel::RecoveryCode) {
        let State::RestoreCode(offered) = std::mem::replace(&mut self.state, State::Fault) else {
            return;
        };
        self.show_phase(Phase::Unlocking);
        let groups = groups(code);
        let opened = blocking(move || {
            let master = match (
                RecoveryCode::parse(groups.iter().map(SecretText::expose)),
                offered.found.first(),
            ) {
                (Ok(code), Some(found)) => found.unlock(&code),
                _ => Err(BackupError::WrongKey),
            };
            Ok((offered, master))
        });
        match opened.await {
            Ok((offered, Ok(master))) => self.state = State::RestorePin(offered, Box::new(master)),
            Ok((offered, Err(BackupError::WrongKey))) => self.state = State::RestoreCode(offered),
            Ok((_, Err(error))) => self.fail(&error.into()),
            Err(error) => self.fail(&error),
        }
    }

    /// The hub's new PIN: makes its key slots, and a new recovery code.
    pub(super) async fn restore_with_pin(&mut self, offered: Box<Restorable>, master: MasterKey, pin: Pin) {
        self.show_phase(Phase::SettingUp);
        let (target, clock) = (self.config.unlock_time, Arc::clone(&self.clock));
        let prepared = blocking(move || {
            let cost = KdfCost::calibrate(target).map_err(KeysError::from)?;
            Ok(Prepared::again(master, &pin, cost, clock.now())?)
        });
        match prepared.await {
            Ok(prepared) => self.state = State::RestoreConfirming(offered, Box::new(prepared)),
            Err(error) => self.fail(&error),
        }
    }

    /// Makes the disk, takes the records out of the backup and opens the hub with them.
    pub(super) async fn restore(&mut self, offered: Restorable, prepared: Prepared) {
        if self.is_unfit_for_writing() {
            self.stop(Fault::WeakPower);
            return;
        }
        let progress = self.progress(|permille| Phase::RestoringBackup { permille });
        progress(0);
        let (config, keys, clock) = (
            Arc::clone(&self.config),
            Arc::clone(&self.keys),
            Arc::clone(&self.clock),
        );
        let (allowed, language) = (self.allowed, self.facts.language.clone());
        let had_records = self.facts.has_records();
        let restored = blocking(move || {
            let found = offered.found.first().ok_or(BackupError::None)?;
            if had_records && config.store_folder().join("hub.db").exists() {
                // Records without key slots are not to be written over.
                return Err(KeysError::AlreadySetUp.into());
            }
            let passphrase = prepared.luks_passphrase();
            config
                .disk
                .format(&passphrase, allowed, &|permille| progress(permille / 5))?;
            config.disk.open(&passphrase)?;
            let laid = lay_out(found, prepared.master(), &config.data, &clock, &|permille| {
                progress(200 + permille / 5 * 4);
            });
            // With the key slots it is opened as what it is then.
            let closed = config.disk.close();
            laid?;
            closed?;
            let mut facts = Facts::of_hub(found.hub_id());
            facts.language = language;
            facts.set_clock(clock.peek(), &prepared.master().facts_key());
            facts.save(&config.keys_folder())?;
            Ok((prepared.commit(&keys)?, facts))
        });
        match restored.await {
            Ok((master, facts)) => {
                self.facts = facts;
                self.open(master, "restore").await;
                self.tell(News::Restored);
            }
            Err(error @ ApplianceError::DataDisk(_)) => self.not_made(&error).await,
            Err(error) => self.fail(&error),
        }
    }
}

/// The backups on the first stick that has some. Those in `looked_at` were looked at before; a generation that can't be read
/// is passed over, unless a newer firmware made it.
fn find(sticks: &dyn Sticks, looked_at: &mut Vec<u64>) -> Result<Option<Restorable>, BackupError> {
    let present = sticks.look().unwrap_or_default();
    looked_at.retain(|token| present.iter().any(|stick| stick.token == *token));
    for stick in present {
        if !stick.has_files || looked_at.contains(&stick.token) {
            continue;
        }
        looked_at.push(stick.token);
        let mounted = match sticks.open(&stick, Access::ReadOnly) {
            Ok(mounted) => mounted,
            Err(error) => {
                tracing::warn!(%error, "a stick can't be opened");
                continue;
            }
        };
        let mut found = Vec::new();
        for generation in Folder::within(mounted.path()).generations().unwrap_or_default() {
            match Found::at(&generation) {
                Ok(generation) => found.push(generation),
                Err(error @ BackupError::Newer { .. }) => return Err(error),
                Err(error) => tracing::warn!(%error, "a backup is passed over"),
            }
        }
        if !found.is_empty() {
            return Ok(Some(Restorable {
                found,
                _mounted: mounted,
            }));
        }
    }
    Ok(None)
}
