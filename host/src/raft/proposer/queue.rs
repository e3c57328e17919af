//! Commands on their way into the log: admitted, queued, packed, answered.
//!
//! Whether a command may have reached a log is never guessed. It starts as waiting; the packer
//! takes it in one atomic step, and its proposer withdraws it in one, so exactly one of the two
//! happens. A reply channel that closes without an answer after a command was taken means that
//! nobody knows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::types::{ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, Lsn, Outcome};

/// Most commands that this frontend's clients may have under way; more are refused.
pub(super) const COMMANDS_MAX: usize = 4096;
/// Most bytes of them; more are refused.
pub(super) const BYTES_MAX: usize = 64 << 20;

/// What became of a group of commands.
pub(in crate::raft) enum Answer {
    /// The group's outcomes begin at `first`.
    Outcomes { all: Arc<[(Lsn, Outcome)]>, first: usize },
    /// They are not in the log.
    NotAppended,
    /// They are not in the log: the leader's disk is nearly full.
    NoSpace,
    /// They ran, and nobody can say in time that a majority came to the same.
    Unconfirmed,
}

/// Counts what is under way.
#[derive(Default)]
pub(super) struct Admission {
    commands: AtomicUsize,
    bytes: AtomicUsize,
}

impl Admission {
    /// Counts a command in, unless there are too many; its ticket counts it out.
    pub fn admit(self: &Arc<Self>, bytes: usize) -> Option<Arc<Ticket>> {
        let commands = self.commands.fetch_add(1, Ordering::Relaxed);
        let under_way = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Dropping the ticket undoes both additions, also when the command is refused.
        let ticket = Ticket { admission: self.clone(), bytes, state: AtomicU8::new(WAITING) };
        (commands < COMMANDS_MAX && under_way < BYTES_MAX).then(|| Arc::new(ticket))
    }
}

const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// A command's place in the count, and how far it has got.
pub(super) struct Ticket {
    admission: Arc<Admission>,
    bytes: usize,
    state: AtomicU8,
}

