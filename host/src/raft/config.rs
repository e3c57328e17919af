//! openraft's settings, each with its reason.

use std::time::Duration;

use openraft::{Config, ConfigError, SnapshotPolicy, StepDownPolicy};

use crate::types::ENTRY_COMMANDS_MAX;

/// How patient elections are. A follower starts one when it has not heard from the leader for the
/// longest timeout (openraft's lease) plus a random one between the two. The lease is the patience;
/// the rest only keeps followers from starting at once, so the shortest is not much more than a
/// heartbeat interval, by which followers may have heard from the leader apart: who starts earlier
/// than the others' leases end is refused, and waits for as long again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// All frontends on one machine, or on quick disks and a quiet network: failover in about
    /// 250 ms. A leader that is silent for less than 190 ms stays: anything much shorter elects
    /// needlessly when a busy machine wakes threads late.
    #[default]
    Fast,
    /// A local network: failover in less than half a second.
    Lan,
    /// Slow disks or several sites: failover in about two seconds.
    Wan,
}

impl Profile {
    /// Heartbeat interval, shortest and longest election timeout, in milliseconds.
    fn timers_ms(self) -> (u64, u64, u64) {
        match self {
            Self::Fast => (25, 40, 150),
            Self::Lan => (40, 70, 260),
            Self::Wan => (150, 600, 1200),
        }
    }

    /// The longest election timeout, which is also how long a leader's lease lasts.
    pub fn lease(self) -> Duration {
        Duration::from_millis(self.timers_ms().2)
    }
}

/// All settings of the consensus. What is not named here does not matter.
pub(super) fn config(profile: Profile) -> Result<Config, ConfigError> {
    let (heartbeat, shortest, longest) = profile.timers_ms();
    Config {
        cluster_name: "quorate".to_owned(),
        heartbeat_interval: heartbeat,
        election_timeout_min: shortest,
        election_timeout_max: longest,
        // Every tick sends one: with at most seven voters that is cheap, and it keeps the lease
        // alive under a load that replication answers slowly.
        heartbeat_min_interval: Some(0),
        // A leader that restarted could give log ids that its followers hold to other entries,
        // because entries are replicated before they are durable here.
        enable_leader_restore: Some(false),
        // A frontend that was cut off must not depose a working leader when it returns.
        enable_pre_vote: Some(true),
        // Without it, a leader that lost its majority can keep a connected majority from electing
        // by the heartbeats that still reach one of them. With it, such a leader is silent for this
        // long, then tries as long again. The silence must be longer than the slowest election
        // timer: lease, longest timeout, and twice that for one that knows of a longer log than its
        // own; or the only one that could win would never come to it.
        quorum_loss_probe_interval: Some(5 * longest),
        // A follower whose log went backwards lost acknowledged entries: never paper over it.
        allow_log_reversion: None,
        // A returning peer is found within half a second at most; the default waits up to one.
        backoff: "10ms 20ms 50ms ...500ms".to_owned(),
        // Requests and appends are bounded in bytes by the log reader, so the counts may be high.
        max_payload_entries: 4096,
        max_append_entries: Some(4096),
        // Messages waiting for openraft's task. Each is at most one entry of 1 MiB and the
        // proposer keeps only a few in flight, so their bytes are bounded elsewhere.
        api_channel_size: Some(65_536),
        api_batch_capacity: 4096,
        // The sync in flight is the batching window; waiting longer only adds latency.
        api_batch_linger_ms: 0,
        // When to take a snapshot and what to purge is decided elsewhere, by bytes and time: the
        // default would take ten snapshots a second.
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        // openraft only hands it on; transfers have a limit on standing still, not on the whole.
        install_snapshot_timeout: 60_000,
        // Within this distance a learner counts as caught up.
        replication_lag_threshold: ENTRY_COMMANDS_MAX as u64,
        // A removed leader hands over instead of leaving the cluster to a timeout.
        removed_leader_step_down: StepDownPolicy::After(longest),
        ..Config::default()
    }
    .validate()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_settings_that_safety_rests_on_are_set() {
        for profile in [Profile::Fast, Profile::Lan, Profile::Wan] {
            let config = config(profile).unwrap();
            assert_eq!(config.enable_leader_restore, Some(false));
            assert_eq!(config.enable_pre_vote, Some(true));
            assert_eq!(config.allow_log_reversion, None);
            assert_eq!(config.snapshot_policy, SnapshotPolicy::Never);
            assert_eq!(config.max_in_snapshot_log_to_keep, u64::MAX);
            assert!(config.quorum_loss_probe_interval > Some(4 * config.election_timeout_max));
            assert_eq!(profile.lease(), Duration::from_millis(config.election_timeout_max));
            // Silence of so many heartbeats before anybody starts an election.
            let silence = config.election_timeout_max + config.election_timeout_min;
            assert!(silence >= 7 * config.heartbeat_interval);
            assert!(2 * config.election_timeout_min >= 3 * config.heartbeat_interval);
        }
    }
}
