//! The modules of this repository, as clients would use them: evaluate here, apply in the log.

use std::time::{Duration, Instant};

use quorate_wire::{Body, Value};

use super::support::*;
use crate::runtime::{Caller, Evaluation, Request, Runtime};
use crate::types::{Action, HostCommand, Outcome};

/// A cluster of one frontend that answers statements.
struct Cluster {
    node: Node,
    log: Log,
    client: Client,
}

impl Cluster {
    fn started(disk: &Disk, runtime: &Runtime, guest: &Guest) -> Self {
        let mut client = Client::new(1);
        let log = started(guest, &mut client);
        let mut node = Node::open(disk.open(), runtime);
        node.apply(&log.entries);
        Self { node, log, client }
    }

    fn evaluate(&self, text: &str) -> Evaluation {
        let view = self.node.machine.view();
        let call = view.read_call(Instant::now() + Duration::from_secs(10)).unwrap();
        let caller = Caller { session_id: 1, user: "root".into(), database: None };
        let module = &view.active().unwrap().module;
        module.evaluate(call, caller, Request::Text(text.into())).unwrap()
    }

    fn run(&mut self, action: Action) -> Outcome {
        let entry = self.log.commands(&[self.client.command(action)]);
        self.node.outcomes(entry)[0].1.clone()
    }

    fn execute(&mut self, text: &str) -> Outcome {
        let Evaluation::Command(payload) = self.evaluate(text) else { panic!("only a read") };
        let digest = self.node.machine.view().active().unwrap().digest;
        self.run(Action::Module { digest, payload })
    }

    /// The first value of the first row that a statement answers with.
    fn value(&self, text: &str) -> Option<String> {
        let Evaluation::Reply(reply) = self.evaluate(text) else { panic!("not a read") };
        let Body::Rows(rows) = reply.body else { panic!("no rows") };
        match rows.rows.into_iter().next()?.into_iter().next()? {
            Value::Null => None,
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    fn host(&mut self, command: HostCommand) -> Outcome {
        self.run(Action::Host(command))
    }

    fn ready(&mut self, guest: &Guest) {
        for command in guest.install().into_iter().chain([guest.acknowledge(1)]) {
            assert_eq!(affected(&self.host(command)), 1);
        }
    }
}

#[test]
fn statements_of_the_key_value_module_change_and_read_the_state() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let guest = Guest::built(&runtime, "kv-1.0.0.wasm");
        let mut cluster = Cluster::started(&disk, &runtime, &guest);
        cluster.execute("PUT a 1");
        assert_eq!(affected(&cluster.execute("CAS a 2 3")), 0);
        assert_eq!(affected(&cluster.execute("CAS a 1 2")), 1);
        cluster.execute("PUT b 1");
        assert_eq!(affected(&cluster.execute("DELETE b")), 1);
        drop(cluster.node);
        cluster.node = Node::open(disk.open(), &runtime);
        assert_eq!(cluster.value("GET a").as_deref(), Some("2"));
        assert_eq!(cluster.value("GET b"), None);
    }
}

#[test]
fn a_migration_forth_and_back_keeps_what_was_stored() {
    for disk in Disk::kinds() {
        let runtime = runtime();
        let [first, second] =
            ["faulty-1.0.0.wasm", "faulty-2.0.0.wasm"].map(|file| Guest::built(&runtime, file));
        let mut cluster = Cluster::started(&disk, &runtime, &first);
        cluster.ready(&second);
        cluster.execute("PUT a 1; PUT b 2");
        assert_eq!(affected(&cluster.host(second.activate(Some(&first)))), 1);
        assert_eq!(cluster.value("EVALUATE GET b").as_deref(), Some("2+"));
        assert_eq!(affected(&cluster.host(first.activate(Some(&second)))), 1);
        assert_eq!(cluster.value("EVALUATE GET b").as_deref(), Some("2"));
    }
}

#[test]
fn a_migration_that_fails_or_ends_in_contradictions_changes_nothing() {
    let runtime = runtime();
    let [first, second] =
        ["faulty-1.0.0.wasm", "faulty-2.0.0.wasm"].map(|file| Guest::built(&runtime, file));
    let mut cluster = Cluster::started(&Disk::memory(), &runtime, &first);
    cluster.ready(&second);
    cluster.execute("PUT a 1");
    let scripts = [
        ("PUT migrate FAIL 1105 not_today", "not_today"),
        ("PUT migrate TRAP", "the module aborted the command; nothing was changed"),
        ("PUT migrate LOOP", "the command used up the fuel granted to it; nothing was changed"),
        ("DELETE migrate; PUT check TRAP", "the module aborted the command; nothing was changed"),
        ("DELETE check; PUT wrong two_owners", "the migrated state is wrong: two_owners+"),
    ];
    for (script, text) in scripts {
        assert!(matches!(cluster.execute(script), Outcome::Applied(_)));
        assert_eq!(refusal(&cluster.host(second.activate(Some(&first)))), text);
        assert_eq!(cluster.value("EVALUATE GET a").as_deref(), Some("1"));
        let active = cluster.node.machine.view().active().unwrap().digest;
        assert_eq!(active, first.digest());
    }
    cluster.execute("DELETE wrong");
    assert_eq!(affected(&cluster.host(second.activate(Some(&first)))), 1);
}
