//! The places that left a newcomer stranded before: staff that changes, a recovery paper that is lost, a hub that is to start
//! anew.

use std::ffi::OsStr;
use std::path::Path;

use hub_tests::hub::{Hub, Log, binary};
use hub_tests::panel_client::Button;

use super::person::{Language, Newcomer, Side};

const PIN: &str = "31415926";

/// Makes a file of staff for a hub that knows nobody.
fn make_staff_file(to: &Path) {
    let table = to.with_extension("csv");
    let lines = "name,email,role,clinic,rights,password\nA Bee,a@b.example,admin,North,all,first password\n";
    std::fs::write(&table, lines).unwrap();
    let mut make = std::process::Command::new(binary().unwrap());
    make.args(["staff", "make", "--new-clinic", "North", "--out"])
        .arg(to)
        .arg(&table);
    assert!(make.output().unwrap().status.success());
    std::fs::remove_file(&table).unwrap();
}

/// Those that a desk has too.
pub(crate) async fn on_a_desk(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let stick = folder.path().join("stick");
    std::fs::create_dir(&stick).unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let more = [OsStr::new("--usb"), stick.as_os_str()];
    let mut hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut person = Newcomer::at(&hub).await;
    person.sets_up(language, PIN).await;

    // Staff, of whom there are none yet: the home screen says so.
    let nobody = person.title().to_owned();
    make_staff_file(&stick.join("clinic.json"));
    person.takes_from_menu("staff").await;
    person.sees("ask-pin").await;
    person.enters(PIN).await;
    person.is_asked("staff").await;
    person.takes_button(Side::First).await;
    person.sees("errand").await;
    person.press(Button::Ok).await;
    person.sees("home").await;
    person.has_done("change the staff");
    assert_ne!(person.title(), nobody);

    // The paper with the recovery code is lost.
    person.takes_from_menu("new-code").await;
    person.sees("ask-pin").await;
    person.enters(PIN).await;
    let code = person.keeps_the_code().await;
    person.sees("errand").await;
    person.press(Button::Ok).await;
    person.sees("home").await;
    person.has_done("new recovery code");

    person.takes_from_menu("restart").await;
    person.takes_button(Side::First).await;
    person.has_done("restart");
    assert!(hub.ended().await.unwrap().success());

    let hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut person = Newcomer::at(&hub).await;
    person.sees("locked").await;
    person.goes_back().await;
    person.sees("recovery").await;
    person.enters(&code.concat()).await;
    person.sees_step("setup-pin", "1/4").await;
}
