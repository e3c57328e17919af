//! Which of a machine's addresses a frontend uses, and under which name the others know it.
//!
//! Nothing is picked at random and nothing is guessed: where the settings leave a choice, the start
//! is refused with the candidates. Without any setting a frontend keeps to the loopback address,
//! because there are no users yet.
//!
//! | set | listens on | known as |
//! |---|---|---|
//! | nothing | 127.0.0.1 | 127.0.0.1 |
//! | `priority_networks` | the address in the first network that has one, the lowest of several | that address |
//! | `frontend_address` | that address, or the one of this machine that the name stands for | as written |
//! | `host_type = FQDN` | the address that this machine's name stands for | that name |
//! | `bind_address` | that address | that address; if it is 0.0.0.0, the machine's only one |
//!
//! `bind_address` decides before `priority_networks` what to listen on, `frontend_address` before
//! `host_type` and that before the others what to be known as.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

use super::networks::Network;

/// Where the kernel tells this machine's name.
const HOST_NAME_FILE: &str = "/proc/sys/kernel/hostname";

/// What a machine is asked for.
pub(super) trait Machine {
    /// Names and addresses of its interfaces.
    fn interfaces(&self) -> io::Result<Vec<(String, IpAddr)>>;
    /// Its name.
    fn host_name(&self) -> io::Result<String>;
    /// The addresses of a host name.
    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine that this runs on.
pub(super) struct This;

impl Machine for This {
    fn interfaces(&self) -> io::Result<Vec<(String, IpAddr)>> {
        Ok(if_addrs::get_if_addrs()?.into_iter().map(|one| (one.name.clone(), one.ip())).collect())
    }

    fn host_name(&self) -> io::Result<String> {
        Ok(std::fs::read_to_string(HOST_NAME_FILE)?.trim().to_owned())
    }

    fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// What the settings say about addresses.
#[derive(Default)]
pub(super) struct Wish<'a> {
    pub bind_address: Option<IpAddr>,
    pub frontend_address: Option<&'a str>,
    pub priority_networks: Vec<Network>,
    /// `host_type` is FQDN: be known by the machine's name.
    pub by_name: bool,
}

/// Where a frontend listens, and as what the others know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub bind: IpAddr,
    pub host: String,
    /// The machine's own addresses, when they were needed.
    pub own: Vec<IpAddr>,
}

/// Why no address can be chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The key that is to be changed.
    pub key: &'static str,
    pub message: String,
    /// It may be otherwise at the next start: a name did not resolve.
    pub passing: bool,
}

