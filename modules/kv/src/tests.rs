#![allow(clippy::unwrap_used)]
use quorate_guest::testing::Harness;
use quorate_guest::{
    Body, Constraint, Evaluation, Failure, Machine, Operator, Reply, Rows, Value, WriteStore,
};

use crate::{Kv, Request, Response};

/// Sends a packed request and hands the response to `check`.
fn ask(kv: &mut Harness<Kv<1>>, request: Request<'_>, expected: Response<'_>) {
    let Body::Bytes(packed) = kv.bytes(&request.pack()).unwrap().body else {
        panic!("a packed request gets a packed response")
    };
    assert_eq!(Response::unpack(&packed), Ok(expected), "{request:?}");
}

fn affected(reply: Result<Reply, Failure>) -> u64 {
    match reply.unwrap().body {
        Body::Done { affected } => affected,
        other => panic!("expected a count, got {other:?}"),
    }
}

fn rows(reply: Reply) -> Vec<Vec<String>> {
    let Body::Rows(Rows { rows, .. }) = reply.body else { panic!("expected rows, got {reply:?}") };
    let cell = |value| match value {
        Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
        Value::UInt(number) => number.to_string(),
        other => panic!("unexpected value {other:?}"),
    };
    rows.into_iter().map(|row| row.into_iter().map(cell).collect()).collect()
}

#[test]
fn a_cut_unknown_or_padded_request_is_refused() {
    let mut kv = Harness::<Kv<1>>::new();
    let whole = Request::Swap { key: b"k", old: None, new: Some(b"v") }.pack();
    for length in 0..whole.len() {
        assert_eq!(kv.bytes(&whole[..length]).unwrap_err().code, 1835);
    }
    assert_eq!(kv.bytes(&[&whole[..], &[0]].concat()).unwrap_err().code, 1835);
    assert_eq!(kv.bytes(&[9]).unwrap_err().code, 1835);
    assert_eq!(kv.lsn, 0, "nothing of this is logged");
}

#[test]
fn text_that_is_no_statement_gets_1064() {
    let mut kv = Harness::<Kv<1>>::new();
    for text in [
        "",
        "PUT a",
        "GET",
        "GET a b",
        "'GET' a",
        "GET 'a",
        "GET 'a'b",
        "RANGE a b LIMIT x",
        "RANGE a b TOP 3",
        "SELECT 1",
    ] {
        assert_eq!(kv.text(text).unwrap_err().code, 1064, "{text:?}");
    }
}

#[test]
fn oversize_keys_and_values_are_refused_before_the_log() {
    let mut kv = Harness::<Kv<1>>::new();
    let (key, value) = (vec![0; crate::KEY_BYTES_MAX + 2], vec![0; crate::VALUE_BYTES_MAX + 1]);
    for request in [
        Request::Get { key: &key },
        Request::Range { low: b"", high: &key, limit: 1 },
        Request::Put { key: b"k", value: &value },
        Request::Swap { key: b"k", old: None, new: Some(&value) },
    ] {
        assert_eq!(kv.bytes(&request.pack()).unwrap_err().code, 1406);
    }
}

#[test]
fn versions_are_the_lsn_of_the_last_write() {
    let mut kv = Harness::<Kv<1>>::new();
    ask(&mut kv, Request::Get { key: b"k" }, Response::Get(None));
    ask(&mut kv, Request::Put { key: b"k", value: b"1" }, Response::Put { version: 1 });
    ask(&mut kv, Request::Put { key: b"other", value: b"" }, Response::Put { version: 2 });
    ask(&mut kv, Request::Put { key: b"k", value: b"22" }, Response::Put { version: 3 });
    ask(&mut kv, Request::Get { key: b"k" }, Response::Get(Some((b"22", 3))));
    ask(&mut kv, Request::Delete { key: b"k" }, Response::Delete(true));
    ask(&mut kv, Request::Delete { key: b"k" }, Response::Delete(false));
    ask(&mut kv, Request::Get { key: b"k" }, Response::Get(None));
}

#[test]
fn a_swap_needs_the_expected_value() {
    let mut kv = Harness::<Kv<1>>::new();
    let mut swap = |old, new, swapped| {
        ask(&mut kv, Request::Swap { key: b"k", old, new }, Response::Swap(swapped));
    };
    swap(Some(b"x"), Some(b"y"), false);
    swap(None, Some(b"1"), true);
    swap(None, Some(b"2"), false);
    swap(Some(b"1"), Some(b"2"), true);
    swap(Some(b"2"), None, true);
    ask(&mut kv, Request::Get { key: b"k" }, Response::Get(None));
}

