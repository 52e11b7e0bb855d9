//! Pairing a phone, looking after the phones, refusing one.

use super::*;
use Button::{Back, Down, Ok, Up};

#[test]
fn pairs_a_phone() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(matches!(desk.press(&[Ok, Ok]), Some(Action::OpenPairing)));
    desk.brings_up(pairing(120, false));
    assert_eq!(desk.screen(), "pair");
    assert!(desk.says("192.168.1.50:4001") && desk.says("2:00"));
    assert!(desk.press(&[Ok]).is_none(), "a second press on the menu's entry");
    desk.settles();
    assert!(desk.says("OK: stay open"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPairingOpen(true))));
    desk.becomes(pairing(120, true));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPairingOpen(false))));
    assert!(matches!(desk.press(&[Back]), Some(Action::ClosePairing)));
    desk.brings_up(paired(3, Some("Galaxy A15")));
    assert!(desk.screen() == "paired" && desk.says("3 Galaxy A15") && !desk.says("[Keep]"));
    desk.settles();
    assert!(desk.says("[Keep]"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPhone(3))));
    assert!(desk.press(&[Down, Ok]).is_none(), "answered already");
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn undoes_the_phone_it_shows_and_no_other() {
    let mut desk = Desk::new(paired(3, None));
    desk.settles();
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::UndoPhone(3))));
    desk.brings_up(paired(4, None));
    assert!(desk.says("Phone 4"));
    assert!(desk.press(&[Ok]).is_none(), "meant for the phone before");
    desk.settles();
    assert!(desk.says("[Keep]"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::KeepPhone(4))));
}

#[test]
fn an_answer_that_nothing_comes_of_is_asked_for_again() {
    let mut desk = Desk::new(paired(3, None));
    desk.settles();
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::UndoPhone(3))));
    assert!(desk.press(&[Ok]).is_none(), "the hub is at it");
    assert!(desk.wait(30).is_none());
    assert!(desk.says("[Keep]"));
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::UndoPhone(3))));
}

#[test]
fn news_stand_until_they_are_seen() {
    let mut desk = Desk::new(pairing(120, true));
    let news = News::NotPaired(Obstacle::DiskFull);
    desk.brings_up(told(news));
    assert!(desk.screen() == "news" && desk.says("Phone not paired") && desk.says("disk is"));
    assert!(desk.press(&[Ok]).is_none() && !desk.says("OK: go on"));
    desk.settles();
    assert!(desk.says("OK: go on"));
    assert!(desk.wait(3600).is_none());
    assert!(desk.press(&[Ok]).is_none(), "lights the panel");
    assert!(matches!(desk.press(&[Ok]), Some(Action::NewsSeen(seen)) if seen == news));
    assert!(matches!(desk.hold_ok(), Some(Action::NewsSeen(seen)) if seen == news));
    desk.becomes(pairing(120, true));
    assert_eq!(desk.screen(), "pair");
}

#[test]
fn news_wait_while_digits_are_typed() {
    let mut desk = Desk::new(ask_present(0, 0, 4));
    desk.type_digits("1234");
    let Phase::Open(status) = ask_present(0, 0, 4) else {
        unreachable!()
    };
    desk.becomes(Phase::Open(OpenStatus {
        news: Some(News::PairingEnded),
        ..status
    }));
    assert!(desk.screen() == "change-pin" && desk.says("****"));
}

#[test]
fn phones_of_one_model_are_told_apart() {
    let phones = [
        phone(7, "Samsung Galaxy A15", 4, PhoneStanding::Good),
        phone(12, "Samsung Galaxy Tab", 90, PhoneStanding::Good),
        phone(13, "Samsung Galaxy Tab", 3 * 1440, PhoneStanding::Good),
    ];
    let mut desk = Desk::new(Phase::Open(OpenStatus {
        phones: phones.into(),
        ..open()
    }));
    desk.press(&[Ok, Down, Ok]);
    assert!(desk.says("7 Samsung..xy A15") && desk.says("12 Samsun..xy Tab") && desk.says("13 Samsun..xy Tab"));
    desk.press(&[Down, Down, Ok]);
    assert!(desk.says("13 Samsung Galaxy Tab") && desk.says("Seen 3 days ago"));
    desk.press(&[Down, Ok]);
    assert!(desk.screen() == "revoke" && desk.says("13 Samsung Galaxy Tab") && desk.says("Seen 3 days ago"));
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
    assert!(desk.screen() == "phones" && desk.says(">  1 Galaxy A15") && desk.says(" ! 2 Reception"));
    desk.press(&[Down, Ok]);
    assert!(desk.screen() == "phone" && desk.says("Reception") && desk.says("3 h ago") && desk.says("Stuck"));
    assert!(desk.press(&[Down, Ok]).is_none());
    assert!(desk.screen() == "revoke" && desk.says("[Cancel]"));
    assert!(desk.press(&[Ok]).is_none());
    assert_eq!(desk.screen(), "phone");
    desk.press(&[Down, Ok]);
    assert!(matches!(desk.press(&[Up, Ok]), Some(Action::RevokePhone(2))));
    assert!(desk.screen() == "phones" && desk.says(">! 2 Reception"));
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
