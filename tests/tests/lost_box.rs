//! A box that is lost: backed up, written to, destroyed, restored on another; and what phones make of that.

use std::path::Path;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{self, Log, PIN, TestHub};
use hub_tests::panel_client::{Button, PanelClient, Screen};
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::pull::PullCounts;
use hub_tests::phone::{Generation, Phone};

const NEW_PIN: &str = "27182818";
/// ms.
const DAY: i64 = 24 * 60 * 60 * 1000;

async fn back_up(data: &Path, to: &Path) {
    let output = hub::desk(data, &["backup", "--to", to.to_str().unwrap()], PIN)
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("checked"));
}

fn restore(from: &Path, data: &Path, code: &str) -> bool {
    hub::restore(from, data, code, NEW_PIN).unwrap()
}

fn patient(phone: &mut Phone, name: &str) -> String {
    let new = NewPatient {
        given_name: name.to_owned(),
        surname: "Lost".to_owned(),
        ..NewPatient::default()
    };
    phone.register_patient(&new).unwrap()
}

/// Waits until the panel's list of phones marks so many.
async fn marks(panel: &mut PanelClient, count: usize) {
    panel.choose("Phones").await.unwrap();
    let marked = |screen: &Screen| {
        screen
            .lines
            .iter()
            .filter(|line| line.trim_start_matches([' ', '>']).starts_with('!'))
            .count()
    };
    let are_so_many = |screen: &Screen| screen.name == "phones" && marked(screen) == count;
    let seen = panel.wait_until(are_so_many).await;
    seen.unwrap_or_else(|error| panic!("{count} marked: {error}"));
}

#[tokio::test]
async fn a_lost_box_comes_back_with_all_that_was_backed_up_and_phones_that_were_ahead_bring_the_rest() {
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let mut hub = TestHub::with_clinic(&clinic, Log::Warnings).await.unwrap();
    let code = hub.recovery.as_ref().unwrap().groups().join("-");
    let doctor = clinic.user("doctor@clinic.example").unwrap();
    let mut phones = Vec::new();
    for app in [Generation::V1_5, Generation::V1_5, Generation::V1_7] {
        let mut phone = Phone::with_client(hub.pair(|client| client).await.unwrap()).with_app(app);
        phone.log_in(&doctor.email, &doctor.password).await.unwrap();
        phones.push(phone);
    }
    let [mut old, mut other, mut new] = <[Phone; 3]>::try_from(phones).unwrap();
    // From a day before, as the README says.
    let since = old.clock.now() - DAY;
    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let kept = patient(&mut old, "Kept");
    old.sync().await.unwrap();

    hub.hub.terminate().await.unwrap();
    let stick = tempfile::tempdir().unwrap();
    back_up(&hub.data(), stick.path()).await;
    hub.start_again().await.unwrap();

    // What came in between is on the hub and on phones; some of it is marked as deleted on one of them.
    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let lost = patient(&mut old, "After");
    old.sync().await.unwrap();
    for phone in [&mut other, &mut new] {
        phone.sync().await.unwrap();
    }
    let now = new.clock.now();
    new.database
        .update("patients", &lost, &[("hometown", "Elsewhere".into())], now)
        .unwrap();
    new.sync().await.unwrap();
    old.sync().await.unwrap();
    other.sync().await.unwrap();
    other.database.mark_deleted("patients", &kept).unwrap();

    hub.hub.kill9().await.unwrap();
    std::fs::remove_dir_all(hub.data()).unwrap();
    assert!(
        !restore(stick.path(), &hub.data(), &"000011-".repeat(8)),
        "another code opens nothing"
    );
    assert!(restore(stick.path(), &hub.data(), &code));
    assert!(!restore(stick.path(), &hub.data(), &code), "there is a hub now");
    hub.start_locked().await.unwrap();
    let mut panel = hub.hub.panel().await.unwrap();
    panel.unlock(NEW_PIN).await.unwrap();

    for phone in [&mut old, &mut other, &mut new] {
        phone.sync().await.unwrap();
        let again = phone.sync().await.unwrap().pulled;
        assert!(
            again.iter().all(|(_, counts)| *counts == PullCounts::default()),
            "nothing comes twice"
        );
    }
    // Who has more than the hub is told, and what to do.
    marks(&mut panel, 3).await;
    panel.press(Button::Ok).await.unwrap();
    let says = |screen: &Screen| screen.name == "phone" && screen.lines.join(" ").contains("Has more than the hub");
    panel.wait_until(says).await.unwrap();

    assert!(new.database.row("patients", &kept).is_some());
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    assert!(seen.row("patients", &kept).is_some(), "what was backed up is there");
    assert!(
        seen.row("patients", &lost).is_none(),
        "what came after the backup is not"
    );

    old.force_upload(since).await.unwrap();
    for _ in 0..2 {
        for phone in [&mut old, &mut other, &mut new] {
            phone.sync().await.unwrap();
        }
    }
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    assert!(seen.row("patients", &lost).is_some());
    Comparison::of_one_user().compare(&seen, &old.database).unwrap();
    Comparison::of_one_user().compare(&seen, &new.database).unwrap();
    // What it marked as deleted nobody was told of, and the hub still has it; all else is the same.
    other.force_upload(since).await.unwrap();
    marks(&mut panel, 1).await;
    for _ in 0..2 {
        for phone in [&mut old, &mut other, &mut new] {
            phone.sync().await.unwrap();
        }
    }
    let seen = hub_as_seen_by(&mut old).await.unwrap();
    for phone in [&old, &new] {
        Comparison::of_one_user().compare(&seen, &phone.database).unwrap();
    }
    let rest = Comparison::of_one_user().without("patients");
    rest.compare(&seen, &other.database).unwrap();
    assert!(other.database.row("patients", &lost).is_some());
}
