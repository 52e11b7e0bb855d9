//! What a person does at the panel, from opening the hub to locking it.

use serde::Deserialize;
use serde_json::Value;

use super::{Button, PairingCode, PanelClient, PanelError, Screen};

/// Screens of a hub that is not open: no button leads from them to the menu.
const CLOSED: [&str; 22] = [
    "disk-away",
    "begin-anew",
    "splash",
    "setup-pin",
    "setup-recovery",
    "setting-up",
    "locked",
    "wait",
    "recovery",
    "unlocking",
    "locking",
    "off",
    "error",
    "new-disk",
    "erase-disk",
    "use-card",
    "repair",
    "put-back",
    "formatting",
    "move-data",
    "moving",
    "repairing",
];

/// What an open hub may have to ask before anything else.
const ASKED: [&str; 4] = ["other-cloud", "other-key", "other-office", "withdrawn-clinic"];

impl PanelClient {
    /// Unlocks with the PIN.
    ///
    /// # Errors
    /// [`PanelError::Refused`] when the hub does not open: a wrong PIN, a wait.
    pub async fn unlock(&mut self, pin: &str) -> Result<(), PanelError> {
        self.pass_splash().await?;
        self.wait_until(|screen| matches!(screen.name.as_str(), "locked" | "wait"))
            .await?;
        if self.screen.name == "wait" {
            return Err(self.refused());
        }
        self.type_digits(pin).await?;
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != "locked").await?;
        self.wait_until(|screen| screen.name != "unlocking").await?;
        if ASKED.contains(&self.screen.name.as_str()) {
            return Ok(());
        }
        self.expect("home")
    }

    /// Goes on from the splash, if that is up, to what the hub shows behind it.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn pass_splash(&mut self) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.name == "splash" {
            self.press(Button::Ok).await?;
        }
        self.wait_until(|screen| screen.name != "splash").await.map(|_| ())
    }

    /// Opens pairing from anywhere in the open hub and gives what the QR code says.
    ///
    /// # Errors
    /// [`PanelError::NoCode`] or [`PanelError::NotPairing`] when the picture can't be read; else as
    /// [`PanelClient::wait_until`].
    pub async fn open_pairing(&mut self) -> Result<PairingCode, PanelError> {
        self.wake().await?;
        if self.screen.name != "pair" {
            self.choose("Pair a phone").await?;
            self.wait_until(|screen| screen.name != "menu").await?;
            self.expect("pair")?;
        }
        self.pairing_code()
    }

    /// Waits until home says that so many rows ask for a person; it looks once somebody has pressed something.
    ///
    /// # Errors
    /// As [`PanelClient::open_pairing`].
    pub async fn wait_for_held(&mut self, count: usize) -> Result<(), PanelError> {
        self.open_pairing().await?;
        self.press(Button::Back).await?;
        let text = match count {
            1 => "1 needs help".to_owned(),
            ..1000 => format!("{count} need help"),
            _ => format!("{}k need help", count / 1000),
        };
        let says = |line: &String| line == &text || line.ends_with(&format!(" {text}"));
        let asks = |line: &String| line.contains("need help") || line.contains("needs help");
        let is_told = |screen: &Screen| match count {
            0 => !screen.lines.iter().any(asks),
            _ => screen.lines.iter().any(says),
        };
        self.wait_until(is_told).await.map(drop)
    }

    /// Reads the QR code out of the picture.
    ///
    /// # Errors
    /// As [`PanelClient::open_pairing`].
    pub fn pairing_code(&self) -> Result<PairingCode, PanelError> {
        let text = self.screen.frame.qr_text().ok_or(PanelError::NoCode)?;
        let code: Value = serde_json::from_str(&text).map_err(|_| PanelError::NotPairing)?;
        if code["type"] != "sync_hub" {
            return Err(PanelError::NotPairing);
        }
        PairingCode::deserialize(code).map_err(|_| PanelError::NotPairing)
    }

    /// Keeps pairing open after the next phone.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn keep_pairing_open(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.expect("pair")?;
        let stays = |screen: &Screen| screen.lines.iter().any(|line| line == "Stays open");
        // It takes buttons as soon as it says what they do, under title, address and time.
        self.wait_until(|screen| screen.lines.len() > 3).await?;
        if !stays(&self.screen) {
            self.press(Button::Ok).await?;
            self.wait_until(stays).await?;
        }
        Ok(())
    }

    /// Has the courier's stick taken from and written to; what the panel says when that is over.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn exchange_by_usb(&mut self) -> Result<String, PanelError> {
        self.begin_exchange().await?;
        let is_over = |screen: &Screen| screen.name == "usb" && has_buttons(screen);
        self.wait_until(is_over).await?;
        Ok(self.screen.lines.join("\n"))
    }

    /// The same without waiting for its end.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn begin_exchange(&mut self) -> Result<(), PanelError> {
        self.wake().await?;
        self.choose("USB").await?;
        self.wait_until(|screen| screen.name == "usb").await?;
        let before = self.screen.lines.get(1).cloned();
        self.press(Button::Ok).await?;
        // A bundle has a number, so no outcome looks like the one before.
        self.wait_until(|screen| screen.name == "usb" && screen.lines.get(1) != before.as_ref())
            .await?;
        Ok(())
    }

    /// Waits for the next phone that pairs and keeps it.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn keep(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.wait_until(asks_about_a_phone).await?;
        let shown = self.screen.lines.clone();
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != "paired" || screen.lines != shown)
            .await?;
        Ok(())
    }

    /// Waits for the next phone that pairs and sends it away.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn undo(&mut self) -> Result<(), PanelError> {
        self.look()?;
        self.wait_until(asks_about_a_phone).await?;
        let shown = self.screen.lines.clone();
        self.press(Button::Down).await?;
        self.wait_until(|screen| screen.lines != shown).await?;
        self.press(Button::Ok).await?;
        // Where another one waits, its question is the next screen: number and name stand in the second line.
        self.wait_until(|screen| screen.name != "paired" || screen.lines.get(1) != shown.get(1))
            .await?;
        Ok(())
    }

    /// Answers what the hub asks on the screen of this name.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn answer(&mut self, name: &str, yes: bool) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.name == "splash" {
            self.press(Button::Ok).await?;
        }
        self.wait_until(|screen| screen.name == name && has_buttons(screen))
            .await?;
        if yes {
            // No is chosen until a person chooses otherwise.
            let before = self.screen.lines.clone();
            self.press(Button::Up).await?;
            self.wait_until(|screen| screen.lines != before).await?;
        }
        self.press(Button::Ok).await?;
        self.wait_until(|screen| screen.name != name).await?;
        Ok(())
    }

    /// Begins to change the PIN, from anywhere in the open hub.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn open_pin_change(&mut self) -> Result<(), PanelError> {
        self.wake().await?;
        self.choose("Change PIN").await?;
        self.wait_for("change-pin").await?;
        Ok(())
    }

    /// Changes the PIN, from anywhere in the open hub, up to the press that takes the new one.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn begin_pin_change(&mut self, present: &str, new: &str) -> Result<(), PanelError> {
        self.open_pin_change().await?;
        self.wait_until(says("Current PIN")).await?;
        self.type_digits(present).await?;
        self.press(Button::Ok).await?;
        self.wait_until(says("New PIN")).await?;
        self.type_digits(new).await?;
        self.press(Button::Ok).await?;
        self.wait_until(says("PIN again")).await?;
        self.type_digits(new).await
    }

    /// Changes the PIN, from anywhere in the open hub, and goes home.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn change_pin(&mut self, present: &str, new: &str) -> Result<(), PanelError> {
        self.begin_pin_change(present, new).await?;
        self.press(Button::Ok).await?;
        self.wait_until(says("PIN changed")).await?;
        self.press(Button::Ok).await?;
        self.wait_for("home").await?;
        Ok(())
    }

    /// Takes a button of a way to unlock, from anywhere in the open hub.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn take_way(&mut self, way: &str, button: &str) -> Result<(), PanelError> {
        self.choose("Keys").await?;
        self.wait_for("keys").await?;
        self.take(way).await?;
        self.wait_for("key").await?;
        self.take(button).await
    }

    /// Begins a run of the relay to the cloud, from anywhere in the open hub; the button held asks for one that compares
    /// everything.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn begin_sync(&mut self, whole: bool) -> Result<(), PanelError> {
        self.wait_for_cloud("").await?;
        self.light("Sync now").await?;
        if whole {
            self.hold(Button::Ok).await
        } else {
            self.press(Button::Ok).await
        }
    }

    /// Begins a run of the relay, waits until it has ended, and gives what the panel says of the cloud then.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn relay_now(&mut self) -> Result<Vec<String>, PanelError> {
        self.begin_sync(false).await?;
        self.wait_until(is_relaying).await?;
        self.wait_for_cloud("").await?;
        Ok(self.screen.lines.clone())
    }

    /// Goes to the screen about the cloud, and waits there until no run is under way and it says this.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn wait_for_cloud(&mut self, says: &str) -> Result<(), PanelError> {
        self.wake().await?;
        if self.screen.name != "cloud" {
            self.choose("Cloud").await?;
            self.wait_for("cloud").await?;
        }
        self.wait_until(|screen| !is_relaying(screen) && screen.lines.iter().any(|line| line.contains(says)))
            .await?;
        Ok(())
    }

    /// Locks from anywhere in the open hub.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn lock(&mut self) -> Result<(), PanelError> {
        self.wake().await?;
        self.choose("Lock now").await?;
        self.wait_for("lock").await?;
        self.press(Button::Ok).await?;
        self.wait_for("locked").await?;
        Ok(())
    }

    /// Switches off from anywhere in the open hub, and returns when the panel says that it is off.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn switch_off(&mut self) -> Result<(), PanelError> {
        self.wake().await?;
        self.choose("Switch off").await?;
        self.wait_for("power-off").await?;
        // What is lit at first is to stay on.
        self.press(Button::Up).await?;
        self.press(Button::Ok).await?;
        self.wait_for("off").await?;
        Ok(())
    }

    /// Goes to the menu from anywhere in the open hub and takes an entry.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn choose(&mut self, entry: &str) -> Result<(), PanelError> {
        while self.screen.name != "menu" {
            if CLOSED.contains(&self.screen.name.as_str()) {
                return Err(self.refused());
            }
            self.wait_until(takes_answers).await?;
            let before = self.screen.name.clone();
            let way = if before == "home" { Button::Ok } else { Button::Back };
            self.press(way).await?;
            self.wait_until(|screen| screen.name != before).await?;
        }
        self.take(entry).await
    }

    /// Moves down until this entry of a list, or this button, is lit, and presses it.
    ///
    /// # Errors
    /// As [`PanelClient::wait_until`].
    pub async fn take(&mut self, entry: &str) -> Result<(), PanelError> {
        self.light(entry).await?;
        self.press(Button::Ok).await
    }

    async fn light(&mut self, entry: &str) -> Result<(), PanelError> {
        while !marks(&self.screen, entry) {
            let before = self.screen.lines.clone();
            self.press(Button::Down).await?;
            self.wait_until(|screen| screen.lines != before).await?;
        }
        Ok(())
    }

    /// A sleeping panel takes the first press for itself.
    async fn wake(&mut self) -> Result<(), PanelError> {
        self.look()?;
        if self.screen.frame.is_dark() {
            self.press(Button::Up).await?;
            self.wait_until(|screen| !screen.frame.is_dark()).await?;
        }
        Ok(())
    }

    fn expect(&self, name: &str) -> Result<(), PanelError> {
        if self.screen.name == name {
            Ok(())
        } else {
            Err(self.refused())
        }
    }

    pub(super) fn refused(&self) -> PanelError {
        PanelError::Refused {
            screen: self.screen.name.clone(),
            lines: self.screen.lines.clone(),
        }
    }
}

