//! Somebody who has never seen the hub does every task of the README's table, by what the screen says, with up, down and
//! ok alone, and in as many presses as the table tells.

use std::ffi::OsStr;
use std::path::PathBuf;

use hub_tests::hub::{Hub, Log, binary};
use hub_tests::panel_client::{Button, PanelClient, PanelError, RecoveryCode, Screen};
use hub_tests::phone::Phone;
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");
const PIN: &str = "31415926";
const NEW_PIN: &str = "27182818";

/// The presses that the README tells for a task.
fn told(task: &str) -> u32 {
    let row = README.lines().find(|line| line.starts_with(&format!("| {task} |")));
    let presses = row.and_then(|row| row.split('|').nth(2)?.trim().parse().ok());
    presses.unwrap_or_else(|| panic!("no row {task:?}"))
}

/// A person at the panel, who counts presses.
struct Newcomer {
    panel: PanelClient,
    presses: u32,
}

impl Newcomer {
    async fn at(hub: &Hub) -> Self {
        let mut panel = hub.panel().await.unwrap();
        panel.wait_until(|screen| screen.name != "splash").await.unwrap();
        Self { panel, presses: 0 }
    }

    fn screen(&self) -> &Screen {
        self.panel.screen()
    }

    /// Presses, and waits until something has changed.
    async fn press(&mut self, button: Button) {
        self.presses += 1;
        let before = self.screen().clone();
        self.panel.press(button).await.unwrap();
        self.panel.wait_until(|screen| *screen != before).await.unwrap();
    }

    /// Holds ok, which goes back, and waits until something has changed.
    async fn goes_back(&mut self) {
        let before = self.screen().clone();
        self.panel.hold(Button::Ok).await.unwrap();
        self.panel.wait_until(|screen| *screen != before).await.unwrap();
    }

    async fn sees(&mut self, text: &str) {
        let seen = self.panel.wait_until(|screen| says(screen, text)).await;
        seen.unwrap_or_else(|error: PanelError| panic!("{text}: {error}"));
    }

    /// Moves down until `entry` is lit, and takes it.
    async fn take(&mut self, entry: &str) {
        let is_lit = |screen: &Screen| {
            let lit = |line: &String| {
                line.strip_prefix('>').is_some_and(|line| line.trim() == entry) || line.contains(&format!("[{entry}]"))
            };
            screen.lines.iter().any(lit)
        };
        while !is_lit(self.screen()) {
            self.press(Button::Down).await;
        }
        self.press(Button::Ok).await;
    }

    /// From the home screen.
    async fn take_from_menu(&mut self, entry: &str) {
        self.sees("OK: Menu").await;
        self.press(Button::Ok).await;
        self.take(entry).await;
    }

    /// Types digits and takes them.
    async fn enter(&mut self, digits: &str) {
        let before = self.screen().clone();
        self.panel.type_digits(digits).await.unwrap();
        self.panel.wait_until(|screen| *screen != before).await.unwrap();
        self.press(Button::Ok).await;
    }

    /// Types digits key by key, and takes them. These presses are not among those that the table tells.
    async fn enter_by_buttons(&mut self, digits: &str) {
        let presses = self.presses;
        for key in digits.chars().map(String::from).chain([String::from("OK")]) {
            let key = format!("<{key}>");
            while !says(self.screen(), &key) {
                self.press(Button::Down).await;
            }
            self.press(Button::Ok).await;
        }
        self.presses = presses + 1;
    }

    /// Reads the eight groups off the screen and types back those that are asked for.
    async fn keeps_the_code(&mut self) -> Vec<String> {
        self.sees("It opens the hub when").await;
        self.press(Button::Ok).await;
        self.sees("I wrote it down").await;
        let paper = paper(self.screen());
        self.press(Button::Ok).await;
        for _ in 0..2 {
            let asked = self
                .screen()
                .lines
                .iter()
                .find_map(|line| line.strip_prefix("type group "));
            let asked: usize = asked.unwrap().trim().parse().unwrap();
            self.enter(&paper[asked - 1]).await;
        }
        paper
    }

    async fn goes_home(&mut self) {
        while !says(self.screen(), "OK: Menu") {
            self.goes_back().await;
        }
        self.presses = 0;
    }

    fn has_done(&mut self, task: &str) {
        assert_eq!(self.presses, told(task), "{task}");
        self.presses = 0;
    }
}

fn says(screen: &Screen, text: &str) -> bool {
    screen.lines.iter().any(|line| line.contains(text))
}

/// The groups as they stand behind their numbers: `1 123456  2 234567`.
fn paper(screen: &Screen) -> Vec<String> {
    let words = screen.lines.iter().flat_map(|line| line.split_whitespace());
    let groups = words.filter(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit()));
    groups.map(str::to_owned).collect()
}

