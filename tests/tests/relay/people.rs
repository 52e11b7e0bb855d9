//! What the cloud decides about people and clinics counts at a phone's next request after the hub has heard of it.

use hub_tests::clinic::DemoUser;
use hub_tests::cloud::Generation;
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{self, Log, PIN};
use hub_tests::phone::{Database, Generation as App, Phone};
use hub_tests::schema::schema;
use serde_json::{Value, json};

use super::world::{Relayed, new_patient};

impl Relayed {
    fn user(&self, name: &str) -> DemoUser {
        self.clinic.user(&format!("{name}@clinic.example")).unwrap().clone()
    }

    async fn phone_of(&self, name: &str) -> Phone {
        // The older app does not sign in again by itself.
        let mut phone = self.hub.phone(&self.user(name)).await.unwrap().with_app(App::V1_5);
        phone.sync().await.unwrap();
        phone
    }

    async fn permission(&self, user: &DemoUser, clinic: &str) -> String {
        let rows = self.cloud.rows("user_clinic_permissions").await.unwrap();
        let row = rows
            .iter()
            .find(|row| row["user_id"] == user.id.as_str() && row["clinic_id"] == clinic);
        row.unwrap()["id"].as_str().unwrap().to_owned()
    }
}

async fn status_of_sync(phone: &mut Phone) -> Option<u16> {
    phone.sync().await.err().and_then(|error| error.status())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_or_a_right_that_the_cloud_takes_away_ends_at_the_next_request() {
    let world = Relayed::new(Generation::C1, Log::Warnings).await;
    let (nurse, doctor) = (world.user("nurse"), world.user("doctor"));
    let mut of_nurse = world.phone_of("nurse").await;
    let mut of_doctor = world.phone_of("doctor").await;
    let mut of_viewer = world.phone_of("viewer").await;
    let mut of_pharmacist = world.phone_of("pharmacist").await;

    // One right less: the cloud says so.
    let rights = world.permission(&doctor, &doctor.clinic_id).await;
    let no_more = [("can_register_patients", json!(false))];
    world
        .cloud
        .edit("user_clinic_permissions", &rights, &no_more)
        .await
        .unwrap();
    // A user less, in the older cloud's way.
    world.cloud.delete("users", &nurse.id).await.unwrap();
    world.run_through().await;
    let patient = json!({"patient": {"id": "0197f000-0000-7000-8000-0000000000aa", "given_name": "N",
        "primary_clinic_id": doctor.clinic_id}, "additional_attributes": []});
    let registered = of_doctor.client.command::<Value>("register_patient", patient).await;
    assert_eq!(registered.unwrap_err().status(), Some(403));
    assert_eq!(status_of_sync(&mut of_nurse).await, Some(401));
    let again = of_nurse.client.login(&nurse.email, &nurse.password).await;
    assert_eq!(again.unwrap_err().status(), Some(401));

    // A permission that is gone is never told: only a run that compares everything finds that it comes no more.
    let pharmacist = world.user("pharmacist");
    let rights = world.permission(&pharmacist, &pharmacist.clinic_id).await;
    world.cloud.delete("user_clinic_permissions", &rights).await.unwrap();
    let ended = world.hub.hub.sync_now(true).await.unwrap();
    assert!(ended.contains("Waiting"), "{ended}");
    assert_eq!(status_of_sync(&mut of_pharmacist).await, Some(401));

    // And in the newer cloud's way.
    world.cloud.switch(|switches| switches.generation = Generation::C2);
    assert_eq!(status_of_sync(&mut of_viewer).await, None);
    world.cloud.delete("users", &world.user("viewer").id).await.unwrap();
    world.run_through().await;
    assert_eq!(status_of_sync(&mut of_viewer).await, Some(401));
    assert_eq!(status_of_sync(&mut of_doctor).await, None, "everybody else works on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_that_the_cloud_takes_away_is_out_of_sight_at_once_and_what_was_not_sent_of_it_is_kept() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let (here, there) = (world.user("admin").clinic_id, world.user("doctor.two").clinic_id);
    let mut of_other = world.phone_of("doctor.two").await;
    let unsent = of_other.register_patient(&new_patient("Unsent")).unwrap();
    of_other.sync().await.unwrap();
    world.cloud.give_clinics(&[&here]);
    world.run_through().await;
    assert_eq!(status_of_sync(&mut of_other).await, Some(401));
    let seen = hub_as_seen_by(&mut world.phone).await.unwrap();
    let of_clinic = |database: &Database, clinic: &str| {
        let table = schema().table("patients").unwrap();
        let rows = database.rows("patients").unwrap();
        rows.filter(|(_, row)| row.get(table, "primary_clinic_id") == Some(&clinic.into()))
            .count()
    };
    assert_eq!(of_clinic(&seen, &there), 0);
    assert!(of_clinic(&seen, &here) > 0);
    // What it wrote is not lost: a person can read of it, and it goes when the clinic comes back.
    world.hub.hub.terminate().await.unwrap();
    let held = world.unacknowledged().await;
    let reason = "of a clinic that is not this hub's".to_owned();
    assert!(held.contains(&(format!("patients/{unsent}"), reason)), "{held:?}");
    world.cloud.give_clinics(&[&here, &there]);
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    world.run_through().await;
    assert!(
        world
            .cloud
            .rows("patients")
            .await
            .unwrap()
            .iter()
            .any(|row| row["id"] == unsent.as_str())
    );
    assert_eq!(status_of_sync(&mut world.phone_of("doctor.two").await).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_whom_the_cloud_moves_comes_to_the_other_clinics_phones_with_everything() {
    let world = Relayed::new(Generation::C2, Log::Warnings).await;
    let mut of_other = world.phone_of("doctor.two").await;
    let other = world.user("doctor.two").clinic_id;
    let visits = world.cloud.rows("visits").await.unwrap();
    let is_here = |phone: &Phone, id: &str| phone.database.row("patients", id).is_some();
    let patients = world.cloud.rows("patients").await.unwrap();
    let ids = patients.iter().map(|row| row["id"].as_str().unwrap());
    let mut unknown = ids.filter(|id| !is_here(&of_other, id));
    let moved = unknown
        .find(|id| visits.iter().any(|visit| visit["patient_id"] == *id))
        .unwrap();
    world
        .cloud
        .edit("patients", moved, &[("primary_clinic_id", json!(other))])
        .await
        .unwrap();
    world.run_through().await;
    of_other.sync().await.unwrap();
    assert!(is_here(&of_other, moved));
    for visit in visits.iter().filter(|visit| visit["patient_id"] == moved) {
        assert!(
            of_other.database.row("visits", visit["id"].as_str().unwrap()).is_some(),
            "{visit:?}"
        );
    }

    // A deletion reaches a phone that has the record, and takes along what hangs on it.
    world.cloud.delete("patients", moved).await.unwrap();
    world.run_through().await;
    of_other.sync().await.unwrap();
    for table in ["patients", "visits", "events", "patient_vitals"] {
        let definition = hub_tests::schema::schema().table(table).unwrap();
        let column = if table == "patients" { "id" } else { "patient_id" };
        let mut rows = of_other.database.rows(table).unwrap();
        let left = rows.find(|(_, row)| {
            row.get(definition, column).and_then(|cell| cell.as_text()) == Some(moved) && !row.is_deleted(definition)
        });
        assert_eq!(left.map(|(id, _)| id.to_owned()), None, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_says_of_the_hub_itself_is_heeded_and_phones_work_on() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let states = [
        ("suspended", "state=Inactive"),
        ("decommissioned", "state=Inactive"),
        ("active", "state=Waiting"),
    ];
    for (status, state) in states {
        world.cloud.switch(|switches| switches.status = status);
        let _ = world.cloud.take_counts();
        let ended = world.run().await;
        assert!(ended.contains(state), "{status}: {ended}");
        assert_eq!(
            world.cloud.take_counts().pulls,
            u64::from(status == "active"),
            "{status}"
        );
        world.phone.sync().await.unwrap();
    }
    // Without a clinic it would be sent those of all.
    let clinics: Vec<String> = world
        .cloud
        .rows("clinics")
        .await
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    world.cloud.give_clinics(&[]);
    let ended = world.run().await;
    assert!(ended.contains("state=NoClinic"), "{ended}");
    assert_eq!(world.cloud.take_counts().pulls, 0);
    world
        .cloud
        .give_clinics(&clinics.iter().map(String::as_str).collect::<Vec<_>>());
    world
        .cloud
        .change_key("hh_ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100");
    let ended = world.run().await;
    assert!(ended.contains("state=Refused"), "{ended}");
    world.phone.sync().await.unwrap();
    assert!(
        !world.hub.hub.printed().contains("00112233445566778899aabbccddeeff"),
        "the key is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_records_of_a_clinic_that_was_taken_away_go_when_a_person_allows_it_and_come_back_with_the_clinic() {
    let mut world = Relayed::new(Generation::C1, Log::Warnings).await;
    let (here, there) = (world.user("admin").clinic_id, world.user("doctor.two").clinic_id);
    let mut of_other = world.phone_of("doctor.two").await;
    let patient = of_other.register_patient(&new_patient("Sent")).unwrap();
    of_other.sync().await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let before = hub_as_seen_by(&mut of_other).await.unwrap();

    world.cloud.give_clinics(&[&here]);
    world.run_through().await;
    // Who says no is not asked again before the hub is unlocked anew.
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.answer("withdrawn-clinic", false).await.unwrap();
    world.run_through().await;
    world.hub.hub.terminate().await.unwrap();
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    let mut panel = world.hub.hub.panel().await.unwrap();
    panel.answer("withdrawn-clinic", true).await.unwrap();
    // That is done before the next run, and a phone that had all of it hears of it.
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let table = schema().table("patients").unwrap();
    let left = world.phone.database.row("patients", &patient);
    assert!(left.is_none_or(|row| row.is_deleted(table)));
    let _ = world.cloud.take_counts();
    world.run_through().await;
    assert_eq!(
        world.cloud.take_counts().rows_pushed,
        0,
        "the cloud hears nothing of it"
    );
    world.hub.hub.terminate().await.unwrap();
    let export = ["audit", "export", "--format", "jsonl"];
    let exported = hub::desk(&world.hub.data(), &export, PIN).await.unwrap();
    let log = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(log.matches("cloud.clinic_deleted").count(), 1);

    world.cloud.give_clinics(&[&here, &there]);
    world.hub.start_again().await.unwrap();
    world.hub.hub.wait_for_run(0).await.unwrap();
    let mut of_other = world.phone_of("doctor.two").await;
    let after = hub_as_seen_by(&mut of_other).await.unwrap();
    assert_eq!(Comparison::of_one_user().compare(&before, &after), Ok(()));
}
