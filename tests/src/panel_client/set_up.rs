//! The first start: yes to the disk that a box finds empty, PIN twice, recovery code written down and two of its groups typed back.

use super::{Button, PanelClient, PanelError, Screen};

/// Groups of a recovery code.
const GROUPS: usize = 8;
const GROUP_DIGITS: usize = 6;

/// The recovery code as a person wrote it down: 8 groups of 6 digits.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode([String; GROUPS]);

impl RecoveryCode {
    /// The groups in order.
    #[must_use]
    pub fn groups(&self) -> &[String; GROUPS] {
        &self.0
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode([secret])")
    }
}

/// What the set-up asks for, as far as it can be told from the screen.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Splash,
    /// Whether the disk in the box is to hold the records.
    NewDisk,
    Welcome,
    /// How it is to be unlocked.
    Way,
    Pin {
        repeated: bool,
    },
    /// What the recovery code is for.
    Explain,
    Write,
    TypeBack {
        group: usize,
    },
    Home,
    /// The end of an errand at an open hub.
    Done,
    /// What a person has to be told once the hub is open.
    News,
    /// Something that passes by itself.
    Between,
    /// A screen that set-up does not lead to.
    Elsewhere,
}

impl PanelClient {
    /// Sets a new hub up with this PIN, on a new disk if it asks for that, and gives its recovery code.
    ///
    /// # Errors
    /// [`PanelError::Refused`] when the hub goes elsewhere (it is set up already), [`PanelError::Deadline`] when it does
    /// not go on (the PIN is too short).
    pub async fn set_up(&mut self, pin: &str) -> Result<RecoveryCode, PanelError> {
        self.look()?;
        self.go_through(pin).await
    }

    /// Opens a locked hub with its recovery code, from the screen `locked` or `wait`, gives it this PIN, and returns
    /// the new code that takes the old one's place.
    ///
    /// # Errors
    /// [`PanelError::Refused`] when the hub does not take the code.
    pub async fn recover(&mut self, code: &RecoveryCode, pin: &str) -> Result<RecoveryCode, PanelError> {
        self.look()?;
        self.hold(Button::Ok).await?;
        self.type_code(code).await?;
        self.go_through(pin).await
    }

    /// Sets a new hub up with the newest backup on the stick that is in, whose recovery code this is, gives it this PIN, and
    /// returns the new code that takes the old one's place.
    ///
    /// # Errors
    /// [`PanelError::Deadline`] when no backup is offered; [`PanelError::Refused`] when the hub does not take the code.
    pub async fn restore(&mut self, code: &RecoveryCode, pin: &str) -> Result<RecoveryCode, PanelError> {
        self.pass_splash().await?;
        self.wait_until(|screen| step(screen) == Step::Welcome).await?;
        self.press(Button::Ok).await?;
        self.answer("restore", true).await?;
        self.type_code(code).await?;
        self.go_through(pin).await
    }

    /// Types a recovery code group by group, and waits for what it leads to.
    async fn type_code(&mut self, code: &RecoveryCode) -> Result<(), PanelError> {
        for (place, group) in code.groups().iter().enumerate() {
            let asks = format!("Type group {} of {GROUPS}", place + 1);
            self.wait_until(|screen| screen.lines.contains(&asks)).await?;
            self.type_digits(group).await?;
            self.press(Button::Ok).await?;
        }
        self.wait_until(|screen| !matches!(screen.name.as_str(), "recovery" | "unlocking") || says_wrong(screen))
            .await?;
        Ok(())
    }

    /// Has an open hub make another recovery code, as who knows the PIN does, and goes home; gives the new code.
    ///
    /// # Errors
    /// [`PanelError::Refused`] when the hub does not make one, [`PanelError::Deadline`] when it does not take the PIN.
    pub async fn renew_code(&mut self, pin: &str) -> Result<RecoveryCode, PanelError> {
        self.choose("New recovery code").await?;
        self.wait_for("ask-pin").await?;
        self.type_digits(pin).await?;
        self.press(Button::Ok).await?;
        self.wait_for("setup-recovery").await?;
        let code = self.go_through(pin).await?;
        self.press(Button::Ok).await?;
        self.wait_for("home").await?;
        Ok(code)
    }

