//! The phases of one connection.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use mysql_common::constants::{CapabilityFlags, StatusFlags};
use quorate_wire::Failure;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::mysql::Peer;
use crate::mysql::channel::{Broken, Channel};
use crate::mysql::command::Command;
use crate::mysql::handshake::{self, Credentials, Scramble};
use crate::mysql::packet::Violation;
use crate::mysql::reply::{self, Tail};
use crate::mysql::statement::Binding;
use crate::session::{PACKET_BYTES_MAX, Session};

/// How long a client may take to enter, as `@@connect_timeout` tells it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that has entered.
pub(super) struct Connection {
    pub channel: Channel,
    pub session: Session,
    pub capabilities: CapabilityFlags,
    pub bindings: BTreeMap<u32, Binding>,
    pub peer: Peer,
    pub scramble: Scramble,
}

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// There is nobody or nothing left to say.
    Silent,
    /// The client is told why.
    Farewell(Failure),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        let code = match &broken {
            Broken::Violation(Violation::TooLarge(_)) => 1153,
            Broken::Violation(Violation::OutOfOrder { .. }) => 1156,
            Broken::Closed => return Self::Silent,
            Broken::SlowReader(_) | Broken::Socket(_) => {
                tracing::debug!(error = %broken, "a connection broke");
                return Self::Silent;
            }
        };
        let mut message = broken.to_string();
        if code == 1153 {
            message = format!("Got a packet bigger than 'max_allowed_packet' bytes: {message}");
        }
        Self::Farewell(Failure::new(code, "08S01", message))
    }
}

/// Serves one client until it leaves, is killed, or the server shuts down.
pub(super) async fn run(
    stream: TcpStream,
    peer: Peer,
    session: Session,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off delays");
    }
    let channel = Channel::new(stream, handshake::PAYLOAD_BYTES_MAX, HANDSHAKE_TIMEOUT);
    let mut connection = Connection {
        channel,
        session,
        capabilities: CapabilityFlags::empty(),
        bindings: BTreeMap::new(),
        peer,
        scramble: Scramble::random(),
    };
    let entered = tokio::select! {
        biased;
        () = shutdown.cancelled() => Err(End::Farewell(shutting_down())),
        entered = tokio::time::timeout(HANDSHAKE_TIMEOUT, connection.enter()) => {
            entered.unwrap_or(Err(End::Silent))
        }
    };
    let end = match entered {
        Ok(()) => connection.serve(&shutdown).await,
        Err(end) => end,
    };
    connection.close(end).await;
}

impl Connection {
    /// Greets the client and finds out who it is.
    async fn enter(&mut self) -> Result<(), End> {
        let Self { channel, session, scramble, .. } = self;
        channel.put(|out| handshake::greeting(out, session.version(), session.id(), scramble));
        channel.flush().await?;
        let payload = channel.read().await?;
        let (capabilities, credentials) = handshake::response(&payload).map_err(End::Farewell)?;
        self.capabilities = capabilities;
        self.authenticate(credentials).await?;
        if self.capabilities.contains(CapabilityFlags::CLIENT_INTERACTIVE) {
            self.session.make_interactive();
        }
        self.channel.allow(PACKET_BYTES_MAX);
        self.put_ok(0);
        Ok(self.channel.flush().await?)
    }

    /// Lets a client in, or not. The session starts over.
    pub async fn authenticate(&mut self, credentials: Credentials) -> Result<(), End> {
        let Credentials { user, database, mut response, unknown_plugin } = credentials;
        if unknown_plugin {
            let Self { channel, scramble, .. } = self;
            channel.put(|out| handshake::switch(out, scramble));
            channel.flush().await?;
            response = channel.read().await?.to_vec();
        }
        if let Err(failure) = handshake::admit(&user, &response, self.peer) {
            tracing::warn!(
                %user,
                peer = %self.peer.address,
                trusted = self.peer.trusted,
                "access denied: only root may come in, without a password, from this machine or \
                 from trusted_networks"
            );
            return Err(End::Farewell(failure));
        }
        self.session.authenticate(&user);
        self.bindings.clear();
        if let Some(database) = database {
            self.session.use_database(&database).await.map_err(End::Farewell)?;
        }
        Ok(())
    }

    /// Answers commands until the end.
    async fn serve(&mut self, shutdown: &CancellationToken) -> End {
        // Ends with the client, a KILL, the idle timeout or the server.
        loop {
            let payload = match self.next(shutdown).await {
                Ok(payload) => payload,
                Err(end) => return end,
            };
            let done = match Command::decode(&payload) {
                Ok(command) => self.obey(command).await,
                Err(failure) => {
                    self.put_error(&failure);
                    Ok(())
                }
            };
            if let Err(end) = done {
                return end;
            }
            if let Err(broken) = self.channel.flush().await {
                return broken.into();
            }
            if self.session.is_released() {
                return End::Silent;
            }
        }
    }

    /// Waits for the next command.
    async fn next(&mut self, shutdown: &CancellationToken) -> Result<BytesMut, End> {
        let killed = self.session.killed();
        let idle = self.session.idle_timeout();
        self.channel.expect_progress(self.session.write_timeout());
        self.channel.restart();
        let (code, state, reason) = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(End::Farewell(shutting_down())),
            () = killed.cancelled() => (3169, "HY000", "Session was killed"),
            read = tokio::time::timeout(idle, self.channel.read()) => match read {
                Ok(read) => return Ok(read?),
                Err(_) => (4031, "HY000", "The client was disconnected by the server because of \
                    inactivity. See wait_timeout and interactive_timeout"),
            },
        };
        // What has arrived of a command is given up, and its sequence numbers with it.
        self.channel.restart();
        Err(End::Farewell(Failure::new(code, state, reason)))
    }

    async fn close(mut self, end: End) {
        if let End::Farewell(failure) = end {
            // Before the client has answered there is no agreement on the form of errors.
            let put = match self.capabilities.is_empty() {
                true => reply::early_error,
                false => reply::error,
            };
            self.channel.put(|out| put(out, &failure));
        }
        let Self { channel, session, .. } = self;
        // Its place is free while the client takes its time to read the last words.
        drop(session);
        channel.close().await;
    }

    pub fn put_ok(&mut self, affected: u64) {
        let tail = self.tail();
        self.channel.put(|out| tail.ok(out, affected));
    }

    pub fn put_error(&mut self, failure: &Failure) {
        self.channel.put(|out| reply::error(out, failure));
    }

    /// The end of the next answer, which tells what has changed.
    pub fn tail(&mut self) -> Tail {
        let mut status = StatusFlags::empty();
        status.set(StatusFlags::SERVER_STATUS_AUTOCOMMIT, self.session.autocommit());
        status.set(StatusFlags::SERVER_STATUS_IN_TRANS, self.session.in_transaction());
        Tail {
            capabilities: self.capabilities,
            status,
            warnings: u16::try_from(self.session.warning_count()).unwrap_or(u16::MAX),
            changes: self.session.take_changes(),
        }
    }
}

fn shutting_down() -> Failure {
    Failure::new(1053, "08S01", "Server shutdown in progress")
}
