//! The screens about disks and updates, in the states that differ to the eye.

use super::*;

fn erase(name: &str, bytes: u64) -> Phase {
    Phase::Asking(Question::EraseDisk {
        name: name.into(),
        bytes,
    })
}

fn which_disk(hub: Option<&str>, phones: Option<u32>, is_card: bool) -> Phase {
    Phase::Asking(Question::WhichDisk(KnownDisk {
        place: (if is_card { 2 } else { 1 }, 2),
        hub: hub.map(str::to_owned),
        phones,
        used_at: hub.map(|_| 1_795_741_503_000),
        is_card,
        bytes: 31_914_983_424,
    }))
}

fn put_back() -> Phase {
    Phase::Asking(Question::PutBack {
        firmware: "10.20.30-rc.1".into(),
    })
}

/// An image for development, with the longest of its marks.
fn development(language: Language, phase: Phase) -> Desk {
    let mut desk = Desk::speaking(language, phase);
    desk.status.about.version = "10.20.30-rc.1".into();
    desk.status.about.revision = Some("4d43c9c1+".into());
    desk.status.about.is_development = true;
    desk
}

fn filled(disk_used_percent: u8, disk_is_full: bool) -> OpenStatus {
    OpenStatus {
        disk_used_percent: Some(disk_used_percent),
        disk_is_full,
        ..open()
    }
}

fn status_of(language: Language, open: OpenStatus) -> Desk {
    let mut desk = Desk::speaking(language, Phase::Open(open));
    desk.press(&[Button::Ok, Button::Down, Button::Down, Button::Ok]);
    desk
}

/// As [`super::scenes::all`], of which these are a part.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let start = |phase| Desk::speaking(language, phase);
    let chosen = |phase| {
        let mut desk = start(phase);
        desk.press(&[Button::Up]);
        desk
    };
    let needs = || "10.20.30-rc.1".into();
    vec![
        (
            "new-disk",
            start(Phase::Asking(Question::NewDisk {
                name: "SanDisk Ultra".into(),
                bytes: 31_914_983_424,
            })),
        ),
        (
            "new-disk-longest",
            chosen(Phase::Asking(Question::NewDisk {
                name: "A disk with a name that is long".into(),
                bytes: u64::MAX,
            })),
        ),
        ("erase-disk", start(erase("SanDisk Ultra", 31_914_983_424))),
        (
            "erase-disk-longest",
            chosen(erase("A disk with a name that is long", u64::MAX)),
        ),
        (
            "use-card",
            chosen(Phase::Asking(Question::UseCard { bytes: 29_000_000_000 })),
        ),
        (
            "use-card-small",
            start(Phase::Asking(Question::UseCard { bytes: 512_000_000 })),
        ),
        ("repair", start(Phase::Asking(Question::Repair))),
        ("put-back", start(put_back())),
        (
            "move-data",
            chosen(Phase::Asking(Question::MoveData { bytes: 31_914_983_424 })),
        ),
        ("go-on-moving", start(Phase::Asking(Question::GoOnMoving))),
        ("moving", start(Phase::Moving { permille: 300 })),
        ("repairing", start(Phase::Repairing { permille: 700 })),
        ("splash-development", {
            let mut desk = development(language, Phase::Locking);
            desk.becomes(Phase::Starting);
            desk
        }),
        ("home-development", development(language, Phase::Open(open()))),
        (
            "home-moved-development",
            development(
                language,
                Phase::Open(OpenStatus {
                    previous_address: Some("192.168.1.20".parse().unwrap()),
                    ..open()
                }),
            ),
        ),
        (
            "home-nearly-full-development",
            development(language, Phase::Open(filled(90, false))),
        ),
        ("about-development", {
            let mut desk = development(language, Phase::Open(open()));
            desk.press(&[Button::Ok]);
            desk.take(MenuEntry::About);
            desk
        }),
        ("about-image", {
            let mut desk = development(language, Phase::Open(open()));
            desk.status.about.is_development = false;
            desk.press(&[Button::Ok]);
            desk.take(MenuEntry::About);
            desk
        }),
        (
            "home-weak-power",
            start(Phase::Open(OpenStatus {
                supply: Supply::Weak,
                ..open()
            })),
        ),
        (
            "home-too-hot",
            start(Phase::Open(OpenStatus {
                supply: Supply::Hot,
                ..open()
            })),
        ),
        (
            "status-weak-power",
            status_of(
                language,
                OpenStatus {
                    supply: Supply::Weak,
                    ..open()
                },
            ),
        ),
        ("error-weak-power", start(Phase::Fault(Fault::WeakPower))),
        ("disk-away", start(Phase::Asking(Question::DiskAway))),
        ("begin-anew", start(Phase::Asking(Question::BeginAnew))),
        ("which-disk", start(which_disk(Some("Clinic North"), Some(12), false))),
        ("which-disk-card", chosen(which_disk(Some("Clinic Hub"), Some(0), true))),
        ("which-disk-unknown", start(which_disk(None, None, false))),
        ("home-nearly-full", start(Phase::Open(filled(90, false)))),
        ("home-full", start(Phase::Open(filled(98, true)))),
        (
            "home-moved-nearly-full",
            start(Phase::Open(OpenStatus {
                previous_address: Some("192.168.1.20".parse().unwrap()),
                ..filled(99, false)
            })),
        ),
        (
            "home-no-network-full",
            start(Phase::Open(OpenStatus {
                address: None,
                ..filled(98, true)
            })),
        ),
        ("status-nearly-full", status_of(language, filled(90, false))),
        ("status-full", status_of(language, filled(98, true))),
        ("error-disk-full", start(Phase::Fault(Fault::DiskFull))),
        ("error-disk-failed", start(Phase::Fault(Fault::DiskFailed))),
        ("error-no-room-to-update", start(Phase::Fault(Fault::NoRoomToUpdate))),
        ("error-no-room", start(Phase::Fault(Fault::NoRoom))),
        ("error-not-moved", start(Phase::Fault(Fault::NotMoved))),
        ("formatting", start(Phase::Formatting { permille: 600 })),
        (
            "error-put-back",
            start(Phase::Fault(Fault::WasPutBack { needs: needs() })),
        ),
        ("error-no-disk", start(Phase::Fault(Fault::NoDisk))),
        ("error-fake-disk", start(Phase::Fault(Fault::FakeDisk))),
        ("error-wrong-board", start(Phase::Fault(Fault::WrongBoard))),
        ("error-several-disks", start(Phase::Fault(Fault::SeveralDisks))),
        ("error-disk-kept", start(Phase::Fault(Fault::DiskKept))),
        ("error-damaged", start(Phase::Fault(Fault::Damaged))),
        ("error-unreadable", start(Phase::Fault(Fault::Unreadable))),
        ("error-write-protected", start(Phase::Fault(Fault::WriteProtected))),
        ("error-moved", start(Phase::Fault(Fault::Moved))),
        ("error-old-records", start(Phase::Fault(Fault::OldRecords))),
        ("error-disk-gone", start(Phase::Fault(Fault::DiskGone))),
        ("error-card-gone", start(Phase::Fault(Fault::CardGone))),
    ]
}

