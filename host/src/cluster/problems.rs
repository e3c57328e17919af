//! What is wrong with a frontend, as `ErrMsg` of `SHOW FRONTENDS` tells it.
//!
//! All of it follows from what the frontends said of themselves, so every frontend that asks tells
//! the same.

use std::net::IpAddr;
use std::time::Duration;

use super::status::{Asked, Offset};
use crate::types::{Frontend, FrontendKind, NodeId};

/// An observer that lacks an entry that is older than this is catching up; one that follows lacks
/// the newest ones for moments.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(1);

/// What all frontends are measured by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether they may share a machine and differ in `http_port`.
    pub colocation: bool,
    /// How far their clocks may be apart.
    pub clock_delta: Duration,
}

/// How a frontend stands in the cluster.
pub(super) struct Standing {
    /// It votes, or is an observer that has announced itself.
    pub joined: bool,
    /// The newest LSN that is known to be committed.
    pub newest: u64,
    /// How old the first entry is that it lacks.
    pub lag: Duration,
}

impl Rules {
    /// Whether frontends under these addresses may be on one machine. Under a loopback address a
    /// frontend is reached from its own machine only, so there it must be.
    pub fn may_share(&self, one: &Frontend, other: &Frontend) -> bool {
        self.colocation || is_loopback(&one.host) || is_loopback(&other.host)
    }

    /// Tells that a clock is too far away from another, beyond doubt.
    pub fn clock_problem(&self, offset: Offset, whose: &str) -> Option<String> {
        let apart = Duration::from_micros(offset.us.unsigned_abs());
        let doubt = Duration::from_micros(offset.doubt_us);
        (apart > self.clock_delta.saturating_add(doubt)).then(|| {
            let side = if offset.us > 0 { "ahead of" } else { "behind" };
            format!(
                "its clock is {:.1} s {side} {whose}, at most {:.1} s are allowed \
                 (max_bdbje_clock_delta_ms): synchronise the clocks, for example with NTP",
                apart.as_secs_f64(),
                self.clock_delta.as_secs_f64()
            )
        })
    }
}

/// Whether a host is this machine itself, whichever one that is.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The frontend that the others are compared with: the leader, or else the one that asked.
fn reference(asked: &[Asked], leader: Option<NodeId>) -> Option<&Asked> {
    let alive = |one: &&Asked| one.status.is_ok();
    let leads = asked.iter().filter(alive).find(|one| Some(one.node) == leader);
    leads.or_else(|| asked.iter().filter(alive).find(|one| one.offset == Some(Offset::default())))
}

/// What is wrong with one of the frontends that were asked.
pub(super) fn problems(
    one: &Asked,
    asked: &[Asked],
    leader: Option<NodeId>,
    standing: &Standing,
    rules: &Rules,
) -> Vec<String> {
    let status = match &one.status {
        Ok(status) => status,
        Err(_) if !one.frontend.has_entered() => {
            return vec!["never started: start it with --helper, naming one that runs".to_owned()];
        }
        Err(problem) => return vec![problem.clone()],
    };
    let mut found = Vec::new();
    if !status.stalled.is_empty() {
        found.push(status.stalled.clone());
    }
    if !status.moved_to.is_empty() {
        let to = &status.moved_to;
        found.push(format!("it was moved to {to} and does not run there: start it there"));
    }
    let receives = status.snapshot_bytes_total > 0;
    let catches_up = match one.frontend.kind {
        FrontendKind::Follower => !standing.joined || receives,
        FrontendKind::Observer => receives || standing.lag >= FOLLOWS_WITHIN,
    };
    if catches_up {
        let mut progress =
            format!("catching up: LSN {} of {}", status.applied_lsn, standing.newest);
        if receives {
            progress.push_str(&format!(
                ", snapshot {} of {} bytes",
                status.snapshot_bytes_held, status.snapshot_bytes_total
            ));
        }
        found.push(progress);
    }
    if status.low_on_disk {
        found.push("its disk is nearly full: it takes no writes".to_owned());
    }
    let reference = reference(asked, leader).filter(|reference| reference.node != one.node);
    if let Some(reference) = reference {
        let (own, other) = (one.frontend.ports.http, reference.frontend.ports.http);
        if own != other && other != 0 && !rules.may_share(&one.frontend, &reference.frontend) {
            found.push(format!("http_port is {own}, that of {} {other}", reference.name()));
        }
        if let (Some(own), Some(base)) = (one.offset, reference.offset) {
            let whose = if Some(reference.node) == leader { "the leader's" } else { "this one's" };
            found.extend(rules.clock_problem(own.from(base), whose));
        }
    }
    let beside: Vec<_> = asked
        .iter()
        .filter(|other| other.node != one.node && same_machine(one, other))
        .filter(|other| !rules.may_share(&one.frontend, &other.frontend))
        .map(|other| other.frontend.address())
        .collect();
    if !beside.is_empty() {
        found.push(format!("on the same machine as {}", beside.join(", ")));
    }
    found
}

