//! What the README promises, tried on real processes with the real client.

mod backup;
mod catalog;
mod component;
mod crashes;
mod damage;
mod disk_faults;
mod disk_full;
mod endurance;
mod failover;
mod formats;
mod hot_swap;
mod recover;
mod refusals;
mod sim;
mod start;
mod subscribe;
