//! A new generation of a cluster, with one frontend, begun on a data directory at rest.
//!
//! Order of writes; each is durable before the next:
//!
//! 1. If wanted, the log is cut where it is known to be committed. The state is never cut, so this
//!    is never below what was applied.
//! 2. The rest of the log is applied to the state, as a frontend would.
//! 3. Two entries are appended as one: the membership of the one new frontend, then the command
//!    that begins the generation. The new frontend's id is the LSN of that command. Their term is
//!    far above every term seen, so that no entry of the old generation can ever win over them.
//! 4. The log is marked as committed up to there.
//! 5. The two entries are applied, and the state is flushed.
//! 6. Snapshots of the old generation are removed: frontends of the new one refuse them.
//! 7. A vote of the new frontend for itself, one term higher, not granted by anybody: so it starts
//!    as a follower without a leader, campaigns, and elects itself.
//! 8. The new identity. Only now does the directory belong to the new generation.
//!
//! A crash before 8 leaves a directory of the old generation. Before 3 it is one whose state has
//! caught up; after 3 its log ends with the two entries. Running the same again completes it: the
//! entries are found by the generation of the state that results from the log, and not added twice.
//! A frontend must not be started on it meanwhile: the new membership does not contain the old id,
//! so it would wait and serve what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::error::RescueError;
use super::survey::Ground;
use crate::machine::{Applier, Machine, is_address};
use crate::runtime::{Fault, Runtime, RuntimeOptions};
use crate::storage::{Identity, Log};
use crate::types::{
    Action, Batch, BatchHeader, ClusterId, Command, Entry, EntryPayload, Frontend, FrontendKind,
    Generation, HostCommand, LeaderId, LogId, Lsn, Membership, NodeId, Outcome, Peer, RequestId,
    StateDigest, Vote,
};

/// Distance of the new terms to all that were seen: other directories may have seen more.
const TERM_DISTANCE: u64 = 1000;
/// Stack for applying, as a frontend's apply thread has it.
const STACK_BYTES: usize = 16 << 20;

/// What a generation begins with.
pub(super) struct Beginning {
    /// The only frontend.
    pub frontend: Frontend,
    /// The highest term seen anywhere.
    pub term: u64,
    /// Where to cut the log, if at all. Not below what was applied.
    pub cut: Option<LogId>,
    /// The digest that the state must have before the generation begins, if that is known.
    pub digest: Option<StateDigest>,
    /// Why, for the record.
    pub note: String,
    /// The clock and random bytes: they become part of the entry.
    pub header: BatchHeader,
}

/// A generation that began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// Who its only frontend is.
    pub identity: Identity,
    /// Where that frontend is reached.
    pub address: String,
    /// Its first entry is this one.
    pub lsn: Lsn,
    /// The digest of the state with it.
    pub digest: StateDigest,
    /// The last LSN of the old generation that is in the new one.
    pub kept: Lsn,
    /// The digest of the state with that one; none when it is not known any more.
    pub kept_digest: Option<StateDigest>,
}

/// Begins the generation after `from` on a directory.
pub(super) fn begin(
    ground: Ground,
    from: (ClusterId, Generation),
    beginning: Beginning,
) -> Result<Begun, RescueError> {
    if !is_address(&beginning.frontend) {
        return Err(RescueError::Address(beginning.frontend.address()));
    }
    let applying = || apply_all(&ground, from, beginning);
    // Modules need more stack than the threads of this process have.
    let begun = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("apply".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, applying).map_err(RescueError::Thread)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    let Ground { log, state, directory } = ground;
    state.flush()?;
    // Snapshots of the old generation are of no use to frontends of the new one.
    remove_all(&directory.snapshots())?;
    let vote = Vote {
        leader_id: LeaderId { term: log_term(&log) + 1, node_id: begun.identity.node },
        committed: false,
    };
    if log.positions().vote < Some(vote) {
        log.vote_durably(vote)?;
    }
    log.close()?;
    directory.set_identity(&begun.identity)?;
    Ok(begun)
}

