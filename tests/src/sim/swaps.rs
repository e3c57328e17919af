//! Somebody who installs versions of the module, activates them at once or later, goes back to the
//! one before, retires them and puts a newer engine epoch in force, while faults happen and others
//! change who belongs.
//!
//! He asks for one thing at a time, of any frontend, and for whatever comes to mind: also for what
//! must be refused, because it is not installed, not acknowledged by all yet, active already, of a
//! schema that does not fit, or because not all voters can run the epoch.

use std::ops::RangeInclusive;
use std::time::Duration;

use quorate::machine::ModuleState;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::changes::{Came, execute};
use super::clients::is_unknown;
use super::dice::Dice;
use super::frontend::Running;
use super::release::Release;
use super::shelf::NEWER;
use super::world::World;

/// A statement may take so long.
const ASK_TIMEOUT: Duration = Duration::from_secs(4);
/// How often what is asked for makes sense: to install what is not, to activate what is.
const SENSIBLE_RATE: u64 = 800_000;
/// How often it is a version that some host has lost, if there is one.
const LOST_RATE: u64 = 500_000;
/// How often an activation is forced, in millionths: some voters have not said that they can.
const FORCE_RATE: u64 = 300_000;
/// How often a majority is to be enough, otherwise.
const QUORUM_RATE: u64 = 200_000;
/// How often it waits for an LSN, and for a time otherwise, and for how long, in entries and seconds.
const AT_LSN_RATE: u64 = 250_000;
const AFTER_RATE: u64 = 250_000;
const WAIT_ENTRIES: RangeInclusive<u64> = 1..=100;
const WAIT_S: RangeInclusive<u64> = 1..=3;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Swap {
    Install(Release),
    Activate(Release, Time),
    RollBack,
    Cancel,
    Retire(Release),
    SetEpoch,
}

/// When an activation is to take effect.
#[derive(Debug, Clone, Copy)]
enum Time {
    Now,
    AtLsn(u64),
    After(u64),
}

/// What he waits for.
#[derive(Default)]
pub(super) struct Publisher {
    asking: Option<(Swap, Came)>,
    closes: bool,
}

impl Publisher {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.asking.is_none()
    }

    /// From now on he only takes back what waits for a time.
    pub fn close(&mut self) {
        self.closes = true;
    }
}

/// Perhaps asks for something.
pub(super) fn operate(world: &mut World) {
    if world.publisher.asking.is_some() || !world.context.dice.chance(world.plan.swap_rate) {
        return;
    }
    let open: Vec<_> = (0..world.hosts.len()).filter_map(|at| world.running(at)).collect();
    if open.is_empty() {
        return;
    }
    let running = world.context.dice.pick(&open).clone();
    let lost: Vec<_> = world.hosts.iter().filter_map(|host| host.shelf.lost()).collect();
    let swap = choose(&world.context.dice, &running, &lost, world.plan.release_rate > 0);
    ask(world, &running, swap);
}

/// What comes to mind.
fn choose(dice: &Dice, running: &Running, lost: &[Release], epochs: bool) -> Swap {
    let view = running.cluster.machine().view();
    let known = view.modules();
    let state = |it: &Release| {
        let of_it = known.iter().find(|module| module.manifest.digest == it.digest());
        of_it.map(|module| module.state)
    };
    let is_idle = |it: &Release| state(it) == Some(ModuleState::Installed);
    let is_there = |it: &Release| is_idle(it) || state(it) == Some(ModuleState::Active);
    let all = Release::ALL.into_iter();
    let unknown: Vec<_> = all.clone().filter(|it| !is_there(it)).collect();
    let idle: Vec<_> = all.filter(is_idle).collect();
    let mut wanted: Vec<_> = idle.iter().copied().filter(|it| lost.contains(it)).collect();
    if wanted.is_empty() || !dice.chance(LOST_RATE) {
        wanted.clone_from(&idle);
    }
    let choose = |sensible: &[Release]| {
        let any = sensible.is_empty() || !dice.chance(SENSIBLE_RATE);
        *dice.pick(if any { &Release::ALL } else { sensible })
    };
    let time = || {
        if dice.chance(AT_LSN_RATE) {
            Time::AtLsn(view.lsn().0 + dice.within(&WAIT_ENTRIES))
        } else if dice.chance(AFTER_RATE) {
            Time::After(dice.within(&WAIT_S))
        } else {
            Time::Now
        }
    };
    match dice.below(if epochs { 28 } else { 24 }) {
        0..=8 => Swap::Install(choose(&unknown)),
        9..=18 => Swap::Activate(choose(&wanted), time()),
        19..=20 => Swap::RollBack,
        21 => Swap::Cancel,
        22..=23 => Swap::Retire(choose(&idle)),
        _ => Swap::SetEpoch,
    }
}

