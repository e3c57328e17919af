//! An operator who changes who belongs while faults happen: adds frontends, drops living and dead
//! ones, replaces them by new ones, turns followers into observers and back, moves frontends to
//! other addresses, finds a frontend's disk empty.
//!
//! He asks for one thing at a time, by statement, of any frontend, and does what a careful one does:
//! he never leaves the cluster without a majority of frontends that have their disks, by any
//! membership that may be in force, and empties a dropped frontend's disk only when it counts
//! nowhere any more. What is down, paused or cut off at the moment does not keep him from anything.

use std::collections::BTreeMap;

use quorate::types::{FrontendKind, NodeId};
use quorate_wire::Failure;
use tokio::sync::oneshot;

use super::clients::is_unknown;
use super::disk::Disk;
use super::frontend::{Asked, Running, Statement};
use super::mutation::Mutation;
use super::plan::Role;
use super::world::World;

/// Most frontends that vote or are to vote.
const FOLLOWERS_MAX: usize = 6;
/// No fewer are left to vote.
const FOLLOWERS_MIN: usize = 2;
/// A statement may take so long.
const ASK_TIMEOUT_S: u64 = 4;
/// A dropped frontend runs on for so many milliseconds, if it does not end by itself before.
const RETIRE_MS: std::ops::RangeInclusive<u64> = 0..=3_000;
/// How often nobody ends it, in millionths.
const LINGER_RATE: u64 = 200_000;
/// How often a change is forced, in millionths: whoever leads, whatever else is under way.
const FORCE_RATE: u64 = 400_000;
/// How often what is to be changed is a voter's disk, or a role, or an address, in millionths.
const WIPE_RATE: u64 = 150_000;
const TURN_RATE: u64 = 250_000;
const MOVE_RATE: u64 = 150_000;
/// How often the operator says that a frontend has moved, which it also says itself, in millionths.
const TOLD_RATE: u64 = 500_000;

/// What was asked for.
#[derive(Debug, Clone)]
enum Change {
    /// A frontend at this address.
    Add(String, FrontendKind),
    /// The frontend at this address is to leave.
    Drop(String, FrontendKind),
    /// The frontend at this address is to become that.
    Turn(String, FrontendKind),
    /// The frontend at this address is at the other one now.
    Move(String, String),
}

/// What a statement came to.
pub(super) type Came = oneshot::Receiver<Result<(), Failure>>;

/// The operator's desk.
#[derive(Default)]
pub(super) struct Operator {
    asking: Option<(Change, Came)>,
    /// When the frontend of a host is ended that was dropped; `None`: not while faults last.
    retiring: BTreeMap<usize, Option<u64>>,
}

impl Operator {
    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.asking.is_none()
    }
}

/// Perhaps asks for something.
pub(super) fn operate(world: &mut World) {
    if world.operator.asking.is_some() || !world.context.dice.chance(world.plan.change_rate) {
        return;
    }
    let wipes = wipeable(world);
    if !wipes.is_empty() && world.context.dice.chance(WIPE_RATE) {
        let host = *world.context.dice.pick(&wipes);
        world.context.count("disks found empty");
        wipe(world, host, "its disk is found empty");
        let now = world.context.now_ms();
        world.hosts[host].lost = true;
        world.hosts[host].starts_at = Some(now + 1);
        return;
    }
    if world.plan.moves && world.context.dice.chance(MOVE_RATE) {
        move_away(world);
        return;
    }
    let turns = world.plan.turns && world.context.dice.chance(TURN_RATE);
    let possible = if turns { turnable(world) } else { comings_and_goings(world) };
    if !possible.is_empty() {
        let change = world.context.dice.pick(&possible).clone();
        ask(world, change);
    }
}

/// Looks after what was asked for: runs at every step, also when faults have ended.
pub(super) fn tend(world: &mut World) {
    if let Some((change, came)) = &mut world.operator.asking {
        let result = match came.try_recv() {
            Ok(result) => Some(result),
            Err(oneshot::error::TryRecvError::Empty) => return,
            // The frontend that was asked has ended.
            Err(oneshot::error::TryRecvError::Closed) => None,
        };
        let change = change.clone();
        world.operator.asking = None;
        answered(world, &change, result);
    }
    for host in 0..world.hosts.len() {
        if world.is_dropped(host) {
            retire(world, host);
        } else if is_idle(world, host) && world.registered(host).is_some() {
            // Registered, and nobody started it yet.
            world.start(host);
        }
    }
}

fn is_idle(world: &World, host: usize) -> bool {
    let host = &world.hosts[host];
    host.role == Role::Inside
        && host.disk.identity().is_none()
        && host.process.is_none()
        && host.starts_at.is_none()
}

