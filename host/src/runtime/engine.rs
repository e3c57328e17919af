//! Every setting of the WebAssembly engine, and the reason for each.
//!
//! What may change an outcome must be the same on all frontends, so all of it is constant here and
//! nothing is read from a configuration or detected on the machine. Changing a value that says
//! *outcome* below, or the release of wasmtime if it computes otherwise, changes what old log
//! entries mean on a replay: it is another epoch, and belongs to [`EPOCHS`].
//!
//! There are two engines, each with a pool of its own, so queries cannot take the instances that
//! apply needs. They compile the same module differently: apply counts fuel, reads watch a
//! deadline.

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, OptLevel,
    PoolingAllocationConfig, RegallocAlgorithm, Strategy, VariableOperatorCost,
    WasmBacktraceDetails,
};

use crate::config::ModuleEngine;
use crate::types::{Epoch, Epochs};

/// The epochs that this release can run. One that changes what is marked *outcome* adds an epoch,
/// keeps the settings of the ones before for clusters that have not taken the step yet, and drops
/// an old one only when no cluster can be in it any more. A test holds each epoch's costs fixed.
pub(super) const EPOCHS: Epochs = Epochs::FIRST;

/// Most linear memory that a module can be granted. *Outcome*: a part of the pool's layout.
pub const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// Most fuel per command that a module can be granted: tens of seconds.
pub const FUEL_MAX: u64 = 20_000_000_000;

/// Stack for the code of a module, beyond which it traps. *Outcome*, and in native bytes: so it is
/// many times what a module may legally need. Whoever calls a module must be on a thread with at
/// least twice that, which threads of std and of tokio have by default.
pub const STACK_BYTES: usize = 1 << 20;

/// Most instances of the apply engine at once: one applies; the others check, migrate on trial and
/// replay. Beyond it the call is a fault, and is tried again.
const APPLY_INSTANCES: u32 = 16;
/// Places on the read engine for instances that wait for a call: those of eight modules.
const IDLE_INSTANCES: u32 = 8 * super::read::IDLE_MAX as u32;

/// Most core modules in one component; the ones that wit-component builds have three or four.
const CORE_INSTANCES: u32 = 8;
/// Most linear memories in one component. The modules that only connect have none.
const MEMORIES: u32 = 1;
/// Most tables in one component: the module's own and the one of its shim.
const TABLES: u32 = 4;
/// Most elements of a table. *Outcome*: growing one beyond it fails.
pub(super) const TABLE_ELEMENTS: usize = 20_000;
/// What an instance may occupy besides memory and tables. *Outcome*: a larger module is refused.
const INSTANCE_BYTES: usize = 1 << 20;

/// Bytes of a slot's memory that are zeroed by hand when it is given back, not by the kernel. Page
/// faults of first touches are the larger part of a small call's cost; 1 MiB measured best.
const RESIDENT_BYTES: usize = 1 << 20;

/// Address space per slot. At 4 GiB no 32-bit address can leave it, so bounds checks cost nothing.
const RESERVED_BYTES: u64 = 4 << 30;

/// The baseline of each architecture and no more, though the processor may have it: naming the
/// target turns detection off, so an artefact compiled here runs on every frontend of this kind.
const TARGET: &str = if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
    "x86_64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "aarch64", target_os = "linux")) {
    "aarch64-unknown-linux-gnu"
} else if cfg!(all(target_arch = "x86_64", target_os = "macos")) {
    "x86_64-apple-darwin"
} else {
    "aarch64-apple-darwin"
};

/// The interpreter, where it can run: it is the same for all architectures of a word size.
const INTERPRETER: &str = "pulley64";

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Replicated calls: bounded by fuel.
    Apply,
    /// Calls that answer one client: bounded by a deadline, this many at once.
    Read(u32),
}

/// How a module becomes something that runs. Voters all use [`Codegen::Native`]; the others are for
/// proofs: outcomes must not depend on it, so the same log through another one must give the same
/// digests, on an observer or when it is verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Codegen {
    /// Optimised machine code.
    #[default]
    Native,
    /// Machine code that the optimiser has not touched.
    Unoptimised,
    /// Instructions of the engine's own interpreter, which another back end of the compiler emits.
    Interpreted,
}

impl From<ModuleEngine> for Codegen {
    fn from(engine: ModuleEngine) -> Self {
        match engine {
            ModuleEngine::Native => Self::Native,
            ModuleEngine::Unoptimised => Self::Unoptimised,
            ModuleEngine::Interpreter => Self::Interpreted,
        }
    }
}

