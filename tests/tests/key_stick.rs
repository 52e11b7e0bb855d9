//! A key on a USB stick, which a folder stands for: made at the panel, it opens the hub, and locks it when it is taken out.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

use hub_tests::hub::{Hub, PIN};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use tempfile::TempDir;

/// A hub and its stick.
struct Desk {
    folder: TempDir,
    hub: Hub,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("stick")).unwrap();
        let hub = start(&folder).await;
        hub.panel().await.unwrap().set_up(PIN).await.unwrap();
        Self { folder, hub }
    }

    fn stick(&self) -> PathBuf {
        self.folder.path().join("stick")
    }

    fn take_out(&self) {
        fs::rename(self.stick(), self.folder.path().join("away")).unwrap();
    }

    fn put_in(&self) {
        fs::rename(self.folder.path().join("away"), self.stick()).unwrap();
    }

    /// Goes to this way to unlock, has it, or has it removed, and says what came of it.
    async fn choose(&self, way: &str, button: &str) -> String {
        self.choose_with(PIN, way, button).await
    }

    /// The same, by a hub's PIN that is another.
    async fn choose_with(&self, pin: &str, way: &str, button: &str) -> String {
        let mut panel = self.hub.panel().await.unwrap();
        panel.take_way(way, button).await.unwrap();
        panel.wait_for("ask-pin").await.unwrap();
        panel.type_digits(pin).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        let said = panel.wait_for("errand").await.unwrap().lines.join(" ");
        panel.press(Button::Ok).await.unwrap();
        panel.wait_for("home").await.unwrap();
        said
    }
}

