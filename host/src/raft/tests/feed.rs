//! Frontends outside the membership that take the committed log from others.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use super::cluster::{Cluster, Member, PATIENCE, soon, until};
use super::ledger::note;
use crate::raft::{FeedEnd, HOPS_MAX, MemberError, Node, Profile};
use crate::types::{Lsn, NodeId, Outcome};

/// An observer that follows the first of its upstreams that will do, over and over.
struct Observer {
    member: Arc<Member>,
    following: JoinHandle<()>,
}

type Upstreams = Vec<(NodeId, String)>;

fn at(member: &Member) -> (NodeId, String) {
    (member.node.id(), member.proxy.address.clone())
}

impl Observer {
    async fn start(id: u64, upstreams: Upstreams) -> Self {
        let member = Arc::new(Member::start(id, Profile::Fast).await);
        let following = tokio::spawn(follow(Arc::clone(&member), upstreams));
        Self { member, following }
    }

    fn node(&self) -> &Node {
        &self.member.node
    }

    async fn reaches(&self, lsn: Lsn) {
        until("the observer has applied it", || self.member.ledger.applied() >= lsn).await;
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.following.abort();
    }
}

async fn follow(member: Arc<Member>, upstreams: Upstreams) {
    let own = member.proxy.address.clone();
    let mut rounds = interval(Duration::from_millis(5));
    loop {
        rounds.tick().await;
        for (node, address) in &upstreams {
            member.node.follow(*node, address, &own).await;
        }
    }
}

fn followers(cluster: &Cluster) -> Vec<&Member> {
    let leader = cluster.leader().unwrap();
    let others = cluster.members.iter().enumerate().filter(|(at, _)| *at != leader);
    others.map(|(_, member)| member).collect()
}

async fn write(node: &Node, text: &str) -> Lsn {
    let (lsn, outcome) = node.proposer().propose("root", note(text), soon()).await.unwrap();
    assert_eq!(outcome, Outcome::Applied(text.to_owned().into()));
    lsn
}

