//! The record of each recovery: which generation began where, with whom and why.
//!
//! Written by one command of the log and never changed, so it is also in every later backup.

use bytes::Bytes;
use quorate_wire::{DecodeError, Reader};

use super::keys;
use super::rows;
use crate::types::{Generation, Lsn, NodeId, View, ViewError};

/// One recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The entry.
    pub lsn: Lsn,
    /// When, in microseconds since 1970, by the clock of the tool.
    pub time_us: u64,
    /// The generation that began.
    pub generation: Generation,
    /// The frontend that it began with.
    pub node: NodeId,
    /// Where that frontend is reached.
    pub address: String,
    /// Why.
    pub note: String,
}

impl Recovery {
    /// As stored; the LSN is in the key.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            out.unsigned(self.time_us);
            self.generation.encode(out);
            self.node.encode(out);
            out.text(&self.address);
            out.text(&self.note);
        })
    }

    /// All of them, the oldest first.
    pub fn load_all(view: &dyn View) -> Result<Vec<Self>, ViewError> {
        let mut all = Vec::new();
        rows::each(view, keys::RECOVERIES, |key, row| {
            all.push(Self::decode(Lsn(rows::number(key)?), row)?);
            Ok(())
        })?;
        Ok(all)
    }

    fn decode(lsn: Lsn, row: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            lsn,
            time_us: row.unsigned()?,
            generation: Generation::decode(row)?,
            node: NodeId::decode(row)?,
            address: row.text()?,
            note: row.text()?,
        })
    }
}
