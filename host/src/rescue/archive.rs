//! Backup archives: one file with a snapshot and the log that followed it.
//!
//! ```text
//! header    15 bytes  "QUORATE-BACKUP\n", 1 byte version
//! block     1 byte kind, 4 bytes number, 4 bytes length, payload, 4 bytes CRC-32 of all of these
//!   manifest   once, first: whose it is, the snapshot's manifest, the last entry and its digest
//!   chunk      the snapshot's files, one after the other, each from its start to its end
//!   entries    the log after the snapshot up to the last entry, without a gap
//!   trailer    once, last: how many blocks and bytes came before, and their BLAKE3
//! ```
//!
//! Numbers are little endian and blocks are numbered from 0, so a block that is missing, repeated
//! or in the wrong place is noticed where it is. Payloads have the layouts of `quorate_wire`.
//!
//! What follows from it:
//! - Any changed or missing byte is found, and named by its position in the file.
//! - An archive is written and read from front to back, so it can be sent while it is made.
//! - A state can be restored at every LSN from the snapshot's to the last entry's.

mod layout;
mod read;
mod save;

pub use layout::{ArchiveManifest, BLOCK_BYTES_MAX};
pub use read::{ArchiveError, read_archive};
pub use save::{Backups, SAVES_MAX, Saving};

pub(super) use read::{Part, walk};
