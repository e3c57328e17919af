//! What a subscriber wants, and changes as messages.

use bytes::Bytes;
use tonic::Status;

use crate::machine::{Before, Change, EntryChanges, What};
use crate::proto::client::{
    self, ChangeKind, ClusterChange, KeyChange, ModuleEvent, SubscribeRequest, change,
};
use crate::runtime::KEY_BYTES_MAX;

/// Which changes a subscriber wants.
pub struct Filter {
    keys: bool,
    events: bool,
    cluster: bool,
    prefix: Bytes,
}

impl Filter {
    pub fn new(request: &SubscribeRequest) -> Result<Self, Status> {
        let prefix = request.prefix.clone();
        if prefix.len() > KEY_BYTES_MAX {
            let message = format!("a prefix has at most {KEY_BYTES_MAX} bytes, as a key has");
            return Err(Status::invalid_argument(message));
        }
        if request.kinds.is_empty() {
            return Ok(Self { keys: true, events: true, cluster: prefix.is_empty(), prefix });
        }
        let mut filter = Self { keys: false, events: false, cluster: false, prefix };
        for kind in &request.kinds {
            match ChangeKind::try_from(*kind) {
                Ok(ChangeKind::Keys) => filter.keys = true,
                Ok(ChangeKind::Events) => filter.events = true,
                Ok(ChangeKind::Cluster) => filter.cluster = true,
                Ok(ChangeKind::Unspecified) | Err(_) => {
                    let message =
                        format!("this frontend knows no kind of change with number {kind}");
                    return Err(Status::invalid_argument(message));
                }
            }
        }
        Ok(filter)
    }

    fn wants(&self, what: &What) -> bool {
        match what {
            What::Key { key, .. } => self.keys && key.starts_with(&self.prefix),
            What::Event { key, .. } => self.events && key.starts_with(&self.prefix),
            What::Cluster { .. } => self.cluster,
        }
    }

    /// What is wanted of an entry.
    pub fn changes(&self, entry: EntryChanges) -> impl Iterator<Item = client::Change> {
        let EntryChanges { lsn, time_us, ordinal, changes, .. } = entry;
        let numbered = (ordinal..).zip(changes);
        let wanted = numbered.filter(|(_, change)| self.wants(&change.what));
        wanted.map(move |(ordinal, Change { index, what })| client::Change {
            lsn: lsn.0,
            ordinal,
            index,
            time_us,
            what: Some(message(what)),
        })
    }
}

fn message(what: What) -> change::What {
    match what {
        What::Key { module, key, before, after } => {
            let before_omitted = before == Before::Omitted;
            let before = match before {
                Before::Value(value) => Some(value),
                Before::Absent | Before::Omitted => None,
            };
            change::What::Key(KeyChange { module, key, before, after, before_omitted })
        }
        What::Event { module, topic, key, body } => {
            change::What::Event(ModuleEvent { module, topic, key, body })
        }
        What::Cluster { command, caller, details } => {
            change::What::Cluster(ClusterChange { command, caller, details })
        }
    }
}
