//! Three frontends with the key/value module.

use anyhow::{Context, Result, bail, ensure};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use quorate::proto::client::client_client::ClientClient;
use quorate::proto::client::execute_response::Body;
use quorate::proto::client::{Consistency, ExecuteRequest, execute_request};
use tonic::transport::{Channel, Endpoint};

use super::{CLIENTS_PER_CONNECTION, Client, KEY_BYTES, Operation, System, value};
use crate::{Cluster, modules};

/// A running Quorate cluster. Killed when dropped.
pub struct Quorate {
    cluster: Cluster,
    leader: usize,
}

impl Quorate {
    /// Starts three frontends with their defaults and the kv module.
    pub fn start(dir: &std::path::Path) -> Self {
        let cluster = Cluster::start_in(dir, 3, Some(modules::KV));
        let leader = cluster.leader(0);
        Self { cluster, leader }
    }
}

impl System for Quorate {
    fn name(&self) -> &'static str {
        "quorate"
    }

    fn processes(&self) -> Vec<u32> {
        self.cluster.frontends.iter().filter_map(crate::Frontend::process).collect()
    }

    fn clients(&self, count: usize) -> BoxFuture<'_, Result<Vec<Box<dyn Client>>>> {
        async move {
            let frontends = &self.cluster.frontends;
            let mut clients: Vec<Box<dyn Client>> = Vec::new();
            let mut channel = None;
            for number in 0..count {
                if number % CLIENTS_PER_CONNECTION == 0 {
                    let at = (self.leader + number / CLIENTS_PER_CONNECTION) % frontends.len();
                    let endpoint =
                        Endpoint::from_shared(format!("http://{}", frontends[at].rpc()))?;
                    channel = Some(endpoint.tcp_nodelay(true).connect().await?);
                }
                let channel = channel.clone().context("the first client connects")?;
                clients.push(Box::new(KvClient { channel, value: value() }));
            }
            Ok(clients)
        }
        .boxed()
    }
}

struct KvClient {
    channel: Channel,
    value: Vec<u8>,
}

impl Client for KvClient {
    fn run(&self, operation: Operation, key: [u8; KEY_BYTES]) -> BoxFuture<'_, Result<()>> {
        let mut client = ClientClient::new(self.channel.clone());
        async move {
            let (request, consistency) = match operation {
                Operation::Put => {
                    (kv::Request::Put { key: &key, value: &self.value }, Consistency::Session)
                }
                Operation::Get => (kv::Request::Get { key: &key }, Consistency::Linearizable),
            };
            let request = ExecuteRequest {
                request: Some(execute_request::Request::Payload(request.pack().into())),
                consistency: consistency.into(),
                ..ExecuteRequest::default()
            };
            let Some(Body::Payload(answer)) = client.execute(request).await?.into_inner().body
            else {
                bail!("a packed request is answered packed");
            };
            match (operation, kv::Response::unpack(&answer)?) {
                (Operation::Put, kv::Response::Put { .. }) => {}
                (Operation::Get, kv::Response::Get(Some((value, _)))) => {
                    ensure!(value == self.value, "wrong value");
                }
                (_, answer) => bail!("unexpected answer {answer:?}"),
            }
            Ok(())
        }
        .boxed()
    }
}
