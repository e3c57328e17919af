//! What the cluster records of a frontend.

use quorate_wire::{DecodeError, Reader, Writer};

/// What a frontend is registered as. Which follower leads is Raft's business, not the registry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontendKind {
    /// Votes, and may lead.
    Follower,
    /// Serves reads, never votes.
    Observer,
}

impl FrontendKind {
    /// As `SHOW FRONTENDS` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Follower => "FOLLOWER",
            Self::Observer => "OBSERVER",
        }
    }

    /// Packs the kind.
    pub fn encode(self, out: &mut Writer) {
        out.byte(self as u8);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the byte is cut off or out of range.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            0 => Ok(Self::Follower),
            1 => Ok(Self::Observer),
            _ => Err(DecodeError::Range),
        }
    }
}

/// The ports that clients use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// MySQL protocol.
    pub query: u16,
    /// gRPC for clients.
    pub rpc: u16,
    /// HTTP.
    pub http: u16,
}

/// A registered frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontend {
    /// What it is registered as.
    pub kind: FrontendKind,
    /// Host name or IP address, as registered.
    pub host: String,
    /// Port for the other frontends.
    pub edit_log_port: u16,
    /// The clients' ports; all 0 until it has announced itself.
    pub ports: Ports,
    /// Its version; empty until it has announced itself.
    pub version: String,
    /// When it was registered, in microseconds since 1970, by the leader's clock. Part of its name.
    pub registered_us: u64,
}

impl Frontend {
    /// A frontend that has not announced itself.
    pub fn new(kind: FrontendKind, host: impl Into<String>, edit_log_port: u16) -> Self {
        Self {
            kind,
            host: host.into(),
            edit_log_port,
            ports: Ports::default(),
            version: String::new(),
            registered_us: 0,
        }
    }

    /// Whether it has told its ports: it was started, and knows who it is.
    pub fn has_entered(&self) -> bool {
        self.ports != Ports::default()
    }

    /// `host:edit_log_port`, with brackets around an IPv6 address.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.edit_log_port)
        } else {
            format!("{}:{}", self.host, self.edit_log_port)
        }
    }

    /// `host_port_milliseconds`, as StarRocks names its frontends.
    pub fn name(&self) -> String {
        format!("{}_{}_{}", self.host, self.edit_log_port, self.registered_us / 1000)
    }

    /// Packs the record.
    pub fn encode(&self, out: &mut Writer) {
        self.kind.encode(out);
        out.text(&self.host);
        out.unsigned(u64::from(self.edit_log_port));
        self.ports.encode(out);
        out.text(&self.version);
        out.unsigned(self.registered_us);
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short or out of range.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: FrontendKind::decode(input)?,
            host: input.text()?,
            edit_log_port: port(input)?,
            ports: Ports::decode(input)?,
            version: input.text()?,
            registered_us: input.unsigned()?,
        })
    }
}

impl Ports {
    /// Packs the ports.
    pub fn encode(self, out: &mut Writer) {
        for port in [self.query, self.rpc, self.http] {
            out.unsigned(u64::from(port));
        }
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// When the bytes are cut short or out of range.
    pub fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { query: port(input)?, rpc: port(input)?, http: port(input)? })
    }
}

fn port(input: &mut Reader<'_>) -> Result<u16, DecodeError> {
    u16::try_from(input.unsigned()?).map_err(|_| DecodeError::Range)
}
