//! What the committed log makes of modules and engine epochs, worked out independently of the
//! system: which module is active, what is scheduled, who said what, and so whether what took place
//! could.
//!
//! That the host refused a command is believed, as is that it carried one out; what follows from
//! that is not, nor that it was allowed to.

use std::collections::{BTreeMap, BTreeSet};

use quorate::types::{
    Epoch, Epochs, Gate, HostCommand, Lifecycle, Lsn, ModuleDigest, NodeId, Order, Outcome, When,
};
use quorate_wire::{Body, Reply};

/// Who votes: one set, or both of a joint membership.
pub type Electorate = Vec<BTreeSet<NodeId>>;

/// How a command of the host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It changed something.
    Done,
    /// There was nothing to do.
    Idle,
    /// It was refused.
    Refused,
}

impl Ended {
    /// By its outcome.
    pub fn of(outcome: &Outcome) -> Self {
        let Outcome::Applied(packed) = outcome else { return Self::Refused };
        match Reply::unpack(packed).map(|reply| reply.body) {
            Ok(Body::Done { affected: 0 }) => Self::Idle,
            _ => Self::Done,
        }
    }
}

#[derive(Clone)]
struct Scheduled {
    since: Lsn,
    order: Order,
}

/// What the log says so far.
#[derive(Default)]
pub struct Ledger {
    active: BTreeMap<Lsn, ModuleDigest>,
    epochs: BTreeMap<Lsn, Epoch>,
    scheduled: BTreeMap<Lsn, Option<Scheduled>>,
    said: BTreeMap<ModuleDigest, BTreeMap<NodeId, bool>>,
    can: BTreeMap<NodeId, Epochs>,
    /// What came about, for the report.
    pub news: Vec<&'static str>,
}

fn newest<T: Clone>(all: &BTreeMap<Lsn, T>, lsn: Lsn) -> Option<T> {
    all.range(..=lsn).next_back().map(|(_, it)| it.clone())
}

impl Ledger {
    /// The active module as of an LSN.
    pub fn active_at(&self, lsn: Lsn) -> Option<ModuleDigest> {
        newest(&self.active, lsn)
    }

    /// The engine epoch in force as of an LSN.
    pub fn epoch_at(&self, lsn: Lsn) -> Epoch {
        newest(&self.epochs, lsn).unwrap_or_default()
    }

    /// The entry that ordered the activation that waits as of an LSN.
    pub fn scheduled_at(&self, lsn: Lsn) -> Option<Lsn> {
        self.waiting(lsn).map(|scheduled| scheduled.since)
    }

    fn waiting(&self, lsn: Lsn) -> Option<Scheduled> {
        newest(&self.scheduled, lsn).flatten()
    }

    /// Before the commands of an entry. `attempt` finds what came of the activation that was due.
    ///
    /// # Errors
    /// What cannot be.
    pub fn begin(
        &mut self,
        lsn: Lsn,
        voters: &Electorate,
        attempt: impl Fn() -> Option<Outcome>,
    ) -> Result<(), String> {
        let Some(Scheduled { order, .. }) = self.waiting(lsn) else { return Ok(()) };
        if !matches!(order.when, When::AtLsn(due) if due <= lsn) {
            return Ok(());
        }
        let came = attempt().ok_or("what was scheduled for this LSN was not tried")?;
        self.scheduled.insert(lsn, None);
        if Ended::of(&came) == Ended::Refused {
            self.news.push("modules: refused at their LSN");
            return Ok(());
        }
        self.news.push("modules: activated at their LSN");
        self.activate(lsn, &order, voters)
    }

