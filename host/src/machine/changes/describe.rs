//! Commands of the host, told as JSON for people and tools that watch a cluster.

use quorate_wire::Description;
use serde_json::{Map, Value, json};

use crate::machine::registry::Registry;
use crate::types::{
    Alteration, Frontend, Gate, HostCommand, Lifecycle, Lsn, Membership, ModuleManifest, NodeId,
    Order, Outcome, When,
};

/// A command as it will be told.
pub struct Told {
    name: String,
    details: Map<String, Value>,
}

impl Told {
    /// Name and details, with the reason if it was refused: an activation is also told then.
    pub fn ended(mut self, outcome: &Outcome) -> (String, String) {
        if let Outcome::Refused(failure) = outcome {
            self.details.insert("refused".to_owned(), failure.message.clone().into());
        }
        (self.name, Value::Object(self.details).to_string())
    }
}

/// Tells a command, before it runs at `lsn`.
pub fn tell(command: &HostCommand, lsn: Lsn, registry: &Registry) -> Told {
    let (name, details) = match command {
        HostCommand::Found { cluster, generation, frontend } => (
            "found",
            json!({ "cluster": cluster.0, "generation": generation.0, "frontend": told(1, frontend) }),
        ),
        HostCommand::AddFrontend(frontend) => {
            ("add_frontend", json!({ "frontend": told(lsn.0, frontend) }))
        }
        HostCommand::DropFrontend(node) => {
            ("drop_frontend", json!({ "frontend": known(*node, registry) }))
        }
        HostCommand::AnnounceFrontend { node, ports, version } => (
            "announce_frontend",
            json!({
                "frontend": known(*node, registry), "version": version,
                "query_port": ports.query, "rpc_port": ports.rpc, "http_port": ports.http,
            }),
        ),
        HostCommand::PutModuleChunk { digest, index, bytes } => (
            "put_module_chunk",
            json!({ "digest": digest.to_string(), "index": index, "size_bytes": bytes.len() }),
        ),
        HostCommand::InstallModule(manifest) => ("install_module", installed(manifest)),
        HostCommand::AcknowledgeModule { node, digest, refusal } => (
            "acknowledge_module",
            json!({
                "frontend": known(*node, registry), "digest": digest.to_string(),
                "refusal": refusal,
            }),
        ),
        HostCommand::Lifecycle(lifecycle) => about_module(lifecycle, registry),
        HostCommand::Alter(Alteration::Add(frontends)) => {
            // Their ids are the LSNs up to this one.
            let first = (lsn.0 + 1).saturating_sub(frontends.len() as u64);
            let all: Vec<_> = (first..).zip(frontends).map(|(id, added)| told(id, added)).collect();
            ("add_frontends", json!({ "frontends": all }))
        }
        HostCommand::Alter(Alteration::Drop { kind, addresses, force, .. }) => {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            (
                "drop_frontends",
                json!({ "role": kind.name(), "addresses": addresses, "force": force }),
            )
        }
        HostCommand::Alter(Alteration::Move { node, to, .. }) => {
            ("move_frontend", json!({ "frontend": known(*node, registry), "to": to.to_string() }))
        }
        HostCommand::Alter(Alteration::Turn { address, kind, .. }) => {
            ("turn_frontend", json!({ "address": address.to_string(), "role": kind.name() }))
        }
        HostCommand::Alter(Alteration::Enter { node, ports, version, .. }) => (
            "enter_frontend",
            json!({
                "frontend": known(*node, registry), "version": version,
                "query_port": ports.query, "rpc_port": ports.rpc, "http_port": ports.http,
            }),
        ),
        HostCommand::MigrateStep { since, step } => {
            ("migrate_step", json!({ "activated_at_lsn": since.0, "step": step }))
        }
        HostCommand::AnnounceEpochs { node, epochs } => (
            "announce_epochs",
            json!({
                "frontend": known(*node, registry), "oldest": epochs.oldest.0,
                "newest": epochs.newest.0,
            }),
        ),
        HostCommand::ChangeEpoch { from, to } => {
            ("change_epoch", json!({ "from": from.0, "to": to.0 }))
        }
        HostCommand::Set { key, value } => ("set", json!({ "name": key, "value": value })),
        HostCommand::SetAll(settings) => {
            let settings =
                settings.iter().map(|(key, value)| json!({ "name": key, "value": value }));
            ("set_all", json!({ "settings": settings.collect::<Vec<_>>() }))
        }
        HostCommand::Recover { cluster, generation, frontend, note } => (
            "recover",
            json!({
                "cluster": cluster.0, "generation": generation.0,
                "frontend": told(lsn.0, frontend), "note": note,
            }),
        ),
    };
    Told { name: name.to_owned(), details: object(details) }
}

