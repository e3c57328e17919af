//! Members lose their vote and get it back, and move.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::{Cluster, Member, soon, until};
use super::ledger::note;
use crate::raft::{MemberError, Profile};
use crate::types::NodeId;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_is_demoted_goes_on_receiving_and_votes_again() {
    let cluster = Cluster::start(3, Profile::Lan).await;
    let leader = &cluster.members[cluster.leader().unwrap()];
    let other = &cluster.members[(cluster.leader().unwrap() + 1) % 3];
    let id = other.node.id();
    let own = BTreeSet::from([leader.node.id()]);
    assert!(matches!(leader.node.demote(own).await, Err(MemberError::Refused(_))));
    leader.node.demote(BTreeSet::from([id])).await.unwrap();
    until("it knows", || other.node.status().learners.contains(&id)).await;
    assert_eq!(leader.node.status().voters.len(), 2);
    leader.node.proposer().propose("root", note("meanwhile"), soon()).await.unwrap();
    leader.node.promote(id).await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 1);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_moved_is_reached_where_it_is_now() {
    let mut cluster = Cluster::start(3, Profile::Fast).await;
    let leader = cluster.leader().unwrap();
    let away = (leader + 1) % 3;
    cluster.members[away].move_away(Profile::Fast).await;
    let proposer = cluster.members[leader].node.proposer();
    proposer.propose("root", note("while it is lost"), soon()).await.unwrap();
    let moved = address(&cluster.members[away]);
    cluster.members[leader].node.set_addresses(BTreeMap::from([moved.clone()])).await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 1);
    for member in &cluster.members {
        assert_eq!(member.node.status().addresses[&moved.0], moved.1);
    }
    // It leads, and the others forward to where it is now.
    cluster.members[leader].node.transfer_leader(moved.0).await.unwrap();
    cluster.settled().await;
    cluster.members[leader].node.proposer().propose("root", note("there"), soon()).await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 2);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_that_moved_at_once_elects_as_soon_as_one_that_stayed_is_told() {
    let mut cluster = Cluster::start(3, Profile::Fast).await;
    for at in [1, 2] {
        cluster.members[at].move_away(Profile::Fast).await;
    }
    let stayed = &cluster.members[0].node;
    for at in [1, 2] {
        let (node, to) = address(&cluster.members[at]);
        stayed.redirect(node, to);
    }
    until("one leads", || cluster.members.iter().any(Member::is_leader)).await;
    let (node, to) = address(&cluster.members[2]);
    cluster.members[1].node.redirect(node, to);
    let (node, to) = address(&cluster.members[1]);
    cluster.members[2].node.redirect(node, to);
    stayed.proposer().propose("root", note("together"), soon()).await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 1);
    cluster.shutdown().await;
}

fn address(member: &Member) -> (NodeId, String) {
    (member.node.id(), member.proxy.address.clone())
}
