//! A whole cluster in one thread: hosts, network, clients, faults, and the passing of time.
//!
//! Time passes in steps of a millisecond. In each, what is due on the network is delivered, a fault
//! may happen, then every host runs until it has nothing to do before the next step, in an order
//! that the dice decide, and the clients after them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use quorate::raft::Profile;
use quorate::runtime::{Runtime, RuntimeOptions};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::time::Instant;

use super::clients::{Client, Doors};
use super::context::Context;
use super::disk::Disk;
use super::founding::Module;
use super::frontend::{Birth, Life, Process, Pulse};
use super::history::History;
use super::mutation::Mutation;
use super::network::Network;
use super::oracle::Oracle;
use super::plan::{Plan, Role};
use super::shelf::Shelf;
use super::subscriber::Subscriber;
use super::{changes, ending, faults, stalls, subscriber, swaps};

/// A cluster must be founded in so many milliseconds.
pub(super) const FOUNDING_MS: u64 = 30_000;
/// A frontend that is not let in is started again after so many.
const REFUSED_PAUSE_MS: u64 = 500;
/// A supervisor starts a frontend again after so many.
const RESTART_MS: std::ops::RangeInclusive<u64> = 20..=1500;

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What did not hold, if anything.
    pub violation: Option<String>,
    /// What was counted.
    pub counts: Vec<(String, u64)>,
    /// Digest of the trace.
    pub trace: u64,
    /// Last lines of the trace.
    pub last_lines: Vec<String>,
}

/// A host and what is on it.
pub(super) struct Host {
    pub disk: Disk,
    pub role: Role,
    pub process: Option<Process>,
    /// Starts again at this time.
    pub starts_at: Option<u64>,
    /// Does not run until this time.
    pub paused_until: Option<u64>,
    pub paused_ms: u64,
    pub skew_ms: Arc<AtomicI64>,
    /// Its disk went back in time: it must refuse to start.
    pub must_refuse: bool,
    /// What its disk had promised is lost: it is out until it is dropped and added anew.
    pub lost: bool,
    /// Its frontend knows that it was dropped, and has ended for good.
    pub expelled: bool,
    /// What runs modules there.
    pub shelf: Arc<Shelf>,
    /// Its frontend does not apply what comes next.
    pub stalled: bool,
}

/// The world.
pub struct World {
    pub(super) context: Arc<Context>,
    pub(super) plan: Plan,
    pub(super) network: Arc<Network>,
    pub(super) oracle: Arc<Mutex<Oracle>>,
    pub(super) hosts: Vec<Host>,
    /// Frontends that cannot find the others are told where they are.
    pub(super) all_are_told: bool,
    doors: Doors,
    clients: tokio::runtime::Runtime,
    clients_epoch: Instant,
    pub(super) history: Arc<Mutex<History>>,
    pub(super) stop_clients: Arc<AtomicBool>,
    /// Clients that have not ended.
    pub(super) asking: Arc<()>,
    pub(super) crash_rate: Arc<AtomicU64>,
    pub(super) operator: changes::Operator,
    pub(super) publisher: swaps::Publisher,
    pub(super) subscriber: Subscriber,
    is_founded: bool,
    /// Runs modules as WebAssembly, if they are; else hosts have what runs them.
    engine: Option<Runtime>,
    pub(super) module: Module,
    starts: u64,
}

impl World {
    /// Runs a seed from beginning to end.
    pub fn run(seed: u64, mutation: Option<Mutation>, prints: bool) -> Outcome {
        let context = Context::new(seed, mutation, prints);
        let mut world = Self::new(seed, Arc::clone(&context));
        world.live();
        drop(world);
        Outcome {
            violation: context.violation(),
            counts: context.counts().into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
            trace: context.trace_digest(),
            last_lines: context.last_lines(),
        }
    }

    fn new(seed: u64, context: Arc<Context>) -> Self {
        let plan = Plan::of(seed, &context.dice, context.mutation);
        context.say(&format!("seed {seed}: {plan:?}"));
        let network = Network::new(Arc::clone(&context));
        let roles = (0..plan.hosts).map(|_| Role::Inside);
        let roles = roles.chain((0..plan.spares).map(|_| Role::Outside));
        let hosts: Vec<_> = roles.map(Host::new).collect();
        let disks = hosts.iter().map(|host| (Arc::clone(&host.disk.log), Arc::clone(&host.shelf)));
        let oracle = Arc::new(Mutex::new(Oracle::new(Arc::clone(&context), disks)));
        network.set_oracle(Arc::clone(&oracle));
        let engine = || Runtime::new(RuntimeOptions { read_slots: 8 }).expect("an engine");
        let engine = plan.wasm.then(engine);
        let module = match &engine {
            Some(engine) => Module::component(engine, crate::modules::KV),
            None => Module::native(),
        };
        let clients = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without threads");
        let clients_epoch = clients.block_on(async { Instant::now() });
        Self {
            doors: Arc::new(Mutex::new(vec![None; hosts.len()])),
            context,
            plan,
            network,
            oracle,
            hosts,
            clients,
            clients_epoch,
            history: Arc::default(),
            stop_clients: Arc::default(),
            asking: Arc::new(()),
            crash_rate: Arc::default(),
            operator: changes::Operator::default(),
            publisher: swaps::Publisher::default(),
            subscriber: Subscriber::default(),
            is_founded: false,
            engine,
            module,
            all_are_told: false,
            starts: 0,
        }
    }

