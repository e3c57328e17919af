//! A MySQL client on a follower: the catalog, and what others see of it.

use quorate_tests::{Cluster, Mariadb};

const ORDERS: &str = "CREATE TABLE orders (id BIGINT NOT NULL, day DATE NOT NULL, total DECIMAL(10,2) \
     COMMENT 'with tax') DUPLICATE KEY(id, day) DISTRIBUTED BY HASH(id) BUCKETS 4 \
     PROPERTIES ('replication_num' = '1')";

fn clients(cluster: &Cluster) -> (Mariadb, Vec<Mariadb>) {
    let follower = cluster.follower();
    let others = (0..cluster.frontends.len()).filter(|at| *at != follower);
    let others = others.map(|at| cluster.frontends[at].mariadb()).collect();
    (cluster.frontends[follower].mariadb(), others)
}

#[test]
fn a_client_on_a_follower_defines_and_browses_and_every_frontend_shows_it() {
    let cluster = Cluster::start(3);
    let (client, others) = clients(&cluster);

    let mistakes = [
        ("CREATE DATABASE information_schema", "ERROR 1007"),
        ("USE nowhere", "ERROR 1049"),
        ("SHOW CREATE TABLE nowhere.t", "ERROR 1049"),
        ("CREATE TABLE", "ERROR 1064"),
        ("FROBNICATE 1", "ERROR 1064"),
        ("SELECT * FROM information_schema.nothing", "information_schema.nothing"),
        ("SELECT nothing FROM information_schema.tables", "ERROR 1054"),
    ];
    for (statement, expected) in mistakes {
        let error = client.error(statement);
        assert!(error.contains(expected), "{statement}: {error}");
    }

    client.ok("CREATE DATABASE shop");
    let error = client.error("CREATE DATABASE shop");
    assert!(error.contains("ERROR 1007 (HY000)"), "{error}");
    client.ok(&format!("USE shop; {ORDERS}"));
    let seen = client.ok("USE shop; ALTER TABLE orders ADD COLUMN note VARCHAR(64); DESC orders");
    assert_eq!(seen.column("Field"), ["id", "day", "total", "note"]);

    let created = client.ok("SHOW CREATE TABLE shop.orders");
    for part in ["`note`", "varchar(64)", "DUPLICATE KEY", "DISTRIBUTED BY HASH", "with tax"] {
        assert!(created.text.to_lowercase().contains(&part.to_lowercase()), "{}", created.text);
    }

    for other in &others {
        let shown = other.ok("SET read_consistency = 'linearizable'; SHOW DATABASES");
        assert!(shown.text.lines().any(|line| line == "shop"), "{}", shown.text);
        let columns = other.ok(
            "SET read_consistency = 'linearizable'; SELECT column_name, ordinal_position FROM \
             information_schema.columns WHERE table_schema = 'shop' AND table_name = 'orders' \
             ORDER BY ordinal_position DESC",
        );
        let names: Vec<_> = columns.rows().iter().map(|row| row[0]).collect();
        assert_eq!(names, ["note", "total", "day", "id"]);
    }

    let status = client.ok("status");
    assert!(status.text.contains("Uptime:"), "{}", status.text);
    let version = client.ok("SELECT @@version_comment LIMIT 1");
    assert!(version.text.starts_with("@@version_comment\n"), "{}", version.text);
    client.ok("USE shop; DROP TABLE orders; DROP DATABASE shop");
    let shown = client
        .ok("SELECT count(*) AS n FROM information_schema.tables WHERE table_schema = 'shop'");
    assert_eq!(shown.column("n"), ["0"]);
    cluster.assert_agreement(0);
}

#[test]
fn a_session_token_taken_to_another_frontend_shows_the_write_there() {
    let cluster = Cluster::start(3);
    let (client, others) = clients(&cluster);
    for round in 0..20 {
        let written = client.ok(&format!("CREATE DATABASE d{round}; SELECT @@last_lsn AS lsn"));
        let lsn = written.column("lsn")[0].to_owned();
        assert!(lsn.parse::<u64>().is_ok_and(|lsn| lsn > 0), "{lsn}");
        for other in &others {
            let shown = other.ok(&format!("SET wait_lsn = {lsn}; SHOW DATABASES LIKE 'd{round}'"));
            assert_eq!(shown.rows().len(), 1, "{}", shown.text);
        }
    }
}
