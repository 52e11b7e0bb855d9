//! The first start, step by step.

use super::*;
use Button::{Down, Ok, Up};

#[test]
fn sets_up() {
    let mut desk = Desk::new(set_up());
    assert_eq!(desk.screen(), "setup-pin");
    assert!(matches!(
        desk.press(&[Ok]),
        Some(Action::SetLanguage(Language::English))
    ));
    // One press more for who wants no more than a PIN.
    assert!(desk.screen() == "setup-way" && desk.says("PIN alone") && desk.says("has to know the PIN"));
    let chosen = desk.press(&[Ok]);
    assert!(matches!(chosen, Some(Action::ChooseUnlocking(Unlocking::Pin))));
    desk.becomes(set_up());
    assert!(desk.enter(PIN).is_none());
    assert!(desk.says("PIN again"));
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    assert_eq!(desk.screen(), "setting-up");
    desk.wait(1);
    assert_eq!(desk.screen(), "setting-up", "the hub has not noticed yet");
    desk.becomes(Phase::SettingUp);
    desk.becomes(confirming());
    assert_eq!(desk.screen(), "setup-recovery");
    assert!(desk.says("when\nthe PIN is lost"));
    desk.press(&[Ok]);
    for group in 0..8 {
        assert!(desk.says(&code().group(group)));
    }
    assert!(desk.press(&[Ok]).is_none());
    assert!(desk.says("type group 3"));
    assert!(desk.enter(&code().group(2)).is_none());
    assert!(desk.says("type group 8"));
    assert!(matches!(desk.enter(&code().group(7)), Some(Action::RecoveryConfirmed)));
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn digits_can_be_typed_without_leaving_the_text_before_the_field() {
    let mut desk = Desk::new(set_up());
    desk.enter(PIN);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    desk.becomes(confirming());
    desk.enter(&code().group(2));
    assert!(matches!(desk.enter(&code().group(7)), Some(Action::RecoveryConfirmed)));
}

#[test]
fn a_pin_that_does_not_repeat_starts_over() {
    let mut desk = Desk::new(set_up());
    desk.enter(PIN);
    assert!(desk.enter("28471937").is_none());
    assert!(desk.says("The PINs differ"));
    desk.enter(PIN);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn a_short_pin_is_kept_and_completed() {
    let mut desk = Desk::new(set_up());
    desk.enter("2847");
    assert!(desk.says("8 digits or more") && desk.says("****"));
    desk.enter("1936");
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn too_many_digits_are_refused_not_cut() {
    let mut desk = Desk::new(set_up());
    desk.type_digits(PIN);
    desk.type_digits("12345");
    assert!(desk.says("at most 12 digits") && desk.says("********"));
    desk.press(&[Ok]);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn a_pin_of_one_digit_is_told_at_once() {
    for phase in [set_up(), Phase::Renewing, changing_pin(PinChange::Choose)] {
        let mut desk = Desk::new(phase);
        for simple in ["88888888", "000000000000"] {
            desk.enter(simple);
            assert!(desk.says("Too easy to guess") && desk.says("New PIN") && !desk.says("*"));
        }
        assert!(desk.enter(PIN).is_none());
        assert!(desk.says("PIN again"));
        assert!(desk.enter(PIN).is_some());
    }
}

#[test]
fn a_pin_that_the_hub_does_not_take_is_chosen_anew() {
    for phase in [set_up(), Phase::Renewing, changing_pin(PinChange::Choose)] {
        let mut desk = Desk::new(phase.clone());
        desk.enter(PIN);
        assert!(desk.enter(PIN).is_some());
        desk.becomes(phase);
        assert!(desk.says("Too easy to guess") && desk.says("New PIN"));
    }
}

#[test]
fn a_code_that_nobody_writes_down_is_hidden() {
    for typing in [false, true] {
        let mut desk = Desk::new(confirming());
        if typing {
            desk.type_digits("1222");
        }
        desk.wait(299);
        assert_eq!(desk.panel.brightness(desk.now), Brightness::Full);
        desk.wait(1);
        assert_eq!(desk.panel.brightness(desk.now), Brightness::Dim);
        assert!(desk.wait(599).is_none());
        assert!(!desk.says("Hidden"));
        assert!(desk.wait(1).is_none());
        assert_eq!(desk.panel.brightness(desk.now), Brightness::Off);
        let shows_a_group = |desk: &Desk| (0..8).any(|group| desk.says(&code().group(group)));
        assert!(desk.says("Hidden") && !shows_a_group(&desk));
        desk.press(&[Ok]);
        assert!(desk.says("OK: show it again"), "the first press only lights the panel");
        desk.press(&[Ok]);
        assert!(shows_a_group(&desk) && desk.screen() == "setup-recovery");
    }
}

#[test]
fn a_wrong_group_shows_the_code_again() {
    let mut desk = Desk::new(confirming());
    desk.enter(&code().group(2));
    assert!(desk.enter(&code().group(2)).is_none());
    assert!(desk.says("Group 8 differs") && desk.says(&code().group(7)));
}

#[test]
fn a_full_field_takes_no_further_key() {
    let mut desk = Desk::new(confirming());
    desk.type_digits("122221");
    press_key(&mut desk, "4", Up);
    assert!(desk.says("at most 6 digits") && desk.says("122221") && desk.says("<OK>"));
    desk.press(&[Ok]);
    assert!(desk.says("type group 8"));
}

#[test]
fn each_way_to_unlock_is_told_with_what_it_means_and_one_with_a_stick_takes_six_digits() {
    let mut desk = Desk::new(set_up());
    desk.press(&[Ok, Down, Ok]);
    assert!(desk.screen() == "setup-way" && desk.says("PIN and stick") && desk.says("needs both"));
    desk.press(&[Down, Ok]);
    assert!(desk.says("Stick alone") && desk.says("Who takes both can"));
    desk.press(&[Down, Ok]);
    assert!(desk.says("PIN alone"), "they go round");
    desk.press(&[Down, Ok]);
    let chosen = desk.press(&[Ok]);
    assert!(matches!(chosen, Some(Action::ChooseUnlocking(Unlocking::PinAndStick))));
    assert_eq!(desk.screen(), "saving");
    desk.becomes(Phase::SetUp(SetUp {
        unlocking: Unlocking::PinAndStick,
        ..SetUp::default()
    }));
    assert!(desk.says("6 to 12 digits"));
    desk.enter("284719");
    assert_eq!(pin_of(desk.enter("284719")), "284719");
}

#[test]
fn what_keeps_a_stick_from_being_the_key_is_told_and_another_way_chosen() {
    let mut desk = Desk::new(set_up());
    desk.press(&[Ok, Down, Ok, Ok]);
    desk.becomes(Phase::SetUp(SetUp {
        trouble: Some(ErrandEnd::NoStick),
        ..SetUp::default()
    }));
    assert!(desk.screen() == "setup-no-way" && desk.says("stick"));
    desk.press(&[Ok]);
    assert!(desk.screen() == "setup-way" && desk.says("PIN alone"));
    desk.hold_ok();
    assert!(desk.says("Welcome"));
}

/// Goes to this way to unlock, from the language.
fn way(desk: &mut Desk, name: &str) {
    desk.press(&[Ok]);
    for _ in 0..5 {
        if desk.says(name) {
            return;
        }
        desk.press(&[Down, Ok]);
    }
    panic!("{name} is not offered");
}

#[test]
fn the_box_is_offered_only_where_it_has_a_key_or_can_get_one_which_is_asked_twice() {
    let mut desk = Desk::new(set_up_in_box());
    way(&mut desk, "PIN and this box");
    assert!(desk.screen() == "setup-way" && desk.says("this box only"));
    let chosen = desk.press(&[Ok]);
    assert!(matches!(chosen, Some(Action::ChooseUnlocking(Unlocking::PinAndBox))));
    for (again, screen) in [(false, "box-key"), (true, "box-key-again")] {
        desk.becomes(Phase::Asking(Question::BoxKey { again }));
        assert_eq!(desk.screen(), screen);
        let answer = desk.press(&[Up, Ok]);
        assert!(matches!(answer, Some(Action::Answer(Question::BoxKey { .. }, true))));
    }
    desk.becomes(Phase::SetUp(SetUp {
        unlocking: Unlocking::PinAndBox,
        trouble: None,
        box_has_key: true,
    }));
    assert!(desk.screen() == "setup-pin" && desk.says("6 to 12 digits"));

    // Who says no chooses again, and who could not get it is told.
    for (trouble, screen) in [(None, "setup-way"), (Some(ErrandEnd::BoxFailed), "setup-no-way")] {
        let mut desk = Desk::new(set_up_in_box());
        way(&mut desk, "This box alone");
        desk.press(&[Ok]);
        desk.becomes(Phase::Asking(Question::BoxKey { again: true }));
        desk.becomes(Phase::SetUp(SetUp {
            trouble,
            box_has_key: true,
            ..SetUp::default()
        }));
        assert_eq!(desk.screen(), screen);
    }
}
