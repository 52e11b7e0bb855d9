//! The PIN is changed.

use super::*;
use Button::{Back, Down, Ok};

#[test]
fn changes_the_pin_for_who_knows_the_present_one() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.open_from_menu(MenuEntry::ChangePin);
    assert!(matches!(action, Some(Action::BeginPinChange)));
    desk.becomes(ask_present(0, 0, 4));
    assert!(desk.screen() == "change-pin" && desk.says("Current PIN"));
    assert!(matches!(desk.enter("11111111"), Some(Action::CheckPin { .. })));
    desk.wait(1);
    assert_eq!(desk.screen(), "checking", "the hub has not noticed yet");
    desk.becomes(changing_pin(PinChange::Checking));
    desk.becomes(ask_present(0, 1, 3));
    assert!(desk.says("Wrong PIN"));
    desk.enter("11111111");
    desk.becomes(ask_present(30, 4, 1));
    assert!(desk.screen() == "wait" && desk.says("0:30"));
    desk.wait(10);
    assert!(desk.says("0:20"));
    desk.becomes(ask_present(0, 4, 1));
    assert!(matches!(desk.enter(PIN), Some(Action::CheckPin { pin }) if pin.expose() == PIN));
    desk.becomes(changing_pin(PinChange::Choose));
    assert!(desk.says("New PIN 2/3"));
    desk.enter("55556666");
    assert!(desk.says("PIN again 3/3"));
    assert!(matches!(desk.enter("55556666"), Some(Action::ChangePin { pin }) if pin.expose() == "55556666"));
    desk.becomes(changing_pin(PinChange::Changing));
    assert_eq!(desk.screen(), "saving");
    desk.becomes(changing_pin(PinChange::Changed));
    assert!(desk.says("PIN changed"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::EndPinChange)));
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn a_change_of_the_pin_can_be_left_at_each_step() {
    for phase in [
        ask_present(0, 0, 4),
        ask_present(30, 4, 1),
        changing_pin(PinChange::Choose),
        changing_pin(PinChange::Changed),
        changing_pin(PinChange::Failed),
    ] {
        let mut desk = Desk::new(phase.clone());
        assert!(matches!(desk.press(&[Back]), Some(Action::EndPinChange)), "{phase:?}");
        desk.becomes(Phase::Open(open()));
        assert_eq!(desk.screen(), "home");
    }
}

#[test]
fn a_change_of_the_pin_that_is_left_alone_says_what_it_forgets() {
    for phase in [ask_present(0, 0, 4), changing_pin(PinChange::Choose)] {
        let mut desk = Desk::new(phase);
        desk.type_digits("1234");
        assert!(desk.wait(120).is_none());
        assert!(desk.says("Digits cleared") && !desk.says("*"));
        assert!(desk.wait(60).is_none());
        desk.press(&[Down]);
        assert!(desk.wait(119).is_none());
        assert!(matches!(desk.wait(1), Some(Action::AbandonPinChange)));
        assert!(desk.wait(1).is_none(), "asked once");
        desk.becomes(changing_pin(PinChange::Failed));
        assert!(desk.wait(3600).is_none());
        assert!(desk.says("PIN not changed"), "until somebody has read it");
        // The first press only lights the panel.
        desk.press(&[Ok]);
        assert!(matches!(desk.press(&[Ok]), Some(Action::EndPinChange)));
    }
}

#[test]
fn a_repeated_pin_that_is_left_alone_says_what_it_forgets() {
    let mut desk = Desk::new(changing_pin(PinChange::Choose));
    desk.enter(PIN);
    desk.type_digits("28");
    assert!(desk.wait(120).is_none());
    assert!(desk.says("New PIN") && desk.says("Digits cleared"));
    assert!(desk.wait(119).is_none());
    assert!(matches!(desk.wait(1), Some(Action::AbandonPinChange)));
}
