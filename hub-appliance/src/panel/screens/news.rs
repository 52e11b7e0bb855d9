//! `news`: what a person has to be told of phones.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::view::News;

pub(super) fn draw(canvas: &mut Canvas<'_>, news: News, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    let told = (strings.news)(news);
    let is_good = matches!(news, News::AllTaken);
    canvas.header(told.title, if is_good { Icon::CHECK } else { Icon::WARNING });
    canvas.paragraph(0, &told.text);
    if moment.is_settled {
        canvas.hint(strings.go_on);
    }
    "news"
}
