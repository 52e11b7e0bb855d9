//! The screens about phones, in the states that differ to the eye.

use super::*;

const OK: Button = Button::Ok;
const DOWN: Button = Button::Down;
const UP: Button = Button::Up;

/// With a phone that has sent all that one may.
fn full() -> OpenStatus {
    OpenStatus {
        phones: [phone(1, "Galaxy A15", 5, PhoneStanding::Full)].into(),
        ..open()
    }
}

/// With a phone that was heard of so many minutes ago.
fn seen(minutes_ago: u32) -> OpenStatus {
    OpenStatus {
        phones: [phone(1, "Galaxy A15", minutes_ago, PhoneStanding::Good)].into(),
        ..open()
    }
}

/// With phones of names in more than one script.
fn of_many_scripts(standing: PhoneStanding) -> OpenStatus {
    let names = [
        "هاتف أمينة",
        "Amélie’s 📱 (2)",
        "诊所",
        "Amina هاتف العيادة الشمالية ٢",
        "Телефон",
    ];
    OpenStatus {
        phones: (1..)
            .zip(names)
            .map(|(number, name)| phone(number, name, 4, standing))
            .collect(),
        ..open()
    }
}

/// Each kind of record, and the reasons in turn.
const HELD: [RecordKind; 9] = [
    RecordKind::Patient,
    RecordKind::Visit,
    RecordKind::Form,
    RecordKind::Vitals,
    RecordKind::Problem,
    RecordKind::Appointment,
    RecordKind::Prescription,
    RecordKind::Dispensed,
    RecordKind::Other,
];

fn with_held(kinds: &[RecordKind]) -> OpenStatus {
    let reasons = [
        HeldReason::NoRight,
        HeldReason::BelongsToNothing,
        HeldReason::Unreadable,
    ];
    let rows = kinds.iter().zip(reasons.into_iter().cycle()).zip(0..);
    OpenStatus {
        held: rows
            .map(|((kind, reason), number)| HeldRow {
                kind: *kind,
                reason,
                user: (number != 1).then(|| "Dr Amina Njoroge".into()),
                phone: number + 1,
                minutes_ago: [0, 5, 3 * 60, 999 * 1440][number as usize % 4],
            })
            .collect(),
        held_rows: Some(9),
        ..open()
    }
}

