//! Data directories while no frontend runs on them: looked at, and begun anew.
//!
//! - [`Survey`]: whose a directory is and how far its log and state are. Reads every record of the
//!   log, so damage is found before anything relies on it.
//! - [`verify`] and [`explain`]: the log applied again on a copy, and compared with what came of it
//!   the first time; and what one entry did.
//! - [`shadow`]: another module on copies of a running frontend's state, with what its log holds.
//! - [`archive`]: a backup in one file, made while the frontend runs.
//! - [`restore`]: a new data directory from such a file, at any LSN that it holds.
//! - [`rebuild`]: a state that was put aside gives way to one that is made anew; vote, log and
//!   identity stay.
//! - [`Recovery`]: a cluster that lost its majority goes on from one survivor.
//!
//! Both recovery and restore end with a new *generation* of the cluster ([`generation`] tells the
//! order of writes and what a crash leaves). Frontends of different generations refuse each other,
//! so what is left of the old one can never mix with the new one.
//!
//! All but making an archive takes the lock of each directory, so a running frontend is never
//! touched. Everything here blocks.

pub mod archive;
mod error;
mod explain;
mod generation;
mod rebuild;
mod recovery;
mod restore;
pub mod shadow;
mod stage;
mod survey;
mod verify;

pub use crate::machine::{DIFFERENCES_MAX, Explained, ExplainedCommand, key_name};
pub use error::RescueError;
pub use explain::{Explanation, explain};
pub use generation::Begun;
pub use rebuild::{RebuildOptions, Rebuilt, rebuild};
pub use recovery::{Recovery, RecoveryOptions};
pub use restore::{RestoreOptions, restore};
pub use stage::{Base, ReplayOptions};
pub use survey::{Survey, verify_directory};
pub use verify::{Both, Disagreement, Progress, Verified, verify};
