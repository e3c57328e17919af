//! A RocksDB snapshot that owns the database it belongs to.
//!
//! The binding's snapshot borrows its database, so it cannot outlive a function. A view must: it is
//! handed to queries that run elsewhere, and keeps its database open even after the store moved on
//! to another one. This file is the only place that steps over the borrow.

use std::sync::Arc;

use rocksdb::{DB, Snapshot};

use super::rocks::Database;

/// A snapshot together with its database.
pub(super) struct OwnedSnapshot {
    // Dropped in this order: the snapshot is released while the database is still open.
    snapshot: Snapshot<'static>,
    _database: Arc<Database>,
}

impl OwnedSnapshot {
    /// The database as of now.
    #[allow(unsafe_code, reason = "the binding offers no snapshot that owns its database")]
    pub(super) fn take(database: &Arc<Database>) -> Self {
        let database = Arc::clone(database);
        // SAFETY: the reference points into the heap allocation of the `Arc`, which does not move
        // and lives as long as `_database`. That is private, never replaced or handed out, and
        // dropped after `snapshot`. The extended lifetime never leaves this struct: `get` shortens
        // it to that of `&self`.
        let borrowed: &'static DB = unsafe { &(*Arc::as_ptr(&database)).db };
        Self { snapshot: borrowed.snapshot(), _database: database }
    }

    /// The snapshot.
    pub(super) fn get(&self) -> &Snapshot<'_> {
        &self.snapshot
    }
}
