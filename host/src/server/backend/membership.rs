//! ALTER SYSTEM: who belongs, as what, and where. Runs on any frontend.
//!
//! Here is what needs the outside world: the text of an address, and whether a host name resolves.
//! The rest is judged by the [cluster](crate::cluster) and by the replicated registry.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use quorate_sql::FrontendKind as Kind;
use quorate_wire::{Failure, Reply};
use tokio::time::timeout;

use super::Services;
use crate::machine::MachineView;
use crate::session::{Answer, Consistency, StatementContext};
use crate::types::{ALTERED_MAX, Address, Alteration, Frontend, FrontendKind, Lsn, NodeId};

/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Error number of StarRocks for what its registry refuses.
const REGISTRY: u16 = 1064;

impl Services {
    pub(super) async fn add_frontends(
        &self,
        context: StatementContext,
        kind: Kind,
        addresses: &[String],
        force: bool,
    ) -> Result<Answer, Failure> {
        let addresses = parse_all(addresses)?;
        let view = self.newest(context.clone()).await?;
        if !force {
            for address in &addresses {
                let found = resolve(address)
                    .await
                    .ok_or_else(|| refused(format!("unknown fqdn host: {}", address.host)))?;
                check_alias(&view, address, &found)?;
            }
        }
        drop(view);
        let kind = registered(kind);
        let frontend = |address: Address| Frontend::new(kind, address.host, address.port);
        let alteration = Alteration::Add(addresses.into_iter().map(frontend).collect());
        let lsn = self.cluster.alter(&context.user, alteration, context.deadline).await?;
        Ok(self.altered(lsn, kind))
    }

    pub(super) async fn drop_frontends(
        &self,
        context: StatementContext,
        kind: Kind,
        addresses: &[String],
        force: bool,
    ) -> Result<Answer, Failure> {
        let (kind, addresses) = (registered(kind), parse_all(addresses)?);
        drop(self.newest(context.clone()).await?);
        let alteration = Alteration::Drop { kind, addresses, seen: Lsn(0), force };
        let lsn = self.cluster.alter(&context.user, alteration, context.deadline).await?;
        Ok(self.altered(lsn, kind))
    }

    pub(super) async fn turn_frontend(
        &self,
        context: StatementContext,
        address: &str,
        kind: Kind,
        force: bool,
    ) -> Result<Answer, Failure> {
        let (kind, address) = (registered(kind), parse(address)?);
        drop(self.newest(context.clone()).await?);
        let alteration = Alteration::Turn { address, kind, seen: Lsn(0), force };
        let lsn = self.cluster.alter(&context.user, alteration, context.deadline).await?;
        Ok(self.altered(lsn, FrontendKind::Follower))
    }

    /// `from` and `to` are hosts; where a host has several frontends, `host:port`.
    pub(super) async fn move_frontend(
        &self,
        context: StatementContext,
        from: &str,
        to: &str,
    ) -> Result<Answer, Failure> {
        let (from_host, from_port) = place(from)?;
        let (host, port) = place(to)?;
        let view = self.newest(context.clone()).await?;
        let (node, port) = {
            let mut named = view.frontends().into_iter().filter(|(_, frontend)| {
                frontend.host.eq_ignore_ascii_case(&from_host)
                    && from_port.is_none_or(|port| port == frontend.edit_log_port)
            });
            let Some((node, frontend)) = named.next() else {
                return Err(refused(format!("frontend [{from}] not found")));
            };
            if named.next().is_some() {
                return Err(refused(format!(
                    "several frontends have the host [{from}]: name one as \"host:port\""
                )));
            }
            (node, port.unwrap_or(frontend.edit_log_port))
        };
        drop(view);
        let to = Address { host, port };
        if resolve(&to).await.is_none() {
            return Err(refused(format!("unknown host {}", to.host)));
        }
        let alteration = Alteration::Move { node, to, by_hand: true };
        let lsn = self.cluster.alter(&context.user, alteration, context.deadline).await?;
        Ok(Answer { reply: Reply::done(), lsn: lsn.0 })
    }

    pub(super) async fn transfer_leader(
        &self,
        context: StatementContext,
        to: &str,
        force: bool,
    ) -> Result<Answer, Failure> {
        let address = parse(to)?;
        let to = find(&self.newest(context.clone()).await?, &address)?;
        self.cluster.transfer_leader(to, force, context.deadline).await?;
        Ok(Answer { reply: Reply::done(), lsn: self.cluster.machine().lsn().0 })
    }

    /// The state after all that was acknowledged before, so that nothing is refused or taken for
    /// another by an old registry.
    async fn newest(&self, mut context: StatementContext) -> Result<MachineView, Failure> {
        context.consistency = Consistency::Linearizable;
        self.barrier.wait(&context).await?;
        Ok(self.cluster.machine().view())
    }

    fn altered(&self, lsn: Lsn, kind: FrontendKind) -> Answer {
        let mut reply = Reply::done();
        let all = self.cluster.machine().view().frontends().into_iter();
        let followers = all.filter(|(_, f)| f.kind == FrontendKind::Follower).count();
        if kind == FrontendKind::Follower && followers > 1 && followers.is_multiple_of(2) {
            let message = format!(
                "{followers} followers survive no more failures than {}; an odd number is better",
                followers - 1
            );
            reply = reply.with_warning(1105, message);
        }
        Answer { reply, lsn: lsn.0 }
    }
}