/// As [`super::scenes::all`], of which these are a part.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let start = |phase, act: fn(&mut Desk)| {
        let mut desk = Desk::speaking(language, phase);
        act(&mut desk);
        desk
    };
    vec![
        (
            "phones",
            start(Phase::Open(with_phones()), |desk| {
                desk.press(&[OK, DOWN, OK]);
            }),
        ),
        (
            "phones-many",
            start(Phase::Open(open()), |desk| {
                let phones = (u32::MAX - 255..=u32::MAX).map(|number| Phone {
                    number,
                    name: (number % 2 == 0).then(|| "Samsung Galaxy Tab A9+".into()),
                    seen_minutes_ago: number,
                    standing: PhoneStanding::Good,
                });
                desk.becomes(Phase::Open(OpenStatus {
                    phones: phones.collect(),
                    ..open()
                }));
                desk.press(&[OK, DOWN, OK, UP]);
            }),
        ),
        (
            "phones-scripts",
            start(Phase::Open(of_many_scripts(PhoneStanding::Good)), |desk| {
                desk.press(&[OK, DOWN, OK]);
            }),
        ),
        (
            "phones-scripts-more",
            start(Phase::Open(of_many_scripts(PhoneStanding::Stuck)), |desk| {
                desk.press(&[OK, DOWN, OK, UP]);
            }),
        ),
        (
            "phone-arabic",
            start(Phase::Open(of_many_scripts(PhoneStanding::Good)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-ahead",
            start(
                Phase::Open(OpenStatus {
                    phones: [phone(1, "Galaxy A15", 5, PhoneStanding::Ahead)].into(),
                    ..open()
                }),
                |desk| {
                    desk.press(&[OK, DOWN, OK, OK]);
                },
            ),
        ),
        (
            "phone-arabic-revoked",
            start(Phase::Open(of_many_scripts(PhoneStanding::Revoked)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "revoke-arabic",
            start(Phase::Open(of_many_scripts(PhoneStanding::Good)), |desk| {
                desk.press(&[OK, DOWN, OK, OK, DOWN, OK]);
            }),
        ),
        ("paired-arabic", start(paired(3, Some("هاتف أمينة")), Desk::settles)),
        ("paired-no-glyphs", start(paired(3, Some("诊所")), Desk::settles)),
        (
            "help-arabic",
            start(Phase::Open(with_held(&HELD)), |desk| {
                let mut held = with_held(&HELD);
                held.held = held
                    .held
                    .iter()
                    .map(|row| HeldRow {
                        user: Some("د. أمينة نجوروجي".into()),
                        ..row.clone()
                    })
                    .collect();
                desk.becomes(Phase::Open(held));
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-days-ago",
            start(Phase::Open(seen(2 * 1440)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-week-ago",
            start(Phase::Open(seen(7 * 1440)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-months-ago",
            start(Phase::Open(seen(102 * 1440)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phones-none",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK, DOWN, OK]);
            }),
        ),
        (
            "phone",
            start(Phase::Open(with_phones()), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-just-now",
            start(Phase::Open(seen(0)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-a-day-ago",
            start(Phase::Open(seen(1440)), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-full",
            start(Phase::Open(full()), |desk| {
                desk.press(&[OK, DOWN, OK, OK]);
            }),
        ),
        (
            "phone-stuck",
            start(Phase::Open(with_phones()), |desk| {
                desk.press(&[OK, DOWN, OK, DOWN, OK, DOWN]);
            }),
        ),
        (
            "phone-revoked",
            start(Phase::Open(with_phones()), |desk| {
                desk.press(&[OK, DOWN, OK, UP, OK]);
            }),
        ),
        (
            "revoke",
            start(Phase::Open(with_phones()), |desk| {
                desk.press(&[OK, DOWN, OK, OK, DOWN, OK]);
            }),
        ),
        ("pair", start(pairing(118, false), Desk::settles)),
        ("pair-kept-open", start(pairing(118, true), Desk::settles)),
        (
            "pair-shade",
            start(pairing(120, false), |desk| {
                desk.wait(31);
            }),
        ),
        (
            "pair-longest",
            start(Phase::Open(open()), |desk| {
                let pairing = Some(PairingStatus {
                    seconds_left: 120,
                    keep_open: false,
                });
                let address = Some("255.255.255.255:65535".parse().unwrap());
                desk.becomes(Phase::Open(OpenStatus {
                    pairing,
                    address,
                    ..open()
                }));
                desk.settles();
            }),
        ),
        (
            "pair-no-network",
            start(Phase::Open(open()), |desk| {
                let pairing = Some(PairingStatus {
                    seconds_left: 120,
                    keep_open: false,
                });
                desk.becomes(Phase::Open(OpenStatus {
                    pairing,
                    address: None,
                    ..open()
                }));
            }),
        ),
        ("paired", start(paired(3, Some("Galaxy A15")), Desk::settles)),
        (
            "paired-just-now",
            start(Phase::Open(open()), |desk| {
                desk.brings_up(paired(3, Some("Galaxy A15")));
            }),
        ),
        (
            "paired-undo",
            start(paired(3, Some("Samsung Galaxy Tab A9+ of Amina")), |desk| {
                desk.settles();
                desk.press(&[DOWN]);
            }),
        ),
        ("paired-unnamed", start(paired(u32::MAX, None), Desk::settles)),
        (
            "pair-close",
            start(pairing(118, false), |desk| {
                desk.wait(5);
            }),
        ),
        (
            "not-paired-full",
            start(told(News::NotPaired(Obstacle::TooManyPhones)), Desk::settles),
        ),
        (
            "not-paired-disk",
            start(told(News::NotPaired(Obstacle::DiskFull)), Desk::settles),
        ),
        (
            "not-paired",
            start(told(News::NotPaired(Obstacle::NotWritten)), Desk::settles),
        ),
        (
            "refused-disk",
            start(told(News::RefusedForNow(Obstacle::DiskFull)), Desk::settles),
        ),
        (
            "refused",
            start(told(News::RefusedForNow(Obstacle::NotWritten)), Desk::settles),
        ),
        ("pairing-ended", start(told(News::PairingEnded), Desk::settles)),
        ("disk-repaired", start(told(News::Repaired), Desk::settles)),
        ("records-damaged", start(told(News::Damaged), Desk::settles)),
        ("restored", start(told(News::Restored), Desk::settles)),
        ("keys-no-room", start(told(News::NoRoomForKeys), Desk::settles)),
        ("keys-not-changed", start(told(News::KeysNotChanged), Desk::settles)),
        ("not-taken-over", start(told(News::NotTakenOver), Desk::settles)),
        ("log-broken", start(told(News::LogBroken), Desk::settles)),
        ("help-all", start(told(News::AllTaken), Desk::settles)),
        ("help-left", start(told(News::SomeLeft), Desk::settles)),
        (
            "help-none",
            start(Phase::Open(open()), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK]);
            }),
        ),
        (
            "help",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK]);
            }),
        ),
        (
            "help-more",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, UP]);
            }),
        ),
        (
            "help-middle",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, DOWN, DOWN, DOWN, DOWN]);
            }),
        ),
        (
            "help-right",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, OK]);
            }),
        ),
        (
            "help-gone",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, DOWN, OK, DOWN]);
            }),
        ),
        (
            "help-unreadable",
            start(Phase::Open(with_held(&HELD)), |desk| {
                desk.press(&[OK, DOWN, DOWN, DOWN, DOWN, OK, DOWN, DOWN, OK]);
            }),
        ),
    ]
}
