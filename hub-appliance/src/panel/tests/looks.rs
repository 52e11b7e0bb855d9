//! What the pictures look like: all text in its place, nothing at the border, nothing left over.

use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics_simulator::{BinaryColorTheme, OutputSettingsBuilder, SimulatorDisplay};

use super::*;

#[test]
fn sheet() {
    let scenes = scenes::all(Language::English);
    let rows = scenes.len().div_ceil(4) as i32;
    let mut display: SimulatorDisplay<BinaryColor> = SimulatorDisplay::new(Size::new(4 * 134, (rows * 70) as u32));
    display.clear(BinaryColor::Off).unwrap();
    for (i, (_, desk)) in scenes.iter().enumerate() {
        let (frame, _) = desk.picture();
        let at = Point::new(i as i32 % 4 * 134 + 3, i as i32 / 4 * 70 + 3);
        for y in -1..65 { for x in -1..129 {
            let edge = x == -1 || y == -1 || x == 128 || y == 64;
            let on = if edge { (x + y) % 2 == 0 } else { frame.is_lit(x as u32, y as u32) };
            display.draw_iter([Pixel(at + Point::new(x, y), BinaryColor::from(on))]).unwrap();
        } }
    }
    let settings = OutputSettingsBuilder::new().scale(3).theme(BinaryColorTheme::OledBlue).build();
    let _ = display.to_rgb_output_image(&settings).save_png("/tmp/sheet.png");
}
