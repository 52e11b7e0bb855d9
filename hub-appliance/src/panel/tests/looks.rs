//! What the pictures look like: all text in its place, nothing at the border.

use super::*;

/// The rows of the header's bar, which reaches from border to border.
fn bar(language: Language) -> std::ops::Range<u32> {
    if language == Language::Arabic { 0..17 } else { 0..13 }
}

/// Every scene in every language, on every display.
fn all() -> impl Iterator<Item = (Resolution, &'static str, Desk)> {
    let scenes = || Language::ALL.into_iter().flat_map(scenes::all);
    let on = move |resolution| scenes().map(move |(name, desk)| (resolution, name, desk));
    Resolution::ALL.into_iter().flat_map(on)
}

fn at(desk: &Desk, minutes: u64) -> Frame {
    drawn(desk, Resolution::Wide, minutes).0
}

fn drawn(desk: &Desk, resolution: Resolution, minutes: u64) -> (Frame, ScreenText, bool) {
    let mut frame = Frame::new(resolution);
    let (text, fits) = desk
        .panel
        .draw(&desk.status, desk.now + Duration::from_secs(60 * minutes), &mut frame);
    (frame, text, fits)
}

#[test]
fn every_text_fits_its_place() {
    let mut misfits = Vec::new();
    for (resolution, name, desk) in all() {
        let (frame, text, fits) = drawn(&desk, resolution, 0);
        let most = if resolution == Resolution::Wide { 8 } else { 9 };
        let is_short = text.lines.len() <= most && text.lines.iter().all(|line| line.chars().count() <= 21);
        if !fits || !is_short {
            misfits.push(format!("{name} {text:?} {frame:?}"));
        }
    }
    assert!(misfits.is_empty(), "{}", misfits.join("\n"));
}

/// Whether the pixel is of the pairing code's, which takes all the room that there is.
fn is_of_code(resolution: Resolution, x: u32, y: u32) -> bool {
    match resolution {
        Resolution::Wide => x < 64,
        Resolution::Square => y < 97,
    }
}

#[test]
fn nothing_touches_the_border() {
    for (resolution, name, desk) in all() {
        let shows_code = name == "pair" || (name.starts_with("pair-") && name != "pair-no-network");
        for minute in 0..4 {
            let (frame, ..) = drawn(&desk, resolution, minute);
            let has_bar = frame.is_lit(0, 0) && frame.is_lit(Frame::WIDTH - 1, 0);
            let rows = (0..frame.height()).filter(|y| !(has_bar && bar(desk.status.language).contains(y)));
            let sides = rows.flat_map(|y| [(0, y), (Frame::WIDTH - 1, y)]);
            let ends = [0, frame.height() - 1].into_iter().skip(usize::from(has_bar));
            let ends = ends.flat_map(|y| (0..Frame::WIDTH).map(move |x| (x, y)));
            let text = sides
                .chain(ends)
                .filter(|(x, y)| !(shows_code && is_of_code(resolution, *x, *y)));
            let touches: Vec<_> = text.filter(|(x, y)| frame.is_lit(*x, *y)).collect();
            assert!(touches.is_empty(), "{name} in minute {minute} {touches:?} {frame:?}");
        }
    }
}

#[test]
fn the_content_moves_each_minute() {
    let desk = Desk::new(Phase::Open(open()));
    let pictures: Vec<Frame> = (0..4).map(|minute| at(&desk, minute)).collect();
    for (index, picture) in pictures.iter().enumerate() {
        assert!(!pictures[..index].contains(picture));
    }
    assert_eq!(at(&desk, 4), pictures[0]);
    for y in 13..pictures[0].height() - 1 {
        for x in 0..Frame::WIDTH - 1 {
            assert_eq!(pictures[0].is_lit(x, y), pictures[1].is_lit(x + 1, y));
        }
    }
}

#[test]
fn the_pairing_code_stands_still() {
    let desk = Desk::new(pairing(120, true));
    let code = |minute| (0..64 * 64).map(move |pixel| (minute, pixel % 64, pixel / 64));
    let lit = |(minute, x, y)| at(&desk, minute).is_lit(x, y);
    let first = at(&desk, 0);
    let later = at(&desk, 2);
    assert!(code(0).all(|(_, x, y)| first.is_lit(x, y) == later.is_lit(x, y)));
    assert!(lit((0, 0, 0)), "the margin is lit");
}

#[test]
fn a_name_cannot_turn_end_or_hide_what_stands_around_it() {
    for language in Language::ALL {
        let desk = Desk::speaking(
            language,
            paired(1, Some("\u{1b}[2J\u{202e}القاهرة\n\"} \u{2069}诊\u{200f}x")),
        );
        let (_, text) = desk.picture();
        assert!(
            text.lines
                .iter()
                .flat_map(|line| line.chars())
                .all(|c| matches!(c, ' '..='~' | '\u{A1}'..='\u{FF}' | '\u{600}'..='\u{6FF}')),
            "{text:?}"
        );
        assert!(desk.says("1 [2Jالقاهرة \"}"), "{text:?}");
    }
    for name in ["  ", "诊所", "\u{202e}"] {
        assert!(Desk::new(paired(4, Some(name))).says("Phone 4"));
    }
}

/// With names of any script, also those that are too long, and on a screen of the other direction.
#[test]
fn names_of_any_script_stay_in_their_place() {
    let names = [
        "م".repeat(64),
        "ضشصث ".repeat(12),
        "Wm".repeat(32),
        "Amina هاتف العيادة الشمالية الكبيرة Phone".to_owned(),
    ];
    for (language, resolution) in Language::ALL
        .iter()
        .flat_map(|language| Resolution::ALL.map(|of| (*language, of)))
    {
        for name in &names {
            let phones: std::sync::Arc<[Phone]> = [phone(250, name, 4, PhoneStanding::Stuck)].into();
            let screens = [&[][..], &[Button::Ok], &[Button::Ok, Button::Down, Button::Ok]];
            for presses in screens {
                let mut desk = Desk::speaking(
                    language,
                    Phase::Open(OpenStatus {
                        phones: phones.clone(),
                        ..open()
                    }),
                );
                desk.open_from_menu(MenuEntry::Phones);
                desk.press(presses);
                let (frame, text, fits) = drawn(&desk, resolution, 0);
                assert!(fits, "{text:?} {frame:?}");
            }
        }
    }
}

/// The home screen in half blocks, so that a change of layout is seen in review.
#[test]
fn home_looks_like_this() {
    let (frame, text) = Desk::new(Phase::Open(open())).picture();
    let drawn = format!("{frame:?}")
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    if std::env::var_os("WRITE_GOLDEN").is_some() {
        // Written with the other pictures, and compared from the next build on.
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/panel/tests/home.txt"),
            format!("{drawn}\n"),
        )
        .unwrap();
        return;
    }
    assert_eq!(drawn.trim_matches('\n'), include_str!("home.txt").trim_matches('\n'));
    assert_eq!(
        text.lines,
        [
            "Hub is open",
            "192.168.1.50",
            "24 h: 12   34% full",
            "3 need help",
            "OK: Menu"
        ]
    );
}
