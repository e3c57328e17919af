//! Commands about the cluster and its frontends.

use std::net::IpAddr;

use super::host::{Halt, Host, refuse, refuse_with};
use super::settings::ALLOW_COLOCATED;
use crate::machine::keys;
use crate::machine::recovery::Recovery;
use crate::machine::rows;
use crate::types::{ClusterId, Frontend, Generation, NodeId, Ports};

/// Most frontends of a cluster; another is refused.
pub const FRONTENDS_MAX: usize = 1024;

/// Longest host name (RFC 1035) and version text; longer ones are refused.
const HOST_BYTES_MAX: usize = 253;
const VERSION_BYTES_MAX: usize = 128;
/// Longest note of a recovery; a longer one is refused.
const NOTE_BYTES_MAX: usize = 4 << 10;

/// Error number of StarRocks for what its registry refuses.
pub const REGISTRY: u16 = 1064;

pub const FOUNDER: NodeId = NodeId(1);

impl Host<'_> {
    pub fn found(
        &mut self,
        cluster: ClusterId,
        generation: Generation,
        frontend: Frontend,
    ) -> Result<u64, Halt> {
        if let Some((present, _)) = self.registry.cluster {
            return Err(refuse(format!("cluster {present} was founded before")));
        }
        check_address(&frontend)?;
        self.set_cluster(cluster, generation);
        self.register(FOUNDER, frontend);
        Ok(1)
    }

    pub fn recover(
        &mut self,
        cluster: ClusterId,
        generation: Generation,
        frontend: Frontend,
        note: String,
    ) -> Result<u64, Halt> {
        let present = self.registry.cluster;
        if present.is_none_or(|(own, old)| own != cluster || old >= generation) {
            let found = present.map_or_else(
                || "there is none".to_owned(),
                |(own, old)| format!("this is cluster {own}, generation {old}"),
            );
            let message =
                format!("generation {generation} of cluster {cluster} cannot begin: {found}");
            return Err(refuse(message));
        }
        check_address(&frontend)?;
        if note.len() > NOTE_BYTES_MAX {
            return Err(refuse(format!("a note of more than {NOTE_BYTES_MAX} bytes")));
        }
        let node = NodeId(self.facts.lsn.0);
        if node <= self.registry.newest_node.max(FOUNDER) {
            return Err(refuse("a frontend was registered at the same LSN"));
        }
        let lost: Vec<_> = self.registry.frontends.keys().copied().collect();
        for lost in lost {
            self.drop_frontend(lost)?;
        }
        let recovery = Recovery {
            lsn: self.facts.lsn,
            time_us: self.facts.time_us,
            generation,
            node,
            address: frontend.address(),
            note,
        };
        self.put(keys::recovery(recovery.lsn), recovery.pack());
        self.set_cluster(cluster, generation);
        self.register(node, frontend);
        Ok(1)
    }

    pub fn add_frontend(&mut self, frontend: Frontend) -> Result<u64, Halt> {
        check_address(&frontend)?;
        self.check_room(1)?;
        self.check_free(&frontend)?;
        // Ids are never given twice, and an entry has but one LSN to give.
        let node = NodeId(self.facts.lsn.0);
        if node <= self.registry.newest_node.max(FOUNDER) {
            return Err(refuse("another frontend was registered at the same LSN, try again"));
        }
        self.register(node, frontend);
        Ok(1)
    }

    pub fn drop_frontend(&mut self, node: NodeId) -> Result<u64, Halt> {
        if self.registry.frontends.remove(&node).is_none() {
            return Err(unknown(node));
        }
        self.overlay.delete(keys::frontend(node));
        if self.registry.entrants.remove(&node).is_some() {
            self.overlay.delete(keys::entrant(node));
        }
        if self.registry.epochs.remove(&node).is_some() {
            self.overlay.delete(keys::epochs(node));
        }
        for (digest, module) in &mut self.registry.modules {
            if module.acknowledgements.remove(&node).is_some() {
                self.overlay.delete(keys::acknowledgement(*digest, node));
            }
        }
        Ok(1)
    }

    pub fn announce_frontend(
        &mut self,
        node: NodeId,
        ports: Ports,
        version: String,
    ) -> Result<u64, Halt> {
        check_version(&version)?;
        let present = self.registry.frontends.get(&node).ok_or_else(|| unknown(node))?;
        let announced = Frontend { ports, version, ..present.clone() };
        if announced == *present {
            return Ok(0);
        }
        self.put_frontend(node, announced);
        Ok(1)
    }

    /// Whether so many more frontends can be registered.
    pub fn check_room(&self, more: usize) -> Result<(), Halt> {
        if self.registry.frontends.len() + more > FRONTENDS_MAX {
            let message =
                format!("the cluster has {FRONTENDS_MAX} frontends, the most it can have");
            return Err(refuse(message));
        }
        Ok(())
    }

    /// Whether a frontend can be registered beside those that are.
    pub fn check_free(&self, frontend: &Frontend) -> Result<(), Halt> {
        if self.registry.frontends.values().any(|other| self.clash(other, frontend)) {
            let message = format!("FE with the same host: {} already exists", frontend.host);
            return Err(refuse_with(REGISTRY, message));
        }
        Ok(())
    }

    /// Whether two frontends must not both be registered.
    pub fn clash(&self, one: &Frontend, other: &Frontend) -> bool {
        one.host.eq_ignore_ascii_case(&other.host)
            && (one.edit_log_port == other.edit_log_port || !self.may_colocate(&other.host))
    }

    /// Several frontends on one machine would not survive its loss, so they must be wanted.
    fn may_colocate(&self, host: &str) -> bool {
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let allowed = self.registry.settings.get(ALLOW_COLOCATED);
        loopback || allowed.is_some_and(|value| value == "true")
    }

    fn set_cluster(&mut self, cluster: ClusterId, generation: Generation) {
        self.registry.cluster = Some((cluster, generation));
        let row = rows::pack(|out| {
            cluster.encode(out);
            generation.encode(out);
        });
        self.put(keys::CLUSTER, row);
    }

    pub fn register(&mut self, node: NodeId, mut frontend: Frontend) {
        frontend.registered_us = self.facts.time_us;
        self.registry.newest_node = node;
        self.put(keys::NEWEST_NODE, rows::pack(|out| node.encode(out)));
        self.put_frontend(node, frontend);
    }

    pub fn put_frontend(&mut self, node: NodeId, frontend: Frontend) {
        self.put(keys::frontend(node), rows::pack(|out| frontend.encode(out)));
        self.registry.frontends.insert(node, frontend);
    }
}

/// Whether a frontend can be registered under its address.
pub fn is_address(frontend: &Frontend) -> bool {
    let host = &frontend.host;
    let printable = host.bytes().all(|byte| byte.is_ascii_graphic());
    !host.is_empty() && host.len() <= HOST_BYTES_MAX && printable && frontend.edit_log_port != 0
}

pub fn check_address(frontend: &Frontend) -> Result<(), Halt> {
    if !is_address(frontend) {
        return Err(refuse_with(REGISTRY, "frontend host or port is wrong!"));
    }
    Ok(())
}

pub fn check_version(version: &str) -> Result<(), Halt> {
    if version.len() > VERSION_BYTES_MAX {
        return Err(refuse(format!("a version of more than {VERSION_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn unknown(node: NodeId) -> Halt {
    refuse_with(REGISTRY, format!("frontend does not exist[{node}]"))
}
