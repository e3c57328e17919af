//! A compiled module of one engine, and running instances of it.

use std::time::Instant;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Linker, Lower,
};
use wasmtime::{Store, UpdateDeadline};

use super::abi::{Caller, CheckPage, Evaluated, Refusal, RelationPage, Request};
use super::call::Call;
use super::ending::Halt;
use super::engine::MEMORY_BYTES_MAX;

/// The interface that a module exports.
const MACHINE: &str = "quorate:machine/machine@0.1.0";

/// Fuel for coming to life: some seconds. Fixed: how much of it is used differs a little between
/// systems (by whether memory is copied or mapped), so it must never be what decides at an entry;
/// a module that needs a noticeable part of it is refused when it is loaded.
pub(super) const START_FUEL: u64 = 1 << 31;
/// What a module may use of it.
pub(super) const START_FUEL_USED_MAX: u64 = START_FUEL / 64;

/// Bytes that one import may be handed. Out of reach, because this error has no type of its own:
/// the imports refuse by their own limits before they copy anything.
const HANDED_BYTES_MAX: usize = 8 * MEMORY_BYTES_MAX as usize;

/// What an export's call comes to: a result, or the module's refusal.
pub(super) type Answer<T> = Result<T, Refusal>;

/// A module compiled for one engine, its imports resolved.
pub(super) struct Program {
    pre: InstancePre<Call>,
    pub exports: Exports,
}

/// Where the exports are.
pub(super) struct Exports {
    pub describe: ComponentExportIndex,
    pub evaluate: ComponentExportIndex,
    pub apply: ComponentExportIndex,
    pub scan: ComponentExportIndex,
    pub migrate: ComponentExportIndex,
    pub check: ComponentExportIndex,
}

/// A running instance.
pub(super) struct Live {
    pub store: Store<Call>,
    instance: Instance,
    /// How many calls it has been used for again.
    pub calls: u32,
}

impl Live {
    /// Makes an instance of the read engine ready for another call.
    pub fn renew(&mut self, deadline: Instant) {
        self.calls += 1;
        self.store.set_hostcall_fuel(HANDED_BYTES_MAX);
        end_at(&mut self.store, deadline);
    }
}

/// Has calls end at a time, as the engine's epochs pass.
fn end_at(store: &mut Store<Call>, deadline: Instant) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() < deadline {
            Ok(UpdateDeadline::Continue(1))
        } else {
            Err(Halt::Deadline.into())
        }
    });
}

impl Program {
    /// Resolves imports and finds exports. Errors tell which is missing or of another type.
    pub fn new(linker: &Linker<Call>, component: &Component) -> wasmtime::Result<Self> {
        let pre = linker.instantiate_pre(component)?;
        let machine = component
            .get_export_index(None, MACHINE)
            .ok_or_else(|| wasmtime::Error::msg(format!("it does not export {MACHINE}")))?;
        let find = |name: &str| {
            component
                .get_export_index(Some(&machine), name)
                .ok_or_else(|| wasmtime::Error::msg(format!("{MACHINE} lacks {name}")))
        };
        let exports = Exports {
            describe: find("describe")?,
            evaluate: find("evaluate")?,
            apply: find("apply")?,
            scan: find("scan")?,
            migrate: find("migrate")?,
            check: find("check")?,
        };
        // Maps the initial memory now, not in the first call.
        component.initialize_copy_on_write_image()?;
        Ok(Self { pre, exports })
    }

    /// A fresh instance. Without a deadline it runs on the engine that counts fuel.
    pub fn start(&self, call: Call, deadline: Option<Instant>) -> wasmtime::Result<Live> {
        let mut store = Store::new(self.pre.engine(), call);
        store.limiter(|call| &mut call.memory);
        store.set_hostcall_fuel(HANDED_BYTES_MAX);
        match deadline {
            None => store.set_fuel(START_FUEL)?,
            Some(deadline) => end_at(&mut store, deadline),
        }
        let instance = self.pre.instantiate(&mut store)?;
        Ok(Live { store, instance, calls: 0 })
    }

    /// Whether all exports have the types of the interface.
    pub fn check_types(&self, live: &mut Live) -> wasmtime::Result<()> {
        type Bytes = (&'static [u8],);
        type Cursor = Option<&'static [u8]>;
        let Exports { describe, evaluate, apply, scan, migrate, check } = &self.exports;
        live.check::<(), (Vec<u8>,)>(describe, "describe")?;
        live.check::<(&Caller, &Request), (Answer<Evaluated>,)>(evaluate, "evaluate")?;
        live.check::<Bytes, (Answer<Vec<u8>>,)>(apply, "apply")?;
        live.check::<(&str, &[u8], Cursor), (Answer<RelationPage>,)>(scan, "scan")?;
        live.check::<(u32, Cursor), (Answer<Option<Vec<u8>>>,)>(migrate, "migrate")?;
        live.check::<(Cursor,), (Answer<CheckPage>,)>(check, "check")
    }
}

impl Live {
    /// Calls an export, whose type was checked when the module was loaded.
    pub fn call<P, R>(&mut self, export: &ComponentExportIndex, params: P) -> wasmtime::Result<R>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, export)?;
        function.call(&mut self.store, params)
    }

    fn check<P, R>(&mut self, export: &ComponentExportIndex, name: &str) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let typed = self.instance.get_typed_func::<P, R>(&mut self.store, export);
        typed.map(drop).map_err(|error| error.context(format!("{MACHINE}#{name}")))
    }
}
