//! Proxies between frontends, where the kernel's means are out of reach.
//!
//! Every frontend is registered under an address of loopback of its own, where its proxy listens.
//! A cut stops the bytes of every connection to or from a frontend: they are neither passed on nor
//! refused, and arrive after the cut is healed, as retransmitted ones would.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::Frontend;

/// Bytes that a proxy holds per direction.
const BUFFER_BYTES: usize = 64 << 10;

/// The proxies. They end when dropped.
pub struct Proxies {
    runtime: Runtime,
    cut: watch::Sender<BTreeSet<usize>>,
    /// The folders that frontends run in tell their processes apart.
    places: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Proxies {
    /// For so many frontends.
    ///
    /// # Errors
    /// When there are no threads for them.
    pub fn new(size: usize) -> Result<Self> {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build()?;
        let cut = watch::Sender::new(BTreeSet::new());
        Ok(Self { runtime, cut, places: Arc::new(Mutex::new(Vec::with_capacity(size))) })
    }

    pub(super) fn place(&self, at: usize, frontend: &mut Frontend) -> Result<()> {
        let host = format!("127.0.1.{}", at + 1);
        let port = frontend.edit_log_port();
        let listener = self.runtime.block_on(TcpListener::bind((host.as_str(), port)))?;
        frontend.register_as(&host);
        self.places.lock().push((at, frontend.meta_dir().display().to_string()));
        let (places, cut) = (Arc::clone(&self.places), self.cut.subscribe());
        self.runtime.spawn(async move {
            while let Ok((accepted, from)) = listener.accept().await {
                let (places, cut) = (Arc::clone(&places), cut.clone());
                tokio::spawn(async move {
                    let known = places.lock().clone();
                    let sender = tokio::task::spawn_blocking(move || sender(from, &known)).await;
                    let ends = BTreeSet::from_iter(sender.ok().flatten().into_iter().chain([at]));
                    let Ok(inside) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    let _ = (accepted.set_nodelay(true), inside.set_nodelay(true));
                    let (from, back) = accepted.into_split();
                    let (answers, to) = inside.into_split();
                    tokio::spawn(pass(from, to, ends.clone(), cut.clone()));
                    pass(answers, back, ends, cut).await;
                });
            }
        });
        Ok(())
    }

    pub(super) fn cut(&self, at: usize) {
        self.cut.send_modify(|cut| {
            cut.insert(at);
        });
    }

    pub(super) fn heal(&self, at: usize) {
        self.cut.send_modify(|cut| {
            cut.remove(&at);
        });
    }
}

/// Passes bytes on in one direction while neither end is cut off.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    ends: BTreeSet<usize>,
    mut cut: watch::Receiver<BTreeSet<usize>>,
) {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await;
        // Also the end of a stream must not pass.
        if cut.wait_for(|cut| cut.is_disjoint(&ends)).await.is_err() {
            return;
        }
        match read {
            Ok(0) | Err(_) => return,
            Ok(count) => {
                if to.write_all(&buffer[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The frontend whose process has the other end of a connection. None: it has ended, or is no
/// frontend.
fn sender(from: SocketAddr, places: &[(usize, String)]) -> Option<usize> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let wanted = format!("socket:[{}]", inode(&table, from)?);
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let holds = |descriptors: fs::ReadDir| {
            let mut links = descriptors.flatten().filter_map(|one| fs::read_link(one.path()).ok());
            links.any(|link| link.as_os_str() == wanted.as_str())
        };
        if !fs::read_dir(process.path().join("fd")).is_ok_and(holds) {
            continue;
        }
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).into_owned();
        let mut known = places.iter();
        return known.find(|(_, dir)| command.contains(dir.as_str())).map(|(at, _)| *at);
    }
    None
}

/// The inode of the socket with that local address, in the kernel's table (proc(5)).
fn inode(table: &str, local: SocketAddr) -> Option<&str> {
    let SocketAddr::V4(local) = local else { return None };
    let address = u32::from_ne_bytes(local.ip().octets());
    let wanted = format!("{address:08X}:{:04X}", local.port());
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (*fields.get(1)? == wanted).then_some(*fields.get(9)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_in_the_kernels_table_by_its_local_address() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   \
                     uid  timeout inode\n   0: 0100007F:1F90 0101007F:2332 01 00000000:00000000 \
                     00:00000000 00000000     0        0 4711 1 0000000000000000 20 4 30 10 -1\n";
        let local = "127.0.0.1:8080".parse().expect("an address");
        assert_eq!(inode(table, local), Some("4711"));
        let other = "127.0.0.1:8081".parse().expect("an address");
        assert_eq!(inode(table, other), None);
    }
}
