//! What is proposed: a command, by whom, and under which request id.

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader, Writer};

use super::alteration::{self, Alteration};
use super::epoch::{Epoch, Epochs};
use super::frontend::{Frontend, Ports};
use super::ids::{ClusterId, Generation, Lsn, ModuleDigest, NodeId, RequestId};
use super::lifecycle::{self, Lifecycle};

const VERSION: u8 = 1;

/// One command, as logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Identity for deduplication.
    pub request: RequestId,
    /// The client has the outcome of every request of its own below this sequence number, so they
    /// may be forgotten.
    pub floor: u64,
    /// User on whose behalf it is proposed.
    pub caller: String,
    /// What to do.
    pub action: Action,
}

/// Who runs a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The module with this digest, if it is the active one; else the command is rejected.
    Module {
        /// The module whose `evaluate` made the payload.
        digest: ModuleDigest,
        /// Opaque to the host.
        payload: Bytes,
    },
    /// The host.
    Host(HostCommand),
}

impl Action {
    /// The module that it is for, if it is a module's.
    pub fn module(&self) -> Option<ModuleDigest> {
        match self {
            Self::Module { digest, .. } => Some(*digest),
            Self::Host(_) => None,
        }
    }

    /// Whether it asks for another module to be active from then on.
    pub fn activates(&self) -> bool {
        matches!(self, Self::Host(HostCommand::Lifecycle(Lifecycle::Activate(_))))
    }
}

/// Commands of the host. Tags are append-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostCommand {
    /// Founds the cluster: its identity and first frontend. Refused when there is one already.
    Found {
        /// The cluster's identity.
        cluster: ClusterId,
        /// 1, or higher after a recovery.
        generation: Generation,
        /// The founder.
        frontend: Frontend,
    },
    /// Registers a frontend; its id becomes the command's LSN. The reply's affected count is 1.
    AddFrontend(Frontend),
    /// Removes a frontend from the registry.
    DropFrontend(NodeId),
    /// A frontend tells its ports and version at each start.
    AnnounceFrontend {
        /// Which.
        node: NodeId,
        /// Its clients' ports.
        ports: Ports,
        /// Its version.
        version: String,
    },
    /// One chunk of a module's component file.
    PutModuleChunk {
        /// Digest of the whole file.
        digest: ModuleDigest,
        /// Position, from 0; chunks come in order.
        index: u32,
        /// The bytes, at most 256 KiB.
        bytes: Bytes,
    },
    /// Makes a module whose chunks are all there known to the cluster.
    InstallModule(ModuleManifest),
    /// A frontend tells whether it can run an installed module.
    AcknowledgeModule {
        /// Which frontend.
        node: NodeId,
        /// Which module.
        digest: ModuleDigest,
        /// `None`: compiled and checked; else why not.
        refusal: Option<String>,
    },
    /// Activates, schedules, retires: the life of an installed module.
    Lifecycle(Lifecycle),
    /// Sets a replicated setting.
    Set {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Begins a new generation of the cluster with one frontend, whose id becomes the command's
    /// LSN. Written by the tools that recover and restore, never proposed.
    Recover {
        /// The cluster, which must be this one.
        cluster: ClusterId,
        /// The new generation, which must be higher than the present one.
        generation: Generation,
        /// The only frontend from now on.
        frontend: Frontend,
        /// Why, for people.
        note: String,
    },
    /// Takes the next step of the migration that is under way. The leader proposes it; nothing
    /// happens when that step was taken already.
    MigrateStep {
        /// The activation that began it.
        since: Lsn,
        /// Steps taken before it.
        step: u64,
    },
    /// A frontend tells which engine epochs it can run.
    AnnounceEpochs {
        /// Which frontend.
        node: NodeId,
        /// The epochs.
        epochs: Epochs,
    },
    /// Puts another engine epoch in force.
    ChangeEpoch {
        /// The one that must be in force before.
        from: Epoch,
        /// The new one.
        to: Epoch,
    },
    /// Sets several replicated settings, all of them or none. The reply's affected count is how
    /// many changed.
    SetAll(Vec<(String, String)>),
    /// Changes who belongs, or where one is reached. The reply's affected count is how many.
    Alter(Alteration),
}