fn registered(kind: Kind) -> FrontendKind {
    match kind {
        Kind::Follower => FrontendKind::Follower,
        Kind::Observer => FrontendKind::Observer,
    }
}

fn find(view: &MachineView, address: &Address) -> Result<NodeId, Failure> {
    let found = view.frontends().into_iter().find(|(_, frontend)| address.is_of(frontend));
    match found {
        None => Err(refused(format!("frontend does not exist[{address}]"))),
        Some((_, frontend)) if frontend.kind != FrontendKind::Follower => {
            Err(refused(format!("FOLLOWER does not exist[{address}]")))
        }
        Some((node, _)) => Ok(node),
    }
}

fn parse_all(addresses: &[String]) -> Result<Vec<Address>, Failure> {
    if addresses.len() > ALTERED_MAX {
        return Err(refused(format!("at most {ALTERED_MAX} frontends in one statement")));
    }
    addresses.iter().map(|address| parse(address)).collect()
}

/// Host and port of `host:port` or `[v6]:port`.
fn parse(address: &str) -> Result<Address, Failure> {
    let (host, port) = address.trim().rsplit_once(':').ok_or_else(wrong)?;
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let port: u16 = port.parse().map_err(|_| wrong())?;
    if port == 0 || !is_host(host) {
        return Err(wrong());
    }
    Ok(Address { host: host.to_owned(), port })
}

/// A host, and a port if one is named.
fn place(text: &str) -> Result<(String, Option<u16>), Failure> {
    let text = text.trim();
    if text.parse::<IpAddr>().is_ok() || !text.contains(':') {
        if !is_host(text) {
            return Err(wrong());
        }
        return Ok((text.to_owned(), None));
    }
    let Address { host, port } = parse(text)?;
    Ok((host, Some(port)))
}

fn is_host(host: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    !host.is_empty() && host.chars().all(plain)
}

/// The addresses of a host; none when its name does not resolve.
async fn resolve(address: &Address) -> Option<BTreeSet<IpAddr>> {
    if let Ok(ip) = address.host.parse() {
        return Some(BTreeSet::from([ip]));
    }
    let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found = timeout(RESOLVE_TIMEOUT, lookup).await.ok()?.ok()?;
    let found: BTreeSet<_> = found.map(|socket| socket.ip()).collect();
    (!found.is_empty()).then_some(found)
}

/// Whether a machine is registered by its address already and now comes by its name.
fn check_alias(
    view: &MachineView,
    address: &Address,
    found: &BTreeSet<IpAddr>,
) -> Result<(), Failure> {
    let is_same = |frontend: &Frontend| {
        let registered = frontend.host.parse::<IpAddr>();
        let same = registered.is_ok_and(|ip| found.contains(&ip) && !ip.is_loopback());
        same && !frontend.host.eq_ignore_ascii_case(&address.host)
    };
    let may_share = view.setting(crate::machine::ALLOW_COLOCATED) == Some("true");
    let clash = |f: &Frontend| is_same(f) && (!may_share || f.edit_log_port == address.port);
    if view.frontends().iter().any(|(_, frontend)| clash(frontend)) {
        let message = format!("FE with the same host: {} already exists", address.host);
        return Err(refused(message));
    }
    Ok(())
}

fn wrong() -> Failure {
    refused("frontend host or port is wrong!".to_owned())
}

fn refused(message: String) -> Failure {
    Failure::new(REGISTRY, "HY000", message)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_address_that_is_none_is_refused_with_starrocks_text() {
        for address in ["", "h", "h:", ":9010", "h:0", "h:70000", "h h:1", "h;:1"] {
            assert_eq!(parse(address).unwrap_err().message, "frontend host or port is wrong!");
        }
        let parsed = |text| parse(text).map(|address| (address.host, address.port)).unwrap();
        assert_eq!(parsed("fe-1.example:9010"), ("fe-1.example".to_owned(), 9010));
        assert_eq!(parsed("[::1]:9010"), ("::1".to_owned(), 9010));
    }

    #[test]
    fn a_host_may_come_with_a_port_and_an_ipv6_address_without() {
        for (text, host, port) in [
            ("h", "h", None),
            ("h:9010", "h", Some(9010)),
            ("::1", "::1", None),
            ("[::1]:9010", "::1", Some(9010)),
            (" 10.0.0.1 ", "10.0.0.1", None),
        ] {
            assert_eq!(place(text).unwrap(), (host.to_owned(), port), "{text}");
        }
        for text in ["", "h h", "h:0", "h:x", ":1"] {
            assert_eq!(place(text).unwrap_err().message, "frontend host or port is wrong!");
        }
    }

    #[tokio::test]
    async fn a_name_that_does_not_resolve_has_no_address() {
        let address = |host: &str| Address { host: host.to_owned(), port: 9010 };
        assert_eq!(resolve(&address("host.invalid")).await, None);
        assert!(resolve(&address("localhost")).await.unwrap().iter().any(IpAddr::is_loopback));
        assert_eq!(resolve(&address("10.0.0.1")).await.unwrap().len(), 1);
    }
}
