//! The organisation's desk, and a hub that knows nobody but that, with the sticks that go to and fro.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::{Cloud, Generation};
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{Log, TestHub, binary};
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::edit::NewPatient;

pub(crate) const SIZE: ClinicSize = ClinicSize {
    patients: 20,
    visits: 40,
    events: 60,
};

/// The organisation's desk.
pub(crate) struct Desk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) cloud: String,
}

impl Desk {
    pub(crate) fn new(cloud: &Cloud) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), format!("{}\n", cloud.key())).unwrap();
        Self {
            folder,
            cloud: cloud.url().to_owned(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary().unwrap());
        command
            .arg("courier")
            .args(arguments)
            .arg("--desk")
            .arg(self.folder.path());
        command
    }

    /// The command, to its end; it speaks with a cloud that this very program is.
    pub(crate) async fn courier(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn init(&self) -> String {
        let made = self.courier(&["init"]).await;
        assert!(made.status.success(), "{}", said(&made));
        String::from_utf8(made.stdout).unwrap()
    }

    /// The command that calls the cloud, before it is begun.
    pub(crate) fn at_the_cloud_command(&self, what: &[&str], to: &Path) -> Command {
        let key = self.folder.path().join("key");
        let more = ["--cloud", &self.cloud, "--api-key-file", key.to_str().unwrap(), "--to"];
        let to = [to.to_str().unwrap()];
        self.command(&[what, &more, &to].concat())
    }

    pub(crate) async fn at_the_cloud(&self, what: &[&str], to: &Path) -> Output {
        let mut command = self.at_the_cloud_command(what, to);
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn deliver(&self, bundle: &Path, to: &Path, new_hub: Option<&str>) -> Output {
        let bundle = ["deliver", "--bundle", bundle.to_str().unwrap()];
        let new_hub: Vec<&str> = new_hub.iter().flat_map(|print| ["--new-hub", print]).collect();
        self.at_the_cloud(&[&bundle, &new_hub[..]].concat(), to).await
    }
}

pub(crate) fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(both).unwrap()
}

/// The figure behind a word in what a command said.
pub(crate) fn figure(said: &str, word: &str) -> usize {
    let rest = said.split(word).nth(1).unwrap_or_else(|| panic!("no {word:?}: {said}"));
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("no figure: {said}"))
}

/// The bundles on a stick whose names begin so, the oldest first.
pub(crate) fn on_stick(stick: &Path, begins: &str) -> Vec<PathBuf> {
    let Ok(hubs) = fs::read_dir(stick.join("hikma-courier")) else {
        return Vec::new();
    };
    let files = hubs.flat_map(|hub| fs::read_dir(hub.unwrap().path()).unwrap());
    let mut found: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begins));
    found.sort();
    found
}

/// A hub that knows nobody but its desk, and the cloud that it never calls.
pub(crate) struct Carried {
    pub(crate) cloud: Cloud,
    pub(crate) hub: TestHub,
    pub(crate) desk: Desk,
    pub(crate) clinic: Clinic,
    /// What is not in the hub just now.
    pub(crate) pocket: tempfile::TempDir,
}

impl Carried {
    pub(crate) async fn new(generation: Generation) -> Self {
        Self::with(Clinic::generate(31, SIZE), generation, Log::Everything).await
    }

    /// The same of another clinic.
    pub(crate) async fn with(clinic: Clinic, generation: Generation, log: Log) -> Self {
        let cloud = Cloud::start(&clinic).await.unwrap();
        cloud.switch(|switches| switches.generation = generation);
        let desk = Desk::new(&cloud);
        let hub = TestHub::relayed(&desk.init().await, log).await.unwrap();
        let pocket = tempfile::tempdir().unwrap();
        Self {
            cloud,
            hub,
            desk,
            clinic,
            pocket,
        }
    }

    /// Puts the stick of this name in; an empty one where there is none yet.
    pub(crate) fn put_in(&self, stick: &str) {
        let pocketed = self.pocket.path().join(stick);
        if !pocketed.exists() {
            fs::create_dir(&pocketed).unwrap();
        }
        fs::rename(pocketed, self.hub.stick()).unwrap();
    }

