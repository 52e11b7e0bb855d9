//! `no-network`: pairing was asked for where no phone could reach the hub.

use crate::panel::canvas::Canvas;
use crate::panel::icons::Icon;
use crate::panel::strings::Strings;

pub(super) fn draw(canvas: &mut Canvas<'_>, strings: &Strings) -> &'static str {
    canvas.header(strings.no_network, Icon::WARNING);
    canvas.paragraph(0, &strings.no_network_to_pair);
    canvas.hint(strings.back);
    "no-network"
}
