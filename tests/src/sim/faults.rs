//! Faults: each picks its victims and says what it does.

use std::sync::atomic::Ordering;

use quorate::types::Lsn;

use super::disk::Mood;
use super::plan::{Fault, weather};
use super::world::World;

/// Entries younger than this may not be in the fence file yet, in entries.
const FENCED_ENTRIES: u64 = 60;

/// Something goes wrong.
pub fn happen(world: &mut World) {
    let context = std::sync::Arc::clone(&world.context);
    let dice = &context.dice;
    let living = world.victims();
    let fault = world.plan.fault(dice);
    let host = *dice.pick(&living);
    let now = context.now_ms();
    context.count(fault.name());
    context.say(&format!("{} ({host})", fault.name()));
    match fault {
        Fault::Crash => {
            let at_once = dice.chance(700_000);
            world.crash(host, "crash", at_once);
        }
        Fault::Storm => living.iter().for_each(|host| world.crash(*host, "restart storm", true)),
        Fault::Isolate => {
            for other in living.iter().filter(|other| **other != host) {
                cut_both(world, host, *other);
            }
        }
        Fault::Split => {
            let side: Vec<_> = living.iter().map(|_| dice.chance(500_000)).collect();
            for (at, one) in living.iter().enumerate() {
                for (to, other) in living.iter().enumerate().skip(at + 1) {
                    if side[at] != side[to] {
                        cut_both(world, *one, *other);
                    }
                }
            }
        }
        Fault::OneWay => {
            for other in living.iter().filter(|other| **other != host) {
                if dice.chance(600_000) {
                    world.network.cut(host, *other);
                }
            }
        }
        Fault::Bridge => {
            // All but `host` are in one of two halves, which do not reach each other.
            let rest: Vec<_> = living.iter().copied().filter(|other| *other != host).collect();
            let (left, right) = rest.split_at(rest.len() / 2);
            for one in left {
                right.iter().for_each(|other| cut_both(world, *one, *other));
            }
        }
        Fault::Partial => {
            for one in &living {
                for other in living.iter().filter(|other| *other != one) {
                    if dice.chance(250_000) {
                        world.network.cut(*one, *other);
                    }
                }
            }
        }
        Fault::Heal => world.network.heal(),
        Fault::Pause => {
            if world.hosts[host].process.is_some() && world.hosts[host].paused_until.is_none() {
                world.hosts[host].paused_until = Some(now + dice.within(&(20..=1500)));
            }
        }
        Fault::ClockJump => {
            let jump = i64::try_from(dice.below(1_200_000)).unwrap_or_default() - 600_000;
            world.hosts[host].skew_ms.store(jump, Ordering::Relaxed);
        }
        Fault::SlowDisk => {
            let slow = dice.within(&(5..=60));
            mood(world, host, Mood::Takes(slow / 2..=slow));
        }
        Fault::HungDisk => mood(world, host, Mood::Takes(500..=3000)),
        Fault::FailedSync => mood(world, host, Mood::SyncFails),
        Fault::FullDisk => mood(world, host, Mood::Full),
        Fault::OldDisk => age(world, host),
        Fault::Weather => {
            world.network.set_weather(weather(dice));
            // And disks recover.
            for host in &world.hosts {
                *host.disk.mood.lock() = Mood::Takes(0..=1);
            }
        }
        Fault::Transfer => {
            if world.plan.has_changes() && dice.chance(400_000) {
                spoil(world, host);
            }
            transfer(world, host);
        }
        Fault::Snapshot => snapshot(world, host),
    }
}

fn cut_both(world: &World, one: usize, other: usize) {
    world.network.cut(one, other);
    world.network.cut(other, one);
}

fn mood(world: &World, host: usize, mood: Mood) {
    *world.hosts[host].disk.mood.lock() = mood;
}

/// The disk of a host comes back older than it was: entries that it had made durable, and said so,
/// are gone. It must notice, and stay away. At most one host, or there would be no majority left.
fn age(world: &mut World, host: usize) {
    let lost = world.hosts.iter().any(|host| host.lost || host.must_refuse);
    let last = world.hosts[host].disk.log.last_synced().unwrap_or_default();
    let first = world.hosts[host].disk.log.first_seen().unwrap_or_default();
    let fenced = last.saturating_sub(FENCED_ENTRIES);
    if lost || fenced <= first + 1 || world.hosts[host].process.is_none() {
        return;
    }
    if world.plan.has_changes() && !(world.is_member(host) && world.survives(Some(host), None)) {
        return;
    }
    let from = first + 1 + world.context.dice.below(fenced - first - 1);
    world.crash(host, "its disk goes back in time", false);
    // Whether the fence file speaks of the entry depends on when it was written last.
    let Some(guarded) = world.hosts[host].disk.fenced() else { return };
    if from > guarded {
        return;
    }
    world.context.count("disks made older");
    world.oracle.lock().forgets(host);
    world.hosts[host].disk.log.forget_from(from);
    world.hosts[host].must_refuse = true;
}

/// The host that is about to take over cannot, for one reason or another.
fn spoil(world: &mut World, host: usize) {
    let dice = &world.context.dice;
    let others: Vec<_> = world.victims().into_iter().filter(|other| *other != host).collect();
    let (hears, is_heard) = (dice.chance(500_000), dice.chance(500_000));
    if hears && is_heard {
        let until = world.context.now_ms() + dice.within(&(50..=1500));
        let place = &mut world.hosts[host];
        if place.process.is_some() {
            place.paused_until.get_or_insert(until);
        }
        return;
    }
    for other in others {
        if !hears {
            world.network.cut(other, host);
        }
        if !is_heard {
            world.network.cut(host, other);
        }
    }
}

/// The leader is told to hand over to a host.
pub fn transfer(world: &World, host: usize) {
    let to = world.hosts[host].disk.identity();
    let (Some((leader, _)), Some(to)) = (world.leader(), to) else {
        return;
    };
    let Some(running) = world.running(leader) else { return };
    let cluster = running.cluster.clone();
    running.handle().spawn(async move {
        // It may be refused or come too late.
        let _ = cluster.node().transfer_leader(to.node).await;
    });
}

/// A frontend takes a snapshot, and purges what it makes dispensable but for a few entries.
fn snapshot(world: &World, host: usize) {
    let Some(running) = world.running(host) else { return };
    let (cluster, keep) = (running.cluster.clone(), world.context.dice.below(30));
    running.handle().spawn(async move {
        // Consensus may end meanwhile.
        if let Ok(lsn) = cluster.node().take_snapshot().await {
            let _ = cluster.node().purge(Lsn(lsn.0.saturating_sub(keep))).await;
        }
    });
}
