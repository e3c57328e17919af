//! A relay in front of a frontend, whose connections can be cut, refused and swallowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Relays to one address. Peers know the frontend by the relay's address.
#[derive(Clone)]
pub(super) struct Proxy {
    pub address: String,
    /// Counts cuts; and what becomes of connections.
    state: Arc<watch::Sender<(u64, Link)>>,
    connections: Arc<AtomicUsize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Open,
    Refused,
    /// They stay, what is sent is taken, and nothing ever arrives.
    Swallowed,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(watch::Sender::new((0, Link::Open)));
        let connections = Arc::new(AtomicUsize::new(0));
        let proxy = Self { address, state: state.clone(), connections: connections.clone() };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                if state.borrow().1 != Link::Refused {
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
        let link = if open { Link::Open } else { Link::Refused };
        self.state.send_modify(|state| *state = (state.0 + 1, link));
    }

    /// Lets nothing through any more, without ending a connection.
    pub fn swallow(&self) {
        self.state.send_modify(|state| *state = (state.0 + 1, Link::Swallowed));
    }
}

async fn relay(mut client: TcpStream, target: String, mut state: watch::Receiver<(u64, Link)>) {
    let link = state.borrow_and_update().1;
    if link == Link::Swallowed {
        return swallow(client, state).await;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = state.changed() => {
            let link = state.borrow_and_update().1;
            if link == Link::Swallowed {
                swallow(client, state).await;
            }
        }
    }
}

async fn swallow(mut client: TcpStream, mut state: watch::Receiver<(u64, Link)>) {
    let mut nowhere = tokio::io::sink();
    tokio::select! {
        _ = tokio::io::copy(&mut client, &mut nowhere) => {}
        _ = state.changed() => {}
    }
}
