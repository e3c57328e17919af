//! The four ports, bound all or none.
//!
//! The others come to one address only. Clients on this machine may also use 127.0.0.1, which is
//! what they ask for when nobody tells them otherwise.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::StartError;
use crate::config::Config;

/// Bound ports.
pub struct Listeners {
    /// For the other frontends.
    pub edit_log: TcpListener,
    /// gRPC for clients.
    pub rpc: Vec<TcpListener>,
    /// MySQL.
    pub query: Vec<TcpListener>,
    /// HTTP.
    pub http: Vec<TcpListener>,
}

impl Listeners {
    /// Binds the configured ports.
    ///
    /// # Errors
    /// The first port that cannot be bound.
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let own = config.bind_address;
        let bind = async |key, address, port| {
            TcpListener::bind(SocketAddr::new(address, port))
                .await
                .map_err(|source| StartError::Port { key, address, port, source })
        };
        let mut addresses = vec![own];
        if !own.is_loopback() && !own.is_unspecified() {
            addresses.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let bind_all = async |key, port| {
            let mut bound = Vec::new();
            for address in &addresses {
                bound.push(bind(key, *address, port).await?);
            }
            Ok::<_, StartError>(bound)
        };
        Ok(Self {
            edit_log: bind("edit_log_port", own, config.edit_log_port).await?,
            rpc: bind_all("rpc_port", config.rpc_port).await?,
            query: bind_all("query_port", config.query_port).await?,
            http: bind_all("http_port", config.http_port).await?,
        })
    }
}
