//! The state on disk: one RocksDB, one column family, WAL on but not fsynced.
//!
//! One column family, so that a flush or a checkpoint cuts the whole state at one commit. The WAL
//! means that after a killed process (the page cache survives) nothing is replayed, and after power
//! loss RocksDB recovers some earlier commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, IteratorMode, LogLevel,
    Options, ReadOptions, WriteBatch,
};
use tokio::sync::watch;

use crate::storage::Trouble;
use crate::storage::crash::crash_point;
use crate::storage::folder::Folder;
use crate::storage::record::{Damage, seal, unseal};
use crate::types::{Range, Scan, View, ViewError};

use super::snapshot::OwnedSnapshot;
use super::{StateError, StateStore, Writes, is_void, portion};

/// Memory for changes that are not in a table file yet, and how many such buffers there may be;
/// when all are full, commits wait for a flush.
const WRITE_BUFFER_BYTES: usize = 64 << 20;
const WRITE_BUFFERS_MAX: i32 = 3;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// Writes go out to the disk in such portions, not in one burst that the log's fsync waits behind.
const SYNC_BYTES: u64 = 1 << 20;
/// Flush and compaction together; faster they would hold up the log's fsyncs.
const COMPACTION_BYTES_PER_SECOND: i64 = 64 << 20;
const RATE_REFILL_US: i64 = 100_000;
const RATE_FAIRNESS: i32 = 10;
/// What a record takes beside key and value, about.
const RECORD_BYTES: usize = 24;
/// RocksDB's own message files.
const INFO_LOG_BYTES_MAX: usize = 4 << 20;
const INFO_LOG_FILES_MAX: usize = 4;

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RocksStateOptions {
    /// Memory for blocks that were read.
    pub block_cache_bytes: usize,
}

impl Default for RocksStateOptions {
    /// 256 MiB.
    fn default() -> Self {
        Self { block_cache_bytes: 256 << 20 }
    }
}

/// The database and the folder that it is in: the one is closed before the other may go.
pub(super) struct Database {
    pub db: DB,
    folder: Folder,
}

/// The state in a directory of its own.
pub struct RocksState {
    database: Arc<Database>,
    path: PathBuf,
    /// The view of the last commit, once somebody asked for it.
    view: Mutex<Option<Arc<RocksView>>>,
    failure: Arc<Failures>,
}

/// Tells the first failure.
pub(super) type Failures = watch::Sender<Option<StateError>>;

impl RocksState {
    /// Opens the state in `path`, and creates it when there is none.
    ///
    /// # Errors
    /// When the directory cannot be written, or RocksDB finds its files damaged or in use.
    pub fn open(path: &Path, options: RocksStateOptions) -> Result<Self, StateError> {
        std::fs::create_dir_all(path).map_err(|e| StateError::from_io(path, &e))?;
        let opened = with_unbound(rocks_options(options)).and_then(|o| DB::open(&o, path));
        let db = opened.map_err(|e| StateError::from_rocks(path, &e))?;
        Ok(Self::new(db, path))
    }

    /// Opens the state in `path` for reading; nothing in there is changed.
    ///
    /// # Errors
    /// When there is none, or RocksDB finds its files damaged.
    pub fn open_read_only(path: &Path, options: RocksStateOptions) -> Result<Self, StateError> {
        let mut options = rocks_options(options);
        options.create_if_missing(false);
        let db = DB::open_for_read_only(&options, path, false)
            .map_err(|e| StateError::from_rocks(path, &e))?;
        Ok(Self::new(db, path))
    }

    fn new(db: DB, path: &Path) -> Self {
        let database = Database { db, folder: Folder::new(path.to_owned()) };
        let (database, path) = (Arc::new(database), path.to_owned());
        let failure = Arc::new(watch::Sender::new(None));
        Self { database, path, view: Mutex::new(None), failure }
    }

    /// Reports failures where those of the state that it is to follow are reported.
    pub(super) fn reporting_with(mut self, failure: Arc<Failures>) -> Self {
        self.failure = failure;
        self
    }

    /// Makes everything that is committed survive power loss, without moving it to table files.
    ///
    /// # Errors
    /// When storage failed.
    pub fn sync(&self) -> Result<(), StateError> {
        self.db().flush_wal(true).map_err(|e| self.failed(&e))
    }

    /// Removes the directory once the store and every view of it are dropped.
    pub(in crate::storage) fn retire(&self) {
        self.database.folder.retire();
    }

    fn db(&self) -> &DB {
        &self.database.db
    }

    /// The first failure, once there is one: a read that found damage, or a commit that was not
    /// made. The frontend must then stop. Stays readable when the store is gone.
    pub fn failure(&self) -> watch::Receiver<Option<StateError>> {
        self.failure.subscribe()
    }

    fn failed(&self, error: &rocksdb::Error) -> StateError {
        note(&self.failure, StateError::from_rocks(&self.path, error))
    }
}

