//! Three members of etcd on loopback.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tonic::transport::{Channel, Endpoint};

use super::{CLIENTS_PER_CONNECTION, Client, KEY_BYTES, Operation, System, value};
use crate::{eventually_async, free_ports};

mod proto {
    #![allow(clippy::all, missing_docs, reason = "generated")]
    tonic::include_proto!("etcdserverpb");
}
use proto::kv_client::KvClient;
use proto::maintenance_client::MaintenanceClient;

const START_LIMIT: Duration = Duration::from_secs(30);

/// A running etcd cluster. Killed when dropped.
pub struct Etcd {
    members: Vec<Child>,
    endpoints: Vec<String>,
    leader: usize,
}

impl Etcd {
    /// Starts three members with etcd's defaults.
    ///
    /// # Errors
    /// When etcd is not installed or does not come up.
    pub async fn start(dir: &Path) -> Result<Self> {
        let ports: Vec<[u16; 4]> = (0..3).map(|_| free_ports()).collect();
        let peers: Vec<_> = ports
            .iter()
            .enumerate()
            .map(|(n, p)| format!("m{n}=http://127.0.0.1:{}", p[1]))
            .collect();
        let peers = peers.join(",");
        let mut members = Vec::new();
        for (number, [client, peer, ..]) in ports.iter().enumerate() {
            let (client, peer) =
                (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
            let child = Command::new("etcd")
                .args(["--name", &format!("m{number}"), "--data-dir"])
                .arg(dir.join(format!("etcd{number}")))
                .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
                .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
                .args(["--initial-cluster", &peers, "--initial-cluster-state", "new"])
                .args(["--log-level", "error"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .context("start etcd: `make bench` installs etcd-server")?;
            members.push(child);
        }
        let endpoints =
            ports.iter().map(|ports| format!("http://127.0.0.1:{}", ports[0])).collect();
        let mut cluster = Self { members, endpoints, leader: 0 };
        cluster.leader = eventually_async("etcd has a leader", START_LIMIT, async || {
            cluster.find_leader().await.ok()
        })
        .await;
        Ok(cluster)
    }

    async fn find_leader(&self) -> Result<usize> {
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let channel = Endpoint::from_shared(endpoint.clone())?.connect().await?;
            let request = proto::StatusRequest {};
            let status = MaintenanceClient::new(channel).status(request).await?.into_inner();
            let own = status.header.context("a status has a header")?.member_id;
            if own == status.leader {
                return Ok(at);
            }
        }
        anyhow::bail!("no member leads")
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in &mut self.members {
            let _ = member.kill();
            let _ = member.wait();
        }
    }
}

impl System for Etcd {
    fn name(&self) -> &'static str {
        "etcd"
    }

    fn processes(&self) -> Vec<u32> {
        self.members.iter().map(Child::id).collect()
    }

    fn clients(&self, count: usize) -> BoxFuture<'_, Result<Vec<Box<dyn Client>>>> {
        async move {
            let mut clients: Vec<Box<dyn Client>> = Vec::new();
            let mut channel = None;
            for number in 0..count {
                if number % CLIENTS_PER_CONNECTION == 0 {
                    let at = (self.leader + number / CLIENTS_PER_CONNECTION) % self.endpoints.len();
                    let endpoint = Endpoint::from_shared(self.endpoints[at].clone())?;
                    channel = Some(endpoint.tcp_nodelay(true).connect().await?);
                }
                let channel = channel.clone().context("the first client connects")?;
                clients.push(Box::new(EtcdClient { channel, value: value() }));
            }
            Ok(clients)
        }
        .boxed()
    }
}

struct EtcdClient {
    channel: Channel,
    value: Vec<u8>,
}

impl Client for EtcdClient {
    fn run(&self, operation: Operation, key: [u8; KEY_BYTES]) -> BoxFuture<'_, Result<()>> {
        let mut client = KvClient::new(self.channel.clone());
        async move {
            match operation {
                Operation::Put => {
                    let value = self.value.clone();
                    client.put(proto::PutRequest { key: key.to_vec(), value }).await?;
                }
                Operation::Get => {
                    let request = proto::RangeRequest { key: key.to_vec(), serializable: false };
                    let found = client.range(request).await?.into_inner().kvs;
                    ensure!(found.len() == 1 && found[0].value == self.value, "wrong value");
                }
            }
            Ok(())
        }
        .boxed()
    }
}
