//! The gRPC service behind `cluster.proto`.

use tonic::{Request, Response, Status};

use super::{Cluster, command_deadline};
use crate::proto::cluster::cluster_server::{Cluster as Service, ClusterServer};
use crate::proto::cluster::{
    JoinRequest, JoinResponse, Membership, StatusRequest, StatusResponse, Unregistered,
    join_response::Answer,
};
use crate::types::{HostCommand, NodeId, Ports};

impl Cluster {
    /// The service, to be mounted on the port for frontends.
    pub fn service(&self) -> ClusterServer<impl Service + use<>> {
        ClusterServer::new(Answering(self.clone()))
    }
}

struct Answering(Cluster);

impl Cluster {
    /// A frontend that votes cannot join: with an empty log it would vote again in terms in which
    /// it has voted already, and take back acknowledgements that a majority counted on.
    fn must_not_vote(&self, node: NodeId) -> Result<(), Status> {
        let view = self.machine().view();
        if view.membership().membership().voter_ids().any(|voter| voter == node) {
            return Err(Status::failed_precondition(format!(
                "frontend {node} already votes: start it with its own data directory, or drop it \
                 and add it anew"
            )));
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Service for Answering {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let request = request.into_inner();
        let port = |port: u32| {
            u16::try_from(port).map_err(|_| Status::invalid_argument(format!("{port} is no port")))
        };
        let edit_log_port = port(request.edit_log_port)?;
        let ports = Ports {
            query: port(request.query_port)?,
            rpc: port(request.rpc_port)?,
            http: port(request.http_port)?,
        };
        let view = self.0.machine().view();
        let known = view.frontends().into_iter().find(|(_, frontend)| {
            frontend.host == request.host && frontend.edit_log_port == edit_log_port
        });
        let (Some((node, frontend)), Some((cluster, generation))) = (known, view.cluster()) else {
            let answer = Some(Answer::Unregistered(Unregistered {}));
            return Ok(Response::new(JoinResponse { answer }));
        };
        self.0.must_not_vote(node)?;
        let command = HostCommand::AnnounceFrontend { node, ports, version: request.version };
        let announced = self.0.run("", command, command_deadline()).await;
        let announced = announced.map_err(|failure| Status::unavailable(failure.message))?;
        // This frontend may have been behind, and now knows what came before.
        if self.0.machine().lsn() < announced {
            return Err(Status::unavailable("this frontend is behind; ask another one"));
        }
        self.0.must_not_vote(node)?;
        let answer = Some(Answer::Member(Membership {
            cluster: cluster.0,
            generation: generation.0,
            node: node.0,
            kind: frontend.kind.name().to_owned(),
        }));
        Ok(Response::new(JoinResponse { answer }))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let request = request.into_inner();
        let mine = self.0.identity();
        let fence = (mine.cluster.0, mine.generation.0, mine.node.0);
        if fence != (request.cluster, request.generation, request.target) {
            return Err(Status::failed_precondition(format!(
                "this is frontend {} of cluster {}, generation {}",
                mine.node, mine.cluster, mine.generation
            )));
        }
        Ok(Response::new(self.0.status()))
    }
}
