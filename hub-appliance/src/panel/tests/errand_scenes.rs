//! What takes the PIN at an open hub, beside changing it, in the states that differ to the eye.

use std::sync::Arc;

use super::*;

const DOWN: Button = Button::Down;
const STICK: Errand = Errand::Unlocking(Unlocking::Stick);

/// A hub on whose panel somebody is on this errand.
pub(super) fn on_errand(errand: Errand, step: ErrandStep) -> Phase {
    Phase::Open(OpenStatus {
        errand: Some((errand, step)),
        ..open()
    })
}

pub(super) fn emergency(status: EmergencyStatus) -> Phase {
    Phase::Open(OpenStatus {
        emergency: Some(status),
        ..open()
    })
}

pub(super) fn readers() -> Arc<[EmergencyReader]> {
    let reader = |name: &str, calls| EmergencyReader {
        name: name.to_owned(),
        calls,
    };
    Arc::new([reader("Amina Haddad", 12), reader("Dr. Benedetta Castellani", 3)])
}

pub(super) fn ask_for(errand: Errand, wait: u64, tries_left: u32) -> Phase {
    let wait = Duration::from_secs(wait);
    on_errand(errand, ErrandStep::Ask { wait, tries_left })
}

pub(super) fn setting_clock() -> Phase {
    on_errand(Errand::Clock, ErrandStep::Clock(1_795_741_503_000))
}

/// A hub whose clock a person set.
fn by_hand() -> Phase {
    Phase::Open(OpenStatus {
        held_rows: Some(0),
        clock: Clock::ByHand,
        ..open()
    })
}

/// Every way in which an errand ends.
pub(super) fn ends() -> Vec<(&'static str, Errand, ErrandEnd)> {
    let names = ["Amina Haddad", "Dr. Benedetta Castellani"].map(str::to_owned);
    vec![
        ("staff-taken", Errand::Staff, ErrandEnd::StaffTaken),
        ("staff-file-left", Errand::Staff, ErrandEnd::StaffFileLeft),
        ("staff-email", Errand::Staff, ErrandEnd::SameEmail { names }),
        ("staff-no-file", Errand::Staff, ErrandEnd::NoStaffFile),
        ("staff-several", Errand::Staff, ErrandEnd::SeveralStaffFiles),
        (
            "staff-mistake",
            Errand::Staff,
            ErrandEnd::StaffMistake {
                line: Some(536_870_912),
            },
        ),
        (
            "staff-unreadable",
            Errand::Staff,
            ErrandEnd::StaffMistake { line: None },
        ),
        ("staff-unchanged", Errand::Staff, ErrandEnd::StaffUnchanged),
        ("staff-of-cloud", Errand::Staff, ErrandEnd::StaffOfCloud),
        ("code-renewed", Errand::NewCode, ErrandEnd::CodeRenewed),
        ("emergency-open", Errand::Emergency, ErrandEnd::EmergencyOpen),
        ("larger-disk-none", Errand::LargerDisk, ErrandEnd::NoLargerDisk),
        ("clock-set", Errand::Clock, ErrandEnd::ClockSet),
        ("clock-known", Errand::Clock, ErrandEnd::ClockKnown),
        ("clock-back", Errand::Clock, ErrandEnd::ClockBack),
        ("backup-stick-chosen", Errand::BackupStick(7), ErrandEnd::BackupStick),
        ("errand-failed", Errand::NewCode, ErrandEnd::Failed),
        ("keys-pin", STICK, ErrandEnd::Unlocking(Unlocking::Pin)),
        ("keys-both", STICK, ErrandEnd::Unlocking(Unlocking::PinAndStick)),
        ("keys-stick", STICK, ErrandEnd::Unlocking(Unlocking::Stick)),
        ("keys-no-more", STICK, ErrandEnd::Unlocking(Unlocking::NoStick)),
        ("keys-no-stick", STICK, ErrandEnd::NoStick),
        ("keys-sticks", STICK, ErrandEnd::SeveralSticks),
        ("keys-other-file", STICK, ErrandEnd::OtherKeyFile),
        ("keys-failed", STICK, ErrandEnd::StickFailed),
        (
            "keys-pin-too-short",
            Errand::Unlocking(Unlocking::Pin),
            ErrandEnd::PinTooShort,
        ),
    ]
}

pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let start = |phase, act: fn(&mut Desk)| {
        let mut desk = Desk::speaking(language, phase);
        act(&mut desk);
        desk
    };
    let staff = |joins, leaves, passwords, others, rows| {
        on_errand(
            Errand::Staff,
            ErrandStep::Staff(StaffFigures {
                joins,
                leaves,
                passwords,
                others,
                rows,
            }),
        )
    };
    let mut all = vec![
        ("staff-pin", start(ask_for(Errand::Staff, 0, 4), |_| {})),
        ("new-code-pin", start(ask_for(Errand::NewCode, 0, 4), |_| {})),
        ("staff-wait", start(ask_for(Errand::Staff, 299, 1), |_| {})),
        (
            "staff-at-work",
            start(on_errand(Errand::Staff, ErrandStep::AtWork), |_| {}),
        ),
        (
            "staff",
            start(staff(2, 1, 1, 0, 0), |desk| {
                desk.press(&[DOWN]);
            }),
        ),
        ("staff-rows", start(staff(0, 0, 0, 9, u32::MAX), |_| {})),
        (
            "new-code",
            start(
                on_errand(
                    Errand::NewCode,
                    ErrandStep::Code {
                        code: code(),
                        ask: [2, 7],
                    },
                ),
                |_| {},
            ),
        ),
        (
            "home-no-staff",
            start(
                Phase::Open(OpenStatus {
                    has_no_staff: true,
                    ..open()
                }),
                |_| {},
            ),
        ),
        (
            "home-quiet",
            start(
                Phase::Open(OpenStatus {
                    held_rows: Some(0),
                    ..open()
                }),
                |_| {},
            ),
        ),
        (
            "home-no-clock",
            start(
                Phase::Open(OpenStatus {
                    held_rows: Some(0),
                    clock: Clock::NotSet,
                    ..open()
                }),
                |_| {},
            ),
        ),
        (
            "restart",
            start(Phase::Open(open()), |desk| {
                desk.press(&[Button::Ok]);
                desk.take(MenuEntry::Restart);
            }),
        ),
        ("error-help", {
            let mut desk = Desk::speaking(language, Phase::Fault(Fault::Restarts));
            desk.status.about.help = Some("+220 (0)12-345678".into());
            desk
        }),
        (
            "home-emergency",
            start(emergency(EmergencyStatus::Open { seconds_left: 1741 }), |_| {}),
        ),
        (
            "emergency",
            start(emergency(EmergencyStatus::Open { seconds_left: 1800 }), |desk| {
                desk.press(&[Button::Ok]);
                desk.take(MenuEntry::Emergency);
            }),
        ),
        (
            "emergency-over",
            start(emergency(EmergencyStatus::Over(readers())), |_| {}),
        ),
        ("emergency-over-arabic", {
            let reader = |name: &str| EmergencyReader {
                name: name.to_owned(),
                calls: 3,
            };
            let readers = ["أمينة حداد", "诊所"].map(reader);
            start(emergency(EmergencyStatus::Over(Arc::new(readers))), Desk::settles)
        }),
        (
            "emergency-unused",
            start(emergency(EmergencyStatus::Over(Arc::new([]))), |_| {}),
        ),
        ("restarting", start(Phase::Restarting, |_| {})),
        (
            "larger-disk",
            start(
                on_errand(Errand::LargerDisk, ErrandStep::Decide(Question::LargerDisk)),
                |_| {},
            ),
        ),
        ("set-clock", start(setting_clock(), |_| {})),
        (
            "set-clock-last",
            start(setting_clock(), |desk| {
                desk.press(&[Button::Ok; 4]);
            }),
        ),
        ("home-clock-by-hand", start(by_hand(), |_| {})),
        (
            "status-clock-by-hand",
            start(by_hand(), |desk| {
                desk.press(&[Button::Ok]);
                desk.take(MenuEntry::Status);
            }),
        ),
    ];
    all.push((
        "locked-needs-stick",
        start(
            Phase::Locked {
                wait: Duration::ZERO,
                failures: 0,
                tries_left: 4,
                lacks: Lacks::Stick,
                fewest_digits: 6,
            },
            |_| {},
        ),
    ));
    let both = Phase::Open(OpenStatus {
        ways: Ways {
            pin_and_stick: true,
            stick: true,
            ..Ways::default()
        },
        ..open()
    });
    for (at, [new, used]) in [
        ["key-pin", "key-pin-used"],
        ["key-both", "key-both-used"],
        ["key-stick", "key-stick-used"],
    ]
    .into_iter()
    .enumerate()
    {
        for (name, phase) in [(new, Phase::Open(open())), (used, both.clone())] {
            let mut desk = Desk::speaking(language, phase);
            desk.press(&[Button::Ok]);
            desk.take(MenuEntry::Keys);
            desk.press(&vec![DOWN; at]);
            desk.press(&[Button::Ok]);
            all.push((name, desk));
        }
    }
    all.push((
        "keys",
        start(both, |desk| {
            desk.press(&[Button::Ok]);
            desk.take(MenuEntry::Keys);
        }),
    ));
    let ended = ends().into_iter();
    all.extend(ended.map(|(name, errand, end)| {
        (
            name,
            Desk::speaking(language, on_errand(errand, ErrandStep::Ended(end))),
        )
    }));
    all
}
