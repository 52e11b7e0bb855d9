//! A person at the panel, who counts presses. What is looked for is a screen by its name, an entry by its place, a button by
//! its side, and figures: no word of any language.

use hub_tests::hub::Hub;
use hub_tests::panel_client::{Button, PanelClient, PanelError, Screen};

const README: &str = include_str!("../../../README.md");
/// The menu from top to bottom, by what its entries are about.
const MENU: [&str; 19] = [
    "pair",
    "phones",
    "status",
    "cloud",
    "help",
    "backup",
    "usb",
    "staff",
    "change-pin",
    "new-code",
    "keys",
    "language",
    "lock",
    "restart",
    "power-off",
    "clock",
    "larger-disk",
    "about",
    "emergency",
];

/// A language of the panel, by its place among those that a new hub asks about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    French,
    Spanish,
    Arabic,
}

/// One of the two buttons at the foot of a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    First,
    Second,
}

/// The presses that the README tells for a task.
fn told(task: &str) -> u32 {
    let row = README.lines().find(|line| line.starts_with(&format!("| {task} |")));
    let presses = row.and_then(|row| row.split('|').nth(2)?.trim().parse().ok());
    presses.unwrap_or_else(|| panic!("no row {task:?}"))
}

/// Somebody with three buttons.
pub(crate) struct Newcomer {
    pub(crate) panel: PanelClient,
    presses: u32,
}

impl Newcomer {
    /// At the panel of a hub that has just started.
    pub(crate) async fn at(hub: &Hub) -> Self {
        let mut panel = hub.panel().await.unwrap();
        panel.wait_until(|screen| screen.name != "splash").await.unwrap();
        Self { panel, presses: 0 }
    }

    pub(crate) fn screen(&self) -> &Screen {
        self.panel.screen()
    }

    /// What the screen is about, in its own words.
    pub(crate) fn title(&self) -> &str {
        self.screen().lines.first().map_or("", String::as_str)
    }

    /// Presses, and waits until something has changed.
    pub(crate) async fn press(&mut self, button: Button) {
        self.presses += 1;
        let before = self.screen().clone();
        self.panel.press(button).await.unwrap();
        self.waits_until("another picture", |screen| *screen != before).await;
    }

    /// Holds ok, which goes back, and waits until something has changed.
    pub(crate) async fn goes_back(&mut self) {
        let before = self.screen().clone();
        self.panel.hold(Button::Ok).await.unwrap();
        self.waits_until("another picture", |screen| *screen != before).await;
    }

    /// Waits for the screen of this name.
    pub(crate) async fn sees(&mut self, name: &str) {
        self.waits_until(name, |screen| screen.name == name).await;
    }

    /// Waits for a step of a task: `1/4`.
    pub(crate) async fn sees_step(&mut self, name: &str, step: &str) {
        let is_there =
            |screen: &Screen| screen.name == name && screen.lines.first().is_some_and(|title| title.ends_with(step));
        self.waits_until(step, is_there).await;
    }

    /// Waits for a question, until it can be answered.
    pub(crate) async fn is_asked(&mut self, name: &str) {
        self.waits_until(name, |screen| screen.name == name && lit(screen).is_some())
            .await;
    }

    pub(crate) async fn waits_until(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let seen = self.panel.wait_until(wanted).await;
        seen.unwrap_or_else(|error: PanelError| panic!("{what}: {error}"));
    }

    /// Moves down to the entry of this place, from the topmost, and takes it.
    pub(crate) async fn takes(&mut self, place: usize) {
        for _ in 0..place {
            self.press(Button::Down).await;
        }
        self.press(Button::Ok).await;
    }

    /// From the home screen.
    pub(crate) async fn takes_from_menu(&mut self, entry: &str) {
        self.sees("home").await;
        self.press(Button::Ok).await;
        self.sees("menu").await;
        let place = MENU.iter().position(|known| *known == entry).unwrap();
        self.takes(place).await;
    }

    /// Moves until the button of this side is lit, and takes it.
    pub(crate) async fn takes_button(&mut self, side: Side) {
        while lit(self.screen()) != Some(side) {
            self.press(Button::Down).await;
        }
        self.press(Button::Ok).await;
    }

