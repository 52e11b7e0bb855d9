//! The driver against a display that understands the commands of the data sheets (Solomon Systech SSD1306 rev 1.1, Sino
//! Wealth SH1106 v2.3 and SH1107 v2.1) and keeps what it was sent.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::primitives::Rectangle;
use embedded_hal::i2c::{ErrorKind, ErrorType, Operation};
use proptest::prelude::*;

use super::*;

const ADDRESS: u8 = 0x3C;

/// A display as the bus sees it.
struct Device {
    controller: Controller,
    memory: [[u8; 132]; 16],
    horizontal: bool,
    columns: (u8, u8),
    pages: (u8, u8),
    column: u8,
    page: u8,
    on: bool,
    inverted: bool,
    contrast: u8,
    clock: u8,
    start_line: u8,
    upright: (bool, bool),
    converter: bool,
    bytes: usize,
    /// The transfer after so many more fails.
    fails_after: Option<usize>,
}

impl Device {
    fn new(controller: Controller) -> Self {
        Self {
            controller,
            // Memory holds noise at power-on.
            memory: [[0xA5; 132]; 16],
            horizontal: false,
            columns: (0, 127),
            pages: (0, 7),
            column: 0,
            page: 0,
            on: false,
            inverted: false,
            contrast: 0x7F,
            clock: 0x80,
            start_line: 0,
            upright: (false, false),
            converter: false,
            bytes: 0,
            fails_after: None,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() + 1;
        match bytes {
            [0x00, commands @ ..] => self.obey(&mut commands.iter().copied().collect()),
            [0x40, data @ ..] => data.iter().for_each(|byte| self.store(*byte)),
            other => panic!("control byte {other:x?}"),
        }
    }

    fn obey(&mut self, bytes: &mut VecDeque<u8>) {
        while let Some(command) = bytes.pop_front() {
            let mut argument = || bytes.pop_front().unwrap();
            match (command, self.controller) {
                (0x00..=0x0F, _) => self.column = self.column & 0xF0 | command,
                (0x10..=0x17, _) | (0x18..=0x1F, Controller::Ssd1306 | Controller::Sh1106) => {
                    self.column = self.column & 0x0F | (command & 0x0F) << 4
                }
                (0x20, Controller::Ssd1306) => self.horizontal = argument() == 0,
                (0x21, Controller::Ssd1306) => {
                    self.columns = (argument(), argument());
                    self.column = self.columns.0;
                }
                (0x22, Controller::Ssd1306) => {
                    self.pages = (argument(), argument());
                    self.page = self.pages.0;
                }
                (0x8D, Controller::Ssd1306) => self.converter = argument() == 0x14,
                (0xAD, Controller::Sh1106) => self.converter = argument() == 0x8B,
                // The module has a converter of its own, so the controller's has to be off.
                (0xAD, Controller::Sh1107) => self.converter = argument() == 0x8A,
                (0x20, Controller::Sh1107) => self.horizontal = false,
                (0xDC, Controller::Sh1107) => self.start_line = argument(),
                // Not in the SH1106's data sheet: no operation there.
                (0x20..=0x22 | 0x2E | 0x8D, Controller::Sh1106) | (0x2E, Controller::Ssd1306) | (0xA4, _) => {}
                (0x40..=0x7F, Controller::Ssd1306 | Controller::Sh1106) => self.start_line = command & 0x3F,
                (0x81, _) => self.contrast = argument(),
                (0xA0 | 0xA1, _) => self.upright.0 = command == 0xA1,
                (0xA6 | 0xA7, _) => self.inverted = command == 0xA7,
                (0xA8, _) => assert_eq!(u32::from(argument()) + 1, self.controller.resolution().rows()),
                (0xAE | 0xAF, _) => self.on = command == 0xAF,
                (0xB0..=0xB7, _) | (0xB8..=0xBF, Controller::Sh1107) => self.page = command & 0x0F,
                (0xC0 | 0xC8, _) => self.upright.1 = command == 0xC8,
                (0xD3, _) => assert_eq!(argument(), 0, "offset"),
                (0xD5, _) => self.clock = argument(),
                (0xD9 | 0xDB, _) => drop(argument()),
                (0xDA, Controller::Ssd1306 | Controller::Sh1106) => assert_eq!(argument(), 0x12, "alternative pins"),
                other => panic!("command {other:x?}"),
            }
        }
    }

    fn store(&mut self, byte: u8) {
        if let Some(place) = self.memory[usize::from(self.page)].get_mut(usize::from(self.column)) {
            *place = byte;
        }
        self.column += 1;
        if self.horizontal && self.column > self.columns.1 {
            self.column = self.columns.0;
            self.page = if self.page == self.pages.1 {
                self.pages.0
            } else {
                self.page + 1
            };
        }
    }

    /// What a person sees.
    fn picture(&self) -> Frame {
        // On the SH1107's modules the directions of the data sheet are upright, on the others' the reverse ones.
        let turned = self.controller != Controller::Sh1107;
        assert!(self.upright == (turned, turned) && self.start_line == 0 && !self.inverted && self.converter);
        let first = if self.controller == Controller::Sh1106 { 2 } else { 0 };
        let mut frame = Frame::new(self.controller.resolution());
        let rows = frame.height() as usize;
        for (x, y) in (0..128_usize).flat_map(|x| (0..rows).map(move |y| (x, y))) {
            if self.on && self.memory[y / 8][x + first] >> (y % 8) & 1 == 1 {
                let at = Rectangle::new((x as i32, y as i32).into(), (1, 1).into());
                frame.fill_solid(&at, BinaryColor::On).unwrap();
            }
        }
        frame
    }
}

#[derive(Clone)]
struct Bus(Rc<RefCell<Device>>);

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        assert_eq!(address, ADDRESS);
        let mut device = self.0.borrow_mut();
        device.fails_after = match device.fails_after {
            Some(0) => {
                device.fails_after = None;
                return Err(ErrorKind::Bus);
            }
            more => more.map(|more| more - 1),
        };
        for operation in operations {
            match operation {
                Operation::Write(bytes) => device.receive(bytes),
                Operation::Read(_) => return Err(ErrorKind::Other),
            }
        }
        Ok(())
    }
}