/// What the cluster records of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleManifest {
    /// SHA-256 of the file.
    pub digest: ModuleDigest,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// The module's packed [`Description`](quorate_wire::Description), as it gave it.
    pub description: Bytes,
}

impl ModuleManifest {
    /// Packs the manifest.
    pub fn encode(&self, out: &mut Writer) {
        out.raw(&self.digest.0);
        out.unsigned(self.size_bytes);
        out.bytes(&self.description);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            digest: ModuleDigest(input.array()?),
            size_bytes: input.unsigned()?,
            description: Bytes::copy_from_slice(input.bytes()?),
        })
    }
}

impl Command {
    /// Packs the command.
    pub fn pack(&self) -> Bytes {
        let mut out = Writer::new();
        out.byte(VERSION);
        out.fixed64(self.request.client);
        out.unsigned(self.request.sequence);
        out.unsigned(self.floor);
        out.text(&self.caller);
        match &self.action {
            Action::Module { digest, payload } => {
                out.byte(0);
                out.raw(&digest.0);
                out.bytes(payload);
            }
            Action::Host(command) => {
                out.byte(1);
                command.encode(&mut out);
            }
        }
        out.finish().into()
    }

    /// Reads a packed command. A module's payload shares memory with `packed`.
    ///
    /// # Errors
    /// When it is cut short, has bytes left over, or has an unknown version or tag.
    pub fn unpack(packed: &Bytes) -> Result<Self, DecodeError> {
        let mut input = Reader::new(packed);
        match input.byte()? {
            VERSION => {}
            other => return Err(DecodeError::Version(other)),
        }
        let request = RequestId { client: input.fixed64()?, sequence: input.unsigned()? };
        let floor = input.unsigned()?;
        let caller = input.text()?;
        let action = match input.byte()? {
            0 => Action::Module {
                digest: ModuleDigest(input.array()?),
                payload: packed.slice_ref(input.bytes()?),
            },
            1 => Action::Host(HostCommand::decode(&mut input)?),
            // Of a newer version: a frontend that does not know it must stop, not decide.
            tag => return Err(DecodeError::Version(tag)),
        };
        input.finish()?;
        Ok(Self { request, floor, caller, action })
    }
}

