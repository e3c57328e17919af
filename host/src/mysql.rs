//! The MySQL front door: any MySQL or MariaDB client talks to a [`Session`] through it.
//!
//! A connection goes through two phases, each a function of `connection`:
//!
//! 1. Entering: greeting, the client's answer, perhaps a change of the authentication method.
//!    Ten seconds, small packets only. Until there are accounts, `root` enters without a password,
//!    and from this machine or a trusted network only.
//! 2. Commands, one at a time. While a statement runs the socket is watched: a client that goes
//!    away cancels it. Results go out in pieces of 64 KiB, each of which the client must take
//!    within `net_write_timeout`.
//!
//! `packet` frames and knows no sockets, `channel` knows no packets' meaning, `command` decodes,
//! `reply` and `resultset` encode, `column` and `statement` translate values. Packets and values
//! that `mysql_common` describes are encoded and decoded by it. Whatever a client sends, it gets
//! an error packet and keeps its connection, unless the packets themselves have lost their order.
//!
//! Commands: QUIT, INIT_DB, QUERY, FIELD_LIST (always empty), STATISTICS, PROCESS_KILL, PING,
//! CHANGE_USER, STMT_PREPARE, STMT_EXECUTE, STMT_SEND_LONG_DATA, STMT_CLOSE, STMT_RESET,
//! SET_OPTION, RESET_CONNECTION. Any other is answered with error 1047. Not offered: TLS,
//! compression, cursors (a cursor that is asked for is answered with all rows, as the protocol
//! allows), `LOCAL INFILE`, query attributes.
//!
//! [`Session`]: crate::session::Session

mod channel;
mod column;
mod command;
mod commands;
mod connection;
mod handshake;
mod packet;
mod reply;
mod resultset;
mod statement;
#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use quorate_wire::Failure;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::networks::Trusted;
use crate::session::Sessions;

/// How long to wait before accepting again, after accepting failed: most likely the process is
/// out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves MySQL clients until `shutdown`.
///
/// Then it accepts nobody any more, idle clients get error 1053, and statements that are running
/// are answered first. Returns when the last connection is closed; dropping the future closes all
/// at once.
pub async fn serve(
    listener: TcpListener,
    sessions: Arc<Sessions>,
    trusted: Trusted,
    shutdown: CancellationToken,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let peer = Peer { address: peer.ip(), trusted: trusted.admits(peer.ip()) };
                    admit(stream, peer, &sessions, &shutdown, &mut connections);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection ended badly");
    }
}

/// Where a client is.
#[derive(Clone, Copy)]
struct Peer {
    address: IpAddr,
    /// It may come in from there.
    trusted: bool,
}

fn admit(
    stream: TcpStream,
    peer: Peer,
    sessions: &Arc<Sessions>,
    shutdown: &CancellationToken,
    connections: &mut JoinSet<()>,
) {
    match sessions.open(peer.address.to_canonical().to_string()) {
        Ok(session) => {
            connections.spawn(connection::run(stream, peer, session, shutdown.clone()));
        }
        Err(failure) => refuse(stream, &failure),
    }
}

/// Says why, without waiting for the client: an empty send buffer takes it.
fn refuse(stream: TcpStream, failure: &Failure) {
    let mut out = Vec::new();
    // Before the greeting no capabilities are agreed on, so there is no SQLSTATE.
    packet::encode(&mut out, &mut 0, |out| reply::early_error(out, failure));
    if let Err(error) = stream.into_std().and_then(|mut stream| stream.write_all(&out)) {
        tracing::debug!(%error, "a refused client went away");
    }
}
