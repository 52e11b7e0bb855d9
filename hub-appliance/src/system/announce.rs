//! Announces the hub on the local network: `hikma-hub.local` by multicast DNS (RFC 6762), and a service of type
//! `_hikma-hub._tcp` (DNS-SD, RFC 6763) with its port.
//!
//! It runs as a process of its own: what answers packets from anybody on the network shares no memory with keys and
//! records, and can't end the hub. Only private and link-local IPv4 addresses are announced, and only where they are.
//! Nothing is said but name, address and port. A name that another device has is given up for one with a number.

use std::convert::Infallible;
use std::net::IpAddr;

use mdns_sd::{DaemonEvent, IfKind, IfPredicate, ServiceDaemon, ServiceInfo};

/// The service's type.
pub const SERVICE: &str = "_hikma-hub._tcp.local.";
/// The hub's name, unless another device has it.
pub const HOST: &str = "hikma-hub.local.";
/// What a person sees in a list of services.
const INSTANCE: &str = "Clinic Hub";
/// How soon a changed address is noticed, in seconds.
const LOOK_EVERY: u32 = 5;

/// Why the hub is not announced.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    /// The port of multicast DNS or a thread was refused.
    #[error("the hub can't be announced: {0}")]
    Refused(#[from] mdns_sd::Error),
    /// What answers for the hub has ended.
    #[error("the announcing ended")]
    Ended,
}

/// Announces a hub whose phones' port is `port`, for as long as that works.
///
/// # Errors
/// [`AnnounceError`].
pub fn announce(port: u16) -> Result<Infallible, AnnounceError> {
    let daemon = ServiceDaemon::new()?;
    let events = daemon.monitor()?;
    daemon.set_ip_check_interval(LOOK_EVERY)?;
    daemon.disable_interface(IfKind::All)?;
    daemon.enable_interface(IfKind::Predicate(IfPredicate::new(|interface| {
        !interface.is_loopback() && is_local(interface.ip())
    })))?;
    daemon.register(service(port)?)?;
    loop {
        match events.recv().map_err(|_| AnnounceError::Ended)? {
            DaemonEvent::NameChange(change) => {
                tracing::warn!(name = %change.new_name, "another device has the hub's name");
            }
            DaemonEvent::IpAdd(address) => tracing::info!(%address, "announced"),
            DaemonEvent::Error(error) => tracing::warn!(%error, "announcing"),
            _ => {}
        }
    }
}

/// The service with an empty TXT record.
fn service(port: u16) -> Result<ServiceInfo, mdns_sd::Error> {
    let addresses_as_they_come = "";
    let no_properties: &[(&str, &str)] = &[];
    ServiceInfo::new(SERVICE, INSTANCE, HOST, addresses_as_they_come, port, no_properties)
        .map(ServiceInfo::enable_addr_auto)
}

/// Whether it is an address for a clinic's own network.
fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_link_local(),
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_name_and_port_and_nothing_else() {
        let service = service(4001).unwrap();
        assert_eq!(service.get_type(), "_hikma-hub._tcp.local.");
        assert_eq!(service.get_hostname(), "hikma-hub.local.");
        assert_eq!(service.get_port(), 4001);
        assert!(service.get_properties().is_empty());
        assert!(service.requires_probe(), "a name in use is noticed");
    }

    #[test]
    fn only_a_local_networks_addresses_are_announced() {
        for address in ["10.1.2.3", "172.16.0.1", "192.168.1.50", "169.254.7.7"] {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "203.0.113.5", "172.32.0.1", "::1", "fe80::1", "fd00::1"] {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }
}
