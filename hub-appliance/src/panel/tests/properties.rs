//! Whatever is pressed and whatever the hub does.

use proptest::prelude::*;

use super::cloud_scenes::CLOUD_STANDINGS;
use super::pin_pad::Pad;
use super::usb_scenes::USB_STANDINGS;
use super::*;

const SCREENS: [&str; 71] = [
    "other-key",
    "box-key",
    "box-key-again",
    "new-box",
    "unplug",
    "larger-disk",
    "go-on-moving",
    "set-clock",
    "which-disk",
    "restore",
    "restoring",
    "notice",
    "setup-way",
    "setup-no-way",
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
    "help",
    "help-one",
    "revoke",
    "change-pin",
    "language",
    "power-off",
    "off",
    "new-disk",
    "erase-disk",
    "use-card",
    "repair",
    "put-back",
    "formatting",
    "moving",
    "repairing",
    "move-data",
    "news",
    "backup",
    "backup-stick",
    "usb",
    "other-office",
    "cloud",
    "other-cloud",
    "withdrawn-clinic",
    "ask-pin",
    "keys",
    "key",
    "staff",
    "errand",
    "emergency",
    "emergency-over",
    "restart",
    "restarting",
    "disk-away",
    "begin-anew",
];

/// Screens from which only the hub leads on, or something that a person types or does away from the panel.
const WAITING: [&str; 21] = [
    "unplug",
    "restoring",
    "splash",
    "setting-up",
    "setup-pin",
    "setup-recovery",
    "locked",
    "recovery",
    "wait",
    "unlocking",
    "checking",
    "saving",
    "locking",
    "home",
    "menu",
    "formatting",
    "moving",
    "repairing",
    "off",
    "restarting",
    "error",
];

/// All news.
pub(super) const NEWS: [News; 15] = [
    News::Restored,
    News::NotPaired(Obstacle::TooManyPhones),
    News::NotPaired(Obstacle::DiskFull),
    News::NotPaired(Obstacle::NotWritten),
    News::RefusedForNow(Obstacle::DiskFull),
    News::RefusedForNow(Obstacle::NotWritten),
    News::PairingEnded,
    News::Damaged,
    News::Repaired,
    News::LogBroken,
    News::NoRoomForKeys,
    News::KeysNotChanged,
    News::NotTakenOver,
    News::AllTaken,
    News::SomeLeft,
];

const NOTICES: [Notice; 5] = [
    Notice::SetupFile { line: None },
    Notice::OldDisk { bytes: 32 << 30 },
    Notice::SetupFileSince { line: Some(7) },
    Notice::ImportFile(ImportFile::StillThere),
    Notice::CloudKeyLeft,
];

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
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
    let standing = prop::sample::select(vec![
        PhoneStanding::Good,
        PhoneStanding::Stuck,
        PhoneStanding::Full,
        PhoneStanding::Ahead,
        PhoneStanding::Revoked,
    ]);
    (any::<u32>(), prop::option::of(any::<String>()), any::<u32>(), standing).prop_map(
        |(number, name, seen_minutes_ago, standing)| Phone {
            number,
            name,
            seen_minutes_ago,
            standing,
        },
    )
}

