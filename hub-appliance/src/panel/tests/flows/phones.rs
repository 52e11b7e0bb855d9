//! Pairing a phone, looking after the phones, refusing one.

use super::*;
use Button::{Back, Down, Ok, Up};

#[test]
fn pairs_a_phone() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(matches!(desk.press(&[Ok, Ok]), Some(Action::OpenPairing)));
    desk.becomes(pairing(120, false));
    assert_eq!(desk.screen(), "pair");
    assert!(desk.says("192.168.1.50:4001") && desk.says("2:00"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPairingOpen(true))));
    desk.becomes(pairing(120, true));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPairingOpen(false))));
    assert!(matches!(desk.press(&[Back]), Some(Action::ClosePairing)));
    desk.becomes(paired(3, Some("Galaxy A15")));
    assert!(desk.screen() == "paired" && desk.says("Galaxy A15") && desk.says("[Keep]"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPhone(3))));
    assert!(desk.press(&[Down, Ok]).is_none(), "answered already");
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn undoes_the_phone_it_shows_and_no_other() {
    let mut desk = Desk::new(paired(3, None));
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::UndoPhone(3))));
    desk.becomes(paired(4, None));
    assert!(desk.says("Phone 4") && desk.says("[Keep]"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPhone(4))));
}

#[test]
fn a_phone_nobody_objects_to_is_kept() {
    let mut desk = Desk::new(paired(3, None));
    assert!(desk.wait(59).is_none());
    assert!(matches!(desk.wait(1), Some(Action::KeepPhone(3))));
    assert!(desk.wait(60).is_none());
}

#[test]
fn pairing_needs_a_network() {
    let mut desk = Desk::new(Phase::Open(OpenStatus {
        address: None,
        ..open()
    }));
    assert!(desk.press(&[Ok, Ok]).is_none());
    assert_eq!(desk.screen(), "no-network");
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "home");
}

#[test]
fn advises_shade_after_half_a_minute() {
    let mut desk = Desk::new(pairing(120, false));
    desk.wait(29);
    assert!(!desk.says("Shade"));
    desk.wait(1);
    assert!(desk.says("Shade the screen"));
}

#[test]
fn revokes_the_phone_that_was_chosen() {
    let mut desk = Desk::new(Phase::Open(with_phones()));
    desk.press(&[Ok, Down, Ok]);
    assert!(desk.screen() == "phones" && desk.says(">  Galaxy A15") && desk.says(" ! Reception"));
    desk.press(&[Down, Ok]);
    assert!(desk.screen() == "phone" && desk.says("Reception") && desk.says("3 h ago") && desk.says("Stuck"));
    assert!(desk.press(&[Down, Ok]).is_none());
    assert!(desk.screen() == "revoke" && desk.says("[Cancel]"));
    assert!(desk.press(&[Ok]).is_none());
    assert_eq!(desk.screen(), "phone");
    desk.press(&[Down, Ok]);
    assert!(matches!(desk.press(&[Up, Ok]), Some(Action::RevokePhone(2))));
    assert!(desk.screen() == "phones" && desk.says(">! Reception"));
}

#[test]
fn a_revoked_phone_says_so_and_is_not_revoked_again() {
    let mut desk = Desk::new(Phase::Open(with_phones()));
    desk.press(&[Ok, Down, Ok, Up, Ok]);
    assert!(desk.says("Redmi Note 12") && desk.says("12 days ago") && desk.says("refuses this phone"));
    assert!(desk.press(&[Down, Ok]).is_none());
    assert_eq!(desk.screen(), "phones");
}

#[test]
fn a_phone_that_is_gone_leads_back_to_the_list() {
    let mut desk = Desk::new(Phase::Open(with_phones()));
    desk.press(&[Ok, Down, Ok, Down, Ok]);
    desk.becomes(Phase::Open(open()));
    assert!(desk.screen() == "phones" && desk.says("No phone is paired"));
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "home");
}
