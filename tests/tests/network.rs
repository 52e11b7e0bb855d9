//! The clinic's network as the box's own scripts meet it: another router on the same cable, and the way out to the cloud.
//!
//! The scripts run here in a root of busybox, as on the box, and the routers are network namespaces. All of it is in
//! namespaces of this test's own, as their root: `scripts/test` unshares network and mounts first.

use std::fs;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hub_tests::hub::{Hub, Log, PIN};
use hub_tests::panel_client::PanelClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the panel may take to say a new address.
const PROMPT: Duration = Duration::from_secs(10);
/// What the panel says without a network: on a desk phones may run on the same machine.
const NOWHERE: &str = "127.0.0.1";
/// The hub's user, as in `overlay/etc/passwd`.
const HUB: &str = "100";

fn overlay(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../overlay").join(path)
}

fn command(line: &str) -> Command {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words);
    command
}

fn run(line: &str) {
    assert!(command(line).status().unwrap().success(), "{line}");
}

/// A process that is told to end when this is dropped, so that what it started ends with it.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let _ = self.0.wait();
    }
}

/// A router at the other end of the cable `eth0`: an address of its own, and another to give.
struct Router {
    _dhcp: Running,
}

impl Router {
    fn plugged_in(own: &str, gives: &str) -> Self {
        run("ip -n router addr flush dev far");
        run(&format!("ip -n router addr add {own}/24 dev far"));
        run("ip -n router link set far up");
        let dnsmasq = format!(
            "ip netns exec router dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --leasefile-ro --user=root \
             --interface=far --bind-dynamic --log-facility=/dev/null --pid-file= --dhcp-range={gives},{gives},12h"
        );
        Self {
            _dhcp: Running::start(&mut command(&dnsmasq)),
        }
    }

    fn pulled_out(self) {
        run("ip -n router link set far down");
        drop(self);
    }
}

/// The mounts and the network of this process alone, with a cable that leads to where routers are.
fn new_world() {
    // A network that is in use leads somewhere.
    let is_alone = fs::read_to_string("/proc/net/route").unwrap().lines().count() <= 1;
    assert!(is_alone, "scripts/test runs this in namespaces of its own");
    run("mount -t tmpfs tmpfs /run");
    run("ip link set lo up");
    run("ip netns add router");
    run("ip link add eth0 type veth peer name far netns router");
}

