//! Golden pictures: every scene in every language as it is on an OLED, so that a change of looks is seen in review. On a
//! square display every scene in English and in Arabic, and what stands around the pairing code in every language.
//!
//! `scripts/panel-gallery` writes them anew, together with a contact sheet a display.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::text::{Baseline, Text};
use profont::PROFONT_9_POINT;

use super::*;

/// Set to anything, the pictures are written instead of compared.
const WRITE: &str = "WRITE_GOLDEN";
/// The panel's glass, and a lit pixel (red, green, blue).
const PALETTE: [u8; 6] = [0x07, 0x09, 0x0C, 0xC4, 0xE8, 0xFF];
/// Dots of a pixel, with the dark gap to the next.
const PITCH: u32 = 3;
const MARGIN: u32 = 6;

/// A picture of two colours.
struct Image {
    size: Size,
    /// Row-major, a byte a dot.
    lit: Vec<bool>,
}

impl Image {
    fn new(size: Size) -> Self {
        Self {
            size,
            lit: vec![false; (size.width * size.height) as usize],
        }
    }

    /// The panel as it looks: square pixels of 2 dots with a gap of 1.
    fn of_frame(frame: &Frame) -> Self {
        let mut image = Self::new(Size::new(
            Frame::WIDTH * PITCH + 2 * MARGIN,
            frame.height() * PITCH + 2 * MARGIN,
        ));
        image.put_frame(frame, MARGIN, MARGIN, PITCH, PITCH - 1);
        image
    }

    fn put_frame(&mut self, frame: &Frame, left: u32, top: u32, pitch: u32, dot: u32) {
        for y in 0..frame.height() {
            for x in (0..Frame::WIDTH).filter(|x| frame.is_lit(*x, y)) {
                for (dx, dy) in (0..dot).flat_map(|dx| (0..dot).map(move |dy| (dx, dy))) {
                    self.light(left + x * pitch + dx, top + y * pitch + dy);
                }
            }
        }
    }

    fn light(&mut self, x: u32, y: u32) {
        if x < self.size.width && y < self.size.height {
            self.lit[(y * self.size.width + x) as usize] = true;
        }
    }

    fn write(&self, path: &Path) {
        let file = BufWriter::new(File::create(path).unwrap());
        let mut encoder = png::Encoder::new(file, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::One);
        encoder.set_palette(PALETTE.to_vec());
        encoder.set_compression(png::Compression::High);
        let rows = self.lit.chunks(self.size.width as usize);
        let bytes: Vec<u8> = rows
            .flat_map(|row| {
                row.chunks(8).map(|bits| {
                    let byte = bits.iter().fold(0, |byte, lit| byte << 1 | u8::from(*lit));
                    byte << (8 - bits.len())
                })
            })
            .collect();
        encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
    }

    fn read(path: &Path) -> Option<Self> {
        let mut reader = png::Decoder::new(BufReader::new(File::open(path).ok()?))
            .read_info()
            .ok()?;
        let mut bytes = vec![0; reader.output_buffer_size()?];
        let info = reader.next_frame(&mut bytes).ok()?;
        let size = Size::new(info.width, info.height);
        let bit = |row: &[u8], x: u32| row[(x / 8) as usize] & (0x80 >> (x % 8)) != 0;
        let rows = bytes.chunks(info.line_size).take(info.height as usize);
        let lit = rows.flat_map(|row| (0..size.width).map(move |x| bit(row, x))).collect();
        Some(Self { size, lit })
    }
}

impl OriginDimensions for Image {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Image {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, color) in pixels {
            if let (Ok(x), Ok(y), true) = (u32::try_from(at.x), u32::try_from(at.y), color.is_on()) {
                self.light(x, y);
            }
        }
        Ok(())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/panel/golden")
}

/// A scene's picture, and its file.
fn all() -> impl Iterator<Item = (Frame, PathBuf)> {
    let displays = Resolution::ALL.into_iter();
    let all = displays.flat_map(|resolution| Language::ALL.map(|language| (resolution, language)));
    all.flat_map(|(resolution, language)| {
        let scenes = scenes::all(language).into_iter();
        let kept = scenes.filter(move |(scene, _)| {
            let is_whole = matches!(language, Language::English | Language::Arabic);
            resolution == Resolution::Wide || is_whole || scene.starts_with("pair")
        });
        kept.map(move |(scene, desk)| {
            let folder = folder_of(language, resolution);
            (desk.picture_on(resolution).0, folder.join(format!("{scene}.png")))
        })
    })
}

fn folder_of(language: Language, resolution: Resolution) -> PathBuf {
    let rows = match resolution {
        Resolution::Wide => "",
        Resolution::Square => "-128",
    };
    folder().join(format!("{}{rows}", language.code()))
}

#[test]
fn every_screen_looks_as_it_did() {
    if std::env::var_os(WRITE).is_some() {
        write_all();
        return;
    }
    let mut changed = Vec::new();
    for (frame, path) in all() {
        let now = Image::of_frame(&frame);
        if Image::read(&path).is_none_or(|before| before.lit != now.lit) {
            changed.push(path);
        }
    }
    assert!(
        changed.is_empty(),
        "these look different; if they are meant to, run scripts/panel-gallery: {changed:?}"
    );
}

#[test]
fn no_golden_picture_is_of_a_screen_that_is_gone() {
    let scenes: BTreeSet<PathBuf> = all().map(|(_, path)| path).collect();
    for (language, resolution) in Language::ALL
        .into_iter()
        .flat_map(|language| Resolution::ALL.map(|of| (language, of)))
    {
        let files = std::fs::read_dir(folder_of(language, resolution)).unwrap();
        let files: BTreeSet<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        assert_eq!(files.difference(&scenes).next(), None);
    }
}

fn write_all() {
    for (language, resolution) in Language::ALL
        .into_iter()
        .flat_map(|language| Resolution::ALL.map(|of| (language, of)))
    {
        let folder = folder_of(language, resolution);
        // There is none before the first time.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
    }
    for (frame, path) in all() {
        Image::of_frame(&frame).write(&path);
    }
    for language in Language::ALL {
        let name = match language {
            Language::English => "gallery.png".to_owned(),
            other => format!("gallery-{}.png", other.code()),
        };
        contact_sheet(language, Resolution::Wide).write(&folder().join(name));
    }
    contact_sheet(Language::English, Resolution::Square).write(&folder().join("gallery-128.png"));
}

/// All scenes in a language, each with its name under it.
fn contact_sheet(language: Language, resolution: Resolution) -> Image {
    const COLUMNS: u32 = 5;
    let cell = Size::new(2 * Frame::WIDTH + 12, 2 * resolution.rows() + 24);
    let scenes = scenes::all(language);
    let rows = u32::try_from(scenes.len()).unwrap().div_ceil(COLUMNS);
    let mut sheet = Image::new(Size::new(COLUMNS * cell.width, rows * cell.height));
    for (index, (scene, desk)) in (0..).zip(scenes) {
        let (left, top) = (index % COLUMNS * cell.width + 6, index / COLUMNS * cell.height + 4);
        sheet.put_frame(&desk.picture_on(resolution).0, left, top, 2, 2);
        let at = Point::new(left.cast_signed(), (top + 2 * resolution.rows() + 3).cast_signed());
        let style = MonoTextStyle::new(&PROFONT_9_POINT, BinaryColor::On);
        let Ok(_) = Text::with_baseline(scene, at, style, Baseline::Top).draw(&mut sheet);
    }
    sheet
}
