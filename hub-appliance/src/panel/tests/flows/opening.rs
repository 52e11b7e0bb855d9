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
                numerals: Numerals::default(),
                notice: None,
                answered: 0,
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
fn the_language_is_changed_at_the_locked_hub_with_three_buttons() {
    let mut desk = Desk::speaking(Language::Arabic, locked(0, 0, 3));
    while !desk.says("<اللغة>") {
        assert!(desk.press(&[Down]).is_none());
    }
    assert!(desk.says("English  Français"), "{:?}", desk.picture());
    assert!(desk.press(&[Ok]).is_none());
    assert_eq!(desk.screen(), "language");
    assert!(desk.says(">العربية"));
    desk.shows(locked(0, 0, 3));
    assert_eq!(desk.screen(), "language", "the hub's own news do not end it");
    assert!(desk.press(&[Down]).is_none() && desk.says(">English"));
    let action = desk.press(&[Ok]);
    assert!(
        matches!(action, Some(Action::SetLanguage(Language::English))),
        "{action:?}"
    );
    desk.status.language = Language::English;
    desk.becomes(locked(0, 0, 3));
    assert!(desk.says("Locked") && desk.says("Type the PIN"));
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn the_languages_of_a_locked_hub_are_left_by_holding_or_by_leaving_it_alone() {
    let ways: [fn(&mut Desk) -> Option<Action>; 3] =
        [|desk| desk.hold_ok(), |desk| desk.press(&[Back]), |desk| desk.wait(60)];
    for leave in ways {
        let mut desk = Desk::new(locked(0, 0, 3));
        assert!(desk.press(&[Back]).is_none());
        assert_eq!(desk.screen(), "language");
        assert!(leave(&mut desk).is_none());
        assert_eq!(desk.screen(), "locked");
    }
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.type_digits("12");
    desk.press(&[Back, Back]);
    assert_eq!(desk.screen(), "locked", "with digits in the field back deletes");
    desk.press(&[Back]);
    desk.becomes(locked(30, 3, 0));
    desk.wait(60);
    assert_eq!(desk.screen(), "wait");
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
    desk.wait(299);
    assert!(desk.says("Digits cleared"));
    desk.wait(1);
    assert!(
        desk.says("PIN lost?"),
        "nobody is there any more to whom it could matter"
    );
}

#[test]
fn a_code_that_is_left_alone_says_what_it_forgets() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    desk.type_digits("000011000022");
    desk.wait(299);
    assert!(desk.says("000022"));
    desk.wait(1);
    assert!(desk.screen() == "recovery" && desk.says("Digits cleared") && !desk.says("000022"));
    desk.wait(1);
    assert_eq!(desk.screen(), "recovery", "for as long again");
    desk.wait(299);
    assert!(desk.screen() == "locked" && desk.says("Digits cleared"));
}

#[test]
fn the_recovery_code_unlocks() {
    for first in [locked(0, 0, 3), locked(3600, 12, 0)] {
        let mut desk = Desk::new(first.clone());
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
        desk.becomes(first.clone());
        assert!(desk.says("That code is wrong") && desk.screen() == "recovery");
        desk.hold_ok();
        assert_eq!(desk.screen(), Desk::new(first).screen(), "the wait is as it was");
    }
}

#[test]
fn a_refused_try_says_so_though_its_phases_passed_unseen() {
    let refused = |first: Phase, then: Phase, typed: &str, working: &str, note: &str| {
        let mut desk = Desk::new(first.clone());
        if typed.len() > 12 {
            desk.hold_ok();
        }
        desk.enter(typed);
        desk.shows(first);
        assert_eq!(desk.screen(), working, "the hub has not dealt with it yet");
        desk.becomes(then);
        assert!(desk.says(note), "{:?}", desk.picture().1);
    };
    let code: String = (0..8).map(|group| code().group(group)).collect();
    // What can be no PIN or code counts as no try, so nothing but the answer tells.
    refused(locked(0, 2, 1), locked(0, 2, 1), PIN, "unlocking", "Wrong PIN");
    refused(locked(0, 2, 1), locked(0, 3, 1), PIN, "unlocking", "Wrong PIN");
    refused(
        locked(0, 2, 1),
        locked(0, 2, 1),
        &code,
        "unlocking",
        "That code is wrong",
    );
    refused(
        locked(60, 5, 1),
        locked(50, 5, 1),
        &code,
        "unlocking",
        "That code is wrong",
    );
    refused(ask_present(0, 2, 1), ask_present(0, 2, 1), PIN, "checking", "Wrong PIN");
}

