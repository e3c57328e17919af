use quorate_guest::testing::{Harness, assert_golden};

use super::*;

fn rows(reply: Reply) -> Vec<Vec<Value>> {
    match reply.body {
        Body::Rows(rows) => rows.rows,
        other => panic!("expected rows, got {other:?}"),
    }
}

#[test]
fn what_is_no_statement_is_refused() {
    let mut module = Harness::<Module>::new();
    for text in ["", "SET", "SET a", "GET", "GET a b", "DELETE a"] {
        let failure = module.text(text).unwrap_err();
        assert!(refusal::SYNTAX.is(&failure), "{text}: {failure}");
    }
    assert_eq!(module.lsn, 0, "nothing of this is logged");
}

#[test]
fn a_name_that_is_too_long_is_refused_and_changes_nothing() {
    let mut module = Harness::<Module>::new();
    let failure = module.text(&format!("SET {} x", "n".repeat(65))).unwrap_err();
    assert!(refusal::TOO_LONG.is(&failure), "{failure}");
    assert_eq!(module.rows("entries", &[]).unwrap().len(), 0);
}

#[test]
fn what_is_set_is_got_and_selected() {
    let mut module = Harness::<Module>::new();
    module.text("SET greeting hello, world").unwrap();
    module.text("SET other x").unwrap();
    assert_eq!(rows(module.text("GET greeting").unwrap()), [row!["hello, world", 1u64]]);
    assert_eq!(rows(module.text("GET nothing").unwrap()).len(), 0);
    let all = module.rows("entries", &[]).unwrap();
    assert_eq!(all, [row!["greeting", "hello, world", 1u64], row!["other", "x", 2u64]]);
    module.assert_replays();
}

#[test]
fn stored_and_logged_bytes_never_change() {
    let set = Command::Set { name: "n".into(), text: "t".into() };
    assert_golden(&set, b"\x00\x01n\x01t");
    assert_golden(&Entry { text: "t".into(), changed_lsn: 300 }, b"\x01\x01t\xac\x02");
}
