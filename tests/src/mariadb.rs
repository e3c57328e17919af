//! The stock `mariadb` client.

use std::process::Command;

/// Runs statements on one frontend, each call with a connection of its own.
#[derive(Clone)]
pub struct Mariadb {
    host: String,
    port: u16,
}

/// What the client printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Rows of the last result sets, columns apart by tabs, names first.
    pub text: String,
}

impl Mariadb {
    /// A client of the frontend with that MySQL port.
    pub fn new(port: u16) -> Self {
        Self::at("127.0.0.1", port)
    }

    /// A client of the frontend at that address and MySQL port.
    pub fn at(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    /// Runs statements and gives their rows, or the client's error text.
    ///
    /// # Errors
    /// What the client wrote to standard error.
    ///
    /// # Panics
    /// When there is no `mariadb` client on this machine.
    pub fn run(&self, statements: &str) -> Result<Output, String> {
        let output = Command::new("mariadb")
            .args(["--no-defaults", "-h", &self.host, "-u", "root", "--batch", "--raw"])
            .args(["--connect-timeout=5", "-P", &self.port.to_string(), "-e", statements])
            .output()
            .expect("the mariadb client is installed: `make setup` does it");
        if output.status.success() {
            Ok(Output { text: String::from_utf8_lossy(&output.stdout).into_owned() })
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// Runs statements that must succeed.
    ///
    /// # Panics
    /// When they do not.
    pub fn ok(&self, statements: &str) -> Output {
        self.run(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The error text of statements that must fail.
    ///
    /// # Panics
    /// When they succeed.
    pub fn error(&self, statements: &str) -> String {
        match self.run(statements) {
            Ok(output) => panic!("{statements} succeeded: {}", output.text),
            Err(error) => error,
        }
    }
}

impl Output {
    /// The rows, without the line of names.
    pub fn rows(&self) -> Vec<Vec<&str>> {
        self.text.lines().skip(1).map(|line| line.split('\t').collect()).collect()
    }

    /// One column of all rows.
    ///
    /// # Panics
    /// When there is no column of that name.
    pub fn column(&self, name: &str) -> Vec<&str> {
        let mut lines = self.text.lines();
        let names: Vec<_> = lines.next().unwrap_or_default().split('\t').collect();
        let at = names.iter().position(|known| *known == name);
        let at = at.unwrap_or_else(|| panic!("no column {name} in {names:?}"));
        lines.filter_map(|line| line.split('\t').nth(at)).collect()
    }
}
