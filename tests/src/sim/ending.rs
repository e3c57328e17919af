//! How a run ends: faults stop, all must be well in time, and everything is looked at once more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::disk::Mood;
use super::founding;
use super::history::Answer;
use super::network::Weather;
use super::world::World;

/// When all faults have stopped, all must be well in so many.
const HEALING_MS: u64 = 20_000;
/// After that, an idle cluster is watched for so many.
const IDLE_MS: u64 = 1_500;
/// A connected majority elects a leader in so many.
const DEAF_MS: u64 = 10_000;
/// How often that is tried, in millionths.
pub(super) const BRIDGE_RATE: u64 = 300_000;

impl World {
    /// The leader hears nobody, but one follower hears it: without that follower there is no
    /// majority, so it must stop listening to a leader that has none, and a new one must be
    /// elected while the links stay as they are.
    pub(super) fn stand_a_deaf_leader(&mut self) -> bool {
        self.quieten();
        // Of an old leader that nobody follows any more, nothing new need come.
        let led = |world: &Self| world.agreed_leader().is_some();
        if !self.until(HEALING_MS, "all serve and agree on a leader", led) {
            return false;
        }
        let living = self.living();
        let Some((leader, _)) = self.agreed_leader() else { return true };
        let mut others: Vec<_> = living.into_iter().filter(|at| *at != leader).collect();
        self.context.dice.shuffle(&mut others);
        let needed = self.plan.hosts / 2 + 1;
        // Too few may be left.
        let Some(cut_off) = others.len().checked_sub(needed) else { return true };
        let connected = &others[cut_off..];
        let Some(listener) = connected.first() else { return true };
        self.context.count("deaf leaders");
        self.context.say(&format!("host {leader} leads and hears nobody; {listener} hears it"));
        for at in 0..self.plan.hosts {
            for to in (0..self.plan.hosts).filter(|to| *to != at) {
                let stays = (connected.contains(&at) && connected.contains(&to))
                    || (at == leader && to == *listener);
                if !stays {
                    self.network.cut(at, to);
                }
            }
        }
        let (connected, before) = (connected.to_vec(), self.oracle.lock().last_committed());
        // Something is committed under it, its first entry at least.
        let replaced = move |world: &Self| {
            let leads = |at: &usize| {
                world
                    .running(*at)
                    .is_some_and(|running| running.cluster.node().watch().borrow().is_leader)
            };
            connected.iter().any(leads) && world.oracle.lock().last_committed() > before
        };
        self.until(DEAF_MS, "a connected majority elects a leader", replaced)
    }

    /// Ends all faults.
    fn quieten(&mut self) {
        self.context.say("all faults end");
        self.crash_rate.store(0, Ordering::Relaxed);
        self.network.set_weather(Weather::calm());
        self.network.heal();
        let now = self.context.now_ms();
        for host in &mut self.hosts {
            *host.disk.mood.lock() = Mood::Takes(0..=1);
            host.paused_until = host.paused_until.map(|_| now);
            host.starts_at = host.starts_at.map(|_| now);
        }
    }

    /// Ends all faults and waits until all is well.
    pub(super) fn heal(&mut self) -> bool {
        self.quieten();
        let healed_from = self.context.now_ms();
        let since = self.history.lock().len();
        // Everyone agrees on a leader, and clients are answered.
        let well = |world: &Self| {
            let living = world.living();
            let leaders: Vec<_> = living
                .iter()
                .map(|at| world.running(*at)?.cluster.node().status().leader)
                .collect();
            leaders.iter().all(|leader| leader.is_some() && *leader == leaders[0])
                && world.history.lock().len() > since + 20
        };
        if !self.until(HEALING_MS, "a leader is known and clients are answered", well) {
            return false;
        }
        self.stop_clients.store(true, Ordering::Relaxed);
        let settled = |world: &Self| {
            if Arc::strong_count(&world.asking) > 1 {
                return false;
            }
            let last = world.oracle.lock().last_committed();
            world.living().iter().all(|at| {
                world.running(*at).is_some_and(|running| running.cluster.machine().lsn().0 == last)
            })
        };
        if !self.until(HEALING_MS, "all have applied all", settled) {
            return false;
        }
        let took = self.context.now_ms() - healed_from;
        self.context.say(&format!("healed after {took} ms"));
        true
    }

    pub(super) fn check_at_the_end(&mut self) {
        // What every frontend answers, key by key, is checked like any other answer.
        let keys: Vec<_> = self.oracle.lock().model.keys().cloned().collect();
        for at in self.living() {
            let (keys, context) = (keys.clone(), Arc::clone(&self.context));
            let Some(operations) =
                self.on(at, move |running| founding::read_all(running, at, keys, context))
            else {
                return;
            };
            for operation in operations {
                if !matches!(operation.answer, Answer::Read { .. }) {
                    self.context.violate(format!("no answer after healing: {operation:?}"));
                }
                self.history.lock().add(operation);
            }
        }
        let idle_from = self.oracle.lock().last_committed();
        for _ in 0..IDLE_MS {
            if !self.step() {
                return;
            }
        }
        let wrote = self.oracle.lock().last_committed();
        if wrote != idle_from {
            self.context.violate(format!("an idle cluster wrote LSN {} to {wrote}", idle_from + 1));
        }
        let digests: Vec<_> = self
            .living()
            .into_iter()
            .filter_map(|at| Some((at, self.running(at)?.cluster.machine().applied().digest)))
            .collect();
        if digests.iter().any(|(_, digest)| *digest != digests[0].1) {
            self.context.violate(format!("digests differ at the end: {digests:?}"));
        }
        self.history.lock().check(&self.oracle.lock().model, &self.context);
        self.context.say(&format!("the end, at LSN {wrote}"));
    }
}