/// A root with busybox and the box's scripts, in which init would run them.
fn busybox_root() -> PathBuf {
    let root = PathBuf::from("/run/root");
    for folder in [
        "bin", "sbin", "usr/bin", "usr/sbin", "usr/lib", "proc", "sys", "dev", "run",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let found = Command::new("sh").args(["-c", "command -v busybox"]).output().unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap();
    fs::copy(busybox.trim(), root.join("bin/busybox")).unwrap();
    run("chroot /run/root /bin/busybox --install -s");
    fs::create_dir(root.join("usr/lib/hub")).unwrap();
    for script in ["start-network", "lease", "own-address"] {
        let name = format!("usr/lib/hub/{script}");
        fs::copy(overlay(&name), root.join(&name)).unwrap();
    }
    run("mount -t proc proc /run/root/proc");
    run("mount -t sysfs sysfs /run/root/sys");
    run("mount --bind /dev /run/root/dev");
    root
}

/// How long it takes until the home screen says this.
async fn says_after(panel: &mut PanelClient, text: &str) -> Duration {
    let began = Instant::now();
    panel
        .wait_until(|screen| screen.lines.iter().any(|line| line.contains(text)))
        .await
        .unwrap();
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs namespaces of its own: scripts/test"]
async fn the_panel_says_soon_where_the_hub_is_when_another_router_is_plugged_in() {
    new_world();
    busybox_root();
    let router = Router::plugged_in("192.168.10.1", "192.168.10.50");
    let _network = Running::start(&mut command(
        "chroot /run/root /usr/lib/hub/start-network with-rights  ",
    ));
    let folder = tempfile::tempdir().unwrap();
    let (data, socket) = (folder.path().join("data"), folder.path().join("panel.sock"));
    let hub = Hub::start_with(&data, &socket, "0.0.0.0:4001", Log::Warnings, &[])
        .await
        .unwrap();
    let mut panel = hub.panel().await.unwrap();
    panel.set_up(PIN).await.unwrap();
    says_after(&mut panel, "192.168.10.50").await;

    router.pulled_out();
    says_after(&mut panel, NOWHERE).await;
    let router = Router::plugged_in("192.168.20.1", "192.168.20.77");
    let took = says_after(&mut panel, "192.168.20.77").await;
    assert!(took < PROMPT, "{took:?}");

    // A router that is long in starting takes nothing away: its address is still good.
    router.pulled_out();
    says_after(&mut panel, NOWHERE).await;
    run("ip -n router link set far up");
    says_after(&mut panel, "192.168.20.77").await;
    let router = Router::plugged_in("192.168.20.1", "192.168.20.77");
    says_after(&mut panel, "192.168.20.77").await;
    router.pulled_out();
}

/// Whether the user `user` gets a connection to that port.
fn gets_through(user: &str, to: Ipv4Addr, port: u16) -> bool {
    let line = format!("setpriv --reuid={user} --regid={user} --clear-groups busybox nc -w 2 {to} {port}");
    let mut nc = command(&line);
    nc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    nc.status().unwrap().success()
}

#[test]
#[ignore = "needs namespaces of its own: scripts/test"]
fn the_hub_gets_out_only_when_it_says_that_it_has_a_cloud() {
    let far = Ipv4Addr::new(203, 0, 113, 9);
    new_world();
    run("ip link set eth0 up");
    run("ip addr add 192.168.10.50/24 dev eth0");
    run("ip -n router link set far up");
    run("ip -n router addr add 192.168.10.1/24 dev far");
    run(&format!("ip -n router addr add {far}/32 dev far"));
    run("ip route add default via 192.168.10.1");
    let _web = Running::start(&mut command(
        "ip netns exec router busybox nc -ll -p 443 -e busybox true",
    ));
    let _names = Running::start(&mut command(
        "ip netns exec router busybox nc -ll -p 53 -e busybox true",
    ));
    let listens = || {
        let listening = command("ip netns exec router busybox netstat -ltn").output().unwrap();
        let listening = String::from_utf8(listening.stdout).unwrap();
        [":443 ", ":53 "].iter().all(|port| listening.contains(port))
    };
    until(listens);
    assert!(gets_through(HUB, far, 443), "nothing is in the way yet");

    let status = command("nft -f").arg(overlay("etc/nftables.conf")).status();
    assert!(status.unwrap().success());
    let pipe = Path::new("/run/hub/cloud-way");
    fs::create_dir("/run/hub").unwrap();
    run("mkfifo -m 620 /run/hub/cloud-way");
    // In its shell all the others are as on the box, but for the firewall's own program.
    let script = overlay("usr/lib/hub/start-cloud-way");
    let _service = Running::start(command("busybox sh").arg(script).arg("with-rights"));
    let mut say = fs::OpenOptions::new().write(true).open(pipe).unwrap();
    let through = || [443, 53].map(|port| gets_through(HUB, far, port));
    assert_eq!(through(), [false, false]);
    for _ in 0..2 {
        say.write_all(b"open\n").unwrap();
        until(|| through() == [true, true]);
        assert!(!gets_through("103", far, 443), "nobody else");
        say.write_all(b"shut\n").unwrap();
        until(|| through() == [false, false]);
    }
    say.write_all(b"nonsense that is long\nopen\n").unwrap();
    until(|| through() == [true, true]);
}

/// Looks until it is so, by programs that take their time.
fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "it never comes to be so");
    }
}
