#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use quorate_sql::KillTarget;
use quorate_wire::{Body, Failure, Reply, Value};

use super::fake::Fake;
use super::*;

fn session() -> (Arc<Fake>, Arc<Sessions>, Session) {
    let (fake, sessions) = Fake::sessions(10);
    let mut session = sessions.open("127.0.0.1".to_owned()).unwrap();
    session.authenticate("root");
    (fake, sessions, session)
}

fn cells(reply: Reply) -> Vec<Vec<String>> {
    match reply.body {
        Body::Rows(rows) => {
            let text = |row: Vec<Value>| row.iter().map(variables::printed).collect();
            rows.rows.into_iter().map(text).collect()
        }
        other => panic!("no rows: {other:?}"),
    }
}

async fn rows(session: &mut Session, sql: &str) -> Vec<Vec<String>> {
    cells(session.execute(sql).await.unwrap_or_else(|failure| panic!("{sql}: {failure}")))
}

async fn code(session: &mut Session, sql: &str) -> u16 {
    match session.execute(sql).await {
        Err(Failure { code, .. }) => code,
        Ok(reply) => panic!("{sql}: {reply:?}"),
    }
}

/// `@@name` as `SHOW VARIABLES` has it.
async fn shown(session: &mut Session, name: &str) -> String {
    rows(session, &format!("SHOW VARIABLES LIKE '{name}'")).await[0][1].clone()
}

#[tokio::test]
async fn statements_that_cannot_be_answered_say_why() {
    let (_, _, mut session) = session();
    for (sql, expected) in [
        ("", 1065),
        (" ; ", 1065),
        ("SET", 1064),
        ("gibberish", 1064),
        ("SET PASSWORD = 'x'", 1235),
        ("SHOW PRIVILEGES", 1235),
        ("SET PERSIST autocommit = 1", 1235),
        ("SET last_lsn = 1", 1238),
        ("SET version = 'x'", 1238),
        ("SET GLOBAL wait_lsn = 1", 1228),
        ("SET init_connect = ''", 1229),
        ("SET autocommit = maybe", 1231),
        ("SET NAMES klingon", 1115),
        ("SET NAMES utf8mb4 COLLATE latin1_bin", 1253),
        ("SHOW VARIABLES WHERE nothing = 1", 1054),
        ("KILL 99", 1094),
        ("USE missing", 1049),
    ] {
        assert_eq!(code(&mut session, sql).await, expected, "{sql}");
        let errors = rows(&mut session, "SHOW ERRORS").await;
        assert_eq!(errors[0][..2], ["Error".to_owned(), expected.to_string()], "{sql}");
    }
}

#[tokio::test]
async fn one_session_too_many_is_refused_until_another_ends() {
    let (_, sessions) = Fake::sessions(1);
    let first = sessions.open("h".to_owned()).unwrap();
    assert_eq!(sessions.open("h".to_owned()).err().unwrap().code, 1040);
    drop(first);
    assert!(sessions.open("h".to_owned()).is_ok());
    sessions.drain();
    assert_eq!(sessions.open("h".to_owned()).err().unwrap().code, 1053);
}

#[tokio::test]
async fn a_set_that_fails_changes_nothing() {
    let (_, sessions, mut session) = session();
    let sql = "SET @a = 1, sql_mode = 'x', GLOBAL wait_timeout = 7, autocommit = maybe";
    assert_eq!(code(&mut session, sql).await, 1231);
    assert_eq!(shown(&mut session, "sql_mode").await, "ONLY_FULL_GROUP_BY");
    assert!(session.user_values.is_empty());
    assert_eq!(variables::unsigned(&sessions.globals(), "wait_timeout"), 28800);
}

