//! Threads that compile modules while a frontend works: behind all others in the queue for a
//! processor, so that neither heartbeats nor clients wait for a compilation.

use std::thread::available_parallelism;

use super::ending::Fault;
use super::engine::STACK_BYTES;
use super::priority::give_way;

/// How much less than others these threads get of a processor that is wanted by both.
const NICENESS: i32 = 5;

/// The threads. The engine's own parallelism runs on them, too.
pub(super) struct Compiler {
    pool: rayon::ThreadPool,
}

impl Compiler {
    /// As many threads as there are processors.
    pub fn new() -> Result<Self, Fault> {
        let processors = available_parallelism().map_or(1, usize::from);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(processors)
            .thread_name(|number| format!("compile-{number}"))
            // They try what they have compiled.
            .stack_size(4 * STACK_BYTES)
            .start_handler(|_| give_way(NICENESS))
            .build();
        let pool = pool.map_err(|error| Fault(format!("start threads to compile: {error}")))?;
        Ok(Self { pool })
    }

    /// Runs work on the threads, and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }
}
