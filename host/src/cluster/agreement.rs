//! Frontends compare the digests of their states, so that one whose state is not the others' does
//! not serve it.
//!
//! A digest covers all that was applied before it, so it is enough to compare the newest one from
//! time to time. Followers decide, by majority; nobody takes a leader's word. A frontend that is
//! outvoted puts its own state aside: it votes on and keeps its log, which is right, but applies
//! and serves nothing, and does not lead; once stopped, it does not start on that state again. So
//! do all of them if there cannot be a majority: then nobody knows who is right. One that could
//! not be asked agrees with nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use crate::types::{Frontend, FrontendKind, Lsn, NodeId, StateDigest};

/// Between two comparisons; an idle cluster makes none.
const COMPARE_INTERVAL: Duration = Duration::from_secs(2);
/// How old what is compared is. Far less than the digests that are kept take to be written.
const OTHERS_TIME: Duration = Duration::from_millis(100);

/// What a comparison came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A majority has this frontend's digest. These have another one.
    Agreed { others: Vec<NodeId> },
    /// A majority has another one.
    Outvoted(StateDigest),
    /// No digest can have a majority.
    Split,
    /// Too few could be asked.
    Unknown,
}

/// How many are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// All that are asked, also when a majority of them is known: who differs is to be told.
    All,
    /// No more than it takes to know.
    Enough,
}

impl Cluster {
    /// Runs until told to stop.
    pub async fn watch_agreement(&self, stop: CancellationToken) {
        let mut settled = Lsn(0);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(COMPARE_INTERVAL) => {}
            }
            let applied = self.machine().applied();
            if applied.lsn <= settled || self.machine().quarantine().is_some() {
                continue;
            }
            // So that the others have applied it as well.
            tokio::time::sleep(OTHERS_TIME).await;
            let (lsn, digest) = (applied.lsn, applied.digest);
            let (differs, agreed) = match self.compare(lsn, digest, Whom::All).await {
                Verdict::Unknown => continue,
                Verdict::Agreed { others } => {
                    settled = lsn;
                    for other in others {
                        tracing::error!("the state of frontend {other} differs at LSN {lsn}");
                    }
                    continue;
                }
                Verdict::Outvoted(theirs) => {
                    let differs = format!("a majority of the followers has {theirs}");
                    (differs, Some((lsn, theirs)))
                }
                Verdict::Split => {
                    ("others have others, and none can have a majority".to_owned(), None)
                }
            };
            self.put_aside(lsn, &format!("its digest is {digest}, {differs}"), agreed).await;
        }
    }

    /// The digest of the state at an LSN, empty if it is not known.
    pub(super) async fn digest_at(&self, lsn: Lsn) -> Bytes {
        let view = self.machine().view();
        let found = tokio::task::spawn_blocking(move || view.digest_at(lsn)).await;
        let digest = found.ok().and_then(Result::ok).flatten();
        digest.map_or_else(Bytes::new, |digest| Bytes::copy_from_slice(&digest.0))
    }

    /// Compares the digest of an entry with those of the voters: all of them, or no more than it
    /// takes to know. One that does not vote asks the leader only when the others do not decide, so
    /// that observers, however many there are, cost it nothing.
    pub(super) async fn compare(&self, lsn: Lsn, mine: StateDigest, with: Whom) -> Verdict {
        let own = self.identity().node;
        let voters = self.node().status().voters;
        if voters.is_empty() {
            // It is not known yet who decides.
            return Verdict::Unknown;
        }
        let votes = voters.contains(&own);
        let spared = self.node().watch().borrow().leader.as_ref().map(|leader| leader.id);
        let spared = spared.filter(|_| !votes);
        let mut asked = self.machine().view().frontends();
        asked.retain(|(node, frontend)| {
            *node != own && voters.contains(node) && frontend.kind == FrontendKind::Follower
        });
        let (last, first): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|(node, _)| Some(*node) == spared);
        let mut others: BTreeMap<NodeId, StateDigest> = BTreeMap::new();
        let mut known = verdict(mine, votes, voters.len(), &others);
        for asked in [first, last] {
            let answers =
                asked.iter().map(|(node, frontend)| self.ask_digest(*node, frontend, lsn));
            let mut answers: FuturesUnordered<_> = answers.collect();
            while (with == Whom::All || known == Verdict::Unknown)
                && let Some(answer) = answers.next().await
            {
                others.extend(answer);
                known = verdict(mine, votes, voters.len(), &others);
            }
            if known != Verdict::Unknown {
                break;
            }
        }
        known
    }

    async fn ask_digest(
        &self,
        node: NodeId,
        frontend: &Frontend,
        lsn: Lsn,
    ) -> Option<(NodeId, StateDigest)> {
        let status = self.ask_at(node, frontend, lsn).await.ok()?;
        let digest = <[u8; 32]>::try_from(&status.digest_at[..]).ok()?;
        Some((node, StateDigest(digest)))
    }

    /// Puts the state aside. `agreed`: what a majority has, and where.
    pub(super) async fn put_aside(&self, lsn: Lsn, what: &str, agreed: Option<(Lsn, StateDigest)>) {
        let reason = format!(
            "its state differs from that of the other followers, at LSN {lsn} or before: {what}. \
             Stop it, run `quorate cluster rebuild` on its meta_dir and start it again; \
             `quorate verify` tells more before that"
        );
        tracing::error!("this frontend neither applies nor serves any more: {reason}");
        let machine = self.machine().clone();
        let kept =
            tokio::task::spawn_blocking(move || machine.set_quarantine(&reason, agreed)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!("this will be found out again after a restart only: {error}");
        }
    }
}

