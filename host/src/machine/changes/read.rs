//! Reading what entries changed, in their order and without a hole.

use super::{EntryChanges, decode, is_on};
use crate::machine::position::Position;
use crate::machine::view::MachineView;
use crate::machine::{keys, rows};
use crate::types::{Lsn, Range, Scan, View, ViewError};

/// The next row to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeCursor {
    /// The entry.
    pub lsn: Lsn,
    /// The part of it.
    part: u32,
}

impl ChangeCursor {
    /// Begins with an entry.
    pub fn at(lsn: Lsn) -> Self {
        Self { lsn, part: 0 }
    }

    /// The entry up to which everything was read; none before the first.
    pub fn complete(self) -> Option<Lsn> {
        self.lsn.0.checked_sub(1).map(Lsn)
    }
}

/// Why changes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangesError {
    /// They were removed, or never recorded here.
    #[error("changes of LSN {wanted} are not kept here, the first that are is {first}")]
    Gone {
        /// What was asked for.
        wanted: Lsn,
        /// The first entry from which on changes are, or will be, kept.
        first: Lsn,
    },
    /// The setting `change_feed` is off.
    #[error("changes are not recorded: the setting change_feed is false")]
    Off,
    /// Storage could not be read.
    #[error(transparent)]
    View(#[from] ViewError),
}

impl MachineView {
    /// The first entry whose changes are kept; the next one to be applied, if none are. Blocks.
    ///
    /// # Errors
    /// When storage could not be read.
    pub fn first_changes(&self) -> Result<Lsn, ViewError> {
        let (view, position) = (self.store(), self.position());
        if !is_recorded(view, position)? {
            return Ok(position.next());
        }
        let (begin, high) = (self.begin()?, keys::end(keys::CHANGES));
        let range = Range { low: keys::CHANGES, high: &high, reverse: false };
        let oldest =
            view.scan(range, 1, 1)?.pairs.first().map(|(key, _)| row_of(key)).transpose()?;
        Ok(oldest.map_or_else(|| position.next(), |oldest| begin.max(oldest.lsn)))
    }

    /// Whether changes are recorded.
    pub fn records_changes(&self) -> bool {
        is_on(self.registry())
    }

    /// The changes of entries from `cursor` on, which is moved: at most `rows_max` parts of
    /// entries, and at most `bytes_max` bytes unless the first part alone exceeds that. Empty when
    /// all that this view shows was read. Blocks.
    ///
    /// # Errors
    /// When they are not kept, not recorded, or storage could not be read. The cursor stays.
    pub fn changes(
        &self,
        cursor: &mut ChangeCursor,
        rows_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<EntryChanges>, ChangesError> {
        // Not `lsn()`: it says 0 also of a state to which nothing was applied.
        if cursor.lsn >= self.position().next() {
            return Ok(Vec::new());
        }
        let high = keys::end(keys::CHANGES);
        let low = keys::changes(cursor.lsn, cursor.part);
        let range = Range { low: &low, high: &high, reverse: false };
        let Scan { pairs, .. } = self.store().scan(range, rows_max, bytes_max)?;
        let mut next = *cursor;
        let mut read = Vec::with_capacity(pairs.len());
        for (key, row) in &pairs {
            if row_of(key)? != next {
                break;
            }
            let changes = decode(next.lsn, row).map_err(|error| rows::damaged(key, error))?;
            next = if changes.more {
                ChangeCursor { lsn: next.lsn, part: next.part + 1 }
            } else {
                ChangeCursor::at(Lsn(next.lsn.0 + 1))
            };
            read.push(changes);
        }
        if read.is_empty() || cursor.lsn < self.begin()? {
            return Err(self.gone(cursor.lsn)?);
        }
        *cursor = next;
        Ok(read)
    }

    fn begin(&self) -> Result<Lsn, ViewError> {
        let begin = rows::find(self.store(), &keys::CHANGES_BEGIN, Lsn::decode)?;
        Ok(begin.unwrap_or_default())
    }

    fn gone(&self, wanted: Lsn) -> Result<ChangesError, ViewError> {
        if !self.records_changes() {
            return Ok(ChangesError::Off);
        }
        Ok(ChangesError::Gone { wanted, first: self.first_changes()? })
    }
}

/// Whether the changes of the last entry applied are kept. If not, another version of this program
/// applied it, recording was off, or nothing was ever applied: rows of older entries are not
/// followed by those to come.
pub fn is_recorded(view: &dyn View, position: &Position) -> Result<bool, ViewError> {
    let Some(last) = position.log_id else { return Ok(false) };
    Ok(view.get(&keys::changes(Lsn(last.index), 0))?.is_some())
}

fn row_of(key: &[u8]) -> Result<ChangeCursor, ViewError> {
    let mut rest = quorate_wire::Reader::new(&key[keys::CHANGES.len()..]);
    let parts = rows::number(&mut rest).and_then(|lsn| Ok((lsn, rest.array()?)));
    let (lsn, part) = parts.map_err(|error| rows::damaged(key, error))?;
    Ok(ChangeCursor { lsn: Lsn(lsn), part: u32::from_be_bytes(part) })
}
