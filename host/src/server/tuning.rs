//! Keeps the configuration in force what the cluster has set, and has it take effect.
//!
//! Most of it is read where it is used. What is kept elsewhere is told here: the limit of sessions,
//! the rate of snapshots, the filter of the log.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::config::{Config, Live};
use crate::machine::MachineView;
use crate::session::Sessions;

/// Between two looks at the state: how late a frontend follows a change that another one made.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Changes what goes to the log of the program, by a filter such as `info,openraft=warn`.
pub type SetLogLevel = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Lays a state's settings over a frontend's own configuration.
pub fn overlay(config: &Live, view: &MachineView) {
    for unusable in config.overlay(&view.settings()) {
        tracing::warn!("{unusable}; this frontend goes on with its own value");
    }
}

/// Where changes take effect.
pub(super) struct Tuning {
    pub cluster: Cluster,
    pub sessions: Arc<Sessions>,
    pub set_log_level: Option<SetLogLevel>,
}

impl Tuning {
    /// Runs until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut applied = self.cluster.machine().subscribe();
        let mut changes = self.cluster.config().subscribe();
        let (mut level, mut known) = (String::new(), None);
        loop {
            let view = self.cluster.machine().view();
            let settings = Some(view.settings());
            if settings != known {
                overlay(self.cluster.config(), &view);
                known = settings;
            }
            drop(view);
            let config = Arc::clone(&changes.borrow_and_update());
            self.apply(&config, &mut level);
            // Under load every entry is a change; looking at each would cost more than applying it.
            let entries = async {
                tokio::time::sleep(LOOK_INTERVAL).await;
                applied.changed().await
            };
            let changed = tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => changed,
                changed = entries => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    /// `level` is the filter in force, and empty before the first look.
    fn apply(&self, config: &Config, level: &mut String) {
        self.sessions.set_limit(config.qe_max_connection);
        self.cluster.node().set_snapshot_rate(config.snapshots.bytes_per_second);
        if let Some(set) = &self.set_log_level
            && *level != config.sys_log_level
        {
            if let Err(error) = set(&config.sys_log_level) {
                tracing::warn!("sys_log_level is not changed: {error}");
            }
            level.clone_from(&config.sys_log_level);
        }
    }
}
