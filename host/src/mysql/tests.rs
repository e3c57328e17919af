#![allow(clippy::unwrap_used)]

mod client;
mod mariadb;

use std::net::SocketAddr;
use std::sync::Arc;

use mysql_common::constants::{CapabilityFlags, ColumnType, StatusFlags};
use mysql_common::packets::session_state_change::SessionStateChange;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, ComStmtExecuteRequestBuilder};
use mysql_common::proto::MySerialize;
use mysql_common::value::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::networks::Trusted;
use crate::mysql::serve;
use crate::session::fake::Fake;
use crate::session::{PACKET_BYTES_MAX, Sessions};

use client::{Answer, CAPABILITIES, Client, PATIENCE, greeting};

const SESSIONS_MAX: usize = 3;

/// A front door with a fake behind it.
struct Door {
    address: SocketAddr,
    fake: Arc<Fake>,
    sessions: Arc<Sessions>,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Door {
    async fn open() -> Self {
        let (fake, sessions) = Fake::sessions(SESSIONS_MAX);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(
            listener,
            Arc::clone(&sessions),
            Trusted::default(),
            shutdown.clone(),
        ));
        Self { address, fake, sessions, shutdown, served }
    }

    /// Waits until something holds.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut looks = tokio::time::interval(std::time::Duration::from_millis(1));
        let waiting = async {
            while !holds(self) {
                looks.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect(what);
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let door = Door::open().await;
    for (user, response, code) in
        [("root", &b"01234567890123456789"[..], "YES"), ("jack", b"", "NO"), ("", b"", "NO")]
    {
        let (mut client, _) = Client::greet(door.address).await;
        client.introduce(user, response, AuthPlugin::MysqlNativePassword, None).await;
        let Answer::Failed(1045, message) = client.answer(false).await else { panic!() };
        let expected =
            format!("Access denied for user '{user}'@'127.0.0.1' (using password: {code})");
        assert_eq!(message, expected);
        assert_eq!(client.receive().await, None);
    }
}

#[tokio::test]
async fn nonsense_instead_of_an_answer_to_the_greeting_is_refused() {
    let door = Door::open().await;
    let (mut client, _) = Client::greet(door.address).await;
    client.send(&[0; 40]).await;
    let payload = client.receive().await.unwrap();
    assert_eq!((payload[0], u16::from_le_bytes([payload[1], payload[2]])), (0xff, 1043));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn one_client_too_many_is_refused_before_the_greeting() {
    let door = Door::open().await;
    let mut clients = Vec::new();
    for _ in 0..SESSIONS_MAX {
        clients.push(Client::enter(door.address).await);
    }
    let (mut refused, greeting) = Client::greet(door.address).await;
    assert_eq!(greeting, b"\xff\x10\x04Too many connections");
    assert_eq!(refused.receive().await, None);
    clients.pop();
    door.until("a place is free", |door| door.sessions.count() < SESSIONS_MAX).await;
    Client::enter(door.address).await;
}

#[tokio::test]
async fn every_authentication_method_enters_without_a_password() {
    let door = Door::open().await;
    let (client, first) = Client::greet(door.address).await;
    drop(client);
    let (mut client, second) = Client::greet(door.address).await;
    let greeting = greeting(&second);
    assert_eq!(greeting.server_version_str(), "8.0.33");
    assert_eq!(greeting.auth_plugin_name_ref(), Some(&b"mysql_native_password"[..]));
    assert_ne!(greeting.nonce(), client::greeting(&first).nonce());
    assert!(!greeting.capabilities().contains(CapabilityFlags::CLIENT_SSL));
    client.introduce("root", b"\0", AuthPlugin::CachingSha2Password, None).await;
    assert!(matches!(client.answer(false).await, Answer::Done(_)));

    let (mut client, _) = Client::greet(door.address).await;
    client.introduce("root", b"who knows", AuthPlugin::Ed25519, None).await;
    let payload = client.receive().await.unwrap();
    let switch: AuthSwitchRequest<'_> = mysql_common::io::ParseBuf(&payload).parse(()).unwrap();
    assert_eq!(switch.auth_plugin(), AuthPlugin::MysqlNativePassword);
    assert_eq!(switch.plugin_data().len(), 20);
    client.send(b"").await;
    assert!(matches!(client.answer(false).await, Answer::Done(_)));
}

#[tokio::test]
async fn the_database_of_the_greeting_is_used_or_refused() {
    let door = Door::open().await;
    let mut client = Client::enter_with(door.address, CAPABILITIES, Some("d1")).await;
    client.query("WRITE").await;
    assert_eq!(door.fake.last().database.as_deref(), Some("d1"));
    let (mut client, _) = Client::greet(door.address).await;
    client.introduce("root", b"", AuthPlugin::MysqlNativePassword, Some("missing")).await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1049, _)));
}

