//! A locked hub: the PIN, the recovery code, and what happens when they are wrong.

use super::*;
use Button::{Back, Down, Left, Ok, Right, Up};

#[test]
fn three_buttons_are_enough_for_a_pin() {
    for (previous, next) in [(Up, Down), (Left, Right)] {
        let mut desk = Desk::new(locked(0, 0, 3));
        for digit in PIN.chars() {
            assert!(press_key(&mut desk, &digit.to_string(), next).is_none());
        }
        press_key(&mut desk, "5", previous);
        press_key(&mut desk, "Delete", next);
        press_key(&mut desk, "7", previous);
        assert!(desk.hold_ok().is_none());
        assert_eq!(pin_of(press_key(&mut desk, "OK", next)), PIN);
    }
}

#[test]
fn the_strip_starts_anywhere_and_then_stays() {
    let starts: std::collections::BTreeSet<String> = (0..100)
        .map(|seed| {
            let status = Status {
                phase: locked(0, 0, 3),
                about: About::default(),
                language: Language::English,
                notice: None,
            };
            let mut panel = Panel::new(seed);
            panel.update(&status, Duration::ZERO);
            panel.input(Input::Press(Ok), &status, Duration::ZERO);
            let before = panel
                .render(&status, Duration::ZERO, &mut Frame::default())
                .lines
                .pop()
                .unwrap();
            panel.input(Input::Press(Ok), &status, Duration::ZERO);
            assert_eq!(
                panel
                    .render(&status, Duration::ZERO, &mut Frame::default())
                    .lines
                    .pop()
                    .unwrap(),
                before
            );
            before
        })
        .collect();
    assert_eq!(starts.len(), 10, "{starts:?}");
}

#[test]
fn unlocks() {
    let mut desk = Desk::new(locked(0, 0, 3));
    assert_eq!(desk.screen(), "locked");
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    assert_eq!(desk.screen(), "unlocking");
    desk.becomes(Phase::Unlocking);
    assert_eq!(desk.screen(), "unlocking");
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn a_wrong_pin_says_so_and_later_waits() {
    let mut desk = Desk::new(locked(0, 1, 2));
    desk.enter(PIN);
    desk.becomes(Phase::Unlocking);
    desk.becomes(locked(0, 2, 1));
    assert!(desk.says("Wrong PIN") && desk.says("1 more try"));
    desk.enter(PIN);
    desk.becomes(locked(30, 3, 0));
    assert_eq!(desk.screen(), "wait");
    assert!(desk.says("0:30"));
    desk.wait(11);
    assert!(desk.says("0:19"));
    assert_eq!(desk.panel.next_wake(desk.now), Some(Duration::from_secs(1)));
    assert!(desk.enter(PIN).is_none(), "nothing can be typed while waiting");
    desk.becomes(locked(0, 3, 1));
    assert_eq!(desk.screen(), "locked");
}

#[test]
fn a_request_that_the_hub_never_saw_is_given_up() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.enter(PIN);
    desk.wait(29);
    assert_eq!(desk.screen(), "unlocking");
    desk.wait(1);
    assert_eq!(desk.screen(), "locked");
}

#[test]
fn typed_digits_are_cleared_after_a_minute_and_it_says_so() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.type_digits("2847");
    desk.wait(59);
    assert!(desk.says("****"));
    desk.wait(1);
    assert!(!desk.says("*") && desk.says("Digits cleared"));
}

#[test]
fn the_recovery_code_unlocks() {
    for first in [locked(0, 0, 3), locked(3600, 12, 0)] {
        let mut desk = Desk::new(first);
        desk.hold_ok();
        assert_eq!(desk.screen(), "recovery");
        for group in 0..7 {
            assert!(desk.says(&format!("group {} of 8", group + 1)));
            assert!(desk.enter(&code().group(group)).is_none());
        }
        match desk.enter(&code().group(7)) {
            Some(Action::UnlockWithRecovery { code: typed }) => assert_eq!(typed, code()),
            other => panic!("{other:?}"),
        }
        desk.becomes(Phase::Unlocking);
        desk.becomes(locked(0, 1, 2));
        assert!(desk.says("That code is wrong") && desk.screen() == "recovery");
    }
}

#[test]
fn the_recovery_code_can_be_typed_in_one_go() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    let all: String = (0..8).map(|group| code().group(group)).collect();
    match desk.enter(&all) {
        Some(Action::UnlockWithRecovery { code: typed }) => assert_eq!(typed, code()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mistyped_group_is_told_at_once() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    desk.type_digits("000012");
    assert!(desk.says("Mistyped") && desk.says("OK"));
    desk.type_digits("000011999999");
    assert!(desk.says("Mistyped"));
    desk.press(&[Back]);
    desk.enter("000011");
    assert!(desk.says("group 2 of 8"));
    desk.press(&[Back, Back]);
    assert_eq!(desk.screen(), "locked");
}

#[test]
fn many_wrong_pins_point_to_the_recovery_code() {
    assert!(!Desk::new(locked(0, 9, 1)).says("recovery code"));
    assert!(Desk::new(locked(0, 10, 1)).says("recovery code"));
    assert!(Desk::new(locked(60, 10, 0)).says("recovery code"));
}

#[test]
fn typing_on_a_dark_panel_is_not_lost() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.wait(600);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn the_recovery_code_leads_to_a_new_pin_and_a_new_code() {
    let mut desk = Desk::new(locked(0, 3, 1));
    desk.hold_ok();
    let all: String = (0..8).map(|group| code().group(group)).collect();
    desk.enter(&all);
    desk.becomes(Phase::Unlocking);
    desk.becomes(Phase::Renewing);
    assert!(desk.says("New PIN"));
    desk.press(&[Back]);
    assert!(desk.says("New PIN"), "there is no way around it");
    desk.enter(PIN);
    assert!(matches!(desk.enter(PIN), Some(Action::RenewPin { pin }) if pin.expose() == PIN));
    assert_eq!(desk.screen(), "saving");
    desk.becomes(Phase::Unlocking);
    desk.becomes(confirming());
    assert_eq!(desk.screen(), "setup-recovery");
}
