//! The versions of the simulated module, each of which bytes stand for in the log.

use std::sync::Arc;

use bytes::Bytes;
use kv::Kv;
use quorate::runtime::{Native, Runtime, native_digest};
use quorate::types::ModuleDigest;

use super::native::NativeModule;
use super::shelf::Shelf;

/// What is in the values of some clients; one version does not migrate them.
const UNLOVED: &[u8] = b"1-";

/// A version of kv.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// 1.0.0.
    First,
    /// 1.0.1, which does the same.
    Twin,
    /// 2.0.0, of another schema, which serves the rows of the first and migrates them meanwhile.
    Second,
    /// 2.0.1, which stops at some rows.
    Balking,
    /// 2.1.0, which migrates the rows of the first at once, before it is active.
    Whole,
}

impl Release {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::First, Self::Twin, Self::Second, Self::Balking, Self::Whole];

    /// Its number.
    fn version(self) -> &'static str {
        match self {
            Self::First => "1.0.0",
            Self::Twin => "1.0.1",
            Self::Second => "2.0.0",
            Self::Balking => "2.0.1",
            Self::Whole => "2.1.0",
        }
    }

    /// As statements name it.
    pub fn name(self) -> String {
        format!("kv@{}", self.version())
    }

    /// What stands for it in the log.
    pub fn file(self) -> Bytes {
        match self {
            Self::First => Bytes::from_static(b"kv, compiled into the simulation"),
            other => format!("{}, compiled into the simulation", other.name()).into(),
        }
    }

    /// By what the log knows it.
    pub fn digest(self) -> ModuleDigest {
        native_digest(&self.file())
    }

    /// What runs; from a shelf, as long as it is there.
    pub fn native(self, place: Option<Arc<Shelf>>) -> Arc<dyn Native> {
        let place = place.map(|shelf| (shelf, self));
        let first = |module: NativeModule<Kv<1>>| -> Arc<dyn Native> { Arc::new(module) };
        let second = |module: NativeModule<Kv<2>>| -> Arc<dyn Native> { Arc::new(module) };
        match self {
            Self::First => first(NativeModule::of(place)),
            Self::Twin => first(NativeModule::of(place).named(self.version())),
            Self::Second => second(NativeModule::of(place)),
            Self::Balking => {
                second(NativeModule::of(place).named(self.version()).balking_at(UNLOVED))
            }
            Self::Whole => second(NativeModule::of(place).named(self.version()).at_once()),
        }
    }

    /// A runtime that knows them all, and no other, as long as they are on the shelf.
    pub fn runtime(shelf: &Arc<Shelf>) -> Runtime {
        let with = |runtime: Runtime, it: Self| {
            runtime.with_native(&it.file(), it.native(Some(Arc::clone(shelf))))
        };
        Self::ALL.into_iter().fold(Runtime::without_engine(), with)
    }
}
