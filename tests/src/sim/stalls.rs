//! Hosts that lose what runs a module, and hosts on which another release of the program is started.
//! Their frontends do not apply what they cannot run, and go on when they can.

use std::ops::RangeInclusive;

use quorate::storage::StateStore;
use quorate::types::{Gate, Lsn, Order};
use tokio::sync::oneshot::error::TryRecvError;

use super::changes::execute;
use super::context::Context;
use super::faults;
use super::release::Release;
use super::shelf::NEWER;
use super::swaps::install;
use super::world::{Host, World};

/// What is lost is there again after so many milliseconds.
const LOSS_MS: RangeInclusive<u64> = 300..=5_000;
/// How often the frontend starts again without it, in millionths. Else it may have it in memory.
const RESTARTED_RATE: u64 = 600_000;
/// How often it is the newer release of the program that is started, in millionths.
const NEWER_RATE: u64 = 850_000;
/// How often a leader is made to stall in the end, in millionths.
const STALLED_LEADER_RATE: u64 = 500_000;
/// A host takes over when told to, or does not, in so many milliseconds, and is told so often.
const TRANSFER_MS: u64 = 500;
const TRANSFERS_MAX: u32 = 6;
/// What is asked for happens, or does not, in so many.
const ACTIVATION_MS: u64 = 3_000;
/// A leader that does not apply is replaced in so many.
const REPLACED_MS: u64 = 3_000;

/// Perhaps something is lost, or started.
pub(super) fn happen(world: &mut World) {
    let (losses, releases) = (world.plan.loss_rate, world.plan.release_rate);
    if losses > 0 && world.context.dice.chance(losses) {
        lose(world);
    }
    if releases > 0 && world.context.dice.chance(releases) {
        let at = *world.context.dice.pick(&world.victims());
        let newer = world.context.dice.chance(NEWER_RATE);
        if world.hosts[at].shelf.is_newer() != newer {
            world.context.count(if newer { "programs replaced" } else { "programs put back" });
            world.hosts[at].shelf.install(newer);
            world.crash(at, &format!("a release is started, newer: {newer}"), false);
        }
    }
}

fn lose(world: &mut World) {
    let dice = &world.context.dice;
    let (at, release) = (*dice.pick(&world.victims()), *dice.pick(&Release::ALL));
    let (until, restarts) =
        (world.context.now_ms() + dice.within(&LOSS_MS), dice.chance(RESTARTED_RATE));
    if !world.hosts[at].shelf.lose(release, until) {
        return;
    }
    world.context.count("artefacts lost");
    world.context.say(&format!("host {at} has nothing that runs {} any more", release.name()));
    if restarts {
        world.crash(at, "what runs a module is lost", true);
    }
}

/// What was lost comes back: runs at every step.
pub(super) fn tend(world: &mut World) {
    let now = world.context.now_ms();
    for (at, host) in world.hosts.iter().enumerate() {
        if let Some(release) = host.shelf.restore(now) {
            world.context.say(&format!("host {at} has what runs {} again", release.name()));
        }
    }
}

impl Host {
    /// Its frontend has said why it does not apply what comes next, or that it does.
    pub(super) fn note_stall(&mut self, why: Option<&str>, context: &Context) {
        if why.is_some() == self.stalled {
            return;
        }
        self.stalled = why.is_some();
        let Some(why) = why else { return context.count("stalls that ended") };
        context.count("stalls");
        context.say(&format!("stalled: {why}"));
        if !why.contains("simulated") && !self.is_too_old(why) {
            context.violate(format!("a frontend stalls without a reason: {why}"));
        }
    }

    /// Whether a frontend says rightly that its program does not know the engine epoch in force.
    pub(super) fn is_too_old(&self, why: &str) -> bool {
        why.contains("engine epoch") && !self.shelf.epochs().contain(NEWER)
    }
}

