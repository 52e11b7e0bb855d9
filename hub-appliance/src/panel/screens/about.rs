//! `about`: which hub this is, for help on the telephone.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;
use crate::panel::text::printable;
use crate::panel::view::{About, DEVELOPMENT};

/// Half of a UUID in text form.
const HALF_ID: usize = 18;

pub(super) fn draw(canvas: &mut Canvas<'_>, about: &About, strings: &Strings) -> &'static str {
    canvas.header(strings.about, Icon::INFO);
    match (&about.revision, about.is_development) {
        (None, _) => canvas.pair(0, strings.version, &printable(&about.version, 12)),
        (Some(revision), false) => canvas.pair(0, &printable(&about.version, 11), &printable(revision, 9)),
        (Some(revision), true) => {
            let version = format!("{} {DEVELOPMENT}", printable(&about.version, 7));
            canvas.pair(0, &version, &printable(revision, 9));
        }
    }
    if let Some(identity) = &about.identity {
        let id = printable(&identity.hub_id, 2 * HALF_ID);
        let (first, second) = id.split_at(id.len().min(HALF_ID));
        canvas.line(1, first);
        canvas.line(2, second);
        canvas.line(3, strings.fingerprint);
        let groups: Vec<String> = identity
            .fingerprint
            .chunks(2)
            .map(|pair| format!("{:02X}{:02X}", pair[0], pair[1]))
            .collect();
        canvas.line(4, &groups.join(" "));
    }
    "about"
}
