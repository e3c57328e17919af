//! The gRPC service behind `cluster.proto`.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::admission::Newcomer;
use super::status::Offset;
use super::{Cluster, command_deadline, confirm, standing};
use crate::proto::cluster::cluster_server::{Cluster as Service, ClusterServer};
use crate::proto::cluster::{
    AnnounceRequest, AnnounceResponse, JoinRequest, JoinResponse, Member, Membership,
    StatusRequest, StatusResponse, TransferLeaderRequest, TransferLeaderResponse, Unregistered,
    join_response::Answer,
};
use crate::types::{Address, Alteration, Frontend, HostCommand, Lsn, NodeId, Ports};

impl Cluster {
    /// The service, to be mounted on the port for frontends.
    pub fn service(&self) -> ClusterServer<impl Service + use<>> {
        ClusterServer::new(Answering(self.clone()))
    }
}

struct Answering(Cluster);

impl Cluster {
    fn registered_at(&self, address: &Address) -> Option<(NodeId, Frontend)> {
        let mut all = self.machine().view().frontends().into_iter();
        all.find(|(_, frontend)| address.is_of(frontend))
    }
}

#[tonic::async_trait]
impl Service for Answering {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let clock_us = self.0.clock_us();
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
        if let Some(member) = request.known {
            confirm::compare(&self.0, &member, &request.host, edit_log_port)?;
            return Ok(Response::new(JoinResponse { answer: Some(Answer::Member(member)) }));
        }
        let unregistered = || {
            let answer = Some(Answer::Unregistered(Unregistered {}));
            Ok(Response::new(JoinResponse { answer }))
        };
        let address = Address { host: request.host, port: edit_log_port };
        let known = self.0.registered_at(&address);
        let founded = self.0.machine().view().cluster();
        let (Some((node, frontend)), Some((cluster, generation))) = (known, founded) else {
            return unregistered();
        };
        if let Some(reason) = self.0.why_in_use(node, &frontend).await {
            return Err(Status::failed_precondition(reason));
        }
        let newcomer = Newcomer {
            node,
            frontend: Frontend { ports, ..frontend.clone() },
            machine: request.machine,
            // The request was on its way for a moment; the one who asks repeats a refusal.
            offset: Offset::measure(request.clock_us, clock_us, Duration::ZERO),
        };
        if let Some(objection) = self.0.objection(&newcomer).await {
            return Err(Status::failed_precondition(objection));
        }
        let entrant = request.entrant;
        let entry = Alteration::Enter { node, ports, version: request.version, entrant };
        let entered = self.0.run("", HostCommand::Alter(entry), command_deadline()).await;
        let entered = entered.map_err(|failure| Status::unavailable(failure.message))?;
        if self.0.machine().lsn() < entered {
            return Err(Status::unavailable("this frontend is behind; ask another one"));
        }
        // It may have a new id.
        let Some((node, frontend)) = self.0.registered_at(&address) else {
            return unregistered();
        };
        if self.0.machine().view().entrant(node) != Some(entrant) {
            return Err(Status::unavailable("another frontend has entered at this address"));
        }
        let answer = Some(Answer::Member(Membership {
            cluster: cluster.0,
            generation: generation.0,
            node: node.0,
            kind: frontend.kind.name().to_owned(),
            members: self.0.machine().view().frontends().into_iter().map(member).collect(),
        }));
        Ok(Response::new(JoinResponse { answer }))
    }

    async fn status(
        &self,
        request: Request<StatusRequest>,
    ) -> Result<Response<StatusResponse>, Status> {
        let request = request.into_inner();
        let route = (request.cluster, request.generation, request.target);
        standing::check_route(self.0.identity(), route)?;
        let mut response = self.0.status();
        let sender = NodeId(request.sender);
        response.sender_standing = self.0.standing_of(sender).into();
        if let Some(sender) = self.0.machine().view().frontend(sender) {
            response.sender_address = sender.address();
        }
        if request.digest_lsn > 0 {
            self.0.wait_for_comparison(Lsn(request.digest_lsn)).await;
            response.digest_at = self.0.digest_at(Lsn(request.digest_lsn)).await;
        }
        Ok(Response::new(response))
    }

    async fn announce(
        &self,
        request: Request<AnnounceRequest>,
    ) -> Result<Response<AnnounceResponse>, Status> {
        self.0.take_announcement(request.into_inner()).await?;
        Ok(Response::new(AnnounceResponse {}))
    }

    async fn transfer_leader(
        &self,
        request: Request<TransferLeaderRequest>,
    ) -> Result<Response<TransferLeaderResponse>, Status> {
        let request = request.into_inner();
        let route = (request.cluster, request.generation, request.target);
        standing::check_route(self.0.identity(), route)?;
        let moved = self.0.transfer_from_here(NodeId(request.to), request.force).await;
        moved.map_err(Status::from)?;
        Ok(Response::new(TransferLeaderResponse {}))
    }
}

fn member((node, frontend): (NodeId, Frontend)) -> Member {
    Member { node: node.0, address: frontend.address() }
}
