//! `SHOW FRONTENDS`: StarRocks' columns, then ours.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use quorate_wire::{Column, Rows, Value};

use super::Cluster;
use super::commits::Ages;
use super::problems::{Rules, Standing, problems};
use super::status::Asked;
use crate::proto::cluster::StatusResponse;
use crate::types::{FrontendKind, NodeId, StateDigest, format_time};

/// StarRocks' 16 columns in its order, two of its older layout, then Quorate's own. All are text,
/// as in StarRocks; tools read them by name.
const COLUMNS: [&str; 26] = [
    "Name",
    "IP",
    "EditLogPort",
    "HttpPort",
    "QueryPort",
    "RpcPort",
    "Role",
    "ClusterId",
    "Join",
    "Alive",
    "ReplayedJournalId",
    "LastHeartbeat",
    "IsHelper",
    "ErrMsg",
    "StartTime",
    "Version",
    "HostName",
    "IsMaster",
    "Term",
    "AppliedLsn",
    "LagLsn",
    "LagMs",
    "StateDigest",
    "Module",
    "Upstream",
    "NodeId",
];

/// What all rows of one answer are made of.
struct Census<'a> {
    asked: &'a [Asked],
    leader: Option<NodeId>,
    rules: Rules,
    /// The newest LSN that any of them knows to be committed.
    newest: u64,
    /// What was committed when: as the leader saw it, or else as the asker did.
    ages: Ages,
    /// How long ago each was heard, by the asker or the leader.
    heard: BTreeMap<NodeId, Duration>,
    /// By the membership in the asker's state, which is the same on all of them at one LSN.
    voters: Vec<NodeId>,
    now_us: i64,
}

impl Cluster {
    /// One row per registered frontend, each asked now.
    pub async fn frontends(&self) -> Rows {
        let asked = self.ask_all().await;
        let leader = leader(&asked);
        let status = |one: &Asked| one.status.as_ref().ok().cloned();
        let leads = asked.iter().find(|one| Some(one.node) == leader).and_then(status);
        let newest = asked.iter().filter_map(|one| Some(one.status.as_ref().ok()?.committed_lsn));
        let census = Census {
            leader,
            rules: self.rules(),
            newest: newest.max().unwrap_or_default(),
            ages: leads.as_ref().map_or_else(|| self.commit_ages(), ages),
            heard: self.inner.contacts.merged(&leads.as_ref().map(heard).unwrap_or_default()),
            voters: self.machine().view().membership().membership().voter_ids().collect(),
            now_us: self.clock_us(),
            asked: &asked,
        };
        let rows = asked.iter().map(|one| self.row(one, &census));
        let columns = COLUMNS.iter().map(|name| Column::text(*name)).collect();
        Rows { columns, rows: rows.collect() }
    }

    fn row(&self, one: &Asked, census: &Census<'_>) -> Vec<Value> {
        let frontend = &one.frontend;
        let leads = census.leader == Some(one.node);
        let role = if leads { "LEADER" } else { frontend.kind.name() };
        let flag = |value: bool| Value::from(if value { "true" } else { "false" });
        let text = |value: &dyn ToString| Value::from(value.to_string());
        let status = one.status.as_ref();
        let alive = |value: &dyn Fn(&StatusResponse) -> String| Value::from(status.ok().map(value));
        let joined = census.joined(one);
        let lag = status.map_or(Duration::ZERO, |status| census.lag(status));
        let standing = Standing { joined, newest: census.newest, lag };
        let problems =
            problems(one, census.asked, census.leader, &standing, &census.rules).join("; ");
        vec![
            text(&frontend.name()),
            text(&frontend.host),
            text(&frontend.edit_log_port),
            text(&frontend.ports.http),
            text(&frontend.ports.query),
            text(&frontend.ports.rpc),
            role.into(),
            text(&self.identity().cluster),
            flag(joined),
            flag(status.is_ok()),
            alive(&|status| status.applied_lsn.to_string()),
            census.last_heartbeat(one).into(),
            // Who may be named with --helper: a follower that votes, on every frontend alike.
            flag(census.voters.contains(&one.node)),
            problems.into(),
            alive(&|status| format_time(status.started_us.cast_signed())),
            alive(&|status| status.version.clone()),
            host_name(one).into(),
            flag(leads),
            alive(&|status| status.term.to_string()),
            alive(&|status| status.applied_lsn.to_string()),
            alive(&|status| census.newest.saturating_sub(status.applied_lsn).to_string()),
            alive(&|status| census.lag(status).as_millis().to_string()),
            alive(&|status| digest(&status.state_digest)),
            alive(&|status| status.module.clone()),
            alive(&|status| status.upstream.clone()),
            text(&one.node),
        ]
    }
}