#[tokio::test]
async fn errors_leave_the_connection_alive() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    assert_eq!(client.error("gibberish").await.0, 1064);
    assert_eq!(client.error("load data\nLOCAL infile 'x'").await.0, 3948);
    client.command(3, b"SELECT \xff").await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1300, _)));
    for unknown in [0, 5, 7, 18, 28, 30, 99] {
        client.command(unknown, b"1234").await;
        assert!(matches!(client.answer(false).await, Answer::Failed(1047, _)), "{unknown}");
    }
    client.command(23, &9_u32.to_le_bytes()).await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1243, _)));
    client.command(26, &9_u32.to_le_bytes()).await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1243, _)));
    client.command(12, &99_u32.to_le_bytes()).await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1094, _)));
    client.command(2, b"missing").await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1049, _)));
    assert_eq!(client.texts("SELECT 1").await, [[Some("SELECT 1".to_owned())]]);
}

#[tokio::test]
async fn packets_too_large_or_out_of_order_end_the_connection_with_a_reason() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(3, &vec![b' '; PACKET_BYTES_MAX]).await;
    let Answer::Failed(1153, _) = client.answer(false).await else { panic!() };
    assert_eq!(client.receive().await, None);
    let mut client = Client::enter(door.address).await;
    client.sequence = 3;
    client.send(b"\x0e").await;
    client.sequence = 0;
    let Answer::Failed(1156, _) = client.answer(false).await else { panic!() };
}

#[tokio::test]
async fn a_text_larger_than_one_part_arrives_whole() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    let sql = format!("SELECT '{}'", "x".repeat(17 << 20));
    client.command(3, sql.as_bytes()).await;
    let Answer::Rows(_, rows) = client.answer(false).await else { panic!() };
    assert_eq!(rows[0][0], Value::Bytes(sql.into_bytes()));
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_statement() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(3, b"HANG").await;
    door.until("it runs", |door| door.fake.hangs()).await;
    drop(client);
    door.until("it is cancelled", |door| !door.fake.hangs()).await;
    door.until("its place is free", |door| door.sessions.count() == 0).await;
}

#[tokio::test]
async fn killed_connections_are_told_whether_idle_or_not() {
    let door = Door::open().await;
    let mut killer = Client::enter(door.address).await;
    let mut idle = Client::enter(door.address).await;
    let mut busy = Client::enter(door.address).await;
    busy.command(3, b"HANG").await;
    door.until("it runs", |door| door.fake.hangs()).await;
    assert!(matches!(killer.query("KILL QUERY 3").await, Answer::Done(_)));
    assert!(matches!(busy.answer(false).await, Answer::Failed(1317, _)));
    assert_eq!(busy.texts("SELECT 1").await.len(), 1);
    busy.command(3, b"HANG").await;
    door.until("it runs", |door| door.fake.hangs()).await;
    for id in [2_u32, 3] {
        killer.command(12, &id.to_le_bytes()).await;
        assert!(matches!(killer.answer(false).await, Answer::Done(_)));
    }
    assert_eq!(idle.farewell().await.0, 3169);
    assert!(matches!(busy.answer(false).await, Answer::Failed(1317, _)));
    assert_eq!(busy.farewell().await.0, 3169);
}

#[tokio::test]
async fn idle_clients_are_sent_away() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.query("SET wait_timeout = 1").await;
    assert_eq!(client.farewell().await.0, 4031);
}

