//! The box from inside: what root sees and can do at the shell that only a development image has.

use std::path::PathBuf;

use super::vm::{Parts, Vm};
use super::{LISTENING, PRIVATE_NETWORK, new_box};

/// Capabilities by their numbers (`man 7 capabilities`).
const CHOWN: u32 = 0;
const DAC_OVERRIDE: u32 = 1;
const FOWNER: u32 = 3;
const NET_BIND_SERVICE: u32 = 10;
const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const IPC_LOCK: u32 = 14;
const SYS_ADMIN: u32 = 21;
const SYS_TIME: u32 = 25;
const MKNOD: u32 = 27;
const OVER_DISKS: u64 = 1 << SYS_ADMIN | 1 << MKNOD | 1 << CHOWN | 1 << DAC_OVERRIDE | 1 << FOWNER | 1 << IPC_LOCK;
/// What the started system may use of memory, files that it could read again left out, KiB.
const MEMORY: u64 = 60 << 10;
/// What the console says of a hub that ended too often.
const WAITS: &str = "hub: hub ended 5 times in a minute";

/// A box like any other, with a development card.
pub(crate) fn development_box(folder: &tempfile::TempDir, network: &'static str) -> Parts {
    let card = PathBuf::from(std::env::var_os("HUB_IMAGE_DEV").expect("HUB_IMAGE_DEV names a development image"));
    let parts = new_box(folder, network);
    std::fs::copy(card, &parts.card).unwrap();
    parts
}

/// Runs a command at the console and gives what it said.
pub(crate) async fn at_shell(vm: &mut Vm, command: &str) -> String {
    let before = vm.said().len();
    // What is typed is echoed, on several lines if it is long, so it must not be the marks themselves.
    vm.type_line(&format!("echo \"=== \"\"from\"; {command}; echo \"=== \"\"done\""))
        .await
        .unwrap();
    vm.wait_for("=== done").await.unwrap();
    let lines = vm.said()[before..].lines().skip_while(|line| line.trim() != "=== from");
    // The services go on talking meanwhile.
    let other = ["=== ", " INFO ", " WARN ", " ERROR ", "hub: "];
    let lines: Vec<&str> = lines
        .filter(|line| !other.iter().any(|mark| line.contains(mark)))
        .collect();
    lines.join("\n")
}

