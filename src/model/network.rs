//! Ranges of addresses, and which of them a terminal may come from.

use core::net::IpAddr;
use std::fmt;
use std::sync::Arc;

/// A range of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// An address, or an address and the length of its prefix.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    /// Whether `peer` is in it. An IPv4 address that came over an IPv6 socket counts as IPv4.
    #[must_use]
    pub fn contains(&self, peer: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let kept = u32::from(self.bits);
            kept == 0 || (a ^ b).checked_shr(width.saturating_sub(kept)).unwrap_or(0) == 0
        };
        match (self.address, peer.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => same(network.to_bits().into(), peer.to_bits().into(), 32),
            (IpAddr::V6(network), IpAddr::V6(peer)) => same(network.to_bits(), peer.to_bits(), 128),
            _ => false,
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// What is made of the address that a terminal comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum NetworkPolicy {
    /// Nothing: it may come from anywhere.
    #[default]
    Any,
    /// `pin`: it comes from the address of its first request; any other is refused.
    Pin,
    /// `learn`: another address than before becomes the known one, and is noticed once.
    Learn,
    /// `warn`: another address than the first is noticed each time.
    Warn,
    /// It comes from one of these; any other address is refused.
    Among(Arc<[Network]>),
}

impl NetworkPolicy {
    /// Most networks of one terminal.
    pub const MOST: usize = 16;
}

/// As the lists write it; nothing for [`NetworkPolicy::Any`].
impl fmt::Display for NetworkPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => Ok(()),
            Self::Pin => f.write_str("pin"),
            Self::Learn => f.write_str("learn"),
            Self::Warn => f.write_str("warn"),
            Self::Among(networks) => {
                for (place, network) in networks.iter().enumerate() {
                    write!(f, "{}{network}", if place == 0 { "" } else { "+" })?;
                }
                Ok(())
            }
        }
    }
}
