//! How a frontend comes to its identity: it founds a cluster or joins one.
//!
//! Both can be cut off at any step and taken up again. A founder writes its identity first and
//! proposes what is missing whenever it leads and finds it missing. A joining frontend writes
//! nothing until the cluster has told it who it is.

use std::error::Error as _;
use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::codegen::http::Uri;

use super::{Cluster, Surroundings, VERSION, command_deadline, modules};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{JoinRequest, Membership, join_response::Answer};
use crate::raft::{Dial, Wire};
use crate::storage::Identity;
use crate::types::{Address, ClusterId, Frontend, FrontendKind, Generation, HostCommand, NodeId};

/// Between two questions to the helpers.
const JOIN_INTERVAL: Duration = Duration::from_millis(250);
/// A helper that does not answer in this time is passed over.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
/// A helper that does not confirm an identity in this time is passed over.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the helpers' names may take to resolve, all together, when they are checked. That one
/// does not is told when it is asked.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks at a state that is not founded yet.
const FOUND_INTERVAL: Duration = Duration::from_millis(20);
/// A refusal ends a start only when it comes so many times in a row: a clock may seem to be off
/// because one request took long.
const REFUSALS_MAX: u32 = 3;
/// How often a waiting frontend says so, if nothing changes.
const SAY_INTERVAL: Duration = Duration::from_secs(30);

/// The founder's id.
pub const FOUNDER: NodeId = NodeId(1);

/// The identity of a founder. `random` becomes the cluster's id.
pub fn founder(random: u64) -> Identity {
    Identity {
        cluster: ClusterId((random % (1 << 53)).max(1)),
        generation: Generation(1),
        node: FOUNDER,
        kind: FrontendKind::Follower,
    }
}

/// Why a frontend could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// A helper's address is not one.
    #[error("helper's format seems was wrong [{0}], eg. host:port,host:port")]
    Address(String),
    /// A helper is the frontend that needs it.
    #[error(
        "Do not specify the helper node to FE itself. Please specify it to the existing running \
         Leader or Follower FE (helper {0} is this frontend)"
    )]
    Itself(String),
    /// No helper is a frontend, and none is silent, which might become one.
    #[error(
        "helper {0} answers, but not as a frontend does; name the edit_log_port (9010, if nothing \
         else was set) of a running Leader or Follower"
    )]
    Foreign(String),
    /// The cluster does not know the data directory as this frontend's.
    #[error("helper {helper} does not take this frontend's data directory: {reason}")]
    Refused {
        /// Which.
        helper: String,
        /// Why.
        reason: String,
    },
    /// The frontend of the data directory was dropped.
    #[error("helper {helper}: {reason}")]
    Dropped {
        /// Which.
        helper: String,
        /// Since when, and what to do.
        reason: String,
    },
    /// What the cluster answered cannot be used.
    #[error("helper {helper} answered {answer}")]
    Answer {
        /// Which.
        helper: String,
        /// What.
        answer: String,
    },
    /// The cluster knows this frontend, and does not take it until something is mended.
    #[error("helper {helper} does not let {address} join: {reason}")]
    Inadmissible {
        /// Which.
        helper: String,
        /// This frontend.
        address: String,
        /// The helper's reason.
        reason: String,
    },
    /// Told to stop.
    #[error("stopped before the cluster took this frontend in")]
    Stopped,
}

/// Checks the helpers' addresses, for the frontend that is to ask them.
///
/// # Errors
/// The first one that is none, or is this frontend's own, as it is written or as it resolves.
pub async fn check(
    helpers: &[String],
    frontend: &Frontend,
    surroundings: &Surroundings,
) -> Result<(), JoinError> {
    let deadline = Instant::now() + RESOLVE_TIMEOUT;
    let own = surroundings.look_up(&frontend.host, deadline).await;
    for helper in helpers {
        let address = parse(helper)?;
        let same = address.is_of(frontend)
            || (address.port == frontend.edit_log_port
                && !surroundings.look_up(&address.host, deadline).await.is_disjoint(&own));
        if same {
            return Err(JoinError::Itself(helper.clone()));
        }
    }
    Ok(())
}