    /// A command of the host took effect, or was refused.
    ///
    /// # Errors
    /// What cannot be.
    pub fn host(
        &mut self,
        lsn: Lsn,
        command: &HostCommand,
        ended: Ended,
        voters: &Electorate,
    ) -> Result<(), String> {
        if let HostCommand::Lifecycle(Lifecycle::RunScheduled { since }) = command {
            return self.timed(lsn, *since, ended, voters);
        }
        if ended != Ended::Done {
            return Ok(());
        }
        match command {
            HostCommand::Lifecycle(Lifecycle::Activate(order)) if order.when == When::Now => {
                self.activate(lsn, order, voters)?;
            }
            HostCommand::Lifecycle(Lifecycle::Activate(order)) => {
                if self.waiting(lsn).is_some() {
                    return Err("a second activation is scheduled".to_owned());
                }
                self.check_said(order, voters)?;
                let scheduled = Scheduled { since: lsn, order: order.clone() };
                self.scheduled.insert(lsn, Some(scheduled));
            }
            HostCommand::Lifecycle(Lifecycle::CancelScheduled) => {
                self.scheduled.insert(lsn, None);
            }
            HostCommand::Lifecycle(Lifecycle::Retire { digest }) => {
                let waits = self.waiting(lsn).is_some_and(|it| it.order.to == *digest);
                if waits || self.active_at(lsn) == Some(*digest) {
                    return Err(format!("{digest} is retired, which is active or scheduled"));
                }
                self.said.remove(digest);
            }
            HostCommand::AcknowledgeModule { node, digest, refusal } => {
                self.said.entry(*digest).or_default().insert(*node, refusal.is_none());
            }
            HostCommand::AnnounceEpochs { node, epochs } => {
                self.can.insert(*node, *epochs);
            }
            HostCommand::ChangeEpoch { from, to } => self.change_epoch(lsn, *from, *to, voters)?,
            _ => {}
        }
        Ok(())
    }

    /// The leader took it that the time of an activation had come.
    fn timed(
        &mut self,
        lsn: Lsn,
        since: Lsn,
        ended: Ended,
        voters: &Electorate,
    ) -> Result<(), String> {
        if ended == Ended::Idle {
            return Ok(());
        }
        let waiting = self.waiting(lsn).filter(|it| it.since == since);
        let Some(Scheduled { order, .. }) = waiting else {
            return Err(format!("what was scheduled at {since} runs, and does not wait"));
        };
        self.scheduled.insert(lsn, None);
        if ended == Ended::Refused {
            return Ok(());
        }
        self.news.push("modules: activated at their time");
        self.activate(lsn, &order, voters)
    }

    /// A module was activated by somebody who took `expected` for the active one. The commands
    /// after it, of the same entry too, are for that module.
    fn activate(&mut self, lsn: Lsn, order: &Order, voters: &Electorate) -> Result<(), String> {
        let (active, Order { to, expected, .. }) = (self.active_at(lsn), order);
        // Its migration goes on, which had stopped.
        if active == Some(*to) {
            return Ok(());
        }
        if active != *expected {
            return Err(format!("{to} is activated in place of {expected:?}, not {active:?}"));
        }
        self.check_said(order, voters)?;
        self.active.insert(lsn, *to);
        Ok(())
    }

    /// Those must have said that they can run a module without whom it may not be activated.
    fn check_said(&self, order: &Order, voters: &Electorate) -> Result<(), String> {
        let none = BTreeMap::new();
        let said = self.said.get(&order.to).unwrap_or(&none);
        let can = |node: &&NodeId| said.get(*node) == Some(&true);
        let is_open = said.values().any(|can| *can)
            && voters.iter().all(|half| match order.gate {
                Gate::All => half.iter().all(|node| can(&node)),
                Gate::Quorum => 2 * half.iter().filter(can).count() > half.len(),
                Gate::One => true,
            });
        if is_open {
            return Ok(());
        }
        Err(format!("{order:?} is accepted, of voters {voters:?}, who said {said:?}"))
    }

    fn change_epoch(
        &mut self,
        lsn: Lsn,
        from: Epoch,
        to: Epoch,
        voters: &Electorate,
    ) -> Result<(), String> {
        let able = |node: &NodeId| self.can.get(node).copied().unwrap_or(Epochs::FIRST).contain(to);
        if self.epoch_at(lsn) != from || to <= from || !voters.iter().flatten().all(able) {
            return Err(format!(
                "engine epoch {to} after {from}, of voters {voters:?}, who can run {:?}",
                self.can
            ));
        }
        self.news.push("epochs: put in force");
        self.said.clear();
        self.epochs.insert(lsn, to);
        Ok(())
    }
}