fn apply_all(
    ground: &Ground,
    (cluster, old): (ClusterId, Generation),
    beginning: Beginning,
) -> Result<Begun, RescueError> {
    let log = &ground.log;
    if let Some(last) = beginning.cut {
        log.truncate_durably(last)?;
    }
    let options = RuntimeOptions { read_slots: 1 };
    let runtime = Runtime::new(options).map_err(RescueError::Runtime)?;
    let runtime = runtime.keeping(&ground.directory.modules());
    let (machine, mut applier) = Machine::open(Arc::clone(&ground.state), runtime)?;
    let next = machine.applied().log_id.map_or(0, |id| id.index + 1);
    log.each_portion(next, |entries| apply(&mut applier, log, entries).map(|_| ()))?;

    let generation = Generation(old.0 + 1);
    let view = machine.view();
    match view.cluster() {
        Some(present) if present == (cluster, old) => {}
        // An earlier attempt came this far.
        Some(present) if present == (cluster, generation) => {
            return found(&machine, cluster, generation);
        }
        Some((_, state)) => {
            let path = ground.directory.path().to_owned();
            return Err(RescueError::Generation { path, identity: old, state });
        }
        None => return Err(RescueError::NoCluster(ground.directory.path().to_owned())),
    }
    let kept = machine.lsn();
    if let Some(wanted) = beginning.digest.filter(|wanted| *wanted != view.digest()) {
        return Err(RescueError::Digest { lsn: kept, found: view.digest(), wanted });
    }
    let entries = entries(kept, cluster, generation, beginning)?;
    let command = entries[1].log_id;
    log.append_durably(entries.to_vec())?;
    log.commit_durably(command)?;
    let outcomes = apply(&mut applier, log, &entries)?;
    match outcomes.as_slice() {
        [Outcome::Applied(_)] => found(&machine, cluster, generation),
        [Outcome::Refused(failure)] => Err(RescueError::Refused(failure.message.clone())),
        other => Err(RescueError::Refused(format!("{other:?}"))),
    }
}

/// The two entries that follow on `kept`.
fn entries(
    kept: Lsn,
    cluster: ClusterId,
    generation: Generation,
    beginning: Beginning,
) -> Result<[Entry; 2], RescueError> {
    let node = NodeId(kept.0 + 2);
    let leader_id = LeaderId { term: beginning.term + TERM_DISTANCE, node_id: node };
    let log_id = |index| LogId { leader_id, index };
    let peer = Peer { address: beginning.frontend.address() };
    let nodes = BTreeMap::from([(node, peer)]);
    let membership = Membership::new(vec![BTreeSet::from([node])], nodes)
        .map_err(|error| RescueError::Refused(error.to_string()))?;
    let command = Command {
        request: RequestId { client: random(&beginning.header), sequence: 1 },
        floor: 1,
        caller: String::new(),
        action: Action::Host(HostCommand::Recover {
            cluster,
            generation,
            frontend: beginning.frontend,
            note: beginning.note,
        }),
    };
    let packed: [Bytes; 1] = [command.pack()];
    let batch = Batch::pack(beginning.header, packed.iter());
    Ok([
        Entry { log_id: log_id(kept.0 + 1), payload: EntryPayload::Membership(membership) },
        Entry { log_id: log_id(node.0), payload: EntryPayload::Normal(batch) },
    ])
}

/// The generation as the state knows it.
fn found(
    machine: &Machine,
    cluster: ClusterId,
    generation: Generation,
) -> Result<Begun, RescueError> {
    let view = machine.view();
    let frontends = view.frontends();
    let [(node, frontend)] = frontends.as_slice() else {
        let message = format!("it has {} frontends instead of one", frontends.len());
        return Err(RescueError::Refused(message));
    };
    let identity = Identity { cluster, generation, node: *node, kind: FrontendKind::Follower };
    let kept = Lsn(node.0.saturating_sub(2));
    Ok(Begun {
        identity,
        address: frontend.address(),
        lsn: Lsn(node.0),
        digest: view.digest(),
        kept,
        kept_digest: view.digest_at(kept)?,
    })
}

/// Applies entries that are in the log, and gives the outcomes of all their commands.
fn apply(applier: &mut Applier, log: &Log, entries: &[Entry]) -> Result<Vec<Outcome>, RescueError> {
    let durable = |id: &LogId| log.wait_durable(id).map_err(|error| Fault(error.to_string()));
    let replies = applier.apply(entries, &durable).map_err(RescueError::Apply)?;
    let outcomes = replies.iter().flat_map(|reply| reply.outcomes.iter());
    Ok(outcomes.map(|(_, outcome)| outcome.clone()).collect())
}

/// A client id that no frontend has: frontends draw theirs at random too.
fn random(header: &BatchHeader) -> u64 {
    let (first, _) = header.entropy.split_first_chunk::<8>().expect("16 bytes have 8");
    u64::from_le_bytes(*first)
}

fn log_term(log: &Log) -> u64 {
    log.positions().last.map_or(0, |last| last.leader_id.term)
}

/// Removes what is in a folder.
fn remove_all(path: &Path) -> Result<(), RescueError> {
    let failed = |source| RescueError::Unwritable { path: path.to_owned(), source };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        std::fs::remove_dir_all(entry.map_err(failed)?.path()).map_err(failed)?;
    }
    Ok(())
}
