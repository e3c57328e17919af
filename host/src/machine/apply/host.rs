//! What the host's commands work with. A command checks first and writes last, because its changes
//! of the tables in memory cannot be taken back.

use bytes::Bytes;
use quorate_wire::{Failure, Reply};

use crate::machine::modules::Modules;
use crate::machine::registry::Registry;
use crate::runtime::{Facts, Fault, Overlay, Witness};
use crate::types::{HostCommand, Lifecycle, NodeId, Outcome, ViewError};

/// The tables, where their rows are written, and the facts of the command.
pub struct Host<'a> {
    pub registry: &'a mut Registry,
    pub overlay: &'a mut Overlay,
    pub modules: &'a Modules,
    pub facts: &'a Facts,
    /// Whoever led when the command was appended.
    pub leader: NodeId,
    /// Sees what modules do, if anybody does.
    pub witness: Option<Witness>,
}

/// Why a command did not take place.
#[derive(Debug)]
pub enum Halt {
    /// By the rules; nothing was written.
    Refused(Failure),
    /// By a fault of this frontend.
    Fault(Fault),
}

impl Host<'_> {
    /// Runs a command.
    pub fn run(&mut self, command: HostCommand) -> Result<Outcome, Fault> {
        let ended = match command {
            HostCommand::Found { cluster, generation, frontend } => {
                self.found(cluster, generation, frontend)
            }
            HostCommand::AddFrontend(frontend) => self.add_frontend(frontend),
            HostCommand::DropFrontend(node) => self.drop_frontend(node),
            HostCommand::AnnounceFrontend { node, ports, version } => {
                self.announce_frontend(node, ports, version)
            }
            HostCommand::PutModuleChunk { digest, index, bytes } => {
                self.put_chunk(digest, index, bytes)
            }
            HostCommand::InstallModule(manifest) => self.install(manifest, None),
            HostCommand::AcknowledgeModule { node, digest, refusal } => {
                self.acknowledge(node, digest, refusal)
            }
            HostCommand::Lifecycle(lifecycle) => return self.lifecycle(lifecycle),
            HostCommand::Set { key, value } => self.set_all(vec![(key, value)]),
            HostCommand::SetAll(settings) => self.set_all(settings),
            HostCommand::Recover { cluster, generation, frontend, note } => {
                self.recover(cluster, generation, frontend, note)
            }
            HostCommand::MigrateStep { since, step } => return self.migrate_step(since, step),
            HostCommand::AnnounceEpochs { node, epochs } => self.announce_epochs(node, epochs),
            HostCommand::ChangeEpoch { from, to } => self.change_epoch(from, to),
            HostCommand::Alter(alteration) => self.alter(alteration),
        };
        outcome(ended)
    }

    fn lifecycle(&mut self, command: Lifecycle) -> Result<Outcome, Fault> {
        outcome(match command {
            Lifecycle::Activate(order) => return self.activate(&order),
            Lifecycle::RunScheduled { since } => return self.run_scheduled(since),
            Lifecycle::CancelScheduled => self.cancel_scheduled(),
            Lifecycle::Retire { digest } => self.retire(digest),
            Lifecycle::InstallSigned { manifest, signature } => {
                self.install(manifest, Some(signature))
            }
        })
    }

    pub fn put(&mut self, key: Bytes, value: Bytes) {
        self.overlay.put(key, value);
    }
}

/// The outcome of a command that changed `affected` things, or did not take place.
pub fn outcome(ended: Result<u64, Halt>) -> Result<Outcome, Fault> {
    match ended {
        Ok(affected) => Ok(Outcome::Applied(Reply::affected(affected).pack().into())),
        Err(Halt::Refused(failure)) => Ok(Outcome::Refused(failure)),
        Err(Halt::Fault(fault)) => Err(fault),
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<ViewError> for Halt {
    fn from(error: ViewError) -> Self {
        Self::Fault(error.into())
    }
}

/// Refuses a command with MySQL's general error.
pub fn refuse(message: impl Into<String>) -> Halt {
    refuse_with(1105, message)
}

/// Refuses a command with a certain error number.
pub fn refuse_with(code: u16, message: impl Into<String>) -> Halt {
    Halt::Refused(Failure::new(code, "HY000", message))
}
