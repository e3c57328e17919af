//! The one program of Quorate: a frontend, and the commands that talk to one.

use std::process::ExitCode;

fn main() -> ExitCode {
    quorate::cli::main()
}
