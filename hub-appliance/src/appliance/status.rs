//! What an open hub has to say of itself on the panel.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Instant;

use crate::clock::{ClockSource, HubTime};
use crate::panel::{Clock, HeldReason, HeldRow, OpenStatus, PairingStatus, Phone, PhoneStanding, RecordKind, Supply};
use crate::server::Pairing;
use crate::store::Store;
use crate::store::devices::{Device, Devices};
use crate::store::sync::held::Waits;
use crate::store::sync::retry::HeldSummary;
use crate::system::network;
use crate::system::supply::{self, Sensors};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const MINUTE_MS: i64 = 60 * 1000;
/// Records that ask for help which the panel lists.
const HELD_SHOWN: u32 = 50;

/// Where the figures come from.
pub(super) struct Sources {
    pub(super) store: Arc<Store>,
    pub(super) devices: Arc<Devices>,
    pub(super) pairing: Arc<Pairing>,
    pub(super) listen: SocketAddr,
    pub(super) desk: bool,
    pub(super) sensors: Sensors,
}

impl Sources {
    /// The figures now; those of people's doing (a paired phone, a former address) are not among them.
    pub(super) fn look(&self) -> OpenStatus {
        let clock = self.store.clock();
        // Not since midnight: the hub knows no time zone.
        let a_day_ago = HubTime::from_millis(clock.peek().millis() - DAY_MS);
        // A store that does not answer is reported where it is used.
        let full = self.store.over_quota().unwrap_or_default();
        let ahead = self.store.read(|snapshot| snapshot.devices_ahead()).unwrap_or_default();
        OpenStatus {
            address: self.address(),
            phones_in_24_h: self.devices.seen_since(a_day_ago),
            held_rows: self.store.held_count().ok(),
            held: self.held(clock.peek()),
            time_ms: clock.peek().millis(),
            clock: match clock.source() {
                ClockSource::System => Clock::Right,
                ClockSource::Hand => Clock::ByHand,
                ClockSource::Nowhere => Clock::NotSet,
            },
            disk_used_percent: self.store.disk_used_percent().ok(),
            disk_is_full: self.store.is_full(),
            supply: shown(self.sensors.look()),
            pairing: self.pairing(),
            phones: self
                .devices
                .list()
                .iter()
                .map(|device| {
                    phone(
                        device,
                        clock.peek(),
                        full.contains(&device.number),
                        ahead.contains(&device.number),
                    )
                })
                .collect(),
            ..OpenStatus::default()
        }
    }

    /// The oldest records that ask for a person.
    fn held(&self, now: HubTime) -> Arc<[HeldRow]> {
        let rows = self.store.read(|snapshot| snapshot.held_summaries(HELD_SHOWN));
        rows.unwrap_or_default().iter().map(|row| held_row(row, now)).collect()
    }

    /// Where phones reach the hub; none without a network.
    pub(super) fn address(&self) -> Option<SocketAddrV4> {
        network::reachable_address(self.listen, self.desk)
    }

    /// The pairing window, in whole seconds.
    pub(super) fn pairing(&self) -> Option<PairingStatus> {
        self.pairing.status(Instant::now()).map(|pairing| PairingStatus {
            seconds_left: u32::try_from(pairing.left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
            keep_open: pairing.keep_open,
        })
    }
}

/// Weak power can cost records now, heat only slows down.
const fn shown(supply: supply::Supply) -> Supply {
    match supply {
        supply::Supply { is_weak: true, .. } => Supply::Weak,
        supply::Supply { is_hot: true, .. } => Supply::Hot,
        supply::Supply { .. } => Supply::Good,
    }
}

fn held_row(row: &HeldSummary, now: HubTime) -> HeldRow {
    HeldRow {
        kind: match row.table.as_str() {
            "patients" | "patient_additional_attributes" => RecordKind::Patient,
            "visits" => RecordKind::Visit,
            "events" => RecordKind::Form,
            "patient_vitals" => RecordKind::Vitals,
            "patient_problems" => RecordKind::Problem,
            "appointments" => RecordKind::Appointment,
            "prescriptions" | "prescription_items" => RecordKind::Prescription,
            "dispensing_records" => RecordKind::Dispensed,
            _ => RecordKind::Other,
        },
        reason: match row.waits {
            Some(Waits::Right) => HeldReason::NoRight,
            Some(Waits::Parent) => HeldReason::BelongsToNothing,
            _ => HeldReason::Unreadable,
        },
        user: row.user_name.clone(),
        phone: u32::try_from(row.device.0).unwrap_or(0),
        minutes_ago: minutes_since(row.held_at, now),
    }
}

fn minutes_since(then: HubTime, now: HubTime) -> u32 {
    let minutes = (now.millis() - then.millis()).max(0) / MINUTE_MS;
    u32::try_from(minutes).unwrap_or(u32::MAX)
}

fn phone(device: &Device, now: HubTime, is_full: bool, is_ahead: bool) -> Phone {
    Phone {
        number: u32::try_from(device.number.0).unwrap_or(0),
        name: device.name.clone(),
        seen_minutes_ago: minutes_since(device.last_seen_at, now),
        standing: if device.revoked {
            PhoneStanding::Revoked
        } else if device.is_stuck() {
            PhoneStanding::Stuck
        } else if is_full {
            PhoneStanding::Full
        } else if is_ahead {
            PhoneStanding::Ahead
        } else {
            PhoneStanding::Good
        },
    }
}
