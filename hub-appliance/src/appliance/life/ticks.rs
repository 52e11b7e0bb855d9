//! What is looked after each second, and what each few of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Life, State, blocking};
use crate::appliance::ApplianceError;

/// How often the figures on the home screen are looked up, in ticks.
pub(super) const REFRESH: u32 = 10;
/// How often the hub's own address is looked up, in ticks: a person who moved the cable is waiting for it.
const ADDRESS: u32 = 2;
/// How often a stick with backups is looked for while there is no hub yet, in ticks.
const LOOK_FOR_BACKUP: u32 = 3;
/// How often the clock and the devices' last calls are written down, in ticks.
const SAVE: u32 = 600;

impl Life {
    pub(super) async fn tick(&mut self) -> Result<(), ApplianceError> {
        self.ticks = self.ticks.wrapping_add(1);
        let elapsed = self.waited_at.elapsed();
        self.waited_at = Instant::now();
        let counts_down = matches!(self.state, State::Locked | State::Open(_));
        if counts_down && !self.keys.wait_remaining().is_zero() {
            self.serve_wait(elapsed);
        }
        self.look_for_stick();
        if self.ticks.is_multiple_of(LOOK_FOR_BACKUP) && self.look_for_backup().await {
            self.show();
        }
        self.look_at_board();
        self.board_is_told_of();
        self.open_by_board().await;
        if self.lacks_other_than_told() {
            self.show();
        }
        if matches!(self.state, State::Open(_)) {
            self.expire_pin_change();
            self.expire_errand();
            self.expire_emergency().await;
            self.tick_open().await?;
            self.lock_when_due().await?;
        }
        // Those of late fall into oblivion, and what keeps the hub shut with them.
        if !self.panics.are_too_many() && self.kept_shut {
            self.begin().await;
        }
        // Only an open hub hands out times.
        if self.ticks.is_multiple_of(SAVE) {
            if !self.is_at_work() {
                self.take_cloud_over(|_, _| {});
            }
            self.note_backup();
            self.note_facts();
        }
        Ok(())
    }

    /// Writes down the public facts of an open hub.
    pub(super) fn note_facts(&mut self) {
        if let State::Open(serving) = &self.state {
            serving.note_in(&mut self.facts, &self.clock);
            self.save_facts();
        }
    }

    fn serve_wait(&mut self, elapsed: Duration) {
        match self.keys.serve_wait(elapsed) {
            Ok(left) if left.is_zero() => self.show(),
            Ok(_) => {}
            Err(error) => self.fail(&error.into()),
        }
    }

    async fn tick_open(&mut self) -> Result<(), ApplianceError> {
        let State::Open(serving) = &self.state else {
            return Ok(());
        };
        if serving.sources.store.disk_has_failed() {
            return self.disk_failed().await;
        }
        let pairing = serving.sources.pairing();
        let has_damage = serving.sources.store.is_damaged() && !serving.told_of_damage;
        if let Some(status) = pairing
            && status.keep_open
            && status.seconds_left <= 2
        {
            self.pairing_runs_out();
        }
        if has_damage {
            self.tell_of_damage();
        }
        self.tell_of_rotation();
        let has_moved = self.ticks.is_multiple_of(ADDRESS) && self.address_has_changed();
        if self.ticks.is_multiple_of(REFRESH) || has_moved {
            self.follow_address();
            self.tell_of_log();
        }
        if self.ticks.is_multiple_of(REFRESH) {
            self.follow_supply().await;
            self.look_for_readers();
        }
        // They may come from the cloud.
        if self.ticks.is_multiple_of(REFRESH) && matches!(&self.state, State::Open(serving) if !serving.has_staff) {
            self.look_for_staff();
        }
        if pairing.is_some()
            || self.ticks.is_multiple_of(REFRESH)
            || has_moved
            || self.cloud_has_moved()
            || self.backup_has_moved()
            || self.courier_has_moved()
            || self.rotation_has_moved()
        {
            self.show();
        }
        if self.ticks.is_multiple_of(SAVE) {
            let State::Open(serving) = &self.state else {
                return Ok(());
            };
            let (devices, store) = (Arc::clone(&serving.sources.devices), Arc::clone(&serving.sources.store));
            let saved = blocking(move || {
                devices.save_last_seen()?;
                devices.save_refusals()?;
                Ok(store.save_run_time()?)
            });
            if let Err(error) = saved.await {
                tracing::error!(%error, "the devices' last calls and what was refused could not be written down");
            }
            self.write_refusals().await;
            self.turn_token_key().await;
            self.tend_log();
        }
        Ok(())
    }
}