/// Whether a run of the relay is under way.
fn is_relaying(screen: &Screen) -> bool {
    let begins = |line: &String| line.starts_with("Receiving") || line.starts_with("Sent ");
    screen.name == "cloud" && screen.lines.iter().any(begins)
}

/// Whether a phone has paired and the buttons to answer are lit.
fn asks_about_a_phone(screen: &Screen) -> bool {
    screen.name == "paired" && takes_answers(screen)
}

/// Whether the screen says what can be pressed. One that the hub brings up does not at first.
fn takes_answers(screen: &Screen) -> bool {
    match screen.name.as_str() {
        "paired" => has_buttons(screen),
        "news" => screen.lines.iter().any(|line| line.contains("OK: ")),
        _ => true,
    }
}

/// Whether one of two buttons is lit.
fn has_buttons(screen: &Screen) -> bool {
    screen.lines.iter().any(|line| line.contains('['))
}

/// Whether this entry of a list, or this button, is the chosen one.
fn marks(screen: &Screen, entry: &str) -> bool {
    let button = format!("[{entry}]");
    let lit = |line: &String| line.strip_prefix('>').is_some_and(|marked| marked.trim() == entry);
    screen.lines.iter().any(|line| lit(line) || line.contains(&button))
}

/// Whether a screen says this.
fn says(text: &'static str) -> impl Fn(&Screen) -> bool {
    move |screen| screen.lines.join(" ").contains(text)
}
