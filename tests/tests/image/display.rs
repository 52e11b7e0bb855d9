//! An SSD1306 as the bus sees it (Solomon Systech, SSD1306 rev 1.1), fed with what a kernel module of the test kept of the
//! transfers to it.

use hub_tests::panel_client::Frame;

const COLUMNS: usize = 128;
const PAGES: usize = 8;

/// The display, from power-on.
#[derive(Debug)]
pub(crate) struct Display {
    memory: [[u8; COLUMNS]; PAGES],
    /// First and last of the window, and the place in it.
    columns: (usize, usize),
    pages: (usize, usize),
    column: usize,
    page: usize,
    is_on: bool,
    clock: u8,
    /// The beginning of a record whose end has not come yet.
    rest: Vec<u8>,
}

impl Display {
    pub(crate) fn new() -> Self {
        Self {
            // Memory holds noise at power-on.
            memory: [[0xA5; COLUMNS]; PAGES],
            columns: (0, COLUMNS - 1),
            pages: (0, PAGES - 1),
            column: 0,
            page: 0,
            is_on: false,
            clock: 0x80,
            rest: Vec::new(),
        }
    }

    /// Takes records: two bytes of length, little end first, and the bytes of a transfer.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
        while let [low, high, more @ ..] = self.rest.as_slice() {
            let len = usize::from(u16::from_le_bytes([*low, *high]));
            if more.len() < len {
                return;
            }
            let transfer = more[..len].to_vec();
            self.rest.drain(..2 + len);
            self.transfer(&transfer);
        }
    }

    /// What a person sees.
    pub(crate) fn frame(&self) -> Frame {
        let mut bytes = vec![0; COLUMNS * PAGES];
        let places = (0..PAGES * 8).flat_map(|y| (0..COLUMNS).map(move |x| (x, y)));
        for (x, y) in places.filter(|_| self.is_on) {
            let bit = self.memory[y / 8][x] >> (y % 8) & 1;
            bytes[(y * COLUMNS + x) / 8] |= bit << (7 - x % 8);
        }
        Frame::from_bytes(bytes).expect("a whole picture")
    }

    /// The clock's divider and frequency, as they were set.
    pub(crate) fn clock(&self) -> u8 {
        self.clock
    }

    fn transfer(&mut self, bytes: &[u8]) {
        match bytes {
            [0x00, commands @ ..] => self.obey(commands),
            [0x40, data @ ..] => data.iter().for_each(|byte| self.store(*byte)),
            other => panic!("control byte {other:x?}"),
        }
    }

    fn obey(&mut self, mut commands: &[u8]) {
        while !commands.is_empty() {
            commands = match commands {
                [0x20, mode, more @ ..] => {
                    assert_eq!(*mode, 0, "horizontal addressing");
                    more
                }
                [0x21, first, last, more @ ..] => {
                    self.columns = (usize::from(*first), usize::from(*last));
                    self.column = self.columns.0;
                    more
                }
                [0x22, first, last, more @ ..] => {
                    self.pages = (usize::from(*first), usize::from(*last));
                    self.page = self.pages.0;
                    more
                }
                [0xD5, clock, more @ ..] => {
                    self.clock = *clock;
                    more
                }
                [power @ (0xAE | 0xAF), more @ ..] => {
                    self.is_on = *power == 0xAF;
                    more
                }
                // Contrast, charge pump, rows, offset, precharge, pins, level.
                [0x81 | 0x8D | 0xA8 | 0xD3 | 0xD9 | 0xDA | 0xDB, _, more @ ..] => more,
                // First line, upright, memory shown, not inverted, no scrolling.
                [0x40 | 0xA1 | 0xC8 | 0xA4 | 0xA6 | 0x2E, more @ ..] => more,
                other => panic!("command {other:x?}"),
            };
        }
    }

    fn store(&mut self, byte: u8) {
        self.memory[self.page][self.column] = byte;
        self.column += 1;
        if self.column > self.columns.1 {
            self.column = self.columns.0;
            self.page = if self.page == self.pages.1 {
                self.pages.0
            } else {
                self.page + 1
            };
        }
    }
}
