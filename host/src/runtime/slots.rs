//! How many read-only calls run at once, and the clock that ends them.
//!
//! A call waits for a slot until its deadline. While any slot is taken, one thread advances the
//! read engine's epoch, at which running calls compare their deadline with the time; while none is,
//! it sleeps. The thread ends with the runtime.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use wasmtime::Engine;

/// How often running calls look at the time: how late a deadline may come.
const TICK: Duration = Duration::from_millis(5);

/// Ticks without a call before the clock sleeps: short calls in a row must not wake it each time.
const IDLE_TICKS: u32 = 20;

/// The slots of one read engine.
pub(super) struct Slots {
    shared: Arc<Shared>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// A slot became free.
    freed: Condvar,
    /// The first slot was taken, or the end has come.
    taken: Condvar,
}

struct State {
    total: u32,
    free: u32,
    /// The ticker waits to be woken.
    asleep: bool,
    ended: bool,
}

/// A slot, until it is dropped.
pub(super) struct Slot<'a>(&'a Shared);

impl Slots {
    /// As many as the engine's pool has instances, at least one.
    pub fn new(total: u32, engine: Engine) -> std::io::Result<Self> {
        let state = Mutex::new(State { total, free: total, asleep: false, ended: false });
        let shared = Arc::new(Shared { state, freed: Condvar::new(), taken: Condvar::new() });
        let ticker = std::thread::Builder::new().name("read-deadlines".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.tick(&engine)
        })?;
        Ok(Self { shared, ticker: Some(ticker) })
    }

    /// Takes a slot, or gives none when none became free in time.
    pub fn take(&self, deadline: Instant) -> Option<Slot<'_>> {
        let mut state = self.shared.state.lock();
        while state.free == 0 {
            if self.shared.freed.wait_until(&mut state, deadline).timed_out() && state.free == 0 {
                return None;
            }
        }
        if state.asleep {
            state.asleep = false;
            self.shared.taken.notify_one();
        }
        state.free -= 1;
        Some(Slot(&self.shared))
    }
}

impl Shared {
    fn tick(&self, engine: &Engine) {
        let mut state = self.state.lock();
        let mut idle_ticks = 0;
        while !state.ended {
            if idle_ticks >= IDLE_TICKS {
                state.asleep = true;
                self.taken.wait(&mut state);
                idle_ticks = 0;
            }
            self.taken.wait_for(&mut state, TICK);
            engine.increment_epoch();
            idle_ticks = if state.free == state.total { idle_ticks + 1 } else { 0 };
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.state.lock().free += 1;
        self.0.freed.notify_one();
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.shared.state.lock().ended = true;
        self.shared.taken.notify_one();
        if let Some(ticker) = self.ticker.take() {
            // It panics for no reason of its own, and nothing is left to tell.
            let _ = ticker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::runtime::engine::{Codegen, Purpose, engine};
    use crate::types::Epoch;

    #[test]
    fn a_call_waits_for_a_slot_until_its_deadline() {
        let slots = Slots::new(1, engine(Purpose::Read(1), Codegen::Native, Epoch::FIRST).unwrap())
            .unwrap();
        let far = Instant::now() + Duration::from_secs(60);
        let held = slots.take(far).unwrap();
        assert!(slots.take(Instant::now() + Duration::from_millis(20)).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take(far).is_some());
            drop(held);
            assert!(waiting.join().unwrap());
        });
    }
}
