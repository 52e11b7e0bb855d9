//! A file system with faults that are not mended without a person.

use hub_tests::hub::PIN;
use hub_tests::panel_client::Button;

use super::inside::{at_shell, development_box};
use super::update::type_pin;
use super::vm::Vm;
use super::{PRIVATE_NETWORK, box_in_use, says, serves, switch_on};

/// Writes nonsense over the inode of lost+found, which is the eleventh: no record is hurt, and no program mends it unasked.
/// Where it stands is in the superblock and in the first group's descriptor (Linux: Documentation/filesystems/ext4). Then
/// looks at it, as something does sooner or later, for a file system that was left in order is not checked as a whole.
const DAMAGE: &str = "d=/dev/mapper/hubdata; number() { busybox od -A n -t u4 -N 4 -j $1 $d; }; \
    busybox fsfreeze --freeze /data/store; block=$((1024 << $(number 1048))); \
    table=$(number $(((block > 1024 ? block : 2048) + 8))); \
    busybox tr '\\0' '\\245' </dev/zero | \
    busybox dd of=$d bs=256 count=1 seek=$((table * block / 256 + 10)) conv=notrunc,fsync; \
    busybox fsfreeze --unfreeze /data/store; echo 3 >/proc/sys/vm/drop_caches; ls /data/store/lost+found";

async fn damage(vm: &mut Vm) {
    let said = at_shell(vm, DAMAGE).await;
    assert!(
        said.contains("1+0 records out") && said.contains("lost+found:"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_disk_with_faults_is_repaired_only_when_a_person_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let parts = development_box(&folder, PRIVATE_NETWORK);
    let (clinic, _, patient) = box_in_use(&parts, folder.path(), "Repaired").await;
    let (mut vm, mut panel) = switch_on(&parts, folder.path()).await;
    panel.unlock(PIN).await.unwrap();
    damage(&mut vm).await;
    // The kernel lets nothing be written any more, and phones are not to go on as if it did.
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "The data disk fails."), "{screen:?}");
    vm.pull_plug().await.unwrap();

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    assert_eq!(type_pin(&mut panel).await.name, "repair");
    panel.answer("repair", false).await.unwrap();
    let screen = panel.wait_for("error").await.unwrap();
    assert!(says(screen, "Data disk is damaged"), "{screen:?}");
    vm.pull_plug().await.unwrap();

    let (vm, mut panel) = switch_on(&parts, folder.path()).await;
    assert_eq!(type_pin(&mut panel).await.name, "repair");
    panel.answer("repair", true).await.unwrap();
    let told = panel.wait_until(|screen| screen.name == "news" && says(screen, "OK: "));
    assert!(says(told.await.unwrap(), "Disk repaired"));
    panel.press(Button::Ok).await.unwrap();
    panel.wait_for("home").await.unwrap();
    assert!(serves(&vm, &mut panel, &clinic, &patient).await);

    // It stays whole.
    panel.lock().await.unwrap();
    panel.unlock(PIN).await.unwrap();
}
