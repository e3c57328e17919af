//! The registry of frontends and the settings.

use super::support::*;
use crate::types::{
    ClusterId, Frontend, FrontendKind, Generation, HostCommand, Lsn, NodeId, Ports,
};

struct Registry {
    node: Node,
    log: Log,
    client: Client,
}

impl Registry {
    fn founded() -> Self {
        let (mut log, mut client) = (Log::default(), Client::new(1));
        log.push(voters(&[1]));
        log.commands(&[client.host(found())]);
        let mut node = Node::open(Disk::memory().open(), &runtime());
        node.apply(&log.entries);
        Self { node, log, client }
    }

    fn run<const N: usize>(&mut self, commands: [HostCommand; N]) -> [crate::types::Outcome; N] {
        let commands = commands.map(|command| self.client.host(command));
        let entry = self.log.commands(&commands);
        let outcomes = self.node.outcomes(entry);
        std::array::from_fn(|at| outcomes[at].1.clone())
    }

    fn add(&mut self, host: &str, port: u16) -> crate::types::Outcome {
        let frontend = Frontend::new(FrontendKind::Observer, host, port);
        let [outcome] = self.run([HostCommand::AddFrontend(frontend)]);
        outcome
    }
}

#[test]
fn a_second_frontend_of_a_host_is_refused_unless_it_is_wanted() {
    let mut registry = Registry::founded();
    let text = "FE with the same host: H1 already exists";
    assert_eq!(refusal(&registry.add("H1", 9011)), text);
    let set = HostCommand::Set { key: "allow_colocated".into(), value: "true".into() };
    registry.run([set]);
    assert_eq!(refusal(&registry.add("H1", 9010)), text);
    assert_eq!(affected(&registry.add("H1", 9011)), 1);
}

#[test]
fn loopback_frontends_may_share_their_host_but_not_their_port() {
    let mut registry = Registry::founded();
    for host in ["127.0.0.1", "localhost", "::1"] {
        assert_eq!(affected(&registry.add(host, 9010)), 1);
        assert_eq!(affected(&registry.add(host, 9011)), 1);
        assert!(refusal(&registry.add(host, 9011)).contains(host));
    }
}

#[test]
fn an_address_that_cannot_be_is_refused() {
    let mut registry = Registry::founded();
    for (host, port) in [("", 9010), ("h 2", 9010), ("h2", 0), (&"h".repeat(254), 9010)] {
        assert_eq!(refusal(&registry.add(host, port)), "frontend host or port is wrong!");
    }
}

#[test]
fn an_id_is_the_lsn_and_is_never_given_twice() {
    let mut registry = Registry::founded();
    let lsn = Lsn(registry.log.lsn().0 + 1);
    let [added, dropped, again] = registry.run([
        HostCommand::AddFrontend(frontend(2)),
        HostCommand::DropFrontend(NodeId(lsn.0)),
        HostCommand::AddFrontend(frontend(3)),
    ]);
    assert_eq!((affected(&added), affected(&dropped)), (1, 1));
    assert!(refusal(&again).contains("try again"));
    assert_eq!(affected(&registry.add("h3", 9010)), 1);
    let ids: Vec<_> = registry.node.machine.view().frontends().iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, [1, lsn.0 + 1]);
}

#[test]
fn a_frontend_tells_its_ports_and_is_dropped() {
    let mut registry = Registry::founded();
    registry.add("h2", 9010);
    let node = NodeId(registry.log.lsn().0);
    let ports = Ports { query: 9030, rpc: 9020, http: 8030 };
    let announce =
        |node| HostCommand::AnnounceFrontend { node, ports, version: "0.1.0".to_owned() };
    let [first, second, unknown] =
        registry.run([announce(node), announce(node), announce(NodeId(99))]);
    assert_eq!((affected(&first), affected(&second)), (1, 0));
    assert_eq!(refusal(&unknown), "frontend does not exist[99]");
    let view = registry.node.machine.view();
    assert_eq!(view.frontend(node).unwrap().ports, ports);
    assert_eq!(view.frontend(node).unwrap().registered_us, 2000);

    let [first, second] =
        registry.run([HostCommand::DropFrontend(node), HostCommand::DropFrontend(node)]);
    assert_eq!(affected(&first), 1);
    assert_eq!(refusal(&second), format!("frontend does not exist[{node}]"));
    assert!(view.frontend(node).is_some(), "an old view does not change");
    assert!(registry.node.machine.view().frontend(node).is_none());
}

