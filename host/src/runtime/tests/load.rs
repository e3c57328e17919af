//! What becomes a module.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use quorate_wire::{Description, Limits};

use crate::runtime::testing::{description, guest, guest_with, runtime};
use crate::runtime::{Codegen, LoadError, MODULE_BYTES_MAX, Runtime, RuntimeOptions};

fn error_of(bytes: &[u8]) -> LoadError {
    runtime().load(bytes).err().expect("it must be refused")
}

/// The error of the guest with one piece of its text replaced.
fn changed(from: &str, to: &str) -> LoadError {
    error_of(&guest_with(&description(), |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    }))
}

fn assert_says(error: &LoadError, words: &str) {
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn what_is_no_component_is_refused() {
    let core = wat::parse_str("(module)").unwrap();
    assert_says(&error_of(&core), "core module");
    assert_says(&error_of(b"select 1"), "WebAssembly");
    assert_says(&error_of(b""), "WebAssembly");
    assert_says(&error_of(b"\0asm\x0e\0\x01\0"), "version");
    let whole = guest();
    assert!(matches!(error_of(&whole[..whole.len() - 9]), LoadError::Invalid(_)));
    let large = vec![0; MODULE_BYTES_MAX + 1];
    assert_eq!(error_of(&large), LoadError::TooLarge(MODULE_BYTES_MAX + 1));
}

#[test]
fn each_forbidden_import_is_named() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64)))))
            (import "quorate:machine/store@0.1.0" (instance
                (export "get" (func (param "key" (list u8)) (result (option (list u8)))))
                (export "watch" (func))))
            (import "quorate:machine/store@0.1.1" (instance (export "get" (func))))
            (import "shout" (func)))"#,
    );
    let forbidden = [
        "wasi:clocks/wall-clock@0.2.0",
        "quorate:machine/store@0.1.0#watch",
        "quorate:machine/store@0.1.1",
        "shout",
    ];
    let error = error_of(&component.unwrap());
    assert_eq!(error, LoadError::Forbidden(forbidden.map(str::to_owned).to_vec()));
    forbidden.iter().for_each(|name| assert_says(&error, name));
}

#[test]
fn exports_and_imports_must_be_those_of_the_interface() {
    let empty = wat::parse_str("(component)").unwrap();
    assert_says(&error_of(&empty), "does not export quorate:machine/machine@0.1.0");
    let export = "(export \"quorate:machine/machine@0.1.0\"";
    let error = changed(export, &export.replace("0.1.0", "0.2.0"));
    assert_says(&error, "does not export quorate:machine/machine@0.1.0");
    let wrong = wat::parse_str(
        r#"(component (import "quorate:machine/store@0.1.0" (instance
            (export "get" (func (param "key" string))))))"#,
    );
    assert!(matches!(error_of(&wrong.unwrap()), LoadError::Interface(_)));
}

#[test]
fn features_that_are_not_determined_are_refused() {
    for body in [
        "(func (param v128 v128 v128) (result v128)
            (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))",
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(func $f (return_call $f))",
        // Garbage collection, by a type of its own and by a reference.
        "(type $pair (struct (field i32) (field i32)))",
        "(func (result anyref) (ref.null any))",
        // Exceptions.
        "(tag $e) (func (throw $e))",
        "(tag $e) (func (try_table (catch_all 0)))",
        // Stack switching.
        "(type $f (func)) (type $c (cont $f)) (func (param (ref null $c)) (resume $c (local.get 0)))",
        // Custom page sizes.
        "(memory 1 (pagesize 1))",
        // Wide arithmetic.
        "(func (param i64 i64 i64 i64) (result i64 i64)
            (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))",
        // Several memories.
        "(memory 1) (memory 1)",
        // Threads.
        "(func (atomic.fence))",
    ] {
        let core = format!("(core module $Extra {body})\n  (core module $Libc");
        let error = changed("(core module $Libc", &core);
        assert!(matches!(error, LoadError::Invalid(_)), "{body}: {error}");
    }
}

