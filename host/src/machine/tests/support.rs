//! A log in the making, a state that outlives the machine over it, and the modules.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use quorate_wire::{Description, Limits, Reply};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::machine::{Applier, Machine};
use crate::runtime::{Codegen, Fault, Runtime, RuntimeOptions};
use crate::storage::state::{
    MemoryState, RocksState, RocksStateOptions, StateError, StateStore, Writes,
};
use crate::types::{
    Action, Batch, BatchHeader, BatchReply, ClusterId, Command, Consent, Entry, EntryPayload,
    Frontend, FrontendKind, Generation, HostCommand, LeaderId, Lifecycle, LogId, Lsn, Membership,
    ModuleDigest, ModuleManifest, NodeId, Order, Outcome, Pairs, Peer, Range, RequestId, Scan,
    View, ViewError,
};

/// Where a state is kept, across restarts of what works on it.
pub enum Disk {
    Memory(Arc<MemoryState>),
    Rocks(TempDir),
}

impl Disk {
    /// One of each kind.
    pub fn kinds() -> [Self; 2] {
        [Self::memory(), Self::Rocks(TempDir::new().unwrap())]
    }

    pub fn memory() -> Self {
        Self::Memory(Arc::new(MemoryState::new()))
    }

    pub fn open(&self) -> Arc<dyn StateStore> {
        match self {
            Self::Memory(state) => Arc::clone(state) as _,
            Self::Rocks(dir) => {
                let options = RocksStateOptions { block_cache_bytes: 1 << 20 };
                Arc::new(RocksState::open(dir.path(), options).unwrap())
            }
        }
    }
}

/// A machine over a state.
pub struct Node {
    pub machine: Machine,
    pub applier: Applier,
}

impl Node {
    pub fn open(state: Arc<dyn StateStore>, runtime: &Runtime) -> Self {
        let (machine, applier) = Machine::open(state, runtime.clone()).unwrap();
        Self { machine, applier }
    }

    /// Applies entries as one run.
    pub fn apply(&mut self, entries: &[Entry]) -> Vec<BatchReply> {
        self.applier.apply(entries, &|_| Ok(())).unwrap()
    }

    /// Applies one entry and gives its outcomes.
    pub fn outcomes(&mut self, entry: &Entry) -> Vec<(Lsn, Outcome)> {
        self.apply(std::slice::from_ref(entry))[0].outcomes.to_vec()
    }

    /// The value of a key in the space of the module `m`.
    pub fn value(&self, key: &str) -> Option<Bytes> {
        let stored = [b"\x10\x01m", key.as_bytes()].concat();
        self.machine.shared.published.load_full().view.get(&stored).unwrap()
    }

    /// Everything that is stored.
    pub fn dump(&self) -> Pairs {
        let view = &self.machine.shared.published.load_full().view;
        let range = Range { low: &[], high: &[0xff], reverse: false };
        let Scan { pairs, done } = view.scan(range, usize::MAX, usize::MAX).unwrap();
        assert!(done);
        pairs
    }
}

/// Every way in which modules can be run.
pub const CODEGENS: [Codegen; 3] = [Codegen::Native, Codegen::Unoptimised, Codegen::Interpreted];

pub fn runtime_of(codegen: Codegen) -> Runtime {
    Runtime::with_codegen(RuntimeOptions { read_slots: 2 }, codegen).unwrap()
}

pub fn runtime() -> Runtime {
    Runtime::new(RuntimeOptions { read_slots: 2 }).unwrap()
}

/// Makes entries one after the other.
#[derive(Default)]
pub struct Log {
    pub entries: Vec<Entry>,
    pub time_us: u64,
}

impl Log {
    pub fn push(&mut self, payload: EntryPayload) -> &Entry {
        let leader_id = LeaderId { term: 1, node_id: NodeId(1) };
        let log_id = LogId { leader_id, index: self.entries.len() as u64 };
        self.entries.push(Entry { log_id, payload });
        self.entries.last().unwrap()
    }

    pub fn commands(&mut self, commands: &[Command]) -> &Entry {
        let packed: Vec<_> = commands.iter().map(Command::pack).collect();
        self.packed(&packed)
    }

    pub fn packed(&mut self, commands: &[Bytes]) -> &Entry {
        let entropy = [self.entries.len() as u8; 16];
        self.time_us += 1000;
        let header = BatchHeader { time_us: self.time_us, entropy };
        self.push(EntryPayload::Normal(Batch::pack(header, commands.iter())))
    }

