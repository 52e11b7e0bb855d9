//! The plug pulled at random moments while phones push, on a disk that loses what was not flushed: every push that was
//! acknowledged is there afterwards, and the file systems are whole.
//!
//! The moment is drawn from the log of the disk's writes, right after one of them, for that is when a cut hurts: hardly
//! ever would it come there by itself. A push counts if its acknowledgement came while the log was shorter than that.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::phone::Phone;
use hub_tests::phone::client::ClientError;
use hub_tests::phone::edit::NewPatient;
use tokio::sync::Notify;

use super::inside::{at_shell, development_box};
use super::vm::{Parts, Vm};
use super::{LISTENING, PRIVATE_NETWORK, put_on_card, write_log};

/// How often the plug is pulled, unless `HUB_POWER_CUTS` says otherwise.
const CUTS: usize = 20;
/// How many phones push meanwhile, unless `HUB_POWER_PHONES` says otherwise.
const PHONES: usize = 20;

/// How often the phones are answered, at least, before the plug is pulled.
const PUSHES: usize = 40;

/// The patients whose push was acknowledged, each with the length that the log of the disk's writes had by then.
#[derive(Debug, Default)]
struct Acknowledged {
    patients: Mutex<BTreeMap<String, u64>>,
    grew: Notify,
}

impl Acknowledged {
    /// Forgets what came after a moment, and lets the rest count for all later logs.
    fn settle(&self, moment: u64) -> usize {
        let mut patients = self.patients.lock().unwrap();
        patients.retain(|_, at| *at <= moment);
        patients.values_mut().for_each(|at| *at = 0);
        patients.len()
    }
}

/// Registers and pushes patients until the hub is gone. The cut left the phone without a session, and perhaps with a
/// patient that it has no answer about.
async fn work(mut phone: Phone, log: PathBuf, acknowledged: Arc<Acknowledged>) -> Phone {
    if phone.client.handshake().await.is_err() {
        return phone;
    }
    loop {
        let patient = NewPatient {
            given_name: "Acknowledged".to_owned(),
            ..NewPatient::default()
        };
        let id = phone.register_patient(&patient).unwrap();
        if phone.push().await.is_err() {
            return phone;
        }
        let length = fs::metadata(&log).unwrap().len();
        acknowledged.patients.lock().unwrap().insert(id, length);
        acknowledged.grew.notify_one();
    }
}

/// Pairs phones as fast as the hub takes new ones from one address.
async fn pair(vm: &Vm, clinic: &Clinic, count: usize) -> Vec<Phone> {
    let mut panel = vm.panel().await.unwrap();
    let user = &clinic.users()[0];
    let mut phones = Vec::new();
    for _ in 0..count {
        panel.open_pairing().await.unwrap();
        let mut phone = Phone::new(&vm.url()).unwrap();
        while let Err(error) = phone.client.handshake().await.map(drop) {
            let ClientError::Refused {
                status: 429,
                retry_after: Some(seconds),
                ..
            } = error
            else {
                panic!("{error}");
            };
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            panel.open_pairing().await.unwrap();
        }
        panel.keep().await.unwrap();
        phone.log_in(&user.email, &user.password).await.unwrap();
        phone.sync().await.unwrap();
        phones.push(phone);
    }
    phones
}

/// How many of the patients a phone that was never here before does not get.
async fn missing(vm: &Vm, clinic: &Clinic, acknowledged: &Acknowledged) -> usize {
    let newcomer = pair(vm, clinic, 1).await.remove(0);
    let patients = acknowledged.patients.lock().unwrap();
    let absent = |id: &&String| newcomer.database.row("patients", id).is_none();
    patients.keys().filter(absent).count()
}

/// Boots the box on what is left of its disk; it opens with its PIN, and has never an offer to format.
async fn unlock(parts: &Parts, folder: &Path) -> Vm {
    let mut vm = Vm::start(parts, folder).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    let first = panel.wait_until(|screen| screen.name != "splash").await.unwrap();
    assert_eq!(first.name, "locked");
    panel.unlock(PIN).await.unwrap();
    vm
}

/// Has both file systems checked from end to end as they are on the disk, while nothing is written.
async fn check_files(vm: &mut Vm) {
    for folder in ["/data/keys", "/data/store"] {
        let command = format!(
            "d=$(grep ' {folder} ' /proc/mounts); busybox fsfreeze --freeze {folder} && \
            /sbin/e2fsck -f -n ${{d%% *}}; echo \"status $?\"; busybox fsfreeze --unfreeze {folder}"
        );
        let said = at_shell(vm, &command).await;
        assert!(said.contains("status 0"), "{folder}: {said}");
    }
}

#[tokio::test]
#[ignore = "boots an image many times: scripts/test --image-full"]
async fn what_was_acknowledged_outlives_every_power_cut() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |count| count.parse().unwrap());
    let (cuts, count) = (number("HUB_POWER_CUTS", CUTS), number("HUB_POWER_PHONES", PHONES));
    let folder = tempfile::tempdir().unwrap();
    // Its shell lets the test look at the file systems; the hub is the very same.
    let mut parts = development_box(&folder, PRIVATE_NETWORK);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(200));
    put_on_card(&clinic, &parts.card);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    vm.panel().await.unwrap().set_up(PIN).await.unwrap();
    let mut phones = pair(&vm, &clinic, count).await;
    vm.pull_plug().await.unwrap();

    let before = folder.path().join("before.img");
    let log = folder.path().join("writes.log");
    parts.log = Some(log.clone());
    let acknowledged = Arc::new(Acknowledged::default());
    for number in 1..=cuts {
        fs::copy(&parts.data, &before).unwrap();
        let mut vm = unlock(&parts, folder.path()).await;
        check_files(&mut vm).await;
        assert_eq!(
            missing(&vm, &clinic, &acknowledged).await,
            0,
            "after cut {}",
            number - 1
        );

        let quiet = fs::metadata(&log).unwrap().len();
        let tasks: Vec<_> = phones
            .drain(..)
            .map(|phone| tokio::spawn(work(phone, log.clone(), Arc::clone(&acknowledged))))
            .collect();
        for _ in 0..PUSHES {
            acknowledged.grew.notified().await;
        }
        vm.pull_plug().await.unwrap();
        for task in tasks {
            phones.push(task.await.unwrap());
        }
        fs::copy(&before, &parts.data).unwrap();
        let moments = write_log::moments(&log).unwrap();
        let under_load = &moments[moments.partition_point(|moment| *moment <= quiet)..];
        let moment = under_load[getrandom::u32().unwrap() as usize % under_load.len()];
        let cut = write_log::cut(&parts.data, &log, moment, || {
            getrandom::u32().unwrap().is_multiple_of(2)
        });
        say(number, cut.unwrap(), acknowledged.settle(moment));
    }
    parts.log = None;
    let mut vm = unlock(&parts, folder.path()).await;
    check_files(&mut vm).await;
    assert_eq!(missing(&vm, &clinic, &acknowledged).await, 0, "after the last cut");
}

#[allow(clippy::print_stdout, reason = "figures for people")]
fn say(number: usize, cut: write_log::Cut, acknowledged: usize) {
    println!(
        "cut {number}: {} writes flushed; of the rest {} sectors lost, {} not; {acknowledged} pushes acknowledged so far",
        cut.kept, cut.lost, cut.lucky
    );
}
