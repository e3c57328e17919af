//! Leaders that stop, connections that break, majorities that are gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openraft::network::RPCOption;
use openraft::raft::VoteRequest;
use openraft::{RaftNetworkFactory, RaftNetworkV2};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};

use super::cluster::{Cluster, Member, PATIENCE, soon, until};
use super::ledger::{Ledger, note};
use crate::raft::network::{Network, Peers};
use crate::raft::snapshot::Transfer;
use crate::raft::{ApplyError, Fence, MemberError, Profile, ProposeError, ReadError, Tcp};
use crate::types::{ClusterId, Generation, NodeId, Outcome, Peer, Vote};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_and_a_killed_leader_lose_and_repeat_nothing() {
    const TASKS: usize = 24;
    const EACH: usize = 60;
    let mut cluster = Cluster::start(3, Profile::Fast).await;
    let done = Arc::new(AtomicUsize::new(0));
    let killed = cluster.leader().unwrap();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        // A frontend that is killed takes its own clients' answers with it.
        let proposer = cluster.members[(killed + 1 + task % 2) % 3].node.proposer();
        let done = done.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                let text = format!("{task}-{number}");
                let answer = proposer.propose("root", note(&text), soon()).await.unwrap();
                assert_eq!(answer.1, Outcome::Applied(text.into()));
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let total = TASKS * EACH;
    for step in 1..10 {
        until("commands go on", || done.load(Ordering::Relaxed) >= total * step / 10).await;
        match step {
            4 => cluster.members[killed].kill().await,
            7 => cluster.members[killed].restart(Profile::Fast).await,
            _ => cluster.members[step % 3].proxy.cut(),
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    cluster.settled().await;
    assert_eq!(cluster.agreed(), total);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_commands_fail_in_time_and_the_frontend_lives() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let leader = cluster.leader().unwrap();
    let others: Vec<_> = (0..3).filter(|index| *index != leader).collect();
    for member in &cluster.members {
        member.proxy.open(false);
    }
    let alone = &cluster.members[leader];
    let limit = Duration::from_millis(400);
    // What was appended before the lease ran out has an unknown outcome, and says so.
    let mut errors = Vec::new();
    while errors.last() != Some(&ProposeError::NoLeader) {
        let start = Instant::now();
        let proposer = alone.node.proposer();
        errors.push(proposer.propose("root", note("lost"), start + limit).await.unwrap_err());
        assert!(start.elapsed() < 2 * limit, "the deadline was not kept");
        assert!(errors.len() < 20, "{errors:?}");
    }
    assert!(errors[..errors.len() - 1].iter().all(|error| *error == ProposeError::OutcomeUnknown));
    for index in others {
        let node = &cluster.members[index].node;
        let read = node.read_index().get(Instant::now() + limit).await;
        assert_eq!(read, Err(ReadError::NoLeader));
        let error = node.proposer().propose("root", note("lost"), Instant::now() + limit).await;
        assert!(matches!(error, Err(ProposeError::NoLeader | ProposeError::OutcomeUnknown)));
    }
    for member in &cluster.members {
        member.proxy.open(true);
    }
    for member in &cluster.members {
        member.node.proposer().propose("root", note("back"), soon()).await.unwrap();
    }
    cluster.settled().await;
    assert!(cluster.agreed() >= 3);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_away_is_called_now_and_then_and_not_all_the_time() {
    let mut cluster = Cluster::start(3, Profile::Wan).await;
    let leader = cluster.leader().unwrap();
    let away = (leader + 1) % 3;
    cluster.members[away].kill().await;
    cluster.members[away].proxy.open(false);
    let (proxy, node) = (cluster.members[away].proxy.clone(), &cluster.members[leader].node);
    let away = cluster.members[away].node.id();
    let silent = |time| node.status().heard.get(&away).is_some_and(|age| *age >= time);
    until("it is missed", || silent(Duration::from_secs(1))).await;
    node.proposer().propose("root", note("without it"), soon()).await.unwrap();
    let before = proxy.connections();
    until("it is away for longer", || silent(Duration::from_secs(3))).await;
    // A heartbeat every 150 ms, and entries after pauses of up to half a second.
    let made = proxy.connections() - before;
    assert!((1..60).contains(&made), "{made} connections in two seconds");
    for member in &cluster.members {
        member.node.halt().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_shuts_down_hands_over_without_an_election_timeout() {
    let mut cluster = Cluster::start(3, Profile::Wan).await;
    let stopping = cluster.leader().unwrap();
    let start = Instant::now();
    cluster.members[stopping].node.shutdown().await;
    cluster.members.remove(stopping);
    until("another leads", || cluster.members.iter().any(Member::is_leader)).await;
    assert!(start.elapsed() < Profile::Wan.lease(), "{:?}", start.elapsed());
    for member in &cluster.members {
        member.node.proposer().propose("root", note("after"), soon()).await.unwrap();
    }
    for member in &cluster.members {
        member.node.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_that_cannot_apply_hands_over_votes_on_and_recovers() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let broken = &cluster.members[cluster.leader().unwrap()];
    let fault = ApplyError { retryable: true, message: "disk is away".to_owned() };
    broken.ledger.fail(Some(fault));
    let (_, outcome) = broken.node.proposer().propose("root", note("kept"), soon()).await.unwrap();
    assert_eq!(outcome, Outcome::Applied("kept".into()));
    assert!(!broken.is_leader());
    assert_eq!(broken.node.status().stalled.as_deref(), Some("disk is away"));
    broken.ledger.fail(None);
    until("it applies again", || broken.node.status().stalled.is_none()).await;
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 1);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_that_cannot_pass_stops_the_frontend_and_says_why() {
    let member = Member::start(1, Profile::Fast).await;
    member.node.initialize(&member.proxy.address).await.unwrap();
    until("it leads", || member.is_leader()).await;
    let fault = ApplyError { retryable: false, message: "the state is damaged".to_owned() };
    member.ledger.fail(Some(fault));
    let proposed = member.node.proposer().propose("root", note("lost"), soon()).await;
    assert_eq!(proposed, Err(ProposeError::OutcomeUnknown));
    let mut watch = member.node.watch();
    let stopped =
        timeout(Duration::from_secs(5), watch.wait_for(|now| now.stopped.is_some())).await;
    let reason = stopped.unwrap().unwrap().stopped.clone().unwrap();
    assert!(reason.contains("the state is damaged"), "{reason}");
    member.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_come_and_go_through_the_leader_only() {
    let cluster = Cluster::start(3, Profile::Lan).await;
    let leader = cluster.leader().unwrap();
    let (at, other) = (&cluster.members[leader].node, &cluster.members[(leader + 1) % 3].node);
    assert_eq!(other.remove(at.id()).await, Err(MemberError::NotLeader(Some(at.id()))));
    assert!(matches!(at.remove(at.id()).await, Err(MemberError::Refused(_))));
    assert!(matches!(at.transfer_leader(NodeId(9)).await, Err(MemberError::NotVoter(_))));
    at.transfer_leader(other.id()).await.unwrap();
    until("the successor knows", || other.status().is_leader).await;
    // A leader that has just been elected may not be heard by a majority yet, and says so.
    let removing = async {
        while let Err(error) = other.remove(at.id()).await {
            assert_eq!(error, MemberError::NotLeader(None));
        }
    };
    timeout(PATIENCE, removing).await.expect("the successor is heard by a majority in time");
    until("it is gone", || other.status().voters.len() == 2).await;
    assert!(other.status().learners.is_empty());
    other.proposer().propose("root", note("by two"), soon()).await.unwrap();
    cluster.shutdown().await;
}

/// A leader may still rely on a lease that a voter granted before it restarted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voter_that_just_started_grants_no_vote_until_a_lease_has_passed() {
    let start = Instant::now();
    let member = Member::start(3, Profile::Wan).await;
    let mut candidate = sender(2, &member.proxy.address).await;
    let ballot = |term| VoteRequest::new(Vote::new(term, NodeId(2)), None);
    let option = RPCOption::new(Duration::from_secs(5));
    let refused = candidate.vote(ballot(1), option.clone()).await.unwrap_err();
    assert!(refused.to_string().contains("just started"), "{refused}");
    assert!(candidate.pre_vote(ballot(1), option.clone()).await.is_err());
    let mut transfer = ballot(1);
    transfer.leadership_transfer = true;
    assert!(candidate.vote(transfer, option.clone()).await.unwrap().vote_granted);
    let mut tick = interval(Duration::from_millis(10));
    let granted = async {
        loop {
            tick.tick().await;
            if let Ok(response) = candidate.vote(ballot(2), option.clone()).await {
                break response.vote_granted;
            }
        }
    };
    assert!(timeout(Duration::from_secs(10), granted).await.unwrap());
    assert!(start.elapsed() >= Profile::Wan.lease());
    member.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_cannot_be_reached_grants_nothing() {
    let option = RPCOption::new(Duration::from_millis(500));
    let ballot = VoteRequest::new(Vote::new(1, NodeId(2)), None);
    for address in ["127.0.0.1:1", "not an address"] {
        let mut candidate = sender(2, address).await;
        assert!(candidate.pre_vote(ballot.clone(), option.clone()).await.is_err());
        assert!(candidate.vote(ballot.clone(), option.clone()).await.is_err());
    }
}

async fn sender(own: u64, address: &str) -> impl RaftNetworkV2<crate::types::TypeConfig> {
    let own = NodeId(own);
    let fence = Arc::new(Fence::new(ClusterId(1), Generation(1), own));
    let transfer = Transfer::new(Ledger::default().snapshots(), 1);
    let peers = Arc::new(Peers::new(Arc::new(Tcp), fence));
    let mut network = Network { own, peers, transfer };
    network.new_client(NodeId(3), &Peer { address: address.to_owned() }).await
}