fn oled(controller: Controller) -> (Oled<Bus>, Rc<RefCell<Device>>) {
    let device = Rc::new(RefCell::new(Device::new(controller)));
    (Oled::new(Bus(Rc::clone(&device)), controller, ADDRESS), device)
}

fn drawn(controller: Controller, areas: &[(i32, i32, u32, u32)]) -> Frame {
    let mut frame = Frame::new(controller.resolution());
    for (x, y, width, height) in areas {
        let area = Rectangle::new((*x, *y).into(), (*width, *height).into());
        frame.fill_solid(&area, BinaryColor::On).unwrap();
    }
    frame
}

const ALL: [Controller; 3] = [Controller::Ssd1306, Controller::Sh1106, Controller::Sh1107];

#[test]
fn a_display_fresh_from_power_on_shows_the_picture_and_no_noise() {
    for controller in ALL {
        let (mut oled, device) = oled(controller);
        let foot = controller.resolution().rows().cast_signed() - 1;
        let frame = drawn(controller, &[(0, 0, 1, 1), (127, foot, 1, 1), (30, 20, 50, 9)]);
        oled.show(&frame, Brightness::Full).unwrap();
        let device = device.borrow();
        assert_eq!(device.picture(), frame);
        assert_eq!((device.clock, device.contrast), (0xF0, 0xFF));
    }
}

#[test]
fn brightness_is_contrast_and_off_is_off() {
    for controller in ALL {
        let (mut oled, device) = oled(controller);
        let frame = drawn(controller, &[(3, 3, 9, 9)]);
        oled.show(&frame, Brightness::Full).unwrap();
        oled.show(&frame, Brightness::Dim).unwrap();
        assert!(device.borrow().contrast < 0x20);
        oled.show(&frame, Brightness::Off).unwrap();
        assert_eq!(device.borrow().picture(), Frame::new(controller.resolution()));
        oled.show(&frame, Brightness::Full).unwrap();
        assert_eq!((device.borrow().picture(), device.borrow().contrast), (frame, 0xFF));
    }
}

#[test]
fn sends_only_what_changed() {
    for controller in ALL {
        let (mut oled, device) = oled(controller);
        oled.show(&drawn(controller, &[(0, 0, 60, 60)]), Brightness::Full)
            .unwrap();
        let before = device.borrow().bytes;
        oled.show(&drawn(controller, &[(0, 0, 60, 60)]), Brightness::Full)
            .unwrap();
        assert_eq!(device.borrow().bytes, before, "the same picture costs nothing");
        oled.show(&drawn(controller, &[(0, 0, 60, 60), (100, 40, 4, 4)]), Brightness::Full)
            .unwrap();
        let cost = device.borrow().bytes - before;
        assert!(cost < 20, "{cost} bytes for 4 columns of one page");
    }
}

#[test]
fn an_error_anywhere_is_told_and_the_next_picture_is_whole() {
    for controller in ALL {
        let (first, second) = (
            drawn(controller, &[(0, 0, 60, 60)]),
            drawn(controller, &[(50, 10, 70, 50)]),
        );
        for transfer in 0.. {
            let (mut oled, device) = oled(controller);
            oled.show(&first, Brightness::Full).unwrap();
            device.borrow_mut().fails_after = Some(transfer);
            if oled.show(&second, Brightness::Dim).is_ok() {
                assert!(transfer > 5);
                break;
            }
            // The display may have lost its power meanwhile.
            *device.borrow_mut() = Device::new(controller);
            oled.show(&second, Brightness::Dim).unwrap();
            assert_eq!(device.borrow().picture(), second, "after transfer {transfer}");
        }
    }
}

/// What is lit in each of a series of pictures: left, top, width and height of areas.
fn series() -> impl Strategy<Value = Vec<Vec<(i32, i32, u32, u32)>>> {
    let area = (-5..130, -5..140, 0_u32..40, 0_u32..20);
    prop::collection::vec(prop::collection::vec(area, 0..6), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any series of pictures leaves the last one on the glass, as if it had been sent whole.
    #[test]
    fn parts_add_up_to_the_picture(series in series(), controller in prop::sample::select(ALL.to_vec())) {
        let (mut oled, device) = oled(controller);
        for areas in series {
            let frame = drawn(controller, &areas);
            oled.show(&frame, Brightness::Full).unwrap();
            prop_assert_eq!(device.borrow().picture(), frame);
        }
    }
}
