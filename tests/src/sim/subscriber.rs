//! Whoever reads what entries changed, as the service for subscribers does, of one frontend after
//! the other: nothing may be missing or come twice, and all frontends tell the same.

use std::collections::BTreeMap;

use quorate::machine::{ChangeCursor, ChangesError, EntryChanges, MachineView};
use quorate::types::Lsn;

use super::context::Context;
use super::world::World;

/// Between two looks, in milliseconds.
const LOOK_MS: u64 = 20;
/// Most parts of entries that are read at once, and most bytes.
const ROWS_MAX: usize = 100;
const BYTES_MAX: usize = 64 << 10;

/// The subscriber.
pub(super) struct Subscriber {
    cursor: ChangeCursor,
    /// What was read anywhere first.
    known: BTreeMap<Lsn, Vec<EntryChanges>>,
}

impl Default for Subscriber {
    fn default() -> Self {
        Self { cursor: ChangeCursor::at(Lsn(0)), known: BTreeMap::new() }
    }
}

/// Reads on, of the frontend whose turn it is.
pub(super) fn read_on(world: &mut World) {
    let now = world.context.now_ms();
    if !now.is_multiple_of(LOOK_MS) {
        return;
    }
    let turn = usize::try_from(now / LOOK_MS).expect("a few") % world.hosts.len();
    let Some(running) = world.running(turn) else { return };
    let view = running.cluster.machine().view();
    let subscriber = &mut world.subscriber;
    let mut cursor = subscriber.cursor;
    if let Err(what) = subscriber.page(&view, &mut cursor, &world.context) {
        world.context.violate(format!("feed of host {turn}: {what}"));
    }
    subscriber.cursor = cursor;
}

impl Subscriber {
    /// Reads a page, and tells whether there was one.
    fn page(
        &mut self,
        view: &MachineView,
        cursor: &mut ChangeCursor,
        context: &Context,
    ) -> Result<bool, String> {
        let begin = *cursor;
        let read = match view.changes(cursor, ROWS_MAX, BYTES_MAX) {
            Ok(read) => read,
            // It reads the state anew, and goes on from there.
            Err(ChangesError::Gone { wanted, first }) if wanted < first => {
                context.count("feeds of changes begun anew");
                *cursor = ChangeCursor::at(first);
                return Ok(true);
            }
            Err(error) => return Err(format!("from {begin:?}: {error}")),
        };
        context.count("pages of changes read");
        let mut parts: Vec<EntryChanges> = Vec::new();
        let mut due = begin.lsn;
        for part in read {
            let before: usize = parts.iter().map(|part| part.changes.len()).sum();
            let follows = part.lsn == due
                && (parts.is_empty() || usize::try_from(part.ordinal) == Ok(before));
            if !follows {
                return Err(format!("LSN {}, {} where {due} is due", part.lsn, part.ordinal));
            }
            let (lsn, ends) = (part.lsn, !part.more);
            parts.push(part);
            if ends {
                let whole = parts[0].ordinal == 0;
                let same = self.known.get(&lsn).is_none_or(|known| *known == parts);
                if whole && !same {
                    return Err(format!("LSN {lsn}: {parts:?}, others {:?}", self.known.get(&lsn)));
                }
                if whole {
                    self.known.insert(lsn, std::mem::take(&mut parts));
                }
                parts.clear();
                due = Lsn(lsn.0 + 1);
            }
        }
        Ok(due > begin.lsn || !parts.is_empty())
    }
}

impl World {
    /// In the end every frontend has the changes of all entries from the first that it has kept.
    pub(super) fn check_feeds(&mut self) {
        for at in self.members() {
            let Some(running) = self.running(at) else { continue };
            let view = running.cluster.machine().view();
            if let Err(what) = self.subscriber.read_all(&view, &self.context) {
                self.context.violate(format!("feed of host {at}, in the end: {what}"));
            }
        }
    }
}

impl Subscriber {
    fn read_all(&mut self, view: &MachineView, context: &Context) -> Result<(), String> {
        let first = view.first_changes().map_err(|error| error.to_string())?;
        if first > view.lsn() {
            return Err(format!("nothing is kept up to {}", view.lsn()));
        }
        let mut cursor = ChangeCursor::at(first);
        while cursor.lsn <= view.lsn() {
            if !self.page(view, &mut cursor, context)? {
                return Err(format!("nothing from {cursor:?} on, up to {}", view.lsn()));
            }
        }
        Ok(())
    }
}