/// The memory in use, KiB. What lies in a file system in memory is in use too, though the kernel counts it as page cache.
async fn memory_used(vm: &mut Vm) -> u64 {
    let said = at_shell(vm, "cat /proc/meminfo").await;
    let field = |name: &str| -> u64 {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let again = field("Buffers:") + field("Cached:") + field("SReclaimable:") - field("Shmem:");
    field("MemTotal:") - field("MemFree:") - again
}

#[allow(clippy::print_stdout, reason = "a figure for people")]
fn say_memory(used: u64) {
    println!("memory in use after boot: {} MiB", used >> 10);
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn not_even_root_can_change_the_system_and_nothing_gives_rights_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start(&development_box(&folder, PRIVATE_NETWORK), folder.path()).unwrap();
    vm.wait_for("announced address").await.unwrap();
    assert_eq!(at_shell(&mut vm, "id -u").await.trim(), "0");

    for place in ["/x", "/etc/x", "/usr/bin/x", "/usr/lib/hub/x"] {
        let said = at_shell(&mut vm, &format!("touch {place}")).await;
        assert!(said.contains("Read-only file system"), "{place}: {said}");
    }
    let said = at_shell(&mut vm, "echo x >/etc/passwd").await;
    assert!(said.contains("Read-only file system"), "{said}");
    at_shell(&mut vm, "mount -o remount,rw /").await;
    let said = at_shell(&mut vm, "touch /x").await;
    assert!(said.contains("Read-only file system"), "mounted anew: {said}");

    // Sticky folders in memory, which everybody may use, are none.
    let said = at_shell(&mut vm, "find / -path /proc -prune -o -path /sys -prune -o -path /dev -prune -o ! -type l -perm -0002 ! -perm -1000 -print").await;
    assert_eq!(said.trim(), "", "anybody writes");
    let said = at_shell(
        &mut vm,
        "find / -path /proc -prune -o -path /sys -prune -o -type f -perm +6000 -print",
    )
    .await;
    assert_eq!(said.trim(), "", "set-id");
    let said = at_shell(&mut vm, "grep -v ':!:' /etc/shadow").await;
    assert_eq!(said.trim(), "", "a password");

    let said = at_shell(&mut vm, "netstat -ltn").await;
    let listening: Vec<&str> = said.lines().filter(|line| line.contains("LISTEN")).collect();
    assert!(matches!(listening[..], [one] if one.contains("0.0.0.0:4001")), "{said}");
    let said = at_shell(&mut vm, "netstat -lun").await;
    let bound: Vec<&str> = said.lines().filter(|line| line.starts_with("udp")).collect();
    assert!(matches!(bound[..], [one] if one.contains("0.0.0.0:5353")), "{said}");

    // Each service has a user or the rights that it needs, and no way to more.
    let processes = at_shell(&mut vm, "ps -o pid,args").await;
    for (name, user, rights) in [
        ("hub-appliance serve", 100, 0),
        ("hub-appliance announce", 103, 0),
        ("hub-appliance set-clock", 104, 1_u64 << SYS_TIME),
        ("hub-appliance data-disk", 0, OVER_DISKS),
        ("hub-appliance sticks", 0, 1 << SYS_ADMIN | 1 << CHOWN),
        ("hub-appliance board-key", 105, 0),
        ("udhcpc", 0, 1 << NET_ADMIN | 1 << NET_RAW | 1 << NET_BIND_SERVICE),
        ("start-watchdog", 0, 0),
        (
            "start-network",
            0,
            1 << NET_ADMIN | 1 << NET_RAW | 1 << NET_BIND_SERVICE,
        ),
        ("start-cloud-way", 0, 1 << NET_ADMIN),
        ("start-power", 0, 0),
    ] {
        let process = processes
            .lines()
            .find(|line| line.contains(name) && !line.contains("setpriv"));
        let id = process
            .unwrap_or_else(|| panic!("{name}: {processes}"))
            .split_whitespace()
            .next()
            .unwrap();
        let status = at_shell(&mut vm, &format!("cat /proc/{id}/status")).await;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name));
            line.unwrap_or_else(|| panic!("{name} of {status}"))
                .split_whitespace()
                .nth(1)
                .unwrap()
        };
        assert_eq!(field("Uid:").parse(), Ok(user), "{name}");
        assert_eq!(field("NoNewPrivs:"), "1", "{name}");
        // Our own services give up calls that they do not need (`man 5 proc`: 2 is a filter).
        if name.starts_with("hub-appliance") {
            assert_eq!(field("Seccomp:"), "2", "{name}");
        }
        for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(u64::from_str_radix(field(set), 16), Ok(rights), "{name} {set}");
        }
    }
    assert!(vm.said().contains(LISTENING));
    let used = memory_used(&mut vm).await;
    say_memory(used);
    assert!(used <= MEMORY, "{used} KiB of memory");

    // The owner's files may hold a clinic's records.
    const READ: &str = "/boot/hub-release.txt >/dev/null && echo readable";
    for (user, reads) in [("hub", true), ("announce", false), ("clock", false)] {
        let command = format!("setpriv --reuid={user} --regid={user} --clear-groups cat {READ}");
        let said = at_shell(&mut vm, &command).await;
        assert_eq!(said.contains("readable"), reads, "{user}: {said}");
    }
    // To the board's key is no way but by the hub and by the service itself.
    for (user, reaches) in [
        ("hub", true),
        ("board-key", true),
        ("announce", false),
        ("clock", false),
    ] {
        let command = format!(
            "setpriv --reuid={user} --regid={user} --clear-groups sh -c '[ -w /run/board-key/socket ] && echo may'"
        );
        let said = at_shell(&mut vm, &command).await;
        assert_eq!(said.contains("may"), reaches, "{user}: {said}");
    }
    let said = at_shell(&mut vm, "nft list chain inet hub cloud").await;
    assert!(said.contains("chain cloud") && !said.contains("accept"), "{said}");
    let said = at_shell(&mut vm, "nft list chain inet hub input").await;
    let first = said.lines().find(|line| !line.contains(['{', ';'])).unwrap();
    assert_eq!(first.trim(), "meta nfproto ipv6 drop", "{said}");
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn who_has_broken_into_the_hub_reaches_neither_a_disk_nor_the_boards_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let mut vm = Vm::start(&development_box(&folder, PRIVATE_NETWORK), folder.path()).unwrap();
    vm.wait_for("announced address").await.unwrap();
    // A process with what the hub has, no more and no less.
    let identity = |status: &str| -> Vec<String> {
        let fields = ["Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"];
        let lines = status
            .lines()
            .map(str::trim)
            .filter(|line| fields.iter().any(|field| line.starts_with(field)));
        lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    };
    const AS_HUB: &str =
        "setpriv --reuid=hub --regid=hub --init-groups --no-new-privs --bounding-set=-all --inh-caps=-all";
    let own = "for p in /proc/[0-9]*; do [ \"$(stat -c %U $p)\" != hub ] || cat $p/status; done";
    let own = identity(&at_shell(&mut vm, own).await);
    assert_eq!(own.len(), 7, "one process of the hub's user: {own:?}");
    let like_it = at_shell(&mut vm, &format!("{AS_HUB} cat /proc/self/status")).await;
    assert_eq!(identity(&like_it), own);

    let tried = "n=0; for d in $(find /dev -type b) /dev/mapper/control /dev/mem /dev/kmem /dev/port /dev/nvram /dev/vcio \
        /sys/bus/nvmem/devices/*/nvmem /proc/kcore /proc/sysrq-trigger; do [ -e $d ] || continue; n=$((n + 1)); \
        [ ! -r $d ] || echo reads $d; [ ! -w $d ] || echo writes $d; done; echo $n tried";
    let said = at_shell(&mut vm, &format!("{AS_HUB} sh -c '{tried}'")).await;
    assert!(!said.contains("reads ") && !said.contains("writes "), "{said}");
    let count = said
        .lines()
        .find_map(|line| line.trim().strip_suffix(" tried")?.parse::<u32>().ok());
    assert!(count.unwrap() >= 5, "disks, mapped ones, and the board's: {said}");
    // And not only by what the modes say.
    let tried = "for d in $(find /dev -type b); do (: >>$d) 2>&1; head -c 1 $d 2>&1; echo next; done";
    let said = at_shell(&mut vm, &format!("{AS_HUB} sh -c '{tried}'")).await;
    let devices = said.matches("next").count();
    assert!(devices >= 3, "card, data disk, what is mapped on them: {said}");
    assert_eq!(said.matches("ermission denied").count(), 2 * devices, "{said}");
    let said = at_shell(&mut vm, &format!("{AS_HUB} mount -t tmpfs tmpfs /data/store")).await;
    assert!(said.contains("ermi"), "{said}");
}