#[test]
fn what_is_asynchronous_in_a_component_is_refused() {
    for part in [
        "(type (func async))",
        "(core func (canon task.cancel))",
        "(core func (canon waitable-set.new))",
        "(core func (canon backpressure.inc))",
        "(core func (canon context.get i32 0))",
        "(type $s (stream u8)) (core func (canon stream.new $s))",
        "(type $f (future u8)) (core func (canon future.new $f))",
        "(core func (canon error-context.drop))",
    ] {
        let error = changed("(core module $Libc", &format!("{part} (core module $Libc"));
        assert!(matches!(error, LoadError::Invalid(_)), "{part}: {error}");
    }
}

#[test]
fn a_description_must_be_constant_readable_and_usable() {
    let start = "(i32.store (i32.const 1024) (i32.const 8192))";
    let by_lsn = "(call $current (i32.const 2560))
        (i32.store8 (i32.const 8200) (i32.add (i32.const 48) (i32.load (i32.const 2560))))";
    assert_says(&changed(start, &format!("{by_lsn} {start}")), "answers differ");
    let reads = "(call $get (i32.const 0) (i32.const 1) (i32.const 2560))";
    assert_says(&changed(start, &format!("{reads} {start}")), "must not touch the store");
    let endless = "(call $endless)";
    assert!(matches!(changed(start, &format!("{endless} {start}")), LoadError::Describe(_)));
    let bad = |spoil: fn(&mut quorate_wire::Description)| {
        let mut description = description();
        spoil(&mut description);
        error_of(&guest_with(&description, |text| text))
    };
    assert_says(&bad(|d| d.name = "Guest!".into()), "Guest!");
    // It begins with 4 MiB.
    let error = bad(|d| d.limits = Limits { fuel: 1_000_000, memory_bytes: 1 << 20 });
    assert_says(&error, "does not start");
    let bytes = format!("(i32.const 1028) (i32.const {})", description().pack().len());
    assert_says(&changed(&bytes, "(i32.const 1028) (i32.const 7)"), "end in the middle");
    assert_says(&changed(&bytes, "(i32.const 1028) (i32.const 4000000)"), "4000000 bytes are more");
    // Out of memory, and a length that no memory has.
    for length in ["0x3f0000", "-1"] {
        let error = changed(&bytes, &format!("(i32.const 1028) (i32.const {length})"));
        assert!(!matches!(error, LoadError::Fault(_)), "{error}");
    }
}

#[test]
fn a_module_that_misbehaves_while_it_starts_is_refused() {
    let main = "(core module $Main";
    let starts = |body: &str| {
        let core = format!(
            "(core module $Early {body})\n  (core instance (instantiate $Early))\n  {main}"
        );
        changed(main, &core)
    };
    let endless = "(func $start (loop $again (br $again))) (start $start)";
    assert!(matches!(starts(endless), LoadError::Invalid(_)));
    let trap = "(func $start (unreachable)) (start $start)";
    assert!(matches!(starts(trap), LoadError::Invalid(_)));
    let recursion = "(func $start (call $start) (call $start)) (start $start)";
    assert!(matches!(starts(recursion), LoadError::Invalid(_)));
    let large = "(table 30000 funcref)";
    assert!(matches!(starts(large), LoadError::Invalid(_)), "{}", starts(large));
    let second = "(memory 1)";
    assert!(matches!(starts(second), LoadError::Invalid(_)), "{}", starts(second));
    let globals = "(global i64 (i64.const 1))".repeat(100_000);
    assert!(matches!(starts(&globals), LoadError::Invalid(_)), "{}", starts(&globals));
    let instances =
        "(core module $E) ".to_owned() + &"(core instance (instantiate $E)) ".repeat(20);
    let error = changed(main, &format!("{instances} {main}"));
    assert!(matches!(error, LoadError::Invalid(_)), "{error}");
    // Deeper than any compiler nests: refused, or it runs.
    let deep = "(block ".repeat(20_000) + &")".repeat(20_000);
    let nested = guest_with(&description(), |text| {
        text.replacen(main, &format!("(core module $Deep (func {deep})) {main}"), 1)
    });
    let loaded = runtime().load(&nested);
    assert!(!matches!(loaded, Err(LoadError::Fault(_))));
}

