//! Looks after the disk: refuses writes while it is nearly full, throws the ballast off when it is
//! full, and takes both back by itself.
//!
//! | free | what happens |
//! |---|---|
//! | below the low mark | modules' commands are refused; a leader hands over to a voter with room |
//! | below a quarter of it | the ballast is removed, so that votes and membership can be written |
//! | above the low mark | writes are taken again |
//! | and room for the ballast | it is put back |

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::StartError;
use super::handover::hand_over;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::storage::{Ballast, Level, Room, Space, Watermarks};

/// Between two looks at the disk.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);
/// Between two attempts of a leader to hand over.
const HAND_OVER_INTERVAL: Duration = Duration::from_secs(1);

/// The disk of a data directory, and the ballast on it.
#[derive(Debug, Clone)]
pub struct Disk {
    space: Space,
    ballast: Ballast,
}

impl Disk {
    /// The disk that the data directory is on, or will be.
    pub fn new(config: &Config) -> Self {
        let there = config.meta_dir.ancestors().find(|path| path.exists());
        let there = there.unwrap_or(Path::new("."));
        Self {
            space: Space::new(there, Watermarks::new(config.min_free_disk_bytes)),
            ballast: Ballast::new(&config.meta_dir, config.ballast_bytes),
        }
    }

    /// Before a start: a disk without room would fail it half-way.
    ///
    /// # Errors
    /// When not even the ballast would make enough room.
    pub fn check_start(&self, config: &Config) -> Result<(), StartError> {
        let Ok(room) = self.space.check() else { return Ok(()) };
        let needed_bytes = config.min_free_disk_bytes / 4;
        let free_bytes = room.free_bytes + self.ballast.held().unwrap_or(0);
        if free_bytes >= needed_bytes {
            return Ok(());
        }
        let path = config.meta_dir.clone();
        Err(StartError::NoRoom { path, free_bytes, needed_bytes })
    }

    /// The same disk with another low mark.
    fn with_low_bytes(mut self, low_bytes: u64) -> Self {
        self.space.set_watermarks(Watermarks::new(low_bytes));
        self
    }

    /// Looks at the disk, and moves the ballast if that is due. Blocks.
    pub fn look(&self) -> Option<Room> {
        let room = match self.space.check() {
            Ok(room) => room,
            Err(error) => {
                tracing::warn!("{error}");
                return None;
            }
        };
        let in_place = self.ballast.is_in_place().unwrap_or(true);
        let moved = match room.level {
            Level::Critical if self.ballast.held().is_ok_and(|held| held > 0) => {
                tracing::error!("only {} bytes are free: the ballast goes", room.free_bytes);
                self.ballast.release()
            }
            Level::Ample
                if !in_place && room.free_bytes >= room.low_bytes + self.ballast.bytes() =>
            {
                tracing::info!("a ballast of {} bytes is put in place", self.ballast.bytes());
                self.ballast.put()
            }
            _ => Ok(()),
        };
        if let Err(error) = moved {
            tracing::warn!("the ballast: {error}");
        }
        Some(room)
    }
}

/// Looks after a disk until told to stop.
pub async fn watch(disk: Disk, cluster: Cluster, stop: CancellationToken) {
    let proposer = cluster.node().proposer();
    let mut handed_over: Option<Instant> = None;
    while !stop.is_cancelled() {
        let low_bytes = cluster.config().get().min_free_disk_bytes;
        let looking = disk.clone().with_low_bytes(low_bytes);
        let room = tokio::task::spawn_blocking(move || looking.look()).await;
        if let Ok(Some(room)) = room {
            let is_full = room.level >= Level::Low;
            if is_full != proposer.is_full() {
                tracing::warn!(
                    "{} bytes are free: writes are {}",
                    room.free_bytes,
                    if is_full { "refused" } else { "taken again" }
                );
            }
            proposer.set_full(is_full);
            let may = handed_over.is_none_or(|at| at.elapsed() >= HAND_OVER_INTERVAL);
            if is_full && may && hand_over(&cluster, "the disk is nearly full").await {
                handed_over = Some(Instant::now());
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}