/// Who is right, by what is known.
fn verdict(
    mine: StateDigest,
    votes: bool,
    voters: usize,
    others: &BTreeMap<NodeId, StateDigest>,
) -> Verdict {
    let mut counts: BTreeMap<[u8; 32], usize> = BTreeMap::new();
    let known = others.values().chain(votes.then_some(&mine));
    known.for_each(|digest| *counts.entry(digest.0).or_default() += 1);
    let majority = voters / 2 + 1;
    let unknown = voters - counts.values().sum::<usize>().min(voters);
    let (digest, most) = counts.iter().max_by_key(|(_, count)| **count).unwrap_or((&mine.0, &0));
    if *most >= majority && *digest == mine.0 {
        let differ = others.iter().filter(|(_, digest)| **digest != mine);
        return Verdict::Agreed { others: differ.map(|(node, _)| *node).collect() };
    }
    if *most >= majority {
        return Verdict::Outvoted(StateDigest(*digest));
    }
    if most + unknown < majority { Verdict::Split } else { Verdict::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: StateDigest = StateDigest([1; 32]);
    const B: StateDigest = StateDigest([2; 32]);
    const C: StateDigest = StateDigest([3; 32]);

    fn others(digests: &[StateDigest]) -> BTreeMap<NodeId, StateDigest> {
        (2..).map(NodeId).zip(digests.iter().copied()).collect()
    }

    #[test]
    fn a_majority_decides_and_names_those_that_differ() {
        let agreed = |nodes: &[u64]| Verdict::Agreed {
            others: nodes.iter().map(|node| NodeId(*node)).collect(),
        };
        assert_eq!(verdict(A, true, 3, &others(&[A, A])), agreed(&[]));
        assert_eq!(verdict(A, true, 3, &others(&[B, A])), agreed(&[2]));
        assert_eq!(verdict(A, true, 3, &others(&[B, B])), Verdict::Outvoted(B));
        assert_eq!(verdict(A, true, 5, &others(&[B, B, B])), Verdict::Outvoted(B));
        assert_eq!(verdict(A, true, 1, &others(&[])), agreed(&[]));
        // An observer has no voice of its own.
        assert_eq!(verdict(A, false, 1, &others(&[B])), Verdict::Outvoted(B));
        assert_eq!(verdict(A, false, 3, &others(&[A, A])), agreed(&[]));
    }

    #[test]
    fn one_that_could_not_be_asked_agrees_with_nobody() {
        assert_eq!(verdict(A, true, 3, &others(&[])), Verdict::Unknown);
        assert_eq!(verdict(A, true, 3, &others(&[B])), Verdict::Unknown);
        assert_eq!(verdict(A, false, 3, &others(&[A])), Verdict::Unknown);
        assert_eq!(verdict(A, true, 5, &others(&[B, B])), Verdict::Unknown);
    }

    #[test]
    fn without_a_majority_to_come_nobody_is_right() {
        assert_eq!(verdict(A, true, 2, &others(&[B])), Verdict::Split);
        assert_eq!(verdict(A, true, 3, &others(&[B, C])), Verdict::Split);
        assert_eq!(verdict(A, true, 4, &others(&[A, B, B])), Verdict::Split);
    }
}
