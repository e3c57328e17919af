//! Defects that can be put in on purpose, to see that the simulation finds them.

/// A defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutation {
    /// A restarted leader goes on in its old term (`enable_leader_restore`): what its disk lost may
    /// live on elsewhere under the log ids that it gives anew.
    LeaderRestore,
    /// Entries are applied before they are durable here: the state may be ahead of the log.
    ApplyBeforeDurable,
    /// A vote is answered before it is durable.
    VoteWithoutSync,
    /// Entries are acknowledged before they are durable.
    AckBeforeSync,
    /// The row that remembers a request is lost now and then.
    LostOutcome,
    /// A snapshot is installed in two steps, and a crash may come between.
    HalfInstall,
    /// The leader never probes whether it still has a majority (openraft's issue 2080).
    NoQuorumProbe,
    /// An entry that another leader's log replaced counts as never appended (openraft's 2095).
    DiscardedIsRefused,
    /// A learner votes before it has anything of the log.
    PromotedAtOnce,
    /// The leader takes out a voter that nobody dropped: the quorum shrinks.
    UnaskedRemoval,
    /// A snapshot brings the membership that its receiver had already (openraft's issue 1808).
    StaleMembership,
    /// A frontend that lost its disk comes back under its id, with an empty log.
    EmptyVoter,
    /// What a session has seen elsewhere is not waited for.
    TokenIgnored,
    /// Once a position was confirmed, reads of bounded staleness never ask for another.
    BoundedNotRefreshed,
    /// An upstream hands out what is in its log, committed or not.
    FeedUncommitted,
    /// An upstream that has purged what a subscriber needs goes on behind it, without a snapshot.
    FeedSkipsPurged,
    /// A subscriber has the feed go on where its log ends, whosever entry that is.
    FeedUnchecked,
    /// The row that says which module is active is lost now and then, so a restart goes back to
    /// the one before.
    LostActivation,
    /// The row that says how far a migration is is lost now and then.
    LostStep,
    /// A frontend passes over an activation that it cannot run, instead of waiting until it can.
    SkippedActivation,
    /// What an entry changed is lost now and then.
    LostChanges,
}

impl Mutation {
    /// Whether it is about which module is active.
    pub fn is_of_modules(self) -> bool {
        matches!(self, Self::LostActivation | Self::LostStep | Self::SkippedActivation)
    }

    /// Whether it is about what observers are fed.
    pub fn is_of_feeds(self) -> bool {
        matches!(self, Self::FeedUncommitted | Self::FeedSkipsPurged | Self::FeedUnchecked)
    }

    /// Whether a few seeds are enough to find it.
    pub fn is_found_soon(self) -> bool {
        !matches!(self, Self::DiscardedIsRefused | Self::FeedUnchecked)
    }
}