async fn start(folder: &TempDir) -> Hub {
    let stick = folder.path().join("stick");
    let more = [OsStr::new("--usb"), stick.as_os_str()];
    Hub::start_in(folder.path(), &more).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stick_opens_the_hub_and_locks_it_when_it_is_taken_out() {
    let mut desk = Desk::new().await;
    let said = desk.choose("Stick alone", "Use it").await;
    assert!(said.contains("The stick opens"), "{said}");
    let key = fs::read(desk.stick().join("hub.key")).unwrap();
    assert_eq!(key.len(), 32);

    let mut panel = desk.hub.panel().await.unwrap();
    desk.take_out();
    panel.wait_for("locked").await.unwrap();
    desk.put_in();
    panel.wait_for("home").await.unwrap();

    // Who locks beside the stick wants the hub to be locked: the PIN opens it, and the stick when it is put in anew.
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    desk.hub.kill9().await.unwrap();
    desk.hub = start(&desk.folder).await;
    let mut panel = desk.hub.panel().await.unwrap();
    panel.wait_for("home").await.unwrap();

    // With one that is not the hub's nothing opens.
    let said = desk.choose("Stick alone *", "Remove").await;
    assert!(said.contains("The stick alone does"), "{said}");
    assert_eq!(
        fs::read(desk.stick().join("hub.key")).unwrap(),
        key,
        "it stays as it is"
    );
    desk.hub.kill9().await.unwrap();
    desk.hub = start(&desk.folder).await;
    let mut panel = desk.hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_both_asked_for_the_pin_is_nothing_without_the_stick() {
    let desk = Desk::new().await;
    let said = desk.choose("PIN and stick", "Use it").await;
    assert!(said.contains("PIN and stick open"), "{said}");
    let mut panel = desk.hub.panel().await.unwrap();
    panel.lock().await.unwrap();
    desk.take_out();
    let asks = |screen: &hub_tests::panel_client::Screen| screen.lines.join(" ").contains("Put the key stick in");
    panel.wait_until(asks).await.unwrap();
    // With digits in the field it says how to delete, so the request is back only when the PIN was refused.
    panel.type_digits(PIN).await.unwrap();
    panel.wait_until(|screen| !asks(screen)).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(asks).await.unwrap();
    desk.put_in();
    panel
        .wait_until(|screen| screen.name == "locked" && !asks(screen))
        .await
        .unwrap();
    panel.unlock(PIN).await.unwrap();
    desk.take_out();
    panel.wait_for("locked").await.unwrap();
    desk.put_in();
    panel.unlock(PIN).await.unwrap();
    let said = desk.choose("PIN alone", "Use it").await;
    assert!(said.contains("The PIN alone opens"), "{said}");
    desk.take_out();
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
}

/// Chooses a PIN in the menu, with as many digits as the panel asks for at least.
async fn change_pin(panel: &mut PanelClient, present: &str, new: &str, asks: &str) {
    panel.open_pin_change().await.unwrap();
    let text = |says: &'static str| move |screen: &Screen| screen.lines.join(" ").contains(says);
    panel.wait_until(text("Current PIN")).await.unwrap();
    panel.type_digits(present).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let screen = panel.wait_until(text("New PIN")).await.unwrap();
    assert!(screen.lines.join(" ").contains(asks), "{:?}", screen.lines);
    panel.type_digits(new).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(text("PIN again")).await.unwrap();
    panel.type_digits(new).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_until(text("PIN changed")).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn six_digits_are_enough_with_the_stick_which_goes_only_after_a_longer_pin() {
    const SHORT: &str = "271828";
    const LONG: &str = "27182845";
    let desk = Desk::new().await;
    desk.choose("PIN and stick", "Use it").await;
    let mut panel = desk.hub.panel().await.unwrap();
    change_pin(&mut panel, PIN, SHORT, "Choose 6 to 12 digits").await;
    panel.lock().await.unwrap();
    panel.unlock(SHORT).await.unwrap();
    let said = desk.choose_with(SHORT, "PIN alone", "Use it").await;
    assert!(said.contains("8 digits or more"), "{said}");
    // Nothing was changed.
    panel.lock().await.unwrap();
    desk.take_out();
    let asks = |screen: &Screen| screen.lines.join(" ").contains("Put the key stick in");
    panel.wait_until(asks).await.unwrap();
    desk.put_in();
    panel
        .wait_until(|screen| screen.name == "locked" && !asks(screen))
        .await
        .unwrap();
    panel.unlock(SHORT).await.unwrap();

    change_pin(&mut panel, SHORT, LONG, "Choose 6 to 12 digits").await;
    let said = desk.choose_with(LONG, "PIN alone", "Use it").await;
    assert!(said.contains("The PIN alone opens"), "{said}");
    change_pin(&mut panel, LONG, PIN, "Choose 8 to 12 digits").await;
    panel.lock().await.unwrap();
    desk.take_out();
    panel.unlock(PIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_only_on_the_stick_that_is_in_and_over_nothing() {
    let desk = Desk::new().await;
    fs::write(desk.stick().join("hub.key"), "somebody's").unwrap();
    let said = desk.choose("Stick alone", "Use it").await;
    assert!(said.contains("hub.key"), "{said}");
    assert_eq!(fs::read(desk.stick().join("hub.key")).unwrap(), b"somebody's");
    desk.take_out();
    let said = desk.choose("Stick alone", "Use it").await;
    assert!(said.contains("There is no stick"), "{said}");
}

/// A hub that was never set up, without a stick.
async fn blank() -> Desk {
    let folder = tempfile::tempdir().unwrap();
    let hub = start(&folder).await;
    Desk { folder, hub }
}

fn says(text: &str) -> impl Fn(&Screen) -> bool {
    move |screen| screen.lines.join(" ").contains(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hub_rests_on_pin_and_stick_from_its_first_start_if_that_is_chosen() {
    const SHORT: &str = "271828";
    let mut desk = blank().await;
    let mut panel = desk.hub.panel().await.unwrap();
    panel.take_first_way("PIN and stick").await.unwrap();
    let screen = panel.wait_for("setup-no-way").await.unwrap();
    assert!(says("There is no stick")(screen), "{:?}", screen.lines);
    fs::create_dir(desk.stick()).unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.take_first_way("PIN and stick").await.unwrap();
    panel.wait_until(says("Choose 6 to 12 digits")).await.unwrap();
    panel.set_up(SHORT).await.unwrap();
    assert_eq!(fs::read(desk.stick().join("hub.key")).unwrap().len(), 32);
    desk.take_out();
    panel.wait_for("locked").await.unwrap();
    desk.put_in();
    panel.unlock(SHORT).await.unwrap();
    desk.hub.kill9().await.unwrap();
    desk.hub = start(&desk.folder).await;
    desk.hub.panel().await.unwrap().unlock(SHORT).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_hub_opens_by_its_stick_from_its_first_start_if_that_is_chosen_and_by_its_pin() {
    let mut desk = blank().await;
    fs::create_dir(desk.stick()).unwrap();
    let mut panel = desk.hub.panel().await.unwrap();
    let passed = panel.take_first_way("Stick alone").await.unwrap();
    assert_eq!(passed, ["PIN alone", "PIN and stick"]);
    panel.wait_until(says("Choose 8 to 12 digits")).await.unwrap();
    panel.set_up(PIN).await.unwrap();
    desk.hub.kill9().await.unwrap();
    desk.hub = start(&desk.folder).await;
    let mut panel = desk.hub.panel().await.unwrap();
    panel.wait_for("home").await.unwrap();
    desk.take_out();
    panel.unlock(PIN).await.unwrap();
}
