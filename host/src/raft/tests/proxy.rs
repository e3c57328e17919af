//! A relay in front of a frontend, whose connections can be cut and refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Relays to one address. Peers know the frontend by the relay's address.
#[derive(Clone)]
pub(super) struct Proxy {
    pub address: String,
    /// Counts cuts; and whether connections are accepted.
    state: Arc<watch::Sender<(u64, bool)>>,
    connections: Arc<AtomicUsize>,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(watch::Sender::new((0, true)));
        let connections = Arc::new(AtomicUsize::new(0));
        let proxy = Self { address, state: state.clone(), connections: connections.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                if state.borrow().1 {
                    tokio::spawn(relay(client, target.clone(), state.subscribe()));
                }
            }
        });
        proxy
    }

    /// How many connections were made, also those that were refused.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends every connection. New ones are accepted.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.0 += 1);
    }

    /// Ends every connection, and accepts new ones or not.
    pub fn open(&self, open: bool) {
        self.state.send_modify(|state| *state = (state.0 + 1, open));
    }
}

async fn relay(mut client: TcpStream, target: String, mut state: watch::Receiver<(u64, bool)>) {
    state.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = state.changed() => {}
    }
}
