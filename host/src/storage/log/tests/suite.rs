//! openraft's own suite, on both devices, with the smallest state machine that it accepts.

use futures_util::{Stream, TryStreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot, SnapshotMeta};
use openraft::testing::log::{StoreBuilder, Suite};
use openraft::{OptionalSend, RaftSnapshotBuilder, StorageError};
use tempfile::TempDir;

use super::*;
use crate::types::{Peer, StoredMembership, TypeConfig};

type Meta = SnapshotMeta<LeaderId, NodeId, Peer>;
type Taken = Snapshot<LeaderId, NodeId, Peer, ()>;

/// Remembers what was applied last, and its last snapshot.
#[derive(Clone, Default)]
struct Machine(Arc<Mutex<(Meta, Option<Meta>)>>);

impl RaftSnapshotBuilder<TypeConfig> for Machine {
    type SnapshotData = ();

    async fn build_snapshot(&mut self) -> Result<Taken, io::Error> {
        let mut machine = self.0.lock();
        machine.1 = Some(machine.0.clone());
        Ok(Snapshot { meta: machine.0.clone(), snapshot: () })
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = ();
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        let machine = self.0.lock();
        Ok((machine.0.last_log_id, machine.0.last_membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> Result<(), io::Error>
    where
        S: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        entries
            .try_for_each(|(entry, _)| {
                let mut machine = self.0.lock();
                machine.0.last_log_id = Some(entry.log_id);
                if let EntryPayload::Membership(membership) = entry.payload {
                    machine.0.last_membership =
                        StoredMembership::new(Some(entry.log_id), membership);
                }
                std::future::ready(Ok(()))
            })
            .await
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn install_snapshot(&mut self, meta: &Meta, (): ()) -> Result<(), io::Error> {
        *self.0.lock() = (meta.clone(), Some(meta.clone()));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Taken>, io::Error> {
        let machine = self.0.lock();
        Ok(machine.1.clone().map(|meta| Snapshot { meta, snapshot: () }))
    }
}

struct Sim;
struct Rocks;

impl StoreBuilder<TypeConfig, Log, Machine, ()> for Sim {
    async fn build(&self) -> Result<((), Log, Machine), StorageError<TypeConfig>> {
        let log = Log::open(Arc::new(SimLogDevice::new()), LogOptions::default()).unwrap();
        Ok(((), log, Machine::default()))
    }
}

impl StoreBuilder<TypeConfig, Log, Machine, TempDir> for Rocks {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().unwrap();
        let device = RocksLogDevice::open(dir.path(), &dir.path().join("fence")).unwrap();
        // Nothing that is durable stays in memory, so the suite reads from disk.
        let tail = TailLimits { bytes: 0, unapplied_bytes: 0 };
        let log = Log::open(device, LogOptions { tail }).unwrap();
        Ok((dir, log, Machine::default()))
    }
}

#[tokio::test]
async fn openrafts_suite_passes_in_memory() {
    Suite::test_all(Sim).await.unwrap();
}

#[tokio::test]
async fn openrafts_suite_passes_on_disk() {
    Suite::test_all(Rocks).await.unwrap();
}
