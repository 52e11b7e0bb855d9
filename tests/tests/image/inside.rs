//! The box from inside: what root sees and can do at the shell that only a development image has.

use std::path::PathBuf;

use super::vm::{Parts, Vm};
use super::{LISTENING, PRIVATE_NETWORK, new_box};

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
    for (name, user, rights) in [
        ("hub-appliance serve", 100, 0),
        ("hub-appliance announce", 103, 0),
        ("hub-appliance set-clock", 104, 1_u64 << 25),
        ("start-power", 0, 0),
    ] {
        let processes = at_shell(&mut vm, "ps -o pid,args").await;
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
        for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
            assert_eq!(u64::from_str_radix(field(set), 16), Ok(rights), "{name} {set}");
        }
    }
    assert!(vm.said().contains(LISTENING));
}
