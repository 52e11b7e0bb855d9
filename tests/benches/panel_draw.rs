//! How long a picture takes to be drawn: every screen that can be reached, in every language, on both displays, with the
//! fullest figures and names that a hub can have. What it takes to send the picture to the display comes on top.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub_appliance::panel::{
    About, BackupStanding, BackupStatus, Button, CloudStanding, CloudStatus, EmergencyReader, EmergencyStatus, Errand,
    ErrandEnd, ErrandStep, Fault, Frame, HeldButton, HeldReason, HeldRow, Identity, Input, Lacks, Language, News,
    Numerals, OpenStatus, PairedPhone, PairingStatus, Panel, Phase, Phone, PhoneStanding, PinChange, Question,
    RecordKind, RecoveryCode, Resolution, SetUp, StaffFigures, Status,
};

/// Presses on each kind of hub, in a language, on a display.
const PRESSES: u32 = 300;
/// Each picture is drawn so often, and the quickest counts: what else the machine does is in the others.
const TIMES: usize = 5;

fn main() {
    let mut slowest: BTreeMap<&str, (Duration, Language, Resolution)> = BTreeMap::new();
    let mut all = Vec::new();
    for (language, resolution) in Language::ALL
        .into_iter()
        .flat_map(|language| Resolution::ALL.map(|of| (language, of)))
    {
        for (seed, phase) in (1..).zip(phases()) {
            for (screen, time) in walk(status(phase, language), resolution, seed) {
                let most = slowest.entry(screen).or_insert((time, language, resolution));
                if time > most.0 {
                    *most = (time, language, resolution);
                }
                all.push(time);
            }
        }
    }
    all.sort();
    report("screens", &slowest.len().to_string());
    report("pictures", &all.len().to_string());
    report("to draw one, median", &shown(all[all.len() / 2]));
    let mut slowest: Vec<_> = slowest.into_iter().collect();
    slowest.sort_by_key(|(_, (time, ..))| std::cmp::Reverse(*time));
    for (screen, (time, language, resolution)) in slowest.into_iter().take(5) {
        let rows = resolution.rows();
        report(
            &format!("slowest {screen}, {} on {rows} rows", language.code()),
            &shown(time),
        );
    }
}

/// Presses what comes by chance, and draws what there is after each.
fn walk(status: Status, resolution: Resolution, seed: u64) -> Vec<(&'static str, Duration)> {
    let mut panel = Panel::new(seed);
    let mut frame = Frame::new(resolution);
    let mut now = Duration::ZERO;
    let mut chance = seed;
    let mut times = Vec::new();
    panel.update(&status, now);
    for _ in 0..PRESSES {
        // Knuth's MMIX generator; its high bits are good enough to press buttons.
        chance = chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let input = match chance >> 60 {
            0..7 => Input::Press(Button::Down),
            7..9 => Input::Press(Button::Up),
            9..15 => Input::Press(Button::Ok),
            _ => Input::Hold(HeldButton::Ok),
        };
        now += Duration::from_secs(2);
        panel.input(input, &status, now);
        panel.update(&status, now);
        let mut quickest = Duration::MAX;
        let mut name = "";
        for _ in 0..TIMES {
            let start = Instant::now();
            name = panel.render(&status, now, &mut frame).name;
            quickest = quickest.min(start.elapsed());
        }
        times.push((name, quickest));
    }
    times
}

fn status(phase: Phase, language: Language) -> Status {
    let identity = Identity {
        hub_id: "0190a5b2-7c3e-7abc-8def-0123456789ab".into(),
        key: "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo".into(),
        fingerprint: [0x1A; 8],
    };
    Status {
        phase,
        about: About {
            version: "10.20.30".into(),
            identity: Some(identity),
            help: Some("+220 123 4567".into()),
            ..About::default()
        },
        language,
        numerals: Numerals::Own,
        notice: None,
        // Whatever is asked for is dealt with at once.
        answered: u64::MAX,
    }
}

fn code() -> RecoveryCode {
    RecoveryCode::new([65_535; RecoveryCode::GROUPS])
}