/// An engine with all settings.
pub(super) fn engine(purpose: Purpose, codegen: Codegen, epoch: Epoch) -> wasmtime::Result<Engine> {
    let mut config = Config::new();

    // The same machine code everywhere.
    let (target, level) = match codegen {
        Codegen::Native => (TARGET, OptLevel::Speed),
        Codegen::Unoptimised => (TARGET, OptLevel::None),
        Codegen::Interpreted => (INTERPRETER, OptLevel::Speed),
    };
    config.target(target)?;
    config.strategy(Strategy::Cranelift);
    config.cranelift_opt_level(level);
    config.cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking);
    config.parallel_compilation(true);

    // Outcome: NaN bits are the one thing that the specification leaves to the processor.
    config.cranelift_nan_canonicalization(true);
    features(&mut config);

    // Outcome: where the stack ends, and what a step costs.
    config.max_wasm_stack(STACK_BYTES);
    match purpose {
        Purpose::Apply => {
            config.consume_fuel(true);
            config.operator_cost(operator_cost(epoch));
            // Time must not decide an outcome.
            config.epoch_interruption(false);
        }
        Purpose::Read(_) => {
            // A deadline is time, and fuel would only slow queries down.
            config.consume_fuel(false);
            config.epoch_interruption(true);
        }
    }

    // Outcome: slots are reserved ahead, so that growing a memory never fails for want of room. It
    // is refused by the limiter, from constants, or the process dies.
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(match purpose {
        Purpose::Apply => APPLY_INSTANCES,
        // Those that wait for a call have their places too.
        Purpose::Read(slots) => slots + IDLE_INSTANCES,
    })));
    config.memory_reservation(RESERVED_BYTES);
    config.memory_may_move(false);
    // A fresh instance maps its initial memory instead of copying it.
    config.memory_init_cow(true);
    config.table_lazy_init(true);

    // No machinery for concurrent components: it costs on each call, and is a source of order.
    config.concurrency_support(false);

    // For the local log only: which function trapped.
    config.wasm_backtrace_details(WasmBacktraceDetails::Disable);
    Engine::new(&config)
}

/// Outcome: what a module may contain. Everything is off that no toolchain for modules emits or
/// that is not fully determined. Garbage collection, exceptions and threads are not even compiled
/// in.
fn features(config: &mut Config) {
    config.wasm_relaxed_simd(false);
    config.relaxed_simd_deterministic(true);
    config.shared_memory(false);
    config.gc_support(false);
    config.wasm_shared_everything_threads(false);
    config.wasm_stack_switching(false);
    config.wasm_memory64(false);
    config.wasm_multi_memory(false);
    config.wasm_tail_call(false);
    config.wasm_custom_page_sizes(false);
    config.wasm_wide_arithmetic(false);
    config.wasm_component_model_error_context(false);
    config.wasm_component_model_map(false);
    config.wasm_component_model_fixed_length_lists(false);
    // What rustc and wit-component emit.
    config.wasm_simd(true);
    config.wasm_bulk_memory(true);
    config.wasm_multi_value(true);
    config.wasm_extended_const(true);
}

/// Outcome: what a step costs. One unit an operator and none for those that generate no code is
/// this release's default; what moves many bytes at once pays for them.
fn operator_cost(epoch: Epoch) -> OperatorCost {
    // There is no second epoch yet. In tests there is one, in which some steps cost more.
    if cfg!(test) && epoch > Epoch::FIRST {
        return OperatorCost { LocalGet: 255, I32Const: 255, ..OperatorCost::new() };
    }
    let variable = VariableOperatorCost {
        memory_copy_per_byte: 1,
        memory_fill_per_byte: 1,
        memory_init_per_byte: 1,
        memory_grow_per_page: 255,
        table_copy_per_element: 1,
        table_fill_per_element: 1,
        table_init_per_element: 1,
        table_grow_per_element: 1,
        ..VariableOperatorCost::new()
    };
    OperatorCost { variable, ..OperatorCost::new() }
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances);
    pool.total_core_instances(instances * CORE_INSTANCES);
    pool.total_memories(instances * MEMORIES);
    pool.total_tables(instances * TABLES);
    pool.max_core_instances_per_component(CORE_INSTANCES);
    pool.max_memories_per_component(MEMORIES);
    pool.max_tables_per_component(TABLES);
    pool.max_core_instance_size(INSTANCE_BYTES);
    pool.max_component_instance_size(INSTANCE_BYTES);
    pool.max_memory_size(MEMORY_BYTES_MAX as usize);
    pool.table_elements(TABLE_ELEMENTS);
    pool.linear_memory_keep_resident(RESIDENT_BYTES);
    pool.table_keep_resident(TABLE_ELEMENTS * size_of::<usize>());
    // Off, as by default: a kernel interface that can leave old contents in a reused slot.
    pool.pagemap_scan(Enabled::No);
    pool
}
