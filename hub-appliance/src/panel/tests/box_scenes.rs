//! The box that opens the hub by a key of its own, in the states that differ to the eye.

use super::errand_scenes::on_errand;
use super::*;

const DOWN: Button = Button::Down;
const BOX: Errand = Errand::Unlocking(Unlocking::Box);

fn unlocked_by(ways: Ways) -> Phase {
    Phase::Open(OpenStatus { ways, ..open() })
}

pub(super) fn lacking(lacks: Lacks) -> Phase {
    Phase::Locked {
        wait: Duration::ZERO,
        failures: 0,
        tries_left: 4,
        lacks,
        fewest_digits: 6,
    }
}

/// A box that has a key, or can get one.
fn with_key() -> Ways {
    Ways {
        box_has_key: true,
        ..Ways::default()
    }
}

fn in_use() -> Ways {
    Ways {
        pin_and_box: true,
        in_box: true,
        ..with_key()
    }
}

fn deciding(again: bool) -> Phase {
    on_errand(BOX, ErrandStep::Decide(Question::BoxKey { again }))
}

fn offered() -> Phase {
    Phase::Open(OpenStatus {
        offers_box: true,
        ..open()
    })
}

/// The menu's entry at this place of the ways to unlock.
fn go_to(desk: &mut Desk, at: usize) {
    desk.press(&[Button::Ok]);
    desk.take(MenuEntry::Keys);
    desk.press(&vec![DOWN; at]);
    desk.press(&[Button::Ok]);
}

pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let plain = |phase| Desk::speaking(language, phase);
    let mut all = vec![
        ("locked-other-box", plain(lacking(Lacks::Box))),
        ("locked-no-box-key", plain(lacking(Lacks::BoxKey))),
        ("locked-not-alone", plain(lacking(Lacks::BoxAlone))),
        ("box-key", plain(deciding(false))),
        ("box-key-again", plain(deciding(true))),
        ("new-box", plain(offered())),
    ];
    for (name, at, ways) in [
        ("key-pin-box", 3, with_key()),
        ("key-pin-box-used", 3, in_use()),
        ("key-box", 4, with_key()),
        ("key-box-used", 4, in_use()),
        ("key-no-box", 4, Ways::default()),
    ] {
        let mut desk = plain(unlocked_by(ways));
        go_to(&mut desk, at);
        all.push((name, desk));
    }
    for (name, end) in [
        ("keys-pin-box", ErrandEnd::Unlocking(Unlocking::PinAndBox)),
        ("keys-box", ErrandEnd::Unlocking(Unlocking::Box)),
        ("keys-no-box", ErrandEnd::Unlocking(Unlocking::NoBox)),
        ("keys-box-failed", ErrandEnd::BoxFailed),
    ] {
        all.push((name, plain(on_errand(BOX, ErrandStep::Ended(end)))));
    }
    all
}

#[test]
fn a_box_without_a_key_is_not_offered_and_one_with_a_key_is() {
    let mut desk = Desk::new(unlocked_by(Ways::default()));
    go_to(&mut desk, 3);
    assert!(desk.says("This box has no key") && !desk.says("Use it"));
    assert!(desk.press(&[Button::Up, Button::Ok]).is_none());
    for (at, wish) in [(3, Unlocking::PinAndBox), (4, Unlocking::Box)] {
        let mut desk = Desk::new(unlocked_by(with_key()));
        go_to(&mut desk, at);
        assert!(desk.press(&[Button::Ok]).is_none(), "back is chosen");
        let mut desk = Desk::new(unlocked_by(with_key()));
        go_to(&mut desk, at);
        let begun = desk.press(&[Button::Up, Button::Ok]);
        assert!(matches!(begun, Some(Action::BeginErrand(Errand::Unlocking(chosen))) if chosen == wish));
    }
    // One whose key is gone can still be given up.
    let mut desk = Desk::new(unlocked_by(Ways {
        box_has_key: false,
        ..in_use()
    }));
    go_to(&mut desk, 4);
    let begun = desk.press(&[Button::Up, Button::Ok]);
    assert!(matches!(
        begun,
        Some(Action::BeginErrand(Errand::Unlocking(Unlocking::NoBox)))
    ));
}

#[test]
fn a_key_for_ever_is_asked_about_twice_and_no_is_chosen_each_time() {
    let mut desk = Desk::new(deciding(false));
    desk.settles();
    assert!(desk.says("for ever"));
    assert!(matches!(
        desk.press(&[Button::Ok]),
        Some(Action::Answer(Question::BoxKey { again: false }, false))
    ));
    let mut desk = Desk::new(deciding(false));
    desk.settles();
    assert!(matches!(
        desk.press(&[Button::Up, Button::Ok]),
        Some(Action::Answer(Question::BoxKey { again: false }, true))
    ));
    desk.becomes(deciding(true));
    desk.settles();
    assert!(desk.says("[No]") && desk.says("Really for ever?"));
    assert!(matches!(
        desk.press(&[Button::Ok]),
        Some(Action::Answer(Question::BoxKey { again: true }, false))
    ));
}

#[test]
fn where_the_pin_is_worth_nothing_the_recovery_code_is_pointed_to_and_no_pin_is_called_wrong() {
    let mut desk = Desk::new(lacking(Lacks::Box));
    assert!(desk.says("Disk of another box") && desk.says("hold OK for the code"));
    desk.press(&[Button::Ok]);
    assert!(!desk.says("Wrong"));
    let desk = Desk::new(lacking(Lacks::BoxAlone));
    assert!(desk.says("type the PIN"));
}
