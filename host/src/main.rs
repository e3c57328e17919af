//! The one program of Quorate: a frontend, and the commands that talk to one.

fn main() {
    quorate::cli::main()
}
