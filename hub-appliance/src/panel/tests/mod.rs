//! The panel as a person meets it: buttons and digits in, pictures and decisions out.

mod flows;
mod looks;
mod properties;
mod scenes;

use std::time::Duration;

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
            fingerprint: [0x1A, 0x2B, 0x3C, 0x4D, 0x5E, 0x6F, 0x70, 0x81],
        };
        let about = About {
            version: "0.1.0".into(),
            identity: Some(identity),
        };
        let mut desk = Self {
            panel: Panel::new(language, 7),
            status: Status { phase, about },
            now: Duration::ZERO,
        };
        assert!(desk.panel.update(&desk.status, desk.now).is_none());
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

    fn hold_ok(&mut self) -> Option<Action> {
        self.input(Input::Hold(HeldButton::Ok))
    }

    fn type_digits(&mut self, digits: &str) -> Option<Action> {
        self.input(Input::Type(Digits::new(digits).unwrap()))
    }

    /// Types digits and takes them.
    fn enter(&mut self, digits: &str) -> Option<Action> {
        assert!(self.type_digits(digits).is_none());
        self.press(&[Button::Ok])
    }

    fn becomes(&mut self, phase: Phase) -> Option<Action> {
        self.status.phase = phase;
        self.panel.update(&self.status, self.now)
    }

    fn wait(&mut self, seconds: u64) -> Option<Action> {
        self.now += Duration::from_secs(seconds);
        self.panel.update(&self.status, self.now)
    }

    fn picture(&self) -> (Frame, ScreenText) {
        let mut frame = Frame::new();
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

fn locked(wait: u64, failures: u32, tries_left: u32) -> Phase {
    Phase::Locked {
        wait: Duration::from_secs(wait),
        failures,
        tries_left,
    }
}

fn open() -> OpenStatus {
    OpenStatus {
        address: Some("192.168.1.50:4001".parse().unwrap()),
        phones_today: 12,
        held_rows: 3,
        clock_trusted: true,
        disk_used_percent: 34,
        ..OpenStatus::default()
    }
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

fn paired(number: u32, name: Option<&str>) -> Phase {
    Phase::Open(OpenStatus {
        paired: Some(PairedPhone {
            number,
            name: name.map(str::to_owned),
        }),
        ..open()
    })
}