#[test]
fn of_two_swaps_evaluated_together_one_wins() {
    let mut kv = Harness::<Kv<1>>::new();
    let command = |new| {
        let request = Request::Swap { key: b"k", old: None, new: Some(new) }.pack();
        match kv.evaluate(quorate_guest::Request::Bytes(&request)).unwrap() {
            Evaluation::Command(command) => command,
            Evaluation::Reply(reply) => panic!("a swap is a command, got {reply:?}"),
        }
    };
    let (first, second) = (command(b"1"), command(b"2"));
    let swapped = |reply: Reply| reply.body == Body::Bytes(Response::Swap(true).pack());
    assert!(swapped(kv.apply(&first).unwrap()));
    assert!(!swapped(kv.apply(&second).unwrap()));
}

#[test]
fn a_range_says_where_it_goes_on() {
    let mut kv = Harness::<Kv<1>>::new();
    for key in ["a", "b", "b\0", "c"] {
        kv.bytes(&Request::Put { key: key.as_bytes(), value: b"v" }.pack()).unwrap();
    }
    let range = |low, limit| Request::Range { low, high: b"c", limit }.pack();
    let Body::Bytes(first) = kv.bytes(&range(b"a", 2)).unwrap().body else { panic!() };
    let Response::Range { entries, next } = Response::unpack(&first).unwrap() else { panic!() };
    assert_eq!(entries.iter().map(|entry| entry.key).collect::<Vec<_>>(), [b"a", b"b"]);
    let Body::Bytes(rest) = kv.bytes(&range(next.unwrap(), 2)).unwrap().body else { panic!() };
    let Response::Range { entries, next } = Response::unpack(&rest).unwrap() else { panic!() };
    assert_eq!((entries[0].key, entries.len(), next), (&b"b\0"[..], 1, None));
}

#[test]
fn a_range_goes_on_after_the_longest_key() {
    let mut kv = Harness::<Kv<1>>::new();
    let longest = [b'k'; crate::KEY_BYTES_MAX];
    for key in [&longest[..], b"z"] {
        kv.bytes(&Request::Put { key, value: b"" }.pack()).unwrap();
    }
    let range = |low, limit| Request::Range { low, high: b"zz", limit }.pack();
    let Body::Bytes(first) = kv.bytes(&range(b"a", 1)).unwrap().body else { panic!() };
    let Response::Range { next: Some(next), .. } = Response::unpack(&first).unwrap() else {
        panic!()
    };
    let Body::Bytes(rest) = kv.bytes(&range(next, 1)).unwrap().body else { panic!() };
    let Response::Range { entries, next } = Response::unpack(&rest).unwrap() else { panic!() };
    assert_eq!((entries[0].key, next), (&b"z"[..], None));
}

#[test]
fn statements_do_what_packed_requests_do() {
    let mut kv = Harness::<Kv<1>>::new();
    assert_eq!(affected(kv.text("put a 'it''s one'")), 1);
    assert_eq!(affected(kv.text("PUT 'b c' NULL;")), 1);
    assert_eq!(rows(kv.text("GET a").unwrap()), [["it's one", "1"]]);
    assert_eq!(rows(kv.text("GET 'b c'").unwrap()), [["NULL", "2"]]);
    assert!(rows(kv.text("GET z").unwrap()).is_empty());
    assert_eq!(affected(kv.text("CAS z NULL 1")), 1);
    assert_eq!(affected(kv.text("CAS z NULL 2")), 0);
    assert_eq!(affected(kv.text("CAS z 1 NULL")), 1);
    let cut = kv.text("RANGE a z LIMIT 1").unwrap();
    assert_eq!(cut.warnings[0].message, "the range goes on after 'a'");
    assert_eq!(rows(cut), [["a", "it's one", "1"]]);
    assert_eq!(rows(kv.text("RANGE a z").unwrap()).len(), 2);
    assert_eq!(affected(kv.text("DELETE a")), 1);
    assert_eq!(affected(kv.text("DELETE a")), 0);
}

