//! A cluster of one frontend whose modules are swapped.

use super::support::*;
use crate::runtime::Runtime;
use crate::types::{Action, HostCommand, Lsn, ModuleDigest, Outcome};

/// A cluster in which a first module is active; each run is one entry.
pub struct Cluster {
    pub node: Node,
    pub log: Log,
    pub client: Client,
    pub first: Guest,
}

impl Cluster {
    pub fn started(first: Guest) -> Self {
        Self::on(&Disk::memory(), &runtime(), first)
    }

    pub fn on(disk: &Disk, runtime: &Runtime, first: Guest) -> Self {
        let mut client = Client::new(1);
        let log = started(&first, &mut client);
        let mut node = Node::open(disk.open(), runtime);
        let replies = node.apply(&log.entries);
        assert_eq!(affected(&replies.last().unwrap().outcomes[1].1), 1);
        Self { node, log, client, first }
    }

    pub fn run<const N: usize>(&mut self, commands: [Action; N]) -> [Outcome; N] {
        let commands = commands.map(|action| self.client.command(action));
        let entry = self.log.commands(&commands);
        let outcomes = self.node.outcomes(entry);
        std::array::from_fn(|at| outcomes[at].1.clone())
    }

    pub fn host(&mut self, command: HostCommand) -> Outcome {
        let [outcome] = self.run([host(command)]);
        outcome
    }

    pub fn install(&mut self, guest: &Guest) {
        for command in guest.install() {
            assert_eq!(affected(&self.host(command)), 1);
        }
    }

    pub fn ready(&mut self, guest: &Guest) {
        self.install(guest);
        assert_eq!(affected(&self.host(guest.acknowledge(1))), 1);
    }

    /// The state once more, and a machine that was just started on it.
    pub fn restart(self, disk: &Disk, runtime: &Runtime) -> Self {
        let Self { node, log, client, first } = self;
        let applied = node.machine.applied();
        drop(node);
        let node = Node::open(disk.open(), runtime);
        assert_eq!(node.machine.applied(), applied);
        Self { node, log, client, first }
    }

    pub fn active(&self) -> (ModuleDigest, u32, Lsn) {
        let view = self.node.machine.view();
        let active = view.active().unwrap();
        (active.digest, active.schema, active.since)
    }
}

pub fn host(command: HostCommand) -> Action {
    Action::Host(command)
}

pub fn module(guest: &Guest, payload: impl Into<bytes::Bytes>) -> Action {
    Action::Module { digest: guest.digest(), payload: payload.into() }
}
