//! Records carried by hand: the real box with two sticks, and the organisation's desk with its cloud on this machine. The box
//! has no way to the cloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::Cloud;
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{PIN, binary};
use hub_tests::panel_client::{Button, PanelClient};
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;

use super::sticks::Stick;
use super::vm::Vm;
use super::{LISTENING, PRIVATE_NETWORK, copy_to_card, new_box};

/// The folder on a stick.
const FOLDER: &str = "hikma-courier";

/// Flips a bit in the middle of the newest answer on a stick.
fn spoil_answer(stick: &Stick, to: &Path) {
    let answer = newest(&stick.copied(FOLDER, to), "answer-");
    let mut bytes = fs::read(&answer).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(&answer, bytes).unwrap();
    stick.take(&to.join(FOLDER));
}

/// The file with the highest number below a folder whose name begins so.
fn newest(folder: &Path, begins: &str) -> PathBuf {
    let hubs = fs::read_dir(folder).unwrap();
    let files = hubs.flat_map(|hub| fs::read_dir(hub.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path());
    let is_one = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(begins);
    files.filter(is_one).max().unwrap()
}

/// The organisation's desk.
struct Desk<'a> {
    folder: PathBuf,
    cloud: &'a Cloud,
}

impl Desk<'_> {
    fn courier(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(binary().unwrap());
        command.arg("courier").args(arguments).arg("--desk").arg(&self.folder);
        let output = command.output().unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// Delivers the newest bundle of a stick, and has the answer on it.
    fn deliver(&self, stick: &Stick, folder: &Path) -> String {
        let top = tempfile::tempdir_in(folder).unwrap();
        let bundle = newest(&stick.copied(FOLDER, top.path()), "export-");
        let key = self.folder.join("key");
        fs::write(&key, self.cloud.key()).unwrap();
        let [bundle, key, to] = [&bundle, &key, top.path()].map(|path: &Path| path.to_str().unwrap());
        let mut arguments = vec!["deliver", "--bundle", bundle, "--cloud", self.cloud.url()];
        arguments.extend(["--api-key-file", key, "--to", to]);
        let (mut done, mut said) = self.courier(&arguments);
        let words = said.clone();
        if let Some(print) = words.split("--new-hub ").nth(1) {
            arguments.extend(["--new-hub", print.split_whitespace().next().unwrap()]);
            (done, said) = self.courier(&arguments);
        }
        assert!(done, "{said}");
        stick.take(&top.path().join(FOLDER));
        said
    }
}

/// Puts a stick in, has it taken from and written to, and pulls it out again.
async fn exchange(vm: &Vm, panel: &mut PanelClient, stick: &Stick) -> String {
    vm.put_in(stick.name).await.unwrap();
    loop {
        let said = panel.exchange_by_usb().await.unwrap();
        // The kernel needs a moment to find it.
        if !said.contains("No stick is in") {
            vm.pull_stick().await.unwrap();
            return said;
        }
        panel.lock().await.unwrap();
        panel.unlock(PIN).await.unwrap();
    }
}

fn new_patient(name: &str) -> NewPatient {
    NewPatient {
        given_name: name.into(),
        surname: "Carried".into(),
        ..NewPatient::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "boots an image: scripts/test --image"]
async fn records_go_to_the_cloud_and_back_on_two_sticks_of_which_one_is_lost_and_one_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let clinic = Clinic::generate(31, ClinicSize::about_rows(200));
    let cloud = Cloud::start(&clinic).await.unwrap();
    let desk = Desk {
        folder: here.join("desk"),
        cloud: &cloud,
    };
    let (made, setup) = desk.courier(&["init"]);
    assert!(made, "{setup}");
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let file = here.join("hub-setup.toml");
    fs::write(&file, setup).unwrap();
    copy_to_card(&file, &parts.card);
    let [one, other] = ["one", "other"].map(|name| Stick::new(here, name));
    let (blank, large) = (Stick::blank(here, "blank"), Stick::large(here, "large"));
    let devices = [
        vec!["-device".into(), "qemu-xhci".into()],
        one.arguments().into(),
        other.arguments().into(),
        blank.arguments().into(),
        large.arguments().into(),
    ]
    .concat();
    let devices: Vec<&str> = devices.iter().map(String::as_str).collect();
    let mut vm = Vm::start_with(&parts, here, &devices).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();

    // Where there is no file system that the box knows it says so, and another stick is tried.
    let shown = exchange(&vm, &mut panel, &blank).await;
    assert!(shown.contains("P41"), "{shown}");
    let shown = exchange(&vm, &mut panel, &large).await;
    assert!(!shown.contains("P4"), "{shown}");
    vm.put_in(blank.name).await.unwrap();
    panel.choose("Backup").await.unwrap();
    panel.wait_for_backup("P41").await.unwrap();
    vm.pull_stick().await.unwrap();
    panel.wait_for_backup("stick is out").await.unwrap();
    panel.hold(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();

    // The users come by the first answer.
    exchange(&vm, &mut panel, &one).await;
    desk.deliver(&one, here);
    exchange(&vm, &mut panel, &one).await;
    let code = panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(&vm.url()).unwrap();
    phone.client = phone.client.paired_with(code.key);
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    let admin = clinic.user("admin@clinic.example").unwrap();
    phone.log_in(&admin.email, &admin.password).await.unwrap();
    phone.sync().await.unwrap();

    // One is lost for a while; the other has all that it had, and more.
    phone.register_patient(&new_patient("Amina")).unwrap();
    phone.sync().await.unwrap();
    exchange(&vm, &mut panel, &one).await;
    phone.register_patient(&new_patient("Babak")).unwrap();
    phone.sync().await.unwrap();
    exchange(&vm, &mut panel, &other).await;
    let said = desk.deliver(&other, here);
    assert!(said.contains("taken 2"), "{said}");

    // On its way back a bit flips: nothing of it is taken in, and the next stick makes it good.
    let spoiled = tempfile::tempdir_in(here).unwrap();
    spoil_answer(&other, spoiled.path());
    let shown = exchange(&vm, &mut panel, &other).await;
    assert!(shown.contains("P43"), "{shown}");
    let said = desk.deliver(&other, here);
    assert!(said.contains("already 2"), "{said}");
    let shown = exchange(&vm, &mut panel, &other).await;
    assert!(shown.contains(": 0 rows"), "{shown}");

    // The lost one is back: what is on it is older than what was taken.
    let top = tempfile::tempdir_in(here).unwrap();
    let late = newest(&one.copied(FOLDER, top.path()), "export-");
    let key = desk.folder.join("key");
    let [late, key, to] = [&late, &key, top.path()].map(|path: &Path| path.to_str().unwrap());
    let arguments = [
        "deliver",
        "--bundle",
        late,
        "--cloud",
        cloud.url(),
        "--api-key-file",
        key,
        "--to",
        to,
    ];
    let (done, said) = desk.courier(&arguments);
    assert!(!done && said.contains("nothing is missing"), "{said}");
    phone.sync().await.unwrap();
    let seen = hub_as_seen_by(&mut phone).await.unwrap();
    let differences = cloud.differences(&seen).await.unwrap();
    assert!(differences.is_empty(), "{differences:?}");
}
