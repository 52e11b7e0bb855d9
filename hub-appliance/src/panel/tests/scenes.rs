//! Every screen once, in the states that differ to the eye.

use super::*;

const OK: Button = Button::Ok;
const DOWN: Button = Button::Down;
const UP: Button = Button::Up;

fn noticing(language: Language, notice: Notice) -> Desk {
    let mut desk = Desk::speaking(language, set_up());
    desk.status.notice = Some(notice);
    desk.becomes(Phase::Starting);
    desk.becomes(set_up());
    desk.press(&[OK]);
    desk
}

/// Without the figures that can't always be found out.
fn unknown() -> OpenStatus {
    OpenStatus {
        held_rows: None,
        disk_used_percent: None,
        ..open()
    }
}

/// A hub that has just opened, with something to tell of the owner's file of records.
fn opened_with(language: Language, file: ImportFile) -> Desk {
    let mut desk = Desk::speaking(language, locked(0, 0, 4));
    desk.enter("12345678");
    desk.becomes(Phase::Unlocking);
    desk.status.notice = Some(Notice::ImportFile(file));
    desk.becomes(Phase::Open(open()));
    desk
}

/// The menu as it is further down, until every entry was on the screen.
fn rest_of_menu(language: Language) -> impl Iterator<Item = (&'static str, Desk)> {
    const SHOWN: usize = 4;
    let names = ["menu-2", "menu-3", "menu-4", "menu-5", "menu-6"];
    let pages = MENU.len().div_ceil(SHOWN);
    assert!(pages <= names.len() + 1, "another name is needed");
    names.into_iter().zip(1..pages).map(move |(name, page)| {
        let mut desk = Desk::speaking(language, Phase::Open(open()));
        desk.press(&[OK]);
        desk.press(&vec![DOWN; (page * SHOWN + SHOWN - 1).min(MENU.len() - 1)]);
        (name, desk)
    })
}

