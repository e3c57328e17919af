//! Where the command line finds the settings of a frontend.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;

use crate::config::{self, Settings};

#[derive(Args)]
pub struct Source {
    /// Configuration file with lines of key = value
    #[arg(long, env = "QUORATE_CONF", value_name = "FILE")]
    conf: Option<PathBuf>,
    /// A configuration key and its value, as key=value; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl Source {
    /// Reads the file, the environment and the flags, and gives what is set and what is odd.
    pub fn read(&self) -> anyhow::Result<(Settings, Vec<String>)> {
        let mut settings = config::from_scripts(std::env::vars());
        let mut warnings = Vec::new();
        if let Some(path) = &self.conf {
            let (mut set, unknown) = read_file(path)?;
            config::expand(&mut set, |name| std::env::var(name).ok())?;
            settings.extend(set);
            warnings = unknown;
        }
        settings.extend(config::from_environment(std::env::vars()));
        for flag in &self.settings {
            let (parsed, unknown) = config::parse("--set", flag)?;
            if let Some(unknown) = unknown.first() {
                return Err(anyhow!("{unknown}"));
            }
            settings.extend(parsed);
        }
        Ok((settings, warnings))
    }
}

fn read_file(path: &Path) -> anyhow::Result<(Settings, Vec<String>)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(config::parse(&path.display().to_string(), &text)?)
}
