//! What can be read of a state: an ordered, unchanging view of keys and values.

use bytes::Bytes;

/// Keys and values in scan order.
pub type Pairs = Vec<(Bytes, Bytes)>;

/// An ordered view of a state as of one LSN. Later writes do not show. Holding it pins storage, so
/// hold it briefly.
///
/// Keys compare bytewise. Calls block on disk: never from an async thread.
pub trait View: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// When storage could not be read or what was read is damaged.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, ViewError>;

    /// The pairs in `low <= key < high`, from the low end or, with `reverse`, from the high end, at
    /// most `rows_max` of them, and at most `bytes_max` bytes of keys and values unless the first
    /// pair alone exceeds that. Fewer than asked for does not mean that the range is done.
    ///
    /// # Errors
    /// When storage could not be read or what was read is damaged.
    fn scan(&self, range: Range<'_>, rows_max: usize, bytes_max: usize) -> Result<Scan, ViewError>;
}

/// What to scan.
#[derive(Debug, Clone, Copy)]
pub struct Range<'a> {
    /// First key.
    pub low: &'a [u8],
    /// First key that is no longer part of it.
    pub high: &'a [u8],
    /// From the high end down.
    pub reverse: bool,
}

/// Part of a scanned range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The pairs, in scan order.
    pub pairs: Pairs,
    /// Whether the range holds no more.
    pub done: bool,
}

/// Storage could not be read. Never an outcome: the reader must stop, not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the state: {0}")]
pub struct ViewError(pub String);
