//! Writing down what an entry changes, command by command, while it is applied.

use quorate_wire::Writer;

use super::describe::{self, Told};
use super::{Before, VERSION, encode_key};
use crate::machine::keys;
use crate::machine::registry::Registry;
use crate::machine::rows;
use crate::runtime::{Event, Overlay};
use crate::types::{HostCommand, Lsn, Membership, Outcome, ViewError};

/// Bytes of values before a change that are kept of one entry; the rest are omitted.
pub const BEFORE_BYTES_MAX: usize = 8 << 20;

/// Values before a change that are looked up for one entry; the rest are omitted.
pub const BEFORE_READS_MAX: usize = 16 << 10;

/// A row that has so many bytes is ended, and the entry goes on in another. One change may make it
/// longer, by a key and two values.
const PART_BYTES: usize = 256 << 10;

/// Where in a row it says that another part follows.
const MORE_AT: usize = 1;

/// The changes of one entry.
pub struct Recorder {
    lsn: Lsn,
    time_us: u64,
    ended: Vec<Vec<u8>>,
    part: Writer,
    ordinal: u32,
    before_bytes: usize,
    before_reads: usize,
}

impl Recorder {
    /// Begins an entry.
    pub fn new(lsn: Lsn) -> Self {
        let (ended, part) = (Vec::new(), Writer::new());
        Self { lsn, time_us: 0, ended, part, ordinal: 0, before_bytes: 0, before_reads: 0 }
    }

    /// The entry's time; counts for what is recorded afterwards.
    pub fn at(&mut self, time_us: u64) {
        self.time_us = time_us;
    }

    /// Adds what the topmost savepoint wrote to keys of modules, which is what command `index` did.
    pub fn written(&mut self, index: u32, overlay: &Overlay) -> Result<(), ViewError> {
        for (key, after) in overlay.top() {
            if keys::in_space(key).is_none() {
                continue;
            }
            let before = self.before(key, overlay)?;
            if after.is_none() && before == Before::Absent {
                continue;
            }
            let out = self.begin(index);
            encode_key(out, key, &before, after.as_deref());
            self.end();
        }
        Ok(())
    }

    fn before(&mut self, key: &[u8], overlay: &Overlay) -> Result<Before, ViewError> {
        if self.before_reads == BEFORE_READS_MAX {
            return Ok(Before::Omitted);
        }
        self.before_reads += 1;
        let Some(value) = overlay.below(key)? else { return Ok(Before::Absent) };
        if self.before_bytes + value.len() > BEFORE_BYTES_MAX {
            return Ok(Before::Omitted);
        }
        self.before_bytes += value.len();
        Ok(Before::Value(value))
    }

    /// Adds the events of command `index` of a module.
    pub fn emitted(&mut self, index: u32, module: &str, events: &[Event]) {
        for Event { topic, key, body } in events {
            let out = self.begin(index);
            out.byte(1);
            out.text(module);
            out.text(topic);
            out.bytes(key);
            out.bytes(body);
            self.end();
        }
    }

    /// Adds a command of the host that changed something.
    pub fn ran(&mut self, index: u32, caller: &str, command: Told, outcome: &Outcome) {
        let (name, details) = command.ended(outcome);
        self.cluster(index, &name, caller, &details);
    }

    /// Adds a change of the membership.
    pub fn membership(&mut self, membership: &Membership) {
        self.cluster(0, "membership", "", &describe::membership(membership));
    }

    /// What will be said of a command of the host, should it change something.
    pub fn tell(&self, command: &HostCommand, registry: &Registry) -> Told {
        describe::tell(command, self.lsn, registry)
    }

    /// Puts the rows of the entry.
    pub fn finish(mut self, overlay: &mut Overlay) {
        self.open();
        let mut number = 0;
        for mut part in self.ended {
            part[MORE_AT] = 1;
            overlay.put(keys::changes(self.lsn, number), part.into());
            number += 1;
        }
        overlay.put(keys::changes(self.lsn, number), self.part.finish().into());
    }

    fn cluster(&mut self, index: u32, name: &str, caller: &str, details: &str) {
        let out = self.begin(index);
        out.byte(2);
        out.text(name);
        out.text(caller);
        out.text(details);
        self.end();
    }

    /// Begins a row, if none is begun.
    fn open(&mut self) {
        if self.part.is_empty() {
            self.part.byte(VERSION);
            self.part.flag(false);
            self.part.unsigned(self.time_us);
            self.part.unsigned(u64::from(self.ordinal));
        }
    }

    fn begin(&mut self, index: u32) -> &mut Writer {
        self.open();
        self.part.unsigned(u64::from(index));
        &mut self.part
    }

    fn end(&mut self) {
        self.ordinal += 1;
        if self.part.len() >= PART_BYTES {
            self.ended.push(std::mem::take(&mut self.part).finish());
        }
    }
}

/// The row that says since when there are rows of every entry.
pub fn begin_row(lsn: Lsn) -> bytes::Bytes {
    rows::pack(|out| lsn.encode(out))
}