fn comings_and_goings(world: &World) -> Vec<Change> {
    let mut possible = joiners(world);
    possible.extend(leavers(world));
    possible
}

/// Hosts that have no registered frontend, each as what it can become one.
fn joiners(world: &World) -> Vec<Change> {
    let (followers, observers) = {
        let oracle = world.oracle.lock();
        (oracle.followers().len(), oracle.observers().len())
    };
    let kind = if observers < world.plan.observers {
        FrontendKind::Observer
    } else if followers < FOLLOWERS_MAX {
        FrontendKind::Follower
    } else {
        return Vec::new();
    };
    let is_free = |host: &usize| {
        world.registered(*host).is_none() && world.hosts[*host].disk.identity().is_none()
    };
    let free = (0..world.hosts.len()).filter(is_free);
    free.map(|host| Change::Add(world.network.address(host), kind)).collect()
}

/// Frontends that can be dropped: the lost one, or any.
fn leavers(world: &World) -> Vec<Change> {
    let (registry, enough) = {
        let oracle = world.oracle.lock();
        let voting = oracle.committed_voters().intersection(&oracle.followers()).count();
        (oracle.registry().clone(), voting > FOLLOWERS_MIN)
    };
    let may_go = registry.into_iter().filter(|(node, frontend)| {
        frontend.kind == FrontendKind::Observer || (enough && world.survives(None, Some(*node)))
    });
    let is_lost = |node: &NodeId| world.host_of(*node).is_some_and(|at| world.hosts[at].lost);
    let mut may_go: Vec<_> = may_go.collect();
    if may_go.iter().any(|(node, _)| is_lost(node)) {
        may_go.retain(|(node, _)| is_lost(node));
    }
    may_go
        .into_iter()
        .map(|(_, frontend)| Change::Drop(frontend.address(), frontend.kind))
        .collect()
}

/// Frontends that can become the other kind.
fn turnable(world: &World) -> Vec<Change> {
    let (registry, followers, voting) = {
        let oracle = world.oracle.lock();
        let voting = oracle.committed_voters().intersection(&oracle.followers()).count();
        (oracle.registry().clone(), oracle.followers().len(), voting)
    };
    let turned = registry.into_iter().filter_map(|(node, frontend)| {
        let (kind, may) = match frontend.kind {
            FrontendKind::Follower => {
                let enough = voting > FOLLOWERS_MIN && world.survives(None, Some(node));
                // One that lost its disk can only be dropped.
                let has_disk = world.host_of(node).is_some_and(|at| world.has_disk(at));
                (FrontendKind::Observer, enough && has_disk)
            }
            FrontendKind::Observer => {
                let has_disk = world.host_of(node).is_some_and(|at| world.has_disk(at));
                (FrontendKind::Follower, followers < FOLLOWERS_MAX && has_disk)
            }
        };
        may.then(|| Change::Turn(frontend.address(), kind))
    });
    turned.collect()
}

/// Voters whose disk can be found empty, which must not let them back in as who they were. Only where
/// they are registered: else nobody could tell afterwards whose disk it was.
fn wipeable(world: &World) -> Vec<usize> {
    if world.hosts.iter().any(|host| host.lost || host.must_refuse) {
        return Vec::new();
    }
    let voters = world.oracle.lock().committed_voters();
    let is_voter = |host: &usize| {
        world.is_member(*host)
            && world.hosts[*host].disk.identity().is_some_and(|own| {
                voters.contains(&own.node) && world.registered(*host) == Some(own.node)
            })
    };
    (0..world.hosts.len())
        .filter(|host| is_voter(host) && world.survives(Some(*host), None))
        .collect()
}

/// A frontend comes back at another address. It says so itself; the operator may say it too.
fn move_away(world: &mut World) {
    let members = world.members();
    if members.is_empty() {
        return;
    }
    let host = *world.context.dice.pick(&members);
    let Some(own) = world.hosts[host].disk.identity() else { return };
    world.crash(host, "it moves to another address", false);
    let from = world.network.address(host);
    let to = world.network.move_away(host);
    world.context.count("frontends moved to another address");
    world.context.say(&format!("host {host}, frontend {}, is at {to} now", own.node));
    world.oracle.lock().may_be_at(own.node, &to);
    if world.context.dice.chance(TOLD_RATE) {
        ask(world, Change::Move(from, to));
    }
}

