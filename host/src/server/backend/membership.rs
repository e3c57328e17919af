//! ALTER SYSTEM: who belongs, as what, and where. Runs on any frontend.
//!
//! Here is what needs the outside world: the text of an address, and what a host name stands for.
//! The rest is judged by the [cluster](crate::cluster) and by the replicated registry.

use std::net::IpAddr;

use quorate_sql::FrontendKind as Kind;
use quorate_wire::{Failure, Reply};

use super::Services;
use super::aliases::{self, Site};
use crate::machine::{ALLOW_COLOCATED, MachineView};
use crate::session::{Answer, Consistency, StatementContext};
use crate::types::{ALTERED_MAX, Address, Alteration, Frontend, FrontendKind, Lsn, NodeId};

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
        let sites = self.sites(&view, addresses.clone(), None).await;
        drop(view);
        if let Some(unknown) = sites.unknown().filter(|_| !force) {
            return Err(refused(format!("unknown fqdn host: {unknown}")));
        }
        if let Some((new, other)) = sites.alias() {
            let message = format!("FE with the same host: {new} already exists, as {other}");
            return Err(refused(message));
        }
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
        let to = Address { host, port };
        let sites = self.sites(&view, vec![to.clone()], Some(node)).await;
        drop(view);
        if let Some(unknown) = sites.unknown() {
            return Err(refused(format!("unknown host {unknown}")));
        }
        if let Some((new, other)) = sites.alias() {
            let message = format!("frontend with host [{new}] already exists, as {other}");
            return Err(refused(message));
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

/// Where frontends are to be, and where the others are.
struct Sites {
    newcomers: Vec<Site>,
    registered: Vec<Site>,
    may_share: bool,
}

impl Services {
    /// Resolves newcomers and all registered frontends but one that moves.
    async fn sites(
        &self,
        view: &MachineView,
        newcomers: Vec<Address>,
        moves: Option<NodeId>,
    ) -> Sites {
        let others = view.frontends().into_iter().filter(|(node, _)| Some(*node) != moves);
        let others = others.map(|(_, frontend)| Address::of(&frontend));
        let count = newcomers.len();
        let all = newcomers.into_iter().chain(others);
        let mut newcomers = aliases::resolve(self.cluster.surroundings(), all).await;
        let registered = newcomers.split_off(count);
        let may_share = view.setting(ALLOW_COLOCATED) == Some("true");
        Sites { newcomers, registered, may_share }
    }
}

impl Sites {
    /// The first newcomer's host that does not resolve.
    fn unknown(&self) -> Option<&str> {
        let unknown = self.newcomers.iter().find(|site| site.found.is_empty());
        unknown.map(|site| site.address.host.as_str())
    }

    /// A newcomer's host on a machine that has a frontend under another one, and that frontend.
    fn alias(&self) -> Option<(&str, &Address)> {
        let alias = aliases::alias(&self.newcomers, &self.registered, self.may_share);
        alias.map(|(new, other)| (new.address.host.as_str(), &other.address))
    }
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
}
