//! Backups of before and after other keys, each of which opens by the recovery code of its day.

use std::fs;
use std::path::Path;

use hub_appliance::backup::Found;
use hub_appliance::keys::{MasterId, RecoveryCode as Code};
use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::{self, PIN};
use hub_tests::panel_client::RecoveryCode;

use super::{InUse, NEW_PIN, OFTEN, Place, all_on, paired, patient, seen_after_restore, until_on_stick};

/// The master key that the newest backup on `stick` is under, where it opens by this code.
fn master(stick: &Path, code: &RecoveryCode) -> Option<MasterId> {
    let code = Code::parse(code.groups().iter().map(String::as_str)).unwrap();
    let master = Found::newest(stick).ok()?.unlock(&code).ok()?;
    Some(master.name())
}

/// Waits until a backup under another master key opens by this code.
async fn other_than(before: Option<MasterId>, stick: &Path, code: &RecoveryCode) -> Option<MasterId> {
    loop {
        let now = master(stick, code);
        if now.is_some() && now != before {
            return now;
        }
        tokio::task::yield_now().await;
    }
}

/// Puts away what is on the stick now, as a person puts one into a drawer.
fn put_away(stick: &Path, drawer: &Path) {
    for (path, _, bytes) in all_on(stick) {
        let copy = drawer.join(path.strip_prefix(stick).unwrap());
        if path.is_dir() {
            fs::create_dir_all(copy).unwrap();
        } else {
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::write(copy, bytes).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_of_before_and_after_another_pin_and_another_code_come_back_by_the_code_of_their_day() {
    let place = Place::new();
    let (stick, data) = (place.path("stick"), place.path("data"));
    fs::create_dir(&stick).unwrap();
    let clinic = Clinic::generate(7, ClinicSize::about_rows(200));
    let InUse {
        mut hub,
        mut panel,
        code,
    } = place.in_use(&clinic, OFTEN).await;
    let mut phone = paired(&hub, &mut panel, &clinic).await;
    phone.sync().await.unwrap();
    let mut written = vec![patient(&mut phone)];
    phone.sync().await.unwrap();
    until_on_stick(&place, &mut phone).await;
    let first = place.path("first");
    put_away(&stick, &first);

    // With another PIN the master key becomes another one, and what follows can't go behind what is under the one before.
    let before = master(&stick, &code);
    panel.change_pin(PIN, NEW_PIN).await.unwrap();
    let now = other_than(before, &stick, &code).await;
    written.push(patient(&mut phone));
    phone.sync().await.unwrap();
    until_on_stick(&place, &mut phone).await;
    assert_eq!(master(&stick, &code), now);
    let second = place.path("second");
    put_away(&stick, &second);

    let new_code = panel.renew_code(NEW_PIN).await.unwrap();
    other_than(now, &stick, &new_code).await;
    written.push(patient(&mut phone));
    phone.sync().await.unwrap();
    until_on_stick(&place, &mut phone).await;
    hub.kill9().await.unwrap();
    fs::remove_dir_all(&data).unwrap();

    let all = [(&first, &code, 1), (&second, &code, 2), (&stick, &new_code, 3)];
    for (from, of_its_day, count) in all {
        let other = if of_its_day == &code { &new_code } else { &code };
        assert!(!Place::restores(from, other));
        assert!(!data.exists());
        assert!(hub::restore(from, &data, &of_its_day.groups().join("-"), NEW_PIN).unwrap());
        // The stick would be gone on with.
        fs::rename(&stick, place.path("away")).unwrap();
        let mut hub = place.hub().await;
        let seen = seen_after_restore(&hub, NEW_PIN, &clinic).await;
        let there = written.iter().map(|id| seen.row("patients", id).is_some());
        assert_eq!(there.filter(|is_there| *is_there).count(), count, "{}", from.display());
        hub.kill9().await.unwrap();
        fs::remove_dir_all(&data).unwrap();
        fs::rename(place.path("away"), &stick).unwrap();
    }
}
