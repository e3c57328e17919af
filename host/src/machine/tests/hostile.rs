//! Modules that mean harm, on several machines at once: each command ends as the table of failures
//! says, in the same way on every machine and every engine, and what comes after it runs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use quorate_wire::{Body, Value};

use super::support::*;
use crate::machine::MIGRATION_STEPS_MAX;
use crate::runtime::{Caller, Codegen, Evaluation, ReadError, Request, Runtime};
use crate::types::{Action, Entry, HostCommand, Outcome, Rejection};

/// Machines with the same log: one for each way to run modules, and one on a disk.
struct Machines {
    nodes: Vec<(String, Node)>,
    _disk: Disk,
    log: Log,
    client: Client,
}

impl Machines {
    fn started(guest: &Guest) -> Self {
        let mut client = Client::new(1);
        let log = started(guest, &mut client);
        let disk = Disk::Rocks(tempfile::TempDir::new().unwrap());
        let memory = CODEGENS.map(|codegen| (Disk::memory().open(), codegen));
        let all = memory.into_iter().chain([(disk.open(), Codegen::Native)]);
        let mut nodes = Vec::new();
        for (number, (state, codegen)) in all.enumerate() {
            let mut node = Node::open(state, &runtime_of(codegen));
            node.apply(&log.entries);
            nodes.push((format!("{codegen:?} {number}"), node));
        }
        Self { nodes, _disk: disk, log, client }
    }

    /// Runs commands as one entry everywhere; they end alike, and are given once.
    fn run(&mut self, actions: Vec<Action>) -> Vec<Outcome> {
        let commands: Vec<_> =
            actions.into_iter().map(|action| self.client.command(action)).collect();
        let entry: Entry = self.log.commands(&commands).clone();
        let mut agreed: Option<(Vec<Outcome>, _)> = None;
        for (name, node) in &mut self.nodes {
            let outcomes = node.outcomes(&entry).into_iter().map(|(_, outcome)| outcome);
            let ended = (outcomes.collect(), node.machine.applied());
            let agreed = agreed.get_or_insert_with(|| ended.clone());
            assert_eq!(&ended, agreed, "{name}");
        }
        agreed.unwrap().0
    }

    fn host(&mut self, command: HostCommand) -> Outcome {
        self.run(vec![Action::Host(command)]).remove(0)
    }

    fn evaluate(&self, text: &str) -> Vec<Result<Evaluation, ReadError>> {
        let each = self.nodes.iter().map(|(_, node)| {
            let view = node.machine.view();
            let call = view.read_call(Instant::now() + Duration::from_secs(60)).unwrap();
            let caller = Caller { session_id: 1, user: "root".into(), database: None };
            let module = &view.active().unwrap().module;
            module.evaluate(call, caller, Request::Text(text.into()))
        });
        each.collect()
    }

    /// What a script is as a command, the same everywhere.
    fn command(&self, script: &str) -> Action {
        let mut payloads = self.evaluate(script).into_iter().map(|evaluated| match evaluated {
            Ok(Evaluation::Command(payload)) => payload,
            other => panic!("{script}: {other:?}"),
        });
        let payload: Bytes = payloads.next().unwrap();
        assert!(payloads.all(|other| other == payload));
        let digest = self.nodes[0].1.machine.view().active().unwrap().digest;
        Action::Module { digest, payload }
    }

    fn script(&mut self, script: &str) -> Outcome {
        let command = self.command(script);
        self.run(vec![command]).remove(0)
    }

    /// The value of a key, the same everywhere.
    fn stored(&self, key: &str) -> String {
        let mut values = self.evaluate(&format!("EVALUATE GET {key}")).into_iter().map(|answer| {
            let Ok(Evaluation::Reply(reply)) = answer else { panic!("no reply: {answer:?}") };
            let Body::Rows(rows) = reply.body else { panic!("no rows") };
            let Value::Bytes(value) = &rows.rows[0][0] else { panic!("no bytes") };
            String::from_utf8(value.clone()).unwrap()
        });
        let value = values.next().unwrap();
        assert!(values.all(|other| other == value));
        value
    }

    fn assert_same_rows(&self) {
        let dumps: Vec<_> = self.nodes.iter().map(|(_, node)| node.dump()).collect();
        assert!(dumps.iter().all(|dump| *dump == dumps[0]));
    }
}

fn faulty(runtime: &Runtime) -> [Guest; 2] {
    ["faulty-1.0.0.wasm", "faulty-2.0.0.wasm"].map(|file| Guest::built(runtime, file))
}

