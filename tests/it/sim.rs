//! The simulation, at a size that fits here, and what shows its worth.

use std::process::{Command, Output};

use quorate_tests::sim::Mutation;

fn sim(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_sim");
    Command::new(program).args(arguments).output().expect("the simulation runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_defect_put_in_on_purpose_is_found() {
    use clap::ValueEnum;
    for mutation in Mutation::value_variants().iter().filter(|mutation| mutation.is_found_soon()) {
        let name = mutation.to_possible_value().expect("it has a name").get_name().to_owned();
        let output = sim(&["--mutate", &name, "--seeds", "80"]);
        assert!(output.status.success(), "{name} was not found:\n{}", text(&output));
    }
}

#[test]
fn a_seed_is_one_history() {
    // The second one runs the module as WebAssembly, the third one has observers.
    for seed in ["7", "32", "1000008"] {
        let (first, second) = (sim(&["--seed", seed]), sim(&["--seed", seed]));
        assert!(first.status.success(), "{}", text(&first));
        assert_eq!(text(&first), text(&second), "seed {seed} had two histories");
    }
}

#[test]
fn seeds_that_once_failed_hold() {
    // Each found something, in the system or in the simulation of its surroundings.
    for seed in [
        "13", "15", "19", "21", "31", "61", "71", "87", "88", "138", "139", "147", "154", "516",
        "558", "10613", "11441", "1000008", "1000016", "1000022", "1000028", "1000058", "2000068",
    ] {
        let output = sim(&["--seed", seed]);
        assert!(output.status.success(), "seed {seed}:\n{}", text(&output));
    }
}

#[test]
fn all_invariants_hold_over_many_seeds() {
    let output = sim(&["--from", "1000", "--seeds", "140"]);
    let report = text(&output);
    assert!(output.status.success(), "{report}");
    // What the invariants are about must have happened.
    for what in [
        "deaf leaders",
        "dropped frontends that learnt it and ended",
        "disks found empty",
        "feeds asked for",
        "upstreams that ended",
        "feeds from another observer",
        "feeds that went on behind a snapshot",
        "leaders that hand over to nobody",
        "frontends asked to change their role",
        "frontends moved to another address",
        "modules: installed",
        "modules: activated",
        "modules: rolled back",
        "modules: refused",
        "modules: migrations in steps",
        "modules: migrations at once",
        "modules: migrations that stopped",
        "modules: activated at their LSN",
        "modules: activated at their time",
        "modules: retired",
        "epochs: put in force",
        "epochs: refused",
        "stalls that ended",
        "leaders that stall",
    ] {
        assert!(report.contains(what), "it never came to {what}:\n{report}");
    }
}
