//! `language`: what the panel speaks. Each language stands under its own name, and the screen speaks the chosen one.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::Numerals;
use crate::panel::strings::{Language, Strings};

pub(super) fn draw(canvas: &mut Canvas<'_>, chosen: Language, numerals: Numerals) -> &'static str {
    let strings = chosen.strings();
    canvas.write_as(chosen.writing(numerals));
    canvas.header(strings.language, Icon::MENU);
    choices(canvas, chosen);
    canvas.hint(strings.choose);
    "language"
}

/// All languages at once: whoever reads but one of them has to find it.
pub(super) fn choices(canvas: &mut Canvas<'_>, chosen: Language) {
    let names = Language::ALL.map(|language| language.strings().language_name);
    canvas.choices(&names, chosen as usize);
}

/// The languages that the panel does not speak now, each named in itself, as lines of text. Of a script with one line for
/// them, as many as fit.
pub(super) fn others(now: &Strings, is_tall: bool) -> [String; 2] {
    let names = Language::ALL.map(|language| language.strings().language_name);
    let mut names = names.into_iter().filter(|name| *name != now.language_name);
    let first: Vec<&str> = names.by_ref().take(2).collect();
    let second: Vec<&str> = if is_tall { Vec::new() } else { names.collect() };
    [first, second].map(|names| names.join("  "))
}
