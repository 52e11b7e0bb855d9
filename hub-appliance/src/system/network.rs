//! The address at which phones reach the hub.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// The address to put into the QR code, for a hub that listens on `listen`: that address itself if it is one, else a
/// private one of an interface whose link is up, else a link-local one, else, where `desk` says that phones run on this very
/// machine, the loopback.
#[must_use]
pub fn reachable_address(listen: SocketAddr, desk: bool) -> Option<SocketAddrV4> {
    let address = match listen.ip() {
        IpAddr::V4(address) if !address.is_unspecified() => Some(address),
        _ => best(&interface_addresses()).or(desk.then_some(Ipv4Addr::LOCALHOST)),
    };
    address.map(|address| SocketAddrV4::new(address, listen.port()))
}

/// Whether an interface has an address that leads somewhere: not only one that it gave itself.
#[must_use]
pub fn has_address() -> bool {
    interface_addresses().iter().any(|address| !address.is_link_local())
}

/// The address that phones on the clinic's network most likely share a network with.
fn best(addresses: &[Ipv4Addr]) -> Option<Ipv4Addr> {
    let find = |fits: fn(&Ipv4Addr) -> bool| addresses.iter().copied().find(fits);
    find(Ipv4Addr::is_private).or_else(|| find(Ipv4Addr::is_link_local))
}

/// The IPv4 addresses of the interfaces where somebody can be reached, loopback left out.
fn interface_addresses() -> Vec<Ipv4Addr> {
    let Ok(interfaces) = getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter(|interface| has_link(interface.flags))
        .filter_map(|interface| Some(interface.address?.as_sockaddr_in()?.ip()))
        .collect()
}

/// Whether there is somebody at the other end: a cable that was pulled takes no address away.
fn has_link(flags: InterfaceFlags) -> bool {
    flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING)
        && !flags.contains(InterfaceFlags::IFF_LOOPBACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_without_a_link_does_not_count() {
        let up = InterfaceFlags::IFF_UP;
        assert!(!has_link(up) && has_link(up | InterfaceFlags::IFF_RUNNING));
        assert!(!has_link(InterfaceFlags::IFF_RUNNING));
        assert!(!has_link(
            up | InterfaceFlags::IFF_RUNNING | InterfaceFlags::IFF_LOOPBACK
        ));
    }

    #[test]
    fn prefers_private_to_link_local_and_takes_nothing_public() {
        let private = Ipv4Addr::new(192, 168, 1, 7);
        let link_local = Ipv4Addr::new(169, 254, 3, 4);
        let public = Ipv4Addr::new(203, 0, 113, 9);
        assert_eq!(best(&[public, link_local, private]), Some(private));
        assert_eq!(best(&[public, link_local]), Some(link_local));
        assert_eq!(best(&[public]), None);
    }

    #[test]
    fn an_address_that_was_asked_for_is_the_one() {
        let listen = "127.0.0.1:4001".parse().unwrap();
        assert_eq!(
            reachable_address(listen, false),
            Some("127.0.0.1:4001".parse().unwrap())
        );
    }
}
