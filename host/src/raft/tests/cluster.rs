//! Frontends in one process, each behind a relay.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};

use super::ledger::Ledger;
use super::memory_log::MemoryLog;
use super::proxy::Proxy;
use crate::raft::{Node, NodeOptions, Profile, incoming, server};
use crate::types::{ClusterId, Generation, NodeId};

/// How long anything may take that must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Slow enough for a test to be there while a snapshot of some megabytes is sent.
const SNAPSHOT_RATE: u64 = 8 << 20;

pub(super) fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Waits until a condition holds.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let mut tick = interval(Duration::from_millis(2));
    let holds = async {
        while !condition() {
            tick.tick().await;
        }
    };
    timeout(PATIENCE, holds).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

pub(super) struct Member {
    pub node: Node,
    pub ledger: Ledger,
    pub proxy: Proxy,
    log: MemoryLog,
    listener_address: String,
    server: Option<JoinHandle<()>>,
}

impl Member {
    pub async fn start(id: u64, profile: Profile) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener_address = listener.local_addr().unwrap().to_string();
        let proxy = Proxy::start(listener_address.clone()).await;
        let (log, ledger) = (MemoryLog::default(), Ledger::default());
        let (node, server) = run(id, profile, listener, &log, &ledger).await;
        Self { node, ledger, proxy, log, listener_address, server: Some(server) }
    }

    /// Ends without a farewell, and starts again with the same log and state.
    pub async fn restart(&mut self, profile: Profile) {
        self.kill().await;
        let listener = TcpListener::bind(&self.listener_address).await.unwrap();
        let id = self.node.id().0;
        let (node, server) = run(id, profile, listener, &self.log, &self.ledger).await;
        (self.node, self.server) = (node, Some(server));
    }

    /// Ends without a farewell, and starts again elsewhere; nothing is left where it was.
    pub async fn move_away(&mut self, profile: Profile) {
        self.kill().await;
        self.proxy.open(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.listener_address = listener.local_addr().unwrap().to_string();
        self.proxy = Proxy::start(self.listener_address.clone()).await;
        let id = self.node.id().0;
        let (node, server) = run(id, profile, listener, &self.log, &self.ledger).await;
        (self.node, self.server) = (node, Some(server));
    }

    /// Ends without a farewell, if it runs.
    pub async fn kill(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.abort();
        let _ = server.await;
        self.proxy.cut();
        self.node.halt().await;
    }

    pub fn is_leader(&self) -> bool {
        self.node.watch().borrow().is_leader
    }
}

async fn run(
    id: u64,
    profile: Profile,
    listener: TcpListener,
    log: &MemoryLog,
    ledger: &Ledger,
) -> (Node, JoinHandle<()>) {
    let mut options = NodeOptions::new(NodeId(id), ClusterId(1), Generation(1), profile);
    options.snapshot_rate = SNAPSHOT_RATE;
    let (log, snapshots) = (log.clone(), ledger.snapshots());
    let node = Node::start(options, log, ledger.clone(), snapshots).await.unwrap();
    let serving = server().add_service(node.service()).serve_with_incoming(incoming(listener));
    (node, tokio::spawn(async move { serving.await.unwrap() }))
}

pub(super) struct Cluster {
    pub members: Vec<Member>,
}

impl Cluster {
    /// Founds a cluster of voters with ids from 1; the first one leads.
    pub async fn start(size: u64, profile: Profile) -> Self {
        let mut members = Vec::new();
        for id in 1..=size {
            members.push(Member::start(id, profile).await);
        }
        let founder = &members[0];
        founder.node.initialize(&founder.proxy.address).await.unwrap();
        until("the founder leads", || founder.is_leader()).await;
        // Until its first membership is committed, another one is refused.
        until("it can change who belongs", || founder.node.status().committed_lsn.is_some()).await;
        for member in &members[1..] {
            let id = member.node.id();
            founder.node.add_learner(id, &member.proxy.address).await.unwrap();
            founder.node.promote(id).await.unwrap();
        }
        let cluster = Self { members };
        cluster.settled().await;
        cluster
    }

    /// The leader, once the members agree on it.
    pub fn leader(&self) -> Option<usize> {
        let index = self.members.iter().position(Member::is_leader)?;
        let id = self.members[index].node.id();
        let agreed = |member: &Member| {
            member.node.watch().borrow().leader.as_ref().is_some_and(|leader| leader.id == id)
        };
        self.members.iter().all(agreed).then_some(index)
    }

    /// Waits until the members agree on a leader and have applied the same.
    pub async fn settled(&self) {
        until("the members agree", || {
            let Some(leader) = self.leader() else { return false };
            let status = self.members[leader].node.status();
            status.last_lsn == status.applied_lsn
                && self.members.iter().all(|member| {
                    Some(member.ledger.applied()) == status.last_lsn
                        && member.node.status().voters.len() == self.members.len()
                })
        })
        .await;
    }

    /// Checks that all members ran the same commands in the same order, and returns how many.
    pub fn agreed(&self) -> usize {
        let run = self.members[0].ledger.read(|pages| pages.run.clone());
        for member in &self.members[1..] {
            assert!(member.ledger.read(|pages| pages.run == run), "the members ran other commands");
        }
        run.len()
    }

    pub async fn shutdown(self) {
        for member in &self.members {
            member.node.shutdown().await;
            if let Some(server) = &member.server {
                server.abort();
            }
        }
    }
}
