//! What a state says about itself, read from any view: also from a snapshot that no machine runs.

use super::position::Position;
use super::{FORMAT, keys, registry, rows};
use crate::storage::StateMark;
use crate::types::{View, ViewError};

/// Cluster, position, membership and digest of a state.
///
/// # Errors
/// When the view cannot be read, or is of a state in another format.
pub fn read_mark(view: &dyn View) -> Result<StateMark, ViewError> {
    match view.get(&keys::FORMAT)?.as_deref() {
        Some([FORMAT]) | None => {}
        Some(other) => {
            let found = other.first().copied().unwrap_or(0);
            let reason = format!("it has format {found}, this program reads {FORMAT}");
            return Err(ViewError(reason));
        }
    }
    let position = Position::load(view)?;
    Ok(StateMark {
        cluster: rows::find(view, &keys::CLUSTER, registry::read_cluster)?,
        last: position.log_id,
        membership: rows::find(view, &keys::MEMBERSHIP, registry::read_membership)?
            .unwrap_or_default(),
        digest: position.digest,
    })
}
