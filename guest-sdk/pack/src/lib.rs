//! From a core module to a component: the last step of building a module.
//!
//! A compiler for `wasm32-unknown-unknown` makes a core module. What its imports and exports mean
//! in the component model is told by a custom section, which `wit-bindgen` writes for Rust. A
//! module in another language may leave it out: then it is taken to be of Quorate's world, whose
//! definition this crate carries.

use anyhow::{Context, Result, bail, ensure};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{Resolve, SourceMap};

/// The interface of modules: file names and contents.
pub const WIT: [(&str, &str); 5] = [
    ("world.wit", include_str!("../../../wit/world.wit")),
    ("machine.wit", include_str!("../../../wit/machine.wit")),
    ("store.wit", include_str!("../../../wit/store.wit")),
    ("context.wit", include_str!("../../../wit/context.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
];

const WORLD: &str = "state-machine";
/// Custom sections that begin so say what the core module's imports and exports mean.
const TYPE_SECTION: &[u8] = b"component-type";
/// The first eight bytes of a core module, and of a component.
const CORE: &[u8] = b"\0asm\x01\0\0\0";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The component of a core module.
///
/// # Errors
/// When the bytes are no core module, or its imports and exports do not make a component: the
/// message names the first that does not fit.
pub fn component(core: &[u8]) -> Result<Vec<u8>> {
    ensure!(!core.starts_with(COMPONENT), "it is a component already");
    ensure!(core.starts_with(CORE), "it is no WebAssembly module");
    let mut core = core.to_vec();
    if !has_type_section(&core)? {
        let mut resolve = Resolve::default();
        let mut sources = SourceMap::default();
        for (name, text) in WIT {
            sources.push_str(name, text);
        }
        let package = sources.parse().map_err(|(_, error)| anyhow::anyhow!("{error}"))?;
        let package = resolve.push_group(package).context("the interface of modules")?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        let (text, canonical_names) = (StringEncoding::UTF8, false);
        wit_component::embed_component_metadata(&mut core, &resolve, world, text, canonical_names)?;
    }
    ComponentEncoder::default()
        .validate(true)
        .module(&core)
        .and_then(ComponentEncoder::encode)
        .context("its imports and exports do not make a component")
}

/// Whether the module says itself what its imports and exports mean. A section is its id, its
/// length and its content, which for a custom one (id 0) begins with its name.
fn has_type_section(core: &[u8]) -> Result<bool> {
    let mut rest = &core[CORE.len()..];
    while let Some((id, after)) = rest.split_first() {
        rest = after;
        let length = varint(&mut rest)?;
        let Some((mut content, after)) = rest.split_at_checked(length) else {
            bail!("it is cut short")
        };
        rest = after;
        if *id == 0 {
            let length = varint(&mut content)?;
            let name = content.get(..length).context("it is cut short")?;
            if name.starts_with(TYPE_SECTION) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// An unsigned LEB128 number of 32 bits.
fn varint(input: &mut &[u8]) -> Result<usize> {
    let mut value = 0u64;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = input.split_first().context("it is cut short")?;
        *input = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(value).context("a section is too long");
        }
    }
    bail!("a section's length is no number")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// All that the world asks for, doing nothing.
    fn core(more: &str) -> Vec<u8> {
        let export = |name: &str, params: &str| {
            format!(
                "(func (export \"quorate:machine/machine@0.1.0#{name}\") {params} (result i32)
                   unreachable)"
            )
        };
        let exports = [
            export("describe", ""),
            export("evaluate", "(param i64 i32 i32 i32 i32 i32 i32 i32 i32)"),
            export("apply", "(param i32 i32)"),
            export("scan", "(param i32 i32 i32 i32 i32 i32 i32)"),
            export("migrate", "(param i32 i32 i32 i32)"),
            export("check", "(param i32 i32 i32)"),
        ]
        .join("\n");
        let text = format!(
            "(module {more} (memory (export \"memory\") 1)
               (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 8)
               {exports})"
        );
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn what_is_no_core_module_is_refused() {
        let told = |bytes: &[u8]| format!("{:#}", component(bytes).unwrap_err());
        assert!(told(b"text").contains("no WebAssembly"));
        assert!(told(COMPONENT).contains("already"));
        let whole = core("");
        assert!(told(&whole[..whole.len() / 2]).contains("cut short"));
    }

    #[test]
    fn an_export_or_import_that_does_not_fit_is_named() {
        let empty = wat::parse_str("(module (memory (export \"memory\") 1))").unwrap();
        let error = format!("{:#}", component(&empty).unwrap_err());
        assert!(error.contains("quorate:machine/machine"), "{error}");
        let clock = "(import \"wasi_snapshot_preview1\" \"clock_time_get\"
             (func (param i32 i64 i32) (result i32)))";
        let error = format!("{:#}", component(&core(clock)).unwrap_err());
        assert!(error.contains("wasi_snapshot_preview1"), "{error}");
    }

    #[test]
    fn a_module_that_says_nothing_of_itself_is_of_the_world() {
        let store = "(import \"quorate:machine/store@0.1.0\" \"put\"
             (func (param i32 i32 i32 i32)))";
        let component = component(&core(store)).unwrap();
        assert!(component.starts_with(COMPONENT));
        let (resolve, world) = match wit_component::decode(&component).unwrap() {
            wit_component::DecodedWasm::Component(resolve, world) => (resolve, world),
            other => panic!("no component: {:?}", other.package()),
        };
        let names = |items: &Vec<String>| items.join(", ");
        let imports: Vec<_> =
            resolve.worlds[world].imports.keys().map(|key| resolve.name_world_key(key)).collect();
        // What it imports and the names of the interface's types: nothing else of the world.
        assert_eq!(names(&imports), "quorate:machine/store@0.1.0, quorate:machine/types@0.1.0");
        let exports: Vec<_> =
            resolve.worlds[world].exports.keys().map(|key| resolve.name_world_key(key)).collect();
        assert!(exports.contains(&"quorate:machine/machine@0.1.0".to_owned()), "{exports:?}");
    }
}