    pub(crate) fn take_out(&self, stick: &str) -> PathBuf {
        let pocketed = self.pocket.path().join(stick);
        fs::rename(self.hub.stick(), &pocketed).unwrap();
        pocketed
    }

    /// The stick goes into the hub, is taken from and written to, and comes out again.
    pub(crate) async fn exchange(&self, stick: &str) -> (String, PathBuf) {
        self.put_in(stick);
        let said = self.hub.hub.panel().await.unwrap().exchange_by_usb().await.unwrap();
        (said, self.take_out(stick))
    }

    /// The same, and it goes as it should.
    pub(crate) async fn carry(&self, stick: &str) -> PathBuf {
        let (said, stick) = self.exchange(stick).await;
        assert!(said.contains("Take the stick out"), "{said}");
        stick
    }

    /// The newest bundle of the stick is delivered, and answered on it.
    pub(crate) async fn deliver(&self, stick: &Path) -> String {
        let bundle = on_stick(stick, "export-").pop().unwrap();
        let done = self.desk.deliver(&bundle, stick, None).await;
        assert!(done.status.success(), "{}", said(&done));
        said(&done)
    }

    /// The first way there and back: the desk is told whose bundle it is, and the hub gets its users.
    pub(crate) async fn acquaint(&self) {
        let (shown, stick) = self.exchange("first").await;
        assert!(shown.contains("No. 1: 0 rows"), "{shown}");
        let bundle = on_stick(&stick, "export-").pop().unwrap();
        let stranger = self.desk.deliver(&bundle, &stick, None).await;
        assert!(!stranger.status.success());
        let print = &new_hub_in(&said(&stranger));
        let wrong = self.desk.deliver(&bundle, &stick, Some("0000-0000-0000-0000")).await;
        assert!(!wrong.status.success());
        let done = self.desk.deliver(&bundle, &stick, Some(print)).await;
        assert!(done.status.success(), "{}", said(&done));
        self.carry("first").await;
    }

    /// A hub and a desk that know each other, and a phone that has brought the hub a patient.
    pub(crate) async fn with_patient(generation: Generation) -> (Self, Phone) {
        let world = Self::new(generation).await;
        world.acquaint().await;
        let mut phone = world.phone().await;
        phone.register_patient(&new_patient("Amina")).unwrap();
        phone.sync().await.unwrap();
        (world, phone)
    }

    pub(crate) async fn phone(&self) -> Phone {
        let admin = self.clinic.user("admin@clinic.example").unwrap();
        let mut phone = self.hub.phone(admin).await.unwrap();
        phone.sync().await.unwrap();
        phone
    }

    /// Phone, hub and PostgreSQL hold the same.
    pub(crate) async fn assert_alike(&self, phone: &mut Phone) {
        phone.sync().await.unwrap();
        let seen = hub_as_seen_by(phone).await.unwrap();
        let differences = self.cloud.differences(&seen).await.unwrap();
        assert!(
            differences.is_empty(),
            "{} differences: {:#?}",
            differences.len(),
            &differences[..differences.len().min(10)]
        );
    }
}

/// The fingerprint that the desk says of a hub that it does not know.
pub(crate) fn new_hub_in(told: &str) -> String {
    let print = told.split("--new-hub ").nth(1).unwrap();
    let print = print.split_whitespace().next().unwrap();
    assert_eq!(print.len(), 19, "{told}");
    print.to_owned()
}

pub(crate) fn new_patient(name: &str) -> NewPatient {
    NewPatient {
        given_name: name.into(),
        surname: "Carried".into(),
        date_of_birth: "1990-05-01".into(),
        sex: "female".into(),
        ..NewPatient::default()
    }
}

pub(crate) fn some_patient(phone: &Phone) -> String {
    phone.database.rows("patients").unwrap().next().unwrap().0.to_owned()
}

pub(crate) fn cell(phone: &Phone, id: &str, column: &str) -> Cell {
    phone.database.cell("patients", id, column).unwrap().clone()
}