#[tokio::test(start_paused = true)]
async fn a_statement_past_its_time_is_given_up_and_cancelled() {
    let (fake, _, mut session) = session();
    session.execute("SET query_timeout = 1, max_execution_time = 10").await.unwrap();
    for (sql, doubtful) in [
        ("SELECT hang", false),
        ("SHOW PROC 'hang'", false),
        ("ALTER SYSTEM TRANSFER LEADER TO 'hang'", true),
        ("HANG", true),
    ] {
        let failure = session.execute(sql).await.unwrap_err();
        assert_eq!(failure.code, 3024);
        assert_eq!(failure.message.contains("unknown"), doubtful, "{failure}");
        assert!(fake.last().cancel.is_cancelled());
    }
}

#[tokio::test]
async fn kill_ends_a_statement_and_kill_connection_the_session() {
    let (fake, sessions, mut session) = session();
    let id = session.id();
    for target in [KillTarget::Query, KillTarget::Connection] {
        let killer = async {
            while !fake.hangs() {
                tokio::task::yield_now().await;
            }
            assert_eq!(rows_of(&sessions), [["executing", "HANG"]]);
            sessions.kill(id, target).unwrap();
        };
        let (result, ()) = tokio::join!(session.execute("HANG"), killer);
        assert_eq!(result.unwrap_err().code, 1317);
        assert_eq!(session.killed().is_cancelled(), target == KillTarget::Connection);
    }
    assert_eq!(code(&mut session, "HANG").await, 1317);
}

fn rows_of(sessions: &Sessions) -> Vec<[String; 2]> {
    let rows = sessions.processlist(true).rows;
    rows.iter().map(|row| [6, 7].map(|at| variables::printed(&row[at]))).collect()
}

#[tokio::test]
async fn a_dropped_statement_is_cancelled() {
    let (fake, sessions, mut session) = session();
    let mut running = Box::pin(session.execute("HANG"));
    assert!((&mut running).now_or_never().is_none());
    assert!(fake.hangs());
    drop(running);
    assert!(!fake.hangs());
    assert_eq!(rows_of(&sessions), [["", ""]]);
}

#[tokio::test]
async fn the_session_sees_what_it_wrote_and_what_it_was_told_of() {
    let (fake, _, mut session) = session();
    session.execute("WRITE").await.unwrap();
    assert_eq!(session.take_changes().last_lsn, Some(1));
    assert_eq!(shown(&mut session, "last_lsn").await, "1");
    session.execute("SELECT 1").await.unwrap();
    assert_eq!(session.take_changes(), Changes::default());
    assert_eq!(fake.last().token, 1);
    session.execute("SET wait_lsn = 9").await.unwrap();
    session.execute("SELECT 1").await.unwrap();
    assert_eq!(fake.last().token, 9);
    session.reset();
    session.execute("SELECT 1").await.unwrap();
    assert_eq!(fake.last().token, 1);
}

#[tokio::test]
async fn the_wanted_consistency_reaches_the_backend() {
    let (fake, _, mut session) = session();
    let max_staleness = Duration::from_millis(250);
    for (value, expected) in [
        ("linearizable", Consistency::Linearizable),
        ("ANY", Consistency::Any),
        ("bounded", Consistency::Bounded { max_staleness }),
        ("session", Consistency::Session),
    ] {
        let set = format!("SET read_consistency = '{value}', max_staleness_ms = 250");
        session.execute(&set).await.unwrap();
        session.execute("SHOW FRONTENDS").await.unwrap();
        assert_eq!(fake.last().consistency, expected);
    }
}

#[tokio::test]
async fn set_takes_values_from_variables_and_expressions() {
    let (fake, _, mut session) = session();
    session.execute("SET @old = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',X')").await.unwrap();
    assert_eq!(shown(&mut session, "sql_mode").await, "SELECT CONCAT(@@sql_mode, ',X')");
    session.execute("SET sql_mode = @OLD, @n = -1.5, @t = TRUE, @x = NULL").await.unwrap();
    session.execute("SELECT 1").await.unwrap();
    let scope = fake.scopes.lock().last().cloned().unwrap();
    assert_eq!(scope.system_variables["sql_mode"], "ONLY_FULL_GROUP_BY".into());
    let user = |name: &str| scope.user_variables[name].clone();
    assert_eq!(
        [user("n"), user("t"), user("x")],
        [Value::Double(-1.5), Value::Int(1), Value::Null]
    );
    assert_eq!((scope.user.as_str(), scope.host.as_str()), ("root", "127.0.0.1"));
}