fn held_row() -> impl Strategy<Value = HeldRow> {
    let reasons = vec![
        HeldReason::NoRight,
        HeldReason::BelongsToNothing,
        HeldReason::Unreadable,
    ];
    let kinds = vec![RecordKind::Patient, RecordKind::Prescription, RecordKind::Other];
    (
        prop::sample::select(kinds),
        prop::sample::select(reasons),
        prop::option::of(any::<String>()),
        any::<(u32, u32)>(),
    )
        .prop_map(|(kind, reason, user, (phone, minutes_ago))| HeldRow {
            kind,
            reason,
            user,
            phone,
            minutes_ago,
        })
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

fn errand() -> impl Strategy<Value = (Errand, ErrandStep)> {
    let ends: Vec<_> = errand_scenes::ends()
        .into_iter()
        .map(|(_, errand, end)| (errand, end))
        .collect();
    prop_oneof![
        (
            prop::sample::select(vec![Errand::Staff, Errand::NewCode, Errand::Emergency]),
            prop_oneof![Just(0), 0_u64..100_000],
            any::<u32>()
        )
            .prop_map(|(errand, wait, tries_left)| {
                let wait = Duration::from_secs(wait);
                (errand, ErrandStep::Ask { wait, tries_left })
            }),
        prop::sample::select(vec![ErrandStep::Checking, ErrandStep::AtWork]).prop_map(|step| (Errand::Staff, step)),
        any::<[u32; 5]>().prop_map(|[joins, leaves, passwords, others, rows]| {
            let figures = StaffFigures {
                joins,
                leaves,
                passwords,
                others,
                rows,
            };
            (Errand::Staff, ErrandStep::Staff(figures))
        }),
        any::<([u16; 8], usize, usize)>().prop_map(|(numbers, a, b)| {
            let code = RecoveryCode::new(numbers);
            (Errand::NewCode, ErrandStep::Code { code, ask: [a, b] })
        }),
        prop::sample::select(vec![
            Question::LargerDisk,
            Question::BoxKey { again: false },
            Question::BoxKey { again: true },
            Question::NewDisk {
                name: "Stick".into(),
                bytes: 1
            },
        ])
        .prop_map(|question| (Errand::LargerDisk, ErrandStep::Decide(question))),
        any::<i64>().prop_map(|from| (Errand::Clock, ErrandStep::Clock(from))),
        prop::sample::select(ends).prop_map(|(errand, end)| (errand, ErrandStep::Ended(end))),
    ]
}

fn emergency() -> impl Strategy<Value = EmergencyStatus> {
    let reader = any::<(String, u32)>().prop_map(|(name, calls)| EmergencyReader { name, calls });
    prop_oneof![
        any::<u32>().prop_map(|seconds_left| EmergencyStatus::Open { seconds_left }),
        prop::collection::vec(reader, 0..6).prop_map(|readers| EmergencyStatus::Over(readers.into())),
    ]
}

fn cloud_status() -> impl Strategy<Value = CloudStatus> {
    let standing = prop_oneof![
        prop::sample::select(CLOUD_STANDINGS.to_vec()),
        any::<u32>().prop_map(CloudStanding::Done),
        any::<(u32, u32)>().prop_map(|(sent, total)| CloudStanding::Sending(sent, total)),
    ];
    (standing, any::<(u32, u32)>()).prop_map(|(standing, (waiting, held))| CloudStatus {
        standing,
        waiting,
        held,
    })
}

prop_compose! {
    fn backup_status()(
        standing in prop::sample::select(vec![
            BackupStanding::Away,
            BackupStanding::Following,
            BackupStanding::Copying(u16::MAX),
            BackupStanding::Full,
            BackupStanding::Failed,
            BackupStanding::WeakPower,
            BackupStanding::AnotherHubs,
            BackupStanding::Unreadable,
        ]),
        minutes_ago in prop::option::of(any::<u32>()),
        is_failing in any::<bool>(),
        offered in prop::option::of(any::<(String, u64, u64)>()),
    ) -> BackupStatus {
        let offered = offered.map(|(name, bytes, token)| Box::new(OfferedStick { name, bytes, token }));
        BackupStatus { standing, minutes_ago, is_failing, offered }
    }
}

prop_compose! {
    fn usb_status()(
        standing in prop::sample::select(USB_STANDINGS.to_vec()),
        waiting: u32,
        fingerprint: String,
    ) -> UsbStatus {
        UsbStatus { standing, waiting, fingerprint }
    }
}

prop_compose! {
    fn open_status()(
        address in prop::option::of(any::<(u32, u16)>()),
        previous in prop::option::of(any::<u32>()),
        counts in any::<(u32, Option<u32>, bool, Option<u8>)>(),
        pairing in prop::option::of(any::<(u32, bool)>()),
        news in prop::option::of(prop::sample::select(NEWS.to_vec())),
        paired in prop::option::of((any::<u32>(), prop::option::of(any::<String>()))),
        phones in prop::collection::vec(known_phone(), 0..8),
        held in prop::collection::vec(held_row(), 0..4),
        pin_change in prop::option::of(pin_change()),
        (cloud, backup, usb) in (cloud_status(), backup_status(), usb_status()),
        (other_cloud, other_office, other_organisation) in any::<(Option<String>, Option<String>, Option<String>)>(),
        withdrawn in prop::option::of(any::<(String, u32)>()),
        errand in prop::option::of(errand()),
        has_no_staff: bool,
        emergency in prop::option::of(emergency()),
    ) -> OpenStatus {
        OpenStatus {
            address: address.map(|(ip, port)| std::net::SocketAddrV4::new(ip.into(), port)),
            previous_address: previous.map(Into::into),
            phones_in_24_h: counts.0,
            held_rows: counts.1,
            time_ms: i64::from(counts.0) << (counts.0 % 32),
            clock: if counts.2 { Clock::Right } else { Clock::ByHand },
            disk_used_percent: counts.3,
            disk_is_full: counts.0 % 2 == 1,
            supply: [Supply::Good, Supply::Weak, Supply::Hot][counts.0 as usize % 3],
            pairing: pairing.map(|(seconds_left, keep_open)| PairingStatus { seconds_left, keep_open }),
            paired: paired.map(|(number, name)| PairedPhone { number, name }),
            news,
            phones: phones.into(),
            held: held.into(),
            pin_change,
            cloud,
            backup,
            other_cloud,
            other_office,
            other_organisation,
            withdrawn: withdrawn.map(|(name, patients)| WithdrawnClinic { name, patients }),
            usb,
            errand,
            has_no_staff,
            ways: Ways {
                pin_and_stick: counts.0 % 2 == 1,
                stick: counts.0 % 3 == 1,
                pin_and_box: counts.0 % 4 == 2,
                in_box: counts.0 % 5 == 1,
                box_has_key: counts.0 % 7 < 3,
            },
            offers_box: counts.0 % 11 == 3,
            emergency,
            key_change: match counts.0 % 6 {
                0 => Some(KeyChange::AtWork(u16::MAX)),
                1 => Some(KeyChange::NeedsCode),
                2 => Some(KeyChange::NoRoom),
                3 => Some(KeyChange::Failed),
                _ => None,
            },
        }
    }
}

prop_compose! {
    fn known_disk()(
        place: (u32, u32),
        hub in prop::option::of(any::<String>()),
        phones in prop::option::of(any::<u32>()),
        used_at in prop::option::of(any::<i64>()),
        (is_card, bytes) in any::<(bool, u64)>(),
    ) -> KnownDisk {
        KnownDisk { place, hub, phones, used_at, is_card, bytes }
    }
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![
        Just(Phase::Starting),
        set_up_of().prop_map(Phase::SetUp),
        Just(Phase::SettingUp),
        Just(Phase::Renewing),
        Just(Phase::RestoreCode),
        any::<u16>().prop_map(|permille| Phase::RestoringBackup { permille }),
        any::<i64>().prop_map(|made_at| Phase::Asking(Question::Restore { made_at })),
        any::<Option<String>>().prop_map(|file| Phase::Fault(Fault::Backup { file })),
        Just(Phase::PoweringOff),
        Just(Phase::Unplug),
        Just(Phase::Restarting),
        errand().prop_map(|(errand, step)| errand_scenes::on_errand(errand, step)),
        any::<([u16; 8], usize, usize)>().prop_map(|(numbers, a, b)| Phase::Confirming {
            code: RecoveryCode::new(numbers),
            ask: [a, b]
        }),
        (prop_oneof![Just(0), 0_u64..100_000], any::<(u32, u32)>())
            .prop_map(|(wait, (failures, tries_left))| locked(wait, failures, tries_left)),
        prop::sample::select(vec![Lacks::Stick, Lacks::Box, Lacks::BoxKey, Lacks::BoxAlone])
            .prop_map(box_scenes::lacking),
        Just(Phase::Unlocking),
        Just(Phase::Open(with_phones())),
        Just(paired(3, None)),
        prop::sample::select(NEWS.to_vec()).prop_map(told),
        pin_change().prop_map(changing_pin),
        open_status().prop_map(Phase::Open),
        Just(Phase::Locking),
        any::<(String, u64)>().prop_map(|(name, bytes)| Phase::Asking(Question::NewDisk { name, bytes })),
        any::<(String, u64)>().prop_map(|(name, bytes)| Phase::Asking(Question::EraseDisk { name, bytes })),
        any::<u64>().prop_map(|bytes| Phase::Asking(Question::UseCard { bytes })),
        Just(Phase::Asking(Question::Repair)),
        prop::sample::select(vec![Question::DiskAway, Question::BeginAnew, Question::GoOnMoving])
            .prop_map(Phase::Asking),
        known_disk().prop_map(|disk| Phase::Asking(Question::WhichDisk(disk))),
        any::<String>().prop_map(|firmware| Phase::Asking(Question::PutBack { firmware })),
        any::<u64>().prop_map(|bytes| Phase::Asking(Question::MoveData { bytes })),
        any::<u16>().prop_map(|permille| Phase::Formatting { permille }),
        any::<u16>().prop_map(|permille| Phase::Moving { permille }),
        any::<u16>().prop_map(|permille| Phase::Repairing { permille }),
        any::<String>().prop_map(|needs| Phase::Fault(Fault::WasPutBack { needs })),
        any::<Option<String>>().prop_map(|needs| Phase::Fault(Fault::NewerStore { needs })),
    ]
}

fn set_up_of() -> impl Strategy<Value = SetUp> {
    let unlocking = prop::sample::select(Ways::ALL.to_vec());
    let trouble = prop::sample::select(vec![None, Some(ErrandEnd::NoStick), Some(ErrandEnd::BoxFailed)]);
    (unlocking, trouble, any::<bool>()).prop_map(|(unlocking, trouble, box_has_key)| SetUp {
        unlocking,
        trouble,
        box_has_key,
    })
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => input().prop_map(Happening::Input),
        2 => phase().prop_map(Happening::Phase),
        2 => (0_u64..400_000).prop_map(|millis| Happening::Passes(Duration::from_millis(millis))),
    ]
}

