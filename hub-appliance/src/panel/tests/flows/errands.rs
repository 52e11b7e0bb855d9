//! What takes the PIN at an open hub, beside changing it.

use super::*;
use crate::panel::tests::errand_scenes::{ask_for, on_errand};
use Button::{Back, Down, Ok};

fn figures() -> ErrandStep {
    ErrandStep::Staff(StaffFigures {
        joins: 2,
        leaves: 1,
        passwords: 1,
        ..StaffFigures::default()
    })
}

#[test]
fn a_file_of_staff_takes_the_pin_tells_its_figures_and_waits_for_a_yes() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.open_from_menu(MenuEntry::Staff);
    assert!(matches!(action, Some(Action::BeginErrand(Errand::Staff))));
    desk.becomes(ask_for(Errand::Staff, 0, 4));
    assert_eq!(desk.screen(), "ask-pin");
    assert!(matches!(desk.enter(PIN), Some(Action::CheckPin { pin }) if pin.expose() == PIN));
    assert_eq!(desk.screen(), "checking");
    desk.becomes(on_errand(Errand::Staff, ErrandStep::Checking));
    desk.becomes(ask_for(Errand::Staff, 0, 3));
    assert!(desk.says("Wrong PIN"));
    desk.enter(PIN);
    desk.becomes(on_errand(Errand::Staff, figures()));
    let lines = desk.picture().1.lines;
    for (line, figure) in lines[1..].iter().zip(["Leave 1", "New users 2", "New passwords 1"]) {
        assert_eq!(line.split_whitespace().collect::<Vec<_>>().join(" "), figure);
    }
    assert!(desk.says("[No]"), "nothing is taken in by one press too many");
    assert!(matches!(desk.press(&[Ok]), Some(Action::EndErrand)));
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::TakeStaff)));
    desk.becomes(on_errand(Errand::Staff, ErrandStep::AtWork));
    assert_eq!(desk.screen(), "saving");
    desk.becomes(on_errand(Errand::Staff, ErrandStep::Ended(ErrandEnd::StaffTaken)));
    assert!(desk.says("logged out"));
    assert!(matches!(desk.press(&[Ok]), Some(Action::EndErrand)));
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home");
}

#[test]
fn a_new_recovery_code_is_one_only_when_it_is_on_paper() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.open_from_menu(MenuEntry::NewCode);
    assert!(matches!(action, Some(Action::BeginErrand(Errand::NewCode))));
    let code_step = || ErrandStep::Code {
        code: code(),
        ask: [2, 7],
    };
    desk.becomes(on_errand(Errand::NewCode, code_step()));
    assert!(desk.says("It opens the hub when"));
    assert!(
        matches!(desk.press(&[Back]), Some(Action::EndErrand)),
        "the old one stays good"
    );
    desk.press(&[Ok]);
    assert!(desk.says(&code().group(4)));
    desk.press(&[Ok]);
    desk.enter(&code().group(2));
    assert!(matches!(desk.enter(&code().group(7)), Some(Action::RecoveryConfirmed)));
    desk.becomes(on_errand(Errand::NewCode, ErrandStep::Ended(ErrandEnd::CodeRenewed)));
    assert!(desk.says("Only the new code"));
}

#[test]
fn the_clock_is_set_field_by_field_with_three_buttons() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.open_from_menu(MenuEntry::Clock);
    assert!(matches!(action, Some(Action::BeginErrand(Errand::Clock))));
    desk.becomes(ask_for(Errand::Clock, 0, 4));
    desk.enter(PIN);
    let at = 1_795_741_503_000;
    desk.becomes(on_errand(Errand::Clock, ErrandStep::Clock(at)));
    assert_eq!(desk.screen(), "set-clock");
    assert!(desk.says("<2026>-11-27 01:05"));
    desk.press(&[Ok, Ok, Button::Up]);
    assert!(desk.says("2026-11-<28> 01:05"));
    desk.press(&[Ok, Down, Down]);
    assert!(desk.says("2026-11-28 <23>:05"));
    desk.hold_ok();
    assert!(desk.says("2026-11-<28> 23:05"), "back is the field before");
    // The hub tells how it is meanwhile, and changes nothing of what is being set.
    desk.becomes(on_errand(Errand::Clock, ErrandStep::Clock(at + 60_000)));
    let action = desk.press(&[Ok, Ok, Ok]);
    let day_and_22_hours = 46 * 3_600_000 - 3_000;
    assert!(matches!(action, Some(Action::SetClock(to)) if to == at + day_and_22_hours));
    desk.becomes(on_errand(Errand::Clock, ErrandStep::Ended(ErrandEnd::ClockSet)));
    assert!(desk.says("The clock is set"));
    desk.becomes(on_errand(Errand::Clock, ErrandStep::Clock(at)));
    assert!(matches!(desk.hold_ok(), Some(Action::EndErrand)));
    assert!(matches!(desk.wait(300), Some(Action::EndErrand)));
}

#[test]
fn records_move_to_a_larger_disk_only_after_a_yes_to_that_and_one_to_the_disk() {
    let mut desk = Desk::new(Phase::Open(open()));
    let action = desk.open_from_menu(MenuEntry::LargerDisk);
    assert!(matches!(action, Some(Action::BeginErrand(Errand::LargerDisk))));
    let decide = |question| on_errand(Errand::LargerDisk, ErrandStep::Decide(question));
    let erase = || Question::EraseDisk {
        name: "SanDisk Ultra".into(),
        bytes: 64_000_000_000,
    };
    for (question, screen) in [(Question::LargerDisk, "larger-disk"), (erase(), "erase-disk")] {
        desk.becomes(decide(question.clone()));
        assert_eq!(desk.screen(), screen);
        assert!(desk.says("[No]"));
        assert!(matches!(desk.press(&[Ok]), Some(Action::Answer(asked, false)) if asked == question));
        desk.becomes(decide(question.clone()));
        assert!(matches!(desk.press(&[Down, Ok]), Some(Action::Answer(asked, true)) if asked == question));
    }
}

#[test]
fn what_is_left_alone_ends_and_what_waits_can_be_left() {
    let mut desk = Desk::new(ask_for(Errand::Staff, 0, 4));
    assert!(matches!(desk.wait(120), Some(Action::EndErrand)));
    let mut desk = Desk::new(on_errand(Errand::Staff, figures()));
    assert!(matches!(desk.wait(300), Some(Action::EndErrand)));
    let mut desk = Desk::new(ask_for(Errand::NewCode, 60, 1));
    assert_eq!(desk.screen(), "wait");
    assert!(matches!(desk.hold_ok(), Some(Action::EndErrand)));
}

#[test]
fn a_hub_that_nobody_can_log_in_to_says_so() {
    let nobody = OpenStatus {
        has_no_staff: true,
        ..open()
    };
    let desk = Desk::new(Phase::Open(nobody));
    assert!(desk.says("No staff yet") && !desk.says("Hub is open"));
}

#[test]
fn restarts_only_when_confirmed() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(desk.open_from_menu(MenuEntry::Restart).is_none());
    assert!(desk.press(&[Ok]).is_none(), "cancel is chosen");
    assert!(desk.open_from_menu(MenuEntry::Restart).is_none());
    assert!(matches!(desk.press(&[Down, Ok]), Some(Action::Restart)));
    desk.becomes(Phase::Restarting);
    assert_eq!(desk.screen(), "restarting");
}
