//! A stick that a person makes the backup stick at the panel, and a box that is lost with it in.

#[path = "../support/chance.rs"]
mod chance;
mod keys;
mod loads;
mod organisation;
#[path = "../support/small_disk.rs"]
mod small_disk;
mod stick;

use std::ffi::OsStr;
use std::fs;
use std::io::BufWriter;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hub_tests::clinic::Clinic;
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{self, Hub, PIN, import};
use hub_tests::panel_client::{Button, PanelClient, RecoveryCode};
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::{Database, Phone};

const NEW_PIN: &str = "27182818";

/// So often what was committed goes to the stick where a test waits for it, and where only the lock is to bring it, ms.
const OFTEN: &str = "100";
const NEVER: &str = "3600000";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn hub(&self) -> Hub {
        self.hub_backing_up(OFTEN).await
    }

    async fn hub_backing_up(&self, every: &str) -> Hub {
        let (stick, settled) = (self.path("stick"), self.path("hub-setup.toml"));
        let [interval, often, usb, file] = ["--backup-interval", every, "--usb", "--setup-file"].map(OsStr::new);
        let more = [interval, often, usb, stick.as_os_str(), file, settled.as_os_str()];
        Hub::start_in(self.0.path(), &more).await.unwrap()
    }

    /// Sets a hub up that holds a clinic, and has the stick that is in made its backup stick by a person.
    async fn in_use(&self, clinic: &Clinic, every: &str) -> InUse {
        let mut hub = self.hub().await;
        let code = hub.panel().await.unwrap().set_up(PIN).await.unwrap();
        hub.terminate().await.unwrap();
        let bundle = self.path("bundle.json");
        clinic
            .write_bundle(BufWriter::new(fs::File::create(&bundle).unwrap()))
            .unwrap();
        assert!(import(&self.path("data"), &bundle, PIN).await.unwrap().status.success());
        let hub = self.hub_backing_up(every).await;
        let mut panel = hub.panel().await.unwrap();
        panel.unlock(PIN).await.unwrap();
        panel.choose("Backup").await.unwrap();
        sees(&mut panel, "No backup yet").await;
        panel.make_backup_stick(PIN).await.unwrap();
        InUse { hub, panel, code }
    }

    /// The generations on the stick, the newest last.
    fn generations(&self) -> Vec<PathBuf> {
        generations_on(&self.path("stick"))
    }

    /// Why the end of the hub's audit log was signed last.
    fn signed_for(&self) -> String {
        let text = fs::read_to_string(self.path("data/keys/audit-end.json")).unwrap();
        let end: serde_json::Value = serde_json::from_str(&text).unwrap();
        end["reason"].as_str().unwrap().to_owned()
    }

    /// Restores what is on `stick` on a desk, by the code of its day.
    fn restores(stick: &Path, code: &RecoveryCode) -> bool {
        let desk = tempfile::tempdir().unwrap();
        hub::restore(stick, &desk.path().join("data"), &code.groups().join("-"), NEW_PIN).unwrap()
    }
}

/// A hub with its backup stick in.
struct InUse {
    hub: Hub,
    panel: PanelClient,
    code: RecoveryCode,
}

fn generations_on(stick: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(stick.join("hub-backup")).unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.join("manifest.json").exists());
    found.sort();
    found
}

/// Whether there is what a copy that was cut off left.
fn has_unfinished(stick: &Path) -> bool {
    fs::read_dir(stick.join("hub-backup")).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|end| end == "new")))
    })
}

/// Everything on a stick: the paths, when each was written, and what is in it.
fn all_on(stick: &Path) -> Vec<(PathBuf, SystemTime, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(stick).unwrap() {
        let path = entry.unwrap().path();
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        if path.is_dir() {
            all.extend(all_on(&path));
            all.push((path, written, Vec::new()));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.push((path, written, bytes));
        }
    }
    all.sort();
    all
}

async fn back_to_home(panel: &mut PanelClient) {
    panel.hold(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
}

fn patient(phone: &mut Phone) -> String {
    let new = NewPatient {
        given_name: "Kept".to_owned(),
        surname: "Lost".to_owned(),
        ..NewPatient::default()
    };
    phone.register_patient(&new).unwrap()
}

/// Waits on the screen about backups until it says this.
async fn sees(panel: &mut PanelClient, says: &str) {
    let said = panel.wait_for_backup(says).await;
    said.unwrap_or_else(|error| panic!("{says}: {error}"));
}

/// A new phone of the doctor's.
async fn paired(hub: &Hub, panel: &mut PanelClient, clinic: &Clinic) -> Phone {
    paired_at(1, hub, panel, clinic).await
}

/// The same at an address of this number.
async fn paired_at(number: u8, hub: &Hub, panel: &mut PanelClient, clinic: &Clinic) -> Phone {
    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(hub.url()).unwrap();
    phone.client.http().call_from(Ipv4Addr::new(127, 0, 1, number).into());
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    phone.log_in(&doctor.email, &doctor.password).await.unwrap();
    phone
}

/// What a new phone sees of a hub that came back from a backup.
async fn seen_after_restore(hub: &Hub, pin: &str, clinic: &Clinic) -> Database {
    let mut panel = hub.panel().await.unwrap();
    panel.unlock(pin).await.unwrap();
    let mut reader = paired(hub, &mut panel, clinic).await;
    hub_as_seen_by(&mut reader).await.unwrap()
}

/// Waits until what the hub has acknowledged is on the stick. Something has to be followed, so the phone syncs.
async fn until_on_stick(place: &Place, phone: &mut Phone) {
    let files = || {
        let log = place.generations().pop().unwrap().join("log");
        fs::read_dir(log).map_or(0, Iterator::count)
    };
    // Two files that begin after the push was answered: the first may have begun before.
    for _ in 0..2 {
        let before = files();
        // A pull is written down, so there is something to follow.
        phone.sync().await.unwrap();
        while files() == before {
            tokio::task::yield_now().await;
        }
    }
}
