//! A line in the log when commands are rejected that a sound module does not have rejected. Each
//! has a line of its own; this one is for whoever looks for a storm of them, and at most one a
//! minute.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::machine::Machine;
use crate::types::Rejection;

/// Between two such lines.
const PAUSE: Duration = Duration::from_secs(60);

/// Tells of rejected commands until told to stop.
pub(super) async fn watch(machine: Machine, stop: CancellationToken) {
    let mut rejected = machine.rejected();
    let mut told = BTreeMap::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = rejected.changed() => if changed.is_err() { return },
        }
        let counts = rejected.borrow_and_update().clone();
        let active = machine.view().active().map(|active| active.module.description().clone());
        let module = active.map_or_else(String::new, |one| format!("{}@{}", one.name, one.version));
        tracing::warn!(
            %module,
            "commands were rejected since the last such line: {}; /metrics counts them in \
             quorate_module_rejected_total, ROLLBACK MODULE goes back to the module before",
            since(&told, &counts)
        );
        told = counts;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// What was added, as `3 aborted, 1 limit`.
fn since(told: &BTreeMap<Rejection, u64>, counts: &BTreeMap<Rejection, u64>) -> String {
    let before = |why| told.get(why).copied().unwrap_or_default();
    let added = counts.iter().map(|(why, count)| (count - before(why), why.name()));
    let added = added.filter(|(count, _)| *count > 0);
    added.map(|(count, name)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_told() {
        let told = BTreeMap::from([(Rejection::Aborted, 2), (Rejection::Limit, 1)]);
        let counts = BTreeMap::from([
            (Rejection::Aborted, 5),
            (Rejection::OutOfFuel, 1),
            (Rejection::Limit, 1),
        ]);
        assert_eq!(since(&told, &counts), "3 aborted, 1 out-of-fuel");
    }
}
