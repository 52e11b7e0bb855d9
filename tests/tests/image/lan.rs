//! The clinic's network, with nobody in it but the box and the test.
//!
//! The tests that use it run in a network namespace of their own, as its root (`scripts/test-image`).

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// For [`super::vm::Parts::network`].
pub(crate) const CABLE: &str = "tap:tap0";
/// The test's address, and the box's.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
pub(crate) const BOX: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 50);
/// Another of the test's, like any out on the internet (RFC 5737).
pub(crate) const PUBLIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

const MDNS: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// From 1900 to 1970, in seconds.
const NTP_TO_UNIX: u64 = 2_208_988_800;
/// Types of DNS records.
pub(crate) const A: u16 = 1;
pub(crate) const PTR: u16 = 12;

/// The cable, and who gives addresses.
#[derive(Debug)]
pub(crate) struct Lan {
    dhcp: Child,
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

impl Lan {
    /// A new network: the box gets [`BOX`] by DHCP, and the test's time server.
    pub(crate) fn new() -> Self {
        ip("link set lo up");
        ip("tuntap add tap0 mode tap");
        ip(&format!("addr add {HERE}/24 dev tap0"));
        ip(&format!("addr add {PUBLIC}/24 dev tap0"));
        ip("link set tap0 up");
        ip("route add 224.0.0.0/4 dev tap0 src 10.77.0.1");
        let dhcp = Command::new("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--port=0",
                "--leasefile-ro",
                "--user=root",
            ])
            .args([
                "--interface=tap0",
                "--bind-dynamic",
                "--log-facility=/dev/null",
                "--pid-file=",
            ])
            .arg(format!("--dhcp-range={BOX},{BOX},12h"))
            .arg(format!("--dhcp-option=option:ntp-server,{HERE}"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { dhcp }
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        // A child that has ended already is what is wanted.
        let _ = self.dhcp.kill();
        let _ = self.dhcp.wait();
        ip("link del tap0");
    }
}

/// The ports of the box that nmap finds open, of all that there are.
pub(crate) fn open_ports(kind: &str, from: Ipv4Addr) -> Vec<String> {
    let output = Command::new("nmap")
        .args([
            kind,
            "-p-",
            "-n",
            "-Pn",
            "-oG",
            "-",
            "-e",
            "tap0",
            "-S",
            &from.to_string(),
        ])
        .args(["--min-rate", "3000", "--max-retries", "1", &BOX.to_string()])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("1 host up"), "{said}");
    let ports = said.split(['\t', ' ', ',']).filter(|word| word.contains("/open/"));
    ports
        .map(|port| port.split('/').take(3).collect::<Vec<_>>().join("/"))
        .collect()
}

/// Multicast DNS (RFC 6762), as far as these tests need it.
#[derive(Debug)]
pub(crate) struct Mdns(UdpSocket);

impl Mdns {
    /// Listens, and asks as a device of the network does.
    pub(crate) fn listen() -> Self {
        let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, MDNS.port())).unwrap();
        socket.join_multicast_v4(MDNS.ip(), &HERE).unwrap();
        socket.set_multicast_loop_v4(false).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        Self(socket)
    }

    /// Asks for `name` until an answer holds `wanted`, or `times` over.
    pub(crate) fn ask(&self, name: &str, kind: u16, wanted: &[u8], times: u32) -> bool {
        let question = question(name, kind);
        (0..times).any(|_| {
            self.0.send_to(&question, MDNS).unwrap();
            self.hears(wanted)
        })
    }

    /// Whether an answer that holds `wanted` comes before a second without any.
    pub(crate) fn hears(&self, wanted: &[u8]) -> bool {
        std::iter::from_fn(|| self.next()).any(|packet| is_answer(&packet) && holds(&packet, wanted))
    }

    /// Has `name` for itself until the box gives up asking for it: whoever asks is told that it is elsewhere.
    pub(crate) fn defend(&self, name: &str, until: impl Fn(&[u8]) -> bool) {
        let mine = answer(name, Ipv4Addr::new(10, 77, 0, 99));
        // Its other labels may be a pointer to where they stood before.
        let first = &labels(name)[..=name.find('.').unwrap()];
        for _ in 0..300 {
            match self.next() {
                Some(packet) if until(&packet) => return,
                Some(packet) if !is_answer(&packet) && holds(&packet, first) => {
                    self.0.send_to(&mine, MDNS).unwrap();
                }
                _ => {}
            }
        }
        panic!("nobody gave up {name}");
    }

    fn next(&self) -> Option<Vec<u8>> {
        let mut packet = vec![0; 9000];
        let (length, _) = self.0.recv_from(&mut packet).ok()?;
        packet.truncate(length);
        Some(packet)
    }
}

/// Asks as a device elsewhere would that could reach the network: whether it gets an answer.
pub(crate) fn answered_from(source: Ipv4Addr, name: &str, kind: u16) -> bool {
    let socket = UdpSocket::bind((source, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    (0..3).any(|_| {
        socket.send_to(&question(name, kind), MDNS).unwrap();
        socket.recv_from(&mut [0; 9000]).is_ok()
    })
}

/// A name as it stands in a packet (RFC 1035, section 3.1).
fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend(labels(name));
    packet.extend(kind.to_be_bytes());
    packet.extend([0, 1]);
    packet
}

/// An A record: authoritative, unique, good for two minutes.
fn answer(name: &str, address: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    packet.extend(labels(name));
    packet.extend([0, 1, 0x80, 1, 0, 0, 0, 120]);
    packet.extend(address_data(address));
    packet
}

/// The data of an A record, with its length.
pub(crate) fn address_data(address: Ipv4Addr) -> Vec<u8> {
    [&[0, 4], &address.octets()[..]].concat()
}

fn is_answer(packet: &[u8]) -> bool {
    packet.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

fn holds(packet: &[u8], wanted: &[u8]) -> bool {
    packet
        .windows(wanted.len())
        .any(|window| window.eq_ignore_ascii_case(wanted))
}

/// A time server (RFC 5905) at the test's address. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct TimeServer(Option<JoinHandle<()>>);

/// Starts one that always says `seconds` since 1970.
pub(crate) fn tell_time(seconds: u64) -> TimeServer {
    let socket = UdpSocket::bind((HERE, 123)).unwrap();
    TimeServer(Some(std::thread::spawn(move || {
        let mut request = [0; 48];
        // Anything shorter is the end.
        while let Ok((48, from)) = socket.recv_from(&mut request) {
            let mut reply = [0; 48];
            (reply[0], reply[1]) = (0b00_100_100, 2);
            reply[24..32].copy_from_slice(&request[40..]);
            let now = (seconds + NTP_TO_UNIX).to_be_bytes();
            reply[32..36].copy_from_slice(&now[4..]);
            reply[40..44].copy_from_slice(&now[4..]);
            // Whoever asked may be gone by now.
            let _ = socket.send_to(&reply, from);
        }
    })))
}

impl Drop for TimeServer {
    fn drop(&mut self) {
        let told = UdpSocket::bind((HERE, 0)).and_then(|socket| socket.send_to(&[], (HERE, 123)));
        if let Some(thread) = self.0.take().filter(|_| told.is_ok()) {
            // A thread that panicked has nothing left to tidy up.
            let _ = thread.join();
        }
    }
}