impl HostCommand {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Found { cluster, generation, frontend } => {
                out.byte(0);
                cluster.encode(out);
                generation.encode(out);
                frontend.encode(out);
            }
            Self::AddFrontend(frontend) => {
                out.byte(1);
                frontend.encode(out);
            }
            Self::DropFrontend(node) => {
                out.byte(2);
                node.encode(out);
            }
            Self::AnnounceFrontend { node, ports, version } => {
                out.byte(3);
                node.encode(out);
                ports.encode(out);
                out.text(version);
            }
            Self::PutModuleChunk { digest, index, bytes } => {
                out.byte(4);
                out.raw(&digest.0);
                out.unsigned(u64::from(*index));
                out.bytes(bytes);
            }
            Self::InstallModule(manifest) => {
                out.byte(5);
                manifest.encode(out);
            }
            Self::AcknowledgeModule { node, digest, refusal } => {
                out.byte(6);
                node.encode(out);
                out.raw(&digest.0);
                out.optional_bytes(refusal.as_ref().map(String::as_bytes));
            }
            Self::Lifecycle(lifecycle) => lifecycle.encode(out),
            Self::Set { key, value } => {
                out.byte(8);
                out.text(key);
                out.text(value);
            }
            Self::Recover { cluster, generation, frontend, note } => {
                out.byte(9);
                cluster.encode(out);
                generation.encode(out);
                frontend.encode(out);
                out.text(note);
            }
            Self::MigrateStep { since, step } => {
                out.byte(15);
                since.encode(out);
                out.unsigned(*step);
            }
            Self::AnnounceEpochs { node, epochs } => {
                out.byte(22);
                node.encode(out);
                epochs.encode(out);
            }
            Self::ChangeEpoch { from, to } => {
                out.byte(23);
                from.encode(out);
                to.encode(out);
            }
            Self::SetAll(settings) => {
                out.byte(20);
                out.count(settings.len());
                for (key, value) in settings {
                    out.text(key);
                    out.text(value);
                }
            }
            Self::Alter(alteration) => alteration.encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match input.byte()? {
            0 => Self::Found {
                cluster: ClusterId::decode(input)?,
                generation: Generation::decode(input)?,
                frontend: Frontend::decode(input)?,
            },
            1 => Self::AddFrontend(Frontend::decode(input)?),
            2 => Self::DropFrontend(NodeId::decode(input)?),
            3 => Self::AnnounceFrontend {
                node: NodeId::decode(input)?,
                ports: Ports::decode(input)?,
                version: input.text()?,
            },
            4 => Self::PutModuleChunk {
                digest: ModuleDigest(input.array()?),
                index: input.unsigned32()?,
                bytes: Bytes::copy_from_slice(input.bytes()?),
            },
            5 => Self::InstallModule(ModuleManifest::decode(input)?),
            6 => Self::AcknowledgeModule {
                node: NodeId::decode(input)?,
                digest: ModuleDigest(input.array()?),
                refusal: input
                    .optional_bytes()?
                    .map(|text| String::from_utf8(text.to_vec()).map_err(|_| DecodeError::Utf8))
                    .transpose()?,
            },
            8 => Self::Set { key: input.text()?, value: input.text()? },
            9 => Self::Recover {
                cluster: ClusterId::decode(input)?,
                generation: Generation::decode(input)?,
                frontend: Frontend::decode(input)?,
                note: input.text()?,
            },
            15 => Self::MigrateStep { since: Lsn::decode(input)?, step: input.unsigned()? },
            tag @ (lifecycle::FIRST_ACTIVATE | lifecycle::INSTALL_SIGNED) => {
                Self::Lifecycle(Lifecycle::decode(tag, input)?)
            }
            tag if lifecycle::TAGS.contains(&tag) => {
                Self::Lifecycle(Lifecycle::decode(tag, input)?)
            }
            22 => Self::AnnounceEpochs {
                node: NodeId::decode(input)?,
                epochs: Epochs::decode(input)?,
            },
            23 => Self::ChangeEpoch { from: Epoch::decode(input)?, to: Epoch::decode(input)? },
            20 => {
                let count = input.count()?;
                let pair = |_| Ok((input.text()?, input.text()?));
                Self::SetAll((0..count).map(pair).collect::<Result<_, DecodeError>>()?)
            }
            tag if alteration::TAGS.contains(&tag) => Self::Alter(Alteration::decode(tag, input)?),
            tag => return Err(DecodeError::Version(tag)),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::types::{Address, FrontendKind, Order};

    fn alterations() -> Vec<Action> {
        let (kind, seen, force) = (FrontendKind::Observer, Lsn(300), true);
        let address = Address { host: "h".into(), port: 9010 };
        let frontend = Frontend::new(kind, "h", 9010);
        let all = [
            Alteration::Add(vec![frontend.clone(), frontend]),
            Alteration::Drop { kind, addresses: vec![address.clone(); 2], seen, force },
            Alteration::Move { node: NodeId(3), to: address.clone(), by_hand: true },
            Alteration::Turn { address, kind, seen, force },
            Alteration::Enter {
                node: NodeId(3),
                ports: Ports { query: 1, rpc: 2, http: 3 },
                version: "1".into(),
                entrant: 9,
            },
        ];
        all.map(HostCommand::Alter).map(Action::Host).to_vec()
    }

    /// What is in a log stays readable only if these bytes never change.
    #[test]
    fn the_bytes_of_an_alteration_are_fixed() {
        let packed = alterations().into_iter().map(|action| {
            let mut out = Writer::new();
            let Action::Host(command) = action else { panic!() };
            command.encode(&mut out);
            out.finish()
        });
        let frontend = [b"\x01\x01h\xb2\x46".as_slice(), &[0; 5]].concat();
        let expected: [Vec<u8>; 5] = [
            [&[10, 2], frontend.as_slice(), &frontend].concat(),
            b"\x0b\x01\x02\x01h\xb2\x46\x01h\xb2\x46\xac\x02\x01".to_vec(),
            b"\x0c\x03\x01h\xb2\x46\x01".to_vec(),
            b"\x0d\x01h\xb2\x46\x01\xac\x02\x01".to_vec(),
            b"\x0e\x03\x01\x02\x03\x011\0\0\0\0\0\0\0\x09".to_vec(),
        ];
        assert_eq!(packed.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_bytes_of_several_settings_are_fixed() {
        let mut out = Writer::new();
        let settings = vec![("k".into(), "v".into()), ("l".into(), String::new())];
        HostCommand::SetAll(settings).encode(&mut out);
        assert_eq!(out.finish(), b"\x14\x02\x01k\x01v\x01l\x00");
    }

    fn commands() -> Vec<Action> {
        let frontend = Frontend::new(FrontendKind::Follower, "h", 9010);
        let ports = Ports { query: 1, rpc: 2, http: 3 };
        let digest = ModuleDigest([7; 32]);
        let manifest =
            ModuleManifest { digest, size_bytes: 9, description: Bytes::from_static(b"d") };
        let host = [
            HostCommand::Found {
                cluster: ClusterId(5),
                generation: Generation(1),
                frontend: frontend.clone(),
            },
            HostCommand::AddFrontend(frontend.clone()),
            HostCommand::DropFrontend(NodeId(3)),
            HostCommand::AnnounceFrontend { node: NodeId(3), ports, version: "1".into() },
            HostCommand::PutModuleChunk { digest, index: 1, bytes: Bytes::from_static(b"x") },
            HostCommand::InstallModule(manifest),
            HostCommand::AcknowledgeModule { node: NodeId(1), digest, refusal: Some("no".into()) },
            HostCommand::Lifecycle(Lifecycle::Activate(Order::new(digest, Some(digest)))),
            HostCommand::Lifecycle(Lifecycle::CancelScheduled),
            HostCommand::Set { key: "k".into(), value: "v".into() },
            HostCommand::SetAll(vec![("k".into(), "v".into()), ("l".into(), String::new())]),
            HostCommand::MigrateStep { since: Lsn(300), step: 7 },
            HostCommand::AnnounceEpochs { node: NodeId(3), epochs: Epochs::FIRST },
            HostCommand::ChangeEpoch { from: Epoch(1), to: Epoch(2) },
            HostCommand::Recover {
                cluster: ClusterId(5),
                generation: Generation(2),
                frontend,
                note: "n".into(),
            },
        ];
        let module = Action::Module { digest, payload: Bytes::from_static(b"payload") };
        host.into_iter().map(Action::Host).chain(alterations()).chain([module]).collect()
    }

    #[test]
    fn a_cut_or_padded_command_is_refused_and_a_whole_one_comes_back() {
        for action in commands() {
            let request = RequestId { client: 11, sequence: 12 };
            let command = Command { request, floor: 3, caller: "root".into(), action };
            let packed = command.pack();
            for length in 0..packed.len() {
                assert!(Command::unpack(&packed.slice(..length)).is_err());
            }
            let padded = [packed.as_ref(), &[0]].concat();
            assert_eq!(Command::unpack(&padded.into()), Err(DecodeError::Trailing));
            assert_eq!(Command::unpack(&packed).unwrap(), command);
        }
    }
}