impl Ticket {
    fn swap(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Whether the packer has the command, from this moment on.
    fn take(&self) -> bool {
        self.swap(WAITING, TAKEN)
    }

    /// Takes the command back. False: the packer has it.
    pub fn withdraw(&self) -> bool {
        self.swap(WAITING, WITHDRAWN) || !self.is_taken()
    }

    /// Whether the packer has taken it.
    pub fn is_taken(&self) -> bool {
        self.state.load(Ordering::Acquire) == TAKEN
    }

    fn wait(&self) {
        self.state.store(WAITING, Ordering::Release);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.admission.commands.fetch_sub(1, Ordering::Relaxed);
        self.admission.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Commands that are packed together, and who waits for them. Without a ticket it comes from
/// another frontend.
struct Group {
    commands: Vec<Bytes>,
    bytes: usize,
    ticket: Option<Arc<Ticket>>,
    reply: oneshot::Sender<Answer>,
}

/// Commands for one entry. Dropping it tells everyone that the outcome is unknown.
pub(in crate::raft) struct Pack {
    /// The packed commands.
    pub commands: Vec<Bytes>,
    replies: Vec<(usize, oneshot::Sender<Answer>)>,
}

impl Pack {
    /// Gives everyone their outcomes. With any but one outcome per command, nobody gets any.
    pub fn answer(self, all: &Arc<[(Lsn, Outcome)]>) {
        let count: usize = self.replies.iter().map(|(count, _)| count).sum();
        if count != all.len() {
            tracing::error!(count, outcomes = all.len(), "an entry has the wrong outcomes");
            return;
        }
        let mut first = 0;
        for (count, reply) in self.replies {
            // Whoever stopped waiting needs no answer.
            let _ = reply.send(Answer::Outcomes { all: all.clone(), first });
            first += count;
        }
    }

    /// Tells everyone that the commands are not in the log.
    pub fn not_appended(self) {
        for (_, reply) in self.replies {
            let _ = reply.send(Answer::NotAppended);
        }
    }

    /// Tells everyone that the commands ran, and that nobody can say that a majority came to the
    /// same.
    pub fn unconfirmed(self) {
        for (_, reply) in self.replies {
            let _ = reply.send(Answer::Unconfirmed);
        }
    }

    /// Tells everyone that the commands are not in the log, for want of room on the leader's disk.
    pub fn no_space(self) {
        for (_, reply) in self.replies {
            let _ = reply.send(Answer::NoSpace);
        }
    }
}

/// Which commands may be packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// All: they go into this frontend's log.
    Anywhere,
    /// Only this frontend's own: what came from another is not passed on once more.
    Here,
}

/// Commands that wait to be packed. Bounded by admission: here for this frontend's own, at their
/// senders for those of others.
#[derive(Default)]
pub(in crate::raft) struct Queue {
    groups: Mutex<State>,
    ready: Notify,
    /// This frontend's disk is nearly full.
    is_full: AtomicBool,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Group>,
    closed: bool,
}

impl Queue {
    /// Whether modules' commands are refused for want of room on this frontend's disk.
    pub fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub(super) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Queues a command of this frontend.
    pub(super) fn push_own(
        &self,
        command: Bytes,
        ticket: &Arc<Ticket>,
    ) -> oneshot::Receiver<Answer> {
        ticket.wait();
        self.push(vec![command], Some(ticket.clone()))
    }

    /// Queues a group from another frontend; it stays together.
    pub fn push_forwarded(&self, commands: Vec<Bytes>) -> oneshot::Receiver<Answer> {
        self.push(commands, None)
    }

    fn push(&self, commands: Vec<Bytes>, ticket: Option<Arc<Ticket>>) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let bytes = commands.iter().map(Bytes::len).sum();
        let mut state = self.groups.lock();
        if !state.closed {
            state.waiting.push_back(Group { commands, bytes, ticket, reply });
        }
        let first = state.waiting.len() == 1;
        drop(state);
        if first {
            self.ready.notify_one();
        }
        answer
    }

    /// Waits until something is queued. For one caller only.
    pub(super) async fn ready(&self) {
        while self.groups.lock().waiting.is_empty() {
            self.ready.notified().await;
        }
    }

    /// Takes what fits into one entry.
    pub(super) fn pack(&self, origin: Origin) -> Option<Pack> {
        let mut pack = Pack { commands: Vec::new(), replies: Vec::new() };
        let mut bytes = 0;
        let mut state = self.groups.lock();
        while let Some(group) = state.waiting.front() {
            let fits = pack.commands.len() + group.commands.len() <= ENTRY_COMMANDS_MAX
                && bytes + group.bytes <= ENTRY_BYTES_MAX;
            if !fits && !pack.commands.is_empty() {
                break;
            }
            let Some(mut group) = state.waiting.pop_front() else { break };
            match &group.ticket {
                Some(ticket) if !ticket.take() => continue,
                None if origin == Origin::Here => {
                    let _ = group.reply.send(Answer::NotAppended);
                    continue;
                }
                None if group.reply.is_closed() => continue,
                Some(_) | None => {}
            }
            bytes += group.bytes;
            pack.replies.push((group.commands.len(), group.reply));
            pack.commands.append(&mut group.commands);
        }
        (!pack.commands.is_empty()).then_some(pack)
    }

    /// Drops the commands whose proposers gave up, so that they do not pile up without a leader.
    pub(super) fn sweep(&self) {
        self.groups.lock().waiting.retain(|group| !group.reply.is_closed());
    }

    /// Refuses everything from now on, and what is waiting.
    pub(super) fn close(&self) {
        let mut state = self.groups.lock();
        state.closed = true;
        state.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn command(size: usize) -> Bytes {
        vec![0; size].into()
    }

    #[test]
    fn a_command_is_either_taken_or_withdrawn() {
        let admission = Arc::new(Admission::default());
        let queue = Queue::default();
        let (first, second) = (admission.admit(1).unwrap(), admission.admit(1).unwrap());
        let mut unanswered = queue.push_own(command(1), &first);
        let mut withdrawn = queue.push_own(command(1), &second);
        assert!(second.withdraw());
        assert!(second.withdraw());
        let pack = queue.pack(Origin::Here).unwrap();
        assert_eq!(pack.commands.len(), 1);
        assert!(!first.withdraw());
        assert!(withdrawn.try_recv().is_err());
        drop(pack);
        assert!(matches!(unanswered.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        drop((first, second));
        assert_eq!(admission.commands.load(Ordering::Relaxed), 0);
        assert_eq!(admission.bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_entry_takes_whole_groups_and_no_more_than_fits() {
        let queue = Queue::default();
        let _half = queue.push_forwarded(vec![command(ENTRY_BYTES_MAX / 2); 2]);
        let _more = queue.push_forwarded(vec![command(1), command(2)]);
        assert_eq!(queue.pack(Origin::Anywhere).unwrap().commands.len(), 2);
        assert_eq!(queue.pack(Origin::Anywhere).unwrap().commands, [command(1), command(2)]);
        assert!(queue.pack(Origin::Anywhere).is_none());
    }

    #[test]
    fn a_forwarded_group_is_not_passed_on_again() {
        let queue = Queue::default();
        let mut answer = queue.push_forwarded(vec![command(1)]);
        assert!(queue.pack(Origin::Here).is_none());
        assert!(matches!(answer.try_recv(), Ok(Answer::NotAppended)));
    }

    #[test]
    fn beyond_the_limits_nothing_is_admitted_and_nothing_counted() {
        let admission = Arc::new(Admission::default());
        let large = admission.admit(BYTES_MAX).unwrap();
        assert!(admission.admit(1).is_none());
        drop(large);
        assert!(admission.admit(1).is_some());
    }

    #[test]
    fn everyone_gets_their_own_outcomes() {
        let queue = Queue::default();
        let mut first = queue.push_forwarded(vec![command(1); 2]);
        let mut second = queue.push_forwarded(vec![command(1)]);
        let outcomes: Arc<[_]> =
            (1..=3).map(|n| (Lsn(n), Outcome::Applied(Bytes::new()))).collect();
        queue.pack(Origin::Anywhere).unwrap().answer(&outcomes);
        for (answer, expected) in [(&mut first, 0), (&mut second, 2)] {
            let Ok(Answer::Outcomes { first, .. }) = answer.try_recv() else { panic!() };
            assert_eq!(first, expected);
        }
    }
}