#[tokio::test]
async fn set_in_the_forms_of_drivers() {
    let (_, _, mut session) = session();
    for (sql, warnings) in [
        ("SET NAMES 'utf8mb4' COLLATE 'utf8mb4_0900_ai_ci'", 0),
        ("SET NAMES utf8", 0),
        ("SET NAMES latin1", 1),
        ("SET NAMES DEFAULT", 0),
        ("SET character_set_results = NULL", 0),
        ("SET CHARACTER SET utf8mb4", 0),
        ("/*!40101 SET NAMES utf8mb3 */", 0),
        ("SET AUTOCOMMIT = 0", 0),
        ("SET @@session.autocommit = OFF", 0),
        ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", 0),
        ("SET SESSION TRANSACTION READ ONLY", 1),
        ("SET nobody_knows = 1, @@session.nor_this = 'x'", 2),
        ("SET time_zone = '+08:00'", 0),
        ("SET time_zone = 'Mars/Base'", 1),
        ("SET @@group_concat_max_len = 18446744073709551615", 0),
        ("SET wait_timeout = 99999999999", 1),
        ("SET sql_mode = DEFAULT", 0),
    ] {
        let reply = session.execute(sql).await.unwrap_or_else(|failure| panic!("{sql}: {failure}"));
        assert_eq!(reply.warnings.len(), warnings, "{sql}: {:?}", reply.warnings);
    }
    assert!(!session.autocommit());
    assert_eq!(shown(&mut session, "tx_isolation").await, "READ-COMMITTED");
    assert_eq!(shown(&mut session, "character_set_connection").await, "utf8mb3");
}

#[tokio::test]
async fn new_sessions_begin_with_the_frontends_variables() {
    let (_, sessions, mut session) = session();
    session.execute("SET GLOBAL query_timeout = 7, GLOBAL sql_mode = 'x'").await.unwrap();
    assert_eq!(shown(&mut session, "query_timeout").await, "300");
    let mut other = sessions.open("h".to_owned()).unwrap();
    assert_eq!(shown(&mut other, "query_timeout").await, "7");
    session.reset();
    assert_eq!(shown(&mut session, "sql_mode").await, "x");
}

#[tokio::test]
async fn rollback_warns_only_when_there_was_something_to_undo() {
    let (_, _, mut session) = session();
    for (statements, warnings) in [
        (&["WRITE"][..], 0),
        (&["BEGIN", "SELECT 1"], 0),
        (&["BEGIN", "USE d"], 0),
        (&["BEGIN", "WRITE"], 1),
        (&["START TRANSACTION", "WRITE", "COMMIT"], 0),
        (&["SET autocommit = 0", "WRITE"], 1),
    ] {
        for sql in statements {
            session.execute(sql).await.unwrap();
        }
        let reply = session.execute("ROLLBACK").await.unwrap();
        assert_eq!(reply.warnings.len(), warnings, "{statements:?}");
        assert!(!session.in_transaction());
    }
    session.execute("COMMIT AND CHAIN").await.unwrap();
    assert!(session.in_transaction());
    session.execute("ROLLBACK RELEASE").await.unwrap();
    assert!(session.is_released());
}

#[tokio::test]
async fn warnings_last_until_the_next_statement() {
    let (fake, _, mut session) = session();
    session.execute("WARN").await.unwrap();
    assert_eq!(rows(&mut session, "SHOW COUNT(*) WARNINGS").await, [["1"]]);
    assert_eq!(rows(&mut session, "SHOW WARNINGS").await, [["Warning", "1287", "odd"]]);
    assert!(rows(&mut session, "SHOW WARNINGS LIMIT 1, 5").await.is_empty());
    session.execute("SELECT @@warning_count").await.unwrap();
    assert_eq!(fake.scopes.lock()[0].system_variables["warning_count"], Value::Int(1));
    assert!(rows(&mut session, "SHOW WARNINGS").await.is_empty());
}