    /// Goes to this way to unlock at the first start, and takes it. Gives those that were told before it.
    ///
    /// # Errors
    /// [`PanelError::Refused`] where it is not among those that are offered; else as [`PanelClient::wait_until`].
    pub async fn take_first_way(&mut self, way: &str) -> Result<Vec<String>, PanelError> {
        self.pass_splash().await?;
        if step(self.screen()) == Step::Welcome {
            self.press(Button::Ok).await?;
        }
        let mut passed = Vec::new();
        loop {
            let screen = self.wait_for("setup-way").await?;
            let title = screen
                .lines
                .first()
                .map(|line| line.trim().to_owned())
                .unwrap_or_default();
            if title == way {
                self.take("Use it").await?;
                self.wait_until(|screen| screen.name != "setup-way").await?;
                return Ok(passed);
            }
            if passed.contains(&title) {
                return Err(self.refused());
            }
            self.take("Next").await?;
            self.wait_until(|screen| screen.lines.first().is_none_or(|line| line.trim() != title))
                .await?;
            passed.push(title);
        }
    }

    /// Does what each screen of the set-up asks for, until the hub is open.
    async fn go_through(&mut self, pin: &str) -> Result<RecoveryCode, PanelError> {
        let mut notes: [Option<String>; GROUPS] = Default::default();
        loop {
            let step = step(self.screen());
            match &step {
                Step::NewDisk => self.answer("new-disk", true).await?,
                Step::Splash | Step::Welcome | Step::Way | Step::Explain | Step::News => {
                    self.press(Button::Ok).await?;
                }
                Step::Pin { .. } => {
                    self.type_digits(pin).await?;
                    self.press(Button::Ok).await?;
                }
                Step::Write => {
                    for (place, group) in groups(&self.screen().lines) {
                        notes[place] = Some(group);
                    }
                    self.press(Button::Ok).await?;
                }
                Step::TypeBack { group } => {
                    let digits = notes.get(group - 1).cloned().flatten().ok_or_else(|| self.refused())?;
                    self.type_digits(&digits).await?;
                    self.press(Button::Ok).await?;
                }
                Step::Between => {}
                Step::Home | Step::Done => break,
                Step::Elsewhere => return Err(self.refused()),
            }
            self.wait_until(|screen| self::step(screen) != step).await?;
        }
        if notes.iter().any(Option::is_none) {
            return Err(self.refused());
        }
        Ok(RecoveryCode(notes.map(Option::unwrap_or_default)))
    }
}

/// Whether the screen says that the recovery code opens nothing.
fn says_wrong(screen: &Screen) -> bool {
    screen.lines.iter().any(|line| line == "That code is wrong.")
}

fn step(screen: &Screen) -> Step {
    let says = |text: &str| screen.lines.iter().any(|line| line.contains(text));
    match screen.name.as_str() {
        "splash" => Step::Splash,
        "new-disk" => Step::NewDisk,
        "setup-way" => Step::Way,
        "setup-pin" if says("Welcome") => Step::Welcome,
        "setup-pin" => Step::Pin {
            repeated: says("PIN again 2/4"),
        },
        "setup-recovery" => match screen.lines.iter().find_map(|line| asked_group(line)) {
            Some(group) => Step::TypeBack { group },
            None if groups(&screen.lines).is_empty() => Step::Explain,
            None => Step::Write,
        },
        // Of the box that the disk is in now a person is asked when the hub is open.
        "home" | "new-box" => Step::Home,
        "errand" => Step::Done,
        "news" if says("OK: go on") => Step::News,
        "setting-up" | "formatting" | "restoring" | "saving" | "unlocking" | "news" => Step::Between,
        _ => Step::Elsewhere,
    }
}

/// The group that a line asks for, 1 to 8: `type group 3`.
fn asked_group(line: &str) -> Option<usize> {
    let (_, number) = line.split_once("type group ")?;
    number.trim().parse().ok().filter(|group| (1..=GROUPS).contains(group))
}

/// The groups in the text of a screen, each after its number: `1 123456  2 234567`.
fn groups(lines: &[String]) -> Vec<(usize, String)> {
    let numbers: Vec<&str> = lines.iter().flat_map(|line| line.split_whitespace()).collect();
    let pairs = numbers.windows(2).filter_map(|pair| {
        let place: usize = pair[0].parse().ok().filter(|place| (1..=GROUPS).contains(place))?;
        let digits = pair[1].len() == GROUP_DIGITS && pair[1].bytes().all(|byte| byte.is_ascii_digit());
        (digits && pair[0].len() == 1).then(|| (place - 1, pair[1].to_owned()))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_stand_after_their_numbers() {
        let lines = [
            "Recovery code 3/4",
            "1 123456  2 234567",
            "3 345678  8 000011",
            "I wrote it down",
        ];
        let found = groups(&lines.map(str::to_owned));
        let expected = [(0, "123456"), (1, "234567"), (2, "345678"), (7, "000011")];
        assert_eq!(found, expected.map(|(place, group)| (place, group.to_owned())));
    }

    #[test]
    fn the_asked_group() {
        assert_eq!(asked_group("type group 3"), Some(3));
        assert_eq!(asked_group("type group 9"), None);
        assert_eq!(asked_group("Type the same PIN"), None);
    }
}
