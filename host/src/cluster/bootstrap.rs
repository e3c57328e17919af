//! How a frontend comes to its identity: it founds a cluster or joins one.
//!
//! Both can be cut off at any step and taken up again. A founder writes its identity first and
//! proposes what is missing whenever it leads and finds it missing. A joining frontend writes
//! nothing until the cluster has told it who it is.

use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::Endpoint;

use super::{Cluster, Surroundings, VERSION, command_deadline, modules};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{JoinRequest, join_response::Answer};
use crate::storage::Identity;
use crate::types::{ClusterId, Frontend, FrontendKind, Generation, HostCommand, NodeId};

/// Between two questions to the helpers.
const JOIN_INTERVAL: Duration = Duration::from_millis(250);
/// A helper that does not answer in this time is passed over.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at a state that is not founded yet.
const FOUND_INTERVAL: Duration = Duration::from_millis(20);
/// A refusal ends a start only when it comes so many times in a row: a clock may seem to be off
/// because one request took long.
const REFUSALS_MAX: u32 = 3;
/// How often a waiting frontend says so.
const SAY_INTERVAL: Duration = Duration::from_secs(5);

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
    #[error("helper '{0}' is not of the form host:port")]
    Address(String),
    /// What the cluster answered cannot be used.
    #[error("helper {helper} answered {answer}")]
    Answer {
        /// Which.
        helper: String,
        /// What.
        answer: String,
    },
    /// The cluster knows this frontend and does not take it, until an operator has mended something.
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

/// Checks the helpers' addresses.
///
/// # Errors
/// The first one that is none.
pub fn check(helpers: &[String]) -> Result<(), JoinError> {
    helpers.iter().try_for_each(|helper| endpoint(helper).map(|_| ()))
}

/// Asks the helpers, over and over, until one of them says who this frontend is. Add first or start
/// first both work.
///
/// # Errors
/// A helper address that is none, an answer that makes no sense, a refusal, or the stop signal.
pub async fn join(
    helpers: &[String],
    frontend: &Frontend,
    surroundings: &Surroundings,
    stop: &CancellationToken,
) -> Result<Joined, JoinError> {
    let request = JoinRequest {
        host: frontend.host.clone(),
        edit_log_port: u32::from(frontend.edit_log_port),
        query_port: u32::from(frontend.ports.query),
        rpc_port: u32::from(frontend.ports.rpc),
        http_port: u32::from(frontend.ports.http),
        version: VERSION.to_owned(),
        machine: surroundings.machine.clone(),
        clock_us: 0,
    };
    let mut said: Option<Instant> = None;
    let mut refusals = 0;
    loop {
        let mut reasons = Vec::new();
        let mut refused = None;
        for helper in helpers {
            let endpoint = endpoint(helper)?;
            let asked = tokio::select! {
                () = stop.cancelled() => return Err(JoinError::Stopped),
                asked = ask(endpoint, request.clone(), surroundings) => asked,
            };
            match asked {
                Ok(Some(answer)) => return joined(helper, answer),
                Ok(None) => reasons.push(format!(
                    "{helper} does not know {}; run ALTER SYSTEM ADD FOLLOWER \"{}\" there",
                    frontend.address(),
                    frontend.address()
                )),
                Err(Unanswered::Failed(reason)) => reasons.push(format!("{helper}: {reason}")),
                Err(Unanswered::Refused(reason)) => {
                    reasons.push(format!("{helper}: {reason}"));
                    let (helper, address) = (helper.clone(), frontend.address());
                    refused = Some(JoinError::Inadmissible { helper, address, reason });
                }
            }
        }
        refusals = if refused.is_some() { refusals + 1 } else { 0 };
        if let Some(refused) = refused.filter(|_| refusals >= REFUSALS_MAX) {
            return Err(refused);
        }
        if said.is_none_or(|at| at.elapsed() >= SAY_INTERVAL) {
            said = Some(Instant::now());
            tracing::info!("waiting to join: {}", reasons.join("; "));
        }
        tokio::select! {
            () = stop.cancelled() => return Err(JoinError::Stopped),
            () = tokio::time::sleep(JOIN_INTERVAL) => {}
        }
    }
}

pub(super) fn endpoint(helper: &str) -> Result<Endpoint, JoinError> {
    let wrong = || JoinError::Address(helper.to_owned());
    let (host, port) = helper.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    let endpoint = Endpoint::from_shared(format!("http://{helper}")).map_err(|_| wrong())?;
    Ok(endpoint.connect_timeout(JOIN_TIMEOUT).timeout(JOIN_TIMEOUT))
}

/// Why a helper did not say whether it knows this frontend.
enum Unanswered {
    /// It may next time.
    Failed(String),
    /// Something has to be mended first.
    Refused(String),
}

async fn ask(
    endpoint: Endpoint,
    mut request: JoinRequest,
    surroundings: &Surroundings,
) -> Result<Option<crate::proto::cluster::Membership>, Unanswered> {
    let failed = |reason: &str| Unanswered::Failed(reason.to_owned());
    let channel = endpoint.connect().await.map_err(|_| failed("not reachable"))?;
    request.clock_us = (surroundings.clock)().max(0).cast_unsigned();
    match ClusterClient::new(channel).join(request).await {
        Ok(response) => match response.into_inner().answer {
            Some(Answer::Member(member)) => Ok(Some(member)),
            Some(Answer::Unregistered(_)) => Ok(None),
            None => Err(failed("an empty answer")),
        },
        Err(status) if status.code() == Code::FailedPrecondition => {
            Err(Unanswered::Refused(status.message().to_owned()))
        }
        Err(status) => Err(failed(status.message())),
    }
}

/// What a cluster tells a frontend that it takes in.
#[derive(Debug)]
pub struct Joined {
    /// Who it is from now on.
    pub identity: Identity,
    /// The frontends of the cluster and their addresses, itself among them.
    pub members: Vec<(NodeId, String)>,
}

fn joined(helper: &str, member: crate::proto::cluster::Membership) -> Result<Joined, JoinError> {
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
    use super::*;

    #[test]
    fn a_helper_must_be_host_and_port() {
        for helper in ["h", "h:", ":1", "h:70000", "h:p", ""] {
            assert!(matches!(endpoint(helper), Err(JoinError::Address(_))), "{helper}");
        }
        assert!(endpoint("127.0.0.1:9010").is_ok());
    }

    #[test]
    fn a_cluster_id_is_positive_and_exact_in_json() {
        for random in [0, 1 << 53, u64::MAX] {
            let id = founder(random).cluster.0;
            assert!((1..1 << 53).contains(&id));
        }
    }
}
