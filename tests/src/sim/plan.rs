//! What a seed means: how large the world is, how long it lasts, what goes wrong in it.

use std::ops::RangeInclusive;

use super::dice::Dice;
use super::mutation::Mutation;
use super::network::Weather;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A frontend ends and comes back.
    Crash,
    /// All end at once and come back.
    Storm,
    /// One host is cut off.
    Isolate,
    /// The hosts are split in two.
    Split,
    /// Some links fail in one direction.
    OneWay,
    /// Two halves that only one host reaches both of.
    Bridge,
    /// A few random links fail.
    Partial,
    /// All links heal.
    Heal,
    /// A frontend does not run for a while.
    Pause,
    /// A wall clock jumps.
    ClockJump,
    /// A disk is slow for a while.
    SlowDisk,
    /// A disk hangs for a while.
    HungDisk,
    /// An fsync fails.
    FailedSync,
    /// A disk is full for a while.
    FullDisk,
    /// A disk comes back older than it was.
    OldDisk,
    /// The weather of the network changes.
    Weather,
    /// The leader is told to hand over.
    Transfer,
    /// A frontend takes a snapshot and purges its log up to it.
    Snapshot,
}

impl Fault {
    /// All, with how often each comes among them.
    pub const ALL: [(Self, u64); 18] = [
        (Self::Crash, 12),
        (Self::Storm, 1),
        (Self::Isolate, 6),
        (Self::Split, 5),
        (Self::OneWay, 5),
        (Self::Bridge, 4),
        (Self::Partial, 4),
        (Self::Heal, 22),
        (Self::Pause, 6),
        (Self::ClockJump, 3),
        (Self::SlowDisk, 5),
        (Self::HungDisk, 3),
        (Self::FailedSync, 2),
        (Self::FullDisk, 2),
        (Self::OldDisk, 1),
        (Self::Weather, 6),
        (Self::Transfer, 4),
        (Self::Snapshot, 14),
    ];

    /// In the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crash => "fault: crash",
            Self::Storm => "fault: restart storm",
            Self::Isolate => "fault: partition, one isolated",
            Self::Split => "fault: partition, split",
            Self::OneWay => "fault: partition, one way",
            Self::Bridge => "fault: partition, bridge",
            Self::Partial => "fault: partition, partial",
            Self::Heal => "links healed",
            Self::Pause => "fault: pause",
            Self::ClockJump => "fault: clock jump",
            Self::SlowDisk => "fault: slow fsync",
            Self::HungDisk => "fault: hung fsync",
            Self::FailedSync => "fault: failed fsync",
            Self::FullDisk => "fault: disk full",
            Self::OldDisk => "fault: disk older than it was",
            Self::Weather => "weather changed",
            Self::Transfer => "leader transfers",
            Self::Snapshot => "snapshots asked for",
        }
    }
}

/// What a host is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing: it has an empty disk, and nobody runs on it.
    Outside,
    /// It has a frontend that belongs to it, is to, or did until it was dropped.
    Inside,
}

/// A run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Hosts that the cluster begins with, each with a frontend.
    pub hosts: usize,
    /// Hosts that may join. None: nothing changes who belongs in this run.
    pub spares: usize,
    /// So many frontends at most are added as observers.
    pub observers: usize,
    /// Whether followers become observers, and observers followers.
    pub turns: bool,
    /// Whether frontends move to other addresses.
    pub moves: bool,
    /// How often somebody changes who belongs, in millionths per millisecond.
    pub change_rate: u64,
    /// How often somebody installs or activates a module, in millionths per millisecond.
    pub swap_rate: u64,
    /// How often a host loses what runs a module, in millionths per millisecond.
    pub loss_rate: u64,
    /// How often another release of the program is started on a host, which has another engine
    /// epoch, in millionths per millisecond.
    pub release_rate: u64,
    /// Clients.
    pub clients: u64,
    /// Keys that they fight over.
    pub keys: u64,
    /// Their pauses, in milliseconds.
    pub think_ms: RangeInclusive<u64>,
    /// How long faults go on, in milliseconds.
    pub chaos_ms: u64,
    /// How often a fault comes, in millionths per millisecond.
    pub fault_rate: u64,
    /// How often a write to a log ends the process, in millionths.
    pub crash_rate: u64,
    /// Which faults may come, with their weights.
    pub faults: Vec<(Fault, u64)>,
    /// Whether the module runs as WebAssembly.
    pub wasm: bool,
}

