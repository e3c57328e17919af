//! Somebody who installs versions of the module, activates them and goes back to the one before,
//! while faults happen and others change who belongs.
//!
//! He asks for one thing at a time, of any frontend, and for whatever comes to mind: also for what
//! must be refused, because it is not installed, not acknowledged by all yet, active already, or of
//! a schema that does not fit.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::changes::{Came, execute};
use super::clients::is_unknown;
use super::frontend::Running;
use super::release::Release;
use super::world::World;

/// A statement may take so long.
const ASK_TIMEOUT: Duration = Duration::from_secs(4);
/// How often what is asked for makes sense: to install what is not, to activate what is.
const SENSIBLE_RATE: u64 = 800_000;
/// How often an activation is forced, in millionths: some voters have not said that they can.
const FORCE_RATE: u64 = 200_000;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Swap {
    Install(Release),
    Activate(Release),
    RollBack,
}

/// What he waits for.
#[derive(Default)]
pub(super) struct Publisher {
    asking: Option<(Swap, Came)>,
}

impl Publisher {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.asking.is_none()
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
    let dice = &world.context.dice;
    let running = dice.pick(&open).clone();
    let known = running.cluster.machine().view().modules();
    let is_known = |it: &Release| known.iter().any(|module| module.manifest.digest == it.digest());
    let (known, unknown): (Vec<_>, Vec<_>) = Release::ALL.into_iter().partition(is_known);
    let choose = |sensible: &[Release]| {
        let any = sensible.is_empty() || !dice.chance(SENSIBLE_RATE);
        *dice.pick(if any { &Release::ALL } else { sensible })
    };
    let swap = match dice.below(10) {
        0..=3 => Swap::Install(choose(&unknown)),
        4..=8 => Swap::Activate(choose(&known)),
        _ => Swap::RollBack,
    };
    let came = match swap {
        Swap::Install(release) => install(&running, release),
        Swap::Activate(release) => {
            let force = if dice.chance(FORCE_RATE) { " FORCE" } else { "" };
            execute(&running, format!("ACTIVATE MODULE '{}'{force}", release.name()))
        }
        Swap::RollBack => execute(&running, "ROLLBACK MODULE".to_owned()),
    };
    world.context.count("modules: asked for");
    world.context.say(&format!("somebody asks: {swap:?}"));
    world.publisher.asking = Some((swap, came));
}

fn install(running: &Running, release: Release) -> Came {
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
    let Some((swap, came)) = &mut world.publisher.asking else { return };
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
        (Swap::Activate(_), Some(Ok(()))) => "modules: activated",
        (Swap::RollBack, Some(Ok(()))) => "modules: rolled back",
        (_, Some(Err(failure))) if !is_unknown(failure) => "modules: refused",
        _ => "modules: outcome unknown",
    });
}

impl World {
    /// Whether every member has said of every module whether it can run it, and no migration is
    /// under way, but one that stopped.
    pub(super) fn modules_are_settled(&self) -> bool {
        let all = self.members();
        let node = |at: &usize| self.hosts[*at].disk.identity().map(|own| own.node);
        let members: Vec<_> = all.iter().filter_map(node).collect();
        let settled = |at: usize| {
            let view = self.running(at)?.cluster.machine().view();
            let goes_on = view.migration().is_some_and(|migration| migration.stopped.is_none());
            let said = view.modules().into_iter().all(|module| {
                let says = |node| module.acknowledgements.iter().any(|(one, _)| one == node);
                members.iter().all(says)
            });
            (said && !goes_on && view.active().is_some()).then_some(())
        };
        self.publisher.is_idle() && all.into_iter().all(|at| settled(at).is_some())
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
