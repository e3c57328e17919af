//! The bytes of every record, and of every tag in them. They never change: see `pack`.

use quorate_guest::{Codec, DecodeError, Reader, Writer};
use quorate_sql::{
    AggregateType, DataType, DistributionMethod, Every, KeyKind, StructField, TimeUnit,
};

use super::*;
use crate::pack::Pack;

fn packed<T: Pack + PartialEq + std::fmt::Debug>(value: &T) -> Vec<u8> {
    let mut out = Writer::new();
    value.pack(&mut out);
    let bytes = out.finish();
    let mut input = Reader::new(&bytes);
    assert_eq!(T::unpack(&mut input).as_ref(), Ok(value));
    assert_eq!(input.finish(), Ok(()));
    bytes
}

/// Checks the bytes of a record, and that no part of them is taken for the whole.
fn golden<T: Codec + PartialEq + std::fmt::Debug>(value: &T, bytes: &[u8]) {
    assert_eq!(value.to_bytes(), bytes);
    assert_eq!(T::from_bytes(bytes).as_ref(), Ok(value));
    for length in 0..bytes.len() {
        assert!(T::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut other = bytes.to_vec();
    other[0] += 1;
    assert_eq!(T::from_bytes(&other), Err(DecodeError::Version(bytes[0] + 1)));
}

const CREATED: Stamp = Stamp { lsn: 1, time_us: 2 };
const CHANGED: Stamp = Stamp { lsn: 3, time_us: 4 };

fn text(text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_database_is_stored_in_these_bytes() {
    let property = Property { key: text("a"), value: text("b") };
    let database =
        Database { id: 10_001, name: text("d"), properties: vec![property], created: CREATED };
    golden(&database, b"\x01\x91\x4e\x01d\x01\x01a\x01b\x01\x02");
}

#[test]
fn a_table_is_stored_in_these_bytes() {
    let column = Column {
        name: text("a"),
        data_type: DataType::Decimal { precision: 10, scale: 2 },
        key: true,
        aggregate: None,
        nullable: true,
        auto_increment: false,
        default: Some(DefaultValue::Literal(Literal::String(text("7")))),
        generated: None,
        comment: String::new(),
    };
    let index = IndexDef {
        name: text("i"),
        columns: vec![text("a")],
        using: Some(text("BITMAP")),
        properties: Vec::new(),
        comment: None,
    };
    let rollup = Rollup {
        name: text("r"),
        columns: vec![text("a")],
        duplicate_key: Vec::new(),
        from: None,
        properties: Vec::new(),
    };
    let table = Table {
        id: 10_002,
        name: text("t"),
        created: CREATED,
        changed: CHANGED,
        key: KeyKind::Duplicate,
        columns: vec![column],
        indexes: vec![index],
        comment: text("c"),
        partitioning: Some(Partitioning {
            method: PartitionMethod::Range,
            keys: vec![PartitionTerm::Column(text("a"))],
        }),
        distribution: Distribution {
            method: DistributionMethod::Hash(vec![text("a")]),
            buckets: Some(8),
        },
        order_by: vec![text("a")],
        rollups: vec![rollup],
        properties: Vec::new(),
    };
    let bytes = [
        &b"\x01\x00\x92\x4e\x01t\x01\x02\x03\x04\x01"[..],
        b"\x01\x01a\x08\x0a\x02\x01\x00\x01\x00\x01\x00\x00\x017\x00\x00",
        b"\x01\x01i\x01\x01a\x01\x06BITMAP\x00\x00",
        b"\x01c\x01\x00\x01\x00\x01a",
        b"\x00\x01\x01a\x01\x08",
        b"\x01\x01a",
        b"\x01\x01r\x01\x01a\x00\x00\x00",
        b"\x00",
    ];
    golden(&Object::Table(Box::new(table)), &bytes.concat());
}

#[test]
fn a_view_is_stored_in_these_bytes() {
    let view = View {
        id: 10_003,
        name: text("v"),
        created: CREATED,
        changed: CHANGED,
        columns: vec![ViewColumn { name: text("a"), comment: Some(text("x")) }],
        comment: text("c"),
        query: text("SELECT 1"),
    };
    let bytes = b"\x01\x01\x93\x4e\x01v\x01\x02\x03\x04\x01\x01a\x01\x01x\x01c\x08SELECT 1";
    golden(&Object::View(Box::new(view)), bytes);
}

#[test]
fn a_partition_is_stored_in_these_bytes() {
    let partition = |extent| Partition {
        id: 10_004,
        name: text("p"),
        extent,
        buckets: Some(5),
        properties: Vec::new(),
        created: CREATED,
    };
    golden(&partition(Extent::All), b"\x01\x94\x4e\x01p\x00\x01\x05\x00\x01\x02");
    let range = Extent::Range {
        lower: vec![PartitionValue::Literal(Literal::String(text("1")))],
        upper: vec![PartitionValue::MaxValue],
    };
    let bytes = b"\x01\x94\x4e\x01p\x01\x01\x00\x00\x011\x01\x01\x01\x05\x00\x01\x02";
    golden(&partition(range), bytes);
    let rows = vec![vec![Literal::Null, Literal::Number(text("2"))], vec![Literal::Boolean(true)]];
    let bytes = b"\x01\x94\x4e\x01p\x02\x02\x02\x03\x01\x012\x01\x02\x01\x01\x05\x00\x01\x02";
    golden(&partition(Extent::In(rows)), bytes);
}

#[test]
fn a_name_is_stored_in_these_bytes() {
    golden(&Entry { id: 10_005, kind: ObjectKind::Table }, b"\x01\x95\x4e\x00");
    golden(&Entry { id: 10_005, kind: ObjectKind::View }, b"\x01\x95\x4e\x01");
}

#[test]
fn types_have_these_bytes() {
    use DataType as T;
    let field = StructField { name: text("x"), data_type: T::Int };
    for (data_type, bytes) in [
        (T::Boolean, &b"\x00"[..]),
        (T::TinyInt, b"\x01"),
        (T::SmallInt, b"\x02"),
        (T::Int, b"\x03"),
        (T::BigInt, b"\x04"),
        (T::LargeInt, b"\x05"),
        (T::Float, b"\x06"),
        (T::Double, b"\x07"),
        (T::Decimal { precision: 38, scale: 9 }, b"\x08\x26\x09"),
        (T::Date, b"\x09"),
        (T::Datetime, b"\x0a"),
        (T::Char(5), b"\x0b\x05"),
        (T::Varchar(300), b"\x0c\xac\x02"),
        (T::Varbinary(None), b"\x0d\x00"),
        (T::Json, b"\x0e"),
        (T::Hll, b"\x0f"),
        (T::Bitmap, b"\x10"),
        (T::Percentile, b"\x11"),
        (T::Array(Box::new(T::Int)), b"\x12\x03"),
        (T::Map(Box::new(T::Int), Box::new(T::Json)), b"\x13\x03\x0e"),
        (T::Struct(vec![field]), b"\x14\x01\x01x\x03"),
    ] {
        assert_eq!(packed(&data_type), bytes, "{data_type}");
    }
}

#[test]
fn words_have_these_tags() {
    fn tags<T: Pack + PartialEq + std::fmt::Debug>(all: &[T]) -> Vec<u8> {
        all.iter().flat_map(packed).collect()
    }
    let order = [0, 1, 2, 3, 4, 5, 6, 7];
    assert_eq!(tags(&AggregateType::ALL), order);
    assert_eq!(tags(&TimeUnit::ALL), order);
    assert_eq!(tags(&KeyKind::ALL), order[..4]);
    use PartitionMethod::{Expression, List, Range};
    assert_eq!(tags(&[Range, List, Expression]), order[..3]);
    assert_eq!(packed(&DistributionMethod::Random), [1]);
    assert_eq!(packed(&DefaultValue::CurrentTimestamp(Some(3))), [1, 1, 3]);
    assert_eq!(packed(&DefaultValue::Expression(text("f"))), *b"\x02\x01f");
}

#[test]
fn partition_expressions_have_these_bytes() {
    let every = Every { amount: 1, unit: Some(TimeUnit::Day) };
    let term = PartitionTerm::Call {
        function: text("f"),
        arguments: vec![
            PartitionTerm::Literal(Literal::String(text("x"))),
            PartitionTerm::Column(text("c")),
            PartitionTerm::Interval(every),
        ],
    };
    assert_eq!(packed(&term), *b"\x03\x01f\x03\x01\x00\x01x\x00\x01c\x02\x01\x01\x04");
}

#[test]
fn the_last_of_two_properties_counts() {
    let property = |key, value| Property { key: text(key), value: text(value) };
    let mut properties = vec![property("b", "1")];
    set_properties(&mut properties, &[property("c", "2"), property("a", "3"), property("b", "4")]);
    assert_eq!(properties, [property("a", "3"), property("b", "4"), property("c", "2")]);
}
