//! Whether two host names are one machine: by the addresses that they have here and now.
//!
//! What is replicated compares names only, because what a name stands for differs from frontend to
//! frontend and changes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use crate::cluster::Surroundings;
use crate::types::Address;

/// How long the names of a statement may take to resolve, all together. One that takes longer
/// counts as one that does not resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many names are resolved at once: each takes a thread.
const AT_ONCE_MAX: usize = 32;

/// Where a frontend is, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// As it is written.
    pub address: Address,
    /// The addresses of its host; none when its name does not resolve.
    pub found: BTreeSet<IpAddr>,
}

impl Site {
    /// Whether it is another one that is written differently: the same machine, or with `may_share`
    /// the same port of it. A loopback address is for development, where a machine has several.
    fn is_alias(&self, other: &Self, may_share: bool) -> bool {
        let same = |ip: &&IpAddr| {
            let shares = may_share || ip.is_loopback();
            other.found.contains(*ip) && (!shares || self.address.port == other.address.port)
        };
        !self.address.host.eq_ignore_ascii_case(&other.address.host)
            && self.found.iter().any(|ip| same(&ip))
    }
}

/// Resolves the hosts of frontends; those that come first begin first.
pub(super) async fn resolve(
    surroundings: &Surroundings,
    addresses: impl IntoIterator<Item = Address>,
) -> Vec<Site> {
    let deadline = Instant::now() + RESOLVE_TIMEOUT;
    let sites = addresses.into_iter().map(|address| async move {
        let found = surroundings.look_up(&address.host, deadline).await;
        Site { address, found }
    });
    stream::iter(sites).buffered(AT_ONCE_MAX).collect().await
}

/// The first newcomer on the machine of a registered frontend, or of a newcomer before it, that is
/// written differently there; and which that is.
pub(super) fn alias<'a>(
    newcomers: &'a [Site],
    registered: &'a [Site],
    may_share: bool,
) -> Option<(&'a Site, &'a Site)> {
    newcomers.iter().enumerate().find_map(|(at, new)| {
        let mut others = registered.iter().chain(&newcomers[..at]);
        others.find(|other| new.is_alias(other, may_share)).map(|other| (new, other))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn address(host: &str) -> Address {
        Address { host: host.to_owned(), port: 9010 }
    }

    fn site(host: &str, ips: &[&str]) -> Site {
        let found = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        Site { address: address(host), found }
    }

    /// The host of the frontend that one of the newcomers is.
    fn found(newcomers: &[Site], registered: &[Site], may_share: bool) -> Option<String> {
        alias(newcomers, registered, may_share).map(|(_, other)| other.address.host.clone())
    }

    #[test]
    fn a_machine_comes_by_name_and_by_address_and_by_two_names_only_once() {
        let (by_name, by_other) =
            (site("fe1", &["10.0.0.1", "fd00::1"]), site("fe1.example", &["10.0.0.1"]));
        let by_address = site("10.0.0.1", &["10.0.0.1"]);
        for (new, registered) in [
            (&by_name, &by_address),
            (&by_address, &by_name),
            (&by_name, &by_other),
            (&by_other, &by_name),
        ] {
            let host = Some(registered.address.host.clone());
            let (new, registered) = (std::slice::from_ref(new), std::slice::from_ref(registered));
            assert_eq!(found(new, registered, false), host, "{new:?}");
            // Both in one statement.
            let both = [registered[0].clone(), new[0].clone()];
            assert_eq!(found(&both, &[], false), host, "{new:?}");
        }
    }

    #[test]
    fn other_machines_and_names_that_do_not_resolve_are_no_aliases() {
        let registered = [site("10.0.0.1", &["10.0.0.1"]), site("unknown", &[])];
        for new in [site("fe2", &["10.0.0.2"]), site("fe3", &[]), site("10.0.0.2", &["10.0.0.2"])] {
            assert_eq!(found(&[new], &registered, false), None);
        }
        // The same name is for the registry to judge.
        assert_eq!(found(&[site("10.0.0.1", &["10.0.0.1"])], &registered, false), None);
    }

    #[test]
    fn of_a_loopback_address_only_the_port_tells() {
        let registered = [site("localhost", &["127.0.0.1", "::1"])];
        let mut new = site("127.0.0.1", &["127.0.0.1"]);
        assert!(found(&[new.clone()], &registered, false).is_some());
        new.address.port = 9011;
        assert_eq!(found(&[new], &registered, false), None);
    }

    #[test]
    fn frontends_that_may_share_a_machine_differ_in_their_port() {
        let registered = [site("fe1", &["10.0.0.1"])];
        let mut new = site("10.0.0.1", &["10.0.0.1"]);
        assert!(found(&[new.clone()], &registered, true).is_some());
        new.address.port = 9011;
        assert_eq!(found(&[new.clone()], &registered, true), None);
        assert!(found(&[new], &registered, false).is_some());
    }
}
