//! Backups that an organisation opens by a key of its own.

use std::fs;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret;
use age::x25519::Identity;
use hub_appliance::backup::Found;
use hub_appliance::keys::{MasterId, OrganisationKeys};
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{self, PIN};
use hub_tests::panel_client::{Button, PanelClient};

use super::{InUse, NEW_PIN, OFTEN, Place, paired, patient, seen_after_restore, sees, until_on_stick};

/// An organisation, as far as clinics know it, and the file of its key.
struct Office {
    file: PathBuf,
    recipient: String,
}

impl Office {
    fn new(place: &Place, name: &str) -> Self {
        let (key, file) = (Identity::generate(), place.path(name));
        let text = format!("# created: today\n{}\n", key.to_string().expose_secret());
        fs::write(&file, text).unwrap();
        Self {
            file,
            recipient: key.to_public().to_string(),
        }
    }

    /// Has the owner's file name it.
    fn is_named_by(&self, place: &Place) {
        let text = format!("[backup]\nrecipient = \"{}\"\n", self.recipient);
        fs::write(place.path("hub-setup.toml"), text).unwrap();
    }

    /// The master key that the newest backup there is under, where this organisation opens it.
    fn opens(&self, stick: &Path) -> Option<MasterId> {
        let keys = OrganisationKeys::read(&self.file).unwrap();
        let master = Found::newest(stick).unwrap().unlock_as(&keys).ok()?;
        Some(master.name())
    }
}

/// Has a new backup made at the panel.
async fn back_up_now(place: &Place, panel: &mut PanelClient) {
    let before = place.generations().pop();
    panel.choose("Backup").await.unwrap();
    sees(panel, "up to date").await;
    panel.press(Button::Ok).await.unwrap();
    while place.generations().pop() == before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clinic_lost_is_opened_on_a_desk_by_the_key_of_its_organisation_and_by_no_other() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let (ours, other) = (Office::new(&place, "ours.txt"), Office::new(&place, "other.txt"));
    ours.is_named_by(&place);
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse { mut hub, mut panel, .. } = place.in_use(&clinic, OFTEN).await;
    assert_eq!(
        [&ours, &other].map(|office| office.opens(&stick).is_some()),
        [true, false]
    );

    // Under another master key it is the same.
    let before = ours.opens(&stick);
    panel.change_pin(PIN, NEW_PIN).await.unwrap();
    while ours.opens(&stick) == before {
        tokio::task::yield_now().await;
    }
    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let kept = patient(&mut phone);
    phone.sync().await.unwrap();
    until_on_stick(&place, &mut phone).await;
    hub.kill9().await.unwrap();
    fs::remove_dir_all(&data).unwrap();

    assert!(!hub::restore_as(&stick, &data, &other.file, PIN).unwrap());
    assert!(!hub::restore_as(&stick, &data, &place.path("hub-setup.toml"), PIN).unwrap());
    assert!(!data.exists());
    assert!(hub::restore_as(&stick, &data, &ours.file, PIN).unwrap());
    fs::rename(&stick, place.path("away")).unwrap();
    let hub = place.hub().await;
    let seen = seen_after_restore(&hub, PIN, &clinic).await;
    assert!(seen.row("patients", &kept).is_some());
}

/// Whoever types the PIN on a desk says whose the backups are, as at the panel.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_on_a_desk_is_for_the_organisation_that_the_owners_file_names() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let (ours, other) = (Office::new(&place, "ours.txt"), Office::new(&place, "other.txt"));
    let InUse { mut hub, .. } = place
        .in_use(&Clinic::generate(7, ClinicSize::about_rows(50)), OFTEN)
        .await;
    hub.terminate().await.unwrap();
    let to = place.path("desk");
    fs::create_dir(&to).unwrap();
    let file = place.path("hub-setup.toml");
    let back_up = async |more: &[&str]| {
        let arguments = [&["backup", "--to", to.to_str().unwrap()], more].concat();
        let output = hub::desk(&data, &arguments, PIN).await.unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        output.status.success().then_some(said)
    };
    let by_file = ["--setup-file", file.to_str().unwrap()];

    fs::write(&file, "[backup]\nrecipient = \"age1\"\n").unwrap();
    assert!(back_up(&by_file).await.is_none(), "it would be for nobody");
    let said = back_up(&[]).await.unwrap();
    assert!(!said.contains("age1"), "{said}");
    for office in [&ours, &other] {
        office.is_named_by(&place);
        let said = back_up(&by_file).await.unwrap();
        assert!(said.contains(&office.recipient), "{said}");
        assert!(office.opens(&to).is_some());
        // It goes on counting.
        assert!(back_up(&[]).await.unwrap().contains(&office.recipient));
        assert!(office.opens(&to).is_some());
    }
    assert!(ours.opens(&to).is_none());
}

/// A card that somebody has changed does not have the records sealed to a key of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_opens_nothing_before_a_person_at_the_panel_said_so() {
    let place = Place::new();
    let stick = place.path("stick");
    fs::create_dir(&stick).unwrap();
    let (ours, other) = (Office::new(&place, "ours.txt"), Office::new(&place, "other.txt"));
    ours.is_named_by(&place);
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse {
        hub: _hub, mut panel, ..
    } = place.in_use(&clinic, OFTEN).await;
    other.is_named_by(&place);
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.answer("other-key", false).await.unwrap();
    back_up_now(&place, &mut panel).await;
    assert_eq!(
        [&ours, &other].map(|office| office.opens(&stick).is_some()),
        [true, false]
    );

    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    let ending = other
        .recipient
        .chars()
        .skip(other.recipient.len() - 8)
        .collect::<String>();
    let shown = panel.wait_for("other-key").await.unwrap().lines.join(" ");
    assert!(shown.contains(&ending), "{shown}");
    panel.answer("other-key", true).await.unwrap();
    // What is on the stick is for the one before, so another one is made at once.
    while other.opens(&stick).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        [&ours, &other].map(|office| office.opens(&stick).is_some()),
        [false, true]
    );

    // It is so from now on, and nobody is asked again.
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    back_up_now(&place, &mut panel).await;
    assert_eq!(
        [&ours, &other].map(|office| office.opens(&stick).is_some()),
        [false, true]
    );

    // Who writes into the folder of the records counts for nothing.
    let allowed = place.path("data/store/backup-recipient.json");
    let text = fs::read_to_string(&allowed).unwrap();
    fs::write(&allowed, text.replace(&other.recipient, &ours.recipient)).unwrap();
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
    panel.answer("other-key", false).await.unwrap();
    back_up_now(&place, &mut panel).await;
    assert_eq!(
        [&ours, &other].map(|office| office.opens(&stick).is_some()),
        [false, false]
    );
}