fn ask(world: &mut World, running: &Running, swap: Swap) {
    let dice = &world.context.dice;
    let came = match swap {
        Swap::Install(release) => install(running, release),
        Swap::Activate(release, time) => {
            let gate = if dice.chance(FORCE_RATE) {
                " FORCE"
            } else if dice.chance(QUORUM_RATE) {
                " QUORUM"
            } else {
                ""
            };
            let time = match time {
                Time::Now => String::new(),
                Time::AtLsn(lsn) => format!(" AT LSN {lsn}"),
                Time::After(seconds) => format!(" AFTER {seconds} SECONDS"),
            };
            execute(running, format!("ACTIVATE MODULE '{}'{gate}{time}", release.name()))
        }
        Swap::RollBack => execute(running, "ROLLBACK MODULE".to_owned()),
        Swap::Cancel => execute(running, "CANCEL MODULE ACTIVATION".to_owned()),
        Swap::Retire(release) => execute(running, format!("RETIRE MODULE '{}'", release.name())),
        Swap::SetEpoch => execute(running, format!("ALTER SYSTEM SET ENGINE EPOCH {NEWER}")),
    };
    world.context.count("modules: asked for");
    world.context.say(&format!("somebody asks: {swap:?}"));
    world.publisher.asking = Some((swap, came));
}

pub(super) fn install(running: &Running, release: Release) -> Came {
    let (done, came) = oneshot::channel();
    let cluster = running.cluster.clone();
    running.handle().spawn(async move {
        let deadline = Instant::now() + ASK_TIMEOUT;
        let installed = cluster.install("root", release.file(), None, deadline).await;
        let _ = done.send(installed.map(drop));
    });
    came
}

/// Looks after what was asked for: runs at every step, also when faults have ended.
pub(super) fn tend(world: &mut World) {
    let Some((swap, came)) = &mut world.publisher.asking else { return close(world) };
    let result = match came.try_recv() {
        Ok(result) => Some(result),
        Err(oneshot::error::TryRecvError::Empty) => return,
        // The frontend that was asked has ended.
        Err(oneshot::error::TryRecvError::Closed) => None,
    };
    let swap = *swap;
    world.publisher.asking = None;
    world.context.say(&format!("somebody hears: {swap:?}: {result:?}"));
    world.context.count(match (swap, &result) {
        (Swap::Install(_), Some(Ok(()))) => "modules: installed",
        (Swap::Activate(_, Time::Now), Some(Ok(()))) => "modules: activated",
        (Swap::Activate(..), Some(Ok(()))) => "modules: scheduled",
        (Swap::RollBack, Some(Ok(()))) => "modules: rolled back",
        (Swap::Cancel, Some(Ok(()))) => "modules: cancelled",
        (Swap::Retire(_), Some(Ok(()))) => "modules: retired",
        (Swap::SetEpoch, Some(Err(failure))) if !is_unknown(failure) => "epochs: refused",
        (_, Some(Err(failure))) if !is_unknown(failure) => "modules: refused",
        (Swap::SetEpoch, _) => "epochs: asked for",
        _ => "modules: outcome unknown",
    });
}

