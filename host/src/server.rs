//! One frontend, from its configuration to its end.
//!
//! Starts from the bottom up and stops from the top down. Ports are bound before anything is
//! written, so a start that cannot succeed leaves nothing behind.

mod apply;
mod backend;
mod engine;
mod enter;
mod error;
mod handover;
mod listeners;
mod rejections;
mod snapshots;
mod space;
mod start;
mod tuning;

pub use apply::Gated;
pub use backend::Services;
pub use enter::{running, user};
pub use error::{Ending, StartError};
pub use start::{Frontend, StartOptions};
pub use tuning::SetLogLevel;