fn about_module(command: &Lifecycle, registry: &Registry) -> (&'static str, Value) {
    let ordered = |order: &Order| {
        json!({
            "digest": order.to.to_string(), "from": order.expected.map(|from| from.to_string()),
            "gate": match order.gate {
                Gate::All => "all",
                Gate::Quorum => "quorum",
                Gate::One => "force",
            },
        })
    };
    let scheduled = registry.scheduled.as_ref().map(|scheduled| ordered(&scheduled.order));
    match command {
        Lifecycle::Activate(order) if order.when == When::Now => {
            ("activate_module", ordered(order))
        }
        Lifecycle::Activate(order) => ("schedule_activation", ordered(order)),
        Lifecycle::RunScheduled { .. } => {
            ("activate_module", scheduled.unwrap_or_else(|| json!({})))
        }
        Lifecycle::CancelScheduled => ("cancel_activation", scheduled.unwrap_or_else(|| json!({}))),
        Lifecycle::Retire { digest } => ("retire_module", json!({ "digest": digest.to_string() })),
        Lifecycle::InstallSigned { manifest, .. } => ("install_module", installed(manifest)),
    }
}

fn installed(manifest: &ModuleManifest) -> Value {
    let description = Description::unpack(&manifest.description).ok();
    let description = description.as_ref();
    json!({
        "digest": manifest.digest.to_string(), "size_bytes": manifest.size_bytes,
        "name": description.map(|module| &module.name),
        "version": description.map(|module| &module.version),
    })
}

/// Voters and learners, by node id, with their addresses.
pub fn membership(membership: &Membership) -> String {
    let configs = membership.get_joint_config().iter();
    let configs: Vec<Vec<u64>> =
        configs.map(|config| config.iter().map(|node| node.0).collect()).collect();
    let nodes = membership.nodes().map(|(node, peer)| (node.to_string(), peer.address.as_str()));
    let nodes: Map<String, Value> = nodes.map(|(node, at)| (node, at.into())).collect();
    json!({ "voters": configs, "nodes": nodes }).to_string()
}

fn told(node: u64, frontend: &Frontend) -> Value {
    json!({ "node": node, "address": frontend.address(), "role": frontend.kind.name() })
}

fn known(node: NodeId, registry: &Registry) -> Value {
    let frontend = registry.frontends.get(&node);
    frontend.map_or_else(|| json!({ "node": node.0 }), |frontend| told(node.0, frontend))
}

fn object(details: Value) -> Map<String, Value> {
    match details {
        Value::Object(details) => details,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::FrontendKind;

    #[test]
    fn frontends_of_one_statement_are_told_with_the_ids_that_they_get() {
        let added = |host| Frontend::new(FrontendKind::Observer, host, 9010);
        let command = HostCommand::Alter(Alteration::Add(vec![added("a"), added("b")]));
        let Told { name, details } = tell(&command, Lsn(9), &Registry::default());
        assert_eq!(name, "add_frontends");
        let told = |node: u64, at: &str| json!({ "node": node, "address": at, "role": "OBSERVER" });
        assert_eq!(details["frontends"], json!([told(8, "a:9010"), told(9, "b:9010")]));
    }
}
