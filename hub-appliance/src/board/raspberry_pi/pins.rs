//! Pins and bus by rppal, or, where rppal does not know the board, by the kernel's character devices.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::thread::JoinHandle;
use std::time::Duration;

use embedded_hal::i2c::{Error as _, ErrorKind, ErrorType, I2c, Operation};
use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use gpiocdev::request::{Config, Request};
use linux_embedded_hal::I2cdev;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rppal::gpio::{Gpio, InputPin, Level, OutputPin, Trigger};

use super::hands::Hands;
use crate::board::beacon::Wire;
use crate::board::profile::Profile;

/// The bus on the header of every board so far.
const BUS: &str = "/dev/i2c-1";
const BUS_NUMBER: u8 = 1;
/// The chip of the header's pins where its lines have no names.
const CHIP: &str = "/dev/gpiochip0";
/// Longer than any of these controllers needs (SSD1306: 3 µs).
const RESET: Duration = Duration::from_millis(1);

/// Who speaks to the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Rppal,
    CharacterDevices,
}

impl Access {
    /// rppal where it knows the board.
    pub(super) fn here() -> Self {
        match rppal::system::DeviceInfo::new() {
            Ok(_) => Self::Rppal,
            Err(_) => Self::CharacterDevices,
        }
    }

    pub(super) fn open_bus(self) -> io::Result<Bus> {
        match self {
            Self::Rppal => rppal::i2c::I2c::with_bus(BUS_NUMBER)
                .map(Bus::Rppal)
                .map_err(io::Error::other),
            Self::CharacterDevices => I2cdev::new(BUS).map(Bus::Device).map_err(io::Error::other),
        }
    }

    /// Resets the display of a profile whose reset is a pin, for one that does not answer before. It is out of its reset for as
    /// long as what is returned lives.
    pub(super) fn reset(self, profile: &Profile) -> io::Result<Outputs> {
        match self {
            Self::Rppal => rppal_outputs(profile).or_else(|_| device_outputs(profile)),
            Self::CharacterDevices => device_outputs(profile),
        }
    }

    /// Takes a pin for something that is on while it is high.
    pub(super) fn open_output(self, pin: u8) -> io::Result<Output> {
        let device = || output(pin).map(Output::Device);
        match self {
            Self::Rppal => Gpio::new()
                .and_then(|gpio| gpio.get(pin))
                .map(|pin| Output::Rppal(pin.into_output_low()))
                .or_else(|_| device()),
            Self::CharacterDevices => device(),
        }
    }

    /// Takes the profile's pins; whatever a contact does is told to `hands`. rppal wants the registers of all pins, which
    /// not every kernel shows and not every user may see; the character devices give the same contacts.
    pub(super) fn open_pins(self, profile: &Profile, hands: &Hands) -> io::Result<Pins> {
        match self {
            Self::Rppal => rppal_pins(profile, hands).or_else(|error| {
                tracing::info!(%error, "rppal does not get at the pins; they are taken one by one");
                device_pins(profile, hands)
            }),
            Self::CharacterDevices => device_pins(profile, hands),
        }
    }
}

/// The I²C bus.
pub(super) enum Bus {
    Rppal(rppal::i2c::I2c),
    Device(I2cdev),
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ErrorKind> {
        match self {
            Self::Rppal(bus) => bus.transaction(address, operations).map_err(|error| error.kind()),
            Self::Device(bus) => bus.transaction(address, operations).map_err(|error| error.kind()),
        }
    }
}

/// The pins, given back when dropped.
pub(super) enum Pins {
    Rppal { _buttons: Vec<InputPin>, _outputs: Outputs },
    Devices { _reader: Reader, _outputs: Outputs },
}

/// The pins that a display needs beside the bus, given back when dropped.
pub(super) enum Outputs {
    Rppal { _pins: Vec<OutputPin> },
    Devices { _pins: Vec<Request> },
}

/// A pin that drives something, low again when it is given back.
pub(super) enum Output {
    Rppal(OutputPin),
    Device(Request),
}

impl Wire for Output {
    fn set(&mut self, high: bool) -> io::Result<()> {
        match self {
            Self::Rppal(pin) => {
                pin.write(if high { Level::High } else { Level::Low });
                Ok(())
            }
            Self::Device(line) => {
                let value = if high { Value::Active } else { Value::Inactive };
                line.set_lone_value(value).map(|_| ()).map_err(io::Error::other)
            }
        }
    }
}

/// Sets the address, and resets the display.
fn rppal_outputs(profile: &Profile) -> io::Result<Outputs> {
    let gpio = Gpio::new().map_err(io::Error::other)?;
    let get = |pin| gpio.get(pin).map_err(io::Error::other);
    let mut pins = Vec::new();
    if let Some(pin) = profile.low {
        pins.push(get(pin)?.into_output_low());
    }
    if let Some(pin) = profile.reset {
        let mut reset = get(pin)?.into_output_low();
        wait_for_reset();
        reset.set_high();
        pins.push(reset);
    }
    Ok(Outputs::Rppal { _pins: pins })
}

