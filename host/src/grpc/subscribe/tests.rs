//! Subscriptions of a machine that only host commands change, with the clock in hand.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;
use tonic::Code;

use super::*;
use crate::machine::{Applier, OFF};
use crate::proto::client::subscribe_request::Start;
use crate::proto::client::{Change, ChangeKind, change};
use crate::runtime::Runtime;
use crate::storage::state::MemoryState;
use crate::types::{
    Action, Batch, BatchHeader, Command, Entry, EntryPayload, Frontend, FrontendKind, HostCommand,
    LeaderId, LogId, NodeId, RequestId,
};

struct Cluster {
    subscriptions: Subscriptions,
    applier: Applier,
    next: u64,
}

impl Cluster {
    fn founded() -> Self {
        let state = Arc::new(MemoryState::new());
        let (machine, applier) = Machine::open(state, Runtime::without_engine()).unwrap();
        let subscriptions = Subscriptions::new(machine, CancellationToken::new());
        let mut cluster = Self { subscriptions, applier, next: 0 };
        cluster.apply(EntryPayload::Blank);
        let frontend = Frontend::new(FrontendKind::Follower, "h", 9010);
        let (id, generation) = (ClusterId(7), Generation(1));
        cluster.host(HostCommand::Found { cluster: id, generation, frontend });
        cluster
    }

    fn apply(&mut self, payload: EntryPayload) {
        let leader_id = LeaderId { term: 1, node_id: NodeId(1) };
        let log_id = LogId { leader_id, index: self.next };
        self.next += 1;
        self.applier.apply(&[Entry { log_id, payload }], &|_| Ok(())).unwrap();
    }

    fn host(&mut self, command: HostCommand) {
        let request = RequestId { client: 1, sequence: self.next };
        let action = Action::Host(command);
        let command = Command { request, floor: 0, caller: "root".into(), action }.pack();
        let header = BatchHeader { time_us: 5, entropy: [0; 16] };
        self.apply(EntryPayload::Normal(Batch::pack(header, [command].iter())));
    }

    fn set(&mut self, key: &str, value: &str) -> u64 {
        self.host(HostCommand::Set { key: key.into(), value: value.into() });
        self.next - 1
    }

    fn lsn(&self) -> u64 {
        self.next - 1
    }

    async fn subscribe(&self, start: Start) -> Result<Stream, Status> {
        let request = SubscribeRequest { start: Some(start), ..SubscribeRequest::default() };
        self.subscriptions.begin(request).await
    }

    async fn refused(&self, request: SubscribeRequest) -> Status {
        match self.subscriptions.begin(request).await {
            Ok(_) => panic!("it was taken"),
            Err(status) => status,
        }
    }
}

fn after(lsn: u64) -> SubscribeRequest {
    SubscribeRequest { start: Some(Start::AfterLsn(lsn)), ..SubscribeRequest::default() }
}

/// Changes up to an LSN, and the last message.
async fn until(stream: &mut Stream, lsn: u64) -> (Vec<Change>, SubscribeResponse) {
    let mut all = Vec::new();
    loop {
        let mut response = stream.next().await.unwrap().unwrap();
        all.append(&mut response.changes);
        let complete = response.complete_lsn;
        assert!(all.last().is_none_or(|last| Some(last.lsn) <= complete.map(|lsn| lsn + 1)));
        if complete >= Some(lsn) {
            return (all, response);
        }
    }
}

async fn status(stream: &mut Stream) -> Status {
    loop {
        if let Err(status) = stream.next().await.expect("it ends with a status") {
            assert!(stream.next().await.is_none());
            return status;
        }
    }
}

