//! A log that has lost what was durable is refused; one that has not never is.

use super::*;

fn open(device: &Arc<SimLogDevice>) -> Result<(Log, LogWriter), LogError> {
    Log::open_stepped(Arc::clone(device) as Arc<dyn LogDevice>, LogOptions::default())
}

/// Entries 0 to 4 of term 1 and a vote for term 1, durable and fenced.
fn filled() -> Arc<SimLogDevice> {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    now(log.add(entries(1, 0..5), ignore())).unwrap();
    let _ = log.save(vote(1)).now_or_never();
    log.close().unwrap();
    assert_eq!(writer.step(Instant::now()), Step::Wrote);
    assert_eq!(writer.step(Instant::now()), Step::Ended);
    device
}

#[test]
fn lost_entries_are_noticed() {
    let device = filled();
    open(&device).unwrap();
    device.forget_from(4);
    let error = open(&device).err().unwrap();
    assert!(matches!(error, LogError::Behind { what: "last entry", .. }));
    let text = error.to_string();
    for part in ["memory", &id(1, 3).to_string(), &id(1, 4).to_string(), "DROP FOLLOWER"] {
        assert!(text.contains(part), "{part} in: {text}");
    }
}

#[test]
fn a_lost_vote_is_noticed() {
    let device = filled();
    device.forget(Slot::Vote);
    assert!(matches!(open(&device), Err(LogError::Behind { what: "vote", .. })));
}

#[test]
fn one_torn_slot_is_survived_and_two_are_damage() {
    let device = filled();
    let (log, mut writer) = open(&device).unwrap();
    now(log.add(entries(1, 5..6), ignore())).unwrap();
    writer.step(Instant::now());
    // Both slots are written now; the damage to one of them is what a torn write leaves.
    device.damage_fence(10);
    open(&device).unwrap();
    device.damage_fence(4096 + 10);
    assert!(matches!(open(&device), Err(LogError::DamagedFence { .. })));
}

#[test]
fn a_truncation_lowers_the_fence_first() {
    for kept in [0, 1] {
        let device = filled();
        let (mut log, mut writer) = open(&device).unwrap();
        now(log.truncate_after(Some(id(1, 1)))).unwrap();
        writer.step(Instant::now());
        writer.step(Instant::now() + FENCE_INTERVAL * 2);
        assert_eq!(device.unsynced(), 1, "a truncation alone is not synced");
        device.crash(kept);
        let (log, _) = open(&device).unwrap();
        let last = if kept == 0 { id(1, 4) } else { id(1, 1) };
        assert_eq!(log.durable(), Some(last));
    }
}

#[test]
fn the_fence_costs_one_write_a_second_and_is_exact_when_idle() {
    let device = Arc::new(SimLogDevice::new());
    let (log, mut writer) = stepped(&device);
    let start = Instant::now();
    let mut append = |index: u64, at: Duration| {
        now(log.add(entries(1, index..index + 1), ignore())).unwrap();
        writer.step(start + at);
        device.read_fence().unwrap()
    };
    let first = append(0, Duration::ZERO);
    assert!(!first.is_empty());
    assert_eq!(append(1, FENCE_INTERVAL / 2), first);
    assert_ne!(append(2, FENCE_INTERVAL), first);
    append(3, FENCE_INTERVAL * 3 / 2);
    assert_eq!(writer.step(start + FENCE_INTERVAL * 2), Step::Idle);
    device.forget_from(3);
    assert!(matches!(open(&device), Err(LogError::Behind { .. })));
}
