//! Who may be added, dropped, moved and turned into what.

use super::support::*;
use crate::machine::may_be_repeated;
use crate::types::{
    Address, Alteration, EntryPayload, Frontend, FrontendKind, HostCommand, Lsn, Membership,
    NodeId, Outcome, Peer, Ports,
};

/// Three followers that vote, `h1` to `h3`, of which `h1` leads and has the id 1.
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
        // Ids are LSNs: room for as many as one statement may add.
        for _ in 0..20 {
            log.push(EntryPayload::Blank);
        }
        let mut node = Node::open(Disk::memory().open(), &runtime());
        node.apply(&log.entries);
        Self { node, log, client }
    }

    fn of_three() -> Self {
        let mut registry = Self::founded();
        assert_eq!(affected(&registry.add(FrontendKind::Follower, &["h2", "h3"])), 2);
        registry.announce_all();
        registry.vote(&[&[1, registry.id("h2").0, registry.id("h3").0]]);
        registry
    }

    fn alter(&mut self, alteration: Alteration) -> Outcome {
        self.run(HostCommand::Alter(alteration))
    }

    fn run(&mut self, command: HostCommand) -> Outcome {
        let command = self.client.host(command);
        let entry = self.log.commands(&[command]);
        self.node.outcomes(entry).remove(0).1
    }

    fn add(&mut self, kind: FrontendKind, hosts: &[&str]) -> Outcome {
        let one = |host: &&str| Frontend::new(kind, *host, 9010);
        self.alter(Alteration::Add(hosts.iter().map(one).collect()))
    }

    fn drop(&mut self, kind: FrontendKind, hosts: &[&str], force: bool) -> Outcome {
        let addresses = hosts.iter().map(|host| address(host)).collect();
        let seen = self.seen();
        self.alter(Alteration::Drop { kind, addresses, seen, force })
    }

    fn turn(&mut self, host: &str, kind: FrontendKind, force: bool) -> Outcome {
        let seen = self.seen();
        self.alter(Alteration::Turn { address: address(host), kind, seen, force })
    }

    fn enter(&mut self, node: NodeId, entrant: u64) -> Outcome {
        let ports = Ports { query: 9030, rpc: 9020, http: 8030 };
        self.alter(Alteration::Enter { node, ports, version: "1".to_owned(), entrant })
    }

    fn move_to(&mut self, node: NodeId, host: &str, by_hand: bool) -> Outcome {
        self.alter(Alteration::Move { node, to: address(host), by_hand })
    }

    /// Every frontend tells its ports.
    fn announce_all(&mut self) {
        for (node, _) in self.node.machine.view().frontends() {
            let ports = Ports { query: 9030, rpc: 9020, http: 8030 };
            self.run(HostCommand::AnnounceFrontend { node, ports, version: "1".to_owned() });
        }
    }

    /// A membership of one set of voters, or of two between two memberships.
    fn vote(&mut self, configs: &[&[u64]]) {
        let sets = configs.iter().map(|set| set.iter().map(|node| NodeId(*node)).collect());
        let peer = |node: &u64| (NodeId(*node), Peer { address: format!("n{node}:9010") });
        let peers: std::collections::BTreeMap<_, _> =
            configs.iter().flat_map(|set| set.iter().map(peer)).collect();
        let membership = Membership::new(sets.collect(), peers).unwrap();
        let entry = self.log.push(EntryPayload::Membership(membership));
        self.node.apply(std::slice::from_ref(entry));
    }

    fn seen(&self) -> Lsn {
        Lsn(self.node.machine.view().membership().log_id().unwrap().index)
    }

    fn id(&self, host: &str) -> NodeId {
        self.find(host).unwrap_or_else(|| panic!("{host} is not registered"))
    }

    fn find(&self, host: &str) -> Option<NodeId> {
        let all = self.node.machine.view().frontends();
        all.into_iter().find(|(_, frontend)| frontend.host == host).map(|(node, _)| node)
    }
}

