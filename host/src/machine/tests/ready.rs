//! Which modules are ready, and what becomes of whoever waits for one.

use std::sync::Arc;

use quorate_wire::{Description, Failure, Finding, Reply};

use super::support::*;
use crate::machine::modules::{LoadError, Modules, READY_MAX};
use crate::runtime::{
    self, Caller, Evaluation, Facts, Native, Pace, Page, Request, Runtime, Space,
};
use crate::types::Epoch;

#[test]
fn what_is_likely_to_be_active_soon_stays_ready_however_many_others_are_used() {
    let modules = Modules::new(runtime().compiling_aside().unwrap());
    let name = |number| Guest::written("m", &format!("1.0.{number}"), 1, &[]);
    let guests: Vec<_> = (0..=READY_MAX).map(name).collect();
    modules.keep([guests[0].digest()].into());
    for guest in &guests {
        modules.inspect(Epoch::default(), &guest.bytes, Pace::Swift).unwrap();
    }
    let at_once = |guest: &Guest| {
        let get = |_: &[u8]| Ok(Some(guest.bytes.clone()));
        modules.load_to_apply(&guest.manifest, Epoch::default(), get)
    };
    assert!(matches!(at_once(&guests[1]), Err(LoadError::NotReady(_))));
    assert!(at_once(&guests[0]).is_ok());
    assert!(at_once(&guests[2]).is_ok());
}

/// Stands for a compiler that panics.
struct Panics;

impl Native for Panics {
    fn describe(&self) -> Description {
        panic!("as a defect would");
    }

    fn evaluate(
        &self,
        _: &mut Space<'_>,
        _: &Facts,
        _: &Caller,
        _: &Request,
    ) -> Result<Evaluation, Failure> {
        unreachable!("it never loads")
    }

    fn apply(&self, _: &mut Space<'_>, _: &Facts, _: &[u8]) -> Result<Reply, Failure> {
        unreachable!("it never loads")
    }

    fn migrate(
        &self,
        _: &mut Space<'_>,
        _: u32,
        _: Option<&[u8]>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        unreachable!("it never loads")
    }

    fn check(&self, _: &mut Space<'_>, _: Option<&[u8]>) -> Result<Page<Finding>, Failure> {
        unreachable!("it never loads")
    }
}

#[test]
fn a_defect_of_the_compiler_is_told_to_whoever_waits_for_the_module() {
    let runtime = Runtime::without_engine().with_native(b"a module", Arc::new(Panics));
    let modules = Modules::new(runtime);
    let loaded = modules.inspect(Epoch::default(), b"a module", Pace::Swift);
    assert_eq!(loaded.err(), Some(runtime::LoadError::Defect));
}
