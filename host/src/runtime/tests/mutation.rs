//! Component files with bytes changed at random: each is refused, or becomes a module whose calls
//! end as outcomes. None is a panic, and none a fault: that would stop every frontend of a cluster.
//!
//! `QUORATE_MUTATIONS=20000` tries for longer.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use quorate_wire::Limits;

use crate::runtime::testing::{MapView, PREFIX, facts, guest, read_call, runtime};
use crate::runtime::{
    Caller, EntryRun, LoadError, Module, Overlay, ReadCall, ReadError, Request, Runtime,
};

/// How many files are tried.
fn cases() -> u32 {
    let wanted = std::env::var("QUORATE_MUTATIONS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(128)
}

/// One change of a file. Places are parts of its length, in 65,536ths.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(u16, u8),
    Set(u16, u8),
    Insert(u16, u8),
    Remove(u16, u8),
    Copy(u16, u16, u8),
    Cut(u16),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        6 => (any::<u16>(), 0..8u8).prop_map(|(at, bit)| Mutation::Flip(at, 1 << bit)),
        6 => (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        1 => (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        1 => (any::<u16>(), 1..9u8).prop_map(|(at, count)| Mutation::Remove(at, count)),
        2 => (any::<u16>(), any::<u16>(), 1..33u8).prop_map(|(a, b, n)| Mutation::Copy(a, b, n)),
        1 => any::<u16>().prop_map(Mutation::Cut),
    ]
}

fn mutate(file: &mut Vec<u8>, mutation: &Mutation) {
    let length = file.len();
    let place = |at: u16| usize::from(at) * length / 65_536;
    if file.is_empty() {
        return;
    }
    match *mutation {
        Mutation::Flip(at, bits) => file[place(at)] ^= bits,
        Mutation::Set(at, byte) => file[place(at)] = byte,
        Mutation::Insert(at, byte) => file.insert(place(at), byte),
        Mutation::Remove(at, count) => {
            let end = (place(at) + usize::from(count)).min(length);
            file.drain(place(at)..end);
        }
        Mutation::Copy(from, to, count) => {
            let count = usize::from(count).min(length - place(from)).min(length - place(to));
            file.copy_within(place(from)..place(from) + count, place(to));
        }
        Mutation::Cut(at) => file.truncate(place(at)),
    }
}

fn engine() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(runtime)
}

/// Where the code and the constants of the guest are: elsewhere few changes give a component.
fn inner(file: &[u8]) -> (usize, usize) {
    let name = b"describe";
    let at = file.windows(name.len()).position(|bytes| bytes == name).unwrap();
    (at, file.len() * 3 / 4)
}

const COMMANDS: [&str; 14] = [
    "pav", "ga", "G\x01a", "saz\x09", "Saz\x01", "Daz", "n", "f", "exy", "c", "a", "itext", "j",
    "u",
];

/// Runs everything that a frontend may run of a module.
fn exercise(module: &Arc<Module>) -> Result<(), TestCaseError> {
    let limits = Limits { fuel: 3_000_000, ..module.description().limits };
    let view = || Arc::new(MapView::of([("m/a", "1"), ("m/b", "2")], 2));
    let mut run = EntryRun::new(module, limits, PREFIX.into());
    let mut overlay = Overlay::new(view());
    let fault = |what: &str, fault| TestCaseError::fail(format!("{what}: {fault}"));
    for command in COMMANDS {
        let ended = run.apply(&mut overlay, facts(), command.as_bytes());
        ended.map_err(|error| fault(command, error))?;
    }
    let step = run.migrate(&mut overlay, facts(), 1, None);
    step.map_err(|error| fault("migrate", error))?.ok();
    let page = run.check(&mut overlay, facts(), None);
    page.map_err(|error| fault("check", error))?.ok();
    let call = || {
        let deadline = Instant::now() + Duration::from_millis(200);
        ReadCall { deadline, ..read_call(view()) }
    };
    for request in COMMANDS {
        let caller = Caller { session_id: 1, user: "root".into(), database: None };
        let ended = module.evaluate(call(), caller, Request::Text(request.into()));
        if let Err(ReadError::Fault(error)) = ended {
            return Err(fault("evaluate", error));
        }
    }
    for relation in &module.description().relations {
        if let Err(ReadError::Fault(error)) = module.scan(call(), &relation.name, &[], None) {
            return Err(fault("scan", error));
        }
    }
    if let Err(ReadError::Fault(error)) = module.check(call(), None) {
        return Err(fault("check", error));
    }
    Ok(())
}

fn load_and_exercise(file: &[u8]) -> Result<bool, TestCaseError> {
    match engine().load(file) {
        Ok(module) => exercise(&module).map(|()| true),
        Err(LoadError::Fault(error)) => Err(TestCaseError::fail(format!("load: {error}"))),
        Err(_) => Ok(false),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn mutated_modules_are_refused_or_run_and_nothing_panics(
        mutations in prop::collection::vec(mutation(), 1..4),
        is_inner in any::<bool>(),
    ) {
        let mut file = guest();
        if is_inner {
            let (low, high) = inner(&file);
            let mut part = file[low..high].to_vec();
            mutations.iter().for_each(|mutation| mutate(&mut part, mutation));
            file.splice(low..high, part);
        } else {
            mutations.iter().for_each(|mutation| mutate(&mut file, mutation));
        }
        load_and_exercise(&file)?;
    }
}

#[test]
fn numbers_in_the_code_of_a_module_can_be_any() {
    // A byte of code at a time, so that most of what comes of it can be compiled.
    let file = guest();
    let (low, high) = inner(&file);
    let mut ran = 0;
    for at in (low..high).step_by((high - low) / 96) {
        let mut file = file.clone();
        file[at] ^= 1;
        ran += u32::from(load_and_exercise(&file).unwrap());
    }
    assert!(ran > 8, "only {ran} of the files were modules");
}