#[test]
fn settings_are_checked() {
    let mut registry = Registry::founded();
    let set = |key: &str, value: &str| HostCommand::Set { key: key.into(), value: value.into() };
    let [name, value, first, same] = registry.run([
        set("Bad name", "1"),
        set("allow_colocated", "1"),
        set("a", "1"),
        set("a", "1"),
    ]);
    assert_eq!(refusal(&name), "unknown setting 'Bad name'");
    assert!(refusal(&value).contains("allow_colocated"));
    assert_eq!((affected(&first), affected(&same)), (1, 0));
    assert_eq!(registry.node.machine.view().setting("a"), Some("1"));
}

#[test]
fn several_settings_are_set_at_once_or_none_of_them() {
    let mut registry = Registry::founded();
    let all = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        HostCommand::SetAll(pairs.collect())
    };
    let many: Vec<_> = (0..257).map(|number| (format!("m{number}"), "1".to_owned())).collect();
    let [second, too_many, good, same] = registry.run([
        all(&[("a", "1"), ("Bad name", "1")]),
        HostCommand::SetAll(many),
        all(&[("b", "1"), ("c", "2"), ("c", "3")]),
        all(&[("b", "1"), ("c", "3")]),
    ]);
    assert_eq!(refusal(&second), "unknown setting 'Bad name'");
    assert!(refusal(&too_many).contains("256 settings"));
    assert_eq!((affected(&good), affected(&same)), (3, 0));
    let view = registry.node.machine.view();
    let set = ["a", "m0", "b", "c"].map(|name| view.setting(name).map(str::to_owned));
    assert_eq!(set, [None, None, Some("1".to_owned()), Some("3".to_owned())]);
}

fn recover(cluster: u64, generation: u64, host: &str) -> HostCommand {
    HostCommand::Recover {
        cluster: ClusterId(cluster),
        generation: Generation(generation),
        frontend: Frontend::new(FrontendKind::Follower, host, 9010),
        note: "lost two".into(),
    }
}

#[test]
fn a_generation_that_does_not_grow_or_is_of_another_cluster_does_not_begin() {
    let mut registry = Registry::founded();
    let (cluster, generation) = registry.node.machine.view().cluster().unwrap();
    for command in [
        recover(cluster.0, generation.0, "h9"),
        recover(cluster.0 + 1, generation.0 + 1, "h9"),
        recover(cluster.0, generation.0 + 1, ""),
    ] {
        let [outcome] = registry.run([command]);
        refusal(&outcome);
    }
    let view = registry.node.machine.view();
    assert_eq!(view.cluster(), Some((cluster, generation)));
    assert!(view.recoveries().unwrap().is_empty());
    assert!(view.frontend(NodeId(1)).is_some());
}

#[test]
fn a_new_generation_has_one_frontend_with_an_id_of_its_own_and_says_how_it_began() {
    let mut registry = Registry::founded();
    registry.add("h2", 9010);
    let (cluster, generation) = registry.node.machine.view().cluster().unwrap();
    let [outcome] = registry.run([recover(cluster.0, generation.0 + 1, "h9")]);
    assert_eq!(affected(&outcome), 1);
    let view = registry.node.machine.view();
    let node = NodeId(registry.log.lsn().0);
    assert_eq!(view.cluster(), Some((cluster, Generation(generation.0 + 1))));
    let hosts: Vec<_> = view.frontends().into_iter().map(|(node, f)| (node, f.host)).collect();
    assert_eq!(hosts, [(node, "h9".to_owned())]);
    let recoveries = view.recoveries().unwrap();
    let [recovery] = recoveries.as_slice() else { panic!("{recoveries:?}") };
    assert_eq!((recovery.lsn, recovery.node), (registry.log.lsn(), node));
    assert_eq!((recovery.note.as_str(), recovery.address.as_str()), ("lost two", "h9:9010"));
}
