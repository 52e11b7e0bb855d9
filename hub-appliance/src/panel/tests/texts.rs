//! Every text of the tables is on some screen.

use super::*;

/// The tables as they are written.
const SOURCES: [(Language, &str); 4] = [
    (Language::English, include_str!("../strings/english.rs")),
    (Language::French, include_str!("../strings/french.rs")),
    (Language::Spanish, include_str!("../strings/spanish.rs")),
    (Language::Arabic, include_str!("../strings/arabic.rs")),
];

#[test]
fn every_text_is_drawn_by_some_scene() {
    let missing = |(language, source): (Language, &'static str)| {
        let drawn: Vec<String> = scenes::all(language).iter().flat_map(|(_, desk)| parts(desk)).collect();
        let missing = literals(source).filter(|text| !is_drawn(text, &drawn));
        (language, missing.collect::<Vec<_>>())
    };
    let missing: Vec<_> = SOURCES
        .map(missing)
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What a nurse reads out, a helper has to find.
#[test]
fn every_code_of_a_problem_is_in_the_readme_once() {
    let sources = concat!(include_str!("../view/faults.rs"), include_str!("../view/sticks.rs"));
    let lists = sources.split("fn code(").skip(1);
    let lists = lists.map(|after| after.split_once("\n    }\n").unwrap().0);
    let codes = lists.flat_map(|list| list.split('"').skip(1).step_by(2));
    let codes: Vec<&str> = codes.filter(|code| !code.is_empty()).collect();
    let readme = include_str!("../../../../README.md");
    let rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| P")?.split_once(" |"));
    let told: Vec<String> = rows.map(|(number, _)| format!("P{number}")).collect();
    assert!(codes.len() > 20 && codes.is_sorted(), "{codes:?}");
    assert_eq!(codes, told);
    assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_problem_is_told_with_its_code_and_whom_to_call() {
    let mut desk = Desk::new(Phase::Fault(Fault::Unreadable));
    assert_eq!(desk.picture().1.lines[0], "Problem P07");
    desk.status.about.help = Some("+220 123 4567".into());
    assert!(desk.says("can't be read") && desk.says("Plug it in again") && desk.says("+220 123 4567"));
}

/// The string literals of a table. None of them has an escaped quote.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let texts = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    texts.filter(|text| !text.is_empty())
}

/// What a screen says, taken apart into what may stand in a table: lines, buttons, the two ends of a line, and so on.
fn parts(desk: &Desk) -> Vec<String> {
    let mut parts = Vec::new();
    // Of a long list, and of a script with few lines, a square display shows more.
    let texts = Resolution::ALL.map(|resolution| desk.picture_on(resolution).1);
    for (text, line) in texts
        .iter()
        .flat_map(|text| text.lines.iter().map(move |line| (text, line)))
    {
        parts.extend([line, line.trim_start_matches('>'), line.trim_start_matches("OK: ")].map(str::to_owned));
        let pieces = line.split(['[', ']', '<', '>']).flat_map(|piece| piece.split("  "));
        parts.extend(pieces.map(str::to_owned));
        if let Some((title, step)) = line.rsplit_once(' ')
            && (step.contains('/') || step.starts_with('P'))
        {
            parts.push(title.to_owned());
        }
        // Two lines beside the code are one of text.
        if text.name == "pair" {
            let halves = line.match_indices(' ').map(|(at, _)| line.split_at(at));
            parts.extend(halves.flat_map(|(first, second)| [first.to_owned(), second.to_owned()]));
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// Whether `text` is one of `drawn`, with anything where it has a figure or a name; or the unit of a figure.
fn is_drawn(text: &str, drawn: &[String]) -> bool {
    let pieces = fixed_pieces(text);
    drawn.iter().any(|part| matches(&pieces, part) || is_unit(text, part))
}

fn is_unit(text: &str, part: &str) -> bool {
    let words: Vec<&str> = part.split(|c: char| c == ' ' || c.is_ascii_punctuation()).collect();
    let mut pairs = words.windows(2);
    pairs.any(|pair| pair[1] == text && !pair[0].is_empty() && pair[0].bytes().all(|byte| byte.is_ascii_digit()))
}

/// A format's pieces between its arguments.
fn fixed_pieces(format: &str) -> Vec<&str> {
    let pieces = format.split('{');
    pieces
        .map(|piece| piece.split_once('}').map_or(piece, |(_, after)| after))
        .collect()
}

fn matches(pieces: &[&str], text: &str) -> bool {
    let [first, rest @ ..] = pieces else { return false };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let Some((last, middle)) = rest.split_last() else {
        return text.is_empty();
    };
    for piece in middle {
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

#[test]
fn a_text_is_told_from_others_like_it() {
    let drawn = |text: &str, part: &str| is_drawn(text, &[part.to_owned()]);
    assert!(drawn("Seen {days} days ago", "Seen 12 days ago") && !drawn("Seen {days} days ago", "Seen 1 day ago"));
    assert!(drawn("No", "No") && !drawn("No", "No network"));
    assert!(drawn("{}, not empty:", "31 GB, not empty:") && drawn("GB", "31 GB, not empty:"));
    assert!(!drawn("open", "Hub is open"));
}
