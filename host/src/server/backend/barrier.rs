//! What a read waits for, by its consistency (ReadIndex: Raft thesis 6.4).

use parking_lot::Mutex;
use quorate_wire::Failure;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::session::{Consistency, StatementContext};
use crate::types::Lsn;

/// The read barrier of one frontend.
pub struct Barrier {
    cluster: Cluster,
    confirmed: Mutex<Option<Confirmed>>,
}

/// A position that was the newest acknowledged one at `asked`, by this frontend's monotonic clock.
#[derive(Clone, Copy)]
struct Confirmed {
    asked: Instant,
    lsn: Lsn,
}

impl Barrier {
    pub fn new(cluster: Cluster) -> Self {
        Self { cluster, confirmed: Mutex::new(None) }
    }

    /// Waits until a read at the context's consistency may use this frontend's state.
    ///
    /// # Errors
    /// When that is not so before the deadline.
    pub async fn wait(&self, context: &StatementContext) -> Result<(), Failure> {
        self.cluster.machine().usable()?;
        let token = Lsn(context.token);
        let needed = match context.consistency {
            Consistency::Any => return Ok(()),
            Consistency::Session => token,
            Consistency::Linearizable => self.confirm(context.deadline).await?.max(token),
            Consistency::Bounded { max_staleness } => {
                let recent = self.recent().filter(|c| c.asked.elapsed() <= max_staleness);
                let lsn = match recent {
                    Some(confirmed) => confirmed.lsn,
                    None => self.confirm(context.deadline).await?,
                };
                lsn.max(token)
            }
        };
        if self.cluster.machine().lsn() >= needed {
            return Ok(());
        }
        self.cluster.wait_applied(needed, context.deadline).await
    }

    /// Waits until this frontend has applied all that was acknowledged before.
    ///
    /// # Errors
    /// When that is not so before the deadline.
    pub async fn catch_up(&self, deadline: Instant) -> Result<(), Failure> {
        let lsn = self.confirm(deadline).await?;
        self.cluster.wait_applied(lsn, deadline).await
    }

    fn recent(&self) -> Option<Confirmed> {
        *self.confirmed.lock()
    }

    async fn confirm(&self, deadline: Instant) -> Result<Lsn, Failure> {
        let asked = Instant::now();
        let read = self.cluster.node().read_index().get(deadline).await;
        let lsn = read.map_err(|error| error.failure())?;
        let mut confirmed = self.confirmed.lock();
        if confirmed.is_none_or(|known| known.asked < asked) {
            *confirmed = Some(Confirmed { asked, lsn });
        }
        Ok(lsn)
    }
}
