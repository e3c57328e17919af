//! Reads give the same, whether from memory, from the device, or across the border.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Append(Vec<usize>),
    Truncate(u64),
    Purge(u64),
    Applied(u64),
    Step,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::collection::vec(0..200usize, 1..8).prop_map(Act::Append),
        1 => (0..=100u64).prop_map(Act::Truncate),
        1 => (0..=50u64).prop_map(Act::Purge),
        2 => (0..=100u64).prop_map(Act::Applied),
        3 => Just(Act::Step),
    ]
}

fn content(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(batch) => batch.0.len(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn reads_equal_a_model(
        acts in prop::collection::vec(act(), 1..30),
        (low, length, bytes_max) in (0..60u64, 0..60u64, 1..2000usize),
    ) {
        let device = Arc::new(SimLogDevice::new());
        let tail = TailLimits { bytes: 400, unapplied_bytes: 1200 };
        let (mut log, mut writer) =
            Log::open_stepped(Arc::clone(&device) as Arc<dyn LogDevice>, LogOptions { tail })
                .unwrap();
        let mut model: Vec<Entry> = Vec::new();
        let (mut term, mut next) = (1, 0);
        for act in acts {
            let nth = |percent: u64| {
                model.get(model.len() * usize::try_from(percent).unwrap() / 100).map(|e| e.log_id)
            };
            match act {
                Act::Append(sizes) => {
                    let added: Vec<_> =
                        (next..).zip(sizes).map(|(index, size)| sized(term, index, size)).collect();
                    next += added.len() as u64;
                    model.extend(added.clone());
                    now(log.add(added, ignore())).unwrap();
                }
                Act::Truncate(percent) => {
                    let Some(last) = nth(percent) else { continue };
                    term += 1;
                    next = last.index + 1;
                    model.retain(|entry| entry.log_id.index < next);
                    now(log.truncate_after(Some(last))).unwrap();
                }
                Act::Purge(percent) => {
                    let Some(upto) = nth(percent) else { continue };
                    model.retain(|entry| entry.log_id.index > upto.index);
                    now(log.purge(upto)).unwrap();
                }
                Act::Applied(percent) => {
                    let Some(upto) = nth(percent) else { continue };
                    log.set_applied(Lsn(upto.index));
                }
                Act::Step => {
                    writer.step(Instant::now());
                }
            }
            let range = low..low + length;
            let want: Vec<_> =
                model.iter().filter(|e| range.contains(&e.log_id.index)).cloned().collect();
            prop_assert_eq!(&log.read(range.clone(), usize::MAX).unwrap(), &want);
            let some = log.read(range, bytes_max).unwrap();
            prop_assert!(want.starts_with(&some));
            prop_assert_eq!(some.is_empty(), want.is_empty());
            let before_last = some.iter().rev().skip(1).map(content).sum::<usize>();
            prop_assert!(before_last < bytes_max);
        }
    }
}

#[test]
fn only_what_is_durable_leaves_memory() {
    let device = Arc::new(SimLogDevice::new());
    let tail = TailLimits { bytes: 0, unapplied_bytes: 0 };
    let (log, mut writer) =
        Log::open_stepped(Arc::clone(&device) as Arc<dyn LogDevice>, LogOptions { tail }).unwrap();
    now(log.add(entries(1, 0..5), ignore())).unwrap();
    log.set_applied(Lsn(4));
    assert_eq!(log.state().tail.start(), 0);
    writer.step(Instant::now());
    assert_eq!(log.state().tail.start(), 5);
    now(log.add(entries(1, 5..7), ignore())).unwrap();
    assert_eq!(
        ids(&log.read(3..7, usize::MAX).unwrap()),
        (3..7).map(|i| id(1, i)).collect::<Vec<_>>()
    );
}

#[test]
fn unapplied_entries_stay_until_the_hard_limit() {
    let device = Arc::new(SimLogDevice::new());
    let tail = TailLimits { bytes: 0, unapplied_bytes: 10_000 };
    let (log, mut writer) =
        Log::open_stepped(Arc::clone(&device) as Arc<dyn LogDevice>, LogOptions { tail }).unwrap();
    now(log.add((0..4).map(|index| sized(1, index, 2000)).collect(), ignore())).unwrap();
    writer.step(Instant::now());
    assert_eq!(log.state().tail.start(), 0);
    log.set_applied(Lsn(0));
    assert_eq!(log.state().tail.start(), 1);
    now(log.add((4..8).map(|index| sized(1, index, 2000)).collect(), ignore())).unwrap();
    writer.step(Instant::now());
    assert_eq!(log.state().tail.start(), 4);
}
