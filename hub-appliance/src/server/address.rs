//! Which source addresses belong to the local network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a request from `address` may be served: private (RFC 1918), link-local (RFC 3927, RFC 4291 section 2.5.6),
/// unique local (RFC 4193) or loopback. An IPv4 address mapped into IPv6 counts as what it is.
///
/// The shared address space 100.64.0.0/10 (RFC 6598) counts as public: it is the carrier's side of a router, where
/// strangers are neighbours.
pub(super) fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_local_v4(address),
        IpAddr::V6(address) => is_local_v6(address),
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_link_local() || address.is_loopback()
}

fn is_local_v6(address: Ipv6Addr) -> bool {
    address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_local_from_public() {
        let local = [
            "10.0.0.1",
            "10.255.255.254",
            "172.16.0.1",
            "172.31.255.254",
            "192.168.0.1",
            "192.168.255.254",
            "169.254.0.1",
            "169.254.255.254",
            "127.0.0.1",
            "127.255.255.254",
            "::1",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fdff:ffff::1",
            "::ffff:192.168.1.20",
            "::ffff:127.0.0.1",
        ];
        let public = [
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "100.64.0.1",
            "100.127.255.254",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.251",
            "::",
            "2001:4860:4860::8888",
            "fbff::1",
            "fe00::1",
            "fe7f::1",
            "fec0::1",
            "ff02::fb",
            "::ffff:8.8.8.8",
            "::ffff:100.64.0.1",
            "::192.168.1.20",
        ];
        for address in local {
            assert!(is_local(address.parse().unwrap()), "{address} is local");
        }
        for address in public {
            assert!(!is_local(address.parse().unwrap()), "{address} is public");
        }
    }
}
