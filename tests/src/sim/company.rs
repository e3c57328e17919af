//! What a frontend runs when others may come and go, as `host/src/server/start.rs` has it: it says
//! where it is, learns that it was dropped, and takes the committed log from another one while it is
//! an observer.

use quorate::cluster::{Cluster, VERSION};
use quorate::types::Frontend;
use tokio_util::sync::CancellationToken;

use super::frontend::{Birth, registered};

/// A frontend as it says that it is.
pub fn own(birth: &Birth) -> Frontend {
    let mut own = registered(&birth.address);
    if birth.has_changes {
        own.version = VERSION.to_owned();
    }
    own
}

/// Runs as long as the frontend.
pub fn keep(birth: &Birth, cluster: &Cluster, stop: &CancellationToken) {
    let own = cluster.identity().node;
    let members = birth.members.lock().clone();
    let others = members.iter().filter(|(node, _)| *node != own);
    let mut helpers = birth.helpers.clone();
    helpers.extend(others.map(|(_, address)| address.clone()));
    let (standing, asked, token) = (cluster.clone(), helpers.clone(), stop.clone());
    tokio::spawn(async move { standing.watch_standing(asked, token).await });
    let (announcing, told, token) = (cluster.clone(), members.clone(), stop.clone());
    tokio::spawn(async move { announcing.announce(&helpers, &told, &token).await });
    let (subscriber, token) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { subscriber.keep_subscription(members, token).await });
}

/// What it runs, as long as it does, when modules come and go.
pub fn keep_modules(cluster: &Cluster, stop: &CancellationToken) {
    let (modules, token) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { modules.acknowledge_modules(token).await });
    let (migration, token) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { migration.keep_migrating(token).await });
    let (schedule, token) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { schedule.keep_schedule(token).await });
    let (epochs, token) = (cluster.clone(), stop.clone());
    tokio::spawn(async move { epochs.announce_epochs(token).await });
}