    fn live(&mut self) {
        if !self.found() {
            return;
        }
        self.is_founded = true;
        self.let_clients_in();
        self.crash_rate.store(self.plan.crash_rate, Ordering::Relaxed);
        let end = self.context.now_ms() + self.plan.chaos_ms;
        self.network.set_weather(super::plan::weather(&self.context.dice));
        while self.context.now_ms() < end {
            if self.context.dice.chance(self.plan.fault_rate) {
                faults::happen(self);
            }
            if self.plan.has_changes() {
                changes::operate(self);
            }
            if self.plan.has_swaps() {
                swaps::operate(self);
                stalls::happen(self);
            }
            if !self.step() {
                return;
            }
        }
        if self.context.dice.chance(ending::BRIDGE_RATE) && !self.stand_a_deaf_leader() {
            return;
        }
        if self.plan.loss_rate > 0 && !self.stall_a_leader() {
            return;
        }
        if self.plan.has_changes() && !self.hand_over_to_nobody() {
            return;
        }
        if self.heal() {
            self.check_at_the_end();
        }
    }

    /// One step; false after a violation.
    pub(super) fn step(&mut self) -> bool {
        let now = self.context.tick();
        self.context.count("steps");
        self.network.deliver(now);
        let mut order: Vec<_> = (0..self.hosts.len()).collect();
        self.context.dice.shuffle(&mut order);
        for host in order {
            self.run_host(host, now);
        }
        if self.plan.has_changes() && self.is_founded {
            changes::tend(self);
        }
        if self.plan.has_swaps() {
            swaps::tend(self);
            stalls::tend(self);
        }
        subscriber::read_on(self);
        let until = self.clients_epoch + Duration::from_millis(now);
        self.clients.block_on(super::clients::until(until));
        self.context.violation().is_none()
    }

    fn run_host(&mut self, at: usize, now: u64) {
        let host = &mut self.hosts[at];
        if host.starts_at.is_some_and(|starts| starts <= now) {
            self.start(at);
            return;
        }
        let Some(process) = &mut host.process else { return };
        if let Some(until) = host.paused_until {
            host.paused_ms += 1;
            if now < until {
                return;
            }
            host.paused_until = None;
            process.jump(std::mem::take(&mut host.paused_ms));
        }
        let pulse = process.run();
        let life = process.life();
        if pulse == Pulse::Crashed {
            self.crash(at, "in the middle of a write", true);
            return;
        }
        match life {
            Life::Starting => {}
            Life::Running(running) => {
                let status = running.cluster.node().watch().borrow().clone();
                if let Some(why) = status.stopped {
                    self.context.count("frontends that stopped by themselves");
                    self.crash(at, &format!("it stopped: {why}"), true);
                    return;
                }
                if self.plan.has_changes()
                    && let Some(why) = running.expelled()
                {
                    self.expel(at, &why);
                    return;
                }
                self.hosts[at].note_stall(status.stalled.as_deref(), &self.context);
                if status.is_leader {
                    let node = running.cluster.node().id();
                    let leader = quorate::types::LeaderId { term: status.term, node_id: node };
                    self.oracle.lock().leads(at, leader);
                }
                let mut doors = self.doors.lock();
                if doors[at].is_none() {
                    doors[at] = Some(running);
                }
            }
            Life::Refused(why) => self.refused(at, &why),
        }
    }

    fn refused(&mut self, at: usize, why: &str) {
        let host = &mut self.hosts[at];
        if host.must_refuse {
            self.context.count("old disks refused");
            self.context.say(&format!("host {at} refuses its old disk: {why}"));
            host.lost = true;
            self.crash(at, "its disk is old", true);
            self.hosts[at].starts_at = None;
        } else if host.disk.identity().is_none() {
            // Whom it asks may not know yet that it is another one now.
            let again = (!host.lost).then(|| self.context.now_ms() + REFUSED_PAUSE_MS);
            self.context.say(&format!("host {at} is not let in with an empty disk: {why}"));
            self.crash(at, "it is not let in", true);
            self.hosts[at].starts_at = again;
        } else if why.contains("simulated") || host.is_too_old(why) {
            self.crash(at, &format!("it could not start: {why}"), true);
        } else {
            self.context.violate(format!("host {at} refuses to start after a crash: {why}"));
        }
    }

