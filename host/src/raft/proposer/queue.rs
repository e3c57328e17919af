//! Commands on their way into the log: admitted, queued, packed, answered.
//!
//! Whether a command may have reached a log is never guessed. It starts as waiting; the packer
//! takes it in one atomic step, and its proposer withdraws it in one, so exactly one of the two
//! happens. A reply channel that closes without an answer after a command was taken means that
//! nobody knows.
//!
//! The leader turns away what the active module would refuse for having been planned by another
//! one, before it is logged: during an activation that saves each statement under way an entry.
//! Only what was never sent before can be, for of the rest an earlier copy may have run.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::types::{
    Action, ENTRY_BYTES_MAX, ENTRY_COMMANDS_MAX, Lsn, ModuleDigest, Outcome, Rejection,
};

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

impl Answer {
    /// They are not in the log, and would be rejected: by `lsn` another module is active.
    fn turned_away(commands: usize, lsn: Lsn) -> Self {
        let outcome = (lsn, Outcome::Rejected(Rejection::ModuleChanged));
        Self::Outcomes { all: vec![outcome; commands].into(), first: 0 }
    }
}

/// What decides whether a group is logged, and what behind it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::raft) struct Kind {
    /// None of its commands was sent before.
    pub(super) fresh: bool,
    /// The module that all of them are for.
    pub(super) module: Option<ModuleDigest>,
    /// One of them asks for another module to be active: what comes behind it waits for the next
    /// entry, when it is known which one is.
    pub(super) activates: bool,
}

impl Kind {
    /// Of a group of one command.
    pub fn of(action: &Action, fresh: bool) -> Self {
        Self { fresh, module: action.module(), activates: action.activates() }
    }

    /// Of a group of the commands of both.
    pub fn and(self, other: Self) -> Self {
        Self {
            fresh: self.fresh && other.fresh,
            module: self.module.filter(|module| other.module == Some(*module)),
            activates: self.activates || other.activates,
        }
    }

    fn is_stale(self, active: ModuleDigest) -> bool {
        self.fresh && self.module.is_some_and(|module| module != active)
    }
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
    kind: Kind,
    ticket: Option<Arc<Ticket>>,
    reply: oneshot::Sender<Answer>,
}