/// A scene's name and how to get there.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let start = |phase, act: fn(&mut Desk)| {
        let mut desk = Desk::speaking(language, phase);
        act(&mut desk);
        desk
    };
    let mut all = vec![
        ("splash", {
            let mut desk = Desk::speaking(language, Phase::Locking);
            desk.becomes(Phase::Starting);
            desk
        }),
        ("notice", noticing(language, Notice::SetupFile { line: Some(16_384) })),
        (
            "notice-unreadable",
            noticing(language, Notice::SetupFile { line: None }),
        ),
        (
            "notice-old-disk",
            noticing(language, Notice::OldDisk { bytes: 268_435_456 }),
        ),
        ("notice-several", noticing(language, Notice::SeveralSetupFiles)),
        ("notice-import", {
            let line = Some(536_870_912);
            opened_with(language, ImportFile::Mistake { line })
        }),
        ("notice-import-unreadable", {
            opened_with(language, ImportFile::Mistake { line: None })
        }),
        ("notice-import-left", opened_with(language, ImportFile::StillThere)),
        ("notice-import-several", opened_with(language, ImportFile::Several)),
        ("notice-import-email-arabic", {
            let names = ["أمينة حداد", "د. بنديتا كاستلاني نغوجي"].map(str::to_owned);
            opened_with(language, ImportFile::SameEmail { names })
        }),
        ("notice-import-email", {
            let names = ["Amina Haddad", "Dr. Benedetta Castellani"].map(str::to_owned);
            opened_with(language, ImportFile::SameEmail { names })
        }),
        ("welcome", start(set_up(), |_| {})),
        (
            "setup-way",
            start(set_up(), |desk| {
                desk.press(&[OK]);
            }),
        ),
        (
            "setup-way-both",
            start(set_up(), |desk| {
                desk.press(&[OK, DOWN, OK]);
            }),
        ),
        (
            "setup-way-stick",
            start(set_up(), |desk| {
                desk.press(&[OK, DOWN, OK, DOWN, OK]);
            }),
        ),
        (
            "setup-way-box",
            start(set_up_in_box(), |desk| {
                desk.press(&[OK, DOWN, OK, DOWN, OK, DOWN, OK]);
            }),
        ),
        (
            "setup-no-way",
            start(set_up(), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
                desk.becomes(Phase::SetUp(SetUp {
                    trouble: Some(ErrandEnd::NoStick),
                    ..SetUp::default()
                }));
            }),
        ),
        (
            "choose-pin-six",
            start(set_up(), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
                desk.becomes(Phase::SetUp(SetUp {
                    unlocking: Unlocking::PinAndStick,
                    ..SetUp::default()
                }));
            }),
        ),
        (
            "choose-pin",
            start(set_up(), |desk| {
                desk.press(&[OK, OK]);
                desk.becomes(set_up());
                desk.press(&[OK, OK, OK]);
            }),
        ),
        (
            "choose-pin-short",
            start(set_up(), |desk| {
                desk.press(&[OK]);
                desk.enter("1234");
            }),
        ),
        (
            "choose-pin-long",
            start(set_up(), |desk| {
                desk.type_digits("1234567890123");
            }),
        ),
        (
            "repeat-pin",
            start(set_up(), |desk| {
                desk.enter("12345678");
                desk.type_digits("1234567890");
            }),
        ),
        (
            "pins-differ",
            start(set_up(), |desk| {
                desk.enter("12345678");
                desk.enter("12345679");
            }),
        ),
        (
            "setting-up",
            start(Phase::SettingUp, |desk| {
                desk.now += Duration::from_millis(500);
            }),
        ),
        (
            "choose-pin-simple",
            start(set_up(), |desk| {
                desk.enter("88888888");
            }),
        ),
        ("explain-code", start(confirming(), |_| {})),
        (
            "write-code",
            start(confirming(), |desk| {
                desk.press(&[OK]);
            }),
        ),
        (
            "wrong-group",
            start(confirming(), |desk| {
                desk.press(&[OK, OK]);
                desk.enter("000011");
            }),
        ),
        (
            "code-hidden",
            start(confirming(), |desk| {
                desk.press(&[OK]);
                desk.wait(15 * 60);
            }),
        ),
        (
            "check-code",
            start(confirming(), |desk| {
                desk.press(&[OK]);
                desk.type_digits("1222");
            }),
        ),
        ("locked", start(locked(0, 0, 3), |_| {})),
        (
            "locked-typing",
            start(locked(0, 0, 3), |desk| {
                desk.type_digits("123456789");
            }),
        ),
        (
            "locked-delete",
            start(locked(0, 0, 3), |desk| {
                desk.type_digits("1234");
                desk.press(&[UP]);
            }),
        ),
        (
            "locked-wrong",
            start(locked(0, 1, 2), |desk| {
                desk.enter("12345678");
                desk.becomes(Phase::Unlocking);
                desk.becomes(locked(0, 2, 1));
            }),
        ),
        (
            "locked-wrong-many",
            start(locked(0, 1, 2), |desk| {
                desk.enter("12345678");
                desk.becomes(Phase::Unlocking);
                desk.becomes(locked(0, 1, 3));
            }),
        ),
        (
            "locked-cleared",
            start(locked(0, 0, 3), |desk| {
                desk.type_digits("123456789");
                desk.wait(60);
            }),
        ),
        ("locked-use-code", start(locked(0, 10, 1), |_| {})),
        (
            "locked-language",
            start(locked(0, 0, 3), |desk| {
                desk.press(&[DOWN, DOWN, DOWN]);
            }),
        ),
        ("wait", start(locked(299, 5, 0), |_| {})),
        ("wait-use-code", start(locked(3600, 12, 0), |_| {})),
        (
            "recovery",
            start(locked(0, 0, 3), |desk| {
                desk.hold_ok();
                desk.type_digits("000011720885122");
            }),
        ),
        (
            "recovery-group-before",
            start(locked(0, 0, 3), |desk| {
                desk.hold_ok();
                desk.type_digits("000011720885");
                desk.press(&[OK]);
                desk.hold_ok();
            }),
        ),
        (
            "recovery-mistyped",
            start(locked(0, 0, 3), |desk| {
                desk.hold_ok();
                desk.type_digits("000012");
            }),
        ),
        (
            "recovery-wrong",
            start(locked(0, 0, 3), |desk| {
                desk.hold_ok();
                desk.enter(&"000011".repeat(8));
                desk.becomes(Phase::Unlocking);
                desk.becomes(locked(0, 1, 2));
            }),
        ),
        (
            "unlocking",
            start(Phase::Unlocking, |desk| {
                desk.now += Duration::from_millis(2_000);
            }),
        ),
        ("home", start(Phase::Open(open()), |_| {})),
        (
            "home-one-held",
            start(
                Phase::Open(OpenStatus {
                    held_rows: Some(1),
                    ..open()
                }),
                |_| {},
            ),
        ),
        (
            "home-full-figures",
            start(Phase::Open(OpenStatus::default()), |desk| {
                let address = Some("255.255.255.255:65535".parse().unwrap());
                let full = OpenStatus {
                    address,
                    phones_in_24_h: u32::MAX,
                    held_rows: Some(u32::MAX),
                    clock: Clock::NotSet,
                    disk_used_percent: Some(u8::MAX),
                    ..open()
                };
                desk.becomes(Phase::Open(full));
            }),
        ),
        (
            "home-unknown",
            start(Phase::Open(OpenStatus::default()), |desk| {
                desk.becomes(Phase::Open(unknown()));
            }),
        ),
        (
            "home-moved",
            start(moved("192.168.1.50:4001", "255.255.255.255"), |_| {}),
        ),
        (
            "home-moved-router",
            start(moved("192.168.1.50:4001", "255.255.255.255"), |desk| {
                desk.wait(5);
            }),
        ),
        (
            "home-moved-hide",
            start(moved("192.168.1.50:4001", "255.255.255.255"), |desk| {
                desk.wait(10);
            }),
        ),
        (
            "home-no-network",
            start(
                Phase::Open(OpenStatus {
                    address: None,
                    ..open()
                }),
                |_| {},
            ),
        ),
        (
            "menu",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK, DOWN]);
            }),
        ),
        (
            "no-network",
            start(
                Phase::Open(OpenStatus {
                    address: None,
                    ..open()
                }),
                |desk| {
                    desk.press(&[OK, OK]);
                },
            ),
        ),
        (
            "status",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::Status);
            }),
        ),
        (
            "status-full-figures",
            start(Phase::Open(OpenStatus::default()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::Status);
                let full = OpenStatus {
                    phones_in_24_h: u32::MAX,
                    held_rows: Some(u32::MAX),
                    clock: Clock::NotSet,
                    disk_used_percent: Some(u8::MAX),
                    ..open()
                };
                desk.becomes(Phase::Open(full));
            }),
        ),
        (
            "status-unknown",
            start(Phase::Open(unknown()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::Status);
            }),
        ),
        (
            "about",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::About);
            }),
        ),
        (
            "lock",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::Lock);
            }),
        ),
        ("present-pin", start(ask_present(0, 0, 4), |_| {})),
        (
            "present-pin-wrong",
            start(ask_present(0, 0, 4), |desk| {
                desk.enter("12345678");
                desk.becomes(ask_present(0, 1, 3));
            }),
        ),
        ("present-pin-wait", start(ask_present(3600, 9, 0), |_| {})),
        ("checking-pin", start(changing_pin(PinChange::Checking), |_| {})),
        (
            "change-pin",
            start(changing_pin(PinChange::Choose), |desk| {
                desk.type_digits("1234567");
            }),
        ),
        (
            "change-pin-again",
            start(changing_pin(PinChange::Choose), |desk| {
                desk.enter("12345678");
            }),
        ),
        ("saving-pin", start(changing_pin(PinChange::Changing), |_| {})),
        ("pin-changed", start(changing_pin(PinChange::Changed), |_| {})),
        ("pin-kept", start(changing_pin(PinChange::Failed), |_| {})),
        ("renew-pin", start(Phase::Renewing, |_| {})),
        (
            "language",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::Language);
            }),
        ),
        (
            "power-off",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK]);
                desk.take(MenuEntry::PowerOff);
            }),
        ),
        ("off", start(Phase::PoweringOff, |_| {})),
        ("unplug", start(Phase::Unplug, |_| {})),
        ("locking", start(Phase::Locking, |_| {})),
        ("error-keys", start(Phase::Fault(Fault::Keys), |_| {})),
        ("error-store", start(Phase::Fault(Fault::Store), |_| {})),
        (
            "error-newer-store",
            start(
                Phase::Fault(Fault::NewerStore {
                    needs: Some("10.20.30-rc.1".into()),
                }),
                |_| {},
            ),
        ),
        (
            "error-newer-store-unknown",
            start(Phase::Fault(Fault::NewerStore { needs: None }), |_| {}),
        ),
        ("error-disk", start(Phase::Fault(Fault::Disk), |_| {})),
        ("error-port", start(Phase::Fault(Fault::Port), |_| {})),
        ("error-restarts", start(Phase::Fault(Fault::Restarts), |_| {})),
        ("error-internal", start(Phase::Fault(Fault::Internal), |_| {})),
    ];
    all.extend(rest_of_menu(language));
    all.extend(phone_scenes::all(language));
    all.extend(disk_scenes::all(language));
    all.extend(cloud_scenes::all(language));
    all.extend(backup_scenes::all(language));
    all.extend(usb_scenes::all(language));
    all.extend(errand_scenes::all(language));
    all.extend(box_scenes::all(language));
    all
}
