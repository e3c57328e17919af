//! What a component asks for and offers, as far as it can be told without running it.

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::ending::Fault;
use super::module::{LoadError, check_preamble};
use super::{Runtime, imports};
use crate::types::ModuleDigest;

/// The interface of modules, without its version.
const MACHINE: &str = "quorate:machine/machine@";

/// Something that a component imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Interface, and function where the interface is one that modules have.
    pub name: String,
    /// Whether a module may have it.
    pub allowed: bool,
}

/// What a component asks for and offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its imports.
    pub imports: Vec<Import>,
    /// The version of the interface that it exports; none when it is no state machine.
    pub interface: Option<String>,
}

impl Runtime {
    /// SHA-256 of a component file, by which a cluster knows it.
    pub fn digest(bytes: &[u8]) -> ModuleDigest {
        ModuleDigest(Sha256::digest(bytes).into())
    }

    /// Reads a component's imports and exports, whether or not it could be loaded.
    ///
    /// # Errors
    /// When it is no component that is valid here.
    pub fn inspect(&self, bytes: &[u8]) -> Result<Inspection, LoadError> {
        check_preamble(bytes)?;
        let engines = self.engines.get(&self.epochs.newest);
        let engines = engines.ok_or_else(|| Fault("this runtime has no engine".to_owned()))?;
        let engine = &engines.apply.engine;
        let component = Component::new(engine, bytes)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        let imports = imports::imported(&component).into_iter();
        let types = component.component_type();
        let mut exports = types.exports(engine);
        let interface = exports.find_map(|(name, _)| name.strip_prefix(MACHINE).map(str::to_owned));
        Ok(Inspection {
            imports: imports.map(|(name, allowed)| Import { name, allowed }).collect(),
            interface,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::testing::{guest, runtime};
    use super::*;

    #[test]
    fn what_is_no_component_cannot_be_inspected() {
        let error = runtime().inspect(b"text").unwrap_err();
        assert!(matches!(error, LoadError::NotComponent(_)), "{error}");
        let error = runtime().inspect(b"\0asm\x0d\0\x01\0rest").unwrap_err();
        assert!(matches!(error, LoadError::Invalid(_)), "{error}");
    }

    #[test]
    fn a_component_that_is_no_module_tells_its_imports() {
        let text = "(component
            (import \"wasi:clocks/wall-clock@0.2.0\" (instance
              (export \"now\" (func (result u64)))))
            (import \"quorate:machine/store@0.1.0\" (instance
              (export \"steal\" (func)))))";
        let found = runtime().inspect(&wat::parse_str(text).unwrap()).unwrap();
        let import = |name: &str| Import { name: name.into(), allowed: false };
        let imports =
            [import("wasi:clocks/wall-clock@0.2.0"), import("quorate:machine/store@0.1.0#steal")];
        assert_eq!((&found.imports[..], found.interface), (&imports[..], None));
    }

    #[test]
    fn a_module_tells_its_interface_and_functions() {
        let found = runtime().inspect(&guest()).unwrap();
        assert_eq!(found.interface.as_deref(), Some("0.1.0"));
        assert!(found.imports.iter().all(|import| import.allowed), "{:?}", found.imports);
        assert!(found.imports.iter().any(|i| i.name == "quorate:machine/store@0.1.0#get"));
    }
}