fn address(host: &str) -> Address {
    Address { host: host.to_owned(), port: 9010 }
}

use FrontendKind::{Follower, Observer};

#[test]
fn a_list_is_added_as_a_whole_or_not_at_all() {
    let mut registry = Registry::founded();
    let text = "FE with the same host: H2 already exists";
    assert_eq!(refusal(&registry.add(Observer, &["h2", "H2"])), text);
    assert_eq!(refusal(&registry.add(Observer, &["h2", "h1"])), text.replace("H2", "h1"));
    assert_eq!(refusal(&registry.add(Observer, &["h2", ""])), "frontend host or port is wrong!");
    assert!(refusal(&registry.add(Observer, &[])).contains("1 to 16"));
    assert_eq!(registry.node.machine.view().frontends().len(), 1);
    assert_eq!(affected(&registry.add(Observer, &["h2", "h3"])), 2);
    let lsn = registry.log.lsn().0;
    assert_eq!((registry.id("h2").0, registry.id("h3").0), (lsn - 1, lsn));
    let view = registry.node.machine.view();
    assert_eq!(view.frontend(NodeId(lsn)).unwrap().kind, Observer);
    assert_eq!(view.newest_node(), NodeId(lsn));
}

#[test]
fn a_list_for_which_too_few_ids_are_free_may_be_repeated_and_no_id_comes_twice() {
    let mut registry = Registry::founded();
    registry.add(Observer, &["h2"]);
    let dropped = registry.id("h2");
    registry.drop(Observer, &["h2"], false);
    let mut attempts = 0;
    let outcome = loop {
        let outcome = registry.add(Observer, &["h2", "h3", "h4", "h5"]);
        attempts += 1;
        match &outcome {
            Outcome::Refused(failure) if may_be_repeated(failure) => {
                assert!(failure.message.contains("frontend name already exists"));
                assert!(attempts < 4);
            }
            _ => break outcome,
        }
    };
    assert_eq!((affected(&outcome), attempts), (4, 3));
    assert!(registry.id("h2") > dropped);
}

#[test]
fn an_id_stands_for_one_data_directory_so_one_that_enters_again_gets_a_new_one() {
    let mut registry = Registry::of_three();
    let voter = registry.id("h2");
    assert!(refusal(&registry.enter(voter, 1)).contains("votes"));
    assert_eq!(refusal(&registry.enter(NodeId(9999), 1)), "frontend does not exist[9999]");
    registry.add(Follower, &["h4"]);
    let first = registry.id("h4");
    assert_eq!(affected(&registry.enter(first, 1)), 1);
    assert_eq!(affected(&registry.enter(first, 1)), 0, "the answer may have been lost");
    assert_eq!(registry.id("h4"), first, "it has not entered before");
    registry.log.push(EntryPayload::Blank);
    let entry = registry.log.entries.last().unwrap().clone();
    registry.node.apply(&[entry]);
    assert_eq!(affected(&registry.enter(first, 2)), 1);
    let second = registry.id("h4");
    assert_eq!(second.0, registry.log.lsn().0);
    let view = registry.node.machine.view();
    assert!(view.frontend(first).is_none());
    assert_eq!(view.newest_node(), second);
    let now = view.frontend(second).unwrap();
    assert_eq!((now.kind, now.ports.query, now.version.as_str()), (Follower, 9030, "1"));
    assert_eq!(affected(&registry.enter(second, 2)), 0);
    assert_eq!(registry.id("h4"), second);
    assert!(refusal(&registry.enter(first, 1)).contains("does not exist"));
}

#[test]
fn an_eighth_follower_is_refused_and_an_observer_is_not() {
    let mut registry = Registry::founded();
    assert_eq!(affected(&registry.add(Follower, &["h2", "h3", "h4", "h5", "h6", "h7"])), 6);
    assert!(refusal(&registry.add(Follower, &["h8"])).contains("7 followers at most"));
    assert_eq!(affected(&registry.add(Observer, &["h8"])), 1);
    assert!(refusal(&registry.turn("h8", Follower, true)).contains("7 followers at most"));
}

