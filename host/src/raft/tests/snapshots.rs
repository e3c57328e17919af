//! A follower whose next entry is gone from the leader's log.

use tokio::task::JoinSet;

use super::cluster::{Cluster, Member, soon, until};
use super::ledger::note;
use crate::raft::Profile;
use crate::types::Lsn;

/// What each command adds to the state, twice: to the run and to the answers.
const NOTE_BYTES: usize = 900_000;

/// Runs commands that a cut off member does not get, and purges them from the logs of the others.
async fn leave_behind(cluster: &Cluster, away: usize, notes: usize) -> Lsn {
    cluster.members[away].proxy.open(false);
    let others: Vec<_> = (0..3).filter(|member| *member != away).collect();
    let proposer = cluster.members[others[0]].node.proposer();
    let mut last = Lsn(0);
    for number in 0..notes {
        let text = format!("{number:08}").repeat(NOTE_BYTES / 8);
        (last, _) = proposer.propose("root", note(text), soon()).await.unwrap();
    }
    for member in others.into_iter().map(|member| &cluster.members[member]) {
        until("all is applied", || member.ledger.applied() >= last).await;
        let taken = member.node.take_snapshot().await.unwrap();
        assert!(taken >= last);
        member.node.purge(last).await.unwrap();
        until("the log is purged", || member.node.status().purged_lsn >= Some(last)).await;
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_of_five_that_swallow_everything_do_not_keep_the_leader_from_purging() {
    let cluster = Cluster::start(5, Profile::Fast).await;
    let leader = &cluster.members[cluster_leader(&cluster)];
    let away: Vec<_> = cluster.members.iter().filter(|m| !m.is_leader()).take(2).collect();
    away.iter().for_each(|away| away.proxy.swallow());
    let mut last = Lsn(0);
    for number in 0..3 {
        let text = format!("{number:08}").repeat(NOTE_BYTES / 8);
        (last, _) = leader.node.proposer().propose("root", note(text), soon()).await.unwrap();
    }
    assert!(leader.node.take_snapshot().await.unwrap() >= last);
    leader.node.purge(last).await.unwrap();
    until("the log is purged", || leader.node.status().purged_lsn >= Some(last)).await;
    assert!(leader.is_leader());
    away.iter().for_each(|away| away.proxy.open(true));
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 3);
    cluster.shutdown().await;
}

/// A member that does not lead.
fn follower(cluster: &Cluster) -> usize {
    (cluster.leader().unwrap() + 1) % 3
}

fn received(member: &Member) -> u64 {
    member.node.status().snapshot_bytes_received
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_purged_that_is_in_no_snapshot() {
    let cluster = Cluster::start(1, Profile::Fast).await;
    let node = &cluster.members[0].node;
    let proposer = node.proposer();
    let (first, _) = proposer.propose("root", note("first"), soon()).await.unwrap();
    node.purge(first).await.unwrap();
    let taken = node.take_snapshot().await.unwrap();
    assert_eq!(node.take_snapshot().await.unwrap(), taken, "nothing was new");
    let (second, _) = proposer.propose("root", note("second"), soon()).await.unwrap();
    assert!(node.status().purged_lsn < Some(first));
    node.purge(second).await.unwrap();
    until("the log is purged", || node.status().purged_lsn == Some(taken)).await;
    assert_eq!(node.status().snapshot_lsn, Some(taken));
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_behind_a_purged_log_gets_a_snapshot_and_goes_on() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let away = follower(&cluster);
    let last = leave_behind(&cluster, away, 3).await;
    cluster.members[away].proxy.open(true);
    cluster.settled().await;
    let status = cluster.members[away].node.status();
    assert!(status.snapshot_lsn >= Some(last) && status.snapshot_bytes_received > 0);
    let proposer = cluster.members[away].node.proposer();
    proposer.propose("root", note("after"), soon()).await.unwrap();
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 4);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_snapshot_costs_only_what_was_missing() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let away = follower(&cluster);
    leave_behind(&cluster, away, 8).await;
    let member = &cluster.members[away];
    member.proxy.open(true);
    let size = cluster.members[cluster_leader(&cluster)].ledger.snapshots().newest().unwrap();
    let size = size.manifest().size();
    for share in 1..4 {
        until("a part arrived", || received(member) > size * share / 4).await;
        member.proxy.cut();
    }
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 8);
    // A chunk that was on its way when a connection broke is sent twice.
    let sent = received(member);
    assert!(sent >= size && sent < size + size / 2, "{sent} bytes for a snapshot of {size}");
    cluster.shutdown().await;
}

fn cluster_leader(cluster: &Cluster) -> usize {
    cluster.members.iter().position(Member::is_leader).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_under_way_survives_a_change_of_the_leader_and_clients_go_on() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let away = follower(&cluster);
    leave_behind(&cluster, away, 8).await;
    let member = &cluster.members[away];
    member.proxy.open(true);
    until("a part arrived", || received(member) > 2 << 20).await;
    let old = cluster_leader(&cluster);
    let next = 3 - away - old;
    cluster.members[old].node.transfer_leader(cluster.members[next].node.id()).await.unwrap();
    let mut tasks = JoinSet::new();
    for number in 0..20 {
        let proposer = cluster.members[next].node.proposer();
        tasks.spawn(async move {
            proposer.propose("root", note(format!("meanwhile {number}")), soon()).await.unwrap();
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 28);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_whose_log_is_purged_restarts_from_its_state() {
    let mut cluster = Cluster::start(3, Profile::Fast).await;
    let away = follower(&cluster);
    leave_behind(&cluster, away, 2).await;
    cluster.members[away].proxy.open(true);
    cluster.settled().await;
    for member in 0..3 {
        cluster.members[member].restart(Profile::Fast).await;
        cluster.settled().await;
    }
    assert_eq!(cluster.agreed(), 2);
    cluster.shutdown().await;
}
