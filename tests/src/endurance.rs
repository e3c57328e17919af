//! Killing frontends under load, again and again, and then looking for what is wrong.
//!
//! Clients write through every frontend and note how each write ended: acknowledged, failed for
//! certain, or uncertain. Afterwards nothing that was acknowledged may be missing or have happened
//! twice, nothing that failed may be there, and all frontends must have the same digest.

pub mod client;
pub mod cycles;
pub mod history;
pub mod image;
pub mod restart;
pub mod writer;
