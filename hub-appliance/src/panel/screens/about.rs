//! `about`: which hub this is, for help on the telephone.

use super::Moment;
use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::script::as_code;
use crate::panel::strings::Strings;
use crate::panel::text::printable;
use crate::panel::view::{About, DEVELOPMENT};

/// Half of a UUID in text form.
const HALF_ID: usize = 18;

pub(super) fn draw(canvas: &mut Canvas<'_>, about: &About, moment: Moment, strings: &Strings) -> &'static str {
    canvas.take_turns(moment.turn());
    canvas.header(strings.about, Icon::INFO);
    match (&about.revision, about.is_development) {
        (None, _) => canvas.pair(0, strings.version, &as_code(&printable(&about.version, 12))),
        (Some(revision), false) => canvas.pair(
            0,
            &as_code(&printable(&about.version, 11)),
            &as_code(&printable(revision, 9)),
        ),
        (Some(revision), true) => {
            let version = format!("{} {DEVELOPMENT}", printable(&about.version, 7));
            canvas.pair(0, &as_code(&version), &as_code(&printable(revision, 9)));
        }
    }
    if let Some(identity) = &about.identity {
        let id = printable(&identity.hub_id, 2 * HALF_ID);
        let (first, second) = id.split_at(id.len().min(HALF_ID));
        canvas.line(1, &as_code(first));
        canvas.line(2, &as_code(second));
        canvas.line(3, strings.fingerprint);
        let groups: Vec<String> = identity
            .fingerprint
            .chunks(2)
            .map(|pair| format!("{:02X}{:02X}", pair[0], pair[1]))
            .collect();
        canvas.line(4, &as_code(&groups.join(" ")));
    }
    "about"
}
