//! What the feed is told.

use crate::client::Client;

#[test]
fn a_refusal_and_a_statement_without_effect_tell_nothing() {
    let mut client = Client::new();
    client.harness.events.clear();
    client.fail("DROP TABLE t");
    client.run("DROP TABLE IF EXISTS t");
    client.run("SHOW TABLES");
    assert!(client.harness.events.is_empty());
}

#[test]
fn each_change_tells_what_happened_to_what() {
    let mut client = Client::empty();
    for statement in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (a INT)",
        "ALTER TABLE d.t ADD COLUMN b INT",
        "CREATE VIEW d.v AS SELECT 1",
        "DROP VIEW d.v",
        "DROP DATABASE d",
    ] {
        client.run(statement);
    }
    let events: Vec<_> = client
        .harness
        .events
        .iter()
        .map(|event| (event.topic.as_str(), str::from_utf8(&event.key).unwrap(), &event.body[..]))
        .collect();
    // Version, what happened, to what, and its id: 10001 and on, as a varint.
    assert_eq!(
        events,
        [
            ("catalog", "d", &[1, 0, 0, 0x91, 0x4e][..]),
            ("catalog", "d.t", &[1, 0, 1, 0x92, 0x4e]),
            ("catalog", "d.t", &[1, 1, 1, 0x92, 0x4e]),
            ("catalog", "d.v", &[1, 0, 2, 0x94, 0x4e]),
            ("catalog", "d.v", &[1, 2, 2, 0x94, 0x4e]),
            ("catalog", "d", &[1, 2, 0, 0x91, 0x4e]),
        ]
    );
}
