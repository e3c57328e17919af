//! The defects of changes of who belongs, and of a frontend that cannot run what is activated.

use std::sync::Arc;
use std::time::Duration;

use quorate::cluster::Cluster;
use quorate::types::{Action, Command, Entry, EntryPayload, HostCommand, Lifecycle};
use tokio::time::sleep;

use super::context::Context;
use super::mutation::Mutation;

/// Between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// With the defect, how often a look has the leader take out a voter, in millionths.
const UNASKED_RATE: u64 = 20_000;

/// Whether one of these defects is put in.
pub fn is_wanted(context: &Context) -> bool {
    context.has(Mutation::PromotedAtOnce) || context.has(Mutation::UnaskedRemoval)
}

/// Runs as long as the frontend.
pub async fn keep(cluster: Cluster, context: Arc<Context>) {
    loop {
        sleep(LOOK_INTERVAL).await;
        spoil(&cluster, &context).await;
    }
}

/// The defects.
async fn spoil(cluster: &Cluster, context: &Context) {
    let node = cluster.node();
    let status = node.status();
    if !status.is_leader {
        return;
    }
    if context.has(Mutation::PromotedAtOnce)
        && let Some(learner) = status.learners.first()
    {
        let _ = node.promote(*learner).await;
    }
    if context.has(Mutation::UnaskedRemoval) && context.dice.chance(UNASKED_RATE) {
        let other = status.voters.iter().find(|voter| **voter != node.id());
        if let Some(other) = other {
            let _ = node.remove(*other).await;
        }
    }
}

/// The defect: entries that would have another module or engine run are as if nothing were in them.
pub fn without_activations(entries: &[Entry]) -> Vec<Entry> {
    let mut entries = entries.to_vec();
    for entry in &mut entries {
        let EntryPayload::Normal(batch) = &entry.payload else { continue };
        let Ok((_, commands)) = batch.unpack() else { continue };
        let activates = commands.iter().any(|packed| {
            matches!(
                Command::unpack(packed).map(|command| command.action),
                Ok(Action::Host(
                    HostCommand::Lifecycle(Lifecycle::Activate(_) | Lifecycle::RunScheduled { .. })
                        | HostCommand::ChangeEpoch { .. }
                ))
            )
        });
        if activates {
            entry.payload = EntryPayload::Blank;
        }
    }
    entries
}
