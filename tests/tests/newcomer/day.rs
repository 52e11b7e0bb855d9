//! The clinic's day: set up, lock, unlock, phones, the PIN, switched off.

use std::path::PathBuf;

use hub_tests::hub::{Hub, Log};
use hub_tests::panel_client::Button;
use hub_tests::phone::Phone;
use tempfile::TempDir;

use super::person::{Language, Newcomer, Side};

const PIN: &str = "31415926";
const NEW_PIN: &str = "27182818";

async fn start(folder: &TempDir) -> Hub {
    let (data, socket): (PathBuf, PathBuf) = (folder.path().join("data"), folder.path().join("panel.sock"));
    Hub::start(&data, &socket, "127.0.0.1:0", Log::Warnings).await.unwrap()
}

/// Does every task of the table that there is one for on a desk.
pub(crate) async fn every_task(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = start(&folder).await;
    let mut person = Newcomer::at(&hub).await;

    person.sets_up(language, PIN).await;
    person.has_done("set up");

    person.locks().await;
    person.has_done("lock");

    person.enters_by_buttons(PIN).await;
    person.sees("home").await;
    person.has_done("unlock");

    person.takes_from_menu("pair").await;
    person.sees("pair").await;
    let code = person.panel.pairing_code().unwrap();
    let phone = Phone::new(&code.url).unwrap();
    let mut client = phone.client.named("Nurse's phone");
    client.handshake().await.unwrap();
    person.is_asked("paired").await;
    assert!(person.screen().lines.iter().any(|line| line == "1 Nurse's phone"));
    person.takes_button(Side::First).await;
    person.sees("home").await;
    person.has_done("pair a phone");

    person.takes_from_menu("phones").await;
    person.takes(0).await;
    person.is_asked("phone").await;
    person.takes_button(Side::Second).await;
    person.is_asked("revoke").await;
    person.takes_button(Side::First).await;
    person
        .waits_until("the phone, crossed out", |screen| {
            screen.name == "phones" && screen.lines.iter().any(|line| line.starts_with(">x 1"))
        })
        .await;
    person.has_done("revoke a phone");
    person.goes_home().await;

    assert_eq!(client.handshake().await.unwrap_err().status(), Some(403));
    person.takes_from_menu("phones").await;
    person.takes(0).await;
    // What is revoked can't be revoked: there are no buttons, and it says why.
    person.sees("phone").await;
    assert!(!person.screen().lines.iter().any(|line| line.contains('[')));
    person.has_done("see why a phone fails");
    person.goes_home().await;

    person.takes_from_menu("change-pin").await;
    person.sees_step("change-pin", "1/3").await;
    person.enters("99999999").await;
    person.forgets(1);
    person.sees_step("change-pin", "1/3").await;
    person.enters(PIN).await;
    person.sees_step("change-pin", "2/3").await;
    person.enters(NEW_PIN).await;
    person.sees_step("change-pin", "3/3").await;
    person.enters(NEW_PIN).await;
    // There is no step left.
    person
        .waits_until("the changed PIN", |screen| {
            screen.name == "change-pin" && !screen.lines[0].contains('/')
        })
        .await;
    person.press(Button::Ok).await;
    person.sees("home").await;
    person.has_done("change the PIN");

    person.takes_from_menu("power-off").await;
    person.takes_button(Side::First).await;
    person.has_done("switch off");
    assert!(hub.ended().await.unwrap().success());

    let hub = start(&folder).await;
    let mut person = Newcomer::at(&hub).await;
    person.sees("locked").await;
    person.enters(PIN).await;
    person.sees("locked").await;
    person.enters(NEW_PIN).await;
    person.sees("home").await;
}

/// Loses the PIN, and opens the hub by the recovery code.
pub(crate) async fn recovery_code(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let hub = start(&folder).await;
    let mut person = Newcomer::at(&hub).await;
    let old = person.sets_up(language, PIN).await;
    person.locks().await;

    person.goes_back().await;
    person.sees("recovery").await;
    person.enters(&old.concat()).await;
    person.sees("setup-pin").await;
    person.enters(NEW_PIN).await;
    person.enters(NEW_PIN).await;
    let new = person.keeps_the_code().await;
    person.sees("home").await;
    assert!(old != new);

    // The old paper is worth nothing, the new one opens it.
    person.locks().await;
    person.goes_back().await;
    person.sees("recovery").await;
    person.enters(&old.concat()).await;
    person.sees("recovery").await;
    person.enters(&new.concat()).await;
    person.sees_step("setup-pin", "1/4").await;
}