#[test]
fn a_question_is_answered_with_no_unless_a_person_chooses_yes() {
    let question = Question::UseCard { bytes: 1 };
    let answer = |action| match action {
        Some(Action::Answer(asked, yes)) => {
            assert_eq!(asked, question);
            yes
        }
        other => panic!("{other:?}"),
    };
    let mut desk = Desk::new(Phase::Asking(question.clone()));
    assert!(!answer(desk.press(&[Button::Ok])));
    assert!(!answer(desk.press(&[Button::Back])));
    assert!(answer(desk.press(&[Button::Up, Button::Ok])));
    assert!(!answer(desk.hold_ok()));
}

#[test]
fn of_several_disks_each_says_whose_it_is_and_none_is_taken_unless_a_person_chooses_it() {
    let mut desk = Desk::new(which_disk(Some("Clinic North"), Some(12), false));
    assert_eq!(desk.screen(), "which-disk");
    for told in ["Which disk? 1/2", "Clinic North", "12", "31 GB", "2026-11-27", "[Next]"] {
        assert!(desk.says(told), "{told}");
    }
    assert!(matches!(
        desk.press(&[Button::Ok]),
        Some(Action::Answer(Question::WhichDisk(_), false))
    ));
    desk.becomes(which_disk(Some("Clinic Hub"), Some(0), true));
    assert!(desk.says("Clinic Hub") && desk.says("SD card") && desk.says("[Next]"));
    assert!(matches!(
        desk.press(&[Button::Up, Button::Ok]),
        Some(Action::Answer(Question::WhichDisk(disk), true)) if disk.is_card
    ));
}

#[test]
fn another_question_begins_with_no_again() {
    let mut desk = Desk::new(erase("Stick", 1));
    desk.press(&[Button::Up]);
    desk.becomes(put_back());
    assert_eq!(desk.screen(), "put-back");
    assert!(matches!(desk.press(&[Button::Ok]), Some(Action::Answer(_, false))));
    desk.becomes(set_up());
    assert_eq!(desk.screen(), "setup-pin");
}
