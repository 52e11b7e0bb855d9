//! `language`: what the panel speaks. Each language stands under its own name, and the screen speaks the chosen one.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::Numerals;
use crate::panel::strings::Language;

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
