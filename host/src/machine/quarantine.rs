//! The mark of a state that is not to be used, kept with that state and outside of its digest.

use bytes::Bytes;

use super::{keys, rows};
use crate::types::{Lsn, StateDigest, View, ViewError};

/// Why a state was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// For people.
    pub reason: String,
    /// The digest that a majority has, and where, if one was found.
    pub agreed: Option<(Lsn, StateDigest)>,
}

impl Quarantine {
    /// As it is stored.
    pub fn pack(&self) -> Bytes {
        rows::pack(|out| {
            out.text(&self.reason);
            if let Some((lsn, digest)) = &self.agreed {
                lsn.encode(out);
                out.raw(&digest.0);
            }
        })
    }

    /// The mark of a state, if it has one.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn load(view: &dyn View) -> Result<Option<Self>, ViewError> {
        rows::find(view, &keys::QUARANTINE, |row| {
            let reason = row.text()?;
            // Earlier versions kept the reason only.
            let agreed = match row.rest().is_empty() {
                true => None,
                false => Some((Lsn::decode(row)?, StateDigest(row.array()?))),
            };
            Ok(Self { reason, agreed })
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::storage::state::{MemoryState, StateStore};

    #[test]
    fn a_mark_comes_back_and_so_does_one_without_what_the_others_have() {
        let state = MemoryState::new();
        assert_eq!(Quarantine::load(&*state.view()).unwrap(), None);
        for agreed in [None, Some((Lsn(300), StateDigest([7; 32])))] {
            let mark = Quarantine { reason: "differs".to_owned(), agreed };
            let row = BTreeMap::from([(keys::QUARANTINE, Some(mark.pack()))]);
            state.commit(row).unwrap();
            assert_eq!(Quarantine::load(&*state.view()).unwrap(), Some(mark));
        }
        // As the first versions wrote it.
        let row = rows::pack(|out| out.text("differs"));
        assert_eq!(row, Quarantine { reason: "differs".to_owned(), agreed: None }.pack());
    }
}