#[tokio::test]
#[ignore = "boots an image: scripts/test --image"]
async fn a_hub_that_ends_again_and_again_does_not_start_the_box_anew() {
    let folder = tempfile::tempdir().unwrap();
    let parts = development_box(&folder, PRIVATE_NETWORK);
    // A box that is started anew ends here.
    let mut vm = Vm::start_with(&parts, folder.path(), &["-no-reboot"]).unwrap();
    vm.wait_for("announced address").await.unwrap();
    // The watchdog's feeder has seen it move on, and grants it no more than half a minute.
    at_shell(
        &mut vm,
        "until read -r n </run/hub/progress && [ \"$n\" -ge 3 ]; do usleep 200000; done",
    )
    .await;
    let kill = "n=0; while [ $n -lt 5 ]; do usleep 100000; for p in /proc/[0-9]*; do \
        [ \"$(stat -c %U $p)\" != hub ] || { kill -9 ${p#/proc/} && n=$((n + 1)); }; done; done 2>/dev/null";
    at_shell(&mut vm, kill).await;
    if !vm.said().contains(WAITS) {
        vm.wait_for(WAITS).await.unwrap();
    }
    vm.wait_for(LISTENING).await.unwrap();
    assert!(!vm.said().contains("the watchdog is not fed"));
    let said = at_shell(&mut vm, "ls /run/keep").await;
    assert!(said.contains("hub") && !said.contains("waits"), "{said}");
}