#[test]
fn dropping_names_what_is_wrong_as_starrocks_does() {
    let mut registry = Registry::of_three();
    for force in [false, true] {
        let text = "frontend does not exist[h9:9010]";
        assert_eq!(refusal(&registry.drop(Follower, &["h9"], force)), text);
        let text = "OBSERVER does not exist[h2:9010]";
        assert_eq!(refusal(&registry.drop(Observer, &["h2"], force)), text);
    }
    let text = "can not drop current master node.";
    assert_eq!(refusal(&registry.drop(Follower, &["h1"], false)), text);
    assert_eq!(refusal(&registry.drop(Observer, &["h1"], false)), text);
    let twice = registry.drop(Follower, &["h2", "H2"], false);
    assert_eq!(refusal(&twice), "frontend is named twice[H2:9010]");
    // As a whole or not at all.
    refusal(&registry.drop(Follower, &["h2", "h1"], false));
    registry.id("h2");
    assert_eq!(affected(&registry.drop(Follower, &["h2"], false)), 1);
    assert_eq!(registry.find("h2"), None);
    let again = registry.drop(Follower, &["h2"], false);
    assert_eq!(refusal(&again), "frontend does not exist[h2:9010]");
}

#[test]
fn the_leader_goes_by_force_but_never_the_last_that_votes() {
    let mut registry = Registry::of_three();
    let all = registry.drop(Follower, &["h1", "h2", "h3"], true);
    assert!(refusal(&all).contains("last follower"), "{all:?}");
    assert_eq!(affected(&registry.drop(Follower, &["h1"], true)), 1);
    let mut alone = Registry::founded();
    for outcome in [alone.drop(Follower, &["h1"], true), alone.turn("h1", Observer, true)] {
        assert!(refusal(&outcome).contains("last follower"));
    }
    // One that is registered and does not vote does not count.
    alone.add(Follower, &["h2"]);
    assert!(refusal(&alone.drop(Follower, &["h1"], true)).contains("last follower"));
}

#[test]
fn votes_are_taken_away_one_change_after_the_other() {
    let mut registry = Registry::of_three();
    let (h2, h3) = (registry.id("h2").0, registry.id("h3").0);
    assert_eq!(affected(&registry.drop(Follower, &["h2"], false)), 1);
    for outcome in [registry.drop(Follower, &["h3"], false), registry.turn("h3", Observer, false)] {
        assert!(refusal(&outcome).contains("leaving the followers"), "{outcome:?}");
    }
    // Between the two entries of the change, then after it.
    registry.vote(&[&[1, h2, h3], &[1, h3]]);
    assert!(refusal(&registry.drop(Follower, &["h3"], false)).contains("leaving"));
    registry.vote(&[&[1, h3]]);
    assert_eq!(affected(&registry.drop(Follower, &["h3"], false)), 1);
}

#[test]
fn a_follower_that_just_starts_keeps_others_from_going_but_not_itself() {
    let mut registry = Registry::of_three();
    registry.add(Follower, &["h4"]);
    // Registered and never started: in nobody's way.
    assert_eq!(affected(&registry.turn("h2", Observer, false)), 1);
    registry.vote(&[&[1, registry.id("h3").0]]);
    registry.announce_all();
    let text = refusal(&registry.drop(Follower, &["h3"], false)).to_owned();
    assert!(text.contains("h4:9010 is just becoming a follower"), "{text}");
    assert_eq!(affected(&registry.drop(Follower, &["h4"], false)), 1);
    assert_eq!(affected(&registry.drop(Follower, &["h3"], false)), 1);
    // An observer's coming and going is nobody's business.
    assert_eq!(affected(&registry.drop(Observer, &["h2"], false)), 1);
}

#[test]
fn force_does_not_wait_for_another_change() {
    let mut registry = Registry::of_three();
    registry.drop(Follower, &["h2"], false);
    assert_eq!(affected(&registry.drop(Follower, &["h3"], true)), 1);
}