    /// The LSN of the newest entry.
    pub fn lsn(&self) -> Lsn {
        Lsn(self.entries.len() as u64 - 1)
    }
}

/// Draws request ids.
pub struct Client {
    pub id: u64,
    pub sequence: u64,
    pub floor: u64,
}

impl Client {
    pub fn new(id: u64) -> Self {
        Self { id, sequence: 0, floor: 0 }
    }

    pub fn command(&mut self, action: Action) -> Command {
        self.sequence += 1;
        let request = RequestId { client: self.id, sequence: self.sequence };
        Command { request, floor: self.floor, caller: "root".into(), action }
    }

    pub fn host(&mut self, command: HostCommand) -> Command {
        self.command(Action::Host(command))
    }

    pub fn module(&mut self, module: ModuleDigest, payload: impl Into<Bytes>) -> Command {
        self.command(Action::Module { digest: module, payload: payload.into() })
    }
}

/// A component file and what it says of itself.
#[derive(Clone)]
pub struct Guest {
    pub bytes: Bytes,
    pub manifest: ModuleManifest,
}

impl Guest {
    /// The module `m@1.0.0` of schema 1.
    pub fn first() -> Self {
        Self::written("m", "1.0.0", 1, &[])
    }

    /// The state machine written by hand: its commands are letters, and how its migration ends
    /// depends on the schema that it comes from.
    pub fn written(name: &str, version: &str, schema: u32, migrates_from: &[u32]) -> Self {
        Self::saying(describe(name, version, schema, migrates_from))
    }

    /// The same, and it serves rows of the schemas that it migrates from.
    pub fn serving(name: &str, version: &str, schema: u32, migrates_from: &[u32]) -> Self {
        let description = describe(name, version, schema, migrates_from);
        let mut description = Description::unpack(&description).unwrap();
        description.serves = migrates_from.to_vec();
        Self::saying(description.pack().into())
    }

    /// The same, which asks for so much fuel for a command.
    pub fn granted(name: &str, version: &str, fuel: u64) -> Self {
        let description = describe(name, version, 1, &[]);
        let mut description = Description::unpack(&description).unwrap();
        description.limits.fuel = fuel;
        Self::saying(description.pack().into())
    }

    fn saying(description: Bytes) -> Self {
        let text = description.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>();
        let source = include_str!("../../runtime/tests/guest.wat")
            .replace("DESCRIPTION_BYTES", &description.len().to_string())
            .replace("DESCRIPTION\")", &format!("{text}\")"));
        Self::described(wat::parse_str(source).unwrap().into(), description)
    }

    /// A module of this repository, `name-version.wasm`, built from its source.
    pub fn built(runtime: &Runtime, file: &str) -> Self {
        let (name, version) = file.strip_suffix(".wasm").unwrap().split_once('-').unwrap();
        let (module, dir) = (xtask::Module::find(name, version).unwrap(), TempDir::new().unwrap());
        let path = xtask::build_module(&module, dir.path()).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let description = runtime.load(&bytes).unwrap().packed_description().clone();
        Self::described(bytes.into(), description)
    }

    /// Bytes under a description, whether or not they are a component.
    pub fn described(bytes: Bytes, description: Bytes) -> Self {
        let digest = ModuleDigest(Sha256::digest(&bytes).into());
        let size_bytes = bytes.len() as u64;
        Self { bytes, manifest: ModuleManifest { digest, size_bytes, description } }
    }

    pub fn digest(&self) -> ModuleDigest {
        self.manifest.digest
    }

    /// The commands that bring it into the cluster.
    pub fn install(&self) -> Vec<HostCommand> {
        let digest = self.digest();
        let chunks = self.bytes.chunks(128 << 10).zip(0..).map(|(chunk, index)| {
            let bytes = Bytes::copy_from_slice(chunk);
            HostCommand::PutModuleChunk { digest, index, bytes }
        });
        chunks.chain([HostCommand::InstallModule(self.manifest.clone())]).collect()
    }

    pub fn acknowledge(&self, node: u64) -> HostCommand {
        let digest = self.digest();
        HostCommand::AcknowledgeModule { node: NodeId(node), digest, refusal: None }
    }

    pub fn activate(&self, expected: Option<&Self>) -> HostCommand {
        let expected = expected.map(Self::digest);
        let consent = Consent::Waived;
        let order = Order { consent, ..Order::new(self.digest(), expected) };
        HostCommand::Lifecycle(Lifecycle::Activate(order))
    }
}

