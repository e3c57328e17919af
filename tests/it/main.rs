//! What the README promises, tried on real processes with the real client.

mod backup;
mod catalog;
mod component;
mod crashes;
mod daemon;
mod damage;
mod deploy_guide;
mod disk_faults;
mod disk_full;
mod endurance;
mod failover;
mod formats;
mod hot_swap;
mod joining;
mod membership;
mod observers;
mod prove;
mod recover;
mod refusals;
mod sim;
mod start;
mod subscribe;
mod verify;
mod visible;
