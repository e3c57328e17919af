//! How the program ends: the one table of exit codes.
//!
//! | code | means | a supervisor should |
//! |---|---|---|
//! | 0 | done, or stopped when asked to | leave it |
//! | 1 | failed | start it again |
//! | 2 | wrong usage, configuration, port or data directory | leave it: it needs an operator |
//! | 3 | no frontend reachable | try again |
//! | 65 | what is on the disk is damaged, incomplete, or not the others' | leave it: it needs an operator |
//! | 66 | it does not belong to the cluster any more: dropped, or of an old generation | leave it |
//! | 74 | a write, a read or an fsync failed | start it again once the disk works |
//! | 75 | the disk is full | start it again, with pauses; it says when there is too little room |
//!
//! From 65 on they are those of `sysexits.h`: data error, no input, input/output error, temporary
//! failure.

use std::io::Write;

use crate::server::Ending;

/// Done, or stopped when asked to.
pub const DONE: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Wrong usage, configuration, port or data directory.
pub const USAGE: u8 = 2;
/// No frontend reachable.
pub const UNREACHABLE: u8 = 3;
/// What is on the disk is damaged, incomplete, or not the others'.
pub const DAMAGE: u8 = 65;
/// It does not belong to the cluster any more.
pub const EXPELLED: u8 = 66;
/// A write, a read or an fsync failed.
pub const DISK: u8 = 74;
/// The disk is full.
pub const FULL: u8 = 75;

/// The exit code of a frontend's end.
pub fn code(ending: Ending) -> u8 {
    match ending {
        Ending::Usage => USAGE,
        Ending::Damage => DAMAGE,
        Ending::Expelled => EXPELLED,
        Ending::Disk => DISK,
        Ending::Full => FULL,
        Ending::Failed => FAILED,
    }
}

/// Ends the process without the destructors of its libraries: threads that were left behind, on a
/// dead disk for one, may still be inside RocksDB, which aborts once its own are run.
pub fn end(code: u8) -> ! {
    let _ = std::io::stdout().flush();
    signal_hook::low_level::exit(code.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    fn systemd_leaves_alone_whatever_the_table_says_to_leave_alone() {
        let rows = include_str!("exit.rs").lines().filter_map(|line| line.strip_prefix("//! | "));
        let left = rows.filter(|row| row.contains("| leave it"));
        let left = left.map(|row| row.split(' ').next().unwrap());
        // Done is no failure, which alone has systemd start it again.
        let left: Vec<_> = left.filter(|code| *code != super::DONE.to_string()).collect();
        let unit = include_str!("../../../conf/quorate-fe.service");
        let listed = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
        assert_eq!(listed.unwrap().split(' ').collect::<Vec<_>>(), left);
        assert!(unit.contains("\nRestart=on-failure\n"));
    }
}
