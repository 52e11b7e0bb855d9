//! How much of the boot is the hub's.

use std::time::Duration;

use super::vm::Vm;
use super::{PRIVATE_NETWORK, figure, new_box};

/// An instruction takes a nanosecond of the box's time, however slow the machine that emulates it: about what a
/// Cortex-A53 at 1.2 GHz does.
const COUNTED: [&str; 2] = ["-icount", "shift=0"];

/// What the hub may add to the boot of a box that starts nothing else, in the box's own time.
const SHARE: Duration = Duration::from_secs(1);

/// What the console says after `before`, up to the next space, in seconds.
fn uptime(said: &str, before: &str) -> Duration {
    let (_, after) = said.split_once(before).unwrap_or_else(|| panic!("{before}: {said}"));
    let number = after.split_whitespace().next().unwrap();
    Duration::from_secs_f64(number.parse().unwrap())
}

/// The time of day at which the hub logged a line.
fn logged(said: &str, line: &str) -> Duration {
    let line = said.lines().find(|said| said.contains(line)).unwrap();
    let (_, time) = line.split_once('T').unwrap();
    let (time, _) = time.split_once('Z').unwrap();
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    Duration::from_secs_f64(parts[0] * 3600.0 + parts[1] * 60.0 + parts[2])
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn the_hubs_share_of_the_boot_is_small_in_the_boxs_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start_with(&new_box(&folder, PRIVATE_NETWORK), folder.path(), &COUNTED).unwrap();
    vm.wait_for("the port is open").await.unwrap();
    let said = vm.said();
    let system = uptime(said, "hub: system up after ");
    let starts = uptime(said, "hub: hub starts after ");
    let own = logged(said, "the port is open") - logged(said, "process hardened");
    assert!(starts >= system);
    // Instructions are counted, not time: a busy machine makes no difference.
    assert!(starts - system + own <= SHARE);
    figure("by a processor of 1,000 MIPS: system up", system);
    figure("from there to the hub's start", starts - system);
    figure("from its start to the open port", own);
}
