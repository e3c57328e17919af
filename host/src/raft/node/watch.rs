//! Watches openraft and the apply thread, tells the rest of the frontend, and keeps a frontend that
//! cannot apply from leading.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use crate::raft::Raft;
use crate::raft::leadership::Leadership;
use crate::raft::network::Peers;
use crate::raft::state_machine::Stall;
use crate::types::NodeId;

/// Between two attempts of a stalled leader to hand over.
const HAND_OVER_INTERVAL: Duration = Duration::from_millis(200);

pub(super) struct Watch {
    pub raft: Raft,
    pub stall: watch::Receiver<Stall>,
    pub peers: Arc<Peers>,
    pub publish: watch::Sender<Leadership>,
    /// Where the members are, as last told to `peers`.
    pub addresses: BTreeMap<NodeId, String>,
}

impl Watch {
    /// Runs until it is dropped or consensus stops.
    pub async fn run(mut self) {
        let mut server = self.raft.server_metrics();
        let mut alive = true;
        while alive {
            let stalled = self.stall.borrow_and_update().clone();
            let (now, addresses) = {
                let server = server.borrow_and_update();
                let members = server.membership_config.membership().nodes();
                let addresses = members.map(|(node, peer)| (*node, peer.address.clone()));
                (Leadership::of(&server, stalled), addresses.collect::<BTreeMap<_, _>>())
            };
            if addresses != self.addresses {
                self.peers.keep(addresses.clone());
                self.addresses = addresses;
            }
            self.act(&now).await;
            self.publish.send_if_modified(|known| {
                let modified = *known != now;
                known.clone_from(&now);
                modified
            });
            let hands_over = now.stalled.is_some() && now.is_leader;
            tokio::select! {
                changed = server.changed() => alive = changed.is_ok(),
                // A successor may be known by then that was not known before.
                () = tokio::time::sleep(HAND_OVER_INTERVAL), if hands_over => {}
                // Without the apply thread there is no consensus either; the other arm tells.
                Ok(()) = self.stall.changed() => {}
            }
        }
        let end = self.raft.metrics().borrow_watched().running_state.clone();
        let reason = end.err().map_or_else(|| "it was shut down".to_owned(), |end| end.to_string());
        self.publish.send_modify(|known| {
            known.is_leader = false;
            known.stopped = Some(reason);
        });
    }

    async fn act(&self, now: &Leadership) {
        let known = self.publish.borrow().clone();
        if known.stalled.is_some() != now.stalled.is_some() {
            self.raft.runtime_config().elect(now.stalled.is_none());
        }
        if now.stalled.is_some()
            && now.is_leader
            && let Some(to) = successor(&self.raft, self.id())
        {
            tracing::warn!(%to, "handing over: this frontend cannot apply");
            self.raft.trigger().transfer_leader(to).await.ok();
        }
    }

    fn id(&self) -> NodeId {
        *self.raft.node_id()
    }
}

/// The voter that has most of the log, after this frontend itself. None: there is no other, or
/// this frontend does not lead.
pub(super) fn successor(raft: &Raft, own: NodeId) -> Option<NodeId> {
    let metrics = raft.metrics().borrow_watched().clone();
    let voters = metrics.membership_config.voter_ids();
    let matched = metrics.replication?;
    let candidates = voters
        .filter(|voter| *voter != own)
        .filter_map(|voter| Some((matched.get(&voter).copied()??, voter)));
    candidates.max().map(|(_, voter)| voter)
}
