//! `SHOW FRONTENDS`: StarRocks' columns, then ours.

use std::net::IpAddr;

use quorate_wire::{Column, Rows, Value};

use super::Cluster;
use super::status::Asked;
use crate::types::{NodeId, StateDigest, format_time};

/// StarRocks' 16 columns in its order, two of its older layout, then Quorate's own. All are text,
/// as in StarRocks; tools read them by name.
const COLUMNS: [&str; 25] = [
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
    "StateDigest",
    "Module",
    "Upstream",
    "NodeId",
];

impl Cluster {
    /// One row per registered frontend, each asked now. `now_us` is the wall clock in microseconds
    /// since 1970.
    pub async fn frontends(&self, now_us: i64) -> Rows {
        let asked = self.ask_all().await;
        let leader = leader(&asked);
        let newest = asked
            .iter()
            .filter_map(|one| Some(one.status.as_ref().ok()?.committed_lsn))
            .max()
            .unwrap_or_default();
        let members = self.node().status();
        let rows = asked.iter().map(|one| {
            let fed = one.status.as_ref().is_ok_and(|status| !status.upstream.is_empty());
            let member = members.voters.contains(&one.node) || members.learners.contains(&one.node);
            let joined = member || fed;
            self.row(one, leader == Some(one.node), joined, newest, now_us)
        });
        let columns = COLUMNS.iter().map(|name| Column::text(*name)).collect();
        Rows { columns, rows: rows.collect() }
    }

    fn row(&self, one: &Asked, leads: bool, joined: bool, newest: u64, now_us: i64) -> Vec<Value> {
        let frontend = &one.frontend;
        let role = if leads { "LEADER" } else { frontend.kind.name() };
        let flag = |value: bool| Value::from(if value { "true" } else { "false" });
        let text = |value: &dyn ToString| Value::from(value.to_string());
        let status = one.status.as_ref();
        let alive = |value: &dyn Fn(&crate::proto::cluster::StatusResponse) -> String| {
            Value::from(status.ok().map(value))
        };
        let problem = match status {
            Ok(status) => status.stalled.clone(),
            Err(problem) => problem.clone(),
        };
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
            alive(&|_| format_time(now_us)),
            flag(joined),
            problem.into(),
            alive(&|status| format_time(status.started_us.cast_signed())),
            alive(&|status| status.version.clone()),
            host_name(&frontend.host).into(),
            flag(leads),
            alive(&|status| status.term.to_string()),
            alive(&|status| status.applied_lsn.to_string()),
            alive(&|status| newest.saturating_sub(status.applied_lsn).to_string()),
            alive(&|status| digest(&status.state_digest)),
            alive(&|status| status.module.clone()),
            alive(&|status| status.upstream.clone()),
            text(&one.node),
        ]
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

/// A registered address is a name or a number; a number has no name here.
fn host_name(host: &str) -> Option<String> {
    host.parse::<IpAddr>().is_err().then(|| host.to_owned())
}

fn digest(bytes: &[u8]) -> String {
    bytes.try_into().map(|raw| StateDigest(raw).short()).unwrap_or_default()
}
