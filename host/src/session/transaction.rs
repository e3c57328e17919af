//! What a client believes to be a transaction.

/// Whether the client has begun a transaction, and whether `ROLLBACK` would have work to do.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    open: bool,
    written: bool,
}

impl Transaction {
    /// `BEGIN`: also ends the one before.
    pub fn begin(&mut self) {
        *self = Self { open: true, written: false };
    }

    /// A statement changed something.
    pub fn write(&mut self) {
        self.written = true;
    }

    /// `COMMIT`, or `ROLLBACK`. Returns whether something was written since the last one.
    pub fn end(&mut self) -> bool {
        std::mem::take(self).written
    }

    /// Whether the client has begun it.
    pub fn is_open(&self) -> bool {
        self.open
    }
}
