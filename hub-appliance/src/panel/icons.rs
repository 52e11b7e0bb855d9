//! Icons, drawn once as text: `#` is a pixel of the icon's colour.

/// An icon of 7 × 7 pixels, one string a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Icon(pub(super) [&'static str; 7]);

impl Icon {
    pub(super) const WIDTH: i32 = 7;

    pub(super) const LOCKED: Self = Self([
        "  ###  ", //
        " #   # ", //
        " #   # ", //
        "#######", //
        "### ###", //
        "### ###", //
        "#######", //
    ]);
    pub(super) const OPEN: Self = Self([
        "    ## ", //
        "   #  #", //
        "   #   ", //
        "###### ", //
        "### ## ", //
        "### ## ", //
        "###### ", //
    ]);
    pub(super) const LANGUAGE: Self = Self([
        "  ###  ", //
        " # # # ", //
        "#  #  #", //
        "#######", //
        "#  #  #", //
        " # # # ", //
        "  ###  ", //
    ]);
    pub(super) const PHONE: Self = Self([
        " ##### ", //
        " #   # ", //
        " #   # ", //
        " #   # ", //
        " #   # ", //
        " ## ## ", //
        " ##### ", //
    ]);
    pub(super) const TRAY: Self = Self([
        "   #   ", //
        "   #   ", //
        " # # # ", //
        "  ###  ", //
        "#  #  #", //
        "#     #", //
        "#######", //
    ]);
    pub(super) const CLOCK: Self = Self([
        " ##### ", //
        "#  #  #", //
        "#  #  #", //
        "#  ## #", //
        "#     #", //
        "#     #", //
        " ##### ", //
    ]);
    pub(super) const DISK: Self = Self([
        " ##### ", //
        "#     #", //
        "# ### #", //
        "#     #", //
        "#######", //
        "#   # #", //
        "#######", //
    ]);
    pub(super) const WARNING: Self = Self([
        "   #   ", //
        "  ###  ", //
        "  # #  ", //
        " ## ## ", //
        " ##### ", //
        "### ###", //
        "#######", //
    ]);
    pub(super) const KEY: Self = Self([
        " ###   ", //
        "#   #  ", //
        "#   ###", //
        "#   # #", //
        " ###  #", //
        "       ", //
        "       ", //
    ]);
    pub(super) const CHECK: Self = Self([
        "       ", //
        "      #", //
        "     ##", //
        "#   ## ", //
        "## ##  ", //
        " ###   ", //
        "  #    ", //
    ]);
    pub(super) const DELETE: Self = Self([
        "       ", //
        "  #    ", //
        " ##    ", //
        "#######", //
        " ##    ", //
        "  #    ", //
        "       ", //
    ]);
    pub(super) const MENU: Self = Self([
        "#######", //
        "       ", //
        "       ", //
        "#######", //
        "       ", //
        "       ", //
        "#######", //
    ]);
    pub(super) const POWER: Self = Self([
        "   #   ", //
        " # # # ", //
        "#  #  #", //
        "#  #  #", //
        "#     #", //
        " #   # ", //
        "  ###  ", //
    ]);
    pub(super) const INFO: Self = Self([
        "  ###  ", //
        "  ###  ", //
        "       ", //
        " ####  ", //
        "  ###  ", //
        "  ###  ", //
        " ##### ", //
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn icons_are_square() {
        let icons = [
            Icon::LOCKED,
            Icon::OPEN,
            Icon::PHONE,
            Icon::TRAY,
            Icon::CLOCK,
            Icon::DISK,
            Icon::WARNING,
            Icon::KEY,
            Icon::CHECK,
            Icon::DELETE,
            Icon::MENU,
            Icon::POWER,
            Icon::INFO,
        ];
        for row in icons.iter().flat_map(|icon| icon.0) {
            assert_eq!(row.len(), 7);
        }
    }
}
