//! The commands about engine epochs: which ones frontends can run, and the step to another.
//!
//! A new release of the program can bring an engine that computes something else. It brings the old
//! one, too, so frontends are replaced one by one while the old epoch is in force, and each says
//! what it can run. The step to the new epoch is one entry, refused until every voter can.

use super::host::{Halt, Host, refuse};
use crate::machine::keys;
use crate::machine::registry::Active;
use crate::machine::rows;
use crate::runtime::Fault;
use crate::types::{Epoch, Epochs, NodeId};

impl Host<'_> {
    /// A frontend says which epochs it can run.
    pub fn announce_epochs(&mut self, node: NodeId, epochs: Epochs) -> Result<u64, Halt> {
        if !self.registry.frontends.contains_key(&node) {
            return Err(refuse(format!("frontend {node} is not registered")));
        }
        if epochs.oldest > epochs.newest {
            return Err(refuse(format!("{epochs} are no epochs")));
        }
        if self.registry.epochs_of(node) == epochs {
            return Ok(0);
        }
        self.put(keys::epochs(node), rows::pack(|out| epochs.encode(out)));
        self.registry.epochs.insert(node, epochs);
        Ok(1)
    }

    /// Puts another epoch in force, from the next command on.
    pub fn change_epoch(&mut self, from: Epoch, to: Epoch) -> Result<u64, Halt> {
        let now = self.registry.epoch;
        if now != from {
            return Err(refuse(format!("engine epoch {now} is in force, not {from}")));
        }
        if to <= now {
            return Err(refuse(format!("engine epoch {now} is in force; {to} is not after it")));
        }
        let voters = self.registry.membership.membership().voter_ids();
        let unable = voters.filter(|node| !self.registry.epochs_of(*node).contain(to));
        let unable: Vec<String> = unable.map(|node| node.to_string()).collect();
        if !unable.is_empty() {
            return Err(refuse(format!(
                "frontends {} cannot run engine epoch {to}; start a newer release of the program \
                 there",
                unable.join(", ")
            )));
        }
        if let Some(active) = self.registry.active.clone() {
            let target = self.registry.installed(active.digest).map_err(Halt::Refused)?;
            let module =
                self.modules.load_to_apply(&target.manifest, to, |key| self.overlay.get(key));
            let module = module.map_err(|error| Fault(error.to_string()))?;
            self.registry.active = Some(Active { module, ..active });
        }
        // What was said of modules, was said of the epoch before. The active one runs already.
        for (digest, module) in &mut self.registry.modules {
            for (node, _) in std::mem::take(&mut module.acknowledgements) {
                self.overlay.delete(keys::acknowledgement(*digest, node));
            }
        }
        self.put(keys::EPOCH, rows::pack(|out| to.encode(out)));
        self.registry.epoch = to;
        Ok(1)
    }
}