impl Census<'_> {
    /// A follower has joined when it votes, an observer when it has announced itself.
    fn joined(&self, one: &Asked) -> bool {
        match one.frontend.kind {
            FrontendKind::Follower => self.voters.contains(&one.node),
            FrontendKind::Observer => one.frontend.has_entered(),
        }
    }

    /// How long ago the first entry was committed that this frontend has not applied: its state is
    /// complete up to then. Nothing when it lacks none.
    fn lag(&self, status: &StatusResponse) -> Duration {
        if status.applied_lsn >= self.newest {
            return Duration::ZERO;
        }
        self.ages.first_after(status.applied_lsn).unwrap_or_default()
    }

    /// When a frontend was last heard: now, if it answered. None if it never was.
    fn last_heartbeat(&self, one: &Asked) -> Option<String> {
        let age = match one.status {
            Ok(_) => Duration::ZERO,
            Err(_) => *self.heard.get(&one.node)?,
        };
        let age_us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
        Some(format_time(self.now_us.saturating_sub(age_us)))
    }
}

/// The leader of the highest term that any frontend knows.
fn leader(asked: &[Asked]) -> Option<NodeId> {
    asked
        .iter()
        .filter_map(|one| one.status.as_ref().ok())
        .filter(|status| status.leader > 0)
        .max_by_key(|status| status.term)
        .map(|status| NodeId(status.leader))
}

fn ages(leader: &StatusResponse) -> Ages {
    let StatusResponse { committed_lsns, committed_ages_us, .. } = leader;
    Ages { lsns: committed_lsns.clone(), ages_us: committed_ages_us.clone() }
}

fn heard(leader: &StatusResponse) -> BTreeMap<NodeId, Duration> {
    let ages = leader.heard_ages_us.iter().map(|age| Duration::from_micros(*age));
    leader.heard_nodes.iter().map(|node| NodeId(*node)).zip(ages).collect()
}

/// What its machine is called; of one that does not tell, its address, if that is a name.
fn host_name(one: &Asked) -> Option<String> {
    let told = one.status.as_ref().ok().map(|status| status.host_name.clone());
    told.filter(|name| !name.is_empty()).or_else(|| {
        let host = &one.frontend.host;
        host.parse::<IpAddr>().is_err().then(|| host.clone())
    })
}

fn digest(bytes: &[u8]) -> String {
    bytes.try_into().map(|raw| StateDigest(raw).short()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Frontend;

    fn asked(node: u64, kind: FrontendKind, status: Result<StatusResponse, String>) -> Asked {
        let frontend = Frontend::new(kind, format!("10.0.0.{node}"), 9010);
        Asked { node: NodeId(node), frontend, status, offset: None }
    }

    fn census(asked: &[Asked]) -> Census<'_> {
        Census {
            asked,
            leader: Some(NodeId(1)),
            rules: Rules { colocation: false, clock_delta: Duration::from_secs(5) },
            newest: 100,
            ages: Ages { lsns: vec![90, 100], ages_us: vec![9_000_000, 1_500_000] },
            heard: BTreeMap::from([(NodeId(2), Duration::from_secs(60))]),
            voters: vec![NodeId(1), NodeId(2)],
            now_us: 3_600_000_000,
        }
    }

    fn at(applied_lsn: u64) -> StatusResponse {
        StatusResponse { applied_lsn, ..StatusResponse::default() }
    }

    #[test]
    fn a_frontend_lags_since_the_first_entry_that_it_lacks_and_not_at_all_without_one() {
        let census = census(&[]);
        assert_eq!(census.lag(&at(100)), Duration::ZERO);
        assert_eq!(census.lag(&at(99)), Duration::from_millis(1500));
        assert_eq!(census.lag(&at(90)), Duration::from_millis(1500));
        assert_eq!(census.lag(&at(89)), Duration::from_secs(9));
    }

    #[test]
    fn the_last_heartbeat_of_a_dead_frontend_is_when_it_last_answered() {
        let gone = || Err("not reachable".to_owned());
        let all = [
            asked(1, FrontendKind::Follower, Ok(at(100))),
            asked(2, FrontendKind::Follower, gone()),
            asked(3, FrontendKind::Follower, gone()),
        ];
        let census = census(&all);
        assert_eq!(census.last_heartbeat(&all[0]).as_deref(), Some("1970-01-01 01:00:00"));
        assert_eq!(census.last_heartbeat(&all[1]).as_deref(), Some("1970-01-01 00:59:00"));
        assert_eq!(census.last_heartbeat(&all[2]), None);
    }

    #[test]
    fn a_learner_has_not_joined_and_an_observer_has_once_it_announced_itself() {
        let learner = asked(3, FrontendKind::Follower, Ok(at(1)));
        let mut observer = asked(4, FrontendKind::Observer, Ok(at(1)));
        let census = census(&[]);
        assert!(!census.joined(&learner));
        assert!(!census.joined(&observer));
        observer.frontend.ports.http = 8030;
        assert!(census.joined(&observer));
        assert!(census.joined(&asked(2, FrontendKind::Follower, Err(String::new()))));
    }
}