    /// Starts the frontend of a host.
    pub(super) fn start(&mut self, at: usize) {
        self.starts += 1;
        let helpers = self.helpers(at);
        let host = &mut self.hosts[at];
        (host.starts_at, host.stalled) = (None, false);
        self.context.say(&format!("host {at} starts"));
        let birth = Birth {
            host: at,
            address: self.network.address(at),
            passport: Arc::clone(&host.disk.passport),
            entrant: Arc::clone(&host.disk.entrant),
            members: Arc::clone(&host.disk.members),
            helpers,
            has_changes: self.plan.has_changes(),
            has_swaps: self.plan.has_swaps(),
            profile: Profile::Fast,
            runtime: self.engine.clone().unwrap_or_else(|| host.shelf.begin()),
            start: self.starts,
            crash_rate: Arc::clone(&self.crash_rate),
            skew_ms: Arc::clone(&host.skew_ms),
        };
        host.process =
            Some(Process::start(birth, &host.disk, &self.network, &self.oracle, &self.context));
    }

    /// Ends the frontend of a host. It starts again after a while.
    pub(super) fn crash(&mut self, at: usize, why: &str, at_once: bool) {
        if self.hosts[at].process.is_none() {
            return;
        }
        if self.plan.observers > 0 && self.is_upstream(at) {
            self.context.count("upstreams that ended");
        }
        let host = &mut self.hosts[at];
        let Some(process) = host.process.take() else { return };
        self.context.say(&format!("host {at} ends: {why}"));
        self.doors.lock()[at] = None;
        self.network.leave(at, at_once);
        host.paused_until = None;
        host.paused_ms = 0;
        drop(process);
        host.disk.crash(&self.context);
        let now = self.context.now_ms();
        host.starts_at = Some(now + self.context.dice.within(&RESTART_MS));
    }

    fn let_clients_in(&mut self) {
        for id in 1..=self.plan.clients {
            let client = Client {
                id,
                context: Arc::clone(&self.context),
                doors: Arc::clone(&self.doors),
                history: Arc::clone(&self.history),
                keys: self.plan.keys,
                travels: self.plan.has_changes(),
                think_ms: self.plan.think_ms.clone(),
            };
            let (stop, asking) = (Arc::clone(&self.stop_clients), Arc::clone(&self.asking));
            self.clients.spawn(async move {
                client.run(stop).await;
                drop(asking);
            });
        }
    }

    /// Hosts that something can happen to.
    pub(super) fn victims(&self) -> Vec<usize> {
        let may = |at: &usize| self.hosts[*at].role != Role::Outside && !self.hosts[*at].lost;
        (0..self.hosts.len()).filter(may).collect()
    }

    /// The frontend of a host, if it serves.
    pub(super) fn running(&self, at: usize) -> Option<super::frontend::Running> {
        self.hosts[at].process.as_ref()?.running()
    }

    pub(super) fn serves(&self, at: usize) -> bool {
        self.running(at).is_some()
    }

    /// Steps until something holds; a violation if it does not in time.
    pub(super) fn until(
        &mut self,
        bound_ms: u64,
        what: &str,
        holds: impl Fn(&Self) -> bool,
    ) -> bool {
        let end = self.context.now_ms() + bound_ms;
        while !holds(self) {
            if !self.step() {
                return false;
            }
            if self.context.now_ms() >= end {
                self.explain();
                self.context.violate(format!("not within {bound_ms} ms: {what}"));
                return false;
            }
        }
        true
    }

    pub(super) fn explain(&self) {
        for (at, host) in self.hosts.iter().enumerate() {
            let status = self.running(at).map(|running| running.cluster.node().status());
            let applied = self.running(at).map(|running| running.cluster.machine().lsn());
            self.context.say(&format!(
                "host {at}: lost {}, serves {}, applied {applied:?}, {status:?}",
                host.lost,
                status.is_some()
            ));
        }
        self.explain_modules();
    }

    /// Runs something on the runtime of a host, and steps until it is done.
    pub(super) fn on<T, F>(
        &mut self,
        at: usize,
        work: impl FnOnce(super::frontend::Running) -> F,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let done = self.attempt(at, work);
        if done.is_none() && self.context.violation().is_none() {
            self.context.violate(format!("host {at} does not serve"));
        }
        done
    }

    /// Likewise, on a host that may end meanwhile.
    pub(super) fn attempt<T, F>(
        &mut self,
        at: usize,
        work: impl FnOnce(super::frontend::Running) -> F,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let running = self.running(at)?;
        let (done, mut result) = oneshot::channel();
        let handle = running.handle().clone();
        let future = work(running);
        handle.spawn(async move {
            let _ = done.send(future.await);
        });
        let end = self.context.now_ms() + FOUNDING_MS;
        while self.context.now_ms() < end {
            match result.try_recv() {
                Ok(result) => return Some(result),
                Err(TryRecvError::Closed) => return None,
                Err(TryRecvError::Empty) => {}
            }
            if !self.step() {
                return None;
            }
        }
        self.explain();
        self.context.violate(format!("host {at} did not finish in time"));
        None
    }
}

impl Host {
    fn new(role: Role) -> Self {
        Self {
            disk: Disk::new(),
            role,
            process: None,
            starts_at: None,
            paused_until: None,
            paused_ms: 0,
            skew_ms: Arc::default(),
            must_refuse: false,
            lost: false,
            expelled: false,
            shelf: Arc::default(),
            stalled: false,
        }
    }
}
