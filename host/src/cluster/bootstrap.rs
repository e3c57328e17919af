//! How a frontend comes to its identity: it founds a cluster or joins one.
//!
//! Both can be cut off at any step and taken up again. A founder writes its identity first and
//! proposes what is missing whenever it leads and finds it missing. A joining frontend writes
//! nothing until the cluster has told it who it is.

use std::time::Duration;

use quorate_wire::Failure;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::codegen::http::Uri;

use super::{Cluster, VERSION, command_deadline, modules};
use crate::proto::cluster::cluster_client::ClusterClient;
use crate::proto::cluster::{JoinRequest, join_response::Answer};
use crate::raft::{Dial, Wire};
use crate::storage::Identity;
use crate::types::{ClusterId, Frontend, FrontendKind, Generation, HostCommand, NodeId};

/// Between two questions to the helpers.
const JOIN_INTERVAL: Duration = Duration::from_millis(250);
/// A helper that does not answer in this time is passed over.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two looks at a state that is not founded yet.
const FOUND_INTERVAL: Duration = Duration::from_millis(20);
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
    /// Told to stop.
    #[error("stopped before the cluster took this frontend in")]
    Stopped,
}

/// Checks the helpers' addresses.
///
/// # Errors
/// The first one that is none.
pub fn check(helpers: &[String]) -> Result<(), JoinError> {
    helpers.iter().try_for_each(|helper| check_one(helper))
}

/// Asks the helpers, over and over, until one of them says who this frontend is. Add first or start
/// first both work.
///
/// # Errors
/// A helper address that is none, an answer that makes no sense, or the stop signal.
pub async fn join(
    dial: &dyn Dial,
    helpers: &[String],
    frontend: &Frontend,
    stop: &CancellationToken,
) -> Result<Identity, JoinError> {
    let request = JoinRequest {
        host: frontend.host.clone(),
        edit_log_port: u32::from(frontend.edit_log_port),
        query_port: u32::from(frontend.ports.query),
        rpc_port: u32::from(frontend.ports.rpc),
        http_port: u32::from(frontend.ports.http),
        version: VERSION.to_owned(),
    };
    let mut said: Option<Instant> = None;
    loop {
        let mut reasons = Vec::new();
        for helper in helpers {
            check_one(helper)?;
            let asked = tokio::select! {
                () = stop.cancelled() => return Err(JoinError::Stopped),
                asked = ask(dial, helper, request.clone()) => asked,
            };
            match asked {
                Ok(Some(answer)) => return identity(helper, answer),
                Ok(None) => reasons.push(format!(
                    "{helper} does not know {}; run ALTER SYSTEM ADD FOLLOWER \"{}\" there",
                    frontend.address(),
                    frontend.address()
                )),
                Err(reason) => reasons.push(format!("{helper}: {reason}")),
            }
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

fn check_one(helper: &str) -> Result<(), JoinError> {
    let wrong = || JoinError::Address(helper.to_owned());
    let (host, port) = helper.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    // A character that no address has.
    format!("http://{helper}").parse::<Uri>().map(|_| ()).map_err(|_| wrong())
}

async fn ask(
    dial: &dyn Dial,
    helper: &str,
    request: JoinRequest,
) -> Result<Option<crate::proto::cluster::Membership>, String> {
    // Which frontend that is is not known, nor does it matter.
    let wire = Wire(dial.dial(NodeId(0), helper)?);
    let answer = timeout(JOIN_TIMEOUT, ClusterClient::new(wire).join(request)).await;
    let answer = answer.map_err(|_| format!("no answer within {} s", JOIN_TIMEOUT.as_secs()))?;
    match answer.map_err(|status| status.message().to_owned())?.into_inner().answer {
        Some(Answer::Member(member)) => Ok(Some(member)),
        Some(Answer::Unregistered(_)) => Ok(None),
        None => Err("an empty answer".to_owned()),
    }
}

fn identity(
    helper: &str,
    member: crate::proto::cluster::Membership,
) -> Result<Identity, JoinError> {
    let kind = match member.kind.as_str() {
        "FOLLOWER" => FrontendKind::Follower,
        "OBSERVER" => FrontendKind::Observer,
        other => {
            let answer = format!("a kind '{other}' that this version does not know");
            return Err(JoinError::Answer { helper: helper.to_owned(), answer });
        }
    };
    Ok(Identity {
        cluster: ClusterId(member.cluster),
        generation: Generation(member.generation),
        node: NodeId(member.node),
        kind,
    })
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

    /// Keeps this frontend's ports and version in the registry what they are. Returns when they
    /// are.
    pub async fn announce(&self, stop: &CancellationToken) {
        let mine = &self.inner.frontend;
        while !stop.is_cancelled() {
            let node = self.inner.identity.node;
            let view = self.machine().view();
            if view
                .frontend(node)
                .is_some_and(|f| f.ports == mine.ports && f.version == mine.version)
            {
                return;
            }
            let command = HostCommand::AnnounceFrontend {
                node,
                ports: mine.ports,
                version: mine.version.clone(),
            };
            if let Err(failure) = self.run("", command, command_deadline()).await {
                tracing::debug!("announcing goes on: {failure}");
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(JOIN_INTERVAL) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_helper_must_be_host_and_port() {
        for helper in ["h", "h:", ":1", "h:70000", "h:p", ""] {
            assert!(matches!(check_one(helper), Err(JoinError::Address(_))), "{helper}");
        }
        assert!(check_one("127.0.0.1:9010").is_ok());
    }

    #[test]
    fn a_cluster_id_is_positive_and_exact_in_json() {
        for random in [0, 1 << 53, u64::MAX] {
            let id = founder(random).cluster.0;
            assert!((1..1 << 53).contains(&id));
        }
    }
}