#[test]
fn constraints_on_the_key_narrow_a_scan() {
    let mut kv = Harness::<Kv<1>>::new();
    for number in 0..600 {
        kv.text(&format!("PUT k{number:03} v")).unwrap();
    }
    assert_eq!(kv.rows("pairs", &[]).unwrap().len(), 600);
    let on_key = |operator, value: Value| Constraint { column: 0, operator, value };
    let count = |constraints: &[Constraint]| kv.rows("pairs", constraints).unwrap().len();
    assert_eq!(count(&[on_key(Operator::Eq, "k007".into())]), 1);
    assert_eq!(count(&[on_key(Operator::Lt, Value::Bytes(b"k010".to_vec()))]), 10);
    assert_eq!(count(&[on_key(Operator::Le, "k010".into())]), 11);
    assert_eq!(count(&[on_key(Operator::Gt, "k590".into())]), 9);
    let between = [on_key(Operator::Ge, "k590".into()), on_key(Operator::Lt, "k592".into())];
    assert_eq!(count(&between), 2);
    assert_eq!(count(&[on_key(Operator::Lt, "a".into()), on_key(Operator::Gt, "b".into())]), 0);
    assert_eq!(count(&[on_key(Operator::Eq, Value::Int(7))]), 600, "the host filters again");
}

#[test]
fn check_finds_a_value_without_version() {
    let mut kv = Harness::<Kv<1>>::new();
    kv.text("PUT a 1").unwrap();
    assert!(kv.check().unwrap().is_empty());
    kv.store.put(&[1, b'b'], b"short");
    assert_eq!(kv.check().unwrap()[0].key, [1, b'b']);
}

#[test]
fn the_packed_bytes_never_change() {
    let golden: [(Request<'_>, &[u8]); 5] = [
        (Request::Put { key: b"k", value: b"v" }, b"\x00\x01k\x01v"),
        (Request::Get { key: b"k" }, b"\x01\x01k"),
        (Request::Delete { key: b"k" }, b"\x02\x01k"),
        (Request::Range { low: b"", high: b"z", limit: 300 }, b"\x03\x00\x01z\xac\x02"),
        (Request::Swap { key: b"k", old: None, new: Some(b"v") }, b"\x04\x01k\x00\x01\x01v"),
    ];
    for (request, bytes) in golden {
        assert_eq!(request.pack(), bytes);
        assert_eq!(Request::unpack(bytes), Ok(request));
    }
    assert_eq!(Response::Get(Some((b"v", 300))).pack(), b"\x01\x01\x01v\xac\x02");
    let mut kv = Harness::<Kv<1>>::new();
    kv.text("PUT k v").unwrap();
    let stored: Vec<_> = kv.store.pairs().collect();
    assert_eq!(stored, [(&b"\x01k"[..], &b"\x01\0\0\0\0\0\0\0v"[..])]);
    assert_eq!(Kv::<1>::describe().version, "1.0.0");
}

#[test]
fn the_second_version_serves_what_the_first_wrote_and_migrates_it() {
    let mut first = Harness::<Kv<1>>::new();
    for number in 0..600 {
        first.text(&format!("PUT k{number:03} old")).unwrap();
    }
    // Both schemas side by side, as during a migration.
    let mut both = first.serve::<Kv<2>>().unwrap();
    assert_eq!(affected(both.text("PUT k001 new")), 1);
    assert_eq!(affected(both.text("CAS k002 old newer")), 1);
    assert_eq!(rows(both.text("GET k000").unwrap()), [["old", "1"]]);
    let pairs = |kv: &Harness<Kv<2>>| {
        let all = kv.rows("pairs", &[]).unwrap();
        all.into_iter().map(|row| (row[2].clone(), row[3].clone())).collect::<Vec<_>>()
    };
    let before = pairs(&both);
    let lsn = |lsn: u64| Value::UInt(lsn);
    assert_eq!(before[..3], [(lsn(1), lsn(1)), (lsn(602), lsn(2)), (lsn(603), lsn(3))]);

    let is_migrated = |(_, value): (&[u8], &[u8])| value[7] == 0x80;
    assert_eq!(both.store.pairs().filter(|pair| is_migrated(*pair)).count(), 2);
    let mut steps = 1;
    while both.migrate_step().unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 3);
    assert!(both.store.pairs().all(is_migrated));
    assert_eq!(pairs(&both), before);
    assert!(both.check().unwrap().is_empty());
    assert!(both.activate::<Kv<1>>().is_err() && both.serve::<Kv<1>>().is_err());
    assert_eq!(pairs(&first.activate::<Kv<2>>().unwrap()).len(), 600);
}
