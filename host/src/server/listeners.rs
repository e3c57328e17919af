//! The four ports, bound all or none.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use crate::config::Config;

/// Bound ports.
pub struct Listeners {
    /// For the other frontends.
    pub edit_log: TcpListener,
    /// gRPC for clients.
    pub rpc: TcpListener,
    /// MySQL.
    pub query: TcpListener,
    /// HTTP.
    pub http: TcpListener,
}

impl Listeners {
    /// Binds the configured ports.
    ///
    /// # Errors
    /// The first port that cannot be bound.
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let bind = async |key, port| {
            let address = config.bind_address;
            TcpListener::bind(SocketAddr::new(address, port))
                .await
                .map_err(|source| StartError::Port { key, address, port, source })
        };
        Ok(Self {
            edit_log: bind("edit_log_port", config.edit_log_port).await?,
            rpc: bind("rpc_port", config.rpc_port).await?,
            query: bind("query_port", config.query_port).await?,
            http: bind("http_port", config.http_port).await?,
        })
    }
}
