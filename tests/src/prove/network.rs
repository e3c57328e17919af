//! A network between frontends that can be cut: packets vanish, and nobody is told.
//!
//! With root and `ip`, each frontend has a network namespace of its own, joined by a bridge
//! ([`Namespaces`]). Without, each is registered under an address of loopback where a proxy listens
//! that can stop passing bytes on ([`Proxies`]). Clients are not cut off in either.

mod namespaces;
mod proxies;

use anyhow::Result;

use crate::Frontend;
pub use namespaces::{Namespaces, relay};
pub use proxies::Proxies;

/// One of the two.
pub enum Network {
    /// Namespaces of the kernel.
    Namespaces(Namespaces),
    /// Proxies of this process.
    Proxies(Proxies),
}

impl Network {
    /// For so many frontends: namespaces where that is possible and not `proxies`, else proxies.
    ///
    /// # Errors
    /// When neither can be had.
    pub fn new(size: usize, proxies: bool, progress: super::Progress<'_>) -> Result<Self> {
        if proxies {
            return Ok(Self::Proxies(Proxies::new(size)?));
        }
        match Namespaces::new(size) {
            Ok(namespaces) => Ok(Self::Namespaces(namespaces)),
            Err(error) => {
                progress(format!("proxies cut the network, as namespaces cannot: {error:#}"));
                Ok(Self::Proxies(Proxies::new(size)?))
            }
        }
    }

    /// How it cuts, for the report.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Namespaces(_) => "netns",
            Self::Proxies(_) => "proxy",
        }
    }

    /// Puts a frontend that was never started at a place of it.
    ///
    /// # Errors
    /// When the ways to it cannot be made.
    pub fn place(&self, at: usize, frontend: &mut Frontend) -> Result<()> {
        match self {
            Self::Namespaces(namespaces) => namespaces.place(at, frontend),
            Self::Proxies(proxies) => proxies.place(at, frontend),
        }
    }

    /// From now on nothing passes between that frontend and the others.
    ///
    /// # Errors
    /// When it cannot be cut.
    pub fn cut(&self, at: usize) -> Result<()> {
        match self {
            Self::Namespaces(namespaces) => namespaces.cut(at),
            Self::Proxies(proxies) => {
                proxies.cut(at);
                Ok(())
            }
        }
    }

    /// Undoes a cut.
    ///
    /// # Errors
    /// When it cannot be undone.
    pub fn heal(&self, at: usize) -> Result<()> {
        match self {
            Self::Namespaces(namespaces) => namespaces.heal(at),
            Self::Proxies(proxies) => {
                proxies.heal(at);
                Ok(())
            }
        }
    }
}