#[test]
fn a_pin_shorter_than_any_is_not_even_tried() {
    for phase in [locked(0, 0, 3), ask_present(0, 0, 3)] {
        let mut desk = Desk::new(phase);
        assert!(desk.enter("2847193").is_none());
        assert!(desk.says("8 digits or more") && desk.says("*******"));
    }
}

#[test]
fn three_buttons_go_back_to_a_group_and_on_again() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    for group in 0..3 {
        desk.enter(&code().group(group));
    }
    assert!(desk.says("group 4 of 8") && desk.says("group before"));
    desk.hold_ok();
    assert!(desk.says("group 3 of 8") && desk.says(&code().group(2)) && desk.says("group before"));
    desk.hold_ok();
    assert!(desk.says("group 2 of 8") && desk.says(&code().group(1)));
    // A digit more or less, and holding deletes.
    press_key(&mut desk, "Delete", Up);
    assert!(desk.says("group 2 of 8") && desk.says("00001") && desk.says("Hold OK: delete"));
    for _ in 0..5 {
        desk.hold_ok();
    }
    assert!(desk.says("group 2 of 8") && desk.says("group before"));
    desk.enter("000022");
    assert!(
        desk.says("group 3 of 8") && desk.says(&code().group(2)),
        "not typed again"
    );
    assert!(press_key(&mut desk, "OK", Up).is_none());
    for group in 3..7 {
        assert!(desk.enter(&code().group(group)).is_none());
    }
    match desk.enter(&code().group(7)) {
        Some(Action::UnlockWithRecovery { code: typed }) => {
            let mut right = *code().numbers();
            right[1] = 2;
            assert_eq!(typed, RecoveryCode::new(right));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_group_that_was_gone_back_to_can_be_typed_over() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    desk.type_digits("000011000022000033");
    desk.press(&[Ok]);
    desk.hold_ok();
    desk.hold_ok();
    assert!(desk.says("group 2 of 8"));
    desk.type_digits("720885000044");
    assert!(desk.says("group 3 of 8") && desk.says("000044"));
    desk.hold_ok();
    assert!(desk.says("00004") && !desk.says("000044"));
}

#[test]
fn holding_does_what_the_pad_says() {
    let mut desk = Desk::new(locked(0, 0, 3));
    assert!(desk.says("PIN lost? Hold OK"));
    for failures in [0, 10] {
        desk.becomes(locked(0, failures, 1));
        desk.type_digits("28");
        assert!(desk.says("Hold OK: delete") && !desk.says("lost") && !desk.says("recovery"));
        desk.hold_ok();
        desk.hold_ok();
        assert_eq!(desk.screen(), "locked");
    }
    desk.hold_ok();
    assert_eq!(desk.screen(), "recovery");
}

#[test]
fn the_fields_of_one_task_start_on_the_same_digit() {
    let start = |desk: &Desk| desk.picture().1.lines.pop().unwrap();
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.hold_ok();
    let first = start(&desk);
    for group in 0..7 {
        assert_eq!(start(&desk), first);
        desk.enter(&code().group(group));
    }
    let mut desk = Desk::new(Phase::Renewing);
    let first = start(&desk);
    desk.enter(PIN);
    assert!(desk.says("PIN again") && start(&desk) == first);
    desk.enter("28471937");
    assert!(desk.says("differ") && start(&desk) == first);
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
    let start = desk.picture().1.lines.pop();
    desk.type_digits("000012");
    assert!(desk.says("Mistyped"));
    assert_eq!(
        desk.picture().1.lines.pop(),
        start,
        "an empty field has nothing to take"
    );
    desk.type_digits("000011999999");
    assert!(desk.says("Mistyped"));
    desk.press(&[Back]);
    desk.enter("000011");
    assert!(desk.says("group 2 of 8"));
    desk.press(&[Back]);
    assert!(desk.says("group 1 of 8") && desk.says("000011"));
    desk.press(&[Back; 6]);
    assert_eq!(desk.screen(), "recovery");
    desk.press(&[Back]);
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
