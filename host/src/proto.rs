//! Generated code for the gRPC services, one module per package.

/// What clients say to a frontend.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod client {
    tonic::include_proto!("quorate.v1");
}

/// How frontends join and how they are.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod cluster {
    tonic::include_proto!("quorate.cluster.v1");
}

/// What frontends say to each other.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod peer {
    tonic::include_proto!("quorate.peer.v1");
}

/// The descriptors of all services, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
