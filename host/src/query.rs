//! Placeholder for the query layer's types until its branch is merged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use quorate_wire::Value;

/// What a query may know of its session.
#[derive(Debug, Clone)]
pub struct Scope {
    pub connection_id: u64,
    pub user: String,
    pub host: String,
    pub database: Option<String>,
    pub catalog: String,
    pub system_variables: Arc<BTreeMap<String, Value>>,
    pub global_variables: Arc<BTreeMap<String, Value>>,
    pub user_variables: Arc<BTreeMap<String, Value>>,
    pub now_us: i64,
    pub version: String,
    pub current_version: String,
    pub last_query_id: String,
}

/// Raised to end a query early.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Raises it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