/// Asks the helpers, over and over, until one of them says who this frontend is. Add first or start
/// first both work. `tell` is told what is waited for. `entrant` is drawn anew for each data
/// directory and kept there: it keeps an answer that got lost from costing an id.
///
/// # Errors
/// Helpers that are no frontends, an answer that makes no sense, a refusal, or the stop signal.
pub async fn join(
    dial: &dyn Dial,
    helpers: &[String],
    frontend: &Frontend,
    surroundings: &Surroundings,
    tell: &(impl Fn(&str) + Sync),
    entrant: u64,
    stop: &CancellationToken,
) -> Result<Joined, JoinError> {
    let request = JoinRequest { entrant, ..request(frontend, surroundings) };
    let mut said: Option<(Instant, String)> = None;
    let mut refusals = 0;
    loop {
        let mut reasons = Vec::new();
        let (mut foreign, mut refused) = (None, None);
        for helper in helpers {
            parse(helper)?;
            let asked = tokio::select! {
                () = stop.cancelled() => return Err(JoinError::Stopped),
                asked = ask(dial, helper, &request, surroundings) => asked,
            };
            match asked {
                Asked::Member(answer) => return joined(helper, answer),
                Asked::Unregistered => reasons.push(format!(
                    "{helper} does not know {address}; run ALTER SYSTEM ADD FOLLOWER \"{address}\" \
                     (or ADD OBSERVER) there",
                    address = frontend.address()
                )),
                Asked::Foreign => foreign = Some(JoinError::Foreign(helper.clone())),
                Asked::Silent(reason) | Asked::Dropped(reason) => {
                    reasons.push(format!("{helper}: {reason}"))
                }
                Asked::Refused(reason) => {
                    reasons.push(format!("{helper}: {reason}"));
                    let (helper, address) = (helper.clone(), frontend.address());
                    refused = Some(JoinError::Inadmissible { helper, address, reason });
                }
            }
        }
        if let Some(error) = foreign.filter(|_| reasons.is_empty()) {
            return Err(error);
        }
        refusals = if refused.is_some() { refusals + 1 } else { 0 };
        if let Some(refused) = refused.filter(|_| refusals >= REFUSALS_MAX) {
            return Err(refused);
        }
        let waiting = format!("waiting to join: {}", reasons.join("; "));
        if said.as_ref().is_none_or(|(at, what)| *what != waiting || at.elapsed() >= SAY_INTERVAL) {
            tell(&waiting);
            said = Some((Instant::now(), waiting));
        }
        tokio::select! {
            () = stop.cancelled() => return Err(JoinError::Stopped),
            () = tokio::time::sleep(JOIN_INTERVAL) => {}
        }
    }
}

fn parse(helper: &str) -> Result<Address, JoinError> {
    let wrong = || JoinError::Address(helper.to_owned());
    let (host, port) = helper.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() {
        return Err(wrong());
    }
    // A character that no address has.
    format!("http://{helper}").parse::<Uri>().map_err(|_| wrong())?;
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Address { host: plain.to_owned(), port })
}

fn request(frontend: &Frontend, surroundings: &Surroundings) -> JoinRequest {
    JoinRequest {
        host: frontend.host.clone(),
        edit_log_port: u32::from(frontend.edit_log_port),
        query_port: u32::from(frontend.ports.query),
        rpc_port: u32::from(frontend.ports.rpc),
        http_port: u32::from(frontend.ports.http),
        version: VERSION.to_owned(),
        machine: surroundings.machine.clone(),
        clock_us: 0,
        entrant: 0,
        known: None,
    }
}

/// What came of asking a helper.
enum Asked {
    Member(Membership),
    Unregistered,
    /// It knows better.
    Refused(String),
    /// It knows that this frontend was dropped.
    Dropped(String),
    /// It speaks, but another language.
    Foreign,
    Silent(String),
}

async fn ask(
    dial: &dyn Dial,
    helper: &str,
    request: &JoinRequest,
    surroundings: &Surroundings,
) -> Asked {
    // Which frontend that is is not known, nor does it matter.
    let wire = match dial.dial(NodeId(0), helper) {
        Ok(transport) => Wire(transport),
        Err(reason) => return Asked::Silent(reason),
    };
    let clock_us = (surroundings.clock)().max(0).cast_unsigned();
    let request = JoinRequest { clock_us, ..request.clone() };
    let status = match timeout(JOIN_TIMEOUT, ClusterClient::new(wire).join(request)).await {
        Ok(Ok(response)) => {
            return match response.into_inner().answer {
                Some(Answer::Member(member)) => Asked::Member(member),
                Some(Answer::Unregistered(_)) => Asked::Unregistered,
                None => Asked::Silent("an empty answer".to_owned()),
            };
        }
        Ok(Err(status)) => status,
        Err(_elapsed) => {
            return Asked::Silent(format!("no answer within {} s", JOIN_TIMEOUT.as_secs()));
        }
    };
    match status.code() {
        Code::FailedPrecondition => Asked::Refused(status.message().to_owned()),
        Code::PermissionDenied => Asked::Dropped(status.message().to_owned()),
        Code::Unimplemented => Asked::Foreign,
        // Of the connection, not of the helper.
        Code::Unavailable if status.source().is_some() => Asked::Silent("not reachable".to_owned()),
        // What a connection comes to that is none of gRPC; a timeout or a reset has other codes.
        Code::Internal | Code::Unknown if status.source().is_some() => Asked::Foreign,
        _ => Asked::Silent(status.message().to_owned()),
    }
}