/// The same by the character devices.
fn device_outputs(profile: &Profile) -> io::Result<Outputs> {
    let mut pins = Vec::new();
    if let Some(pin) = profile.low {
        pins.push(output(pin)?);
    }
    if let Some(pin) = profile.reset {
        let reset = output(pin)?;
        wait_for_reset();
        reset.set_lone_value(Value::Active).map_err(io::Error::other)?;
        pins.push(reset);
    }
    Ok(Outputs::Devices { _pins: pins })
}

fn rppal_pins(profile: &Profile, hands: &Hands) -> io::Result<Pins> {
    // rppal asks for contacts in threads of its own, and tells nobody if it does not get them.
    for (pin, _) in profile.buttons {
        drop(input(*pin)?);
    }
    let outputs = rppal_outputs(profile)?;
    let gpio = Gpio::new().map_err(io::Error::other)?;
    let mut buttons = Vec::new();
    for (index, (pin, _)) in profile.buttons.iter().enumerate() {
        let mut button = gpio.get(*pin).map_err(io::Error::other)?.into_input_pullup();
        let hands = hands.clone();
        let told = button.set_async_interrupt(Trigger::Both, None, move |event| {
            hands.changed(index, event.trigger == Trigger::FallingEdge, event.timestamp);
        });
        told.map_err(io::Error::other)?;
        buttons.push(button);
    }
    Ok(Pins::Rppal {
        _buttons: buttons,
        _outputs: outputs,
    })
}

/// Waits for edges in a thread of its own until it is dropped.
pub(super) struct Reader {
    /// Its end wakes the thread.
    bell: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.bell = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to tidy up.
            let _ = thread.join();
        }
    }
}

fn device_pins(profile: &Profile, hands: &Hands) -> io::Result<Pins> {
    let outputs = device_outputs(profile)?;
    let readers = profile.buttons.iter().map(|(pin, _)| input(*pin));
    let readers = readers.collect::<io::Result<Vec<_>>>()?;
    let (bell, ear) = UnixStream::pair()?;
    let hands = hands.clone();
    let thread = std::thread::Builder::new()
        .name("panel-buttons".into())
        .spawn(move || read_edges(&readers, &ear, &hands))?;
    Ok(Pins::Devices {
        _reader: Reader {
            bell: Some(bell),
            thread: Some(thread),
        },
        _outputs: outputs,
    })
}

/// The chip and line of a pin: by the name that a Raspberry Pi's device tree gives it, else by its number.
fn find(pin: u8) -> (std::path::PathBuf, u32) {
    match gpiocdev::find_named_line(&format!("GPIO{pin}")) {
        Some(found) => (found.chip, found.info.offset),
        None => (CHIP.into(), pin.into()),
    }
}

/// A contact to ground, whose edges are kept from now on.
fn input(pin: u8) -> io::Result<Request> {
    let (chip, line) = find(pin);
    let mut config = Config::default();
    config
        .on_chip(chip)
        .with_line(line)
        .as_input()
        .as_active_low()
        .with_bias(Bias::PullUp)
        .with_edge_detection(EdgeDetection::BothEdges);
    request(config)
}

fn output(pin: u8) -> io::Result<Request> {
    let (chip, line) = find(pin);
    let mut config = Config::default();
    config.on_chip(chip).with_line(line).as_output(Value::Inactive);
    request(config)
}

fn request(config: Config) -> io::Result<Request> {
    Request::from_config(config)
        .with_consumer("hub-appliance")
        .request()
        .map_err(io::Error::other)
}

/// Until the other end of `ear` is gone, or a line can't be read any more.
fn read_edges(lines: &[Request], ear: &UnixStream, hands: &Hands) {
    loop {
        let mut waiting: Vec<PollFd<'_>> = lines
            .iter()
            .map(|line| PollFd::new(line.as_fd(), PollFlags::POLLIN))
            .collect();
        waiting.push(PollFd::new(ear.as_fd(), PollFlags::POLLIN));
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return tracing::error!(%error, "the buttons cannot be read"),
            Ok(_) => {}
        }
        let is_ready = |at: usize| waiting[at].any().unwrap_or(true);
        if is_ready(lines.len()) {
            return;
        }
        for (index, line) in lines.iter().enumerate().filter(|(index, _)| is_ready(*index)) {
            match line.read_edge_event() {
                Ok(event) => {
                    let at = Duration::from_nanos(event.timestamp_ns);
                    hands.changed(index, event.kind == EdgeKind::Rising, at);
                }
                Err(error) => return tracing::error!(%error, "a button cannot be read"),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the reset pulse has no other end than time")]
fn wait_for_reset() {
    std::thread::sleep(RESET);
}