/// Commands for one entry. Dropping it tells everyone that the outcome is unknown.
pub(in crate::raft) struct Pack {
    /// The packed commands.
    pub commands: Vec<Bytes>,
    /// None of them was sent before.
    pub fresh: bool,
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
    /// All: they go into this frontend's log. Those of other modules than the active one, given
    /// with the LSN since when that is known, are turned away.
    Anywhere(Option<(Lsn, ModuleDigest)>),
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
        kind: Kind,
        ticket: &Arc<Ticket>,
    ) -> oneshot::Receiver<Answer> {
        ticket.wait();
        self.push(vec![command], kind, Some(ticket.clone()))
    }

    /// Queues a group from another frontend; it stays together.
    pub fn push_forwarded(&self, commands: Vec<Bytes>, kind: Kind) -> oneshot::Receiver<Answer> {
        self.push(commands, kind, None)
    }

    fn push(
        &self,
        commands: Vec<Bytes>,
        kind: Kind,
        ticket: Option<Arc<Ticket>>,
    ) -> oneshot::Receiver<Answer> {
        let (reply, answer) = oneshot::channel();
        let bytes = commands.iter().map(Bytes::len).sum();
        let mut state = self.groups.lock();
        if !state.closed {
            state.waiting.push_back(Group { commands, bytes, kind, ticket, reply });
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
        let mut pack = Pack { commands: Vec::new(), fresh: true, replies: Vec::new() };
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
            if let Origin::Anywhere(Some((lsn, active))) = origin
                && group.kind.is_stale(active)
            {
                let _ = group.reply.send(Answer::turned_away(group.commands.len(), lsn));
                continue;
            }
            bytes += group.bytes;
            pack.fresh &= group.kind.fresh;
            pack.replies.push((group.commands.len(), group.reply));
            pack.commands.append(&mut group.commands);
            if group.kind.activates {
                break;
            }
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

    fn plain() -> Kind {
        Kind { fresh: true, ..Kind::default() }
    }

    #[test]
    fn a_command_is_either_taken_or_withdrawn() {
        let admission = Arc::new(Admission::default());
        let queue = Queue::default();
        let (first, second) = (admission.admit(1).unwrap(), admission.admit(1).unwrap());
        let mut unanswered = queue.push_own(command(1), plain(), &first);
        let mut withdrawn = queue.push_own(command(1), plain(), &second);
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
        let _half = queue.push_forwarded(vec![command(ENTRY_BYTES_MAX / 2); 2], plain());
        let _more = queue.push_forwarded(vec![command(1), command(2)], plain());
        assert_eq!(queue.pack(Origin::Anywhere(None)).unwrap().commands.len(), 2);
        assert_eq!(queue.pack(Origin::Anywhere(None)).unwrap().commands, [command(1), command(2)]);
        assert!(queue.pack(Origin::Anywhere(None)).is_none());
    }

    #[test]
    fn a_forwarded_group_is_not_passed_on_again() {
        let queue = Queue::default();
        let mut answer = queue.push_forwarded(vec![command(1)], plain());
        assert!(queue.pack(Origin::Here).is_none());
        assert!(matches!(answer.try_recv(), Ok(Answer::NotAppended)));
    }

    #[test]
    fn what_another_module_planned_is_turned_away_unless_it_was_sent_before() {
        let (queue, [old, new]) = (Queue::default(), [1, 2].map(|n| ModuleDigest([n; 32])));
        let admission = Arc::new(Admission::default());
        let of = |module, fresh| Kind { fresh, module: Some(module), activates: false };
        let mixed = of(old, true).and(of(new, true));
        let ticket = admission.admit(1).unwrap();
        let mut own = queue.push_own(command(1), of(old, true), &ticket);
        let mut forwarded = queue.push_forwarded(vec![command(1); 2], of(old, true));
        let mut others = [of(old, false), of(new, true), mixed, plain()]
            .map(|kind| queue.push_forwarded(vec![command(2)], kind));
        let active = Some((Lsn(7), new));
        let pack = queue.pack(Origin::Anywhere(active)).unwrap();
        assert_eq!(pack.commands, [command(2), command(2), command(2), command(2)]);
        assert!(!pack.fresh);
        assert!(others.iter_mut().all(|answer| answer.try_recv().is_err()));
        for (answer, count) in [(&mut own, 1), (&mut forwarded, 2)] {
            let Ok(Answer::Outcomes { all, first: 0 }) = answer.try_recv() else { panic!() };
            assert_eq!(*all, vec![(Lsn(7), Outcome::Rejected(Rejection::ModuleChanged)); count]);
        }
    }

    #[test]
    fn nothing_is_turned_away_by_who_does_not_know_or_passes_on() {
        for origin in [Origin::Here, Origin::Anywhere(None)] {
            let (queue, admission) = (Queue::default(), Arc::new(Admission::default()));
            let ticket = admission.admit(1).unwrap();
            let kind = Kind { fresh: true, module: Some(ModuleDigest([1; 32])), activates: false };
            let _answer = queue.push_own(command(1), kind, &ticket);
            let pack = queue.pack(origin).unwrap();
            assert!(pack.fresh && pack.commands.len() == 1);
        }
    }

    #[test]
    fn what_comes_behind_an_activation_waits_for_the_next_entry() {
        let queue = Queue::default();
        let activation = Kind { activates: true, ..plain() };
        let _waiting = [plain(), activation.and(plain()), plain()]
            .map(|kind| queue.push_forwarded(vec![command(1)], kind));
        assert_eq!(queue.pack(Origin::Anywhere(None)).unwrap().commands.len(), 2);
        assert_eq!(queue.pack(Origin::Anywhere(None)).unwrap().commands.len(), 1);
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
        let mut first = queue.push_forwarded(vec![command(1); 2], plain());
        let mut second = queue.push_forwarded(vec![command(1)], plain());
        let outcomes: Arc<[_]> =
            (1..=3).map(|n| (Lsn(n), Outcome::Applied(Bytes::new()))).collect();
        queue.pack(Origin::Anywhere(None)).unwrap().answer(&outcomes);
        for (answer, expected) in [(&mut first, 0), (&mut second, 2)] {
            let Ok(Answer::Outcomes { first, .. }) = answer.try_recv() else { panic!() };
            assert_eq!(first, expected);
        }
    }
}
