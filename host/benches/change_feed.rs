//! What it costs apply to keep the changes of each entry: puts of the key/value module on RocksDB,
//! with the setting `change_feed` on and off, in turns on one state each.
//!
//! Counts the time that this thread had a processor, so that other load matters little.
#![allow(clippy::unwrap_used, reason = "a benchmark may end at anything")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate::machine::{Applier, CHANGE_FEED, Machine, OFF};
use quorate::runtime::{Runtime, RuntimeOptions};
use quorate::storage::state::{RocksState, RocksStateOptions};
use quorate::types::{
    Action, Batch, BatchHeader, ClusterId, Command, Entry, EntryPayload, Frontend, FrontendKind,
    Generation, HostCommand, LeaderId, Lifecycle, LogId, Membership, ModuleDigest, ModuleManifest,
    NodeId, Order, Outcome, Peer, RequestId,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const KEYS: u64 = 20_000;
const VALUE: [u8; 128] = [b'v'; 128];
/// Puts between two turns, and turns of each side.
const PUTS: usize = 8192;
const TURNS: usize = 12;
/// Commands in an entry, and entries in a run.
const SHAPES: [(usize, usize); 4] = [(1, 1), (1, 32), (16, 4), (128, 1)];

struct Side {
    applier: Applier,
    module: ModuleDigest,
    next: u64,
    sequence: u64,
    seed: u64,
    _dir: TempDir,
}

impl Side {
    fn new(change_feed: &str, file: &[u8], description: Bytes) -> Self {
        let dir = TempDir::new().unwrap();
        let state = RocksState::open(dir.path(), RocksStateOptions::default()).unwrap();
        let runtime = Runtime::new(RuntimeOptions { read_slots: 1 }).unwrap();
        let (_, applier) = Machine::open(Arc::new(state), runtime).unwrap();
        let digest = ModuleDigest(Sha256::digest(file).into());
        let mut side = Self { applier, module: digest, next: 0, sequence: 0, seed: 1, _dir: dir };
        let frontend = Frontend::new(FrontendKind::Follower, "h", 9010);
        let nodes = BTreeMap::from([(NodeId(1), Peer { address: "h:9010".into() })]);
        let membership = Membership::new(vec![[NodeId(1)].into()], nodes).unwrap();
        let first = side.entry(EntryPayload::Membership(membership));
        side.run(&[first]);
        let (cluster, generation) = (ClusterId(7), Generation(1));
        side.host(HostCommand::Found { cluster, generation, frontend });
        for (index, chunk) in (0..).zip(file.chunks(128 << 10)) {
            let bytes = Bytes::copy_from_slice(chunk);
            side.host(HostCommand::PutModuleChunk { digest, index, bytes });
        }
        let size_bytes = file.len() as u64;
        side.host(HostCommand::InstallModule(ModuleManifest { digest, size_bytes, description }));
        side.host(HostCommand::AcknowledgeModule { node: NodeId(1), digest, refusal: None });
        side.host(HostCommand::Lifecycle(Lifecycle::Activate(Order::new(digest, None))));
        let (key, value) = (CHANGE_FEED.to_owned(), change_feed.to_owned());
        side.host(HostCommand::Set { key, value });
        side
    }

    fn entry(&mut self, payload: EntryPayload) -> Entry {
        let leader_id = LeaderId { term: 1, node_id: NodeId(1) };
        let log_id = LogId { leader_id, index: self.next };
        self.next += 1;
        Entry { log_id, payload }
    }

    fn batch(&mut self, actions: impl Iterator<Item = Action>) -> Entry {
        let commands: Vec<_> = actions.map(|action| self.command(action)).collect();
        let header = BatchHeader { time_us: self.next, entropy: [1; 16] };
        let batch = Batch::pack(header, commands.iter());
        self.entry(EntryPayload::Normal(batch))
    }

    fn command(&mut self, action: Action) -> Bytes {
        self.sequence += 1;
        let request = RequestId { client: 1, sequence: self.sequence };
        // As a frontend whose clients wait for their answers.
        let floor = self.sequence.saturating_sub(256);
        Command { request, floor, caller: "root".into(), action }.pack()
    }

    fn host(&mut self, command: HostCommand) {
        let entry = self.batch([Action::Host(command)].into_iter());
        self.run(&[entry]);
    }

    fn run(&mut self, entries: &[Entry]) {
        for reply in self.applier.apply(entries, &|_| Ok(())).unwrap() {
            for (_, outcome) in reply.outcomes.iter() {
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
            }
        }
    }

    /// Nanoseconds of processor time for each put.
    fn turn(&mut self, (commands, entries): (usize, usize)) -> f64 {
        let runs: Vec<Vec<Entry>> = (0..PUTS / commands / entries)
            .map(|_| (0..entries).map(|_| self.puts(commands)).collect())
            .collect();
        let started = processor_ns();
        for run in &runs {
            self.run(run);
        }
        let puts = runs.len() * commands * entries;
        (processor_ns() - started) as f64 / puts as f64
    }

    fn puts(&mut self, commands: usize) -> Entry {
        let module = self.module;
        let actions: Vec<_> = (0..commands)
            .map(|_| {
                self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let key = format!("key{:08}", (self.seed >> 33) % KEYS);
                Action::Module { digest: module, payload: put(key.as_bytes()) }
            })
            .collect();
        self.batch(actions.into_iter())
    }
}

/// A command as the module makes it of a packed request to put.
fn put(key: &[u8]) -> Bytes {
    let mut out = quorate_wire::Writer::new();
    out.flag(false);
    out.byte(0);
    out.bytes(key);
    out.bytes(&VALUE);
    out.finish().into()
}

fn processor_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn main() {
    let dir = TempDir::new().unwrap();
    let module = xtask::Module::find("kv", "1.0.0").unwrap();
    let file = std::fs::read(xtask::build_module(&module, dir.path()).unwrap()).unwrap();
    let runtime = Runtime::new(RuntimeOptions { read_slots: 1 }).unwrap();
    let description = runtime.load(&file).unwrap().packed_description().clone();
    for shape in SHAPES {
        let mut sides = [OFF, "true"].map(|value| Side::new(value, &file, description.clone()));
        let mut taken = [Vec::new(), Vec::new()];
        for turn in 0..TURNS + 1 {
            for (side, taken) in sides.iter_mut().zip(&mut taken) {
                let ns = side.turn(shape);
                // The first turn warms up.
                if turn > 0 {
                    taken.push(ns);
                }
            }
        }
        let [off, on] = taken.map(|mut taken| {
            taken.sort_by(f64::total_cmp);
            taken[taken.len() / 2]
        });
        println!(
            "{} puts an entry, {} entries a run: {off:.0} ns a put off, {on:.0} ns on: {:+.1} %",
            shape.0,
            shape.1,
            (on / off - 1.0) * 100.0
        );
    }
}
