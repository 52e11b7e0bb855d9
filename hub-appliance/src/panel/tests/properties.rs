//! Whatever is pressed and whatever the hub does.

use proptest::prelude::*;

use super::*;

const SCREENS: [&str; 34] = [
    "notice",
    "setup-pin",
    "setting-up",
    "setup-recovery",
    "locked",
    "recovery",
    "wait",
    "unlocking",
    "locking",
    "home",
    "menu",
    "status",
    "about",
    "lock",
    "no-network",
    "pair",
    "paired",
    "error",
    "splash",
    "checking",
    "saving",
    "phones",
    "phone",
    "revoke",
    "change-pin",
    "language",
    "power-off",
    "off",
    "erase-disk",
    "use-card",
    "put-back",
    "formatting",
    "moving",
    "move-data",
];

#[derive(Clone, Debug)]
enum Happening {
    Input(Input),
    Phase(Phase),
    Passes(Duration),
}

fn input() -> impl Strategy<Value = Input> {
    let button = prop::sample::select(vec![
        Button::Up,
        Button::Down,
        Button::Left,
        Button::Right,
        Button::Ok,
        Button::Ok,
        Button::Ok,
        Button::Back,
    ]);
    prop_oneof![
        6 => button.prop_map(Input::Press),
        1 => prop::sample::select(vec![HeldButton::Ok, HeldButton::Back]).prop_map(Input::Hold),
        2 => "[0-9]{1,64}".prop_map(|digits| Input::Type(Digits::new(&digits).unwrap())),
        2 => "[0-9]{8,12}".prop_map(|digits| Input::Type(Digits::new(&digits).unwrap())),
        2 => any::<u16>().prop_map(|number| Input::Type(Digits::new(&RecoveryCode::new([number; 8]).group(0)).unwrap())),
    ]
}

fn known_phone() -> impl Strategy<Value = Phone> {
    let standing = prop::sample::select(vec![PhoneStanding::Good, PhoneStanding::Stuck, PhoneStanding::Revoked]);
    (any::<u32>(), prop::option::of(any::<String>()), any::<u32>(), standing).prop_map(
        |(number, name, seen_minutes_ago, standing)| Phone {
            number,
            name,
            seen_minutes_ago,
            standing,
        },
    )
}

fn pin_change() -> impl Strategy<Value = PinChange> {
    prop_oneof![
        (prop_oneof![Just(0), 0_u64..100_000], any::<(u32, u32)>()).prop_map(|(wait, (failures, tries_left))| {
            PinChange::Ask {
                wait: Duration::from_secs(wait),
                failures,
                tries_left,
            }
        }),
        prop::sample::select(vec![
            PinChange::Checking,
            PinChange::Choose,
            PinChange::Changing,
            PinChange::Changed,
            PinChange::Failed,
        ]),
    ]
}

