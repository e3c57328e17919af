//! The log's device on disk: one RocksDB, one column family, and the fence file.
//!
//! The fence lies outside of the log's directory, so that it notices when that directory as a whole
//! is put back as it was earlier.
//!
//! One column family because RocksDB keeps a WAL file until every column family with data in it was
//! flushed. Purging before the memtable is flushed drops the purged entries in the same flush, so
//! an entry is normally written once, to the WAL.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rocksdb::properties::ESTIMATE_LIVE_DATA_SIZE as LIVE_DATA_SIZE;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, IteratorMode, LogLevel,
    Options, ReadOptions, WriteBatch, WriteOptions,
};

use crate::storage::{crash, sync_directory};

use super::device::{Change, DeviceError, Kept, LogDevice, Slot, entry_key};
use super::error::LogError;

/// Memory for entries that are not in a table file yet, and how many such buffers there may be;
/// when all are full, writes wait for a flush.
const WRITE_BUFFER_BYTES: usize = 64 << 20;
const WRITE_BUFFERS_MAX: i32 = 3;
/// Old entries are rarely read, and the newest come from the log's own cache.
const BLOCK_CACHE_BYTES: usize = 16 << 20;
/// Beyond it RocksDB flushes, so that WAL files can go.
const WAL_BYTES_MAX: u64 = 256 << 20;
/// WAL files that are overwritten instead of created, so that fdatasync has no inode to update.
const WAL_FILES_RECYCLED: usize = 4;
/// Write stalls are off: these many files never come together.
const LEVEL0_FILES_MAX: i32 = 10_000;
/// RocksDB's own message files.
const INFO_LOG_BYTES_MAX: usize = 4 << 20;
const INFO_LOG_FILES_MAX: usize = 4;

/// A device: RocksDB has `db/` in its directory, the fence file is ours.
pub struct RocksLogDevice {
    db: DB,
    path: PathBuf,
    fence: File,
    fence_path: PathBuf,
}

impl RocksLogDevice {
    /// Opens the device, and creates it when there is none. The directory itself must exist, and
    /// that of the fence file.
    ///
    /// # Errors
    /// When something cannot be written, or RocksDB finds its files damaged or in use.
    pub fn open(directory: &Path, fence: &Path) -> Result<Arc<Self>, LogError> {
        Self::open_with(directory, fence, WRITE_BUFFER_BYTES)
    }

    pub(super) fn open_with(
        directory: &Path,
        fence: &Path,
        write_buffer_bytes: usize,
    ) -> Result<Arc<Self>, LogError> {
        let path = directory.join("db");
        let fence_path = fence.to_owned();
        fs::create_dir_all(&path).map_err(|e| DeviceError::from_io(&path, &e))?;
        let fence = open_fence(directory, fence).map_err(|e| DeviceError::from_io(fence, &e))?;
        let db = DB::open(&options(write_buffer_bytes), &path)
            .map_err(|e| DeviceError::from_rocks(&path, &e))?;
        Ok(Arc::new(Self { db, path, fence, fence_path }))
    }

    fn rocks(&self, error: rocksdb::Error) -> DeviceError {
        DeviceError::from_rocks(&self.path, &error)
    }

    fn fence_error(&self, error: io::Error) -> DeviceError {
        DeviceError::from_io(&self.fence_path, &error)
    }

    fn entries(&self, range: Range<u64>, mode: IteratorMode<'_>) -> EntryRecords<'_> {
        let mut reads = ReadOptions::default();
        reads.set_iterate_lower_bound(entry_key(range.start));
        reads.set_iterate_upper_bound(entry_key(range.end));
        EntryRecords { inner: self.db.iterator_opt(mode, reads), device: self }
    }
}

/// Opens the fence file. It lay in the log's own directory once, and is moved from there; when it
/// is in its place already, one in there came back with an older copy of that directory.
fn open_fence(directory: &Path, path: &Path) -> io::Result<File> {
    let within = directory.join("fence");
    if within != path && within.exists() {
        if path.exists() {
            fs::remove_file(&within)?
        } else {
            fs::rename(&within, path)?
        }
        sync_directory(directory)?;
    }
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))?;
    Ok(file)
}

struct EntryRecords<'a> {
    inner: rocksdb::DBIterator<'a>,
    device: &'a RocksLogDevice,
}

impl Iterator for EntryRecords<'_> {
    type Item = Result<(u64, Bytes), DeviceError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.inner.next()?.map_err(|e| self.device.rocks(e)).and_then(|(key, record)| {
            let index = key[1..].try_into().map_err(|_| DeviceError::Failed {
                path: self.device.location(),
                reason: format!("unexpected key {key:02x?}"),
            })?;
            Ok((u64::from_be_bytes(index), record.into()))
        }))
    }
}