/// In the end nothing may wait for a time: an idle cluster is to write nothing.
fn close(world: &mut World) {
    let Some((leader, _)) = world.leader().filter(|_| world.publisher.closes) else { return };
    let Some(running) = world.running(leader) else { return };
    if running.cluster.machine().view().scheduled().is_some_and(|it| it.time_us.is_some()) {
        ask(world, &running, Swap::Cancel);
    }
}

impl World {
    /// Whether every member has said of every module whether it can run it, and which engine epochs
    /// it can, nothing waits for a time, and no migration is under way, but one that stopped.
    pub(super) fn modules_are_settled(&self) -> bool {
        let all = self.members();
        let node = |at: &usize| {
            let own = self.hosts[*at].disk.identity()?;
            Some((own.node, self.hosts[*at].shelf.epochs()))
        };
        let members: Vec<_> = all.iter().filter_map(node).collect();
        let settled = |at: usize| {
            let view = self.running(at)?.cluster.machine().view();
            let goes_on = view.migration().is_some_and(|migration| migration.stopped.is_none());
            let said = view.modules().into_iter().all(|module| {
                let says = |node| module.acknowledgements.iter().any(|(one, _)| one == node);
                let is_gone = matches!(module.state, ModuleState::Retired(_));
                is_gone || members.iter().all(|(node, _)| says(node))
            });
            let announced = members.iter().all(|(node, epochs)| view.epochs_of(*node) == *epochs);
            let waits = view.scheduled().is_some_and(|it| it.time_us.is_some());
            let rests = !goes_on && !waits && view.active().is_some();
            (said && announced && rests).then_some(())
        };
        self.publisher.is_idle() && all.into_iter().all(|at| settled(at).is_some())
    }

    /// What the leader's state says of modules.
    pub(super) fn explain_modules(&self) {
        let Some(running) = self.leader().and_then(|(leader, _)| self.running(leader)) else {
            return;
        };
        let view = running.cluster.machine().view();
        let epochs = view.frontends().into_iter().map(|(node, _)| (node, view.epochs_of(node)));
        let epochs: Vec<_> = epochs.collect();
        self.context.say(&format!("engine epoch {}, of {epochs:?}", view.epoch()));
        for module in view.modules() {
            let said: Vec<_> = module.acknowledgements.iter().map(|(node, _)| *node).collect();
            let (version, state) = (&module.description.version, module.state);
            self.context.say(&format!("module {version}, {state:?}: {said:?} have said"));
        }
        let (scheduled, migration) = (view.scheduled(), view.migration());
        self.context.say(&format!("scheduled {scheduled:?}, migration {migration:?}"));
    }

    /// At the end one module runs everywhere, and nobody is stuck.
    pub(super) fn check_modules(&self) {
        let running = |at: usize| Some((at, self.running(at)?.cluster));
        let all: Vec<_> = self.members().into_iter().filter_map(running).collect();
        for (at, cluster) in &all {
            if let Some(why) = cluster.node().status().stalled {
                self.context.violate(format!("host {at} does not apply any more: {why}"));
            }
        }
        let active = |(_, cluster): &(usize, quorate::cluster::Cluster)| {
            let view = cluster.machine().view();
            (view.active().map(|active| active.digest), view.migration().cloned())
        };
        let mut runs: Vec<_> = all.iter().map(active).collect();
        if let Some((digest, _)) = runs.first()
            && let Some(release) = Release::ALL.into_iter().find(|it| Some(it.digest()) == *digest)
        {
            self.context.say(&format!("{} is active in the end", release.name()));
        }
        runs.dedup();
        if runs.len() != 1 {
            self.context.violate(format!("in the end different modules are active: {runs:?}"));
        }
    }
}