#[tokio::test]
async fn prepared_statements_are_bounded_and_bound() {
    let (_, _, mut session) = session();
    assert_eq!(session.prepare("SELECT missing").await.unwrap_err().code, 1054);
    assert_eq!(session.prepare("SELECT '").await.unwrap_err().code, 1064);
    assert_eq!(session.execute_prepared(1, &[]).await.unwrap_err().code, 1243);
    let description = session.prepare("SELECT ?, '?' -- ?").await.unwrap();
    assert_eq!((description.parameters, description.columns.len()), (1, 1));
    let id = description.id;
    assert_eq!(session.execute_prepared(id, &[]).await.unwrap_err().code, 1064);
    let reply = session.execute_prepared(id, &["it's".into()]).await.unwrap();
    assert_eq!(cells(reply), [["SELECT 'it\\'s', '?' -- ?"]]);
    for _ in 1..prepared::STATEMENTS_MAX {
        session.prepare("WRITE").await.unwrap();
    }
    assert_eq!(session.prepare("WRITE").await.unwrap_err().code, 1461);
    session.close_prepared(id);
    assert_ne!(session.prepare("WRITE").await.unwrap().id, id);
    session.reset();
    let long = format!("SELECT '{}'", "x".repeat(900_000));
    for _ in 0..18 {
        session.prepare(&long).await.unwrap();
    }
    assert_eq!(session.prepare(&long).await.unwrap_err().code, 1461);
}

#[tokio::test]
async fn the_row_limit_of_the_session_is_kept() {
    let (_, _, mut session) = session();
    session.execute("SET SQL_SELECT_LIMIT = 3").await.unwrap();
    assert_eq!(rows(&mut session, "SELECT rows 9").await.len(), 3);
    session.execute("SET SQL_SELECT_LIMIT = DEFAULT").await.unwrap();
    assert_eq!(rows(&mut session, "SELECT rows 9").await.len(), 9);
}

#[tokio::test]
async fn the_current_database_is_the_modules_word() {
    let (fake, _, mut session) = session();
    assert_eq!(session.use_database("missing").await.unwrap_err().code, 1049);
    assert_eq!(session.database(), None);
    session.use_database("default_catalog.d1").await.unwrap();
    assert_eq!(session.take_changes().database.as_deref(), Some("default_catalog.d1"));
    session.execute("WRITE").await.unwrap();
    assert_eq!(fake.last().database.as_deref(), Some("default_catalog.d1"));
    session.authenticate("root");
    assert_eq!(session.database(), None);
}

#[tokio::test]
async fn shows_of_the_session_filter_their_rows() {
    let (_, _, mut session) = session();
    assert_eq!(
        rows(&mut session, "SHOW VARIABLES LIKE 'AUTOCOMMIT'").await,
        [["autocommit", "ON"]]
    );
    let sql = "SHOW VARIABLES WHERE Variable_name IN ('version', 'socket') AND Value <> ''";
    assert_eq!(rows(&mut session, sql).await, [["version", "8.0.33"]]);
    assert!(rows(&mut session, "SHOW GLOBAL VARIABLES LIKE 'wait_lsn'").await.is_empty());
    let sql = "SHOW COLLATION WHERE `Default` = 'Yes' AND Charset = 'utf8mb4'";
    assert_eq!(rows(&mut session, sql).await[0][0], "utf8mb4_0900_ai_ci");
    assert_eq!(rows(&mut session, "SHOW CHARACTER SET LIKE 'utf8mb4'").await[0][3], "4");
    assert_eq!(rows(&mut session, "SHOW STATUS LIKE 'threads_running'").await[0][1], "1");
    assert_eq!(rows(&mut session, "SHOW ENGINES").await[0][1], "DEFAULT");
    assert_eq!(rows(&mut session, "SHOW PROCESSLIST").await[0][1], "root");
}
