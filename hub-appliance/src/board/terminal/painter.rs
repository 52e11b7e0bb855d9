//! Draws a picture with half blocks and sends only what has changed.

use std::io::{self, Write};

use crossterm::cursor::MoveTo;
use crossterm::queue;
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{Clear, ClearType};

use crate::board::Picture;
use crate::panel::{Beacon, Brightness, Frame, half_block};

const COLUMNS: u16 = 128;
const HELP: &str = "arrows  Enter: ok  Esc: back  0-9: type  o: hold ok  b: hold back  q: quit";

/// Columns and rows of a terminal.
type Size = (u16, u16);

/// What has to be on the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    frame: Frame,
    lines: Vec<String>,
    brightness: Brightness,
    /// What a light would show, if one were wired.
    beacon: Option<Beacon>,
}

/// The rows of the terminal that the picture takes: two pixels each.
fn rows(frame: &Frame) -> u16 {
    u16::try_from(frame.height() / 2).unwrap_or(u16::MAX)
}

/// Draws to `W`, which understands a terminal's commands.
#[derive(Debug)]
pub(super) struct Painter<W> {
    out: W,
    wanted: Option<Content>,
    is_wired: bool,
    /// What was drawn last, and for which size.
    drawn: Option<(Content, Size)>,
}

impl<W: Write> Painter<W> {
    pub(super) const fn new(out: W) -> Self {
        Self {
            out,
            wanted: None,
            is_wired: false,
            drawn: None,
        }
    }

    /// From now on what a light would show stands beside the help.
    pub(super) const fn wire(&mut self) {
        self.is_wired = true;
    }

    pub(super) fn show(&mut self, picture: &Picture<'_>, size: Size) -> io::Result<()> {
        let lines = picture.text.lines.clone();
        self.wanted = Some(Content {
            frame: picture.visible(),
            lines,
            brightness: picture.brightness,
            beacon: self.is_wired.then_some(picture.beacon),
        });
        self.redraw(size)
    }

    /// Draws what is wanted, for a terminal of `size`.
    pub(super) fn redraw(&mut self, size: Size) -> io::Result<()> {
        let Some(wanted) = self.wanted.clone() else {
            return Ok(());
        };
        let before = self.drawn.take().filter(|(before, at)| {
            *at == size && before.brightness == wanted.brightness && before.beacon == wanted.beacon
        });
        // One write for all, so that a half-drawn picture is never seen.
        let mut commands = Vec::new();
        if size.0 < COLUMNS || size.1 < rows(&wanted.frame) {
            if before.as_ref().is_none_or(|(before, _)| *before != wanted) {
                write_as_text(&mut commands, &wanted, size)?;
            }
        } else {
            let before = before.map(|(before, _)| before.frame);
            if before.is_none() {
                write_surroundings(&mut commands, &wanted, size)?;
            }
            write_cells(&mut commands, before.as_ref(), &wanted.frame)?;
        }
        self.out.write_all(&commands)?;
        self.out.flush()?;
        self.drawn = Some((wanted, size));
        Ok(())
    }
}

fn write_surroundings(commands: &mut Vec<u8>, content: &Content, size: Size) -> io::Result<()> {
    let rows = rows(&content.frame);
    queue!(commands, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
    if size.1 > rows {
        queue!(
            commands,
            MoveTo(0, rows),
            SetAttribute(Attribute::Dim),
            Print(HELP),
            Print(
                content
                    .beacon
                    .map_or_else(String::new, |beacon| format!("  signal: {}", beacon.name()))
            ),
            SetAttribute(Attribute::Reset)
        )?;
    }
    if content.brightness == Brightness::Dim {
        queue!(commands, SetAttribute(Attribute::Dim))?;
    }
    Ok(())
}

/// Writes the cells that differ from `before`, runs of neighbours in one go.
fn write_cells(commands: &mut Vec<u8>, before: Option<&Frame>, frame: &Frame) -> io::Result<()> {
    for row in 0..rows(frame) {
        let mut cursor = None;
        for column in 0..COLUMNS {
            let cell = cell(frame, column, row);
            if before.map_or(" ", |before| self::cell(before, column, row)) == cell {
                continue;
            }
            if cursor != Some(column) {
                queue!(commands, MoveTo(column, row))?;
            }
            queue!(commands, Print(cell))?;
            cursor = Some(column + 1);
        }
    }
    Ok(())
}

fn cell(frame: &Frame, column: u16, row: u16) -> &'static str {
    let (x, y) = (u32::from(column), 2 * u32::from(row));
    half_block(frame.is_lit(x, y), frame.is_lit(x, y + 1))
}

