//! Who is at the other end of a terminal's connection, as far as anybody can know.

use core::net::{IpAddr, Ipv6Addr};

/// Where a message came from. An address says little: many terminals may share one. A certificate is the only identity
/// here that a stranger cannot write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The address; of IPv6, the /64 that one host can choose from freely.
    pub household: IpAddr,
    /// SHA-256 of the client certificate that TLS verified, if it showed one.
    pub certificate: Option<[u8; 32]>,
}

impl Caller {
    /// Somebody at `address`.
    #[must_use]
    pub fn new(address: IpAddr, certificate: Option<[u8; 32]>) -> Self {
        let household = match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        };
        Self { household, certificate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_ipv6_host_is_one_household_and_a_mapped_address_is_its_own() {
        let of = |text: &str| Caller::new(text.parse().unwrap(), None).household;
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
