//! Networks in CIDR notation, and lists of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address and how many of its leading bits count. `10.1.3.7/24` is `10.1.3.0/24`; an address
/// alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    prefix: u8,
    is_v4: bool,
}

/// An address that is not a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// Whether an address lies in it. An IPv4 address that is written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.is_v4
            && mask(bits(address), self.width(), self.prefix) == self.bits
    }

    /// The address that it consists of, if it is but one.
    pub fn single(&self) -> Option<IpAddr> {
        (self.prefix == self.width()).then(|| self.first())
    }

    fn first(&self) -> IpAddr {
        match u32::try_from(self.bits) {
            Ok(bits) if self.is_v4 => IpAddr::V4(bits.into()),
            _ => IpAddr::V6(self.bits.into()),
        }
    }

    fn width(&self) -> u8 {
        if self.is_v4 { 32 } else { 128 }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let is_v4 = address.is_ipv4();
        Self { bits: bits(address), prefix: if is_v4 { 32 } else { 128 }, is_v4 }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let mut network = Self::from(address.trim().parse::<IpAddr>().map_err(|_| NotANetwork)?);
        if let Some(prefix) = prefix {
            let prefix: u8 = prefix.trim().parse().map_err(|_| NotANetwork)?;
            if prefix > network.width() {
                return Err(NotANetwork);
            }
            network.prefix = prefix;
            network.bits = mask(network.bits, network.width(), prefix);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first(), self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The leading `prefix` of `width` bits; the others become 0.
fn mask(bits: u128, width: u8, prefix: u8) -> u128 {
    let rest = u32::from(width - prefix);
    // A shift by all 128 bits is none at all in Rust.
    bits.checked_shr(rest).and_then(|kept| kept.checked_shl(rest)).unwrap_or(0)
}

/// The networks of a list that is divided by `;`. Empty parts count for nothing.
///
/// # Errors
/// When a part is no network.
pub fn list(text: &str) -> Result<Vec<Network>, NotANetwork> {
    let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::parse).collect()
}

/// Where clients may come from: this machine, and the networks that the operator trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted {
    networks: Vec<Network>,
    own: Vec<IpAddr>,
}

impl Trusted {
    /// Trusts `networks`, and connections that come from one of `own`, the addresses of this
    /// machine. Such a connection cannot come from elsewhere: its answers would not go there.
    pub fn new(networks: Vec<Network>, own: Vec<IpAddr>) -> Self {
        Self { networks, own }
    }

    /// Whether a client at this address may come in.
    pub fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback()
            || self.own.contains(&peer)
            || self.networks.iter().any(|network| network.contains(peer))
    }

    /// What the operator trusts beside this machine.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "10.1.3", "10.1.3.0/33", "::/129", "10.1.3.0/", "10.1.3.0/-1", "h/24", "1/2/3"]
        {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
        assert!(list("10.1.3.0/24;x").is_err());
    }

    #[test]
    fn bits_behind_the_prefix_do_not_count() {
        assert_eq!(network("192.168.1.77/24").to_string(), "192.168.1.0/24");
        assert_eq!(network("fd00::77/64"), network("fd00::/64"));
        assert_eq!(network("10.1.3.7").to_string(), "10.1.3.7/32");
    }

    #[test]
    fn a_network_contains_the_addresses_of_its_own_family() {
        for (text, inside, outside) in [
            ("10.1.3.0/24", "10.1.3.255", "10.1.4.0"),
            ("0.0.0.0/0", "203.0.113.9", "fd00::1"),
            ("::/0", "fd00::1", "10.1.3.1"),
            ("fd00:1::/32", "fd00:1:ffff::1", "fd00:2::1"),
            ("10.1.3.7/32", "10.1.3.7", "10.1.3.8"),
            ("10.1.3.0/24", "::ffff:10.1.3.9", "::ffff:10.1.4.9"),
        ] {
            assert!(network(text).contains(inside.parse().unwrap()), "{inside} in {text}");
            assert!(!network(text).contains(outside.parse().unwrap()), "{outside} in {text}");
        }
    }

    #[test]
    fn a_list_keeps_its_order_and_passes_over_blanks() {
        let networks = list(" 10.1.3.0/24 ; ; fd00::/64;").unwrap();
        assert_eq!(networks, [network("10.1.3.0/24"), network("fd00::/64")]);
        assert_eq!(list("").unwrap(), []);
    }

    #[test]
    fn clients_come_from_this_machine_or_from_a_trusted_network() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let nobody = Trusted::default();
        assert!(!nobody.admits(at("10.1.3.11")) && nobody.admits(at("::1")));
        let some = Trusted::new(list("10.1.4.0/24").unwrap(), vec![at("10.1.3.11")]);
        for (peer, admitted) in [
            ("127.0.0.1", true),
            ("10.1.3.11", true),
            ("10.1.3.12", false),
            ("10.1.4.200", true),
            ("::ffff:10.1.4.200", true),
            ("fd00::1", false),
        ] {
            assert_eq!(some.admits(at(peer)), admitted, "{peer}");
        }
    }
}
