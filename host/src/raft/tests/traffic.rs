//! Commands and reads through every frontend.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::Code;

use super::cluster::{Cluster, Member, soon, until};
use super::ledger::note;
use crate::proto::peer::ReadIndexRequest;
use crate::proto::peer::peer_client::PeerClient;
use crate::raft::{Fence, Profile, ProposeError, ROUTE_KEY};
use crate::types::{Action, ClusterId, ENTRY_BYTES_MAX, Generation, Lsn, NodeId, Outcome};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_alone_leads_and_runs_commands() {
    let member = Member::start(1, Profile::Fast).await;
    let proposer = member.node.proposer();
    let early = proposer.propose("root", note("early"), Instant::now()).await;
    assert_eq!(early, Err(ProposeError::NoLeader));
    member.node.initialize(&member.proxy.address).await.unwrap();
    assert!(member.node.initialize(&member.proxy.address).await.is_err());
    let (lsn, outcome) = proposer.propose("root", note("first"), soon()).await.unwrap();
    assert_eq!(outcome, Outcome::Applied("first".into()));
    assert_eq!(member.ledger.read(|pages| pages.run.clone()), [(lsn, Bytes::from("first"))]);
    assert!(member.node.read_index().get(soon()).await.unwrap() >= lsn);
    member.node.shutdown().await;
    let late = proposer.propose("root", note("late"), soon()).await;
    assert_eq!(late, Err(ProposeError::Stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_through_every_frontend_run_once_in_one_order() {
    const TASKS: usize = 64;
    const EACH: usize = 160;
    let cluster = Cluster::start(3, Profile::Lan).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let proposer = cluster.members[task % 3].node.proposer();
        tasks.spawn(async move {
            let mut last = Lsn(0);
            for number in 0..EACH {
                let text = format!("{task}-{number}");
                let (lsn, outcome) = proposer.propose("root", note(&text), soon()).await.unwrap();
                assert_eq!(outcome, Outcome::Applied(text.into()));
                assert!(lsn > last, "a command ran before the one that its client sent earlier");
                last = lsn;
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    cluster.settled().await;
    assert_eq!(cluster.agreed(), TASKS * EACH);
    let texts: BTreeSet<_> = cluster.members[0]
        .ledger
        .read(|pages| pages.run.iter().map(|(_, text)| text.clone()).collect());
    assert_eq!(texts.len(), TASKS * EACH);
    let entries = cluster.members[0].ledger.applied().0 as usize;
    assert!(entries < TASKS * EACH / 2, "{entries} entries: commands are not packed together");
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_sees_every_write_acknowledged_before_it() {
    let cluster = Cluster::start(3, Profile::Lan).await;
    for round in 0..60 {
        let writer = &cluster.members[round % 3];
        let reader = &cluster.members[(round + 1) % 3];
        let proposer = writer.node.proposer();
        let (written, _) = proposer.propose("root", note("write"), soon()).await.unwrap();
        let reads = (0..8).map(|_| {
            let reads = reader.node.read_index();
            async move { reads.get(soon()).await.unwrap() }
        });
        for position in reads.collect::<JoinSet<_>>().join_all().await {
            assert!(position >= written, "a read at {position} misses the write at {written}");
        }
    }
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_meant_for_another_frontend_is_refused_and_counted() {
    let member = Member::start(3, Profile::Fast).await;
    let channel =
        tonic::transport::Endpoint::from_shared(format!("http://{}", member.proxy.address));
    let mut client = PeerClient::new(channel.unwrap().connect_lazy());
    let foreign = Fence::new(ClusterId(2), Generation(1), NodeId(1)).stamp(NodeId(3));
    let older = Fence::new(ClusterId(1), Generation(0), NodeId(1)).stamp(NodeId(3));
    let astray = Fence::new(ClusterId(1), Generation(1), NodeId(1)).stamp(NodeId(2));
    for route in [Some(foreign), Some(older), Some(astray), None] {
        let mut request = tonic::Request::new(ReadIndexRequest {});
        if let Some(route) = route {
            request.metadata_mut().insert(ROUTE_KEY, route);
        }
        let status = client.read_index(request).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
    }
    assert_eq!(member.node.status().refused_calls, 4);
    member.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_too_large_for_an_entry_is_refused_before_it_is_proposed() {
    let member = Member::start(1, Profile::Fast).await;
    member.node.initialize(&member.proxy.address).await.unwrap();
    let proposer = member.node.proposer();
    let error =
        proposer.propose("root", note("x".repeat(ENTRY_BYTES_MAX)), soon()).await.unwrap_err();
    assert!(matches!(error, ProposeError::TooLarge { .. }));
    assert_eq!(error.failure().code, 1153);
    let largest = note("x".repeat(ENTRY_BYTES_MAX - 100));
    assert!(proposer.propose("root", largest, soon()).await.is_ok());
    member.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_commands_reach_a_follower_that_was_away() {
    let cluster = Cluster::start(3, Profile::Fast).await;
    let leader = cluster.leader().unwrap();
    let away = &cluster.members[(leader + 1) % 3];
    away.proxy.open(false);
    let proposer = cluster.members[leader].node.proposer();
    for _ in 0..20 {
        proposer.propose("root", note("x".repeat(900_000)), soon()).await.unwrap();
    }
    away.proxy.open(true);
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 20);
    cluster.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_commands_are_refused_and_the_rest_goes_on() {
    let member = Member::start(1, Profile::Fast).await;
    let proposer = member.node.proposer();
    let mut waiting = JoinSet::new();
    let chunk = "x".repeat(ENTRY_BYTES_MAX - 100);
    let mut overloaded = 0;
    for _ in 0..100 {
        let (proposer, action) = (proposer.clone(), note(&chunk));
        waiting.spawn(async move { proposer.propose("root", action, soon()).await });
    }
    // Those that are refused return at once; the others wait for a leader.
    while let Ok(Some(done)) = timeout(Duration::from_millis(500), waiting.join_next()).await {
        assert_eq!(done.unwrap(), Err(ProposeError::Overloaded));
        overloaded += 1;
    }
    assert!((30..100).contains(&overloaded), "{overloaded} of 100 MiB were refused");
    member.node.initialize(&member.proxy.address).await.unwrap();
    while let Some(done) = waiting.join_next().await {
        done.unwrap().unwrap();
    }
    let action: Action = note("again");
    proposer.propose("root", action, soon()).await.unwrap();
    until("all is applied", || member.ledger.read(|pages| pages.run.len()) == 101 - overloaded)
        .await;
    member.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_without_room_refuses_what_others_forward_until_it_has_some() {
    let cluster = Cluster::start(2, Profile::Fast).await;
    let leader = cluster.leader().unwrap();
    let own = cluster.members[leader].node.proposer();
    let other = cluster.members[1 - leader].node.proposer();
    own.set_full(true);
    let refused = own.propose("root", note("own"), soon()).await;
    assert_eq!(refused, Err(ProposeError::NoSpace));
    let refused = other.propose("root", note("forwarded"), soon()).await;
    assert_eq!(refused, Err(ProposeError::LeaderNoSpace));
    let failure = ProposeError::LeaderNoSpace.failure();
    assert!(failure.code == 1021 && failure.message.contains("nothing was changed"));
    // It waits for a while for room, or for another leader.
    let waiting = tokio::spawn(async move { other.propose("root", note("waiting"), soon()).await });
    own.set_full(false);
    assert!(waiting.await.unwrap().is_ok());
    cluster.settled().await;
    assert_eq!(cluster.agreed(), 1);
    cluster.shutdown().await;
}