/// Every so many seeds, modules run as WebAssembly.
const WASM_EVERY: u64 = 32;
/// Every so many seeds, frontends join and leave.
const CHANGES_EVERY: u64 = 2;
/// How many of those have observers, how many of these have roles that change, and how many of all
/// have frontends that move, in millionths.
const OBSERVED_RATE: u64 = 500_000;
const TURNING_RATE: u64 = 600_000;
const MOVING_RATE: u64 = 300_000;
/// How many of all seeds have modules that are installed and activated, in millionths.
const SWAPPING_RATE: u64 = 350_000;
/// How many of those have hosts that lose what runs a module, and how many have another release of
/// the program, in millionths.
const LOSING_RATE: u64 = 600_000;
const RELEASING_RATE: u64 = 400_000;

impl Plan {
    /// The plan of a seed. With a defect, what it spoils is sure to happen.
    pub fn of(seed: u64, dice: &Dice, mutation: Option<Mutation>) -> Self {
        let hosts = if dice.chance(300_000) { 5 } else { 3 };
        // A run concentrates on some kinds: rare combinations come up that way.
        let mut faults: Vec<_> =
            Fault::ALL.into_iter().filter(|(fault, _)| keeps(*fault, dice)).collect();
        if faults.iter().all(|(fault, _)| *fault == Fault::Heal) {
            faults.push((Fault::Crash, 5));
        }
        // Of their own, so that the other plans stay what they are.
        let own = Dice::new(!seed);
        let feeds = mutation.is_some_and(Mutation::is_of_feeds);
        let changes = seed.is_multiple_of(CHANGES_EVERY) || feeds;
        let wasm = seed.is_multiple_of(WASM_EVERY);
        let change_rate = if changes { own.within(&(150..=1_200)) } else { 0 };
        let observers = if changes && own.chance(OBSERVED_RATE) || feeds { 2 } else { 0 };
        let moves = changes && own.chance(MOVING_RATE);
        let turns = observers > 0 && own.chance(TURNING_RATE);
        let swaps = own.chance(SWAPPING_RATE) || mutation.is_some_and(Mutation::is_of_modules);
        let swaps = swaps && !wasm;
        let swap_rate = if swaps { own.within(&(600..=4_000)) } else { 0 };
        let loses = swaps && own.chance(LOSING_RATE);
        let loss_rate = if loses { own.within(&(200..=1_500)) } else { 0 };
        let releases = swaps && own.chance(RELEASING_RATE);
        let release_rate = if releases { own.within(&(300..=1_500)) } else { 0 };
        Self {
            hosts,
            spares: if changes { 2 + observers } else { 0 },
            observers,
            turns,
            moves,
            change_rate,
            swap_rate,
            loss_rate,
            release_rate,
            clients: dice.within(&(2..=8)),
            keys: dice.within(&(2..=8)),
            think_ms: 0..=dice.within(&(1..=30)),
            chaos_ms: dice.within(&(6_000..=18_000)),
            fault_rate: dice.within(&(1_000..=8_000)),
            crash_rate: if dice.chance(500_000) { dice.within(&(100..=4_000)) } else { 0 },
            faults,
            wasm,
        }
    }

    /// Whether anything changes who belongs.
    pub fn has_changes(&self) -> bool {
        self.change_rate > 0
    }

    /// Whether modules are installed and activated.
    pub fn has_swaps(&self) -> bool {
        self.swap_rate > 0
    }

    /// Chooses a fault.
    pub fn fault(&self, dice: &Dice) -> Fault {
        let total = self.faults.iter().map(|(_, weight)| weight).sum();
        let mut at = dice.below(total);
        for (fault, weight) in &self.faults {
            match at.checked_sub(*weight) {
                None => return *fault,
                Some(rest) => at = rest,
            }
        }
        Fault::Heal
    }
}

fn keeps(fault: Fault, dice: &Dice) -> bool {
    fault == Fault::Heal || dice.chance(650_000)
}

/// Some weather.
pub fn weather(dice: &Dice) -> Weather {
    if dice.chance(300_000) {
        return Weather::calm();
    }
    let slowest = dice.within(&(1..=12));
    Weather {
        loss: dice.below(15_000),
        double: dice.below(60_000),
        late: dice.below(40_000),
        delay_ms: 1..=slowest,
    }
}