fn ask(world: &mut World, change: Change) {
    let open: Vec<_> = (0..world.hosts.len()).filter_map(|at| world.running(at)).collect();
    if open.is_empty() {
        return;
    }
    let running = world.context.dice.pick(&open).clone();
    let force = if world.context.dice.chance(FORCE_RATE) { " FORCE" } else { "" };
    let statement = match &change {
        Change::Add(address, kind) => {
            world.context.count("frontends asked to join");
            prepare(world, address);
            world.oracle.lock().asked_to_add(address);
            // Forced, because its name resolves in the simulated network only.
            format!("ADD {} \"{address}\" FORCE", kind.name())
        }
        Change::Drop(address, kind) => {
            world.context.count("frontends asked to leave");
            world.oracle.lock().asked_to_drop(address);
            format!("DROP {} \"{address}\"{force}", kind.name())
        }
        Change::Turn(address, kind) => {
            world.context.count("frontends asked to change their role");
            world.oracle.lock().asked_to_turn(address, *kind);
            format!("MODIFY FRONTEND \"{address}\" TO {}{force}", kind.name())
        }
        Change::Move(from, to) => {
            world.context.count("frontends said to have moved");
            format!("MODIFY FRONTEND HOST \"{from}\" TO \"{to}\"")
        }
    };
    world.context.say(&format!("the operator asks: {statement}"));
    world.operator.asking = Some((change, execute(&running, format!("ALTER SYSTEM {statement}"))));
}

/// A frontend is about to be added. Start first and add first both work.
fn prepare(world: &mut World, address: &str) {
    let Some(host) = (0..world.hosts.len()).find(|at| world.network.address(*at) == address) else {
        return;
    };
    world.hosts[host].role = Role::Inside;
    // It comes back as another one.
    world.hosts[host].lost = false;
    if world.hosts[host].process.is_none() && world.context.dice.chance(500_000) {
        world.start(host);
    }
}

/// Runs a statement in a session of its own.
pub(super) fn execute(running: &Running, sql: String) -> Came {
    let (done, came) = oneshot::channel();
    let Some(connection) = running.connect() else { return came };
    running.handle().spawn(async move {
        for sql in [format!("SET query_timeout = {ASK_TIMEOUT_S}"), sql] {
            let (answer, answered) = oneshot::channel();
            if connection.send(Asked { statement: Statement::Text(sql), answer }).is_err() {
                return;
            }
            match answered.await {
                Ok((Ok(_), _)) => {}
                Ok((Err(failure), _)) => {
                    let _ = done.send(Err(failure));
                    return;
                }
                Err(_) => return,
            }
        }
        let _ = done.send(Ok(()));
    });
    came
}

fn answered(world: &World, change: &Change, result: Option<Result<(), Failure>>) {
    // What was asked before, with an unknown outcome, may have come about meanwhile.
    let is_done = |failure: &Failure| {
        ["does not exist", "already exists"].iter().any(|said| failure.message.contains(said))
    };
    let refused = match &result {
        Some(Err(failure)) => !is_unknown(failure) && !is_done(failure),
        _ => false,
    };
    world.context.say(&format!("the operator hears: {change:?}: {result:?}"));
    if !refused {
        return;
    }
    world.context.count("changes refused");
    let mut oracle = world.oracle.lock();
    match change {
        Change::Add(address, _) => oracle.refused_to_add(address),
        Change::Drop(address, _) => oracle.refused_to_drop(address),
        Change::Turn(address, kind) => oracle.refused_to_turn(address, *kind),
        Change::Move(..) => {}
    }
}

/// Ends a dropped frontend some time, and empties its disk for another one.
fn retire(world: &mut World, host: usize) {
    let now = world.context.now_ms();
    let dice = &world.context.dice;
    let at = *world.operator.retiring.entry(host).or_insert_with(|| {
        let lingers = dice.chance(LINGER_RATE);
        (!lingers).then(|| now + dice.within(&RETIRE_MS))
    });
    let counts = world.hosts[host].disk.identity().is_none_or(|own| {
        world.oracle.lock().electorates().iter().any(|voters| voters.contains(&own.node))
    });
    if at.is_none_or(|at| at > now) || counts {
        return;
    }
    world.operator.retiring.remove(&host);
    world.context.count("dropped frontends ended");
    wipe(world, host, "it was dropped");
    world.hosts[host].role = Role::Outside;
}

/// A host gets an empty disk, and its frontend does not start again by itself.
fn wipe(world: &mut World, host: usize, why: &str) {
    world.crash(host, why, true);
    let old = world.hosts[host].disk.identity();
    let place = &mut world.hosts[host];
    place.disk = Disk::new();
    place.starts_at = None;
    place.lost = false;
    place.must_refuse = false;
    place.expelled = false;
    world.oracle.lock().replaced(host, place.disk.log.clone());
    if let Some(old) = old
        && world.context.has(Mutation::EmptyVoter)
        && why != "it was dropped"
    {
        world.hosts[host].disk.stamp(old);
    }
}
