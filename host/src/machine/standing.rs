//! How far a state is and whose it is, read without a runtime: for tools that look at a state at
//! rest and must not compile its modules for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mark::read_mark;
use super::position::digest_at;
use super::{OpenError, keys, rows};
use crate::storage::StateMark;
use crate::types::{
    ClusterId, Frontend, Generation, LogId, Lsn, NodeId, StateDigest, View, ViewError,
};

/// What a state says of itself.
pub struct Standing {
    /// The last entry applied.
    pub log_id: Option<LogId>,
    /// The chain of digests up to it.
    pub digest: StateDigest,
    /// Whose it is, once the cluster is founded.
    pub cluster: Option<(ClusterId, Generation)>,
    /// The registered frontends.
    pub frontends: BTreeMap<NodeId, Frontend>,
    view: Arc<dyn View>,
}

impl Standing {
    /// Reads a state. An empty one stands at the beginning.
    ///
    /// # Errors
    /// When it is of another format or cannot be read.
    pub fn read(view: Arc<dyn View>) -> Result<Self, OpenError> {
        let failed = |error: ViewError| OpenError::Load(error.into());
        let StateMark { last: log_id, digest, cluster, .. } = read_mark(&*view).map_err(failed)?;
        let mut frontends = BTreeMap::new();
        rows::each(&*view, keys::FRONTENDS, |key, row| {
            frontends.insert(NodeId(rows::number(key)?), Frontend::decode(row)?);
            Ok(())
        })
        .map_err(failed)?;
        Ok(Self { log_id, digest, cluster, frontends, view })
    }

    /// The digest at an LSN, if it is still kept.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn digest_at(&self, lsn: Lsn) -> Result<Option<StateDigest>, ViewError> {
        digest_at(&*self.view, lsn)
    }
}