impl World {
    /// What was lost is there again, and the newer release of the program runs wherever any did.
    pub(super) fn mend_programs(&mut self) {
        for at in 0..self.hosts.len() {
            self.hosts[at].shelf.restore(u64::MAX);
            if self.plan.release_rate == 0 {
                continue;
            }
            self.hosts[at].shelf.install(true);
            let is_newer = self.hosts[at].shelf.epochs().contain(NEWER);
            if self.hosts[at].process.is_some() && !is_newer {
                self.crash(at, "the newer release is started", false);
            }
        }
    }

    /// The leader has nothing that runs a module, and that module is activated. Another one must
    /// lead before long.
    pub(super) fn stall_a_leader(&mut self) -> bool {
        if !self.context.dice.chance(STALLED_LEADER_RATE) {
            return true;
        }
        self.quieten();
        if !self.agree() {
            return false;
        }
        let Some((leader, _)) = self.agreed_leader() else { return true };
        let others = self.others_than(leader);
        for release in Release::ALL {
            let Some(running) = self.running(leader) else { return true };
            let mut came = install(&running, release);
            while matches!(came.try_recv(), Err(TryRecvError::Empty)) {
                if !self.step() {
                    return false;
                }
            }
        }
        let (Some(target), Some(release)) = (others.first().copied(), self.activatable(leader))
        else {
            return true;
        };
        // A state that went back to when that was the active one could not even be opened.
        if let Err(error) = self.hosts[target].disk.state.flush() {
            self.context.violate(format!("host {target}: its state is not kept: {error}"));
            return false;
        }
        self.hosts[target].shelf.lose(release, u64::MAX);
        self.crash(target, "what runs the module to come is lost", false);
        let stalled = self.agree() && self.stall(target, leader, release);
        self.hosts[target].shelf.restore(u64::MAX);
        stalled
    }

    /// A version that could be activated if it were for the tables alone.
    fn activatable(&self, leader: usize) -> Option<Release> {
        let view = self.running(leader)?.cluster.machine().view();
        let active = view.active()?.digest;
        let can = |it: &Release| {
            let order = Order { gate: Gate::One, ..Order::new(it.digest(), Some(active)) };
            view.plan(&order).is_ok_and(|plan| plan.refusal.is_none())
        };
        let all: Vec<_> = Release::ALL.into_iter().filter(can).collect();
        (!all.is_empty()).then(|| *self.context.dice.pick(&all))
    }

    fn stall(&mut self, target: usize, other: usize, release: Release) -> bool {
        let leads = |world: &Self| world.leader().is_some_and(|(leader, _)| leader == target);
        // It may be refused or come too late.
        for _ in 0..TRANSFERS_MAX {
            faults::transfer(self, target);
            if self.happens(TRANSFER_MS, leads) || self.context.violation().is_some() {
                break;
            }
        }
        if !leads(self) {
            return self.context.violation().is_none();
        }
        let Some(running) = self.running(other) else { return true };
        drop(execute(&running, format!("ACTIVATE MODULE '{}' FORCE", release.name())));
        let is_active = |world: &Self| {
            let oracle = world.oracle.lock();
            let last = Lsn(oracle.last_committed());
            oracle.model.ledger.active_at(last) == Some(release.digest())
        };
        // What was scheduled may have come between.
        if !self.happens(ACTIVATION_MS, is_active) || !leads(self) {
            return self.context.violation().is_none();
        }
        self.context.count("leaders that stall");
        let what = "another one leads, in place of a leader that cannot apply";
        self.until(REPLACED_MS, what, |world| !leads(world) && world.leader().is_some())
    }

    /// Steps until something holds, or for so long.
    fn happens(&mut self, bound_ms: u64, holds: impl Fn(&Self) -> bool) -> bool {
        let end = self.context.now_ms() + bound_ms;
        while !holds(self) {
            if self.context.now_ms() >= end || !self.step() {
                return false;
            }
        }
        true
    }
}
