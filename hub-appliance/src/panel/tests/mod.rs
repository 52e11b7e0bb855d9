//! The panel as a person meets it: buttons and digits in, pictures and decisions out.

mod backup_scenes;
mod box_scenes;
mod camera;
mod cloud_scenes;
mod disk_scenes;
mod errand_scenes;
mod flows;
mod golden;
mod looks;
mod phone_scenes;
mod properties;
mod scenes;
mod texts;
mod usb_scenes;

use std::time::Duration;

use super::state::{MENU, MenuEntry};
use super::*;

/// A panel on a desk: a hub's status, a clock that a test moves, and what is on the screen.
struct Desk {
    panel: Panel,
    status: Status,
    now: Duration,
}

impl Desk {
    fn new(phase: Phase) -> Self {
        Self::speaking(Language::English, phase)
    }

    fn speaking(language: Language, phase: Phase) -> Self {
        let identity = Identity {
            hub_id: "0190a5b2-7c3e-7abc-8def-0123456789ab".into(),
            key: "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo".into(),
            fingerprint: [0x1A, 0x2B, 0x3C, 0x4D, 0x5E, 0x6F, 0x70, 0x81],
        };
        let about = About {
            version: "0.1.0".into(),
            identity: Some(identity),
            ..About::default()
        };
        let mut desk = Self {
            panel: Panel::new(7),
            status: Status {
                phase,
                about,
                language,
                numerals: Numerals::Own,
                notice: None,
                answered: 0,
            },
            now: Duration::ZERO,
        };
        assert!(desk.panel.update(&desk.status, desk.now).is_none());
        // The splash takes a press for itself.
        assert!(desk.press(&[Button::Ok]).is_none());
        desk.settles();
        desk
    }

    fn input(&mut self, input: Input) -> Option<Action> {
        self.panel.input(input, &self.status, self.now)
    }

    fn press(&mut self, buttons: &[Button]) -> Option<Action> {
        buttons
            .iter()
            .map(|button| self.input(Input::Press(*button)))
            .last()
            .flatten()
    }

    /// From the home screen to this entry of the menu, and takes it.
    fn open_from_menu(&mut self, entry: MenuEntry) -> Option<Action> {
        self.press(&[Button::Ok]);
        self.take(entry)
    }

    /// On the menu, goes to this entry and takes it.
    fn take(&mut self, entry: MenuEntry) -> Option<Action> {
        let State::Menu(at) = self.panel.state else {
            panic!("{:?} is no menu", self.panel.state);
        };
        let to = MENU.iter().position(|known| *known == entry).unwrap();
        self.press(&vec![Button::Down; (to + MENU.len() - at) % MENU.len()]);
        self.press(&[Button::Ok])
    }

    fn hold_ok(&mut self) -> Option<Action> {
        self.input(Input::Hold(HeldButton::Ok))
    }

    fn type_digits(&mut self, digits: &str) -> Option<Action> {
        self.input(Input::Type(Digits::new(digits).unwrap()))
    }

    /// Types digits and takes them.
    fn enter(&mut self, digits: &str) -> Option<Action> {
        let typed = self.type_digits(digits);
        let is_no_deed = matches!(typed, None | Some(Action::SetLanguage(_) | Action::ChooseUnlocking(_)));
        assert!(is_no_deed, "{typed:?}");
        self.press(&[Button::Ok])
    }

    /// The hub shows this phase: it is at work on what it was asked to, or has dealt with it. A person looks before pressing.
    fn becomes(&mut self, phase: Phase) -> Option<Action> {
        let action = self.brings_up(phase);
        self.settles();
        action
    }

    /// The same, for somebody who does not look.
    fn brings_up(&mut self, phase: Phase) -> Option<Action> {
        let is_at_work = match &phase {
            Phase::SettingUp
            | Phase::Unlocking
            | Phase::Locking
            | Phase::Formatting { .. }
            | Phase::Moving { .. }
            | Phase::RestoringBackup { .. }
            | Phase::Repairing { .. } => true,
            Phase::Open(open) => open.is_at_work(),
            _ => false,
        };
        if !is_at_work {
            self.status.answered = self.panel.asked;
        }
        self.status.phase = phase;
        self.panel.update(&self.status, self.now)
    }