#[test]
fn what_was_judged_by_an_older_membership_is_judged_again() {
    let mut registry = Registry::of_three();
    let old = registry.seen();
    registry.vote(&[&[1, registry.id("h2").0, registry.id("h3").0]]);
    let outcome = registry.alter(Alteration::Drop {
        kind: Follower,
        addresses: vec![address("h2")],
        seen: old,
        force: false,
    });
    let Outcome::Refused(failure) = &outcome else { panic!("{outcome:?}") };
    assert!(may_be_repeated(failure), "{failure}");
    assert!(!may_be_repeated(&match registry.drop(Follower, &["h9"], false) {
        Outcome::Refused(failure) => failure,
        other => panic!("{other:?}"),
    }));
    registry.id("h2");
}

#[test]
fn a_frontend_becomes_the_other_kind_and_keeps_its_id() {
    let mut registry = Registry::of_three();
    let (h2, h3) = (registry.id("h2"), registry.id("h3"));
    let text = "can not modify current master node.";
    assert_eq!(refusal(&registry.turn("h1", Observer, false)), text);
    let text = "frontend does not exist[h9:9010]";
    assert_eq!(refusal(&registry.turn("h9", Observer, true)), text);
    assert_eq!(affected(&registry.turn("h2", Follower, false)), 0);
    assert_eq!(affected(&registry.turn("h2", Observer, false)), 1);
    assert_eq!(registry.id("h2"), h2);
    // It still votes; that can be taken back, and nothing else until it is done.
    assert!(refusal(&registry.turn("h3", Observer, false)).contains("leaving"));
    assert_eq!(affected(&registry.turn("h2", Follower, false)), 1);
    assert_eq!(affected(&registry.turn("h3", Observer, false)), 1);
    registry.vote(&[&[1, h2.0]]);
    assert_eq!(affected(&registry.turn("h3", Follower, false)), 1);
    assert_eq!(registry.id("h3"), h3);
}

#[test]
fn a_frontend_moves_but_not_onto_another_and_by_hand_not_the_leader() {
    let mut registry = Registry::of_three();
    let (h2, leader) = (registry.id("h2"), NodeId(1));
    let text = "can not modify current master node.";
    assert_eq!(refusal(&registry.move_to(leader, "h9", true)), text);
    assert_eq!(refusal(&registry.move_to(NodeId(999), "h9", true)), "frontend [999] not found");
    let text = "frontend with host [H3] already exists ";
    assert_eq!(refusal(&registry.move_to(h2, "H3", true)), text);
    assert_eq!(refusal(&registry.move_to(h2, "h 3", true)), "frontend host or port is wrong!");
    assert_eq!(affected(&registry.move_to(h2, "h2", true)), 0);
    assert_eq!(affected(&registry.move_to(h2, "10.0.0.2", true)), 1);
    // From one address to another, which StarRocks cannot.
    assert_eq!(affected(&registry.move_to(h2, "10.0.0.9", true)), 1);
    assert_eq!(affected(&registry.move_to(leader, "h9", false)), 1);
    assert_eq!((registry.id("10.0.0.9"), registry.id("h9")), (h2, leader));
}

#[test]
fn alterations_survive_a_restart() {
    let disk = Disk::memory();
    let mut registry = Registry::founded();
    registry.add(Observer, &["h2", "h3"]);
    registry.turn("h2", Follower, false);
    registry.move_to(registry.id("h3"), "h4", true);
    registry.drop(Observer, &["h4"], false);
    let mut node = Node::open(disk.open(), &runtime());
    node.apply(&registry.log.entries);
    let expected = registry.node.machine.view();
    let reopened = Node::open(disk.open(), &runtime()).machine.view();
    assert_eq!(reopened.frontends(), expected.frontends());
    assert_eq!(reopened.newest_node(), expected.newest_node());
    assert_eq!(reopened.digest(), expected.digest());
}
