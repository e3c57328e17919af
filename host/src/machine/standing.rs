//! How far a state is and whose it is, read without a runtime: for tools that look at a state at
//! rest and must not compile its modules for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changes::{self, Change};
use super::mark::read_mark;
use super::position::digest_at;
use super::{OpenError, Quarantine, keys, rows};
use crate::storage::StateMark;
use crate::types::{
    ClusterId, Frontend, Generation, LogId, Lsn, NodeId, Outcome, RequestId, StateDigest, View,
    ViewError,
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
    /// Why it is not to be used, if it was put aside.
    pub quarantine: Option<Quarantine>,
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
        let quarantine = Quarantine::load(&*view).map_err(failed)?;
        Ok(Self { log_id, digest, cluster, frontends, quarantine, view })
    }

    /// The digest at an LSN, if it is still kept.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn digest_at(&self, lsn: Lsn) -> Result<Option<StateDigest>, ViewError> {
        digest_at(&*self.view, lsn)
    }

    /// How a request that ran in entry `lsn` ended, if that is still remembered.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn outcome(&self, request: RequestId, lsn: Lsn) -> Result<Option<Outcome>, ViewError> {
        let key = keys::requests(request.client, lsn);
        let outcome = rows::find(&*self.view, &key, |row| {
            let mut outcome = None;
            row.unsigned()?;
            for _ in 0..row.count()? {
                let (sequence, ended) = (row.unsigned()?, Outcome::decode(row)?);
                outcome = outcome.or((sequence == request.sequence).then_some(ended));
            }
            Ok(outcome)
        });
        Ok(outcome?.flatten())
    }

    /// What entry `lsn` changed, if that was recorded and is still kept.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn changes(&self, lsn: Lsn) -> Result<Option<Vec<Change>>, ViewError> {
        let mut all = None;
        for part in 0..u32::MAX {
            let key = keys::changes(lsn, part);
            let Some(row) = self.view.get(&key)? else { break };
            let found = changes::decode(lsn, &row).map_err(|error| rows::damaged(&key, error))?;
            all.get_or_insert_with(Vec::new).extend(found.changes);
            if !found.more {
                break;
            }
        }
        Ok(all)
    }

    /// The state itself.
    pub fn view(&self) -> &dyn View {
        &*self.view
    }
}
