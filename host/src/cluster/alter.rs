//! ALTER SYSTEM from any frontend.
//!
//! What follows from replicated state is decided when the alteration is applied, the same on every
//! frontend. Who is alive is not replicated: before votes are taken away it is judged here, by the
//! membership that the alteration then names. If that is not the newest one any more when it is
//! applied, nothing is done and it is judged anew.

use std::collections::BTreeSet;

use quorate_wire::Failure;
use tokio::time::Instant;

use super::Cluster;
use crate::machine::{MachineView, may_be_repeated};
use crate::types::{ALTERED_MAX, Address, Alteration, FrontendKind, HostCommand, Lsn, NodeId};

/// How often an alteration is proposed. A list of frontends may need one attempt for each before
/// there are ids enough.
const ATTEMPTS_MAX: usize = ALTERED_MAX + 1;

impl Cluster {
    /// Proposes an alteration and waits until this frontend has applied it. The membership that
    /// it was judged by is filled in. The caller has applied what was acknowledged before.
    ///
    /// # Errors
    /// A refusal, no leader before the deadline, or an unknown outcome.
    pub async fn alter(
        &self,
        caller: &str,
        mut alteration: Alteration,
        deadline: Instant,
    ) -> Result<Lsn, Failure> {
        let mut attempts = 1;
        loop {
            self.judge(&mut alteration).await?;
            let command = HostCommand::Alter(alteration.clone());
            match self.run(caller, command, deadline).await {
                Err(failure) if may_be_repeated(&failure) && attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                }
                done => return done,
            }
        }
    }

    async fn judge(&self, alteration: &mut Alteration) -> Result<(), Failure> {
        let view = self.machine().view();
        let newest = view.membership().log_id().map_or(Lsn(0), |id| Lsn(id.index));
        let (leaving, what) = match alteration {
            Alteration::Drop { kind: FrontendKind::Follower, addresses, seen, force } => {
                *seen = newest;
                (if *force { BTreeSet::new() } else { find(&view, addresses) }, "drop")
            }
            Alteration::Turn { address, kind: FrontendKind::Observer, seen, force } => {
                *seen = newest;
                let addresses = std::slice::from_ref(&*address);
                (if *force { BTreeSet::new() } else { find(&view, addresses) }, "modify")
            }
            _ => return Ok(()),
        };
        let voters: BTreeSet<_> = view.membership().membership().voter_ids().collect();
        if voters.is_disjoint(&leaving) {
            return Ok(());
        }
        let leader = self.node().status().leader;
        if leader.is_some_and(|leader| leaving.contains(&leader)) {
            // It is refused for that, unless another leads by then; then it must be judged.
            if let Alteration::Drop { seen, .. } | Alteration::Turn { seen, .. } = alteration {
                *seen = Lsn(0);
            }
            return Ok(());
        }
        let alive = self.alive(&voters).await;
        check_majority(&voters, &alive, &leaving, what)
    }

    /// Which of these are alive: heard by the leader, or answering this frontend.
    async fn alive(&self, voters: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        if let Some(heard) = self.heard_voters() {
            return heard.into_iter().collect();
        }
        let asked = self.ask_all().await.into_iter();
        let alive = asked.filter(|one| one.status.is_ok() && voters.contains(&one.node));
        alive.map(|one| one.node).collect()
    }
}

/// The registered frontends with these addresses. One that is missing is named when the alteration
/// is applied.
fn find(view: &MachineView, addresses: &[Address]) -> BTreeSet<NodeId> {
    let registered = view.frontends().into_iter();
    let named = registered.filter(|(_, f)| addresses.iter().any(|address| address.is_of(f)));
    named.map(|(node, _)| node).collect()
}

/// Whether those that still vote afterwards and are alive could decide without the others.
fn check_majority(
    voters: &BTreeSet<NodeId>,
    alive: &BTreeSet<NodeId>,
    leaving: &BTreeSet<NodeId>,
    what: &str,
) -> Result<(), Failure> {
    let staying = voters.difference(leaving).count();
    let majority = staying / 2 + 1;
    if alive.difference(leaving).count() >= majority {
        return Ok(());
    }
    let state = if alive.is_disjoint(leaving) { "dead" } else { "alive" };
    let message = format!(
        "Unable to {what} this {state} follower, because the quorum requirements are not met after \
         this command execution. Current num alive followers {}, num followers {}, majority after \
         execution {majority}. FORCE does it all the same",
        alive.len(),
        voters.len()
    );
    Err(Failure::new(1105, "HY000", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(nodes: &[u64]) -> BTreeSet<NodeId> {
        nodes.iter().map(|node| NodeId(*node)).collect()
    }

    #[test]
    fn what_would_leave_no_majority_alive_is_refused_with_the_numbers() {
        // Voters, alive, leaving; whether it may be.
        for (voters, alive, leaving, may) in [
            (&[1, 2, 3][..], &[1, 2, 3][..], &[3][..], true),
            (&[1, 2, 3], &[1, 2], &[3], true),
            (&[1, 2, 3], &[1, 2], &[2], false),
            (&[1, 2], &[1, 2], &[2], true),
            (&[1, 2, 3, 4], &[1, 2, 3], &[3], true),
            (&[1, 2, 3, 4], &[1, 2, 3], &[4], true),
            (&[1, 2, 3, 4, 5], &[1, 2, 3], &[4, 5], true),
            (&[1, 2, 3, 4, 5], &[1, 2, 3], &[3, 4], true),
            (&[1, 2, 3, 4, 5], &[1, 2, 3], &[2, 3], false),
            (&[1, 2, 3, 4], &[1, 2], &[4], true),
            (&[1, 2, 3, 4], &[1, 2], &[2], false),
        ] {
            let judged = check_majority(&set(voters), &set(alive), &set(leaving), "drop");
            assert_eq!(judged.is_ok(), may, "{voters:?} {alive:?} {leaving:?}");
        }
        let refused = check_majority(&set(&[1, 2, 3]), &set(&[1, 2]), &set(&[2]), "drop");
        assert_eq!(
            refused.map_err(|failure| failure.message),
            Err("Unable to drop this alive follower, because the quorum requirements are not met \
                 after this command execution. Current num alive followers 2, num followers 3, \
                 majority after execution 2. FORCE does it all the same"
                .to_owned())
        );
    }
}
