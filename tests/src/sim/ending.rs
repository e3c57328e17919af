//! How a run ends: faults stop, all must be well in time, and everything is looked at once more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::disk::Mood;
use super::history::Answer;
use super::network::Weather;
use super::world::World;
use super::{faults, founding};

/// When all faults have stopped, all must be well in so many.
const HEALING_MS: u64 = 20_000;
/// When the operator takes it that frontends do not find each other.
const LOST_MS: u64 = 8_000;
/// After healing, what is still on its way has so many to arrive.
const STRAGGLING_MS: u64 = 500;
/// After that, an idle cluster is watched for so many.
const IDLE_MS: u64 = 1_500;
/// A connected majority elects a leader in so many.
const DEAF_MS: u64 = 10_000;
/// A leader that hands over to one who cannot take over is replaced, or goes on, in so many.
const HANDOVER_MS: u64 = 3_000;
/// The one who cannot is paused for so many.
const PAUSE_MS: u64 = 2 * HANDOVER_MS;
/// How often that is tried, in millionths.
pub(super) const BRIDGE_RATE: u64 = 300_000;

impl World {
    /// The leader hears nobody, but one follower hears it: without that follower there is no
    /// majority, so it must stop listening to a leader that has none, and a new one must be
    /// elected while the links stay as they are.
    pub(super) fn stand_a_deaf_leader(&mut self) -> bool {
        self.quieten();
        // Of an old leader that nobody follows any more, nothing new need come.
        if !self.agree() {
            return false;
        }
        let followers = self.followers();
        let Some((leader, _)) = self.agreed_leader() else { return true };
        let mut others: Vec<_> = followers.into_iter().filter(|at| *at != leader).collect();
        self.context.dice.shuffle(&mut others);
        let needed = self.oracle.lock().followers().len() / 2 + 1;
        // Too few may be left.
        let Some(cut_off) = others.len().checked_sub(needed) else { return true };
        let connected = &others[cut_off..];
        let Some(listener) = connected.first() else { return true };
        self.context.count("deaf leaders");
        self.context.say(&format!("host {leader} leads and hears nobody; {listener} hears it"));
        for at in 0..self.hosts.len() {
            for to in (0..self.hosts.len()).filter(|to| *to != at) {
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

    /// Waits until all serve and agree on a leader, and who belongs is settled.
    pub(super) fn agree(&mut self) -> bool {
        let agreed = |world: &Self| {
            world.agreed_leader().is_some()
                && (!world.plan.has_changes() || (world.operator.is_idle() && world.is_settled()))
                && world.publisher.is_idle()
        };
        self.until_all_is_well("all serve and agree on a leader and on who belongs", agreed)
    }

    /// The leader is told to hand over to a follower that is paused or cut off. Before long there
    /// must be a leader that takes commands, while that follower stays as it is.
    pub(super) fn hand_over_to_nobody(&mut self) -> bool {
        self.quieten();
        if !self.agree() {
            return false;
        }
        let Some((leader, _)) = self.agreed_leader() else { return true };
        let others = self.others_than(leader);
        let [target, ref others @ ..] = others[..] else { return true };
        // One whose state goes back to before it was registered does not speak for itself.
        let knows_itself = |at: &usize| {
            let running = self.running(*at)?;
            let own = running.cluster.identity().node;
            running.cluster.machine().view().frontend(own).map(|_| ())
        };
        let other = others.iter().copied().find(|at| knows_itself(at).is_some());
        let Some(other) = other else { return true };
        if !self.survives(Some(target), None) {
            return true;
        }
        let (hears, is_heard) =
            (self.context.dice.chance(500_000), self.context.dice.chance(500_000));
        self.context.count("leaders that hand over to nobody");
        self.context
            .say(&format!("host {leader} is to hand over to {target}: {hears}, {is_heard}"));
        if hears && is_heard {
            self.hosts[target].paused_until = Some(self.context.now_ms() + PAUSE_MS);
        }
        for at in (0..self.hosts.len()).filter(|at| *at != target) {
            if !hears {
                self.network.cut(at, target);
            }
            if !is_heard {
                self.network.cut(target, at);
            }
        }
        faults::transfer(self, target);
        for _ in 0..self.context.dice.below(200) {
            if !self.step() {
                return false;
            }
        }
        let asked = self.attempt(other, |running| founding::announce(running, HANDOVER_MS));
        // A drop whose outcome the operator never learnt may come about even now.
        let is_asked = |world: &Self| world.serves(other) && world.is_member(other);
        if let Some(Err(failure)) = asked
            && is_asked(self)
        {
            self.explain();
            let what = format!("no leader {HANDOVER_MS} ms after a transfer to nobody: {failure}");
            self.context.violate(what);
        }
        self.context.violation().is_none()
    }

    /// Ends all faults.
    pub(super) fn quieten(&mut self) {
        self.context.say("all faults end");
        self.crash_rate.store(0, Ordering::Relaxed);
        self.network.set_weather(Weather::calm());
        self.network.heal();
        self.mend_programs();
        self.publisher.close();
        let now = self.context.now_ms();
        for host in &mut self.hosts {
            *host.disk.mood.lock() = Mood::Takes(0..=1);
            host.disk.log.mend();
            host.paused_until = host.paused_until.map(|_| now);
            host.starts_at = host.starts_at.map(|_| now);
        }
        // Whoever waits to be taken in is told of helpers that belong to the cluster by now.
        for at in self.victims() {
            if self.hosts[at].disk.identity().is_none() && self.hosts[at].process.is_some() {
                self.crash(at, "it is told of other helpers", true);
                self.hosts[at].starts_at = Some(now + 1);
            }
        }
    }

    /// As [`until`](Self::until), after all faults. Frontends that have moved may not find each
    /// other, if all whom they know have moved as well; some time later the operator starts those
    /// again that have, and tells them where the others are.
    fn until_all_is_well(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> bool {
        let told_at = self.context.now_ms() + LOST_MS;
        while self.plan.moves && !self.all_are_told && !holds(self) {
            if !self.step() {
                return false;
            }
            let now = self.context.now_ms();
            if now < told_at {
                continue;
            }
            self.all_are_told = true;
            for at in self.victims() {
                if self.network.has_moved(at) && self.hosts[at].process.is_some() {
                    self.crash(at, "it is told where the others are", true);
                    self.hosts[at].starts_at = Some(now + 1);
                }
            }
        }
        self.until(HEALING_MS, what, holds)
    }

    /// Ends all faults and waits until all is well.
    pub(super) fn heal(&mut self) -> bool {
        self.quieten();
        let healed_from = self.context.now_ms();
        let since = self.history.lock().len();
        // Everyone agrees on a leader, and clients are answered.
        let well = |world: &Self| {
            let leaders: Vec<_> = world
                .members()
                .iter()
                .map(|at| world.running(*at)?.cluster.node().status().leader)
                .collect();
            leaders.iter().all(|leader| leader.is_some() && *leader == leaders[0])
                && world.history.lock().len() > since + 20
        };
        if !self.until_all_is_well("a leader is known and clients are answered", well) {
            return false;
        }
        self.stop_clients.store(true, Ordering::Relaxed);
        let settled = |world: &Self| {
            if Arc::strong_count(&world.asking) > 1 {
                return false;
            }
            let at_rest =
                || world.operator.is_idle() && world.is_settled() && world.dropped_are_gone();
            if world.plan.has_changes() && !at_rest() {
                return false;
            }
            if world.plan.has_swaps() && !world.modules_are_settled() {
                return false;
            }
            let last = world.oracle.lock().last_committed();
            world.members().iter().all(|at| {
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
        for at in self.members() {
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
        // Another copy of what was sent before, on its way while links were cut, is logged once more.
        for _ in 0..STRAGGLING_MS {
            if !self.step() {
                return;
            }
        }
        let idle_from = self.oracle.lock().last_committed();
        for _ in 0..IDLE_MS {
            if !self.step() {
                return;
            }
        }
        let wrote = self.oracle.lock().last_committed();
        // One that lost its data is let in again once it does not vote any more.
        let may_enter = self.hosts.iter().any(|host| host.lost && host.process.is_some());
        if wrote != idle_from && !may_enter {
            let first = idle_from + 1;
            let what = self.oracle.lock().record(first).escape_ascii().to_string();
            self.context.violate(format!("an idle cluster wrote LSN {first} to {wrote}: {what}"));
        }
        let digests: Vec<_> = self
            .members()
            .into_iter()
            .filter_map(|at| Some((at, self.running(at)?.cluster.machine().applied().digest)))
            .collect();
        if digests.iter().any(|(_, digest)| *digest != digests[0].1) {
            self.context.violate(format!("digests differ at the end: {digests:?}"));
        }
        self.check_modules();
        self.check_feeds();
        self.history.lock().check(&self.oracle.lock().model, &self.context);
        self.context.say(&format!("the end, at LSN {wrote}"));
    }
}