    /// Types digits and takes them.
    pub(crate) async fn enters(&mut self, digits: &str) {
        let before = self.screen().clone();
        self.panel.type_digits(digits).await.unwrap();
        self.waits_until("digits", |screen| *screen != before).await;
        self.press(Button::Ok).await;
    }

    /// Types digits key by key, and takes them. These presses are not among those that the table tells.
    pub(crate) async fn enters_by_buttons(&mut self, digits: &str) {
        let presses = self.presses;
        for key in digits.chars().map(String::from).chain([String::from("OK")]) {
            let key = format!("<{key}>");
            while !self.screen().lines.contains(&key) {
                self.press(Button::Down).await;
            }
            self.press(Button::Ok).await;
        }
        self.presses = presses + 1;
    }

    /// Reads what the code is for, reads the eight groups off the screen and types back those that are asked for.
    pub(crate) async fn keeps_the_code(&mut self) -> Vec<String> {
        self.sees("setup-recovery").await;
        self.press(Button::Ok).await;
        self.waits_until("the code", |screen| paper(screen).len() == 8).await;
        let paper = paper(self.screen());
        self.press(Button::Ok).await;
        for _ in 0..2 {
            let asked = asked_group(self.screen()).unwrap();
            self.enters(&paper[asked - 1]).await;
        }
        paper
    }

    /// Sets a new hub up, in this language, and comes to its home screen; gives the recovery code. The way to the language is
    /// not among the presses: the table tells them where the one that somebody reads is the first.
    pub(crate) async fn sets_up(&mut self, language: Language, pin: &str) -> Vec<String> {
        self.sees("setup-pin").await;
        self.takes(language as usize).await;
        self.presses -= language as u32;
        self.sees("setup-way").await;
        self.takes(0).await;
        self.sees_step("setup-pin", "1/4").await;
        self.enters(pin).await;
        self.sees_step("setup-pin", "2/4").await;
        self.enters(pin).await;
        let code = self.keeps_the_code().await;
        self.sees("home").await;
        code
    }

    /// Locks the hub from its home screen.
    pub(crate) async fn locks(&mut self) {
        self.takes_from_menu("lock").await;
        self.takes_button(Side::First).await;
        self.sees("locked").await;
    }

    /// Looks up what the hub takes the day to be: `2026-11-27`.
    pub(crate) async fn reads_the_date(&mut self) -> String {
        self.takes_from_menu("status").await;
        // It may take turns with what else there is to say.
        self.waits_until("the date", |screen| screen.name == "status" && day(screen).is_some())
            .await;
        day(self.screen()).unwrap_or_default().to_owned()
    }

    pub(crate) async fn goes_home(&mut self) {
        while self.screen().name != "home" {
            self.goes_back().await;
        }
        self.presses = 0;
    }

    /// Takes back what the table does not tell: a mistake.
    pub(crate) const fn forgets(&mut self, presses: u32) {
        self.presses -= presses;
    }

    /// All that the table tells of this was pressed since the last task.
    pub(crate) fn has_done(&mut self, task: &str) {
        assert_eq!(self.presses, told(task), "{task}");
        self.presses = 0;
    }
}

/// The button that is lit, if there are buttons: the foot reads `[this]  that`.
fn lit(screen: &Screen) -> Option<Side> {
    let foot = screen.lines.last()?;
    match (foot.starts_with('['), foot.ends_with(']')) {
        (true, false) => Some(Side::First),
        (false, true) => Some(Side::Second),
        _ => None,
    }
}

/// The day on a screen.
fn day(screen: &Screen) -> Option<&str> {
    let mut words = screen.lines.iter().flat_map(|line| line.split_whitespace());
    words.find(|word| word.len() == 10 && word.matches('-').count() == 2)
}

/// The groups as they stand behind their numbers: `1 123456  2 234567`.
fn paper(screen: &Screen) -> Vec<String> {
    let words = screen.lines.iter().flat_map(|line| line.split_whitespace());
    let groups = words.filter(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()));
    groups.map(str::to_owned).collect()
}

/// The group that is asked for: the one figure between the title, which counts steps, and the keys.
fn asked_group(screen: &Screen) -> Option<usize> {
    let text = screen.lines.iter().skip(1).filter(|line| !line.starts_with('<'));
    let mut figures = text
        .flat_map(|line| line.split_whitespace())
        .filter_map(|word| word.parse().ok());
    figures.find(|figure| (1..=8).contains(figure))
}
