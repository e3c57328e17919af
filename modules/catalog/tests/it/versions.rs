//! Versions of the module and of its state.

use catalog::Catalog;
use quorate_guest::Machine;
use quorate_guest::testing::MemoryStore;

use crate::client::Client;

#[test]
fn states_of_other_schemas_are_refused() {
    let mut store = MemoryStore::default();
    for schema in [0, 2, u32::MAX] {
        let failure = Catalog::migrate(&mut store, schema, None).unwrap_err();
        assert!(failure.message.contains(&format!("from {schema}")), "{failure}");
    }
    assert_eq!(Catalog::migrate(&mut store, 1, None), Ok(None));
}

#[test]
fn requests_that_are_not_sql_are_refused() {
    assert_eq!(Client::empty().harness.bytes(b"x").unwrap_err().code, 1235);
}

#[test]
fn the_second_version_adds_one_relation() {
    let description = Catalog::describe();
    let added = description.relations.iter().any(|relation| relation.name == "table_summary");
    assert_eq!(description.schema, 1);
    assert_eq!(description.version, if cfg!(feature = "v2") { "2.0.0" } else { "1.0.0" });
    assert_eq!(added, cfg!(feature = "v2"));
    if added {
        let mut client = Client::new();
        client.run("CREATE TABLE t (a INT, b INT)");
        assert_eq!(client.select("table_summary", &[(0, "d")]), [["d", "t", "2", "2"]]);
    }
}