impl LogDevice for RocksLogDevice {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    fn fence_location(&self) -> String {
        self.fence_path.display().to_string()
    }

    fn blocks(&self) -> bool {
        true
    }

    fn load(&self) -> Result<Kept, DeviceError> {
        let mut slots = Vec::new();
        for slot in Slot::ALL {
            if let Some(record) = self.db.get(slot.key()).map_err(|e| self.rocks(e))? {
                slots.push((slot, record.into()));
            }
        }
        let first = self.entries(0..u64::MAX, IteratorMode::Start).next().transpose()?;
        let last = self.entries(0..u64::MAX, IteratorMode::End).next().transpose()?;
        // Opening has moved everything to table files.
        let bytes = self.db.property_int_value(LIVE_DATA_SIZE).map_err(|e| self.rocks(e))?;
        let first = first.map(|(index, _)| index);
        Ok(Kept { slots, first, last, bytes: bytes.unwrap_or(0) })
    }

    fn write(&self, changes: Vec<Change>, sync: bool) -> Result<(), DeviceError> {
        if changes.is_empty() && sync {
            // RocksDB may skip the WAL for an empty batch.
            return self.db.flush_wal(true).map_err(|e| self.rocks(e));
        }
        let mut batch = WriteBatch::default();
        let mut purged = None;
        for change in changes {
            match change {
                Change::Put { index, record } => batch.put(entry_key(index), record),
                Change::Set { slot, record } => batch.put(slot.key(), record),
                Change::Remove(range) => {
                    let (from, to) = range.into_inner();
                    batch.delete_range(entry_key(from), entry_key(to.saturating_add(1)));
                    purged = if from == 0 { Some(to) } else { purged };
                }
            }
        }
        for (point, is_reached) in [("log-written", sync), ("purge-written", purged.is_some())] {
            if is_reached && crash::is_planned(point) {
                // Writing and syncing are one step but for a test that crashes in between.
                self.db.write(batch).map_err(|e| self.rocks(e))?;
                crash::crash_point(point);
                return self.db.flush_wal(true).map_err(|e| self.rocks(e));
            }
        }
        let mut options = WriteOptions::default();
        // Files must not go before it is durable that they may.
        options.set_sync(sync || purged.is_some());
        self.db.write_opt(batch, &options).map_err(|e| self.rocks(e))?;
        if let Some(upto) = purged {
            crash::crash_point("purge-synced");
            // Whole files of purged entries need no compaction.
            let files = self.db.delete_file_in_range(entry_key(0), entry_key(upto));
            files.map_err(|e| self.rocks(e))?;
            crash::crash_point("purge-done");
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>, bytes_max: usize) -> Result<Vec<(u64, Bytes)>, DeviceError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for item in self.entries(range, IteratorMode::Start) {
            let (index, record) = item?;
            bytes += record.len();
            records.push((index, record));
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(records)
    }

    fn read_fence(&self) -> Result<Vec<u8>, DeviceError> {
        fs::read(&self.fence_path).map_err(|e| self.fence_error(e))
    }

    fn write_fence(&self, offset: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.fence
            .write_all_at(bytes, offset)
            .and_then(|()| self.fence.sync_data())
            .map_err(|e| self.fence_error(e))
    }
}

fn options(write_buffer_bytes: usize) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(BLOCK_CACHE_BYTES));
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    // Drops a torn tail; whether more than that is gone, the fence tells.
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_recycle_log_file_num(WAL_FILES_RECYCLED);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    // fdatasync; and every write goes to the WAL at once: with `manual_wal_flush`, a write error
    // there would drop what is buffered.
    options.set_use_fsync(false);
    options.set_manual_wal_flush(false);
    options.set_write_buffer_size(write_buffer_bytes);
    options.set_max_write_buffer_number(WRITE_BUFFERS_MAX);
    options.set_allow_concurrent_memtable_write(false);
    options.set_compression_type(DBCompressionType::None);
    options.set_level_zero_slowdown_writes_trigger(LEVEL0_FILES_MAX);
    options.set_level_zero_stop_writes_trigger(LEVEL0_FILES_MAX);
    options.set_soft_pending_compaction_bytes_limit(0);
    options.set_hard_pending_compaction_bytes_limit(0);
    options.set_max_background_jobs(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    options.set_keep_log_file_num(INFO_LOG_FILES_MAX);
    options
}