/// A packed description.
pub fn describe(name: &str, version: &str, schema: u32, migrates_from: &[u32]) -> Bytes {
    let description = Description {
        name: name.into(),
        version: version.into(),
        schema,
        migrates_from: migrates_from.to_vec(),
        serves: Vec::new(),
        relations: Vec::new(),
        statements: Vec::new(),
        limits: Limits::default(),
    };
    description.pack().into()
}

/// The frontend `h<n>:9010`.
pub fn frontend(number: u64) -> Frontend {
    Frontend::new(FrontendKind::Follower, format!("h{number}"), 9010)
}

pub fn found() -> HostCommand {
    let (cluster, generation) = (ClusterId(77), Generation(1));
    HostCommand::Found { cluster, generation, frontend: frontend(1) }
}

pub fn voters(nodes: &[u64]) -> EntryPayload {
    let config = nodes.iter().map(|node| NodeId(*node)).collect();
    let peer = |node: &u64| (NodeId(*node), Peer { address: format!("h{node}:9010") });
    let peers: std::collections::BTreeMap<_, _> = nodes.iter().map(peer).collect();
    EntryPayload::Membership(Membership::new(vec![config], peers).unwrap())
}

/// The log of a cluster of one frontend in which `guest` is active.
pub fn started(guest: &Guest, client: &mut Client) -> Log {
    let mut log = Log::default();
    log.push(voters(&[1]));
    log.push(EntryPayload::Blank);
    log.commands(&[client.host(found())]);
    for command in guest.install() {
        log.commands(&[client.host(command)]);
    }
    let ready = [guest.acknowledge(1), guest.activate(None)];
    log.commands(&ready.map(|command| client.host(command)));
    log
}

/// A command that sets a one-letter key.
pub fn put(key: char, value: &str) -> Bytes {
    format!("p{key}{value}").into()
}

/// How many things a command of the host changed.
pub fn affected(outcome: &Outcome) -> u64 {
    let Outcome::Applied(reply) = outcome else { panic!("not applied: {outcome:?}") };
    match Reply::unpack(reply).unwrap().body {
        quorate_wire::Body::Done { affected } => affected,
        other => panic!("not the reply of a host command: {other:?}"),
    }
}

/// Why a command was refused.
pub fn refusal(outcome: &Outcome) -> &str {
    let Outcome::Refused(failure) = outcome else { panic!("not refused: {outcome:?}") };
    &failure.message
}

/// A state whose storage fails while a switch is on.
pub struct Failing {
    pub state: Arc<dyn StateStore>,
    pub reads: Arc<AtomicBool>,
    pub commits: Arc<AtomicBool>,
}

impl Failing {
    pub fn over(state: Arc<dyn StateStore>) -> Self {
        Self { state, reads: Arc::default(), commits: Arc::default() }
    }
}

impl StateStore for Failing {
    fn view(&self) -> Arc<dyn View> {
        Arc::new(FailingView { view: self.state.view(), reads: Arc::clone(&self.reads) })
    }

    fn commit(&self, writes: Writes) -> Result<(), StateError> {
        if self.commits.load(Ordering::Relaxed) {
            let (path, reason) = ("memory".to_owned(), "switched off".to_owned());
            return Err(StateError::Failed { path, reason });
        }
        self.state.commit(writes)
    }

    fn flush(&self) -> Result<(), StateError> {
        self.state.flush()
    }

    fn checkpoint(&self, dir: &Path) -> Result<(), StateError> {
        self.state.checkpoint(dir)
    }
}

struct FailingView {
    view: Arc<dyn View>,
    reads: Arc<AtomicBool>,
}

impl FailingView {
    fn check(&self) -> Result<(), ViewError> {
        let failing = self.reads.load(Ordering::Relaxed);
        if failing { Err(ViewError("switched off".into())) } else { Ok(()) }
    }
}

impl View for FailingView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        self.check().and_then(|()| self.view.get(key))
    }

    fn scan(&self, range: Range<'_>, rows_max: usize, bytes_max: usize) -> Result<Scan, ViewError> {
        self.check().and_then(|()| self.view.scan(range, rows_max, bytes_max))
    }
}

/// A log that is never durable.
pub fn not_durable(_: &LogId) -> Result<(), Fault> {
    Err(Fault("the log is not durable".into()))
}

/// The state in a checkpoint.
pub fn restore(place: &Path, is_memory: bool) -> Arc<dyn StateStore> {
    if is_memory {
        return Arc::new(MemoryState::open_checkpoint(place).unwrap());
    }
    Arc::new(RocksState::open(place, RocksStateOptions { block_cache_bytes: 1 << 20 }).unwrap())
}
