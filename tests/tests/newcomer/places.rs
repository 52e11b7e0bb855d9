//! The places that left a newcomer stranded before: a disk that is missing, or one too many; staff that changes; a recovery
//! paper that is lost; a disk that has become too small; a clock that knows no time; a disk that is dead; a hub that is to
//! start anew.

use std::ffi::OsStr;
use std::path::Path;

use hub_tests::hub::{Hub, Log, binary};
use hub_tests::panel_client::Button;

use super::person::{Language, Newcomer, Side};
use super::played_disk::{Bench, STICK, TWO_DISKS};

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
    person.has_done("set up");

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

/// Those that a box has, whose disks are played.
pub(crate) async fn at_a_box(language: Language) {
    let bench = Bench::new("blank");
    let (mut hub, _) = bench.start().await;
    let mut person = Newcomer::at(&hub).await;
    person.is_asked("new-disk").await;
    person.takes_button(Side::First).await;
    person.sets_up(language, PIN).await;
    hub.terminate().await.unwrap();

    // The stick is not in: the box asks for it, and goes on when it is.
    bench.service.set(|part| part.state = "away");
    let (mut hub, _) = bench.start().await;
    let mut person = Newcomer::at(&hub).await;
    person.is_asked("disk-away").await;
    bench.service.set(|part| part.state = "unmounted");
    hub.ended().await.unwrap();

    // Two of them: one after the other says whose it is, and the clinic's own is taken.
    bench.service.set(|part| {
        part.state = "several";
        part.rivals = TWO_DISKS;
    });
    let (mut hub, _) = bench.start().await;
    let mut person = Newcomer::at(&hub).await;
    for place in ["1/2", "2/2"] {
        person.is_asked("which-disk").await;
        assert!(person.title().ends_with(place), "{place}");
        person.press(Button::Ok).await;
    }
    person.is_asked("which-disk").await;
    assert!(person.screen().lines.iter().any(|line| line == "Clinic North"));
    person.takes_button(Side::First).await;
    hub.ended().await.unwrap();
    person.has_done("choose between two disks");
    assert!(bench.service.was_asked("choose 5"));

    // The disk has become too small.
    bench.service.set(|part| {
        part.state = "closed";
        part.roomier = STICK;
    });
    let (mut hub, _) = bench.start().await;
    let mut person = Newcomer::at(&hub).await;
    person.sees("locked").await;
    person.enters(PIN).await;
    person.sees("home").await;
    person.forgets(1);
    person.takes_from_menu("larger-disk").await;
    person.sees("ask-pin").await;
    person.enters(PIN).await;
    person.is_asked("larger-disk").await;
    person.takes_button(Side::First).await;
    person.is_asked("new-disk").await;
    person.takes_button(Side::First).await;
    hub.ended().await.unwrap();
    person.has_done("move to a larger disk");
    assert!(bench.service.was_asked("finish-move"));

    // It is dead: a fresh hub on another one.
    let bench = Bench::new("away");
    let (hub, _) = bench.start().await;
    let mut person = Newcomer::at(&hub).await;
    for question in ["disk-away", "begin-anew", "new-disk"] {
        person.is_asked(question).await;
        person.takes_button(Side::First).await;
    }
    person.sets_up(language, PIN).await;
    person.has_done("begin anew after a dead disk");
}

/// A box with neither network nor clock chip.
pub(crate) async fn without_a_clock(language: Language) {
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    // Before any firmware of this hub was made.
    let more = ["--clock-behind", "100000000000"].map(OsStr::new);
    let hub = Hub::start_with(&data, &socket, "127.0.0.1:0", Log::Warnings, &more)
        .await
        .unwrap();
    let mut person = Newcomer::at(&hub).await;
    person.sets_up(language, PIN).await;
    let before = person.reads_the_date().await;
    person.goes_home().await;

    person.takes_from_menu("clock").await;
    person.sees("ask-pin").await;
    person.enters(PIN).await;
    person.sees("set-clock").await;
    // Year and month are right; the day is another.
    person.press(Button::Ok).await;
    person.press(Button::Ok).await;
    person.press(Button::Up).await;
    for _ in 0..3 {
        person.press(Button::Ok).await;
    }
    person.sees("errand").await;
    person.press(Button::Ok).await;
    person.sees("home").await;
    person.has_done("set the clock");
    assert!(person.reads_the_date().await > before);
}