/// LSN and name of each setting, or only the LSN of another change.
fn names(changes: &[Change]) -> String {
    let name = |change: &Change| match change.what.as_ref().unwrap() {
        change::What::Cluster(cluster) => {
            let details: serde_json::Value = serde_json::from_str(&cluster.details).unwrap();
            format!("{} {}", change.lsn, details["name"].as_str().unwrap_or("-"))
        }
        other => panic!("{other:?}"),
    };
    changes.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[tokio::test(start_paused = true)]
async fn changes_come_in_order_from_where_they_were_wanted_and_go_on() {
    let mut cluster = Cluster::founded();
    let (a, b) = (cluster.set("a", "1"), cluster.set("b", "1"));
    let mut all = cluster.subscribe(Start::FromOldest(true)).await.unwrap();
    let first = all.next().await.unwrap().unwrap();
    assert_eq!((first.changes.len(), first.complete_lsn, first.applied_lsn), (0, None, b));
    assert_eq!((first.cluster_id, first.generation), (7, 1));
    assert_eq!(names(&until(&mut all, b).await.0), format!("1 -, {a} a, {b} b"));

    let mut rest = cluster.subscribe(Start::AfterLsn(a)).await.unwrap();
    let mut new = cluster.subscribe(Start::FromNow(true)).await.unwrap();
    assert_eq!(new.next().await.unwrap().unwrap().complete_lsn, Some(b));
    cluster.apply(EntryPayload::Blank);
    let c = cluster.set("c", "1");
    assert_eq!(names(&until(&mut all, c).await.0), format!("{c} c"));
    assert_eq!(names(&until(&mut rest, c).await.0), format!("{b} b, {c} c"));
    assert_eq!(names(&until(&mut new, c).await.0), format!("{c} c"));
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_when_nothing_matches_and_when_nothing_happens() {
    let mut cluster = Cluster::founded();
    let request = SubscribeRequest {
        kinds: vec![ChangeKind::Keys.into()],
        start: Some(Start::AfterLsn(0)),
        ..SubscribeRequest::default()
    };
    let mut keys = cluster.subscriptions.begin(request).await.unwrap();
    let lsn = cluster.set("a", "1");
    let (changes, told) = until(&mut keys, lsn).await;
    assert_eq!((changes.len(), told.applied_lsn), (0, lsn));
    let started = Instant::now();
    for _ in 0..4 {
        let told = keys.next().await.unwrap().unwrap();
        assert_eq!((told.changes.len(), told.complete_lsn), (0, Some(lsn)));
    }
    assert!(started.elapsed() <= Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_kept_is_refused_with_the_first_that_is() {
    let mut cluster = Cluster::founded();
    let (_, b) = (cluster.set("a", "1"), cluster.set("b", "1"));
    let mut slow = cluster.subscribe(Start::AfterLsn(0)).await.unwrap();
    cluster.subscriptions.machine.forget_changes(Lsn(b - 1)).unwrap();
    cluster.set("c", "1");
    let status_of_new = cluster.refused(after(0)).await;
    assert_eq!(status_of_new.code(), Code::OutOfRange);
    assert!(status_of_new.message().contains(&format!("the first that are is {b};")));
    let mut kept = cluster.subscribe(Start::AfterLsn(b - 1)).await.unwrap();
    let newest = cluster.lsn();
    assert_eq!(names(&until(&mut kept, newest).await.0), format!("{b} b, {newest} c"));
    assert_eq!(status(&mut slow).await.code(), Code::OutOfRange);
}

#[tokio::test(start_paused = true)]
async fn who_was_further_elsewhere_waits_for_a_while() {
    let mut cluster = Cluster::founded();
    let ahead = cluster.lsn() + 2;
    let started = Instant::now();
    let mut waiting = cluster.subscribe(Start::AfterLsn(ahead)).await.unwrap();
    let refused = status(&mut waiting).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().contains(&format!("has applied LSN {}", ahead - 2)), "{refused}");
    assert!(started.elapsed() >= Duration::from_secs(10));

    let mut waiting = cluster.subscribe(Start::AfterLsn(ahead)).await.unwrap();
    let told = waiting.next().await.unwrap().unwrap();
    assert_eq!((told.complete_lsn, told.applied_lsn), (Some(ahead), ahead - 2));
    cluster.set("a", "1");
    cluster.set("b", "1");
    let c = cluster.set("c", "1");
    assert_eq!(names(&until(&mut waiting, c).await.0), format!("{c} c"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_ended_with_the_reason_and_its_place_is_free() {
    let mut cluster = Cluster::founded();
    let mut stalled = cluster.subscribe(Start::FromNow(true)).await.unwrap();
    let first = cluster.set("a", "1");
    let all = u32::try_from(SUBSCRIPTIONS_MAX).unwrap();
    let freed = Arc::clone(&cluster.subscriptions.free).acquire_many_owned(all);
    drop(tokio::time::timeout(Duration::from_secs(60), freed).await.unwrap().unwrap());
    // What waits for it is little, and whole as far as it goes.
    let (mut responses, mut changes) = (0, Vec::new());
    let end = loop {
        match stalled.next().await.unwrap() {
            Ok(mut response) => {
                changes.append(&mut response.changes);
                responses += 1;
            }
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::ResourceExhausted);
    assert!(end.message().contains("nothing was taken"), "{end}");
    assert_eq!(responses, MESSAGES_MAX);
    assert_eq!(names(&changes), format!("{first} a"));
}

#[tokio::test(start_paused = true)]
async fn one_subscription_too_many_is_refused_until_another_ends() {
    let cluster = Cluster::founded();
    let mut open = Vec::new();
    for _ in 0..SUBSCRIPTIONS_MAX {
        open.push(cluster.subscribe(Start::FromNow(true)).await.unwrap());
    }
    let refused = cluster.refused(SubscribeRequest::default()).await;
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("64 subscriptions"), "{refused}");
    open.pop();
    let freed = Arc::clone(&cluster.subscriptions.free).acquire_owned();
    drop(tokio::time::timeout(Duration::from_secs(5), freed).await.unwrap().unwrap());
    assert!(cluster.subscribe(Start::FromNow(true)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_recorded_the_statement_that_changes_it_is_named() {
    let mut cluster = Cluster::founded();
    let mut running = cluster.subscribe(Start::FromNow(true)).await.unwrap();
    let off = cluster.set(CHANGE_FEED, OFF);
    assert_eq!(names(&until(&mut running, off).await.0), format!("{off} {CHANGE_FEED}"));
    let refused = cluster.refused(SubscribeRequest::default()).await;
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let statement = "ADMIN SET FRONTEND CONFIG (\"change_feed\" = \"true\")";
    assert!(refused.message().contains(statement), "{refused}");
    cluster.set("a", "1");
    let ended = status(&mut running).await;
    assert_eq!(ended.code(), Code::FailedPrecondition);
    assert!(ended.message().contains(statement), "{ended}");
    cluster.set(CHANGE_FEED, "on");
    let b = cluster.set("b", "1");
    assert_eq!(cluster.refused(after(off)).await.code(), Code::OutOfRange);
    let mut again = cluster.subscribe(Start::FromOldest(true)).await.unwrap();
    assert_eq!(names(&until(&mut again, b).await.0), format!("{b} b"));
}

#[tokio::test(start_paused = true)]
async fn a_position_of_another_history_is_refused() {
    // What came after `a` was lost. A recovery, as the tool writes it: a membership, the command.
    let mut cluster = Cluster::founded();
    let a = cluster.set("a", "1");
    let b = a + 1;
    cluster.apply(EntryPayload::Blank);
    let frontend = Frontend::new(FrontendKind::Follower, "h", 9010);
    let (id, generation, note) = (ClusterId(7), Generation(2), String::new());
    cluster.host(HostCommand::Recover { cluster: id, generation, frontend, note });
    let recovered = cluster.lsn();
    assert_eq!(recovered, a + 2);

    let other = cluster.refused(SubscribeRequest { cluster_id: 8, ..after(a) }).await;
    assert_eq!(other.code(), Code::FailedPrecondition);
    assert!(other.message().contains("this is cluster 7"), "{other}");
    let cut = cluster.refused(SubscribeRequest { generation: 1, ..after(b) }).await;
    assert_eq!(cut.code(), Code::FailedPrecondition);
    assert!(cut.message().contains("is not part of it"), "{cut}");

    for (generation, lsn) in [(1, a), (2, b), (0, b)] {
        let request = SubscribeRequest { cluster_id: 7, generation, ..after(lsn) };
        assert!(cluster.subscriptions.begin(request).await.is_ok(), "{generation} {lsn}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frontend_that_stops_says_so() {
    let cluster = Cluster::founded();
    let mut stream = cluster.subscribe(Start::FromNow(true)).await.unwrap();
    cluster.subscriptions.stop.cancel();
    let end = status(&mut stream).await;
    assert_eq!(end.code(), Code::Unavailable);
    assert!(end.message().contains("is stopping"), "{end}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_unknown_and_a_prefix_that_no_key_has_are_refused() {
    let cluster = Cluster::founded();
    let unknown = SubscribeRequest { kinds: vec![9], ..SubscribeRequest::default() };
    assert_eq!(cluster.refused(unknown).await.code(), Code::InvalidArgument);
    let long = SubscribeRequest { prefix: vec![0; 5000].into(), ..SubscribeRequest::default() };
    assert_eq!(cluster.refused(long).await.code(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn many_large_changes_come_in_messages_that_fit() {
    let mut cluster = Cluster::founded();
    let value = "v".repeat(4 << 10);
    let begin = cluster.lsn();
    for number in 0..200 {
        cluster.set(&format!("k{number}"), &value);
    }
    let mut stream = cluster.subscribe(Start::AfterLsn(begin)).await.unwrap();
    let (mut lsns, mut complete) = (Vec::new(), begin);
    while complete < cluster.lsn() {
        let response = stream.next().await.unwrap().unwrap();
        assert!(prost::Message::encoded_len(&response) < 512 << 10);
        lsns.extend(response.changes.iter().map(|change| change.lsn));
        let now = response.complete_lsn.unwrap();
        assert!(now >= complete && lsns.last().is_none_or(|last| now >= *last));
        complete = now;
    }
    assert_eq!(lsns, (begin + 1..=cluster.lsn()).collect::<Vec<_>>());
}