fn note(failure: &Failures, error: StateError) -> StateError {
    failure.send_if_modified(|first| {
        let is_first = first.is_none();
        first.get_or_insert_with(|| error.clone());
        is_first
    });
    error
}

impl StateStore for RocksState {
    fn view(&self) -> Arc<dyn View> {
        let mut view = self.view.lock();
        let view = view.get_or_insert_with(|| {
            Arc::new(RocksView {
                snapshot: OwnedSnapshot::take(&self.database),
                path: self.path.clone(),
                failure: Arc::clone(&self.failure),
            })
        });
        Arc::clone(view) as Arc<dyn View>
    }

    fn commit(&self, writes: Writes) -> Result<(), StateError> {
        let size =
            writes.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Bytes::len));
        let size = size.map(|bytes| bytes + RECORD_BYTES).sum();
        let mut batch = WriteBatch::with_capacity_bytes(size);
        for (key, value) in writes {
            match value {
                Some(value) => batch.put(&key, seal(&key, &value)),
                None => batch.delete(&key),
            }
        }
        crash_point("state-before-commit");
        let result = self.db().write(batch).map_err(|e| self.failed(&e));
        crash_point("state-after-commit");
        *self.view.lock() = None;
        result
    }

    /// One tombstone, however many pairs there are.
    fn remove(&self, low: &[u8], high: &[u8]) -> Result<(), StateError> {
        if low >= high {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        batch.delete_range(low, high);
        let result = self.db().write(batch).map_err(|e| self.failed(&e));
        *self.view.lock() = None;
        result
    }

    fn flush(&self) -> Result<(), StateError> {
        self.db().flush().map_err(|e| self.failed(&e))
    }

    fn checkpoint(&self, dir: &Path) -> Result<(), StateError> {
        Checkpoint::new(self.db())
            .and_then(|checkpoint| checkpoint.create_checkpoint(dir))
            .map_err(|e| StateError::from_rocks(dir, &e))
    }
}

struct RocksView {
    snapshot: OwnedSnapshot,
    path: PathBuf,
    failure: Arc<Failures>,
}

impl RocksView {
    fn failed(&self, error: &rocksdb::Error) -> ViewError {
        let error = note(&self.failure, StateError::from_rocks(&self.path, error));
        ViewError(error.to_string())
    }

    fn damaged(&self, key: &[u8], damage: &Damage) -> ViewError {
        let reason = format!("key '{}': {damage}", key.escape_ascii());
        let error = note(&self.failure, StateError::new(&self.path, reason, Trouble::Damage));
        ViewError(error.to_string())
    }
}

impl View for RocksView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError> {
        let found = self.snapshot.get().get(key).map_err(|e| self.failed(&e))?;
        found
            .map(|record| unseal(key, &record.into()).map_err(|e| self.damaged(key, &e)))
            .transpose()
    }

    fn scan(&self, range: Range<'_>, rows_max: usize, bytes_max: usize) -> Result<Scan, ViewError> {
        if is_void(&range) {
            return Ok(Scan { pairs: Vec::new(), done: true });
        }
        let mut reads = ReadOptions::default();
        reads.set_iterate_lower_bound(range.low);
        reads.set_iterate_upper_bound(range.high);
        let mode = if range.reverse { IteratorMode::End } else { IteratorMode::Start };
        let pairs = self.snapshot.get().iterator_opt(mode, reads).map(|item| {
            let (key, record) = item.map_err(|e| self.failed(&e))?;
            let value = unseal(&key, &record.into()).map_err(|e| self.damaged(&key, &e))?;
            Ok((Bytes::from(key), value))
        });
        portion(pairs, rows_max, bytes_max)
    }
}

/// Adds the options that the binding has no functions for.
///
/// What was recovered from the WAL stays there and in memory: a flush before the first answer would
/// go through the rate limiter, a second for a full buffer. Nothing is allocated ahead: every flush
/// begins a WAL file, which would take all that is left of a disk that is nearly full, before the
/// flush itself has written a byte.
fn with_unbound(mut options: Options) -> Result<Options, rocksdb::Error> {
    options.get_options_from_string("avoid_flush_during_recovery=true;allow_fallocate=false")
}

fn rocks_options(chosen: RocksStateOptions) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(chosen.block_cache_bytes));
    table.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_write_buffer_number(WRITE_BUFFERS_MAX);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bytes_per_sync(SYNC_BYTES);
    options.set_wal_bytes_per_sync(SYNC_BYTES);
    options.set_ratelimiter(COMPACTION_BYTES_PER_SECOND, RATE_REFILL_US, RATE_FAIRNESS);
    options.set_max_background_jobs(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options.set_log_level(LogLevel::Warn);
    options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    options.set_keep_log_file_num(INFO_LOG_FILES_MAX);
    options
}
