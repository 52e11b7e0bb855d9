//! Set-up and unlock through the drivers of a Raspberry Pi's pins: the buttons are the kernel's simulated GPIO lines, the
//! display is what goes over an I²C bus, and who presses sees nothing but its pixels.
//!
//! `scripts/test-image --hardware` adds the bus and the lines to a copy of the image (`tests/hardware`) and runs this with
//! the copy's path in the variable `HUB_HARDWARE_IMAGE`.

use std::path::PathBuf;
use std::time::Duration;

use hub_tests::hub::PIN;
use hub_tests::panel_client::Frame;
use hub_tests::patience::patience;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::display::Display;
use super::reader::{Reader, Reading, lit_button, lit_key};
use super::vm::Vm;
use super::{LISTENING, PRIVATE_NETWORK, new_box_of};

/// How long the emulated box may take for anything.
const PATIENCE: Duration = Duration::from_secs(300);

/// The pins of the Adafruit bonnet's stick.
const OK: u8 = 4;
const LEFT: u8 = 27;
const RIGHT: u8 = 23;
/// The place of the key that takes what is typed.
const TAKE: usize = 11;
const KEYS: usize = 12;
/// The places of a question's buttons.
const YES: usize = 0;
const NO: usize = 1;
/// Digits of a group of the recovery code, which fill its field.
const GROUP: usize = 6;
/// Time in the box is counted in its instructions, 4 ns each: else a press could be over, on a machine that does other
/// things, before the box's kernel came round to look at the contact. With one processor, because by counted time QEMU
/// lets several take turns of a tenth of a second, in which the others stand still.
const OWN_TIME: [&str; 4] = ["-icount", "shift=2", "-smp", "1"];
/// Groups of the recovery code.
const GROUPS: usize = 8;

/// Somebody who presses the bonnet's buttons and looks at its display.
struct Person {
    port: UnixStream,
    display: Display,
    reader: Reader,
}

impl Person {
    async fn at(vm: &Vm) -> Self {
        Self {
            port: UnixStream::connect(vm.panel_socket()).await.unwrap(),
            display: Display::new(),
            reader: Reader::new(),
        }
    }

    /// Looks until the picture is as wanted.
    async fn see<T>(&mut self, what: &str, wanted: impl Fn(&Frame, Option<&Reading>) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + patience(PATIENCE);
        loop {
            let frame = self.display.frame();
            let reading = self.reader.read(&frame);
            if let Some(found) = wanted(&frame, reading.as_ref()) {
                return found;
            }
            let mut bytes = [0; 4096];
            match tokio::time::timeout_at(deadline, self.port.read(&mut bytes)).await {
                Ok(read) => self.display.feed(&bytes[..read.unwrap()]),
                Err(_) => panic!("no {what}; the display shows {reading:?}"),
            }
        }
    }

    async fn sees_title(&mut self, title: &str) -> Reading {
        self.see(title, |_, reading| {
            reading.filter(|reading| reading.title == title).cloned()
        })
        .await
    }

    async fn sees_lit_button(&mut self, button: usize) {
        let is_lit = |frame: &Frame, _: Option<&Reading>| (lit_button(frame)? == button).then_some(());
        self.see("lit button", is_lit).await;
    }

    /// Presses a button, and looks until something has changed.
    async fn press(&mut self, pin: u8) {
        let before = self.display.frame();
        self.port.write_all(format!("press {pin}\n").as_bytes()).await.unwrap();
        self.see("change", |frame, _| (*frame != before).then_some(())).await;
    }

    /// Moves along the strip from one key to another. The strip is drawn last, so what is lit is what counts.
    async fn move_to(&mut self, key: usize, mut at: usize) {
        while at != key {
            let is_right = (key + KEYS - at) % KEYS <= KEYS / 2;
            self.press(if is_right { RIGHT } else { LEFT }).await;
            // The picture also changes by itself, once a minute.
            let moved = |frame: &Frame, _: Option<&Reading>| lit_key(frame).filter(|next| *next != at);
            at = self.see("move", moved).await;
        }
    }

    /// Types digits into an empty field and takes them.
    async fn enter(&mut self, digits: &str) {
        // The strip begins on a digit. Before it is drawn there may still be the one before, on the key that takes.
        let mut at = self
            .see("fresh strip", |frame, _| lit_key(frame).filter(|key| *key < 10))
            .await;
        for digit in digits.bytes() {
            let key = usize::from(digit - b'0');
            self.move_to(key, at).await;
            self.press(OK).await;
            at = key;
        }
        if digits.len() == GROUP {
            // A field that is full goes there by itself.
            let full = |frame: &Frame, _: Option<&Reading>| (lit_key(frame)? == TAKE).then_some(());
            self.see("full field", full).await;
        } else {
            self.move_to(TAKE, at).await;
        }
        self.press(OK).await;
    }
}

/// The groups of the recovery code, in their order.
fn groups(shown: &Reading) -> Vec<String> {
    let is_group = |word: &&String| word.len() == GROUP && word.bytes().all(|byte| byte.is_ascii_digit());
    shown.groups.iter().filter(is_group).cloned().collect()
}

#[tokio::test]
#[ignore = "boots an image with simulated hardware: scripts/test-image --hardware"]
async fn a_person_sets_up_and_unlocks_by_buttons_and_eyes_alone() {
    let card = std::env::var_os("HUB_HARDWARE_IMAGE").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box_of(
        &card.expect("HUB_HARDWARE_IMAGE names the card"),
        &folder,
        PRIVATE_NETWORK,
    );
    let mut vm = Vm::start_with(&parts, folder.path(), &OWN_TIME).unwrap();
    vm.wait_for(LISTENING).await.unwrap();

    let mut person = Person::at(&vm).await;
    person.sees_title("New disk").await;
    // The buttons come when they work, and no is lit until somebody moves.
    person.sees_lit_button(NO).await;
    person.press(LEFT).await;
    person.sees_lit_button(YES).await;
    person.press(OK).await;
    person.sees_title("Welcome").await;
    assert_eq!(person.display.clock(), 0xF0);
    person.press(OK).await;
    person.sees_title("PIN alone").await;
    person.press(OK).await;
    person.sees_title("New PIN").await;
    person.enter(PIN).await;
    person.sees_title("PIN again").await;
    person.enter(PIN).await;
    person.sees_title("Recovery code").await;
    person.press(OK).await;
    // The display is filled from above: its title is there before the last groups are.
    let all_groups = |_: &Frame, reading: Option<&Reading>| {
        let shown = reading.filter(|reading| reading.title == "Recovery code")?;
        Some(groups(shown)).filter(|paper| paper.len() == GROUPS)
    };
    let paper = person.see("recovery code", all_groups).await;
    person.press(OK).await;
    let mut asked = String::new();
    for _ in 0..2 {
        let ask = |reading: &Reading| reading.lines[1].strip_prefix("type group ").map(str::to_owned);
        let next = person.see("another group", |_, reading| {
            reading
                .filter(|reading| reading.title == "Check code")
                .and_then(ask)
                .filter(|next| *next != asked)
        });
        asked = next.await;
        let number: usize = asked.parse().unwrap();
        person.enter(&paper[number - 1]).await;
    }
    person.sees_title("No staff yet").await;
    drop(person);

    vm.reset().await.unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut person = Person::at(&vm).await;
    person.sees_title("Locked").await;
    person.enter(PIN).await;
    person.sees_title("No staff yet").await;
}
