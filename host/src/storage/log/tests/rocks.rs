//! The log on a real RocksDB, with its thread.

use std::path::Path;

use super::*;

fn open(path: &Path) -> Result<Log, LogError> {
    let tail = TailLimits { bytes: 0, unapplied_bytes: 0 };
    Log::open(RocksLogDevice::open(path, &path.join("fence"))?, LogOptions { tail })
}

async fn append(log: &Log, entries: Vec<Entry>) {
    let last = entries.last().unwrap().log_id;
    log.add(entries, ignore()).await.unwrap();
    log.until_durable(&last).await.unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let log = open(dir.path()).unwrap();
        let next = log.durable().map_or(0, |id| id.index + 1);
        append(&log, entries(1, next..next + 20)).await;
        log.save(vote(round + 1)).await.unwrap();
        let calls = Calls::default();
        for index in next + 20..next + 40 {
            log.add(entries(1, index..index + 1), calls.completion(index)).await.unwrap();
        }
        // Dropped without close: the queue is lost, as in a crash.
        drop(log);
        let log = open(dir.path()).unwrap();
        let last = log.durable().unwrap().index;
        assert!(last >= calls.names().into_iter().max().unwrap_or(next + 19));
        assert_eq!(log.state().vote, Some(vote(round + 1)));
        assert_eq!(log.read(0..u64::MAX, usize::MAX).unwrap().len() as u64, last + 1);
    }
}

#[tokio::test]
async fn truncation_and_purge_across_groups_survive_a_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path()).unwrap();
    append(&log, entries(1, 0..100)).await;
    log.purge(id(1, 29)).await.unwrap();
    log.truncate_after(Some(id(1, 59))).await.unwrap();
    append(&log, entries(2, 60..70)).await;
    let mut want: Vec<_> = (30..60).map(|index| id(1, index)).collect();
    want.extend((60..70).map(|index| id(2, index)));
    assert_eq!(ids(&log.read(0..u64::MAX, usize::MAX).unwrap()), want);
    log.close().unwrap();
    let log = open(dir.path()).unwrap();
    assert_eq!(ids(&log.read(0..u64::MAX, usize::MAX).unwrap()), want);
    assert_eq!(log.state().purged, Some(id(1, 29)));
    let some = log.read(40..70, 100).unwrap();
    assert!(!some.is_empty() && some.len() < 30, "reads from disk are bounded");
}

#[tokio::test]
async fn a_changed_or_missing_record_on_disk_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    append(&log, entries(1, 0..9)).await;
    log.close().unwrap();
    {
        let db = rocksdb::DB::open_default(dir.path().join("db")).unwrap();
        // Another entry's record, intact in itself, is as wrong as changed bytes.
        let other = db.get(entry_key(7)).unwrap().unwrap();
        db.put(entry_key(3), other).unwrap();
        db.delete(entry_key(5)).unwrap();
    }
    let log = open(dir.path()).unwrap();
    let error = log.read(0..5, usize::MAX).unwrap_err();
    assert!(matches!(error, LogError::Damaged { index: 3, damage: Damage::Checksum, .. }));
    let error = log.read(4..9, usize::MAX).unwrap_err();
    assert!(matches!(error, LogError::Damaged { index: 5, damage: Damage::Missing, .. }));
    assert!(error.to_string().contains(&dir.path().display().to_string()), "{error}");
}

#[tokio::test]
async fn a_log_that_lost_its_tail_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path()).unwrap();
    append(&log, entries(1, 0..9)).await;
    log.close().unwrap();
    {
        let db = rocksdb::DB::open_default(dir.path().join("db")).unwrap();
        db.delete(entry_key(8)).unwrap();
    }
    assert!(matches!(open(dir.path()), Err(LogError::Behind { .. })));
    // Cured as the message says for a log that is known to be complete.
    std::fs::remove_file(dir.path().join("fence")).unwrap();
    assert_eq!(open(dir.path()).unwrap().durable(), Some(id(1, 7)));
}

#[tokio::test]
async fn purged_entries_leave_the_disk() {
    const ENTRY_BYTES: usize = 256 << 10;
    const KEPT: u64 = 32;
    const BUFFER_BYTES: usize = 4 << 20;
    let dir = tempfile::tempdir().unwrap();
    let on_disk = || {
        let files = std::fs::read_dir(dir.path().join("db")).unwrap();
        files.map(|file| file.unwrap().metadata().map_or(0, |found| found.len())).sum::<u64>()
    };
    {
        let device =
            RocksLogDevice::open_with(dir.path(), &dir.path().join("fence"), BUFFER_BYTES).unwrap();
        let mut log = Log::open(device, LogOptions::default()).unwrap();
        let mut most = 0;
        for index in 1..=1200 {
            log.add(vec![sized(1, index, ENTRY_BYTES)], ignore()).await.unwrap();
            if index % 16 == 0 && index > KEPT {
                log.barrier().await.unwrap();
                log.purge(id(1, index - KEPT)).await.unwrap();
                assert!(log.bytes_after(Lsn(0)) <= (KEPT + 1) * (ENTRY_BYTES as u64 + 64));
                most = most.max(on_disk());
            }
        }
        log.barrier().await.unwrap();
        // 300 MiB went through. What remains is a few buffers, their WAL files and what is recycled.
        assert!(most < 100 << 20, "{most} bytes on disk");
        log.close().unwrap();
    }
    let device = RocksLogDevice::open(dir.path(), &dir.path().join("fence")).unwrap();
    let log = Log::open(device, LogOptions::default()).unwrap();
    let kept = log.bytes_after(Lsn(0));
    let range = KEPT * ENTRY_BYTES as u64 / 2..=KEPT * ENTRY_BYTES as u64 * 4;
    assert!(range.contains(&kept), "{kept} bytes after a restart");
    assert_eq!(log.read(0..u64::MAX, usize::MAX).unwrap().len() as u64, KEPT);
}