/// At a later start: asks the helpers, once, whether the cluster knows `identity` as this
/// frontend's. The first one that knows decides; if none can be asked, the identity is believed, so
/// that a whole cluster can start at once.
///
/// # Errors
/// [`JoinError::Refused`], or an address that is none.
pub async fn confirm(
    dial: &dyn Dial,
    helpers: &[String],
    frontend: &Frontend,
    identity: &Identity,
    surroundings: &Surroundings,
) -> Result<(), JoinError> {
    let known = Membership {
        cluster: identity.cluster.0,
        generation: identity.generation.0,
        node: identity.node.0,
        kind: identity.kind.name().to_owned(),
        members: Vec::new(),
    };
    for helper in helpers {
        parse(helper)?;
        let request = JoinRequest { known: Some(known.clone()), ..request(frontend, surroundings) };
        let asked = timeout(CONFIRM_TIMEOUT, ask(dial, helper, &request, surroundings)).await;
        match asked.unwrap_or_else(|_| Asked::Silent("no answer".to_owned())) {
            Asked::Member(_) => return Ok(()),
            Asked::Refused(reason) => {
                return Err(JoinError::Refused { helper: helper.clone(), reason });
            }
            Asked::Dropped(reason) => {
                return Err(JoinError::Dropped { helper: helper.clone(), reason });
            }
            Asked::Unregistered | Asked::Foreign | Asked::Silent(_) => {
                tracing::warn!("helper {helper} could not be asked; it is not needed any more");
            }
        }
    }
    Ok(())
}

/// What a cluster tells a frontend that it takes in.
#[derive(Debug)]
pub struct Joined {
    /// Who it is from now on.
    pub identity: Identity,
    /// The frontends of the cluster and their addresses, itself among them.
    pub members: Vec<(NodeId, String)>,
}

fn joined(helper: &str, member: Membership) -> Result<Joined, JoinError> {
    let kind = match member.kind.as_str() {
        "FOLLOWER" => FrontendKind::Follower,
        "OBSERVER" => FrontendKind::Observer,
        other => {
            let answer = format!("a kind '{other}' that this version does not know");
            return Err(JoinError::Answer { helper: helper.to_owned(), answer });
        }
    };
    let identity = Identity {
        cluster: ClusterId(member.cluster),
        generation: Generation(member.generation),
        node: NodeId(member.node),
        kind,
    };
    let members = member.members.into_iter();
    let members = members.map(|member| (NodeId(member.node), member.address)).collect();
    Ok(Joined { identity, members })
}

impl Cluster {
    /// Proposes what a new cluster lacks: its identity in the log, and a first module. Returns when
    /// nothing is lacking. `component` is the first module's file.
    ///
    /// # Errors
    /// When the first module cannot be installed or activated.
    pub async fn found(&self, component: &[u8], stop: &CancellationToken) -> Result<(), Failure> {
        while !stop.is_cancelled() {
            let view = self.machine().view();
            let done = match (view.cluster(), view.active()) {
                (Some(_), Some(_)) => return Ok(()),
                _ if !self.inner.node.status().is_leader => Ok(()),
                (None, _) => {
                    let command = HostCommand::Found {
                        cluster: self.inner.identity.cluster,
                        generation: self.inner.identity.generation,
                        frontend: self.inner.frontend.clone(),
                    };
                    self.run("", command, command_deadline()).await.map(|_| ())
                }
                (Some(_), None) => modules::activate_first(self, component).await,
            };
            match done {
                Err(failure) if failure.code == modules::UNUSABLE => return Err(failure),
                Err(failure) => tracing::debug!("founding goes on: {failure}"),
                Ok(()) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(FOUND_INTERVAL) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;
    use crate::config::{Config, Live, Settings};

    #[test]
    fn a_helper_must_be_host_and_port() {
        for helper in ["h", "h:", ":1", "h:70000", "h:p", ""] {
            assert!(matches!(parse(helper), Err(JoinError::Address(_))), "{helper}");
        }
        assert!(parse("127.0.0.1:9010").is_ok());
    }

    #[tokio::test]
    async fn a_frontend_is_no_helper_of_its_own_by_whatever_name() {
        let mut here =
            Surroundings::unknown(Live::new(Config::from_settings(&Settings::new()).unwrap()));
        here.names = Arc::new(|host| {
            let known = (host == "localhost").then_some(IpAddr::from([127, 0, 0, 1]));
            std::future::ready(known.into_iter().collect()).boxed()
        });
        let own = Frontend::new(FrontendKind::Follower, "Fe1.example", 9010);
        for (helper, text) in [
            ("fe1.example:9010", "Do not specify the helper node to FE itself"),
            ("fe2.example", "helper's format seems was wrong [fe2.example], eg. host:port"),
        ] {
            let helpers = ["127.0.0.1:9011".to_owned(), helper.to_owned()];
            let error = check(&helpers, &own, &here).await.unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        let local = Frontend::new(FrontendKind::Follower, "127.0.0.1", 9010);
        let itself = check(&["localhost:9010".to_owned()], &local, &here).await;
        assert!(matches!(itself, Err(JoinError::Itself(_))), "{itself:?}");
        for other in ["localhost:9011", "127.0.0.2:9010", "[::1]:9010", "fe2.invalid:9010"] {
            assert!(check(&[other.to_owned()], &local, &here).await.is_ok(), "{other}");
        }
    }

    #[test]
    fn a_cluster_id_is_positive_and_exact_in_json() {
        for random in [0, 1 << 53, u64::MAX] {
            let id = founder(random).cluster.0;
            assert!((1..1 << 53).contains(&id));
        }
    }
}
