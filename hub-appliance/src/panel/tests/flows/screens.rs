//! Splash, menus, language, light, lock and power.

use super::*;
use Button::{Down, Ok, Up};

#[test]
fn locks_only_when_confirmed() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(desk.open_from_menu(MenuEntry::Lock).is_none());
    assert_eq!(desk.screen(), "lock");
    assert!(desk.press(&[Down, Ok]).is_none());
    assert_eq!(desk.screen(), "home");
    assert!(desk.open_from_menu(MenuEntry::Lock).is_none() && matches!(desk.press(&[Ok]), Some(Action::Lock)));
    assert_eq!(desk.screen(), "locking");
    desk.becomes(Phase::Locking);
    desk.becomes(locked(0, 0, 3));
    assert_eq!(desk.screen(), "locked");
}

#[test]
fn menus_go_home_when_left_alone() {
    let goes_home = |mut desk: Desk| {
        assert_ne!(desk.screen(), "home");
        desk.wait(60);
        assert_eq!(desk.screen(), "home");
    };
    for presses in [
        &[Ok][..],
        &[Ok, Down, Ok],
        &[Ok, Down, Ok, Ok],
        &[Ok, Down, Ok, Ok, Down, Ok],
    ] {
        let mut desk = Desk::new(Phase::Open(with_phones()));
        desk.press(presses);
        goes_home(desk);
    }
    for entry in MENU {
        let mut desk = Desk::new(Phase::Open(with_phones()));
        if desk.open_from_menu(entry).is_none() {
            goes_home(desk);
        }
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
fn a_touch_wakes_and_what_the_same_finger_then_does_means_nothing() {
    let mut desk = Desk::new(Phase::Open(open()));
    desk.wait(300);
    desk.panel.touch(&desk.status, desk.now);
    assert_eq!(
        desk.panel.brightness(desk.now),
        Brightness::Full,
        "before it is known what is meant"
    );
    desk.press(&[Ok]);
    desk.hold_ok();
    assert_eq!(desk.screen(), "home");

    desk.panel.touch(&desk.status, desk.now);
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "menu");

    // Held so long that it repeats.
    desk.wait(60);
    desk.wait(300);
    desk.panel.touch(&desk.status, desk.now);
    desk.press(&[Down, Down, Down]);
    desk.panel.touch(&desk.status, desk.now);
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "menu");
}

