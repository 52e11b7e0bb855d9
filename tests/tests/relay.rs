//! Phones, hub and cloud: what a clinic writes arrives in PostgreSQL, what the cloud changes arrives on the phones, and an
//! idle run sends nothing. Each of them with the older cloud and with the newer.

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::{Cloud, Generation};
use hub_tests::compare::hub_as_seen_by;
use hub_tests::hub::{Log, TestHub};
use hub_tests::phone::Phone;
use hub_tests::phone::cell::Cell;
use hub_tests::phone::edit::NewPatient;
use serde_json::json;

const SIZE: ClinicSize = ClinicSize {
    patients: 20,
    visits: 40,
    events: 60,
};

/// A hub that is relayed to a cloud, and one phone of the clinic's administrator.
struct Relayed {
    cloud: Cloud,
    hub: TestHub,
    phone: Phone,
    clinic: Clinic,
}

impl Relayed {
    async fn new(generation: Generation) -> Self {
        let clinic = Clinic::generate(31, SIZE);
        let cloud = Cloud::start(&clinic).await.unwrap();
        cloud.switch(|switches| switches.generation = generation);
        let hub = TestHub::relayed(&cloud.setup(), Log::Everything).await.unwrap();
        hub.hub.panel().await.unwrap().wait_for_cloud("Done").await.unwrap();
        let mut phone = hub.phone(clinic.user("admin@clinic.example").unwrap()).await.unwrap();
        phone.sync().await.unwrap();
        Self {
            cloud,
            hub,
            phone,
            clinic,
        }
    }

    /// A run of the relay; what the panel says of it at its end.
    async fn run(&self) -> String {
        self.hub.hub.panel().await.unwrap().sync_now().await.unwrap()
    }

    /// A run that comes to its end.
    async fn run_through(&self) {
        let said = self.run().await;
        assert!(said.starts_with("Done"), "{said}");
    }

    /// Phone, hub and PostgreSQL hold the same.
    async fn assert_alike(&mut self) {
        let seen = hub_as_seen_by(&mut self.phone).await.unwrap();
        let differences = self.cloud.differences(&seen).await.unwrap();
        assert!(
            differences.is_empty(),
            "{} differences: {:#?}",
            differences.len(),
            &differences[..differences.len().min(10)]
        );
    }

    /// A run with nothing to do sends no row, and tells the phone nothing.
    async fn assert_quiet(&mut self) {
        self.run_through().await;
        self.phone.sync().await.unwrap();
        let _ = self.cloud.take_counts();
        self.run_through().await;
        let counts = self.cloud.take_counts();
        assert_eq!((counts.pushes, counts.rows_pushed), (0, 0), "{counts:?}");
        let report = self.phone.pull().await.unwrap();
        assert!(
            report.iter().all(|(_, counts)| *counts == Default::default()),
            "{report:?}"
        );
    }

    fn patient(&self) -> String {
        self.phone
            .database
            .rows("patients")
            .unwrap()
            .next()
            .unwrap()
            .0
            .to_owned()
    }
}

fn new_patient(name: &str) -> NewPatient {
    NewPatient {
        given_name: name.into(),
        surname: "Relayed".into(),
        date_of_birth: "1990-05-01".into(),
        sex: "female".into(),
        ..NewPatient::default()
    }
}

async fn there_and_back(generation: Generation) {
    let mut world = Relayed::new(generation).await;
    world.assert_alike().await;

    // A day's work on the phone.
    let patient = world.phone.register_patient(&new_patient("Amina")).unwrap();
    let visit = world.phone.open_visit(&patient).unwrap();
    let old = world.patient();
    world
        .phone
        .edit("patients", &old, &[("hometown", "Elsewhere".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    world.assert_alike().await;
    let visits = world.cloud.rows("visits").await.unwrap();
    assert!(visits.iter().any(|row| row["id"] == visit.as_str()));
    world.assert_quiet().await;

    // The cloud changes what the phone has, and what the phone made.
    world
        .cloud
        .edit("patients", &patient, &[("camp", json!("North"))])
        .await
        .unwrap();
    world
        .cloud
        .edit("patients", &old, &[("surname", json!("Renamed"))])
        .await
        .unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let cell = |world: &Relayed, id: &str, column| world.phone.database.cell("patients", id, column).unwrap().clone();
    assert_eq!(cell(&world, &patient, "camp"), Cell::text("North"));
    assert_eq!(cell(&world, &old, "surname"), Cell::text("Renamed"));
    assert_eq!(cell(&world, &old, "hometown"), Cell::text("Elsewhere"));
    world.assert_alike().await;
    world.assert_quiet().await;

    // Both change it before they hear of each other.
    world
        .cloud
        .edit("patients", &old, &[("camp", json!("South"))])
        .await
        .unwrap();
    world
        .phone
        .edit("patients", &old, &[("hometown", "Farther".into())])
        .unwrap();
    world.phone.sync().await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    assert_eq!(cell(&world, &old, "camp"), Cell::text("South"));
    assert_eq!(cell(&world, &old, "hometown"), Cell::text("Farther"));
    world.assert_alike().await;

    // Deletions, both ways.
    world.phone.delete("visits", &visit).unwrap();
    world.phone.sync().await.unwrap();
    world.cloud.delete("patients", &old).await.unwrap();
    world.run_through().await;
    world.phone.sync().await.unwrap();
    let is_gone = |world: &Relayed, id: &str| {
        let table = hub_tests::schema::schema().table("patients").unwrap();
        world
            .phone
            .database
            .row("patients", id)
            .is_none_or(|row| row.is_deleted(table))
    };
    assert!(is_gone(&world, &old));
    let visits = world.cloud.rows("visits").await.unwrap();
    assert!(!visits.iter().any(|row| row["id"] == visit.as_str()));
    world.assert_quiet().await;
    assert!(world.clinic.users().len() > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_there_and_back_with_the_older_cloud() {
    there_and_back(Generation::C1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_there_and_back_with_the_newer_cloud() {
    there_and_back(Generation::C2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_makes_the_cloud_fail_is_held_even_where_nothing_else_is_to_be_sent() {
    let mut world = Relayed::new(Generation::C1).await;
    world.run_through().await;
    let refuse = "ALTER TABLE patients ADD CONSTRAINT refused CHECK (given_name <> 'Bad') NOT VALID";
    world.cloud.execute(refuse).await.unwrap();
    let patient = world.phone.register_patient(&new_patient("Bad")).unwrap();
    for _ in 0..3 {
        world.phone.open_visit(&patient).unwrap();
    }
    world.phone.sync().await.unwrap();
    let _ = world.cloud.take_counts();
    world.run_through().await;
    assert!(world.cloud.take_counts().pushes <= 16);
    let patients = world.cloud.rows("patients").await.unwrap();
    assert!(!patients.iter().any(|row| row["id"] == patient.as_str()));

    // Once the cloud takes it, a person's wish is enough.
    let take = "ALTER TABLE patients DROP CONSTRAINT refused";
    world.cloud.execute(take).await.unwrap();
    world.run_through().await;
    world.run_through().await;
    world.assert_alike().await;
    world.assert_quiet().await;
}
