//! Changes of who belongs to the cluster, and where each is reached.

use std::fmt;

use quorate_wire::{DecodeError, Reader, Writer};

use super::frontend::{Frontend, FrontendKind, Ports};
use super::ids::{Lsn, NodeId};

/// Most frontends in one alteration. More are refused, and are no valid command either.
pub const ALTERED_MAX: usize = 16;

/// Tags of the alterations among those of the host's commands.
pub(super) const TAGS: std::ops::RangeInclusive<u8> = ADD..=ENTER;
const ADD: u8 = 10;
const DROP: u8 = 11;
const MOVE: u8 = 12;
const TURN: u8 = 13;
const ENTER: u8 = 14;

/// `host:edit_log_port` of a frontend.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// `edit_log_port`.
    pub port: u16,
}

/// A change of the registry of frontends. Takes place as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alteration {
    /// Registers frontends. Their ids are the LSNs up to this command's, in their order.
    Add(Vec<Frontend>),
    /// Removes frontends from the registry. Raft's membership follows.
    Drop {
        /// What they must be registered as.
        kind: FrontendKind,
        /// Which.
        addresses: Vec<Address>,
        /// Who was alive was judged by the membership of this LSN. When there is a newer one, it
        /// must be judged anew.
        seen: Lsn,
        /// Whoever is alive, whatever else is under way, and the leader too.
        force: bool,
    },
    /// Records that a frontend is reached elsewhere now.
    Move {
        /// Which.
        node: NodeId,
        /// Where.
        to: Address,
        /// By an administrator, who may not do it to the leader. A frontend may, for itself.
        by_hand: bool,
    },
    /// Registers a frontend as the other kind. It keeps its id and its data.
    Turn {
        /// Which.
        address: Address,
        /// What it becomes.
        kind: FrontendKind,
        /// See [`Alteration::Drop`].
        seen: Lsn,
        /// See [`Alteration::Drop`].
        force: bool,
    },
    /// A frontend with an empty data directory asks who it is. If another one has entered as `node`
    /// before, that one's data is lost, and with it what it has acknowledged; so this becomes a new
    /// frontend, whose id is this command's LSN. An id stands for one data directory.
    Enter {
        /// As which it is registered.
        node: NodeId,
        /// Its clients' ports.
        ports: Ports,
        /// Its version.
        version: String,
        /// Drawn for the data directory, so that asking again changes nothing.
        entrant: u64,
    },
}

impl Address {
    /// The address of a registered frontend.
    pub fn of(frontend: &Frontend) -> Self {
        Self { host: frontend.host.clone(), port: frontend.edit_log_port }
    }

    /// Whether it is that of a frontend. Case does not matter in host names.
    pub fn is_of(&self, frontend: &Frontend) -> bool {
        self.port == frontend.edit_log_port && self.host.eq_ignore_ascii_case(&frontend.host)
    }

    fn encode(&self, out: &mut Writer) {
        out.text(&self.host);
        out.unsigned(u64::from(self.port));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let host = input.text()?;
        let port = u16::try_from(input.unsigned()?).map_err(|_| DecodeError::Range)?;
        Ok(Self { host, port })
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Alteration {
    /// Packs it, beginning with its tag.
    pub(super) fn encode(&self, out: &mut Writer) {
        match self {
            Self::Add(frontends) => {
                out.byte(ADD);
                out.count(frontends.len());
                frontends.iter().for_each(|frontend| frontend.encode(out));
            }
            Self::Drop { kind, addresses, seen, force } => {
                out.byte(DROP);
                kind.encode(out);
                out.count(addresses.len());
                addresses.iter().for_each(|address| address.encode(out));
                seen.encode(out);
                out.flag(*force);
            }
            Self::Move { node, to, by_hand } => {
                out.byte(MOVE);
                node.encode(out);
                to.encode(out);
                out.flag(*by_hand);
            }
            Self::Turn { address, kind, seen, force } => {
                out.byte(TURN);
                address.encode(out);
                kind.encode(out);
                seen.encode(out);
                out.flag(*force);
            }
            Self::Enter { node, ports, version, entrant } => {
                out.byte(ENTER);
                node.encode(out);
                ports.encode(out);
                out.text(version);
                out.raw(&entrant.to_be_bytes());
            }
        }
    }

    /// Reads what [`encode`](Self::encode) wrote after its tag.
    pub(super) fn decode(tag: u8, input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match tag {
            ADD => Self::Add(list(input, Frontend::decode)?),
            DROP => Self::Drop {
                kind: FrontendKind::decode(input)?,
                addresses: list(input, Address::decode)?,
                seen: Lsn::decode(input)?,
                force: input.flag()?,
            },
            MOVE => Self::Move {
                node: NodeId::decode(input)?,
                to: Address::decode(input)?,
                by_hand: input.flag()?,
            },
            TURN => Self::Turn {
                address: Address::decode(input)?,
                kind: FrontendKind::decode(input)?,
                seen: Lsn::decode(input)?,
                force: input.flag()?,
            },
            ENTER => Self::Enter {
                node: NodeId::decode(input)?,
                ports: Ports::decode(input)?,
                version: input.text()?,
                entrant: u64::from_be_bytes(input.array()?),
            },
            tag => return Err(DecodeError::Version(tag)),
        })
    }
}

fn list<T>(
    input: &mut Reader<'_>,
    one: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = input.count()?;
    if count > ALTERED_MAX {
        return Err(DecodeError::Range);
    }
    (0..count).map(|_| one(input)).collect()
}
