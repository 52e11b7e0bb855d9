//! The backup stick in the life of the box.

use std::sync::Arc;

use super::{Life, State};
use crate::appliance::organisation;
use crate::clock::HubTime;
use crate::panel::{BackupStatus, News};

impl Life {
    /// A person wants a backup now, or the key slots that belong into it are others.
    pub(super) fn back_up_now(&self) {
        if let State::Open(serving) = &self.state
            && let Some(backup) = &serving.backup
        {
            backup.back_up_now();
        }
    }

    /// A person made the stick of this token the backup stick.
    pub(super) fn choose_backup_stick(&self, token: u64) {
        if let State::Open(serving) = &self.state
            && let Some(backup) = &serving.backup
        {
            backup.choose(token);
        }
    }

    /// A person decided whether another organisation can open the backups from now on.
    pub(super) fn answer_organisation(&mut self, yes: bool) {
        let State::Open(serving) = &mut self.state else { return };
        let Some(organisation) = serving.other_organisation.take().filter(|_| yes) else {
            return;
        };
        let (folder, access) = (self.config.store_folder(), Arc::clone(&serving.backup_access));
        let (seal, store) = (Arc::clone(&serving.log.seal), Arc::clone(&serving.sources.store));
        let accept = move || organisation::accept(&folder, &seal, &store, organisation);
        self.begin_work(accept, move |life, accepted| match accepted {
            Ok(recipient) => {
                access.is_for(recipient);
                // What is on the stick is for the one before.
                life.back_up_now();
            }
            Err(error) => {
                tracing::error!(%error, "the other organisation could not be taken over");
                life.tell(News::NotTakenOver);
            }
        });
    }

    /// Notes when the newest backup is of, for when its stick is out at the next opening.
    pub(super) fn note_backup(&mut self) {
        if let State::Open(serving) = &self.state {
            let newest = serving.backup.as_ref().and_then(|backup| backup.newest());
            self.facts.backed_up_at = newest.map(HubTime::millis).or(self.facts.backed_up_at);
        }
    }

    pub(super) fn backup_status(&self) -> BackupStatus {
        match &self.state {
            State::Open(serving) => serving.backup.as_ref(),
            _ => None,
        }
        .map_or_else(BackupStatus::default, |backup| backup.status(self.clock.peek()))
    }

    /// Whether it stands otherwise with the backups than the panel said last.
    pub(super) fn backup_has_moved(&self) -> bool {
        self.display.backup() != Some(self.backup_status())
    }
}
