//! Data directories while no frontend runs on them: looked at, and begun anew.
//!
//! - [`Survey`]: whose a directory is and how far its log and state are. Reads every record of the
//!   log, so damage is found before anything relies on it.
//! - [`Recovery`]: a cluster that lost its majority goes on from one survivor.
//!
//! Both recovery and restore end with a new *generation* of the cluster ([`generation`] tells the
//! order of writes and what a crash leaves). Frontends of different generations refuse each other,
//! so what is left of the old one can never mix with the new one.
//!
//! Everything here blocks, and takes the lock of each directory, so a running frontend is never
//! touched.

mod error;
mod generation;
mod recovery;
mod survey;

pub use error::RescueError;
pub use generation::Begun;
pub use recovery::{Recovery, RecoveryOptions};
pub use survey::Survey;
