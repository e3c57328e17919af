//! What a frontend must be before it may join: on a machine of its own, with the others' HTTP port,
//! and by about the same clock.
//!
//! The first two are what the deployment asks for; they can be waived with `allow_colocated`, and a
//! loopback address waives them. The last keeps times that people compare comparable: nothing
//! that is replicated depends on clocks.

use super::Cluster;
use super::problems::Rules;
use super::status::{Asked, Offset};
use crate::machine::ALLOW_COLOCATED;
use crate::types::{Frontend, NodeId};

/// What waives the checks of machine and port.
const WAIVE: &str = "ADMIN SET FRONTEND CONFIG (\"allow_colocated\" = \"true\")";

/// A frontend that asks to join, as it describes itself. What it does not tell is not checked.
pub(super) struct Newcomer {
    /// As which it is registered.
    pub node: NodeId,
    /// Its address and ports.
    pub frontend: Frontend,
    /// Names its machine; may be empty.
    pub machine: String,
    /// What its clock is ahead of the one here, if that is known.
    pub offset: Option<Offset>,
}

impl Cluster {
    /// What all frontends are measured by.
    pub(super) fn rules(&self) -> Rules {
        let view = self.machine().view();
        Rules {
            colocation: view.setting(ALLOW_COLOCATED) == Some("true"),
            clock_delta: self.config().get().max_clock_delta,
        }
    }

    /// What an operator must mend before a frontend may join, if there is something. Asks the
    /// others on which machine they are.
    pub(super) async fn objection(&self, newcomer: &Newcomer) -> Option<String> {
        let rules = self.rules();
        let asks = !newcomer.machine.is_empty() && !rules.colocation;
        let asked = if asks { self.ask_all().await } else { self.unasked() };
        objection(newcomer, &asked, &rules)
    }

    /// Why a registered frontend cannot enter, if it has entered before and its data is not lost at
    /// all. One that votes must not even if it is: with an empty log it would vote again in terms
    /// in which it has voted already, and take back acknowledgements that a majority counted on.
    pub(super) async fn why_in_use(&self, node: NodeId, frontend: &Frontend) -> Option<String> {
        if self.votes(node) {
            return Some(format!(
                "frontend {node} already votes: start it with its own data directory, or drop it \
                 and add it anew"
            ));
        }
        if !frontend.has_entered() || self.ask(node, frontend).await.is_err() {
            return None;
        }
        Some(format!(
            "frontend {node} is running at {}, and another one cannot take its place: set \
             frontend_address or edit_log_port to what this one was added with",
            frontend.address()
        ))
    }

    pub(super) fn votes(&self, node: NodeId) -> bool {
        let view = self.machine().view();
        view.membership().membership().voter_ids().any(|voter| voter == node)
    }

    /// The registered frontends, of which none was asked.
    fn unasked(&self) -> Vec<Asked> {
        let frontends = self.machine().view().frontends().into_iter();
        let unasked = |(node, frontend)| {
            let status = Err("not asked".to_owned());
            Asked { node, frontend, status, offset: None }
        };
        frontends.map(unasked).collect()
    }
}

fn objection(newcomer: &Newcomer, asked: &[Asked], rules: &Rules) -> Option<String> {
    if let Some(offset) = newcomer.offset
        && let Some(problem) = rules.clock_problem(offset, "the clock here")
    {
        return Some(problem);
    }
    let others = || {
        let unlike = |other: &&Asked| {
            other.node != newcomer.node && !rules.may_share(&newcomer.frontend, &other.frontend)
        };
        asked.iter().filter(unlike)
    };
    let own = newcomer.frontend.ports.http;
    let entered = |other: &&Asked| other.frontend.has_entered();
    if let Some(other) = others().filter(entered).find(|other| other.frontend.ports.http != own) {
        let used = other.frontend.ports.http;
        return Some(format!(
            "its http_port is {own}, but {} uses {used}: all frontends must use the same one; set \
             http_port = {used}, or run {WAIVE} if they may differ",
            other.frontend.address()
        ));
    }
    let same = |other: &&Asked| {
        let status = other.status.as_ref();
        status.is_ok_and(|status| !status.machine.is_empty() && status.machine == newcomer.machine)
    };
    others().find(same).map(|other| {
        format!(
            "its machine already runs frontend {}: only one may run on a machine, or both are \
             lost with it; use another machine, or run {WAIVE} if that is wanted",
            other.frontend.address()
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config;
    use crate::proto::cluster::StatusResponse;
    use crate::types::{FrontendKind, Ports};

    const RULES: Rules = Rules { colocation: false, clock_delta: Duration::from_secs(5) };

    fn frontend(host: &str, http: u16) -> Frontend {
        let mut frontend = Frontend::new(FrontendKind::Follower, host, 9010);
        frontend.ports = Ports { query: 9030, rpc: 9020, http };
        frontend
    }

    fn newcomer(machine: &str, http: u16) -> Newcomer {
        let (node, machine) = (NodeId(9), machine.to_owned());
        Newcomer { node, frontend: frontend("10.0.0.9", http), machine, offset: None }
    }

    fn asked() -> Vec<Asked> {
        let one = |node: u64, host: &str, machine: &str| {
            let status =
                StatusResponse { machine: machine.to_owned(), ..StatusResponse::default() };
            let frontend = frontend(host, 8030);
            Asked { node: NodeId(node), frontend, status: Ok(status), offset: None }
        };
        let mut asked =
            vec![one(1, "10.0.0.1", "a"), one(2, "10.0.0.2", "b"), one(3, "10.0.0.3", "")];
        // The newcomer itself is registered, and its address may be taken by anything.
        asked.push(one(9, "10.0.0.9", "c"));
        asked
    }

    #[test]
    fn another_http_port_is_refused_with_the_one_to_use() {
        let reason = objection(&newcomer("c", 8031), &asked(), &RULES).unwrap_or_default();
        assert!(reason.contains("8031") && reason.contains("http_port = 8030"), "{reason}");
        assert!(reason.contains("allow_colocated"), "{reason}");
    }

    #[test]
    fn a_machine_that_has_a_frontend_is_refused_with_its_address() {
        let reason = objection(&newcomer("b", 8030), &asked(), &RULES).unwrap_or_default();
        assert!(reason.contains("10.0.0.2:9010"), "{reason}");
    }

    #[test]
    fn a_clock_that_is_off_is_refused_whatever_else_is_allowed() {
        let offset = Some(Offset { us: -6_000_000, doubt_us: 0 });
        let late = Newcomer { offset, ..newcomer("c", 8030) };
        let allowed = Rules { colocation: true, ..RULES };
        let reason = objection(&late, &asked(), &allowed).unwrap_or_default();
        assert!(reason.contains("6.0 s behind") && reason.contains("NTP"), "{reason}");
    }

    #[test]
    fn what_is_wanted_or_not_known_is_no_objection() {
        let allowed = Rules { colocation: true, ..RULES };
        assert_eq!(objection(&newcomer("b", 8031), &asked(), &allowed), None);
        let mut local = newcomer("b", 8031);
        local.frontend.host = "127.0.0.1".to_owned();
        assert_eq!(objection(&local, &asked(), &RULES), None);
        assert_eq!(objection(&newcomer("", 8030), &asked(), &RULES), None);
        assert_eq!(objection(&newcomer("c", 8030), &asked(), &RULES), None);
    }

    #[test]
    fn the_key_of_the_configuration_is_the_setting_of_the_state() {
        let key = config::KEYS.iter().find(|key| key.name == ALLOW_COLOCATED);
        assert!(key.is_some_and(|key| key.reach == config::Reach::Cluster));
    }
}