#[test]
fn a_module_tells_who_it_is() {
    let bytes = guest();
    let module = runtime().load(&bytes).unwrap();
    assert_eq!(module.description(), &description());
    assert_eq!(module.packed_description(), &description().pack());
    // As `sha256sum` prints it.
    let same = runtime().load(&bytes).unwrap();
    assert_eq!(module.digest(), same.digest());
    assert_eq!(module.digest().to_string().len(), 64);
}

#[test]
fn a_damaged_artefact_is_compiled_again() {
    let directory = tempfile::tempdir().unwrap();
    let files = || -> Vec<_> {
        let entries = fs::read_dir(directory.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    };
    let load = || runtime().keeping(directory.path()).load(&guest()).unwrap();
    load();
    let artefacts = files();
    assert_eq!(artefacts.len(), 2, "{artefacts:?}");
    let whole: Vec<_> = artefacts.iter().map(|path| fs::read(path).unwrap()).collect();
    let spoilers: [fn(&mut Vec<u8>); 4] = [
        |file| file.clear(),
        |file| file.truncate(file.len() / 2),
        |file| *file.last_mut().unwrap() ^= 1,
        |file| file[0] ^= 1,
    ];
    for spoil in spoilers {
        for path in &artefacts {
            let mut file = fs::read(path).unwrap();
            spoil(&mut file);
            fs::write(path, file).unwrap();
        }
        load();
        assert_eq!(files(), artefacts);
        for (path, whole) in artefacts.iter().zip(&whole) {
            assert!(fs::read(path).unwrap() == *whole, "{path:?} was not made again");
        }
    }
}

#[test]
fn artefacts_that_nobody_needs_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let files = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    let keeping = |codegen| {
        let options = RuntimeOptions { read_slots: 2 };
        Runtime::with_codegen(options, codegen).unwrap().keeping(directory.path())
    };
    let native = keeping(Codegen::Native);
    let kept = native.load(&guest()).unwrap().digest();
    let needed = files();
    // Of another engine, of another module, and one that was being written.
    keeping(Codegen::Interpreted).load(&guest()).unwrap();
    keeping(Codegen::Unoptimised).load(&guest()).unwrap();
    assert_eq!(files().len(), 3 * needed.len());
    let other = Description { version: "9.0.0".into(), ..description() };
    native.load(&guest_with(&other, |text| text)).unwrap();
    fs::write(directory.path().join("x.1.partial"), "half").unwrap();
    fs::write(directory.path().join("README"), "not ours").unwrap();
    native.sweep(&BTreeSet::from([kept]));
    assert_eq!(files().len(), needed.len() + 2);
    native.forget_partial();
    assert_eq!(files().len(), needed.len() + 1);
    assert!(files().is_superset(&needed));
    native.sweep(&BTreeSet::new());
    assert_eq!(files(), BTreeSet::from(["README".into()]));
}

#[test]
fn a_whole_artefact_is_used_and_a_missing_directory_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    runtime().keeping(directory.path()).load(&guest()).unwrap();
    let times = || {
        let entries = fs::read_dir(directory.path()).unwrap();
        let time = |entry: fs::DirEntry| entry.metadata().unwrap().modified().unwrap();
        entries.map(|entry| time(entry.unwrap())).collect::<Vec<_>>()
    };
    let before = times();
    runtime().keeping(directory.path()).load(&guest()).unwrap();
    assert_eq!(times(), before);
    runtime().keeping(&directory.path().join("missing")).load(&guest()).unwrap();
}