/// For a terminal too small for the picture: says so, and shows the same as text.
fn write_as_text(commands: &mut Vec<u8>, content: &Content, size: Size) -> io::Result<()> {
    queue!(commands, SetAttribute(Attribute::Reset), Clear(ClearType::All))?;
    let small = format!(
        "Terminal too small: {COLUMNS} x {} needed, {} x {} found.",
        rows(&content.frame),
        size.0,
        size.1
    );
    let advice = "Make it larger or its letters smaller.".to_owned();
    let all = [small, advice, String::new()];
    for (row, line) in (0..size.1).zip(all.iter().chain(&content.lines)) {
        let line: String = line.chars().take(size.0.into()).collect();
        queue!(commands, MoveTo(0, row), Print(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use embedded_graphics::draw_target::DrawTarget;
    use embedded_graphics::pixelcolor::BinaryColor;
    use embedded_graphics::primitives::Rectangle;

    use super::*;
    use crate::panel::{Resolution, ScreenText};

    /// A terminal that knows the few commands used here (ECMA-48: CUP, ED, SGR).
    struct Screen {
        cells: Vec<Vec<char>>,
        writes: usize,
    }

    impl Screen {
        fn new(size: Size) -> Self {
            Self {
                cells: vec![vec![' '; size.0.into()]; size.1.into()],
                writes: 0,
            }
        }

        fn feed(&mut self, bytes: &[u8]) {
            let text = std::str::from_utf8(bytes).unwrap();
            let mut rest = text.chars();
            let (mut row, mut column) = (0, 0);
            while let Some(c) = rest.next() {
                if c != '\u{1b}' {
                    self.cells[row][column] = c;
                    self.writes += 1;
                    column += 1;
                    continue;
                }
                assert_eq!(rest.next(), Some('['));
                let mut arguments = String::new();
                let command = rest
                    .by_ref()
                    .find(|c| {
                        arguments.push(*c);
                        c.is_ascii_alphabetic()
                    })
                    .unwrap();
                arguments.pop();
                match command {
                    'H' => {
                        let (to_row, to_column) = arguments.split_once(';').unwrap();
                        row = to_row.parse::<usize>().unwrap() - 1;
                        column = to_column.parse::<usize>().unwrap() - 1;
                    }
                    'J' => self.cells.iter_mut().for_each(|row| row.fill(' ')),
                    'm' => {}
                    other => panic!("{other}"),
                }
            }
        }

        fn text(&self) -> String {
            self.cells
                .iter()
                .map(|row| row.iter().collect::<String>() + "\n")
                .collect()
        }
    }

    fn frame(areas: &[(i32, i32, u32, u32)]) -> Frame {
        let mut frame = Frame::default();
        for (x, y, width, height) in areas {
            let area = Rectangle::new((*x, *y).into(), (*width, *height).into());
            frame.fill_solid(&area, BinaryColor::On).unwrap();
        }
        frame
    }

    fn show(painter: &mut Painter<Vec<u8>>, screen: &mut Screen, frame: &Frame, brightness: Brightness, size: Size) {
        let text = ScreenText {
            name: "home",
            lines: vec!["Hub is open".into()],
        };
        painter
            .show(
                &Picture {
                    frame,
                    text: &text,
                    brightness,
                    beacon: Beacon::Open,
                },
                size,
            )
            .unwrap();
        screen.feed(&std::mem::take(&mut painter.out));
    }

    fn picture(screen: &Screen) -> Vec<String> {
        screen
            .cells
            .iter()
            .take(32)
            .map(|row| row.iter().take(128).collect())
            .collect()
    }

    fn expected(frame: &Frame) -> Vec<String> {
        (0..rows(frame))
            .map(|row| (0..COLUMNS).map(|column| cell(frame, column, row)).collect())
            .collect()
    }

    #[test]
    fn draws_the_picture_and_then_only_changes() {
        let size = (140, 40);
        let (mut painter, mut screen) = (Painter::new(Vec::new()), Screen::new(size));
        let first = frame(&[(0, 0, 128, 11), (5, 20, 30, 7)]);
        show(&mut painter, &mut screen, &first, Brightness::Full, size);
        assert_eq!(picture(&screen), expected(&first));
        assert!(screen.text().contains("q: quit"));

        let second = frame(&[(0, 0, 128, 11), (6, 20, 30, 7)]);
        screen.writes = 0;
        show(&mut painter, &mut screen, &second, Brightness::Full, size);
        assert_eq!(picture(&screen), expected(&second));
        assert_eq!(screen.writes, 8, "two columns of four rows");

        screen.writes = 0;
        show(&mut painter, &mut screen, &second, Brightness::Full, size);
        assert_eq!(screen.writes, 0);
    }

    #[test]
    fn a_square_picture_takes_twice_the_rows() {
        let mut square = Frame::new(Resolution::Square);
        let area = Rectangle::new((0, 100).into(), (128, 28).into());
        square.fill_solid(&area, BinaryColor::On).unwrap();
        let (mut painter, mut screen) = (Painter::new(Vec::new()), Screen::new((128, 64)));
        show(&mut painter, &mut screen, &square, Brightness::Full, (128, 64));
        assert_eq!(screen.text().matches('█').count(), 128 * 14);
        let mut low = Screen::new((128, 63));
        show(&mut painter, &mut low, &square, Brightness::Full, (128, 63));
        assert!(low.text().contains("128 x 64 needed"));
    }

    #[test]
    fn draws_all_again_after_a_resize() {
        let (mut painter, mut screen) = (Painter::new(Vec::new()), Screen::new((128, 32)));
        let shown = frame(&[(3, 3, 9, 9)]);
        show(&mut painter, &mut screen, &shown, Brightness::Full, (128, 32));
        let mut larger = Screen::new((200, 60));
        painter.redraw((200, 60)).unwrap();
        larger.feed(&painter.out);
        assert_eq!(picture(&larger), expected(&shown));
    }

    #[test]
    fn a_dark_display_is_dark() {
        let size = (128, 32);
        let (mut painter, mut screen) = (Painter::new(Vec::new()), Screen::new(size));
        let shown = frame(&[(3, 3, 9, 9)]);
        show(&mut painter, &mut screen, &shown, Brightness::Full, size);
        show(&mut painter, &mut screen, &shown, Brightness::Off, size);
        assert_eq!(picture(&screen), expected(&Frame::default()));
    }

    #[test]
    fn a_small_terminal_is_told_and_gets_the_text() {
        for size in [(127, 32), (128, 31), (80, 24), (20, 2), (0, 0)] {
            let (mut painter, mut screen) = (Painter::new(Vec::new()), Screen::new(size));
            show(
                &mut painter,
                &mut screen,
                &frame(&[(0, 0, 128, 64)]),
                Brightness::Full,
                size,
            );
            assert!(!screen.text().contains('█'));
            assert_eq!(screen.text().contains("Hub is open"), size.1 > 3);
            assert_eq!(screen.text().contains("too small"), size.1 > 0);
        }
    }
}
