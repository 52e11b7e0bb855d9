//! Keys, vault and backups as a firmware wrote them that could not put another master key in the place of one: they open, and
//! from then on they can.
//!
//! `data/keys-1` was written by that firmware and is never written again: a hub with [`PIN`] that a stick opens too, that
//! stick, the slots of the same hub when it asked for both, a backup, and the recovery code of them all. It is made by the
//! ignored test here, with `HUB_APPLIANCE` naming that firmware's program (`cargo build -p hub-appliance` at commit 7aabc7b).

use std::ffi::OsStr;
use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use hub_appliance::keys::{KeyStore, Rotation};
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{self, Hub, PIN, copy_folder, import};
use hub_tests::panel_client::{Button, PanelClient};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/keys-1");
const NEW_PIN: &str = "27182818";
const SLOTS: [&str; 2] = ["keyslots.json", "keyslots.previous.json"];

/// A hub on a copy of the fixture, and the stick beside it, which is out.
struct Older {
    folder: tempfile::TempDir,
}

impl Older {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_folder(Path::new(FIXTURE), folder.path()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn start(&self) -> Hub {
        let stick = self.path("in");
        Hub::start_in(self.folder.path(), &[OsStr::new("--usb"), stick.as_os_str()])
            .await
            .unwrap()
    }

    fn put_in(&self) {
        fs::rename(self.path("stick"), self.path("in")).unwrap();
    }

    fn take_out(&self) {
        fs::rename(self.path("in"), self.path("stick")).unwrap();
    }

    fn slots(&self) -> Vec<u8> {
        fs::read(self.path("data/keys/keyslots.json")).unwrap()
    }

    fn put_slots(&self, slots: &[u8]) {
        for name in SLOTS {
            fs::write(self.path("data/keys").join(name), slots).unwrap();
        }
    }

    async fn settled(&self) {
        for _ in 0..1200 {
            if KeyStore::at(self.path("data/keys")).rotation().unwrap() == Rotation::Settled {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the master key is the one before still");
    }
}

/// Has the hub be opened in this way from now on.
async fn choose(panel: &mut PanelClient, way: &str) {
    panel.take_way(way, "Use it").await.unwrap();
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    let said = panel.wait_for("errand").await.unwrap().lines.join(" ");
    assert!(said.contains("open"), "{said}");
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn older_slots_open_and_once_all_were_made_anew_a_copy_of_them_opens_nothing() {
    let older = Older::new();
    let before = older.slots();
    let mut hub = older.start().await;
    hub.panel().await.unwrap().unlock(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    older.put_in();
    let mut hub = older.start().await;
    let mut panel = hub.panel().await.unwrap();
    panel.wait_for("home").await.unwrap();
    panel.change_pin(PIN, NEW_PIN).await.unwrap();
    // What is on the paper can't be brought up without the paper.
    let asks = |screen: &hub_tests::panel_client::Screen| screen.lines.join(" ").contains("New code needed");
    panel.wait_until(asks).await.unwrap();
    panel.renew_code(NEW_PIN).await.unwrap();
    older.settled().await;
    panel.wait_until(|screen| !asks(screen)).await.unwrap();
    hub.terminate().await.unwrap();

    let now = older.slots();
    older.take_out();
    older.put_slots(&before);
    let mut hub = older.start().await;
    hub.panel().await.unwrap().unlock(PIN).await.unwrap_err();
    hub.terminate().await.unwrap();
    older.put_slots(&now);
    let mut hub = older.start().await;
    hub.panel().await.unwrap().unlock(NEW_PIN).await.unwrap();
    hub.terminate().await.unwrap();
    older.put_in();
    let hub = older.start().await;
    hub.panel().await.unwrap().wait_for("home").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_slot_that_asks_for_pin_and_stick_opens_with_both() {
    let older = Older::new();
    older.put_slots(&fs::read(older.path("pin-and-stick.json")).unwrap());
    older.put_in();
    let mut hub = older.start().await;
    hub.panel().await.unwrap().unlock(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    // It is in the present form now.
    let hub = older.start().await;
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    older.take_out();
    panel.wait_for("locked").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_backup_comes_back_and_its_keys_become_others() {
    let older = Older::new();
    let code = fs::read_to_string(older.path("code.txt")).unwrap();
    fs::remove_dir_all(older.path("data")).unwrap();
    assert!(hub::restore(&older.path("backup"), &older.path("data"), code.trim(), NEW_PIN).unwrap());
    let restored = older.slots();
    let hub = older.start().await;
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    older.settled().await;
    assert_ne!(older.slots(), restored);
    panel.lock().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
}

/// Writes the fixture into a new folder that `HUB_TEST_FIXTURE` names.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the fixture anew, with an older firmware's program"]
async fn write_the_fixture() {
    let to = PathBuf::from(std::env::var_os("HUB_TEST_FIXTURE").expect("HUB_TEST_FIXTURE names a folder"));
    let (data, stick, backup) = (to.join("data"), to.join("stick"), to.join("backup"));
    let _ = fs::remove_dir_all(&to);
    for folder in [&stick, &backup] {
        fs::create_dir_all(folder).unwrap();
    }
    let more = [OsStr::new("--usb"), stick.as_os_str()];
    let mut hub = Hub::start_in(&to, &more).await.unwrap();
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    let bundle = to.join("bundle.json");
    let clinic = Clinic::generate(7, ClinicSize::about_rows(20));
    clinic
        .write_bundle(BufWriter::new(fs::File::create(&bundle).unwrap()))
        .unwrap();
    assert!(import(&data, &bundle, PIN).await.unwrap().status.success());
    let made = hub::desk(&data, &["backup", "--to", backup.to_str().unwrap()], PIN)
        .await
        .unwrap();
    assert!(made.status.success(), "{made:?}");

    let mut hub = Hub::start_in(&to, &more).await.unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    choose(&mut panel, "PIN and stick").await;
    fs::copy(data.join("keys/keyslots.json"), to.join("pin-and-stick.json")).unwrap();
    choose(&mut panel, "PIN alone").await;
    choose(&mut panel, "Stick alone").await;
    hub.terminate().await.unwrap();
    fs::write(to.join("code.txt"), code.groups().join("-")).unwrap();
    for name in ["bundle.json", "panel.sock"] {
        // The socket goes with its hub.
        let _ = fs::remove_file(to.join(name));
    }
}