#[tokio::test]
async fn shutdown_lets_statements_finish_and_sends_idle_clients_away() {
    let door = Door::open().await;
    let mut idle = Client::enter(door.address).await;
    let mut busy = Client::enter(door.address).await;
    busy.command(3, b"HANG").await;
    door.until("it runs", |door| door.fake.hangs()).await;
    door.shutdown.cancel();
    assert_eq!(idle.farewell().await.0, 1053);
    assert!(!door.served.is_finished());
    door.sessions.kill(2, quorate_sql::KillTarget::Query).unwrap();
    assert!(matches!(busy.answer(false).await, Answer::Failed(1317, _)));
    assert_eq!(busy.farewell().await.0, 1053);
    tokio::time::timeout(PATIENCE, door.served).await.expect("it ends").unwrap();
    assert!(tokio::net::TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn statements_of_one_text_are_answered_up_to_the_first_that_fails() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(3, b"WRITE; SELECT ';' ; bad; WRITE").await;
    let Answer::Done(ok) = client.answer(false).await else { panic!() };
    assert!(ok.status_flags().contains(StatusFlags::SERVER_MORE_RESULTS_EXISTS));
    assert!(matches!(client.answer(false).await, Answer::Rows(..)));
    assert!(matches!(client.answer(false).await, Answer::Failed(1064, _)));
    client.command(27, &[1, 0]).await;
    assert_eq!(client.receive().await.unwrap()[0], 0xfe);
    assert_eq!(client.error("WRITE; WRITE").await.0, 1064);
}

#[tokio::test]
async fn the_session_tells_its_lsn_and_database() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    let Answer::Done(ok) = client.query("WRITE").await else { panic!() };
    assert_eq!(ok.affected_rows(), 1);
    let state = ok.session_state_info().unwrap();
    let Ok(SessionStateChange::SystemVariables(variables)) = state[0].decode() else { panic!() };
    assert_eq!(
        (variables[0].name_str(), variables[0].value_str()),
        ("last_lsn".into(), "1".into())
    );
    client.command(2, b"d1").await;
    let Answer::Done(ok) = client.answer(false).await else { panic!() };
    let state = ok.session_state_info().unwrap();
    assert!(matches!(state[0].decode(), Ok(SessionStateChange::Schema(_))));
    let Answer::Done(ok) = client.query("BEGIN").await else { panic!() };
    assert!(ok.status_flags().contains(StatusFlags::SERVER_STATUS_IN_TRANS));
}

#[tokio::test]
async fn the_bytes_of_an_answer_never_change() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(3, b"SELECT 1").await;
    let column = b"\x03def\0\0\0\x04echo\x04echo\x0c\x2d\0\xfc\xff\x03\0\xfd\0\0\x1f\0\0";
    for expected in [&b"\x01"[..], column, b"\x08SELECT 1", b"\xfe\0\0\x02\0\0\0"] {
        assert_eq!(client.receive().await.unwrap(), expected);
    }
}

#[tokio::test]
async fn values_of_every_type_arrive_in_text_and_in_binary() {
    let door = Door::open().await;
    let without_eof = CAPABILITIES;
    let with_eof = CAPABILITIES - CapabilityFlags::CLIENT_DEPRECATE_EOF;
    for capabilities in [without_eof, with_eof] {
        let mut client = Client::enter_with(door.address, capabilities, None).await;
        let Answer::Rows(columns, rows) = client.query("SELECT types").await else { panic!() };
        let kinds: Vec<ColumnType> = columns.iter().map(|column| column.column_type()).collect();
        assert_eq!(
            kinds,
            [
                ColumnType::MYSQL_TYPE_LONGLONG,
                ColumnType::MYSQL_TYPE_LONGLONG,
                ColumnType::MYSQL_TYPE_DOUBLE,
                ColumnType::MYSQL_TYPE_NEWDECIMAL,
                ColumnType::MYSQL_TYPE_VAR_STRING,
                ColumnType::MYSQL_TYPE_BLOB,
                ColumnType::MYSQL_TYPE_DATE,
                ColumnType::MYSQL_TYPE_DATETIME,
                ColumnType::MYSQL_TYPE_JSON,
                ColumnType::MYSQL_TYPE_LONGLONG,
            ]
        );
        let text = |text: &str| Value::Bytes(text.into());
        let same = [text("12.50"), text("größe"), Value::Bytes(vec![0, 255])];
        assert_eq!(rows[0][..3], [text("-7"), text("18446744073709551615"), text("1.5")]);
        assert_eq!(rows[0][3..6], same);
        let dates = [text("2024-02-29"), text("2024-02-29 01:02:03.5"), text("{\"a\":1}")];
        assert_eq!(rows[0][6..9], dates);
        assert_eq!(rows[0][9], Value::NULL);

        let (id, _, _) = client.prepare("SELECT types").await.unwrap();
        let mut payload = Vec::new();
        ComStmtExecuteRequestBuilder::new(id).build(&[]).0.serialize(&mut payload);
        client.command(payload[0], &payload[1..]).await;
        let Answer::Rows(_, rows) = client.answer(true).await else { panic!() };
        assert_eq!(rows[0][..3], [Value::Int(-7), Value::UInt(u64::MAX), Value::Double(1.5)]);
        assert_eq!(rows[0][3..6], same);
        assert_eq!(rows[0][6], Value::Date(2024, 2, 29, 0, 0, 0, 0));
        assert_eq!(rows[0][7], Value::Date(2024, 2, 29, 1, 2, 3, 500_000));
        assert_eq!(rows[0][9], Value::NULL);
    }
}