prop_compose! {
    fn open_status()(
        address in prop::option::of(any::<(u32, u16)>()),
        previous in prop::option::of(any::<u32>()),
        counts in any::<(u32, u32, bool, u8)>(),
        pairing in prop::option::of(any::<(u32, bool)>()),
        paired in prop::option::of((any::<u32>(), prop::option::of(any::<String>()))),
        phones in prop::collection::vec(known_phone(), 0..8),
        pin_change in prop::option::of(pin_change()),
    ) -> OpenStatus {
        OpenStatus {
            address: address.map(|(ip, port)| std::net::SocketAddrV4::new(ip.into(), port)),
            previous_address: previous.map(Into::into),
            phones_today: counts.0,
            held_rows: counts.1,
            clock_trusted: counts.2,
            disk_used_percent: counts.3,
            disk_is_full: counts.0 % 2 == 1,
            pairing: pairing.map(|(seconds_left, keep_open)| PairingStatus { seconds_left, keep_open }),
            paired: paired.map(|(number, name)| PairedPhone { number, name }),
            phones: phones.into(),
            pin_change,
        }
    }
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Starting),
        Just(Phase::SetUp),
        Just(Phase::SettingUp),
        Just(Phase::Renewing),
        Just(Phase::PoweringOff),
        any::<([u16; 8], usize, usize)>().prop_map(|(numbers, a, b)| Phase::Confirming {
            code: RecoveryCode::new(numbers),
            ask: [a, b]
        }),
        (prop_oneof![Just(0), 0_u64..100_000], any::<(u32, u32)>())
            .prop_map(|(wait, (failures, tries_left))| locked(wait, failures, tries_left)),
        Just(Phase::Unlocking),
        Just(Phase::Open(with_phones())),
        pin_change().prop_map(changing_pin),
        open_status().prop_map(Phase::Open),
        Just(Phase::Locking),
        any::<(String, u64)>().prop_map(|(name, bytes)| Phase::Asking(Question::EraseDisk { name, bytes })),
        any::<u64>().prop_map(|bytes| Phase::Asking(Question::UseCard { bytes })),
        any::<String>().prop_map(|firmware| Phase::Asking(Question::PutBack { firmware })),
        any::<u64>().prop_map(|bytes| Phase::Asking(Question::MoveData { bytes })),
        any::<u16>().prop_map(|permille| Phase::Formatting { permille }),
        any::<u16>().prop_map(|permille| Phase::Moving { permille }),
        any::<String>().prop_map(|needs| Phase::Fault(Fault::WasPutBack { needs })),
        any::<String>().prop_map(|needs| Phase::Fault(Fault::NewerStore { needs })),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => input().prop_map(Happening::Input),
        2 => phase().prop_map(Happening::Phase),
        2 => (0_u64..400_000).prop_map(|millis| Happening::Passes(Duration::from_millis(millis))),
    ]
}

proptest! {
    #[test]
    fn every_screen_is_known_and_fits(first in phase(), language in prop::sample::select(Language::ALL.to_vec()), resolution in prop::sample::select(Resolution::ALL.to_vec()), happenings in prop::collection::vec(happening(), 1..80)) {
        let mut desk = Desk::speaking(language, first);
        desk.status.notice = Some(Notice::SetupFile { line: None });
        let mut frame = Frame::new(resolution);
        for happening in happenings {
            match happening {
                Happening::Input(input) => drop(desk.input(input)),
                Happening::Phase(phase) => drop(desk.becomes(phase)),
                Happening::Passes(time) => {
                    desk.now += time;
                    desk.panel.update(&desk.status, desk.now);
                }
            }
            let (text, fits) = desk.panel.draw(&desk.status, desk.now, &mut frame);
            prop_assert!(fits, "{:?} {:?}", text, frame);
            prop_assert!(SCREENS.contains(&text.name));
            prop_assert!(text.lines.len() <= 9 && text.lines.iter().all(|line| line.chars().count() <= 21), "{:?}", text);
            prop_assert!(desk.panel.next_wake(desk.now) != Some(Duration::ZERO));
        }
    }

    #[test]
    fn a_pin_is_never_on_the_screen(pin in "[0-9]{8,12}", phase in prop::sample::select(vec![Phase::SetUp, locked(0, 0, 3), ask_present(0, 0, 4), changing_pin(PinChange::Choose)])) {
        let mut desk = Desk::new(phase);
        for _ in 0..2 {
            for digit in pin.chars() {
                desk.type_digits(&digit.to_string());
                let (_, text) = desk.picture();
                let digits: String = text.lines.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_digit())).filter(|run| run.len() > 2).collect();
                prop_assert!(digits.is_empty(), "{:?}", text);
            }
            desk.press(&[Button::Ok]);
        }
    }

    #[test]
    fn a_panel_that_sleeps_until_it_has_to_wake_misses_nothing(
        first in phase(),
        inputs in prop::collection::vec(input(), 0..12),
        ahead in 0_u64..100_000,
    ) {
        let mut desk = Desk::new(first);
        inputs.into_iter().for_each(|input| drop(desk.input(input)));
        let sleep = desk.panel.next_wake(desk.now).unwrap_or(Duration::from_secs(400));
        let (before, brightness) = (desk.picture(), desk.panel.brightness(desk.now));
        desk.now += sleep.saturating_sub(Duration::from_nanos(1)).mul_f64(ahead as f64 / 100_000.0);
        prop_assert!(desk.panel.update(&desk.status, desk.now).is_none());
        prop_assert_eq!(desk.panel.brightness(desk.now), brightness);
        prop_assert_eq!(desk.picture(), before);
    }
}
