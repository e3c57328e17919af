//! What a crash leaves: a prefix of the operations that holds all that were acknowledged.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Append(u64),
    Vote,
    Commit,
    /// Of the entries there are, how many stay, in percent.
    Truncate(u64),
    Purge(u64),
    Step,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1..6u64).prop_map(Act::Append),
        1 => Just(Act::Vote),
        1 => Just(Act::Commit),
        1 => (0..=100u64).prop_map(Act::Truncate),
        1 => (0..=60u64).prop_map(Act::Purge),
        3 => Just(Act::Step),
    ]
}

/// The log as it must be after some number of operations.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model {
    entries: BTreeMap<u64, LogId>,
    vote: Option<Vote>,
    purged: Option<LogId>,
}

impl Model {
    fn of(log: &Log) -> Self {
        let entries = log.read(0..u64::MAX, usize::MAX).unwrap();
        let state = log.state();
        Self {
            entries: entries.iter().map(|entry| (entry.log_id.index, entry.log_id)).collect(),
            vote: state.vote,
            purged: state.purged,
        }
    }

    fn next(&self) -> u64 {
        let last = self.entries.last_key_value().map(|(index, _)| *index);
        last.max(self.purged.map(|id| id.index)).map_or(0, |index| index + 1)
    }

    fn nth(&self, percent: u64) -> Option<LogId> {
        let place = self.entries.len() * usize::try_from(percent).unwrap() / 100;
        self.entries.values().nth(place).copied()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn acknowledged_operations_survive_and_no_later_one_without_the_earlier(
        acts in prop::collection::vec(act(), 1..40),
        kept in 0..4usize,
    ) {
        let device = Arc::new(SimLogDevice::new());
        let (mut log, mut writer) = stepped(&device);
        let mut term = 1;
        let mut committed = None;
        let mut model = Model::default();
        // The model after each operation, and how many of them are acknowledged.
        let mut history = vec![model.clone()];
        let acknowledged = Arc::new(Mutex::new(0));
        for act in acts {
            let number = history.len();
            let acknowledged = Arc::clone(&acknowledged);
            let completion: Completion = Box::new(move |result| {
                result.unwrap();
                let mut acknowledged = acknowledged.lock();
                *acknowledged = number.max(*acknowledged);
            });
            match act {
                Act::Append(count) => {
                    let added = entries(term, model.next()..model.next() + count);
                    model.entries.extend(added.iter().map(|e| (e.log_id.index, e.log_id)));
                    now(log.add(added, completion)).unwrap();
                }
                Act::Vote => {
                    term += 1;
                    model.vote = Some(vote(term));
                    log.ask(|state| state.save_vote(vote(term), completion)).unwrap();
                }
                Act::Commit => {
                    let last = model.entries.values().last().copied();
                    committed = last.map(|id| id.index).or(committed);
                    now(log.save_committed(last)).unwrap();
                }
                Act::Truncate(percent) => {
                    // Raft never truncates what is committed.
                    let may_go = |id: &LogId| committed.is_none_or(|c| id.index >= c);
                    let last = model.nth(percent).filter(may_go);
                    let Some(last) = last else { continue };
                    term += 1;
                    model.entries.retain(|index, _| *index <= last.index);
                    now(log.truncate_after(Some(last))).unwrap();
                }
                Act::Purge(percent) => {
                    let Some(upto) = model.nth(percent) else { continue };
                    model.entries.retain(|index, _| *index > upto.index);
                    model.purged = Some(upto);
                    now(log.purge(upto)).unwrap();
                }
                Act::Step => {
                    writer.step(Instant::now());
                    continue;
                }
            }
            history.push(model.clone());
        }
        prop_assert_eq!(&Model::of(&log), &model);
        device.crash(kept);
        let (reopened, _writer) = stepped(&device);
        let found = Model::of(&reopened);
        let acknowledged = *acknowledged.lock();
        prop_assert!(
            history[acknowledged..].contains(&found),
            "{found:?} is none of the {} states from acknowledgement {acknowledged} on",
            history.len()
        );
        let committed = reopened.state().committed;
        prop_assert!(committed.is_none_or(|id| id.index < found.next()));
    }
}

#[test]
fn a_torn_group_is_lost_whole() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..4), ignore())).unwrap();
    writer.step(Instant::now());
    // A truncation and what replaces it, whose fsync fails: all of it is there, or nothing.
    for (kept, last) in [(0, id(1, 3)), (1, id(2, 2))] {
        let (mut log, mut writer) = stepped(&device);
        now(log.truncate_after(Some(id(1, 1)))).unwrap();
        now(log.add(entries(2, 2..3), ignore())).unwrap();
        device.fail(SimFault::Sync);
        writer.step(Instant::now());
        device.crash(kept);
        assert_eq!(stepped(&device).0.durable(), Some(last));
    }
}