#[test]
fn each_hostile_command_ends_alike_everywhere_and_its_neighbours_run() {
    let [first, _] = faulty(&runtime());
    let mut machines = Machines::started(&first);
    let rejected = |rejection| Some(Outcome::Rejected(rejection));
    let cases = [
        ("TRAP", rejected(Rejection::Aborted)),
        ("LOOP", rejected(Rejection::OutOfFuel)),
        ("ALLOCATE", rejected(Rejection::Aborted)),
        ("RECURSE", rejected(Rejection::Aborted)),
        ("OVERSIZE", rejected(Rejection::Limit)),
        ("REPLY 1100000", rejected(Rejection::Limit)),
        ("FILL 65", rejected(Rejection::Limit)),
        ("EMIT t 1025", rejected(Rejection::Limit)),
        ("PUT a b; TRAP", rejected(Rejection::Aborted)),
        // Allowed, and not for the processor or a seed to decide.
        ("FLOATS f", None),
        ("HASH h", None),
        ("COUNT", None),
        ("DEEP 500", None),
        ("REPLY 100000", None),
        ("LOG 1000", None),
    ];
    for (script, expected) in cases {
        let before = machines.command("PUT neighbour 1; EMIT before 1");
        let hostile = machines.command(script);
        let after = machines.command("PUT neighbour 2; CONTEXT");
        let outcomes = machines.run(vec![before, hostile, after]);
        let applied = |outcome: &Outcome| matches!(outcome, Outcome::Applied(_));
        assert!(applied(&outcomes[0]) && applied(&outcomes[2]), "{script}: {outcomes:?}");
        match expected {
            Some(expected) => assert_eq!(outcomes[1], expected, "{script}"),
            None => assert!(applied(&outcomes[1]), "{script}: {}", outcomes[1]),
        }
    }
    // Enough writes for several commands, too many for an entry: which is over is the same.
    let fill = machines.command("FILL 60");
    let outcomes = machines.run(vec![fill; 5]);
    let over = outcomes.iter().position(|o| *o == Outcome::Rejected(Rejection::Limit));
    assert_eq!(over, Some(4), "{outcomes:?}");
    machines.assert_same_rows();
}

#[test]
fn a_read_only_call_that_misbehaves_gets_an_error_and_changes_nothing() {
    let [first, _] = faulty(&runtime());
    let mut machines = Machines::started(&first);
    machines.script("PUT a 1");
    let before: Vec<_> = machines.nodes.iter().map(|(_, node)| node.dump()).collect();
    for script in ["TRAP", "RECURSE", "ALLOCATE", "OVERSIZE", "PUT a 2", "DELETE a", "EMIT t 1"] {
        for ended in machines.evaluate(&format!("EVALUATE {script}")) {
            let Err(ReadError::Trap(why)) = ended else { panic!("{script}: {ended:?}") };
            assert!(!why.contains("0x"), "an address in {why}");
        }
    }
    for ended in machines.evaluate("EVALUATE GET a") {
        assert!(matches!(ended, Ok(Evaluation::Reply(_))), "{ended:?}");
    }
    let after: Vec<_> = machines.nodes.iter().map(|(_, node)| node.dump()).collect();
    assert!(before == after);
}

#[test]
fn a_migration_that_fails_at_any_step_leaves_the_old_module_and_all_that_was_stored() {
    let [first, second] = faulty(&runtime());
    let mut machines = Machines::started(&first);
    for command in second.install().into_iter().chain([second.acknowledge(1)]) {
        assert_eq!(affected(&machines.host(command)), 1);
    }
    machines.script("PUT a 1; PUT b 2; PUT c 3");
    let ways = [
        ("TRAP", "aborted"),
        ("LOOP", "used up the fuel"),
        ("FAIL 1105 not_here", "not_here"),
        ("ALLOCATE", "aborted"),
        ("RECURSE", "aborted"),
        ("OVERSIZE", "size limit"),
        ("EMIT t 1", "aborted"),
    ];
    for step in ["a", "b", "c"] {
        for (way, said) in ways {
            // The costly one once.
            if way == "LOOP" && step != "b" {
                continue;
            }
            machines.script(&format!("PUT migrate@{step} {way}"));
            let refused = machines.host(second.activate(Some(&first)));
            assert!(refusal(&refused).contains(said), "{step} {way}: {refused}");
            for (name, node) in &machines.nodes {
                assert_eq!(node.machine.view().active().unwrap().digest, first.digest(), "{name}");
            }
        }
        machines.script(&format!("DELETE migrate@{step}"));
        for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
            assert_eq!(machines.stored(key), value, "as it was");
        }
    }
    let endless = [("migrate-endless", "steps"), ("check-endless", "pages")];
    for (key, said) in endless {
        machines.script(&format!("PUT {key} 1"));
        let refused = machines.host(second.activate(Some(&first)));
        assert!(refusal(&refused).contains(said), "{key}: {refused}");
        assert!(refusal(&refused).contains(&MIGRATION_STEPS_MAX.to_string()), "{refused}");
        machines.script(&format!("DELETE {key}"));
    }
    // More than a migration may write, though each step is within the limits of a step.
    for step in ["a", "b", "c"] {
        machines.script(&format!("PUT migrate@{step} FILL 30"));
    }
    let refused = machines.host(second.activate(Some(&first)));
    assert!(refusal(&refused).contains("writes more than"), "{refused}");
    machines.script("DELETE migrate@a; DELETE migrate@b; DELETE migrate@c");

    assert_eq!(affected(&machines.host(second.activate(Some(&first)))), 1);
    assert_eq!(affected(&machines.host(first.activate(Some(&second)))), 1);
    machines.assert_same_rows();
}
