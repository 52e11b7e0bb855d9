//! What the transitions have to know of the hub's status.

use crate::panel::pin_pad::Pad;
use crate::panel::view::{
    CloudStanding, ErrandStep, OpenStatus, Phase, Phone, PhoneStanding, RecoveryCode, UsbStanding, Ways,
};

pub(super) fn phones(phase: &Phase) -> &[Phone] {
    match phase {
        Phase::Open(open) => &open.phones,
        _ => &[],
    }
}

/// How many records that ask for help are known here.
pub(super) fn held(phase: &Phase) -> usize {
    match phase {
        Phase::Open(open) => open.held.len(),
        _ => 0,
    }
}

/// How the hub is unlocked.
pub(super) fn ways(phase: &Phase) -> Ways {
    match phase {
        Phase::Open(open) => open.ways,
        _ => Ways::default(),
    }
}

/// How many ways to unlock a new hub is offered.
pub(super) fn first_ways(phase: &Phase) -> usize {
    match phase {
        Phase::SetUp(chosen) => chosen.offered(),
        _ => Ways::COUNT,
    }
}

/// Whether emergency access is open.
pub(super) fn is_emergency(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(open) if open.emergency_minutes().is_some())
}

/// How many people read by emergency access that is over.
pub(super) fn readers(phase: &Phase) -> usize {
    match phase {
        Phase::Open(open) => open.emergency_readers().map_or(0, <[_]>::len),
        _ => 0,
    }
}

/// Whether a cloud is named.
pub(super) fn has_cloud(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(open) if open.cloud.standing != CloudStanding::NeverSetUp)
}

/// Whether records can be carried by hand, and are not just now.
pub(super) fn can_carry(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(open) if open.usb.standing != UsbStanding::NeverSetUp && !open.usb.standing.is_at_work())
}

/// The stick that a person can make the one for backups.
pub(super) fn offered_stick(phase: &Phase) -> Option<u64> {
    match phase {
        Phase::Open(open) => open.backup.offered.as_ref().map(|stick| stick.token),
        _ => None,
    }
}

/// Whether a person is about something that takes the PIN, beside changing it.
pub(super) const fn is_on_an_errand(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Open(OpenStatus {
            errand: Some(_),
            pin_change: None,
            ..
        })
    )
}

/// Where in the list the phone of this number stands.
pub(super) fn place(phase: &Phase, number: u32) -> usize {
    let at = phones(phase).iter().position(|phone| phone.number == number);
    at.unwrap_or(0)
}

pub(super) fn can_revoke(phase: &Phase, number: u32) -> bool {
    let mut found = phones(phase).iter().filter(|phone| phone.number == number);
    found.any(|phone| phone.standing != PhoneStanding::Revoked)
}

/// The place after or before `at` in a list of `len`, from the end on to the beginning.
pub(super) fn around(at: usize, len: usize, forward: bool) -> usize {
    let step = if forward { 1 } else { len.saturating_sub(1) };
    (at + step) % len.max(1)
}

/// The recovery code that is to be written down, and which of its groups are asked for.
pub(in crate::panel) const fn code_to_write(phase: &Phase) -> Option<(&RecoveryCode, [usize; 2])> {
    match phase {
        Phase::Confirming { code, ask }
        | Phase::Open(OpenStatus {
            errand: Some((_, ErrandStep::Code { code, ask })),
            ..
        }) => Some((code, *ask)),
        _ => None,
    }
}

/// The number (1 to 8) of the group that was asked for, if what was typed is another.
pub(super) fn wrong_group(phase: &Phase, step: usize, pad: &Pad) -> Option<usize> {
    let (code, ask) = code_to_write(phase)?;
    let asked = asked_group(ask, step);
    let right = RecoveryCode::parse_group(pad.expose()) == Some(code.numbers()[asked]);
    (!right).then_some(asked + 1)
}

/// The index (0 to 7) of the group that is asked for first or second.
pub(in crate::panel) const fn asked_group(ask: [usize; 2], step: usize) -> usize {
    ask[step % ask.len()] % RecoveryCode::GROUPS
}

pub(super) const fn has_network(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(OpenStatus { address: Some(_), .. }))
}

/// Whether the home screen says that the address has changed.
pub(in crate::panel) const fn has_moved(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Open(OpenStatus {
            address: Some(_),
            previous_address: Some(_),
            ..
        })
    )
}

pub(super) fn keeps_pairing_open(phase: &Phase) -> bool {
    matches!(phase, Phase::Open(open) if open.pairing.is_some_and(|pairing| pairing.keep_open))
}