/// Every kind of hub.
fn phases() -> Vec<Phase> {
    let locked = |seconds| Phase::Locked {
        wait: Duration::from_secs(seconds),
        failures: 3,
        tries_left: 1,
        lacks: Lacks::Nothing,
        fewest_digits: 8,
    };
    let disk = Question::NewDisk {
        name: "SanDisk Ultra Fit 3.1 Mobile Gen".into(),
        bytes: 31_914_983_424,
    };
    let mut phases = vec![
        Phase::Starting,
        Phase::SetUp(SetUp::default()),
        Phase::SettingUp,
        Phase::Confirming {
            code: code(),
            ask: [2, 7],
        },
        locked(0),
        locked(299),
        Phase::Renewing,
        Phase::Unlocking,
        Phase::Locking,
        Phase::PoweringOff,
        Phase::Restarting,
        Phase::Moving { permille: 400 },
        Phase::Repairing { permille: 400 },
        Phase::Formatting { permille: 400 },
        Phase::Asking(disk),
        Phase::Asking(Question::BeginAnew),
        Phase::Fault(Fault::Restarts),
        Phase::Fault(Fault::NewerStore {
            needs: Some("10.20.30-rc.1".into()),
        }),
    ];
    phases.extend(open_hubs().into_iter().map(Phase::Open));
    phases
}

fn open_hubs() -> Vec<OpenStatus> {
    let errand = |step| OpenStatus {
        errand: Some((Errand::Staff, step)),
        ..full()
    };
    let figures = StaffFigures {
        joins: 2,
        leaves: 1,
        passwords: 1,
        others: 4,
        rows: 3,
    };
    let readers = ["أمينة حداد", "Dr. Benedetta Castellani"].map(|name| EmergencyReader {
        name: name.into(),
        calls: 12,
    });
    vec![
        full(),
        OpenStatus {
            address: None,
            ..full()
        },
        OpenStatus {
            previous_address: Some("192.168.1.20".parse().unwrap_or(std::net::Ipv4Addr::LOCALHOST)),
            ..full()
        },
        OpenStatus {
            pairing: Some(PairingStatus {
                seconds_left: 118,
                keep_open: false,
            }),
            ..full()
        },
        OpenStatus {
            paired: Some(PairedPhone {
                number: 250,
                name: Some(NAMES[0].into()),
            }),
            ..full()
        },
        OpenStatus {
            news: Some(News::SomeLeft),
            ..full()
        },
        OpenStatus {
            pin_change: Some(PinChange::Choose),
            ..full()
        },
        errand(ErrandStep::Ask {
            wait: Duration::ZERO,
            tries_left: 3,
        }),
        errand(ErrandStep::AtWork),
        errand(ErrandStep::Staff(figures)),
        errand(ErrandStep::Code {
            code: code(),
            ask: [2, 7],
        }),
        errand(ErrandStep::Ended(ErrandEnd::SameEmail {
            names: [NAMES[0].into(), NAMES[1].into()],
        })),
        OpenStatus {
            emergency: Some(EmergencyStatus::Open { seconds_left: 1741 }),
            ..full()
        },
        OpenStatus {
            emergency: Some(EmergencyStatus::Over(Arc::new(readers))),
            ..full()
        },
        OpenStatus {
            other_cloud: Some("another-cloud.example.org".into()),
            ..full()
        },
    ]
}

/// As long as a phone's name can be.
const NAMES: [&str; 3] = [
    "هاتف أمينة حداد في العيادة الشمالية الكبيرة للأمومة والطفولة ٢",
    "Samsung Galaxy Tab A9+ of Amina Haddad in the clinic of the nort",
    "Amélie Nguyễn هاتف العيادة 诊所 Zoë 📱📱📱 (2) ŋaŋa, Телефон, Łódź!",
];

/// An open hub with all the phones and held records that the panel is told of.
fn full() -> OpenStatus {
    let phone = |number: u32| Phone {
        number,
        name: Some(NAMES[number as usize % NAMES.len()].into()),
        seen_minutes_ago: number * 97,
        standing: PhoneStanding::Stuck,
    };
    let held = |number: u32| HeldRow {
        kind: RecordKind::Prescription,
        reason: HeldReason::BelongsToNothing,
        user: Some(NAMES[number as usize % NAMES.len()].into()),
        phone: number,
        minutes_ago: number * 97,
    };
    OpenStatus {
        address: "192.168.101.150:4001".parse().ok(),
        phones_in_24_h: 256,
        held_rows: Some(999),
        held: (0..100).map(held).collect(),
        time_ms: 1_795_741_503_000,
        disk_used_percent: Some(89),
        phones: (1..=256).map(phone).collect(),
        cloud: CloudStatus {
            standing: CloudStanding::Sending(1200, 6000),
            waiting: 6000,
            held: 12,
        },
        backup: BackupStatus {
            standing: BackupStanding::Copying(400),
            minutes_ago: Some(20_000),
            is_failing: false,
            offered: None,
        },
        ..OpenStatus::default()
    }
}

fn shown(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

#[allow(clippy::print_stdout, reason = "the result of a bench")]
fn report(what: &str, figure: &str) {
    println!("{what}: {figure}");
}
