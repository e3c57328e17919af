//! Where frontends are to compare their states, and what waits for that.

use std::time::{Duration, Instant};

use super::support::*;
use super::swaps::*;
use crate::machine::{Doubt, Milestone, Unconfirmed};
use crate::types::{HostCommand, Lsn};

impl Cluster {
    fn unconfirmed(&self) -> Option<Unconfirmed> {
        *self.node.machine.unconfirmed().borrow()
    }

    /// That the entry applied last is the newest milestone, and what comes after `after` waits.
    fn assert_waits(&self, after: Lsn) {
        let applied = self.node.machine.applied();
        let newest = Milestone { lsn: applied.lsn, digest: applied.digest };
        assert_eq!(self.unconfirmed(), Some(Unconfirmed { after, newest }));
        assert!(self.node.machine.is_confirmed(after));
        assert!(!self.node.machine.is_confirmed(Lsn(after.0 + 1)));
    }
}

#[test]
fn what_follows_an_activation_or_the_end_of_a_migration_waits_to_be_confirmed() {
    let (first, second) = (Guest::first(), Guest::serving("m", "2.0.0", 7, &[1]));
    let mut cluster = Cluster::started(first.clone());
    assert_eq!(cluster.unconfirmed(), None, "nobody confirms anything");
    cluster.node.machine.keep_milestones();
    // What was applied before may hold some that were not.
    let found = cluster.log.lsn();
    cluster.assert_waits(found);
    cluster.node.machine.confirm(found);
    cluster.ready(&second);
    // Refused: nothing changed.
    refusal(&cluster.host(second.activate(None)));
    assert_eq!(cluster.unconfirmed(), None);

    cluster.host(second.activate(Some(&first)));
    let activated = cluster.log.lsn();
    cluster.assert_waits(activated);
    cluster.run([module(&second, put('a', "1"))]);
    let deadline = || Instant::now() + Duration::from_millis(1);
    let waited = wait(cluster.node.machine.wait_confirmed(cluster.log.lsn(), deadline()));
    assert_eq!(waited, Err(Doubt::Late(activated)));
    cluster.node.machine.confirm(activated);
    assert_eq!(cluster.unconfirmed(), None);

    let step = |step| HostCommand::MigrateStep { since: activated, step };
    cluster.host(step(0));
    assert_eq!(cluster.unconfirmed(), None, "it goes on");
    cluster.host(step(1));
    let migrated = cluster.log.lsn();
    cluster.assert_waits(migrated);
    // A later one waits with it, and whoever is put aside waits for nothing.
    let third = Guest::serving("m", "2.0.1", 7, &[1]);
    cluster.ready(&third);
    cluster.host(third.activate(Some(&second)));
    cluster.assert_waits(migrated);
    cluster.node.machine.set_quarantine("it is wrong", None).unwrap();
    let waited = wait(
        cluster
            .node
            .machine
            .wait_confirmed(cluster.log.lsn(), Instant::now() + Duration::from_secs(60)),
    );
    assert_eq!(waited, Err(Doubt::PutAside("it is wrong".to_owned())));
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future)
}