/// Applies the settings to a machine.
///
/// # Errors
/// When that leaves no address, or a choice.
pub(super) fn choose(wish: &Wish<'_>, machine: &dyn Machine) -> Result<Chosen, Refusal> {
    let nothing = wish.frontend_address.is_none() && wish.priority_networks.is_empty();
    match wish.bind_address {
        None if nothing && !wish.by_name => {
            let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
            return Ok(Chosen { bind, host: bind.to_string(), own: Vec::new() });
        }
        Some(bind) if nothing && !wish.by_name && !bind.is_unspecified() => {
            return Ok(Chosen { bind, host: bind.to_string(), own: vec![bind] });
        }
        _ => {}
    }
    let own = own(machine)?;
    let preferred = match wish.priority_networks.as_slice() {
        [] => None,
        networks => Some(preferred(networks, &own)?),
    };
    let name = match (wish.frontend_address, wish.by_name) {
        (Some(address), true) if address.parse::<IpAddr>().is_ok() => {
            let message = format!(
                "host_type is FQDN, but frontend_address is the address {address}; set one of them"
            );
            return Err(Refusal { key: "host_type", message, passing: false });
        }
        (Some(name), _) => Some(name.to_owned()),
        (None, true) => Some(own_name(machine, wish.bind_address.or(preferred), &own)?),
        (None, false) => None,
    };
    let bind = match (wish.bind_address.or(preferred), &name) {
        (Some(bind), _) => bind,
        (None, Some(name)) => stands_for(name, wish.by_name, machine, &own)?,
        (None, None) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let host = match (name, preferred) {
        (Some(name), _) => name,
        (None, Some(preferred)) => preferred.to_string(),
        (None, None) if bind.is_unspecified() => only(&own)?.to_string(),
        (None, None) => bind.to_string(),
    };
    let own = own.into_iter().map(|(_, address)| address).collect();
    Ok(Chosen { bind, host, own })
}

/// The machine's addresses in order, without those that only mean something on one link.
fn own(machine: &dyn Machine) -> Result<Vec<(String, IpAddr)>, Refusal> {
    let interfaces = machine.interfaces().map_err(|error| Refusal {
        key: "priority_networks",
        message: format!("list the addresses of this machine: {error}"),
        passing: true,
    })?;
    let beyond_link = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    let mut own: Vec<_> =
        interfaces.into_iter().filter(|(_, address)| beyond_link(address)).collect();
    own.sort_by_key(|(_, address)| *address);
    Ok(own)
}

fn preferred(networks: &[Network], own: &[(String, IpAddr)]) -> Result<IpAddr, Refusal> {
    let matching = networks.iter().find_map(|network| {
        let among = own.iter().map(|(_, address)| *address).find(|a| network.contains(*a));
        // All of 127.0.0.0/8 is this machine, though its interface shows one address: several
        // frontends on one machine can have an address each.
        among.or_else(|| network.single().filter(IpAddr::is_loopback))
    });
    matching.ok_or_else(|| {
        let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
        let message = format!(
            "no address of this machine lies in priority_networks {}; it has {}",
            networks.join(";"),
            listed(own)
        );
        Refusal { key: "priority_networks", message, passing: false }
    })
}

/// This machine's name, if the others can reach this machine by it.
fn own_name(
    machine: &dyn Machine,
    bind: Option<IpAddr>,
    own: &[(String, IpAddr)],
) -> Result<String, Refusal> {
    let refused = |message, passing| Refusal { key: "host_type", message, passing };
    let name = machine
        .host_name()
        .map_err(|error| refused(format!("find this machine's name: {error}"), true))?;
    let found = resolve(&name, "host_type", machine)?;
    let suits = |address: &IpAddr| match bind.filter(|bind| !bind.is_unspecified()) {
        Some(bind) => *address == bind,
        None => !address.is_loopback() && own.iter().any(|(_, own)| own == address),
    };
    if found.iter().any(suits) {
        return Ok(name);
    }
    let outward: Vec<_> =
        own.iter().filter(|(_, address)| !address.is_loopback()).cloned().collect();
    let expected = bind.map_or_else(|| listed(&outward), |bind| bind.to_string());
    let message = format!(
        "host_type is FQDN, but this machine's name {name} stands for {}, not for {expected}; \
         correct DNS or /etc/hosts on every machine, or set frontend_address",
        join(&found)
    );
    Err(refused(message, false))
}

/// The address of this machine that a name stands for, the lowest of several.
fn stands_for(
    name: &str,
    by_name: bool,
    machine: &dyn Machine,
    own: &[(String, IpAddr)],
) -> Result<IpAddr, Refusal> {
    let mut found = match name.parse() {
        Ok(address) => vec![address],
        Err(_) => resolve(name, "frontend_address", machine)?,
    };
    found.sort_unstable();
    let is_own = |address: &&IpAddr| {
        let local = own.iter().any(|(_, own)| own == *address) || address.is_loopback();
        local && !(by_name && address.is_loopback())
    };
    found.iter().find(is_own).copied().ok_or_else(|| {
        let message = format!(
            "frontend_address {name} stands for {}, which is no address of this machine; it has \
             {}; if others reach it by that name all the same, set bind_address too",
            join(&found),
            listed(own)
        );
        Refusal { key: "frontend_address", message, passing: false }
    })
}

/// The only address by which others can reach this machine.
fn only(own: &[(String, IpAddr)]) -> Result<IpAddr, Refusal> {
    let outward: Vec<_> = own.iter().filter(|(_, address)| !address.is_loopback()).collect();
    match outward.as_slice() {
        [] => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        [(_, only)] => Ok(*only),
        _ => Err(Refusal {
            key: "bind_address",
            message: format!(
                "bind_address names no address, and this machine has several: {}; set \
                 priority_networks or frontend_address",
                listed(own)
            ),
            passing: false,
        }),
    }
}

fn resolve(name: &str, key: &'static str, machine: &dyn Machine) -> Result<Vec<IpAddr>, Refusal> {
    let found = machine.resolve(name).map_err(|error| Refusal {
        key,
        message: format!("host name {name} does not resolve: {error}"),
        passing: true,
    })?;
    Ok(found.into_iter().map(|address| address.to_canonical()).collect())
}

fn listed(own: &[(String, IpAddr)]) -> String {
    let one = |(name, address): &(String, IpAddr)| format!("{address} ({name})");
    own.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn join(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
