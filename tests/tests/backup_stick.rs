//! A stick that a person makes the backup stick at the panel, and a box that is lost with it in.

use std::ffi::OsStr;
use std::fs;
use std::io::BufWriter;
use std::path::PathBuf;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{self, Hub, PIN, import};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;

const NEW_PIN: &str = "27182818";

struct Place(tempfile::TempDir);

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn hub(&self) -> Hub {
        let stick = self.path("stick");
        let [interval, often, usb] = ["--backup-interval", "100", "--usb"].map(OsStr::new);
        let more = [interval, often, usb, stick.as_os_str()];
        Hub::start_in(self.0.path(), &more).await.unwrap()
    }

    /// The generations on the stick, the newest last.
    fn generations(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("stick").join("hub-backup")).unwrap();
        let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.join("manifest.json").exists());
        found.sort();
        found
    }
}

/// Waits on the screen about backups until it says this.
async fn sees(panel: &mut PanelClient, says: &str) {
    let said = panel
        .wait_until(|screen| screen.name == "backup" && screen.lines.iter().any(|line| line.contains(says)))
        .await;
    said.unwrap_or_else(|error| panic!("{says}: {error}"));
}

/// A new phone of the doctor's.
async fn paired(hub: &Hub, panel: &mut PanelClient, clinic: &Clinic) -> Phone {
    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(hub.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    phone.log_in(&doctor.email, &doctor.password).await.unwrap();
    phone
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_backs_itself_up_and_a_push_outlives_it() {
    let place = Place(tempfile::tempdir().unwrap());
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    fs::write(stick.join("holiday.jpg"), "a picture").unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let mut hub = place.hub().await;
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    let bundle = place.path("bundle.json");
    clinic
        .write_bundle(BufWriter::new(fs::File::create(&bundle).unwrap()))
        .unwrap();
    assert!(import(&data, &bundle, PIN).await.unwrap().status.success());

    let mut hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "No backup yet").await;
    sees(&mut panel, "Use stick").await;
    assert_eq!(
        fs::read_dir(&stick).unwrap().count(),
        1,
        "nobody has allowed anything yet"
    );
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("backup-stick").await.unwrap();
    panel.take("Yes").await.unwrap();
    // Whoever walks up to an open hub must not be able to take the records away.
    panel.wait_for("ask-pin").await.unwrap();
    panel.type_digits(PIN).await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("errand").await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    panel.choose("Backup").await.unwrap();
    sees(&mut panel, "up to date").await;
    assert_eq!(place.generations().len(), 1);
    assert!(stick.join("holiday.jpg").exists());

    // Pulled out and put back in: what is on it stays, and it is gone on with.
    let away = place.path("away");
    fs::rename(&stick, &away).unwrap();
    sees(&mut panel, "stick is out").await;
    fs::rename(&away, &stick).unwrap();
    sees(&mut panel, "up to date").await;
    assert_eq!(place.generations().len(), 1);

    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let new = NewPatient {
        given_name: "Kept".to_owned(),
        surname: "Lost".to_owned(),
        ..NewPatient::default()
    };
    let kept = phone.register_patient(&new).unwrap();
    let log = place.generations().pop().unwrap().join("log");
    phone.sync().await.unwrap();
    // Two files that begin after the push was answered: the first may have begun before.
    let files = || fs::read_dir(&log).map_or(0, Iterator::count);
    for _ in 0..2 {
        let before = files();
        // A pull is written down, so there is something to follow.
        phone.sync().await.unwrap();
        while files() == before {
            tokio::task::yield_now().await;
        }
    }

    hub.kill9().await.unwrap();
    fs::remove_dir_all(&data).unwrap();
    let on_desk = place.path("desk");
    assert!(hub::restore(&stick, &on_desk, &code.groups().join("-"), NEW_PIN).unwrap());
    assert!(on_desk.join("keys/keyslots.json").exists());

    // The same at the panel of a box that begins anew.
    let hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    let new_code = panel.restore(&code, NEW_PIN).await.unwrap();
    assert_ne!(new_code, code);
    let mut reader = paired(&hub, &mut panel, &clinic).await;
    let seen = hub_as_seen_by(&mut reader).await.unwrap();
    assert!(seen.row("patients", &kept).is_some());
    panel.lock().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();
    panel.lock().await.unwrap();
}

/// Whoever does not want it, or has not the paper, changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_wanted_is_left_and_a_wrong_code_opens_none() {
    let place = Place(tempfile::tempdir().unwrap());
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let mut hub = place.hub().await;
    let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
    hub.terminate().await.unwrap();
    for _ in 0..2 {
        let to = ["backup", "--to", stick.to_str().unwrap()];
        assert!(hub::desk(&data, &to, PIN).await.unwrap().status.success());
    }
    fs::remove_dir_all(&data).unwrap();
    let mut hub = place.hub().await;
    let mut panel = hub.panel().await.unwrap();
    let other = ["000011"; 8];
    panel.pass_splash().await.unwrap();
    panel.press(Button::Ok).await.unwrap();
    panel.answer("restore", true).await.unwrap();
    for group in other {
        panel.wait_for("recovery").await.unwrap();
        panel.type_digits(group).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
    }
    let wrong = |screen: &Screen| screen.lines.iter().any(|line| line.contains("That code is wrong"));
    panel.wait_until(wrong).await.unwrap();
    panel.hold(Button::Ok).await.unwrap();
    // The newest, the one before it, and then a new hub.
    let asks = |screen: &Screen| screen.name == "restore" && screen.lines.iter().any(|line| line.contains("[No]"));
    for _ in 0..2 {
        panel.wait_until(asks).await.unwrap();
        panel.press(Button::Ok).await.unwrap();
        panel.wait_until(|screen| !asks(screen)).await.unwrap();
    }
    panel.wait_for("setup-pin").await.unwrap();
    assert!(!data.join("keys/keyslots.json").exists() && !data.join("store/hub.db").exists());
    let anew = panel.set_up(NEW_PIN).await.unwrap();
    assert_ne!(anew, code);
    hub.terminate().await.unwrap();
}