fn same_machine(one: &Asked, other: &Asked) -> bool {
    let machine = |asked: &Asked| {
        let status = asked.status.as_ref().ok();
        status.map(|status| status.machine.clone()).filter(|machine| !machine.is_empty())
    };
    machine(one).is_some_and(|known| machine(other) == Some(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::cluster::StatusResponse;
    use crate::types::Ports;

    const RULES: Rules = Rules { colocation: false, clock_delta: Duration::from_secs(5) };
    const LEADER: Option<NodeId> = Some(NodeId(1));

    /// Frontend 1 leads, frontend 2 asks.
    fn cluster() -> Vec<Asked> {
        let asked = |node: u64| {
            let mut frontend =
                Frontend::new(FrontendKind::Follower, format!("10.0.0.{node}"), 9010);
            frontend.ports = Ports { query: 9030, rpc: 9020, http: 8030 };
            let machine = format!("machine-{node}");
            let status = StatusResponse { machine, applied_lsn: 7, ..StatusResponse::default() };
            let offset = Some(Offset { us: 0, doubt_us: if node == 2 { 0 } else { 1000 } });
            Asked { node: NodeId(node), frontend, status: Ok(status), offset }
        };
        (1..=3).map(asked).collect()
    }

    fn status(asked: &mut [Asked], at: usize) -> &mut StatusResponse {
        asked[at].status.as_mut().expect("it is alive")
    }

    fn told(asked: &[Asked], at: usize, rules: &Rules) -> String {
        let standing = Standing { joined: true, newest: 9, lag: Duration::ZERO };
        problems(&asked[at], asked, LEADER, &standing, rules).join("; ")
    }

    #[test]
    fn a_frontend_of_which_nothing_is_wrong_has_no_message() {
        let asked = cluster();
        for at in 0..3 {
            assert_eq!(told(&asked, at, &RULES), "");
        }
    }

    #[test]
    fn one_that_does_not_answer_tells_why_and_one_that_never_started_what_to_do() {
        let mut asked = cluster();
        asked[2].status = Err("not reachable".to_owned());
        assert_eq!(told(&asked, 2, &RULES), "not reachable");
        asked[2].frontend.ports = Ports::default();
        assert!(told(&asked, 2, &RULES).contains("--helper"));
    }

    #[test]
    fn several_things_that_are_wrong_are_all_told() {
        let mut asked = cluster();
        status(&mut asked, 1).stalled = "module trapped".to_owned();
        status(&mut asked, 1).low_on_disk = true;
        asked[1].frontend.ports.http = 8031;
        let told = told(&asked, 1, &RULES);
        for part in ["module trapped", "disk is nearly full", "http_port is 8031, that of "] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_learner_tells_how_far_it_is() {
        let mut asked = cluster();
        let standing = Standing { joined: false, newest: 900, lag: Duration::ZERO };
        let problems =
            |asked: &[Asked]| problems(&asked[2], asked, LEADER, &standing, &RULES).join("; ");
        assert_eq!(problems(&asked), "catching up: LSN 7 of 900");
        status(&mut asked, 2).snapshot_bytes_total = 1000;
        status(&mut asked, 2).snapshot_bytes_held = 10;
        assert_eq!(problems(&asked), "catching up: LSN 7 of 900, snapshot 10 of 1000 bytes");
    }

    #[test]
    fn an_observer_that_does_not_follow_tells_how_far_it_is_and_one_that_follows_nothing() {
        let mut asked = cluster();
        asked[2].frontend.kind = FrontendKind::Observer;
        let problems = |asked: &[Asked], lag_ms: u64| {
            let lag = Duration::from_millis(lag_ms);
            let standing = Standing { joined: true, newest: 900, lag };
            problems(&asked[2], asked, LEADER, &standing, &RULES).join("; ")
        };
        assert_eq!(problems(&asked, 999), "");
        assert_eq!(problems(&asked, 1000), "catching up: LSN 7 of 900");
        status(&mut asked, 2).snapshot_bytes_total = 1000;
        status(&mut asked, 2).snapshot_bytes_held = 10;
        assert_eq!(problems(&asked, 0), "catching up: LSN 7 of 900, snapshot 10 of 1000 bytes");
    }

    #[test]
    fn one_that_was_moved_while_it_runs_says_where_it_should_run() {
        let mut asked = cluster();
        status(&mut asked, 1).moved_to = "10.0.0.9:9010".to_owned();
        let message = told(&asked, 1, &RULES);
        assert!(message.contains("moved to 10.0.0.9:9010 and does not run there"), "{message}");
    }

    #[test]
    fn clocks_are_compared_with_the_leaders_whoever_asks() {
        let mut asked = cluster();
        // The asker's own clock is 6 s behind those of the others.
        (asked[0].offset, asked[2].offset) = (
            Some(Offset { us: 6_000_000, doubt_us: 0 }),
            Some(Offset { us: 6_100_000, doubt_us: 0 }),
        );
        assert_eq!(told(&asked, 0, &RULES), "");
        assert_eq!(told(&asked, 2, &RULES), "");
        let message = told(&asked, 1, &RULES);
        assert!(message.contains("6.0 s behind the leader's"), "{message}");
    }

    #[test]
    fn a_clock_is_not_blamed_for_a_slow_answer() {
        let offset = Offset { us: 5_400_000, doubt_us: 500_000 };
        assert_eq!(RULES.clock_problem(offset, "the leader's"), None);
        let sure = Offset { us: 5_400_000, doubt_us: 300_000 };
        assert!(RULES.clock_problem(sure, "the leader's").is_some());
    }

    #[test]
    fn frontends_on_one_machine_name_each_other_unless_that_is_wanted() {
        let mut asked = cluster();
        status(&mut asked, 2).machine = "machine-2".to_owned();
        assert_eq!(told(&asked, 0, &RULES), "");
        assert_eq!(told(&asked, 1, &RULES), "on the same machine as 10.0.0.3:9010");
        assert_eq!(told(&asked, 2, &RULES), "on the same machine as 10.0.0.2:9010");
        assert_eq!(told(&asked, 2, &Rules { colocation: true, ..RULES }), "");
        asked[1].frontend.host = "127.0.0.1".to_owned();
        assert_eq!(told(&asked, 2, &RULES), "");
    }

    #[test]
    fn machines_that_are_not_known_are_not_the_same() {
        let mut asked = cluster();
        for at in 0..3 {
            status(&mut asked, at).machine.clear();
        }
        assert_eq!(told(&asked, 2, &RULES), "");
    }
}
