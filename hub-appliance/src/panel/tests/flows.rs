//! What a person can do, step by step.

use super::*;
use Button::{Back, Down, Left, Ok, Right, Up};

const PIN: &str = "28471936";

fn pin_of(action: Option<Action>) -> String {
    match action {
        Some(Action::SetUp { pin } | Action::Unlock { pin }) => pin.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sets_up() {
    let mut desk = Desk::new(Phase::SetUp);
    assert_eq!(desk.screen(), "setup-pin");
    assert!(matches!(
        desk.press(&[Ok]),
        Some(Action::SetLanguage(Language::English))
    ));
    assert!(desk.enter(PIN).is_none());
    assert!(desk.says("PIN again"));
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    assert_eq!(desk.screen(), "setting-up");
    desk.wait(1);
    assert_eq!(desk.screen(), "setting-up", "the hub has not noticed yet");
    desk.becomes(Phase::SettingUp);
    desk.becomes(confirming());
    assert_eq!(desk.screen(), "setup-recovery");
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
    let mut desk = Desk::new(Phase::SetUp);
    desk.enter(PIN);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    desk.becomes(confirming());
    desk.enter(&code().group(2));
    assert!(matches!(desk.enter(&code().group(7)), Some(Action::RecoveryConfirmed)));
}

#[test]
fn a_pin_that_does_not_repeat_starts_over() {
    let mut desk = Desk::new(Phase::SetUp);
    desk.enter(PIN);
    assert!(desk.enter("28471937").is_none());
    assert!(desk.says("The PINs differ"));
    desk.enter(PIN);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn a_short_pin_is_kept_and_completed() {
    let mut desk = Desk::new(Phase::SetUp);
    desk.enter("2847");
    assert!(desk.says("8 digits or more") && desk.says("****"));
    desk.enter("1936");
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn too_many_digits_are_refused_not_cut() {
    let mut desk = Desk::new(Phase::SetUp);
    desk.type_digits(PIN);
    desk.type_digits("12345");
    assert!(desk.says("at most 12 digits") && desk.says("********"));
    desk.press(&[Ok]);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn a_failed_set_up_asks_again() {
    let mut desk = Desk::new(Phase::SetUp);
    desk.enter(PIN);
    desk.enter(PIN);
    desk.becomes(Phase::SettingUp);
    desk.becomes(Phase::SetUp);
    assert_eq!(desk.screen(), "setup-pin");
    assert!(desk.says("Set-up failed"));
}

#[test]
fn a_wrong_group_shows_the_code_again() {
    let mut desk = Desk::new(confirming());
    desk.enter(&code().group(2));
    assert!(desk.enter(&code().group(2)).is_none());
    assert!(desk.says("Group 8 differs") && desk.says(&code().group(7)));
}

/// Moves along the strip until `key` has the focus, and presses it.
fn press_key(desk: &mut Desk, key: &str, step: Button) -> Option<Action> {
    for _ in 0..12 {
        if desk.says(&format!("<{key}>")) {
            return desk.press(&[Ok]);
        }
        desk.press(&[step]);
    }
    panic!("no key {key}");
}

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
fn a_full_field_takes_no_further_key() {
    let mut desk = Desk::new(confirming());
    desk.type_digits("122221");
    press_key(&mut desk, "4", Up);
    assert!(desk.says("at most 6 digits") && desk.says("122221") && desk.says("<OK>"));
    desk.press(&[Ok]);
    assert!(desk.says("type group 8"));
}

#[test]
fn the_strip_starts_anywhere_and_then_stays() {
    let starts: std::collections::BTreeSet<String> = (0..100)
        .map(|seed| {
            let status = Status {
                phase: locked(0, 0, 3),
                about: About::default(),
                language: Language::English,
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
fn locks_only_when_confirmed() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(desk.press(&[Ok, Up, Up, Up, Ok]).is_none());
    assert_eq!(desk.screen(), "lock");
    assert!(desk.press(&[Down, Ok]).is_none());
    assert_eq!(desk.screen(), "home");
    assert!(matches!(desk.press(&[Ok, Up, Up, Up, Ok, Ok]), Some(Action::Lock)));
    assert_eq!(desk.screen(), "locking");
    desk.becomes(Phase::Locking);
    desk.becomes(locked(0, 0, 3));
    assert_eq!(desk.screen(), "locked");
}

#[test]
fn menus_go_home_when_left_alone() {
    for presses in [
        &[Ok][..],
        &[Ok, Down, Ok],
        &[Ok, Down, Ok, Ok],
        &[Ok, Down, Ok, Ok, Down, Ok],
        &[Ok, Down, Down, Ok],
        &[Ok, Down, Down, Down, Down, Ok],
        &[Ok, Up, Up, Up, Ok],
        &[Ok, Up, Up, Ok],
        &[Ok, Up, Ok],
    ] {
        let mut desk = Desk::new(Phase::Open(with_phones()));
        desk.press(presses);
        assert_ne!(desk.screen(), "home");
        desk.wait(60);
        assert_eq!(desk.screen(), "home");
    }
}

#[test]
fn dims_then_goes_dark_and_a_button_only_wakes_it() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert_eq!(desk.panel.brightness(desk.now), Brightness::Full);
    desk.wait(60);
    assert_eq!(desk.panel.brightness(desk.now), Brightness::Dim);
    desk.wait(240);
    assert_eq!(desk.panel.brightness(desk.now), Brightness::Off);
    assert_eq!(desk.panel.next_wake(desk.now), None);
    assert_eq!(
        desk.screen(),
        "home",
        "the text is there for those who read it elsewhere"
    );
    desk.press(&[Ok]);
    assert_eq!(
        (desk.screen(), desk.panel.brightness(desk.now)),
        ("home", Brightness::Full)
    );
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "menu");
}

#[test]
fn typing_on_a_dark_panel_is_not_lost() {
    let mut desk = Desk::new(locked(0, 0, 3));
    desk.wait(600);
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn what_has_to_be_read_stays_lit() {
    for phase in [pairing(120, true), paired(1, None), confirming()] {
        let desk = Desk::new(phase);
        assert_eq!(desk.panel.brightness(Duration::from_secs(3600)), Brightness::Full);
    }
}

#[test]
fn news_light_the_panel() {
    let mut desk = Desk::new(Phase::Open(open()));
    desk.wait(600);
    desk.becomes(Phase::Fault(Fault::Store));
    assert_eq!(
        (desk.screen(), desk.panel.brightness(desk.now)),
        ("error", Brightness::Full)
    );
}

#[test]
fn the_splash_passes_and_loses_nothing() {
    let splash = || {
        let mut desk = Desk::new(locked(0, 0, 3));
        desk.becomes(Phase::Starting);
        desk.becomes(locked(0, 0, 3));
        assert!(desk.screen() == "splash" && desk.says("0.1.0"));
        desk
    };
    let mut desk = splash();
    desk.now += Duration::from_millis(1500);
    desk.panel.update(&desk.status, desk.now);
    assert_eq!(desk.screen(), "locked");
    let mut desk = splash();
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
    let mut desk = splash();
    desk.becomes(Phase::Fault(Fault::Keys));
    assert_eq!(desk.screen(), "error");
}

#[test]
fn speaks_the_language_that_is_chosen() {
    let mut desk = Desk::new(Phase::SetUp);
    desk.press(&[Down]);
    assert!(desk.says("Bienvenue") && desk.says(">Français"));
    desk.press(&[Down]);
    assert!(desk.says("Bienvenido") && desk.says(">Español"));
    assert!(matches!(
        desk.press(&[Ok]),
        Some(Action::SetLanguage(Language::Spanish))
    ));
    desk.status.language = Language::Spanish;
    assert!(desk.says("PIN nuevo"));

    let mut desk = Desk::speaking(Language::French, Phase::Open(open()));
    desk.press(&[Ok, Down, Down, Down, Down, Ok]);
    assert!(desk.says("Langue") && desk.says(">Français"));
    assert!(matches!(
        desk.press(&[Up, Ok]),
        Some(Action::SetLanguage(Language::English))
    ));
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

#[test]
fn changes_the_pin_for_who_knows_the_present_one() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.press(&[Ok, Down, Down, Down, Ok]);
    assert!(matches!(action, Some(Action::BeginPinChange)));
    desk.becomes(ask_present(0, 0, 4));
    assert!(desk.screen() == "change-pin" && desk.says("Present PIN"));
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
        desk.wait(60);
        desk.press(&[Down]);
        assert!(desk.wait(119).is_none());
        assert!(matches!(desk.wait(1), Some(Action::EndPinChange)));
    }
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

#[test]
fn switches_off_only_when_confirmed() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(desk.press(&[Ok, Up, Up, Ok]).is_none());
    assert!(desk.screen() == "power-off" && desk.says("[Cancel]"));
    assert!(desk.press(&[Ok]).is_none());
    assert_eq!(desk.screen(), "home");
    assert!(matches!(desk.press(&[Ok, Up, Up, Ok, Up, Ok]), Some(Action::PowerOff)));
    desk.becomes(Phase::Locking);
    desk.becomes(Phase::PoweringOff);
    assert!(desk.screen() == "off" && desk.says("green light"));
}
