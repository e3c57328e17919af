//! An operator who changes who belongs while faults happen: adds frontends, drops living and dead
//! ones, replaces them by new ones, finds a frontend's disk empty.
//!
//! He asks for one thing at a time, of any frontend, and does what a careful one does: he never
//! leaves the cluster without a majority of frontends that have their disks, by any membership that
//! may be in force, and empties a dropped frontend's disk only when it counts nowhere any more.
//! What is down, paused or cut off at the moment does not keep him from anything.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate::types::{HostCommand, NodeId};
use quorate_wire::Failure;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::clients::is_unknown;
use super::disk::Disk;
use super::frontend::{Asked, Running, Statement};
use super::mutation::Mutation;
use super::network::Network;
use super::plan::Role;
use super::world::World;

/// Most frontends that vote or are to vote.
const FOLLOWERS_MAX: usize = 6;
/// No fewer are left to vote.
const FOLLOWERS_MIN: usize = 2;
/// A statement may take so long.
const ASK_TIMEOUT_S: u64 = 4;
/// A dropped frontend runs on for so many milliseconds.
const RETIRE_MS: std::ops::RangeInclusive<u64> = 0..=3_000;
/// How often it is never ended, in millionths.
const LINGER_RATE: u64 = 200_000;

/// What was asked for.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// A frontend on this host.
    Add(usize),
    /// This frontend is to leave.
    Drop(NodeId),
}

/// What a statement came to.
type Came = oneshot::Receiver<Result<(), Failure>>;

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
    let mut possible = Vec::new();
    possible.extend(joiners(world).into_iter().map(Change::Add));
    possible.extend(leavers(world).into_iter().map(Change::Drop));
    let wipes = wipeable(world);
    let dice = &world.context.dice;
    if !wipes.is_empty() && dice.chance(150_000) {
        let host = *dice.pick(&wipes);
        world.context.count("disks found empty");
        wipe(world, host, "its disk is found empty");
        let now = world.context.now_ms();
        world.hosts[host].lost = true;
        world.hosts[host].starts_at = Some(now + 1);
        return;
    }
    if possible.is_empty() {
        return;
    }
    let change = *dice.pick(&possible);
    ask(world, change);
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
        let change = *change;
        world.operator.asking = None;
        answered(world, change, result);
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
    host.role == Role::Follower
        && host.disk.identity().is_none()
        && host.process.is_none()
        && host.starts_at.is_none()
}

/// Hosts that have no registered frontend.
fn joiners(world: &World) -> Vec<usize> {
    let known = world.oracle.lock().followers().len();
    if known >= FOLLOWERS_MAX {
        return Vec::new();
    }
    let is_free = |host: &usize| {
        world.registered(*host).is_none() && world.hosts[*host].disk.identity().is_none()
    };
    (0..world.hosts.len()).filter(is_free).collect()
}

/// Frontends that can be dropped: the lost one, or any.
fn leavers(world: &World) -> Vec<NodeId> {
    let (followers, voters) = {
        let oracle = world.oracle.lock();
        (oracle.followers(), oracle.committed_voters())
    };
    if voters.intersection(&followers).count() <= FOLLOWERS_MIN {
        return Vec::new();
    }
    let of = |node: &NodeId| world.host_of(*node);
    let lost = followers.iter().find(|node| of(node).is_some_and(|host| world.hosts[host].lost));
    match lost {
        Some(lost) => vec![*lost],
        None => followers.into_iter().filter(|node| world.survives(None, Some(*node))).collect(),
    }
}

/// Voters whose disk can be found empty, which must not let them back in as who they were.
fn wipeable(world: &World) -> Vec<usize> {
    if world.hosts.iter().any(|host| host.lost || host.must_refuse) {
        return Vec::new();
    }
    let voters = world.oracle.lock().committed_voters();
    let is_voter = |host: &usize| {
        world.is_member(*host)
            && world.hosts[*host].disk.identity().is_some_and(|own| voters.contains(&own.node))
    };
    (0..world.hosts.len())
        .filter(|host| is_voter(host) && world.survives(Some(*host), None))
        .collect()
}

fn ask(world: &mut World, change: Change) {
    let open: Vec<_> = (0..world.hosts.len()).filter_map(|at| world.running(at)).collect();
    if open.is_empty() {
        return;
    }
    let running = world.context.dice.pick(&open).clone();
    let came = match change {
        Change::Add(host) => {
            world.context.count("frontends asked to join");
            world.hosts[host].role = Role::Follower;
            // It comes back as another one.
            world.hosts[host].lost = false;
            // Start first and add first both work.
            if world.hosts[host].process.is_none() && world.context.dice.chance(500_000) {
                world.start(host);
            }
            let address = Network::address(host);
            world.oracle.lock().asked_to_add(&address);
            // Forced, because its name resolves in the simulated network only.
            execute(&running, format!("ALTER SYSTEM ADD FOLLOWER \"{address}\" FORCE"))
        }
        Change::Drop(node) => {
            world.context.count("frontends asked to leave");
            world.oracle.lock().asked_to_drop(node);
            drop_frontend(&running, node)
        }
    };
    world.context.say(&format!("the operator asks: {change:?}"));
    world.operator.asking = Some((change, came));
}

/// Runs a statement in a session of its own.
fn execute(running: &Running, sql: String) -> Came {
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

fn drop_frontend(running: &Running, node: NodeId) -> Came {
    let (done, came) = oneshot::channel();
    let cluster = running.cluster.clone();
    running.handle().spawn(async move {
        let deadline = Instant::now() + Duration::from_secs(ASK_TIMEOUT_S);
        let dropped = cluster.run("root", HostCommand::DropFrontend(node), deadline).await;
        // Nobody waits any more when the operator's patience has ended.
        let _ = done.send(dropped.map(drop));
    });
    came
}

fn answered(world: &World, change: Change, result: Option<Result<(), Failure>>) {
    // What was asked before, with an unknown outcome, may have come about meanwhile.
    let is_done = |failure: &Failure| {
        ["does not exist", "already exists"].iter().any(|said| failure.message.contains(said))
    };
    let refused = match &result {
        Some(Err(failure)) => !is_unknown(failure) && !is_done(failure),
        _ => false,
    };
    world.context.say(&format!("the operator hears: {change:?}: {result:?}"));
    let mut oracle = world.oracle.lock();
    match change {
        Change::Add(host) if refused => oracle.refused_to_add(&Network::address(host)),
        Change::Drop(node) if refused => oracle.refused_to_drop(node),
        Change::Add(_) | Change::Drop(_) => {}
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
    world.oracle.lock().replaced(host, place.disk.log.clone());
    if let Some(old) = old
        && world.context.has(Mutation::EmptyVoter)
        && why != "it was dropped"
    {
        world.hosts[host].disk.stamp(old);
    }
}
