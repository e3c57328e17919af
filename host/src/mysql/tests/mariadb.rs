//! The stock client of MariaDB, which the set-up installs.

use std::process::Output;

use tokio::process::Command;

use super::{Door, PATIENCE};

async fn mariadb(door: &Door, arguments: &[&str]) -> Output {
    let port = door.address.port().to_string();
    let run = Command::new("mariadb")
        .args(["--no-defaults", "-h", "127.0.0.1", "-u", "root", "--batch", "--show-warnings"])
        .args(["-P", &port])
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, run).await.expect("the client ends in time");
    output.expect("the mariadb client is installed: `make setup` does it")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn it_connects_and_reads_every_type() {
    let door = Door::open().await;
    let output = mariadb(&door, &["-D", "d1", "-e", "SELECT types; WARN; SHOW WARNINGS"]).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.starts_with("i\tu\td\tn\tt\tb\tday\tat\tj\tnothing\n"), "{shown}");
    assert!(shown.contains("-7\t18446744073709551615\t1.5\t12.50\tgröße\t"), "{shown}");
    assert!(shown.contains("2024-02-29 01:02:03.5\t{\"a\":1}\tNULL"), "{shown}");
    assert!(shown.contains("odd"), "{shown}");
    assert_eq!(door.fake.last().database.as_deref(), Some("d1"));
}

#[tokio::test]
async fn it_uses_databases_and_reports_errors() {
    let door = Door::open().await;
    let output = mariadb(&door, &["-e", "use d2\nWRITE;\nSELECT 1;"]).await;
    let shown = text(&output.stdout);
    assert!(shown.contains("SELECT 1"), "{shown}{}", text(&output.stderr));
    let output = mariadb(&door, &["-e", "use d2\nbad;"]).await;
    let complaint = text(&output.stderr);
    assert!(complaint.contains("ERROR 1064 (42000)"), "{complaint}");
    assert_eq!(door.fake.last().database.as_deref(), Some("d2"));
}

#[tokio::test]
async fn it_is_refused_with_a_password_and_as_a_stranger() {
    let door = Door::open().await;
    for arguments in [["-psecret", "-eSELECT 1"], ["-ujack", "-eSELECT 1"]] {
        let output = mariadb(&door, &arguments).await;
        let complaint = text(&output.stderr);
        assert!(complaint.contains("ERROR 1045 (28000)"), "{complaint}");
    }
}