#[tokio::test]
async fn prepared_statements_take_values_and_pieces_of_values() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    assert_eq!(client.prepare("SELECT missing").await, Err(1054));
    let (id, columns, parameters) = client.prepare("SELECT ?, ?").await.unwrap();
    assert_eq!((columns, parameters), (1, 2));
    let mut payload = Vec::new();
    let values = [Value::Int(-7), Value::NULL];
    ComStmtExecuteRequestBuilder::new(id).build(&values).0.serialize(&mut payload);
    for (piece, echo) in [(Some(b"it's"), "SELECT  -7, 'it\\'s'"), (None, "SELECT  -7, NULL")] {
        if let Some(piece) = piece {
            let head = [&id.to_le_bytes()[..], &[1, 0]].concat();
            client.command(24, &[&head[..], &piece[..2]].concat()).await;
            client.command(24, &[&head[..], &piece[2..]].concat()).await;
        }
        client.command(payload[0], &payload[1..]).await;
        let Answer::Rows(_, rows) = client.answer(true).await else { panic!() };
        assert_eq!(rows[0][0], Value::Bytes(echo.into()));
    }
    client.command(25, &id.to_le_bytes()).await;
    client.command(payload[0], &payload[1..]).await;
    assert!(matches!(client.answer(true).await, Answer::Failed(1243, _)));
}

#[tokio::test]
async fn connections_are_reset_and_change_hands() {
    let door = Door::open().await;
    let mut client = Client::enter_with(door.address, CAPABILITIES, Some("d1")).await;
    let (id, ..) = client.prepare("SELECT ?").await.unwrap();
    client.query("SET autocommit = 0").await;
    client.command(31, b"").await;
    let Answer::Done(ok) = client.answer(false).await else { panic!() };
    assert!(ok.status_flags().contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT));
    client.command(26, &id.to_le_bytes()).await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1243, _)));
    client.command(17, b"root\0\0d2\0\x2d\0mysql_native_password\0").await;
    assert!(matches!(client.answer(false).await, Answer::Done(_)));
    client.query("WRITE").await;
    assert_eq!(door.fake.last().database.as_deref(), Some("d2"));
    client.command(17, b"jack\0\0\0").await;
    assert!(matches!(client.answer(false).await, Answer::Failed(1045, _)));
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn small_commands_are_answered() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(14, b"").await;
    assert!(matches!(client.answer(false).await, Answer::Done(_)));
    client.command(9, b"").await;
    assert!(client.receive().await.unwrap().starts_with(b"Uptime: "));
    client.command(4, b"t\0").await;
    assert_eq!(client.receive().await.unwrap()[0], 0xfe);
    client.command(1, b"").await;
    assert_eq!(client.receive().await, None);
}

#[tokio::test]
async fn many_rows_reach_a_client_that_starts_reading_late() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.command(3, b"SELECT rows 20000").await;
    let Answer::Rows(_, rows) = client.answer(false).await else { panic!() };
    assert_eq!(rows.len(), 20000);
    assert_eq!(rows[19999][0], Value::Bytes(b"19999".to_vec()));
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.query("SET net_write_timeout = 1").await;
    client.command(3, b"SELECT rows 20000").await;
    door.until("it is given up", |door| door.sessions.count() == 0).await;
}

#[tokio::test]
async fn commands_sent_before_the_answer_are_not_lost() {
    let door = Door::open().await;
    let mut client = Client::enter(door.address).await;
    client.stream.write_all(b"\x06\0\0\0\x03WRITE\x01\0\0\0\x0e").await.unwrap();
    for _ in 0..2 {
        client.sequence = 1;
        assert!(matches!(client.answer(false).await, Answer::Done(_)));
    }
}