/// The field on the screen, if there is one.
fn field(state: &State) -> Option<&Pad> {
    match state {
        State::ChoosePin(pad)
        | State::RepeatPin { again: pad, .. }
        | State::CheckCode { pad, .. }
        | State::PresentPin(pad)
        | State::ErrandPin(pad)
        | State::EnterPin(pad) => Some(pad),
        State::EnterCode(code) => Some(code.pad()),
        _ => None,
    }
}

fn typed(state: &State) -> usize {
    field(state).map_or(0, |pad| pad.fill().0)
}

/// Whether what was typed in `before` was taken, and the next is asked for.
fn went_on(before: &State, after: &State) -> bool {
    match (before, after) {
        (State::ChoosePin(_), State::RepeatPin { .. }) => true,
        (State::CheckCode { step, .. }, State::CheckCode { step: next, .. }) => next > step,
        (State::EnterCode(code), State::EnterCode(next)) => next.number() > code.number(),
        _ => false,
    }
}

fn says_why(state: &State) -> bool {
    let told = matches!(state, State::WriteCode { differs: Some(_) } | State::CodeHidden);
    told || field(state).is_some_and(|pad| pad.note().is_some())
}

/// Whether the hub has to go on before a person can.
fn waits_for_the_hub(desk: &Desk) -> bool {
    let is_at_work = match &desk.status.phase {
        Phase::Starting
        | Phase::SettingUp
        | Phase::Unlocking
        | Phase::Locking
        | Phase::PoweringOff
        | Phase::Unplug
        | Phase::Restarting
        | Phase::Formatting { .. }
        | Phase::Moving { .. }
        | Phase::RestoringBackup { .. }
        | Phase::Repairing { .. }
        | Phase::Fault(_) => true,
        Phase::Open(open) => open.is_at_work(),
        _ => false,
    };
    is_at_work || matches!(desk.panel.state, State::Paired { answered: true, .. })
}

