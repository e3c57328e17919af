//! Whether a data directory still is what the cluster takes it for: asked of a helper at a later
//! start.

use tonic::Status;

use super::Cluster;
use crate::proto::cluster::Membership;
use crate::types::{Lsn, NodeId};

/// Compares what a data directory says with this cluster. `host` and `port` are where its frontend
/// is now.
///
/// # Errors
/// What does not fit, and what to do: `PERMISSION_DENIED` when the frontend was dropped.
pub(super) fn compare(
    cluster: &Cluster,
    claimed: &Membership,
    host: &str,
    port: u16,
) -> Result<(), Status> {
    let own = cluster.identity();
    if claimed.cluster != own.cluster.0 {
        return Err(Status::failed_precondition(format!(
            "it belongs to cluster {}, the helper to cluster {}; start without --helper to go on \
             with it, or with an empty meta_dir to join the helper's cluster",
            claimed.cluster, own.cluster
        )));
    }
    if claimed.generation != own.generation.0 {
        return Err(Status::failed_precondition(format!(
            "it is of generation {} of the cluster, the helper of generation {}: the cluster was \
             recovered or restored in between; the older one must start with an empty meta_dir, \
             after ALTER SYSTEM ADD",
            claimed.generation, own.generation
        )));
    }
    let view = cluster.machine().view();
    let node = NodeId(claimed.node);
    match view.frontend(node) {
        Some(_) => Ok(()),
        // An id is the LSN of its registration, and is given once: after that, unknown is dropped.
        None if view.lsn() >= Lsn(node.0) => {
            let now = view.frontends().into_iter().find(|(_, frontend)| {
                frontend.host.eq_ignore_ascii_case(host) && frontend.edit_log_port == port
            });
            Err(Status::permission_denied(match now {
                Some((now, frontend)) => format!(
                    "frontend {node} was dropped from the cluster, and {host}:{port} added anew as {} {now}; start \
                     with an empty meta_dir and --helper",
                    frontend.kind.name()
                ),
                None => format!(
                    "frontend {node} was dropped from the cluster; to take it in again, add it with ALTER SYSTEM \
                     ADD, and start with an empty meta_dir and --helper"
                ),
            }))
        }
        None => Ok(()),
    }
}
