//! A box that does not get on, and one that is switched off.

use std::time::Instant;

use hub_tests::clinic::{Clinic, ClinicSize};
use hub_tests::hub::PIN;
use hub_tests::phone::Phone;
use hub_tests::phone::edit::NewPatient;

use super::vm::Vm;
use super::{LISTENING, PRIVATE_NETWORK, figure, new_box, put_on_card};

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_hub_whose_writer_hangs_is_started_anew_by_the_watchdog() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let clinic = Clinic::generate(Clinic::DEMO_SEED, ClinicSize::about_rows(200));
    put_on_card(&clinic, &parts.card);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    panel.open_pairing().await.unwrap();
    let mut phone = Phone::new(&vm.url()).unwrap();
    phone.client.handshake().await.unwrap();
    panel.keep().await.unwrap();
    let user = &clinic.users()[0];
    phone.log_in(&user.email, &user.password).await.unwrap();
    phone.sync().await.unwrap();

    // The panel's line takes one hand at a time.
    drop(panel);
    // A disk that is dying takes for ever to write; the hub still answers on its port and at its panel.
    vm.slow_writes_to(1).await.unwrap();
    phone.register_patient(&NewPatient::default()).unwrap();
    let hanging = tokio::spawn(async move { phone.push().await.is_ok() });
    let told = vm.wait_for("the watchdog is not fed").await.unwrap();
    figure("writer hangs to no more feeding", told);
    assert!(Phone::new(&vm.url()).unwrap().client.heartbeat().await.is_ok());
    figure(
        "from there to the next start",
        vm.wait_for("hub: system up").await.unwrap(),
    );
    vm.slow_writes_to(0).await.unwrap();
    assert!(!hanging.await.unwrap(), "nothing was acknowledged");
    vm.wait_for(LISTENING).await.unwrap();
    vm.panel().await.unwrap().unlock(PIN).await.unwrap();
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn switched_off_at_the_panel_it_locks_and_then_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let parts = new_box(&folder, PRIVATE_NETWORK);
    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    let mut panel = vm.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    let began = Instant::now();
    panel.lock().await.unwrap();
    figure("lock", began.elapsed());
    panel.unlock(PIN).await.unwrap();
    panel.switch_off().await.unwrap();
    // The hub has ended by then.
    panel.wait_for("unplug").await.unwrap();
    panel.wait_until(|screen| screen.frame.is_dark()).await.unwrap();
    drop(panel);
    figure("\"off\" on the panel to no power", vm.wait_until_off().await.unwrap());

    let mut vm = Vm::start(&parts, folder.path()).unwrap();
    vm.wait_for(LISTENING).await.unwrap();
    vm.panel().await.unwrap().unlock(PIN).await.unwrap();
}