#[test]
fn what_has_to_be_read_stays_lit() {
    for phase in [pairing(120, true), paired(1, None)] {
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
fn other_news_light_the_panel_again() {
    let asking = |bytes| Phase::Asking(Question::UseCard { bytes });
    for (first, then) in [
        (Phase::Fault(Fault::NoDisk), Phase::Fault(Fault::SeveralDisks)),
        (asking(1), asking(2)),
    ] {
        let mut desk = Desk::new(first.clone());
        desk.wait(600);
        desk.becomes(first);
        assert_eq!(desk.panel.brightness(desk.now), Brightness::Off);
        desk.becomes(then);
        assert_eq!(desk.panel.brightness(desk.now), Brightness::Full);
    }
}

#[test]
fn a_screen_that_goes_by_time_lights_nothing() {
    let mut desk = Desk::new(Phase::Open(open()));
    desk.press(&[Ok]);
    desk.wait(60);
    assert_eq!(
        (desk.screen(), desk.panel.brightness(desk.now)),
        ("home", Brightness::Dim)
    );
}

#[test]
fn a_press_meant_for_the_screen_before_decides_nothing() {
    let question = Phase::Asking(Question::MoveData { bytes: 1 });
    for (first, news) in [(Phase::Open(open()), paired(3, None)), (locked(0, 0, 3), question)] {
        let mut desk = Desk::new(first);
        desk.status.phase = news;
        assert!(desk.press(&[Up, Ok]).is_none());
        assert!(!desk.says("["), "what does not work yet is not there");
        desk.now += Duration::from_millis(399);
        assert!(desk.hold_ok().is_none());
        assert_eq!(desk.panel.next_wake(desk.now), Some(Duration::from_millis(1)));
        desk.now += Duration::from_millis(1);
        assert!(desk.says("["));
        assert!(desk.press(&[Ok]).is_some());
    }
}

#[test]
fn the_second_phone_has_a_minute_of_its_own() {
    let mut desk = Desk::new(paired(3, None));
    assert!(desk.wait(50).is_none());
    desk.becomes(paired(4, None));
    assert!(desk.wait(59).is_none());
    assert!(matches!(desk.wait(1), Some(Action::KeepPhone(4))));
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
fn a_mistake_in_the_setup_file_is_told_once() {
    let noticing = || {
        let mut desk = Desk::new(locked(0, 0, 3));
        desk.status.notice = Some(Notice::SetupFile { line: Some(12) });
        desk.becomes(Phase::Starting);
        desk.becomes(locked(0, 0, 3));
        desk.press(&[Ok]);
        assert!(desk.screen() == "notice" && desk.says("hub-setup.toml") && desk.says("line 12"));
        desk
    };
    let mut desk = noticing();
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "locked");
    let mut desk = noticing();
    desk.wait(60);
    assert_eq!(desk.screen(), "locked");
    let mut desk = noticing();
    assert_eq!(pin_of(desk.enter(PIN)), PIN);
}

#[test]
fn what_is_wrong_with_the_import_is_told_whenever_the_hub_opens() {
    let mut desk = Desk::new(set_up());
    desk.status.notice = Some(Notice::ImportFile(ImportFile::Mistake { line: Some(12) }));
    desk.becomes(Phase::Starting);
    desk.becomes(set_up());
    desk.press(&[Ok]);
    assert_eq!(desk.screen(), "setup-pin", "not at the start");
    for before in [Phase::SettingUp, Phase::Formatting { permille: 900 }, Phase::Unlocking] {
        desk.becomes(before);
        desk.becomes(Phase::Open(open()));
        assert!(desk.screen() == "notice" && desk.says("clinic.json") && desk.says("line 12"));
        desk.becomes(Phase::Open(with_phones()));
        assert_eq!(desk.screen(), "notice", "until somebody has read it");
        desk.press(&[Ok]);
        assert_eq!(desk.screen(), "home");
    }
    desk.becomes(changing_pin(PinChange::Checking));
    desk.becomes(changing_pin(PinChange::Changing));
    desk.becomes(Phase::Open(open()));
    assert_eq!(desk.screen(), "home", "once");

    desk.becomes(Phase::Unlocking);
    desk.status.notice = Some(Notice::ImportFile(ImportFile::StillThere));
    desk.becomes(Phase::Open(open()));
    assert!(desk.screen() == "notice" && desk.says("still"));
    desk.wait(60);
    assert_eq!(desk.screen(), "home");
}

#[test]
fn speaks_the_language_that_is_chosen() {
    let mut desk = Desk::new(set_up());
    desk.press(&[Down]);
    assert!(desk.says("Bienvenue") && desk.says(">Français"));
    desk.press(&[Down]);
    assert!(desk.says("Bienvenido") && desk.says(">Español"));
    assert!(matches!(
        desk.press(&[Ok]),
        Some(Action::SetLanguage(Language::Spanish))
    ));
    desk.status.language = Language::Spanish;
    assert!(desk.says("Sólo PIN"));

    let mut desk = Desk::speaking(Language::French, Phase::Open(open()));
    desk.open_from_menu(MenuEntry::Language);
    assert!(desk.says("Langue") && desk.says(">Français"));
    assert!(matches!(
        desk.press(&[Up, Ok]),
        Some(Action::SetLanguage(Language::English))
    ));
}

#[test]
fn switches_off_only_when_confirmed() {
    let mut desk = Desk::new(Phase::Open(open()));
    assert!(desk.open_from_menu(MenuEntry::PowerOff).is_none());
    assert!(desk.screen() == "power-off" && desk.says("[Cancel]"));
    assert!(desk.press(&[Ok]).is_none());
    assert_eq!(desk.screen(), "home");
    assert!(
        desk.open_from_menu(MenuEntry::PowerOff).is_none() && matches!(desk.press(&[Up, Ok]), Some(Action::PowerOff))
    );
    desk.becomes(Phase::Locking);
    desk.becomes(Phase::PoweringOff);
    assert!(desk.screen() == "off" && desk.says("Don't unplug it yet"));
    // The image says so when nothing is written any more.
    let desk = Desk::new(Phase::Unplug);
    assert!(desk.screen() == "unplug" && desk.says("Unplug now"));
}

#[test]
fn a_changed_address_says_in_turns_what_to_do_until_it_is_seen() {
    let mut desk = Desk::new(moved("192.168.1.77:4001", "192.168.1.50"));
    assert!(desk.says("192.168.1.77") && desk.says("was 192.168.1.50") && desk.says("Pair the phones again"));
    let mut turn = || {
        let sleep = desk.panel.next_wake(desk.now).unwrap();
        desk.now += sleep;
        assert!(desk.panel.update(&desk.status, desk.now).is_none());
        desk.picture().1.lines[2..4].join(" ")
    };
    assert_eq!(turn(), "Or have the router give 192.168.1.50");
    assert_eq!(turn(), "All phones get on? Hold OK: hide this");
    assert_eq!(turn(), "was 192.168.1.50 Pair the phones again");
    assert!(matches!(desk.hold_ok(), Some(Action::AddressSeen)));
    desk.becomes(Phase::Open(open()));
    assert!(desk.screen() == "home" && desk.says("Hub is open"));
    assert!(desk.hold_ok().is_none());
}

#[test]
fn a_figure_that_nobody_knows_is_no_zero() {
    let mut desk = Desk::new(Phase::Open(OpenStatus {
        held_rows: None,
        disk_used_percent: None,
        ..open()
    }));
    assert!(desk.says("? need help") && !desk.says("full") && !desk.says("0%"));
    desk.press(&[Ok, Down, Down, Ok]);
    let lines = desk.picture().1.lines;
    assert!(
        lines[2].starts_with("Need help") && lines[2].ends_with(" ?"),
        "{lines:?}"
    );
    assert!(lines[4].starts_with("Disk") && lines[4].ends_with(" ?"), "{lines:?}");
}