proptest! {
    #[test]
    fn three_buttons_lead_out_of_everywhere(first in phase(), inputs in prop::collection::vec(input(), 0..60)) {
        let mut desk = Desk::new(first);
        inputs.into_iter().for_each(|input| drop(desk.input(input)));
        let home = transitions::follow(State::Home, &desk.status, &mut PadMaker::new(7)).screen();
        let mut presses = 0;
        while !waits_for_the_hub(&desk) && desk.panel.state.screen() != home {
            presses += 1;
            prop_assert!(presses < 100, "{:?}", desk.panel.state);
            if desk.wait(1).is_some() || desk.hold_ok().is_some() {
                return Ok(());
            }
        }
        // A field can be typed in, or set; from elsewhere ok or holding it leads on.
        let is_field = field(&desk.panel.state).is_some() || matches!(desk.panel.state, State::SetClock(_));
        if !waits_for_the_hub(&desk) && !is_field {
            let leads_on = [Input::Press(Button::Ok), Input::Hold(HeldButton::Ok)].into_iter().any(|input| {
                desk.wait(1).is_some() || desk.input(input).is_some() || desk.panel.state.screen() != home
            });
            prop_assert!(leads_on, "{:?}", desk.panel.state);
        }
    }

    #[test]
    fn no_field_is_emptied_without_a_word(
        first in phase(),
        happenings in prop::collection::vec(prop_oneof![
            8 => input().prop_map(Ok),
            1 => (0_u64..400_000).prop_map(Err),
        ], 1..80),
    ) {
        let mut desk = Desk::new(first);
        for happening in happenings {
            let before = desk.panel.state.clone();
            let action = match happening {
                Ok(input) => desk.input(input),
                Err(millis) => {
                    desk.now += Duration::from_millis(millis);
                    desk.panel.update(&desk.status, desk.now)
                }
            };
            let after = &desk.panel.state;
            // The last digit may be deleted like any other.
            if typed(&before) > 1 && typed(after) == 0 && action.is_none() {
                prop_assert!(went_on(&before, after) || says_why(after), "{:?} {:?}", before, after);
            }
        }
    }

    #[test]
    fn every_screen_is_known_and_fits(first in phase(), notice in prop::sample::select(NOTICES.to_vec()), language in prop::sample::select(Language::ALL.to_vec()), resolution in prop::sample::select(Resolution::ALL.to_vec()), happenings in prop::collection::vec(happening(), 1..80)) {
        let mut desk = Desk::speaking(language, first);
        desk.status.notice = Some(notice);
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
    fn three_buttons_lead_on_from_everywhere(first in phase(), inputs in prop::collection::vec(input(), 0..12)) {
        let mut desk = Desk::new(first);
        desk.now += state::SETTLE;
        inputs.into_iter().for_each(|input| drop(desk.input(input)));
        let mut decided = false;
        for _ in 0..4 {
            decided |= desk.wait(61).is_some();
            // Holding ok also deletes digits, and the first press may only light the panel.
            for _ in 0..14 {
                decided |= desk.hold_ok().is_some();
            }
            decided |= desk.press(&[Button::Ok]).is_some();
        }
        let screen = desk.screen();
        prop_assert!(decided || WAITING.contains(&screen), "{}", screen);
    }

    #[test]
    fn a_pin_is_never_on_the_screen(pin in "[0-9]{8,12}", phase in prop::sample::select(vec![set_up(), locked(0, 0, 3), ask_present(0, 0, 4), errand_scenes::ask_for(Errand::Staff, 0, 4), changing_pin(PinChange::Choose)])) {
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
