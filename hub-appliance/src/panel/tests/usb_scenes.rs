//! The screen about what is carried by hand.

use super::*;

const OK: Button = Button::Ok;

/// Every standing.
pub(super) const USB_STANDINGS: [UsbStanding; 15] = [
    UsbStanding::NeverSetUp,
    UsbStanding::Idle,
    UsbStanding::Taking,
    UsbStanding::Packing(u32::MAX),
    UsbStanding::Done {
        number: u32::MAX,
        rows: u32::MAX,
        arrived: u32::MAX,
    },
    UsbStanding::Trouble(UsbTrouble::NoStick),
    UsbStanding::Trouble(UsbTrouble::SeveralSticks),
    UsbStanding::Trouble(UsbTrouble::StickFailed),
    UsbStanding::Trouble(UsbTrouble::StickFull),
    UsbStanding::Trouble(UsbTrouble::AnswerDamaged),
    UsbStanding::Trouble(UsbTrouble::OtherOffice),
    UsbStanding::Trouble(UsbTrouble::AnotherHub),
    UsbStanding::Trouble(UsbTrouble::Gap),
    UsbStanding::Trouble(UsbTrouble::OtherCloud),
    UsbStanding::Trouble(UsbTrouble::Failed),
];

fn with_usb(standing: UsbStanding) -> Phase {
    Phase::Open(OpenStatus {
        usb: UsbStatus {
            standing,
            waiting: 1200,
            fingerprint: "1A2B-3C4D-5E6F-7A8B".into(),
        },
        ..open()
    })
}

/// A scene's name and how to get there.
pub(super) fn all(language: Language) -> Vec<(&'static str, Desk)> {
    let usb = |standing| {
        let mut desk = Desk::speaking(language, with_usb(standing));
        desk.open_from_menu(MenuEntry::Usb);
        desk
    };
    let names = [
        "usb-never",
        "usb-idle",
        "usb-taking",
        "usb-packing",
        "usb-done-most",
        "usb-no-stick",
        "usb-several",
        "usb-stick-failed",
        "usb-stick-full",
        "usb-damaged",
        "usb-other-office",
        "usb-another-hub",
        "usb-gap",
        "usb-other-cloud",
        "usb-failed",
    ];
    let mut all: Vec<_> = names.into_iter().zip(USB_STANDINGS.map(usb)).collect();
    let done = UsbStanding::Done {
        number: 12,
        rows: 120,
        arrived: 80,
    };
    let asked = OpenStatus {
        other_office: Some("fn9aqmca".into()),
        ..open()
    };
    all.extend([
        ("usb-done", usb(done)),
        ("other-office", Desk::speaking(language, Phase::Open(asked))),
    ]);
    all
}

#[test]
fn records_are_carried_at_a_press_and_not_twice_at_once() {
    let mut desk = Desk::new(with_usb(UsbStanding::Idle));
    desk.open_from_menu(MenuEntry::Usb);
    assert!(desk.says("1A2B-3C4D-5E6F-7A8B"));
    assert!(matches!(desk.press(&[OK]), Some(Action::ExchangeByUsb)));
    desk.becomes(with_usb(UsbStanding::Packing(30)));
    assert!(desk.says("Leave the stick in") && !desk.says("Start"));
    assert!(desk.press(&[OK]).is_none(), "it goes on without the screen");
    desk.becomes(with_usb(UsbStanding::NeverSetUp));
    desk.open_from_menu(MenuEntry::Usb);
    assert!(desk.press(&[OK]).is_none());
    for standing in USB_STANDINGS {
        let UsbStanding::Trouble(trouble) = standing else {
            continue;
        };
        let mut desk = Desk::new(with_usb(standing));
        desk.open_from_menu(MenuEntry::Usb);
        assert!(desk.says(trouble.code()));
        assert!(matches!(desk.press(&[OK]), Some(Action::ExchangeByUsb)), "{trouble:?}");
    }
}