async fn start(folder: &TempDir) -> Hub {
    let (data, socket): (PathBuf, PathBuf) = (folder.path().join("data"), folder.path().join("panel.sock"));
    Hub::start(&data, &socket, "127.0.0.1:0", Log::Warnings).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn does_every_task_of_the_readme() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = start(&folder).await;
    let mut person = Newcomer::at(&hub).await;

    person.sees("OK: begin").await;
    person.press(Button::Ok).await;
    person.sees("Choose 8 to 12 digits").await;
    person.enter(PIN).await;
    person.sees("Type the same PIN").await;
    person.enter(PIN).await;
    person.keeps_the_code().await;
    person.sees("OK: Menu").await;
    person.has_done("set up");

    person.take_from_menu("Lock now").await;
    person.take("Lock").await;
    person.sees("Type the PIN").await;
    person.has_done("lock");

    person.enter_by_buttons(PIN).await;
    person.sees("OK: Menu").await;
    person.has_done("unlock");

    person.take_from_menu("Pair a phone").await;
    person.sees("Scan me").await;
    let code = person.panel.pairing_code().unwrap();
    let phone = Phone::new(&code.url).unwrap();
    let mut client = phone.client.named("Nurse's phone");
    client.handshake().await.unwrap();
    person.sees("1 Nurse's phone").await;
    person.sees("[Keep]").await;
    person.take("Keep").await;
    person.sees("OK: Menu").await;
    person.has_done("pair a phone");

    person.take_from_menu("Phones").await;
    person.take("1 Nurse's phone").await;
    person.sees("May use this hub").await;
    person.take("Revoke").await;
    person.sees("Revoke phone?").await;
    person.take("Revoke").await;
    person.sees(">x 1 Nurse's phone").await;
    person.has_done("revoke a phone");
    person.goes_home().await;

    assert_eq!(client.handshake().await.unwrap_err().status(), Some(403));
    person.take_from_menu("Phones").await;
    person.take("x 1 Nurse's phone").await;
    person.sees("Seen just now").await;
    person.sees("refuses this phone").await;
    person.has_done("see why a phone fails");
    person.goes_home().await;

    person.take_from_menu("Change PIN").await;
    person.sees("Current PIN").await;
    person.enter("99999999").await;
    person.sees("Wrong PIN").await;
    person.presses -= 1;
    person.enter(PIN).await;
    person.sees("New PIN").await;
    person.enter(NEW_PIN).await;
    person.sees("PIN again").await;
    person.enter(NEW_PIN).await;
    person.sees("PIN changed").await;
    person.press(Button::Ok).await;
    person.sees("OK: Menu").await;
    person.has_done("change the PIN");

    person.take_from_menu("Switch off").await;
    person.take("Off").await;
    person.has_done("switch off");
    assert!(hub.ended().await.unwrap().success());

    let hub = start(&folder).await;
    let mut person = Newcomer::at(&hub).await;
    person.enter(PIN).await;
    person.sees("Wrong PIN").await;
    person.enter(NEW_PIN).await;
    person.sees("OK: Menu").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_the_way_where_there_was_none() {
    let folder = tempfile::tempdir().unwrap();
    let stick = folder.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let more = [OsStr::new("--usb"), stick.as_os_str()];
    let mut hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    let mut person = Newcomer::at(&hub).await;

    // Staff, of whom there are none yet.
    person.sees("No staff yet").await;
    let table = folder.path().join("staff.csv");
    let lines = "name,email,role,clinic,rights,password\nA Bee,a@b.example,admin,North,all,first password\n";
    std::fs::write(&table, lines).unwrap();
    let mut make = std::process::Command::new(binary().unwrap());
    make.args(["staff", "make", "--new-clinic", "North", "--out"])
        .arg(stick.join("clinic.json"))
        .arg(&table);
    assert!(make.output().unwrap().status.success());
    person.take_from_menu("Staff").await;
    person.sees("First type the PIN").await;
    person.enter(PIN).await;
    person.sees("New users").await;
    person.take("Take in").await;
    person.sees("as in").await;
    person.press(Button::Ok).await;
    person.sees("OK: Menu").await;
    person.has_done("change the staff");
    assert!(!says(person.screen(), "No staff yet"));

    // The paper with the recovery code is lost.
    person.take_from_menu("New recovery code").await;
    person.sees("First type the PIN").await;
    person.enter(PIN).await;
    let code = person.keeps_the_code().await;
    person.sees("Only the new code").await;
    person.press(Button::Ok).await;
    person.sees("OK: Menu").await;
    person.has_done("new recovery code");

    person.take_from_menu("Restart").await;
    person.take("Restart").await;
    person.has_done("restart");
    assert!(hub.ended().await.unwrap().success());

    let hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut person = Newcomer::at(&hub).await;
    person.panel.hold(Button::Ok).await.unwrap();
    person.sees("Type group 1 of 8").await;
    person.enter(&code.concat()).await;
    person.sees("Choose 8 to 12 digits").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gets_in_again_with_the_recovery_code() {
    let folder = tempfile::tempdir().unwrap();
    let hub = start(&folder).await;
    let code: RecoveryCode = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    let mut person = Newcomer::at(&hub).await;
    person.panel.lock().await.unwrap();

    person.panel.hold(Button::Ok).await.unwrap();
    person.sees("Type group 1 of 8").await;
    person.enter(&code.groups().concat()).await;
    person.sees("Choose 8 to 12 digits").await;
    person.enter(NEW_PIN).await;
    person.enter(NEW_PIN).await;
    person.keeps_the_code().await;
    person.sees("OK: Menu").await;

    person.panel.lock().await.unwrap();
    person.panel.unlock(NEW_PIN).await.unwrap();
    person.panel.lock().await.unwrap();
    person.panel.hold(Button::Ok).await.unwrap();
    person.sees("Type group 1 of 8").await;
    person.enter(&code.groups().concat()).await;
    person.sees("That code is wrong").await;
}
