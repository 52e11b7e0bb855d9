//! A hub that is relayed to a cloud, and what is always asked of the three: that they hold the same, and come to rest.

use std::collections::BTreeSet;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::cloud::{Cloud, Generation};
use hub_tests::compare::{Comparison, hub_as_seen_by};
use hub_tests::hub::{self, Log, PIN, TestHub};
use hub_tests::phone::edit::NewPatient;
use hub_tests::phone::{Database, Phone};

pub(crate) const SIZE: ClinicSize = ClinicSize {
    patients: 20,
    visits: 40,
    events: 60,
};

/// A run that came to its end says so in the hub's log.
const DONE: &str = "state=Waiting";

/// A hub that is relayed to a cloud, and one phone of the clinic's administrator.
pub(crate) struct Relayed {
    pub(crate) cloud: Cloud,
    pub(crate) hub: TestHub,
    pub(crate) phone: Phone,
    pub(crate) clinic: Clinic,
}

impl Relayed {
    pub(crate) async fn new(generation: Generation, log: Log) -> Self {
        let clinic = Clinic::generate(31, SIZE);
        let cloud = Cloud::start(&clinic).await.unwrap();
        cloud.switch(|switches| switches.generation = generation);
        let setup = cloud.setup();
        Self::with(clinic, cloud, &setup, log).await
    }

    /// The same with a cloud that is there, and what the owner's file says of it.
    pub(crate) async fn with(clinic: Clinic, cloud: Cloud, setup: &str, log: Log) -> Self {
        let hub = TestHub::relayed(setup, log).await.unwrap();
        hub.hub.wait_for_run(0).await.unwrap();
        let phone = phone_of_admin(&hub, &clinic).await;
        Self {
            cloud,
            hub,
            phone,
            clinic,
        }
    }

    /// A run of the relay; how it ended.
    pub(crate) async fn run(&self) -> String {
        self.hub.hub.sync_now(false).await.unwrap()
    }

    /// A run that comes to its end.
    pub(crate) async fn run_through(&self) {
        let ended = self.run().await;
        assert!(ended.contains(DONE), "{ended}: {}", self.hub.hub.printed());
    }

    /// Phone, hub and PostgreSQL hold the same.
    pub(crate) async fn assert_alike(&mut self) {
        let seen = self.hub_content().await;
        self.assert_cloud_has(&seen).await;
    }

    /// What the hub holds; the phone holds the same.
    pub(crate) async fn hub_content(&mut self) -> Database {
        let seen = hub_as_seen_by(&mut self.phone).await.unwrap();
        let compared = Comparison::of_one_user().compare(&self.phone.database, &seen);
        assert_eq!(compared, Ok(()), "the phone left, the hub right");
        seen
    }

    /// PostgreSQL holds what is in `seen`, and nothing else.
    pub(crate) async fn assert_cloud_has(&self, seen: &Database) {
        let differences = self.cloud.differences(seen).await.unwrap();
        assert!(
            differences.is_empty(),
            "{} differences: {:#?}",
            differences.len(),
            &differences[..differences.len().min(10)]
        );
    }

    /// A run with nothing to do sends no row, and tells the phone nothing.
    pub(crate) async fn assert_quiet(&mut self) {
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

    /// What the hub, which must have ended, says that the cloud does not have: table/row, and why.
    pub(crate) async fn unacknowledged(&self) -> Vec<(String, String)> {
        let output = hub::desk(&self.hub.data(), &["held", "cloud"], PIN).await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        lines
            .map(|line| (format!("{}/{}", line[1], line[2]), line[3].to_owned()))
            .collect()
    }

    /// What PostgreSQL does not hold as the phone does, which has synced, the hub, which has ended, does not take for
    /// acknowledged. Gives how many rows it says that the cloud does not have.
    pub(crate) async fn assert_nothing_acknowledged_is_missing(&self) -> usize {
        let known = self.unacknowledged().await;
        let rows: BTreeSet<&str> = known.iter().map(|(row, _)| row.as_str()).collect();
        for difference in self.cloud.differences(&self.phone.database).await.unwrap() {
            let row = difference.split(['.', ' ']).next().unwrap_or_default();
            assert!(rows.contains(row), "acknowledged, but {difference}");
        }
        known.len()
    }

    /// A form that events are recorded by.
    pub(crate) fn form(&self) -> String {
        let mut forms = self.phone.database.rows("event_forms").unwrap();
        forms.next().unwrap().0.to_owned()
    }

    /// A patient whom the clinic had from the beginning.
    pub(crate) fn patient(&self) -> String {
        let mut patients = self.phone.database.rows("patients").unwrap();
        patients.next().unwrap().0.to_owned()
    }
}

/// A phone of the clinic's administrator, who sees everything, and which the hub knows to run the app of the stores.
pub(crate) async fn phone_of_admin(hub: &TestHub, clinic: &Clinic) -> Phone {
    let mut phone = hub.phone(clinic.user("admin@clinic.example").unwrap()).await.unwrap();
    phone.show_app().await.unwrap();
    phone.sync().await.unwrap();
    phone
}

pub(crate) fn new_patient(name: &str) -> NewPatient {
    NewPatient {
        given_name: name.into(),
        surname: "Relayed".into(),
        date_of_birth: "1990-05-01".into(),
        sex: "female".into(),
        ..NewPatient::default()
    }
}
