//! A small board around the hub: 400 MiB and a fifth of a core, by control groups where this machine has any to give; and
//! a network of its own, in which strangers have addresses that are not the box's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const MEMORY: u64 = 400 * 1024 * 1024;
/// Of each 100 ms.
const PROCESSOR: Duration = Duration::from_millis(20);

/// The limits that a process is put under, until it has ended and this is dropped.
#[derive(Debug)]
pub(crate) struct Board {
    groups: Vec<PathBuf>,
}

impl Board {
    /// Puts the process `pid` on a small board. Says so where that can't be done; then it runs without limits.
    pub(crate) fn around(pid: u32) -> Self {
        Self::with(pid, true)
    }

    /// The same with all of the processor.
    pub(crate) fn of_memory(pid: u32) -> Self {
        Self::with(pid, false)
    }

    fn with(pid: u32, slow: bool) -> Self {
        let name = format!("hub-attack-{pid}");
        let unified = Path::new("/sys/fs/cgroup").join(&name);
        let period = format!("{} 100000", PROCESSOR.as_micros());
        let mut board = Self { groups: Vec::new() };
        let mut set = vec![("memory.max", MEMORY.to_string())];
        if slow {
            set.push(("cpu.max", period));
        }
        if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() && board.add(unified, &set, pid) {
            return board;
        }
        let of = |controller: &str| Path::new("/sys/fs/cgroup").join(controller).join(&name);
        let memory = board.add(of("memory"), &[("memory.limit_in_bytes", MEMORY.to_string())], pid);
        let quota = PROCESSOR.as_micros().to_string();
        let processor = !slow
            || board.add(
                of("cpu"),
                &[("cpu.cfs_period_us", "100000".into()), ("cpu.cfs_quota_us", quota)],
                pid,
            );
        if !memory || !processor {
            eprintln!("no control groups to be had here (memory: {memory}, processor: {processor}): not limited so");
        }
        board
    }

    fn add(&mut self, group: PathBuf, settings: &[(&str, String)], pid: u32) -> bool {
        let made = fs::create_dir(&group).is_ok()
            && settings
                .iter()
                .all(|(name, value)| fs::write(group.join(name), value).is_ok())
            && fs::write(group.join("cgroup.procs"), pid.to_string()).is_ok();
        self.groups.push(group);
        made
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        for group in &self.groups {
            // Whoever is still in it goes back to the one above.
            let above = group.parent().map(|parent| parent.join("cgroup.procs"));
            for pid in fs::read_to_string(group.join("cgroup.procs"))
                .unwrap_or_default()
                .lines()
            {
                let _ = above.as_ref().map(|above| fs::write(above, pid));
            }
            let _ = fs::remove_dir(group);
        }
    }
}

/// Set in a test that runs in a network of its own.
const INSIDE: &str = "HUB_ATTACK_NETWORK";

/// Whether this is the inside of a network of its own, in which all of 10.77.0.0/16 is this machine. Where it is not,
/// the test `name` is run once more in one, and has passed when that has.
pub(crate) fn in_own_network(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let own = std::env::current_exe().expect("a test has a file");
    let script =
        "ip link set lo up && ip route add local 10.77.0.0/16 dev lo && exec \"$0\" --exact \"$1\" --nocapture";
    let unshare = |user: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(user)
            .args(["--net", "sh", "-c", script])
            .arg(&own)
            .arg(name)
            .env(INSIDE, "1");
        command
    };
    // Without root's rights, a user namespace gives them inside.
    let allowed = |user: &[&str]| {
        let probe = Command::new("unshare")
            .args(user)
            .args(["--net", "ip", "link", "set", "lo", "up"])
            .output();
        probe.is_ok_and(|probe| probe.status.success())
    };
    let users: [&[&str]; 2] = [&[], &["--map-root-user"]];
    let user = users.into_iter().find(|user| allowed(user));
    let user = user.expect("this machine lets no network namespace be made: needs iproute2 and util-linux");
    let status = unshare(user).status().expect("unshare can be run");
    assert!(status.success(), "{name} in a network of its own: {status}");
    false
}
