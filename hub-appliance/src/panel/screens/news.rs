//! `news`: what a person has to be told of phones.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::News;

pub(super) fn draw(canvas: &mut Canvas<'_>, news: News, settled: bool, strings: &Strings) -> &'static str {
    let told = (strings.news)(news);
    canvas.header(told.title, Icon::WARNING);
    canvas.paragraph(0, &told.text);
    if settled {
        canvas.hint(strings.go_on);
    }
    "news"
}
