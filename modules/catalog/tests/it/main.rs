//! The catalog, asked as a client would ask it.

#![allow(clippy::unwrap_used)]

mod alter;
mod client;
mod databases;
mod events;
mod information_schema;
mod partitions;
mod races;
mod show;
mod tables;
mod versions;
mod views;