fn same(cluster: &Cluster, observer: &Observer) {
    let run = cluster.members[0].ledger.read(|pages| pages.run.clone());
    assert!(
        observer.member.ledger.read(|pages| pages.run == run),
        "the observer ran other commands"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_applies_what_is_committed_forwards_writes_and_confirms_reads() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let first = write(&cluster.members[0].node, "before").await;
    let observer = Observer::start(10, vec![at(followers(&cluster)[0])]).await;
    observer.reaches(first).await;
    let own = write(observer.node(), "through the observer").await;
    let confirmed = observer.node().read_index().get(soon()).await.unwrap();
    assert!(confirmed >= own);
    observer.reaches(confirmed).await;
    same(&cluster, &observer);
    let status = observer.node().status();
    assert!(status.voters.len() == 3 && !status.voters.contains(&NodeId(10)));
    assert!(!status.is_leader && status.leader.is_some());
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observers_chain_up_to_the_limit_of_hops() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let mut upstream = at(followers(&cluster)[0]);
    let mut chain = Vec::new();
    for number in 0..HOPS_MAX {
        let observer = Observer::start(10 + u64::from(number), vec![upstream]).await;
        upstream = at(&observer.member);
        until("it is fed", || observer.node().upstream().is_some()).await;
        chain.push(observer);
    }
    let last = write(&cluster.members[0].node, "down the chain").await;
    for observer in &chain {
        observer.reaches(last).await;
        same(&cluster, observer);
    }
    let beyond = Member::start(20, Profile::Fast).await;
    let end = beyond.node.follow(upstream.0, &upstream.1, &beyond.proxy.address).await;
    let FeedEnd::Lost { reason, .. } = end else { panic!("{end}") };
    assert!(reason.contains("hops"), "{reason}");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_whose_upstream_dies_goes_on_at_the_next_without_gap_or_repeat() {
    let mut cluster = Cluster::start(3, Profile::Fast).await;
    let upstreams = followers(&cluster).iter().map(|member| at(member)).collect();
    let observer = Observer::start(10, upstreams).await;
    for number in 0..50 {
        write(&cluster.members[0].node, &format!("{number}")).await;
    }
    until("it is fed", || observer.node().upstream().is_some()).await;
    let upstream = observer.node().upstream().unwrap().node;
    let dying = cluster.members.iter().position(|m| m.node.id() == upstream).unwrap();
    cluster.members[dying].kill().await;
    let last = write(&cluster.members[(dying + 1) % 3].node, "after").await;
    observer.reaches(last).await;
    assert_eq!(observer.member.ledger.read(|pages| pages.run.len()), 51);
    cluster.members[dying].restart(Profile::Fast).await;
    cluster.settled().await;
    same(&cluster, &observer);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_that_needs_purged_entries_gets_a_snapshot_from_its_upstream() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let mut last = Lsn(0);
    for number in 0..20 {
        last = write(&cluster.members[0].node, &format!("{number}")).await;
    }
    cluster.settled().await;
    let upstream = followers(&cluster)[0];
    upstream.node.take_snapshot().await.unwrap();
    upstream.node.purge(last).await.unwrap();
    until("the log is purged", || upstream.node.status().purged_lsn >= Some(last)).await;
    let observer = Observer::start(10, vec![at(upstream)]).await;
    observer.reaches(last).await;
    assert!(observer.node().status().snapshot_bytes_received > 0);
    let after = write(&cluster.members[0].node, "after").await;
    observer.reaches(after).await;
    assert_eq!(observer.member.ledger.read(|pages| pages.run.len()), 21);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_that_is_behind_or_cut_off_feeds_nobody() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let away = followers(&cluster)[0];
    let observer = Observer::start(10, vec![at(&cluster.members[cluster.leader().unwrap()])]).await;
    let lone = Member::start(30, Profile::Fast).await;
    let end = observer.node().follow(NodeId(30), &lone.proxy.address, "127.0.0.1:1").await;
    assert!(matches!(&end, FeedEnd::Lost { reason, .. } if reason.contains("leader")), "{end}");
    // It can be called, and hears nobody: it has not what the observer has.
    let last = write(&cluster.members[0].node, "x").await;
    observer.reaches(last).await;
    let stale = Member::start(31, Profile::Fast).await;
    stale.node.initialize(&stale.proxy.address).await.unwrap();
    until("it leads itself", || stale.is_leader()).await;
    let end = observer.node().follow(NodeId(31), &stale.proxy.address, "127.0.0.1:1").await;
    assert!(matches!(&end, FeedEnd::Lost { .. } | FeedEnd::Diverged { .. }), "{end}");
    assert_eq!(away.ledger.applied(), observer.member.ledger.applied());
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_becomes_a_follower_leads_and_goes_back_without_a_copy_of_its_data() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let observer = Observer::start(10, vec![at(followers(&cluster)[0])]).await;
    for number in 0..20 {
        write(&cluster.members[0].node, &format!("{number}")).await;
    }
    at_leader(&cluster, async |leader| {
        leader.add_learner(NodeId(10), &observer.member.proxy.address).await?;
        leader.promote(NodeId(10)).await
    })
    .await;
    until("it votes", || observer.node().status().voters.contains(&NodeId(10))).await;
    let as_follower = write(observer.node(), "as a follower").await;
    observer.reaches(as_follower).await;
    at_leader(&cluster, async |leader| leader.transfer_leader(NodeId(10)).await).await;
    write(observer.node(), "as the leader").await;
    let back = cluster.members[0].node.id();
    let mut tick = interval(Duration::from_millis(10));
    // A busy machine may have elected another one meanwhile.
    while observer.member.is_leader() {
        tick.tick().await;
        observer.node().transfer_leader(back).await.ok();
    }
    at_leader(&cluster, async |leader| leader.demote([NodeId(10)].into()).await).await;
    until("it votes no more", || !observer.node().status().voters.contains(&NodeId(10))).await;
    at_leader(&cluster, async |leader| leader.remove(NodeId(10)).await).await;
    until("it is fed", || observer.node().upstream().is_some()).await;
    let last = write(observer.node(), "as an observer again").await;
    observer.reaches(last).await;
    assert_eq!(observer.node().status().snapshot_bytes_received, 0);
    assert_eq!(observer.member.ledger.read(|pages| pages.run.len()), 23);
    cluster.shutdown().await;
}

/// Does something at the leader, whichever of the members it is, until it is done.
async fn at_leader(cluster: &Cluster, change: impl AsyncFn(&Node) -> Result<(), MemberError>) {
    let mut tick = interval(Duration::from_millis(10));
    let done = async {
        loop {
            tick.tick().await;
            for member in cluster.members.iter().filter(|member| member.is_leader()) {
                if change(&member.node).await.is_ok() {
                    return;
                }
            }
        }
    };
    timeout(PATIENCE, done).await.expect("the leader does it in time");
}