    /// The hub shows this phase, and has not yet dealt with what it was asked to.
    fn shows(&mut self, phase: Phase) -> Option<Action> {
        self.status.phase = phase;
        let action = self.panel.update(&self.status, self.now);
        self.settles();
        action
    }

    /// Until a screen that the hub brought up takes buttons.
    fn settles(&mut self) {
        if let Some(at) = self.panel.settles_at(self.now) {
            self.now = at;
        }
    }

    fn wait(&mut self, seconds: u64) -> Option<Action> {
        self.now += Duration::from_secs(seconds);
        self.panel.update(&self.status, self.now)
    }

    fn picture(&self) -> (Frame, ScreenText) {
        self.picture_on(Resolution::Wide)
    }

    fn picture_on(&self, resolution: Resolution) -> (Frame, ScreenText) {
        let mut frame = Frame::new(resolution);
        let text = self.panel.render(&self.status, self.now, &mut frame);
        (frame, text)
    }

    fn screen(&self) -> &'static str {
        self.picture().1.name
    }

    fn says(&self, part: &str) -> bool {
        self.picture().1.lines.join("\n").contains(part)
    }
}

fn code() -> RecoveryCode {
    RecoveryCode::new([0, 1, 11_111, 65_535, 40_000, 321, 9, 54_321])
}

fn confirming() -> Phase {
    Phase::Confirming {
        code: code(),
        ask: [2, 7],
    }
}

/// Before anything was chosen.
fn set_up() -> Phase {
    Phase::SetUp(SetUp::default())
}

/// The same in a box that has a key of its own, or can get one.
fn set_up_in_box() -> Phase {
    Phase::SetUp(SetUp {
        box_has_key: true,
        ..SetUp::default()
    })
}

fn locked(wait: u64, failures: u32, tries_left: u32) -> Phase {
    Phase::Locked {
        wait: Duration::from_secs(wait),
        failures,
        tries_left,
        lacks: Lacks::Nothing,
        fewest_digits: 8,
    }
}

fn open() -> OpenStatus {
    OpenStatus {
        address: Some("192.168.1.50:4001".parse().unwrap()),
        phones_in_24_h: 12,
        held_rows: Some(3),
        time_ms: 1_795_741_503_000,
        clock: Clock::Right,
        disk_used_percent: Some(34),
        backup: BackupStatus {
            standing: BackupStanding::Following,
            minutes_ago: Some(0),
            is_failing: false,
            offered: None,
        },
        ..OpenStatus::default()
    }
}

fn phone(number: u32, name: &str, seen_minutes_ago: u32, standing: PhoneStanding) -> Phone {
    Phone {
        number,
        name: Some(name.to_owned()),
        seen_minutes_ago,
        standing,
    }
}

fn with_phones() -> OpenStatus {
    let phones = [
        phone(1, "Galaxy A15", 4, PhoneStanding::Good),
        phone(2, "Reception", 3 * 60, PhoneStanding::Stuck),
        phone(3, "Redmi Note 12", 12 * 1440, PhoneStanding::Revoked),
    ];
    OpenStatus {
        phones: phones.into(),
        ..open()
    }
}

fn changing_pin(change: PinChange) -> Phase {
    Phase::Open(OpenStatus {
        pin_change: Some(change),
        ..open()
    })
}

fn ask_present(wait: u64, failures: u32, tries_left: u32) -> Phase {
    changing_pin(PinChange::Ask {
        wait: Duration::from_secs(wait),
        failures,
        tries_left,
    })
}

fn pairing(seconds_left: u32, keep_open: bool) -> Phase {
    Phase::Open(OpenStatus {
        pairing: Some(PairingStatus {
            seconds_left,
            keep_open,
        }),
        ..open()
    })
}

fn told(news: News) -> Phase {
    Phase::Open(OpenStatus {
        news: Some(news),
        ..open()
    })
}

fn moved(address: &str, before: &str) -> Phase {
    Phase::Open(OpenStatus {
        address: Some(address.parse().unwrap()),
        previous_address: Some(before.parse().unwrap()),
        ..open()
    })
}

fn paired(number: u32, name: Option<&str>) -> Phase {
    Phase::Open(OpenStatus {
        paired: Some(PairedPhone {
            number,
            name: name.map(str::to_owned),
        }),
        ..open()
    })
}
