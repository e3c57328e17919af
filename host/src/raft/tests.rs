//! Whole clusters in one process, over real sockets, with a small native state machine.

#![allow(clippy::unwrap_used)]

mod cluster;
mod failover;
mod feed;
mod ledger;
mod memory_log;
mod proxy;
mod snapshots;
mod traffic;
