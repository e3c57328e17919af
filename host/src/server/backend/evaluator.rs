//! The threads on which modules evaluate statements.
//!
//! An evaluation takes microseconds, so handing each to a thread that has to be woken would cost
//! more than the evaluation. A few threads take them from one queue; while there is work, none of
//! them sleeps. A simulation has no threads: there a statement is evaluated where it is awaited.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use quorate_wire::Failure;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long one may take in a simulation: only one that never ends is to come to it.
const INLINE_LIMIT: Duration = Duration::from_secs(600);
/// Threads. More than processors, because a module may take its time until its deadline.
const THREADS: usize = 8;
/// Most evaluations that wait; more statements are refused.
const WAITING_MAX: usize = 16_384;
/// Stack of a thread: what a module may use, and the host's part.
const STACK_BYTES: usize = 4 << 20;

type Work = Box<dyn FnOnce() + Send>;

/// Runs evaluations. Its threads end when it is dropped and nothing waits.
pub enum Evaluator {
    /// On threads of its own.
    Threads(Threads),
    /// Where they are awaited.
    Inline,
}

/// Holds the threads.
pub struct Threads {
    shared: Arc<Shared>,
}

#[derive(Default)]
pub struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    sleeping: usize,
    ended: bool,
}

impl Evaluator {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> std::io::Result<Self> {
        let threads = Threads { shared: Arc::default() };
        for _ in 0..THREADS {
            let shared = Arc::clone(&threads.shared);
            std::thread::Builder::new()
                .name("evaluate".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || shared.run())?;
        }
        Ok(Self::Threads(threads))
    }

    /// When an evaluation that begins now is ended. It is by the system's clock, which has nothing
    /// to do with simulated time: that stands still meanwhile.
    pub fn limit(&self, deadline: Instant) -> std::time::Instant {
        match self {
            Self::Threads(_) => deadline.into_std(),
            Self::Inline => std::time::Instant::now() + INLINE_LIMIT,
        }
    }

    /// Runs `work` on one of the threads. Dropping the future does not stop it.
    ///
    /// # Errors
    /// What `work` gives; 1040 when too many wait, 1105 when it hit a defect.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let Self::Threads(threads) = self else { return work() };
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move || {
            // A panic drops `reply`, which tells the other side.
            let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            if let Ok(result) = run {
                // Whoever has gone needs no answer.
                let _ = reply.send(result);
            }
        });
        threads.shared.push(work)?;
        answer.await.unwrap_or_else(|_| {
            Err(Failure::new(1105, "HY000", "the statement hit a defect of this frontend"))
        })
    }
}

impl Shared {
    fn push(&self, work: Work) -> Result<(), Failure> {
        let mut queue = self.queue.lock();
        if queue.waiting.len() >= WAITING_MAX {
            let message = "too many statements are under way on this frontend; nothing was changed";
            return Err(Failure::new(1040, "08004", message));
        }
        queue.waiting.push_back(work);
        if queue.sleeping > 0 {
            self.work.notify_one();
        }
        Ok(())
    }

    fn run(&self) {
        loop {
            let work = {
                let mut queue = self.queue.lock();
                loop {
                    if let Some(work) = queue.waiting.pop_front() {
                        break work;
                    }
                    if queue.ended {
                        return;
                    }
                    queue.sleeping += 1;
                    self.work.wait(&mut queue);
                    queue.sleeping -= 1;
                }
            };
            work();
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.queue.lock().ended = true;
        self.shared.work.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_and_the_thread_goes_on() {
        let evaluator = Evaluator::start().unwrap();
        for _ in 0..2 * THREADS {
            let failure = evaluator.run::<()>(|| panic!("a defect")).await.unwrap_err();
            assert_eq!(failure.code, 1105);
        }
        assert_eq!(evaluator.run(|| Ok(7)).await, Ok(7));
    }

    #[tokio::test]
    async fn more_than_may_wait_are_refused() {
        let shared = Arc::new(Shared::default());
        for _ in 0..WAITING_MAX {
            shared.push(Box::new(|| {})).unwrap();
        }
        assert_eq!(shared.push(Box::new(|| {})).unwrap_err().code, 1040);
    }
}
