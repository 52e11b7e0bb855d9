//! `language`: what the panel speaks. Each language stands under its own name, and the screen speaks the chosen one.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Language;

pub(super) fn draw(canvas: &mut Canvas<'_>, chosen: Language) -> &'static str {
    let strings = chosen.strings();
    canvas.header(strings.language, Icon::MENU);
    list(canvas, chosen);
    canvas.hint(strings.choose);
    "language"
}

pub(super) fn list(canvas: &mut Canvas<'_>, chosen: Language) {
    let names = Language::ALL.map(|language| language.strings().language_name);
    canvas.list(&names, chosen as usize);
}
